package meeting

import (
	"context"
	"time"
)

// Clock lets time pass for all meetings of a store: rounds and waits end, people
// who went away without a word are taken out.
type Clock struct {
	service *Service
}

// NewClock makes the Clock of a Service.
func NewClock(s *Service) *Clock { return &Clock{service: s} }

const (
	clockStep  = 500 * time.Millisecond // the longest sleep, so that another node's meetings are seen too
	clockBatch = 100
)

// Run works until ctx ends. Nobody is absent for the time in which we were away
// or could not write: then every presence is renewed before anybody is judged.
func (c *Clock) Run(ctx context.Context) error {
	s := c.service
	s.unseen.Store(true)
	pruned := s.now()
	for {
		wait := c.pass(ctx)
		if now := s.now(); now.Sub(pruned) > time.Hour {
			pruned = now
			if _, err := s.store.Prune(ctx, now); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "idempotency keys not pruned", "err", err)
			}
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-s.wake:
			t.Stop()
		case <-t.C:
		}
	}
}

// pass does what is due now and returns how long to sleep.
func (c *Clock) pass(ctx context.Context) time.Duration {
	s := c.service
	ids, next, err := s.store.Due(ctx, s.now(), clockBatch)
	if err != nil {
		if ctx.Err() == nil {
			s.log.ErrorContext(ctx, "due meetings not read", "err", err)
		}
		s.unseen.Store(true)
		return clockStep
	}
	for _, id := range ids {
		if _, err := s.change(ctx, id, func(m Meeting, now time.Time) (Meeting, []Event, error) {
			m, ev := tick(m, now)
			return m, ev, nil
		}); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "meeting not moved on", "meeting", id, "err", err)
		}
	}
	gone := c.absent(ctx)
	if len(ids) == clockBatch || gone == clockBatch {
		return 0
	}
	if !next.IsZero() {
		return max(0, min(clockStep, next.Sub(s.now())))
	}
	return clockStep
}

// absent takes out who was not seen for too long and returns how many.
func (c *Clock) absent(ctx context.Context) int {
	s := c.service
	if s.unseen.Swap(false) {
		if err := s.store.Renew(ctx, s.now().Add(graceWaiting)); err != nil {
			s.unseen.Store(true)
			if ctx.Err() == nil {
				s.log.WarnContext(ctx, "presences not renewed", "err", err)
			}
		}
		return 0
	}
	gone, err := s.store.Absent(ctx, s.now(), clockBatch)
	if err != nil {
		s.unseen.Store(true)
		if ctx.Err() == nil {
			s.log.ErrorContext(ctx, "absent people not read", "err", err)
		}
		return 0
	}
	for _, p := range gone {
		if _, err := s.Leave(ctx, p.Meeting, p.Participant, ReasonNetwork); err != nil {
			s.unseen.Store(true)
			_ = s.store.Seen(ctx, []Presence{p}) // to be judged again
			if ctx.Err() == nil {
				s.log.ErrorContext(ctx, "absent person not taken out", "meeting", p.Meeting, "err", err)
			}
		}
	}
	return len(gone)
}
