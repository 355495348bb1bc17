package meeting

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/oklog/ulid/v2"

	"ringdown/fault"
)

const (
	linkFor      = 24 * time.Hour // an invitation made with its meeting
	keyFor       = 24 * time.Hour // an idempotency key
	codeAlphabet = "23456789abcdefghjkmnpqrstuvwxyz"
	codeLength   = 10
)

// Request is what a new meeting is made of.
type Request struct {
	Site        *Site // the site whose button asked; nil: the holder of an API key
	Queue       string
	Topic       string
	Language    string
	Visitor     Person
	Fields      map[string]string
	Metadata    map[string]string
	Page        Page
	RedirectURL string
	Refs        []Ref
	RingNow     bool // ring at once instead of when the visitor is ready

	// Key makes the same request twice one meeting; its Meeting is filled here.
	// nil: no such promise.
	Key *Key
}

// Request makes a meeting, with its two invitations, or returns the one that
// the same key made before (made is false then). The same key with another body
// is a fault KeyReused.
func (s *Service) Request(ctx context.Context, r Request) (m Meeting, made bool, err error) {
	now := s.now()
	q, ok := s.policy.Queue(r.Queue)
	if !ok {
		return m, false, fault.NewInvalid("/queue", "there is no queue %q", r.Queue)
	}
	if r.RedirectURL != "" {
		if err := CheckRedirect(r.RedirectURL, r.Site); err != nil {
			return m, false, err
		}
	}
	for range casTries {
		if r.Key != nil {
			if m, err := s.again(ctx, *r.Key, now); err != nil || m.ID != "" {
				return m, false, err
			}
		}
		c := s.draft(r, q, now)
		if r.RingNow {
			var ev []Event
			if c.Meeting, ev, err = startRing(c.Meeting, q.Ring, now); err != nil {
				return m, false, err
			}
			c.Events = append(c.Events, ev...)
		}
		if r.Key != nil {
			k := *r.Key
			k.Meeting, k.Expires = c.Meeting.ID, now.Add(keyFor)
			c.Key = &k
		}
		if m, made, err = s.insert(ctx, c); !errors.Is(err, ErrTaken) {
			return m, made, err
		}
	}
	return m, false, stored(err)
}

// insert writes a new meeting, or returns the one that has a ref of it already:
// the same foreign request twice is one meeting. ErrTaken: draw anew.
func (s *Service) insert(ctx context.Context, c Change) (m Meeting, made bool, err error) {
	s.nameEvents(c.Events)
	err = s.store.Create(ctx, c)
	if err == nil {
		s.changed(c.Meeting.ID)
		s.log.InfoContext(ctx, "meeting made", "call", c.Meeting.Reference(), "queue", c.Meeting.Queue, "state", c.Meeting.State)
		return c.Meeting, true, nil
	}
	if !errors.Is(err, ErrTaken) {
		return m, false, stored(err)
	}
	for _, ref := range c.Refs {
		if m, e := s.store.ByRef(ctx, ref); e == nil {
			return m, false, nil
		}
	}
	return m, false, err
}

// again returns the meeting an idempotency key made; a zero Meeting if none.
func (s *Service) again(ctx context.Context, k Key, now time.Time) (Meeting, error) {
	old, err := s.store.KeyOf(ctx, k.Owner, k.Key, now)
	if errors.Is(err, ErrNoRow) {
		return Meeting{}, nil
	}
	if err != nil {
		return Meeting{}, stored(err)
	}
	if old.Hash != k.Hash {
		return Meeting{}, fault.New(fault.KeyReused, "this Idempotency-Key was used with another body; take a new key")
	}
	m, err := s.store.ByID(ctx, old.Meeting)
	return m, stored(err)
}

func (s *Service) draft(r Request, q Queue, now time.Time) Change {
	id := ID(s.newID("mtg_"))
	visitor := Participant{ID: ParticipantID(s.newID("par_")), Role: Visitor, Name: r.Visitor.Name}
	m := Meeting{
		ID: id, Code: newCode(), Version: 1, Queue: q.Name, Desks: q.Desks, Topic: r.Topic, Language: r.Language,
		Visitor: r.Visitor, Fields: r.Fields, Metadata: r.Metadata, Page: r.Page, RedirectURL: r.RedirectURL,
		Participants:      []Participant{visitor},
		VisitorInvitation: InvitationID(s.newID("inv_")), AgentInvitation: InvitationID(s.newID("inv_")),
	}
	if r.Site != nil {
		m.Site = r.Site.ID
	}
	c := Change{Refs: r.Refs}
	c.Meeting, c.Events = create(m, now)
	c.Invitations = []Invitation{
		{ID: m.VisitorInvitation, Meeting: id, Role: Visitor, Participant: visitor.ID, CreatedAt: now, ExpiresAt: now.Add(linkFor)},
		{ID: m.AgentInvitation, Meeting: id, Role: AgentR, CreatedAt: now, ExpiresAt: now.Add(linkFor)},
	}
	return c
}

// newID is a ULID of our clock's time, so that what is newer sorts later also
// when the wall clock is set back.
func (s *Service) newID(prefix string) string {
	return prefix + ulid.MustNew(ulid.Timestamp(s.now()), ulid.DefaultEntropy()).String()
}

func (s *Service) nameEvents(ev []Event) {
	for i := range ev {
		ev[i].ID = EventID(s.newID("evt_"))
	}
}

// newCode draws a code from 31^10 (about 50 bits).
func newCode() Code {
	b := make([]byte, 0, codeLength)
	var raw [32]byte
	for len(b) < codeLength {
		_, _ = rand.Read(raw[:]) // never fails
		for _, r := range raw {
			if n := int(r); n < 256/len(codeAlphabet)*len(codeAlphabet) && len(b) < codeLength {
				b = append(b, codeAlphabet[n%len(codeAlphabet)])
			}
		}
	}
	return Code(b)
}
