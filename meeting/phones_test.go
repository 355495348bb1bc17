package meeting

import (
	"context"
	"log/slog"
	"testing"
	"time"
)

// gapStore is a PhoneStore in which something happens between the end of a read
// and the moment its answer is used.
type gapStore struct {
	rows map[PhoneCallID]PhoneCall
	gap  func()
}

func (s *gapStore) PutPhoneCalls(_ context.Context, cs []PhoneCall) error {
	for _, c := range cs {
		if old, ok := s.rows[c.ID]; ok {
			c = old.Rung(c)
		}
		s.rows[c.ID] = c
	}
	return nil
}

func (s *gapStore) PhoneCall(_ context.Context, id PhoneCallID) (PhoneCall, error) {
	defer s.gap()
	c, ok := s.rows[id]
	if !ok {
		return c, ErrNoRow
	}
	return c, nil
}

func (s *gapStore) SavePhoneCall(_ context.Context, c PhoneCall) error {
	s.rows[c.ID] = c
	return nil
}

func (s *gapStore) list(fits func(PhoneCall) bool) (cs []PhoneCall, err error) {
	defer s.gap()
	for _, c := range s.rows {
		if fits(c) {
			cs = append(cs, c)
		}
	}
	return cs, nil
}

func (s *gapStore) PhoneCallsOf(_ context.Context, desk string, agent AgentKey, since time.Time, _ int) ([]PhoneCall, error) {
	return s.list(func(c PhoneCall) bool { return c.Desk == desk && c.Agent.Key == agent && !c.RungAt.Before(since) })
}

func (s *gapStore) PhoneCallsWith(_ context.Context, desk, ref string) ([]PhoneCall, error) {
	return s.list(func(c PhoneCall) bool { return c.Desk == desk && c.Ref == ref })
}

func (s *gapStore) PrunePhoneCalls(context.Context, time.Time) (int64, error) { return 0, nil }

// A ring that is written while it is looked for is in the store after the look
// and no longer among those that wait: it must be found all the same.
func TestARingIsFoundWhileItIsWritten(t *testing.T) {
	for name, found := range map[string]func(p *Phones) bool{
		"by its id": func(p *Phones) bool {
			c, err := p.ByID(t.Context(), "phc_1")
			return err == nil && c.Caller == "06"
		},
		"among its agent's": func(p *Phones) bool { return len(p.Of(t.Context(), "d/x", "a", time.Hour)) == 1 },
		"among its offers": func(p *Phones) bool {
			cs, err := p.With(t.Context(), "d/x", "r")
			return err == nil && len(cs) == 1
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &gapStore{rows: map[PhoneCallID]PhoneCall{}, gap: func() {}}
			p := NewPhones(s, time.Now, slog.New(slog.DiscardHandler))
			p.Ring(PhoneCall{ID: "phc_1", Desk: "d/x", Ref: "r", Agent: Agent{Key: "a"}, Caller: "06"})
			s.gap = func() {
				s.gap = func() {}
				if err := p.flush(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if !found(p) {
				t.Error("it is not found")
			}
			if !found(p) {
				t.Error("it is not found afterwards")
			}
		})
	}
}
