package meeting

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"ringdown/fault"
)

const (
	casTries     = 5
	graceWaiting = 20 * time.Second // a visitor's page gone before an answer
	graceActive  = 60 * time.Second // anybody gone during a call
	maxEvents    = 10_000           // of one meeting; then it takes no more messages
	pageSize     = 1000             // of messages read from the store at a time
	textLimit    = 4096             // bytes of a chat message
)

// Service is the core's door: every change of a meeting goes through it. Safe
// for concurrent use.
type Service struct {
	store  Store
	policy Policy
	now    func() time.Time
	log    *slog.Logger

	mu      sync.Mutex // guards watches; nothing is called while it is held
	watches map[ID]map[chan struct{}]struct{}
	wake    chan struct{} // one slot: a Due may have come nearer

	turns turns
	// unseen: presences could not be written, so nobody may be called absent
	// before they were renewed.
	unseen atomic.Bool
}

// New makes the Service. now is the clock: it should not jump when the wall clock
// is set. Times are cut to milliseconds.
func New(store Store, policy Policy, now func() time.Time, log *slog.Logger) *Service {
	s := &Service{
		store: store, policy: policy, log: log,
		now:     func() time.Time { return now().UTC().Truncate(time.Millisecond) },
		watches: map[ID]map[chan struct{}]struct{}{},
		wake:    make(chan struct{}, 1),
		turns:   newTurns(),
	}
	if f, ok := store.(Feed); ok {
		f.Tell(s.changed)
	}
	return s
}

// Policy returns what the configuration says of sites and queues.
func (s *Service) Policy() Policy { return s.policy }

// Ring asks the meeting's queue. Asking twice rings once.
func (s *Service) Ring(ctx context.Context, id ID) (Meeting, error) {
	return s.change(ctx, id, func(m Meeting, now time.Time) (Meeting, []Event, error) {
		q, ok := s.policy.Queue(m.Queue)
		if !ok {
			return m, nil, fault.New(fault.Conflict, "the queue %q is no longer configured", m.Queue)
		}
		return startRing(m, q.Ring, now)
	})
}

// Accept gives the meeting to the agent, if nobody has it: one atomic act. The
// winner may repeat it. Others get fault RingTaken with "taken_by", or RingOver.
func (s *Service) Accept(ctx context.Context, id ID, a Agent) (Meeting, error) {
	pid := ParticipantID(s.newID("par_"))
	m, err := s.change(ctx, id, func(m Meeting, now time.Time) (Meeting, []Event, error) {
		return accept(m, a, pid, now)
	})
	if err != nil {
		return m, err
	}
	for _, p := range m.Participants {
		if p.Agent == a.Key { // who accepts and never comes is absent too, in time
			err = s.Seen(ctx, m, p.ID)
		}
	}
	return m, err
}

// Decline notes an agent's refusal; reason is a word of DeclineReasons or empty.
func (s *Service) Decline(ctx context.Context, id ID, a Agent, reason string) (Meeting, error) {
	return s.change(ctx, id, func(m Meeting, now time.Time) (Meeting, []Event, error) {
		q, _ := s.policy.Queue(m.Queue)
		return decline(m, a, reason, q.Ring.withDefaults().Decline == declineEnd, now)
	})
}

// End ends the meeting for everybody: completed if it was answered, else cancelled.
func (s *Service) End(ctx context.Context, id ID, by Role) (Meeting, error) {
	return s.change(ctx, id, func(m Meeting, now time.Time) (Meeting, []Event, error) {
		m, ev := endAll(m, by, ReasonEnded, now)
		return m, ev, nil
	})
}

// Leave takes one participant out. Before an answer a visitor who leaves cancels.
func (s *Service) Leave(ctx context.Context, id ID, p ParticipantID, why Reason) (Meeting, error) {
	m, err := s.change(ctx, id, func(m Meeting, now time.Time) (Meeting, []Event, error) {
		m, ev := leave(m, p, why, now)
		return m, ev, nil
	})
	if err == nil {
		err = stored(s.store.Forget(ctx, id, p))
	}
	return m, err
}

// Present notes who is in the meeting's room now. Nobody leaves by not being
// listed; see Seen for that.
func (s *Service) Present(ctx context.Context, id ID, here []ParticipantID) (Meeting, error) {
	return s.change(ctx, id, func(m Meeting, now time.Time) (Meeting, []Event, error) {
		m, ev := present(m, here, now)
		return m, ev, nil
	})
}

// Post adds a chat message. From, Role, Name, Via, Text, File and Key are the
// caller's to fill. The same Key with the same Text and a File that differs in
// its ID only returns the first message; with others it is a fault KeyReused.
func (s *Service) Post(ctx context.Context, id ID, msg Message) (Message, error) {
	if err := msg.checkBody(); err != nil {
		return msg, err
	}
	msg.ID = MessageID(s.newID("msg_"))
	var out Message
	_, err := s.change(ctx, id, func(m Meeting, now time.Time) (Meeting, []Event, error) {
		if m.Seq > maxEvents {
			return m, nil, fault.New(fault.TooMany, "this meeting takes no more messages")
		}
		m, ev, err := say(m, msg, now)
		if err == nil {
			out = *ev[0].Message
			out.Key = msg.Key
		}
		return m, ev, err
	})
	if msg.Key != "" && (errors.Is(err, ErrTaken) || fault.Is(err, fault.TooMany) || fault.Is(err, fault.FilesFull)) {
		if old, found, e := s.posted(ctx, id, msg); found || e != nil {
			return old, e
		}
	}
	if errors.Is(err, ErrTaken) {
		err = fault.New(fault.Conflict, "the message could not be stored; send it again")
	}
	return out, err
}

// posted finds the message that already has the key.
func (s *Service) posted(ctx context.Context, id ID, msg Message) (old Message, found bool, err error) {
	all, err := s.Messages(ctx, id, 0)
	if err != nil {
		return msg, false, err
	}
	for _, old := range all {
		if old.Key == msg.Key {
			if !old.same(msg) {
				return msg, true, fault.New(fault.KeyReused, "this message key was used with another text or file; take a new key")
			}
			return old, true, nil
		}
	}
	return msg, false, nil
}

// AddRef ties a foreign id to the meeting. Doing it twice is harmless; a ref
// that belongs to another meeting stays there (fault Conflict).
func (s *Service) AddRef(ctx context.Context, id ID, r Ref) error {
	_, err := s.changeWith(ctx, id, func(m Meeting, _ time.Time) (Change, error) {
		return Change{Meeting: m, Refs: []Ref{r}}, nil
	})
	if !errors.Is(err, ErrTaken) {
		return err
	}
	if m, err := s.store.ByRef(ctx, r); err == nil && m.ID == id {
		return nil
	}
	return fault.New(fault.Conflict, "this %s id belongs to another meeting", r.Vendor)
}

// Opened notes the first time a person redeemed the invitation. A further
// person's link is then good until the meeting's longest end.
func (s *Service) Opened(ctx context.Context, inv Invitation) error {
	if !inv.OpenedAt.IsZero() {
		return nil
	}
	_, err := s.changeWith(ctx, inv.Meeting, func(m Meeting, now time.Time) (Change, error) {
		inv, err := s.store.Invitation(ctx, inv.ID) // somebody may have been first
		if err != nil || !inv.OpenedAt.IsZero() {
			return Change{Meeting: m}, stored(err)
		}
		inv.OpenedAt = now
		if inv.ofFurther(m) {
			if p, _ := m.Participant(inv.Participant); p.Gone() {
				return Change{}, fault.New(fault.LinkExpired, "this link's time is over")
			}
			m, inv.ExpiresAt = opened(m, inv.Participant), m.AnsweredAt.Add(activeFor)
		}
		return Change{Meeting: m, Invitations: []Invitation{inv}}, nil
	})
	return err
}

// Seen notes that these participants' pages or media are alive now. Without a
// further call they are absent 20 s later before an answer, 60 s later in a call.
func (s *Service) Seen(ctx context.Context, m Meeting, ps ...ParticipantID) error {
	grace := graceWaiting
	if m.State == Active {
		grace = graceActive
	}
	rows := make([]Presence, len(ps))
	for i, p := range ps {
		rows[i] = Presence{Meeting: m.ID, Participant: p, Until: s.now().Add(grace)}
	}
	err := s.store.Seen(ctx, rows)
	if err != nil {
		s.unseen.Store(true)
	}
	return stored(err)
}

// ByID returns a meeting or a fault NotFound, as ByCode and ByRef do.
func (s *Service) ByID(ctx context.Context, id ID) (Meeting, error) {
	m, err := s.store.ByID(ctx, id)
	return m, stored(err)
}

// ByCode returns the meeting with the code or a fault NotFound.
func (s *Service) ByCode(ctx context.Context, code Code) (Meeting, error) {
	m, err := s.store.ByCode(ctx, code)
	return m, stored(err)
}

// ByRef returns the meeting that has the foreign id or a fault NotFound.
func (s *Service) ByRef(ctx context.Context, r Ref) (Meeting, error) {
	m, err := s.store.ByRef(ctx, r)
	return m, stored(err)
}

// List returns meetings, newest first.
func (s *Service) List(ctx context.Context, f Filter) ([]Meeting, error) {
	ms, err := s.store.List(ctx, f)
	return ms, stored(err)
}

// Invitation returns the invitation or a fault NotFound.
func (s *Service) Invitation(ctx context.Context, id InvitationID) (Invitation, error) {
	inv, err := s.store.Invitation(ctx, id)
	return inv, stored(err)
}

// Messages returns the chat after a Seq.
func (s *Service) Messages(ctx context.Context, id ID, after int64) ([]Message, error) {
	var all []Message
	for {
		page, err := s.store.Messages(ctx, id, after, pageSize)
		if err != nil {
			return nil, stored(err)
		}
		all = append(all, page...)
		if len(page) < pageSize {
			return all, nil
		}
		after = page[len(page)-1].Seq
	}
}

// Events returns the log after a Seq.
func (s *Service) Events(ctx context.Context, id ID, after int64, limit int) ([]Event, error) {
	es, err := s.store.Events(ctx, id, after, limit)
	return es, stored(err)
}

// RefsOf returns the foreign ids of the meeting.
func (s *Service) RefsOf(ctx context.Context, id ID) ([]Ref, error) {
	rs, err := s.store.RefsOf(ctx, id)
	return rs, stored(err)
}

// change runs a pure step on the stored meeting until it can be saved. A step
// without events saves nothing.
func (s *Service) change(ctx context.Context, id ID, step func(Meeting, time.Time) (Meeting, []Event, error)) (Meeting, error) {
	return s.changeWith(ctx, id, func(m Meeting, now time.Time) (Change, error) {
		after, ev, err := step(m, now)
		if err != nil || len(ev) == 0 {
			return Change{Meeting: after}, err
		}
		c := Change{Meeting: after, Events: ev}
		for _, e := range ev {
			if e.Message != nil {
				c.Messages = append(c.Messages, *e.Message)
			}
		}
		return c, nil
	})
}

// changeWith is change for steps that write more than events. ErrTaken comes
// back as it is.
func (s *Service) changeWith(ctx context.Context, id ID, step func(Meeting, time.Time) (Change, error)) (Meeting, error) {
	give, err := s.turns.take(ctx, string(id))
	if err != nil {
		return Meeting{}, err
	}
	defer give()
	for range casTries {
		m, err := s.store.ByID(ctx, id)
		if err != nil {
			return m, stored(err)
		}
		before := m
		c, err := step(m, s.now())
		if err != nil {
			return before, err
		}
		if len(c.Events)+len(c.Refs)+len(c.Invitations)+len(c.Dispatches) == 0 && !c.silent {
			return c.Meeting, nil
		}
		c.Meeting.Version++
		s.nameEvents(c.Events)
		err = s.store.Save(ctx, c)
		switch {
		case err == nil:
			s.changed(id)
			for _, e := range c.Events {
				s.log.InfoContext(ctx, "meeting", "call", c.Meeting.Reference(), "event", e.Kind, "seq", e.Seq, "state", c.Meeting.State, "outcome", c.Meeting.Outcome)
			}
			return c.Meeting, nil
		case errors.Is(err, ErrTaken), isOverLimit(err):
			return before, err
		case !errors.Is(err, ErrStale):
			return before, stored(err)
		}
	}
	return Meeting{}, fault.New(fault.Unavailable, "too many changes at once; try again")
}

func isOverLimit(err error) bool {
	_, over := errors.AsType[OverLimitError](err)
	return over
}

// stored turns a store's error into one for a caller.
func stored(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNoRow):
		return fault.New(fault.NotFound, "there is no such meeting or link")
	case errors.Is(err, context.Canceled):
		return err
	}
	return fault.New(fault.Unavailable, "this cannot be stored right now; try again").Because(fmt.Errorf("store: %w", err))
}
