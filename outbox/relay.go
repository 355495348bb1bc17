package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"ringdown/meeting"
)

const relayBatch = 100

// Relay turns events into deliveries.
type Relay struct {
	store       Store
	translators []Translator
	now         func() time.Time
	log         *slog.Logger
	met         *metrics
	poll        time.Duration
	wake        chan struct{}
}

// newRelay makes a Relay; see New.
func newRelay(store Store, translators []Translator, cfg Config, now func() time.Time, log *slog.Logger, met *metrics) *Relay {
	return &Relay{store: store, translators: translators, now: now, log: log, met: met, poll: cfg.withDefaults().Poll, wake: make(chan struct{}, 1)}
}

// Wake makes Run look for events now. It never blocks.
func (r *Relay) Wake() { nudge(r.wake) }

// Run relays events until ctx ends.
func (r *Relay) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		n, err := r.store.Relay(ctx, relayBatch, r.now(), r.draft)
		r.met.relayed.Add(float64(n))
		if err != nil && ctx.Err() == nil {
			r.met.troubles.WithLabelValues("relay").Inc()
			r.log.ErrorContext(ctx, "events cannot be relayed", "error", err)
		}
		if err == nil && n > 0 {
			continue // there may be more
		}
		pause(ctx, r.wake, r.poll, err != nil)
	}
	return nil
}

// draft asks every translator. What one of them does wrong costs its own
// deliveries for this event and nothing else.
func (r *Relay) draft(ev meeting.Event) []Draft {
	var all []Draft
	for _, t := range r.translators {
		drafts, err := safely(func() ([]Draft, error) { return t.Draft(ev) })
		for _, d := range drafts {
			if d.Target == "" || d.Dest == "" || len(d.Body) == 0 {
				err = errors.Join(err, errors.New("a draft without target, dest or body"))
				continue
			}
			all = append(all, d)
		}
		if err != nil {
			r.met.troubles.WithLabelValues("draft").Inc()
			r.log.Error("event cannot be translated", "event", ev.ID, "kind", ev.Kind, "meeting", ev.Meeting,
				"translator", fmt.Sprintf("%T", t), "error", err)
		}
	}
	return all
}

// panicked is a panic of a part that is not ours, as an error.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

// safely runs f and returns its panic as an error.
func safely[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{p, debug.Stack()}
		}
	}()
	return f()
}

// nudge fills a one-slot channel.
func nudge(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// pause waits for d, ctx's end or, unless something is broken, a wake.
func pause(ctx context.Context, wake <-chan struct{}, d time.Duration, broken bool) {
	if broken {
		wake = nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
	case <-t.C:
	}
}
