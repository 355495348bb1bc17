package xcally

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"ringdown/fault"
)

// maxVariables caps the flow variables of one interaction; more are dropped.
const maxVariables = 100

// conversation is an interaction with its messages, oldest first.
type conversation struct {
	Interaction
	messages []Message
}

// state is everything the server remembers. It owns no goroutine.
type state struct {
	mu       sync.Mutex
	now      func() time.Time
	maxConvs int
	maxMsgs  int

	contacts map[int]*Contact
	convs    []*conversation // oldest first
	msgs     int             // in all conversations
	lastID   struct{ contact, interaction, message, revision int }
	watchers map[chan change]struct{}
	lines    map[int]chan job // by account; its sender reads it
}

// change is one thing that happened, as it is told to the pages.
type change struct {
	Interaction Interaction `json:"interaction"`
	Message     *Message    `json:"message"`
}

func newState(cfg Config) *state {
	s := &state{
		now: cfg.Now, maxConvs: cfg.MaxInteractions, maxMsgs: cfg.MaxMessages,
		contacts: map[int]*Contact{}, watchers: map[chan change]struct{}{},
		lines: map[int]chan job{},
	}
	for _, a := range cfg.Accounts {
		s.lines[a.ID] = make(chan job, 256)
	}
	// As on a server that has seen some use: the kinds cannot be mistaken for each other.
	s.lastID.contact, s.lastID.interaction, s.lastID.message = 70, 300, 9000
	return s
}

// incoming is a customer's message after its checks.
type incoming struct {
	account   Account
	from      string
	mapKey    string
	body      string
	threadID  string
	external  string
	contact   map[string]string
	variables map[string]string
}

// receive finds or makes the contact and the interaction, and adds the message.
func (s *state) receive(in incoming) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	contact := s.contactFor(in)
	c := s.openFor(in, contact.ID)
	now := s.now().UTC()
	if c == nil {
		s.lastID.interaction++
		c = &conversation{Interaction: Interaction{
			ID: s.lastID.interaction, AccountID: in.account.ID, ContactID: contact.ID,
			ThreadID: Text(in.threadID), CreatedAt: now, UpdatedAt: now,
			Emulator: InteractionExtra{Variables: map[string]string{}, Tags: []string{}},
		}}
		s.convs = append(s.convs, c)
	}
	if in.external != "" {
		c.ExternalURL = Text(in.external)
	}
	c.Emulator.From, c.Emulator.MapKey = in.from, in.mapKey
	for _, k := range slices.Sorted(maps.Keys(in.variables)) {
		if _, known := c.Emulator.Variables[k]; known || len(c.Emulator.Variables) < maxVariables {
			c.Emulator.Variables[k] = in.variables[k]
		}
	}
	s.add(c, Message{Direction: In, Body: in.body})
	return c.ID
}

// contactFor looks the sender up by the map key, or makes a contact.
func (s *state) contactFor(in incoming) *Contact {
	for _, c := range s.contacts {
		if c.Fields[in.mapKey] == in.from {
			return c
		}
	}
	s.lastID.contact++
	c := &Contact{ID: s.lastID.contact, Fields: maps.Clone(in.contact)}
	if c.Fields == nil {
		c.Fields = map[string]string{}
	}
	c.Fields[in.mapKey] = in.from
	s.contacts[c.ID] = c
	return c
}

// openFor finds the open interaction a message belongs to: by its thread, else
// by its contact. A closed one is never found: the next message opens another
// (our choice, OpenChannel's rule is not documented).
func (s *state) openFor(in incoming, contactID int) *conversation {
	for _, c := range slices.Backward(s.convs) {
		if c.Closed || c.AccountID != in.account.ID {
			continue
		}
		if in.threadID != "" && !in.account.MergeByContact {
			if string(c.ThreadID) == in.threadID {
				return c
			}
			continue
		}
		if c.ContactID == contactID {
			return c
		}
	}
	return nil
}

// add appends a message, makes room, and tells the pages. The caller holds mu.
func (s *state) add(c *conversation, m Message) Message {
	s.lastID.message++
	m.ID, m.InteractionID, m.AccountID, m.ContactID = s.lastID.message, c.ID, c.AccountID, c.ContactID
	m.CreatedAt = s.now().UTC()
	c.messages = append(c.messages, m)
	s.msgs++
	s.makeRoom(c)
	s.touch(c, &m)
	return m
}

// makeRoom forgets the oldest: closed interactions first, then open ones, at
// last the oldest messages of keep.
func (s *state) makeRoom(keep *conversation) {
	for len(s.convs) > s.maxConvs || s.msgs > s.maxMsgs {
		i := slices.IndexFunc(s.convs, func(c *conversation) bool { return c.Closed && c != keep })
		if i < 0 {
			i = slices.IndexFunc(s.convs, func(c *conversation) bool { return c != keep })
		}
		if i < 0 {
			drop := s.msgs - s.maxMsgs
			keep.messages = slices.Delete(keep.messages, 0, drop)
			s.msgs -= drop
			return
		}
		gone := s.convs[i]
		s.convs = slices.Delete(s.convs, i, i+1)
		s.msgs -= len(gone.messages)
		if !slices.ContainsFunc(s.convs, func(c *conversation) bool { return c.ContactID == gone.ContactID }) {
			delete(s.contacts, gone.ContactID)
		}
	}
}

// touch marks c as changed and tells every watcher. A watcher that does not
// keep up is cut off; its page connects again and reads the whole anew.
func (s *state) touch(c *conversation, m *Message) {
	s.lastID.revision++
	c.Emulator.Revision = s.lastID.revision
	c.UpdatedAt = s.now().UTC()
	ch := change{Interaction: s.view(c), Message: m}
	for w := range s.watchers {
		select {
		case w <- ch:
		default:
			close(w)
			delete(s.watchers, w)
		}
	}
}

// view is a copy for the outside.
func (s *state) view(c *conversation) Interaction {
	v := c.Interaction
	if contact, ok := s.contacts[c.ContactID]; ok {
		v.Contact = Contact{ID: contact.ID, Fields: maps.Clone(contact.Fields)}
	}
	v.Emulator.Variables = maps.Clone(c.Emulator.Variables)
	v.Emulator.Tags = slices.Clone(c.Emulator.Tags)
	if n := len(c.messages); n > 0 {
		last := c.messages[n-1]
		v.Emulator.Last = &last
	}
	return v
}

// maxWatchers is how many pages may listen at once.
const maxWatchers = 64

// watch returns a channel of changes; it is closed when the watcher fell
// behind. It returns nil when too many watch already.
func (s *state) watch() chan change {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.watchers) >= maxWatchers {
		return nil
	}
	w := make(chan change, 64)
	s.watchers[w] = struct{}{}
	return w
}

// unwatch ends what watch began.
func (s *state) unwatch(w chan change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.watchers[w]; ok {
		close(w)
		delete(s.watchers, w)
	}
}

// list returns the interactions that keep says, newest first.
func (s *state) list(keep func(Interaction) bool) []Interaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Interaction{}
	for _, c := range slices.Backward(s.convs) {
		if keep(c.Interaction) {
			out = append(out, s.view(c))
		}
	}
	return out
}

func (s *state) find(id int) *conversation {
	i := slices.IndexFunc(s.convs, func(c *conversation) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return s.convs[i]
}

func noInteraction(id int) error {
	return fault.New(fault.NotFound, "no interaction has the id %d", id)
}

func (s *state) interaction(id int) (Interaction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(id)
	if c == nil {
		return Interaction{}, noInteraction(id)
	}
	return s.view(c), nil
}

func (s *state) messages(id int) ([]Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(id)
	if c == nil {
		return nil, noInteraction(id)
	}
	return append([]Message{}, c.messages...), nil
}

// accept gives the interaction to the agent if nobody has it. The first wins;
// the winner may ask again.
func (s *state) accept(id, agent int) (Interaction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(id)
	switch {
	case c == nil:
		return Interaction{}, noInteraction(id)
	case c.Closed:
		return s.view(c), fault.New(fault.Conflict, "the interaction is closed")
	case c.UserID == Ref(agent):
		return s.view(c), nil
	case c.UserID != 0:
		return s.view(c), fault.New(fault.RingTaken, "another agent accepted it first").With("UserId", fmt.Sprint(int(c.UserID)))
	}
	c.UserID = Ref(agent)
	s.touch(c, nil)
	return s.view(c), nil
}

// patch is a PUT of an interaction; nil leaves a member as it is.
type patch struct {
	closed      *bool
	disposition *string
	user        *Ref
	queue       *Ref
	tags        []string
}

func (s *state) update(id int, p patch) (Interaction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(id)
	if c == nil {
		return Interaction{}, noInteraction(id)
	}
	if p.closed != nil {
		c.Closed = *p.closed
	}
	if p.disposition != nil {
		c.Disposition = Text(*p.disposition)
	}
	if p.user != nil {
		c.UserID = *p.user
	}
	if p.queue != nil {
		c.QueueID = *p.queue
	}
	if p.tags != nil {
		c.Emulator.Tags = p.tags
	}
	s.touch(c, nil)
	return s.view(c), nil
}

// job is one message on its way to a Reply URL, with the interaction as it was.
type job struct {
	interaction Interaction
	message     Message
}

// outgoing adds a message to the customer and puts it in its account's line,
// in the order of the ids. A full line fails the message at once.
func (s *state) outgoing(id int, m Message) (Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.find(id)
	switch {
	case c == nil:
		return Message{}, noInteraction(id)
	case m.UserID != 0 && (c.Closed || c.UserID != m.UserID):
		return Message{}, fault.New(fault.Conflict, "only the agent who accepted an open interaction may write in it")
	}
	m.Direction = Out
	if m.Secret {
		return s.add(c, m), nil
	}
	m.Status = Sending
	m = s.add(c, m)
	select {
	case s.lines[c.AccountID] <- job{interaction: s.view(c), message: m}:
	default:
		m.Status, m.Error = Failed, "too many messages are waiting to be sent"
		s.mark(c, m.ID, m.Error)
	}
	return m, nil
}

// settle records the end of a message's journey; why is empty when it arrived.
func (s *state) settle(m Message, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.find(m.InteractionID); c != nil {
		s.mark(c, m.ID, why)
	}
}

func (s *state) mark(c *conversation, message int, why string) {
	i := slices.IndexFunc(c.messages, func(m Message) bool { return m.ID == message })
	if i < 0 {
		return // dropped meanwhile to make room
	}
	m := &c.messages[i]
	m.Status, m.Error = Sent, ""
	if why != "" {
		m.Status, m.Error = Failed, why
	}
	told := *m
	s.touch(c, &told)
}
