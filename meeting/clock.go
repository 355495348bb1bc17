package meeting

import (
	"context"
	"time"
)

// Clock lets time pass for all meetings of a store: rounds and waits end, people
// who went away without a word are taken out.
type Clock struct {
	service *Service

	mark    time.Time // what every presence was set to after the start; zero: not yet
	judge   time.Time // when meetings to which nobody came back end
	resumed bool      // and that was done
}

// NewClock makes the Clock of a Service.
func NewClock(s *Service) *Clock { return &Clock{service: s} }

const (
	clockStep  = 500 * time.Millisecond // the longest sleep, so that another node's meetings are seen too
	clockBatch = 100

	// resumeWithin is how long a call waits after a start for somebody to come back;
	// pages try at least every 5 s. Within 2 s more it is over.
	resumeWithin = 8 * time.Second
)

// Run works until ctx ends. Nobody is absent for the time in which we were away
// or could not write: then every presence is renewed before anybody is judged.
//
// After a start each call is resumed or over within 10 s: one to which nobody came
// back ends, in the others who did not has the time of a call to come.
func (c *Clock) Run(ctx context.Context) error {
	s := c.service
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

// resume takes the meetings of an earlier start up again, in two steps. It
// returns false as long as the first one is not done: then nobody may be judged.
func (c *Clock) resume(ctx context.Context) bool {
	s, now := c.service, c.service.now()
	var err error
	switch {
	case c.resumed:
		return true
	case c.mark.IsZero():
		mark := now.Add(graceWaiting - time.Millisecond) // whoever is seen from now on ends later
		if err = c.expect(ctx, mark); err == nil {
			err = s.store.Mark(ctx, mark)
		}
		if err == nil {
			c.mark, c.judge = mark, now.Add(resumeWithin)
			s.unseen.Store(false)
		}
	case !now.Before(c.judge):
		err = s.store.Resume(ctx, c.mark, now, now.Add(graceActive-resumeWithin))
		c.resumed = err == nil
	}
	if err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "meetings not resumed", "err", err)
	}
	return !c.mark.IsZero()
}

// expect makes sure that everybody in an active meeting has a presence, also who
// lost it by a crash between two writes.
func (c *Clock) expect(ctx context.Context, until time.Time) error {
	f := Filter{State: Active, Limit: clockBatch}
	for {
		ms, err := c.service.store.List(ctx, f)
		if err != nil {
			return err
		}
		var ps []Presence
		for _, m := range ms {
			for _, p := range m.Participants {
				if p.LeftAt.IsZero() && !p.awaited() {
					ps = append(ps, Presence{Meeting: m.ID, Participant: p.ID, Until: until})
				}
			}
			f.Before = m.ID
		}
		if err := c.service.store.Seen(ctx, ps); err != nil || len(ms) < clockBatch {
			return err
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
	gone := 0
	if c.resume(ctx) {
		gone = c.absent(ctx)
	}
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
