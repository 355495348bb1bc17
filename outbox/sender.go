package outbox

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Config is how the outbox works. A zero field means its default.
type Config struct {
	// PerTarget is how many attempts for one target run at a time on a node, 1 to
	// 64; half of them at most are replayed ones. Default 8.
	PerTarget int `yaml:"per_target"`
	// Keep is how long ended deliveries are kept, at least an hour. Default 720h.
	Keep time.Duration `yaml:"keep"`

	Parallel int           `yaml:"-"` // attempts at a time; 0: 512
	Timeout  time.Duration `yaml:"-"` // of one attempt; 0: 15 s
	Lease    time.Duration `yaml:"-"` // how long a crashed process blocks what it held; 0: twice Timeout
	Drain    time.Duration `yaml:"-"` // how long attempts in flight may go on after ctx ends; 0: 5 s
	Poll     time.Duration `yaml:"-"` // how long a lost wake can go unnoticed; 0: 1 s
}

// DefaultConfig is what holds where nothing is said.
func DefaultConfig() Config { return Config{PerTarget: 8, Keep: 30 * 24 * time.Hour} }

func (c Config) withDefaults() Config {
	if c.PerTarget == 0 {
		c.PerTarget = DefaultConfig().PerTarget
	}
	if c.Keep == 0 {
		c.Keep = DefaultConfig().Keep
	}
	if c.Parallel == 0 {
		c.Parallel = 512
	}
	if c.Timeout == 0 {
		c.Timeout = 15 * time.Second
	}
	if c.Lease == 0 {
		c.Lease = 2 * c.Timeout
	}
	if c.Drain == 0 {
		c.Drain = 5 * time.Second
	}
	if c.Poll == 0 {
		c.Poll = time.Second
	}
	return c
}

// Validate checks c.
func (c Config) Validate() error {
	c = c.withDefaults()
	if c.PerTarget < 1 || c.PerTarget > 64 {
		return errors.New("per_target: must be 1 to 64")
	}
	if c.Keep < time.Hour {
		return errors.New("keep: must be at least 1h")
	}
	if c.Parallel < 0 || c.Timeout < 0 || c.Drain < 0 || c.Poll < 0 {
		return errors.New("outbox: parallel, timeout, drain and poll must not be negative")
	}
	if c.Lease <= c.Timeout {
		return errors.New("outbox: lease must be longer than timeout, or a slow attempt would run twice")
	}
	return nil
}

const (
	batch      = 200 // of claims and of completions in one transaction
	rest       = 12 * time.Millisecond
	storeGrace = 5 * time.Second // for the store's last words while stopping
)

// Sender moves due deliveries.
type Sender struct {
	store      Store
	deliverers map[string]Deliverer // by connector
	cfg        Config
	now        func() time.Time
	log        *slog.Logger
	met        *metrics
	wake       chan struct{}

	ended chan Done // closed by Run when no attempt runs any more

	// Replayed deliveries are claimed a few at a time with a rest between, by Run
	// alone: at full speed they would keep the store's only writer busy.
	rested  time.Time // when they may be claimed again
	waiting bool      // some may be left since the last time

	mu   sync.Mutex
	held map[int64]hold // claimed and not yet finished or released; mu
	rnd  *rand.Rand     // mu
}

// hold is what the bound per target needs to know of a delivery on its way.
type hold struct {
	target   string
	replayed bool
}

// newSender makes a Sender; see New.
func newSender(store Store, deliverers map[string]Deliverer, cfg Config, now func() time.Time, rnd *rand.Rand, log *slog.Logger, met *metrics) *Sender {
	return &Sender{
		store: store, deliverers: deliverers, cfg: cfg.withDefaults(), now: now, log: log, met: met, rnd: rnd,
		wake: make(chan struct{}, 1), ended: make(chan Done, batch), held: map[int64]hold{},
	}
}

// Wake makes Run look for due deliveries now. It never blocks.
func (s *Sender) Wake() { nudge(s.wake) }

// Run moves due deliveries until ctx ends. Attempts in flight then get
// Config.Drain to finish; what is not done by then is released, so that the
// next process need not wait for a lease. Run is called once.
func (s *Sender) Run(ctx context.Context) error {
	// Attempts outlive ctx by the drain time, their bookkeeping a little longer.
	work, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	books, shut := context.WithCancel(context.WithoutCancel(ctx))
	defer shut()

	var attempts, finisher, renewer sync.WaitGroup
	finisher.Go(func() { s.finish(books) })
	renewing, stopRenewing := context.WithCancel(books)
	defer stopRenewing()
	renewer.Go(func() { s.renew(renewing) })

	for ctx.Err() == nil {
		now := s.now()
		claimed, more, err := s.claim(ctx, now)
		for _, d := range claimed {
			attempts.Go(func() { s.attempt(ctx, work, books, d) })
		}
		if err != nil {
			s.trouble(ctx, "claim", err)
		}
		if !more {
			pause(ctx, s.wake, s.idle(ctx, now), err != nil)
		}
	}

	drain := time.AfterFunc(s.cfg.Drain, cut)
	defer drain.Stop()
	end := time.AfterFunc(s.cfg.Drain+storeGrace, shut)
	defer end.Stop()
	attempts.Wait()
	close(s.ended)
	finisher.Wait()
	stopRenewing()
	renewer.Wait()
	s.release(books, s.holding())
	return nil
}

// claim takes what is due and what there is room for. more: there may be more.
func (s *Sender) claim(ctx context.Context, now time.Time) (claimed []Delivery, more bool, err error) {
	n, err := s.store.Expire(ctx, now)
	if err != nil {
		return nil, false, err
	}
	if n > 0 {
		s.log.WarnContext(ctx, "deliveries came too late and were not sent", "count", n)
	}
	room := s.room()
	resting := now.Before(s.rested)
	if resting {
		room.Replayed = 0
	}
	if room.Limit <= 0 {
		return nil, false, nil // finish wakes Run
	}
	all, err := s.store.Claim(ctx, now, now.Add(s.cfg.Lease), room)
	if err != nil {
		return nil, false, err
	}
	if !resting {
		s.waiting = slices.ContainsFunc(all, func(d Delivery) bool { return d.Replayed })
		if s.waiting {
			s.rested = now.Add(rest)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range all {
		// A lease can run out under an attempt, when the machine slept or the store
		// was away: that one still runs here.
		if _, here := s.held[d.ID]; !here {
			s.held[d.ID] = hold{d.Target, d.Replayed}
			claimed = append(claimed, d)
		}
	}
	return claimed, len(all) == room.Limit, nil
}

// room is what may be claimed beside what is on its way.
func (s *Sender) room() Room {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := Room{
		Limit: min(s.cfg.Parallel-len(s.held), batch), Target: s.cfg.PerTarget, Replayed: max(1, s.cfg.PerTarget/2), Busy: map[string]Busy{},
	}
	for _, h := range s.held {
		b := r.Busy[h.target]
		if h.replayed {
			b.Replayed++
		} else {
			b.Live++
		}
		r.Busy[h.target] = b
	}
	return r
}

// idle is how long nothing will become due, counted from the claim made for
// now; at most Config.Poll.
func (s *Sender) idle(ctx context.Context, now time.Time) time.Duration {
	wait := s.cfg.Poll
	if due, err := s.store.NextDue(ctx, now); err == nil && !due.IsZero() {
		wait = min(wait, due.Sub(s.now()))
	}
	if s.waiting {
		wait = min(wait, s.rested.Sub(s.now()))
	}
	return max(0, wait)
}

// attempt makes one attempt of d. ctx ending means: start none. work ending
// cuts it.
func (s *Sender) attempt(ctx, work, books context.Context, d Delivery) {
	start := s.now()
	if ctx.Err() != nil {
		return // released by Run
	}
	limit := s.cfg.Timeout
	if !d.ExpiresAt.IsZero() {
		left := d.ExpiresAt.Sub(start)
		if left <= 0 {
			s.release(books, []int64{d.ID}) // the next claim expires it
			s.Wake()
			return
		}
		limit = min(limit, left) // a ring that hangs must not arrive late
	}
	one, cancel := context.WithTimeout(work, limit)
	r := s.deliver(one, d)
	cancel()
	if work.Err() != nil && r.Verdict != OK {
		return // cut by the stop, not by the other side: released by Run
	}

	now := s.now()
	if d.Attempts == 0 {
		s.met.late.WithLabelValues(connector(d.Target)).Observe(start.Sub(d.CreatedAt).Seconds())
	}
	s.met.took.WithLabelValues(connector(d.Target)).Observe(now.Sub(start).Seconds())
	s.met.attempts.WithLabelValues(connector(d.Target), string(r.Verdict)).Inc()
	d.Attempts++
	d.Tries++
	s.mu.Lock()
	state, at := next(d, r, now, s.rnd)
	s.mu.Unlock()
	s.tell(d, r, state, at)
	done := Done{State: state, Next: at, Attempt: Attempt{
		Delivery: d.ID, N: d.Attempts, At: start, Took: now.Sub(start), Verdict: r.Verdict, Reason: r.Reason, Status: r.Status,
	}}
	select {
	case s.ended <- done:
	case <-books.Done(): // the store has been away for the whole stop; the lease runs out
	}
}

// deliver calls the connector. Whatever it does wrong hurts only d.
func (s *Sender) deliver(ctx context.Context, d Delivery) Result {
	to := s.deliverers[connector(d.Target)]
	if to == nil {
		return Result{Verdict: GiveUp, Reason: "no_connector"}
	}
	r, err := safely(func() (Result, error) { return to.Deliver(ctx, d), nil })
	if err != nil {
		s.met.troubles.WithLabelValues("deliver").Inc()
		s.log.ErrorContext(ctx, "deliverer broke down", "delivery", d.Public, "target", d.Target, "error", err)
		return Result{Verdict: Retry, Reason: "panic"}
	}
	switch r.Verdict {
	case OK, Retry, GiveUp:
	default:
		r.Verdict = Retry
	}
	return r
}

// tell logs an attempt's end at the level of what somebody lost by it.
func (s *Sender) tell(d Delivery, r Result, state State, at time.Time) {
	attrs := []any{
		"delivery", d.Public, "target", d.Target, "meeting", d.Meeting, "kind", d.Kind,
		"attempt", d.Attempts, "reason", r.Reason, "status", r.Status,
	}
	switch state {
	case Delivered:
		s.log.Debug("delivered", attrs...)
	case Pending:
		s.log.Info("delivery will be tried again", append(attrs, "next", at)...)
	case Failed:
		s.log.Warn("delivery failed", attrs...)
	case Expired:
		s.log.Warn("delivery came too late and is not sent any more", attrs...)
	}
}

// finish stores ended attempts, as many at a time as there are, until Run
// closes the channel. While the store refuses, it asks again: an attempt that
// is not stored would be made twice.
func (s *Sender) finish(books context.Context) {
	for first := range s.ended {
		done := append(make([]Done, 0, batch), first)
	more:
		for len(done) < batch {
			select {
			case d, ok := <-s.ended:
				if !ok {
					break more
				}
				done = append(done, d)
			default:
				break more
			}
		}
		for {
			err := s.store.Finish(books, done)
			if err == nil {
				break
			}
			s.trouble(books, "finish", err)
			pause(books, nil, s.cfg.Poll, true)
			if books.Err() != nil {
				return
			}
		}
		ids := make([]int64, len(done))
		for i, d := range done {
			ids[i] = d.Attempt.Delivery
		}
		s.letGo(ids)
		s.Wake() // there is room, and the next of each Dest may go
	}
}

// renew keeps the leases of what is held until ctx ends.
func (s *Sender) renew(ctx context.Context) {
	t := time.NewTicker(s.cfg.Lease / 3)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		ids := s.holding()
		if len(ids) == 0 {
			continue
		}
		if err := s.store.Extend(ctx, ids, s.now().Add(s.cfg.Lease)); err != nil {
			s.trouble(ctx, "lease", err)
		}
	}
}

// release ends leases without an attempt.
func (s *Sender) release(ctx context.Context, ids []int64) {
	if len(ids) == 0 {
		return
	}
	if err := s.store.Release(ctx, ids); err != nil {
		s.trouble(ctx, "lease", err) // they run out by themselves
	}
	s.letGo(ids)
}

func (s *Sender) holding() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.held))
}

func (s *Sender) letGo(ids []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		delete(s.held, id)
	}
}

// trouble logs a store that refuses, unless it was told to stop.
func (s *Sender) trouble(ctx context.Context, part string, err error) {
	if ctx.Err() != nil {
		return
	}
	s.met.troubles.WithLabelValues(part).Inc()
	s.log.ErrorContext(ctx, "the store refuses the outbox", "part", part, "error", err)
}
