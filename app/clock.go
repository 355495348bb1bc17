package app

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"
)

const (
	clockKeep = time.Second            // how often the time is kept while a call is open
	clockStep = 500 * time.Millisecond // a smaller difference to the wall clock is none
)

// timeKeeper is where a clock keeps its time; store.Store is one.
type timeKeeper interface {
	Time(ctx context.Context) (time.Time, error)
	KeepTime(ctx context.Context, t time.Time) error
	Waiting(ctx context.Context) (meetings, deliveries bool, err error)
}

// clock is the daemon's time: the wall clock's when it was last adopted, and what
// has passed since by the monotonic clock. So timers are right when somebody
// sets the wall clock, and a start does not go back behind the time that was kept
// while a call was open. The wall clock is adopted again once no call is open.
//
// In a machine that sleeps time stands still: rings go on where they were, and
// the wall clock is adopted after them.
type clock struct {
	wall   func() time.Time     // as people read it; may jump
	passed func() time.Duration // since some moment; never jumps
	keeper timeKeeper
	log    *slog.Logger

	start atomic.Int64 // our time when passed was 0, Unix nanoseconds
}

// openClock makes a clock that goes on from what is kept, if a call is open.
func openClock(ctx context.Context, wall func() time.Time, passed func() time.Duration, keeper timeKeeper, log *slog.Logger) (*clock, error) {
	c := &clock{wall: wall, passed: passed, keeper: keeper, log: log}
	now := wall()
	kept, err := keeper.Time(ctx)
	if err != nil {
		return nil, err
	}
	meetings, deliveries, err := keeper.Waiting(ctx)
	if err != nil {
		return nil, err
	}
	if kept.Sub(now) > clockStep && (meetings || deliveries) {
		log.WarnContext(ctx, "the wall clock was set back; going on from the last time", "by", kept.Sub(now).Round(time.Second).String())
		now = kept
	}
	c.set(now)
	return c, nil
}

func (c *clock) set(now time.Time) { c.start.Store(now.UnixNano() - int64(c.passed())) }

// Now is our time, in UTC.
func (c *clock) Now() time.Time { return time.Unix(0, c.start.Load()+int64(c.passed())).UTC() }

// Run keeps the time until ctx ends.
func (c *clock) Run(ctx context.Context) error {
	t := time.NewTicker(clockKeep)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return c.keep(context.WithoutCancel(ctx))
		case <-t.C:
			if err := c.keep(ctx); err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "the time is not kept", "err", err)
			}
		}
	}
}

// keep writes our time down while a call is open, and else adopts the wall clock.
// Going forward makes a delivery's next try come early, which harms nobody; going
// back would put it off, so it waits until there is none.
func (c *clock) keep(ctx context.Context) error {
	meetings, deliveries, err := c.keeper.Waiting(ctx)
	if err != nil {
		return err
	}
	ahead := c.wall().Sub(c.Now())
	if meetings || deliveries && ahead <= -clockStep {
		return c.keeper.KeepTime(ctx, c.Now())
	}
	if ahead.Abs() < clockStep {
		return nil
	}
	c.log.InfoContext(ctx, "the wall clock was set; adopting it", "by", ahead.Round(time.Second).String())
	c.set(c.wall())
	return c.keeper.KeepTime(ctx, c.Now())
}
