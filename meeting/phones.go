package meeting

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"ringdown/fault"
)

const (
	phoneKeep    = 24 * time.Hour         // a phone call's row, since its last ring
	phoneBatch   = 200                    // rows in one transaction
	phoneEvery   = 50 * time.Millisecond  // between batches
	phoneWaiting = 20_000                 // rings that wait to be written, at most
	phoneAgain   = time.Second            // before a batch that failed is tried again
	phoneLast    = 5 * time.Second        // for the last batch when we stop
	phonePrune   = 10 * time.Minute       // between removals of old rows
	phonesShown  = 20                     // of one agent, or of one call
	phoneLook    = 100 * time.Millisecond // how long a look into the store may take while a phone rings
)

// Phones keeps the phone calls. A ring is remembered at once and written a moment
// later, many at a time: a desk's phone never waits for a disk. Safe for
// concurrent use.
type Phones struct {
	store PhoneStore
	now   func() time.Time
	log   *slog.Logger
	turns turns

	mu      sync.Mutex
	waiting map[PhoneCallID]PhoneCall // not written yet
	lost    int                       // for which there was no room since it was last said
	wake    chan struct{}             // one slot: something waits
}

// NewPhones makes Phones; Run writes.
func NewPhones(store PhoneStore, now func() time.Time, log *slog.Logger) *Phones {
	return &Phones{
		store: store, log: log, waiting: map[PhoneCallID]PhoneCall{}, wake: make(chan struct{}, 1), turns: newTurns(),
		now: func() time.Time { return now().UTC().Truncate(time.Millisecond) },
	}
}

// Ring notes that a phone call rings for its agent. It never waits and never
// fails; after phoneWaiting unwritten rings the row is lost, and Run says so in
// the log. RungAt and ExpiresAt are filled here. A ring of an id that is known
// rings it again.
func (p *Phones) Ring(c PhoneCall) PhoneCall {
	c = c.clone()
	c.RungAt = p.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	w, known := p.waiting[c.ID]
	if known && !c.RungAt.After(w.RungAt) { // twice within a millisecond: the last one counts
		c.RungAt = w.RungAt.Add(time.Millisecond)
	}
	c.ExpiresAt = c.RungAt.Add(phoneKeep)
	if !known && len(p.waiting) >= phoneWaiting {
		p.lost++
		return c
	}
	p.waiting[c.ID] = c
	p.nudge()
	return c
}

// ByID returns a phone call, also one that was not written yet, or a fault
// NotFound.
func (p *Phones) ByID(ctx context.Context, id PhoneCallID) (PhoneCall, error) {
	p.mu.Lock()
	w, ok := p.waiting[id] // before the look: it may be written meanwhile
	p.mu.Unlock()
	c, err := p.store.PhoneCall(ctx, id)
	switch {
	case ok && errors.Is(err, ErrNoRow):
		return w, nil
	case ok && err == nil:
		return c.Rung(w), nil
	}
	return c, phoneStored(err)
}

// Change runs a pure step on the stored phone call until it can be saved. A ring
// that waits to be written is written first.
func (p *Phones) Change(ctx context.Context, id PhoneCallID, step func(PhoneCall, time.Time) (PhoneCall, error)) (PhoneCall, error) {
	give, err := p.turns.take(ctx, string(id))
	if err != nil {
		return PhoneCall{}, err
	}
	defer give()
	if err := p.flush(ctx, id); err != nil {
		return PhoneCall{}, phoneStored(err)
	}
	for range casTries {
		c, err := p.store.PhoneCall(ctx, id)
		if err != nil {
			return c, phoneStored(err)
		}
		after, err := step(c.clone(), p.now())
		if err != nil {
			return c, err
		}
		after.Version = c.Version + 1
		err = p.store.SavePhoneCall(ctx, after)
		if err == nil {
			return after, nil
		}
		if !errors.Is(err, ErrStale) {
			return c, phoneStored(err)
		}
	}
	return PhoneCall{}, fault.New(fault.Unavailable, "too many changes at once; try again")
}

// Of returns an agent's calls that rang within the last while, newest first, at
// most 20. It is asked while a phone rings: a store that does not answer at once
// is left out.
func (p *Phones) Of(ctx context.Context, desk string, agent AgentKey, within time.Duration) []PhoneCall {
	ctx, cancel := context.WithTimeout(ctx, phoneLook)
	defer cancel()
	since := p.now().Add(-within)
	waits := p.unwritten(func(c PhoneCall) bool { return c.Desk == desk && c.Agent.Key == agent && !c.RungAt.Before(since) })
	cs, err := p.store.PhoneCallsOf(ctx, desk, agent, since, phonesShown)
	if err != nil {
		p.log.WarnContext(ctx, "an agent's phone calls cannot be read", "desk", desk, "err", err)
	}
	return p.merge(cs, waits)
}

// With returns the offers of the same call to all agents, newest ring first;
// none without a ref.
func (p *Phones) With(ctx context.Context, desk, ref string) ([]PhoneCall, error) {
	if ref == "" {
		return nil, nil
	}
	waits := p.unwritten(func(c PhoneCall) bool { return c.Desk == desk && c.Ref == ref })
	cs, err := p.store.PhoneCallsWith(ctx, desk, ref)
	if err != nil {
		return nil, phoneStored(err)
	}
	return p.merge(cs, waits), nil
}

// unwritten are the rings that wait to be written and fit. They are asked for
// before the store is: what is written in between is then there twice, not never.
func (p *Phones) unwritten(fits func(PhoneCall) bool) (waits []PhoneCall) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.waiting {
		if fits(w) {
			waits = append(waits, w)
		}
	}
	return waits
}

// merge adds what waits to be written to what the store said.
func (p *Phones) merge(cs, waits []PhoneCall) []PhoneCall {
	p.mu.Lock()
	for i, c := range cs {
		if w, ok := p.waiting[c.ID]; ok {
			cs[i] = c.Rung(w)
		}
	}
	p.mu.Unlock()
	for _, w := range waits {
		if i := slices.IndexFunc(cs, func(c PhoneCall) bool { return c.ID == w.ID }); i >= 0 {
			cs[i] = cs[i].Rung(w)
		} else {
			cs = append(cs, w)
		}
	}
	slices.SortStableFunc(cs, func(a, b PhoneCall) int { return b.RungAt.Compare(a.RungAt) })
	return cs[:min(len(cs), phonesShown)]
}

// Run writes what rang, until ctx ends and all is written.
func (p *Phones) Run(ctx context.Context) error {
	prune := time.NewTicker(phonePrune)
	defer prune.Stop()
	p.prune(ctx) // what ended while nobody ran
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), phoneLast)
			defer cancel()
			if err := p.flush(last); err != nil {
				p.log.WarnContext(last, "phone calls that rang just now are lost", "err", err)
			}
			return nil
		case <-prune.C:
			p.prune(ctx)
			continue
		case <-p.wake:
		}
		err := p.flush(ctx)
		if lost := p.told(); lost > 0 {
			p.log.ErrorContext(ctx, "phone calls are not kept: too many waited to be written", "lost", lost)
		}
		if err != nil && ctx.Err() == nil {
			p.log.WarnContext(ctx, "phone calls cannot be written; trying again", "err", err)
			p.pause(ctx, phoneAgain)
			p.nudge()
			continue
		}
		p.pause(ctx, phoneEvery) // what rings meanwhile goes out together
	}
}

// told returns how many were lost since it was last asked.
func (p *Phones) told() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	lost := p.lost
	p.lost = 0
	return lost
}

func (p *Phones) prune(ctx context.Context) {
	if _, err := p.store.PrunePhoneCalls(ctx, p.now()); err != nil && ctx.Err() == nil {
		p.log.WarnContext(ctx, "old phone calls cannot be removed", "err", err)
	}
}

func (p *Phones) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (p *Phones) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// flush writes what waits: all of it, or only these.
func (p *Phones) flush(ctx context.Context, only ...PhoneCallID) error {
	var batch []PhoneCall
	p.mu.Lock()
	if only == nil {
		batch = slices.Collect(maps.Values(p.waiting))
	}
	for _, id := range only {
		if c, ok := p.waiting[id]; ok {
			batch = append(batch, c)
		}
	}
	p.mu.Unlock()
	for part := range slices.Chunk(batch, phoneBatch) {
		if err := p.store.PutPhoneCalls(ctx, part); err != nil {
			return err
		}
		p.mu.Lock()
		for _, c := range part {
			if w, ok := p.waiting[c.ID]; ok && w.RungAt.Equal(c.RungAt) { // else it rang again meanwhile
				delete(p.waiting, c.ID)
			}
		}
		p.mu.Unlock()
	}
	return nil
}

// Rung is c after the ring w of it, if that is later.
func (c PhoneCall) Rung(w PhoneCall) PhoneCall {
	if w.RungAt.After(c.RungAt) {
		c.RungAt, c.OpenBy, c.ExpiresAt, c.Trust, c.Decision = w.RungAt, w.OpenBy, w.ExpiresAt, w.Trust, w.Decision
	}
	return c
}

func phoneStored(err error) error {
	if errors.Is(err, ErrNoRow) {
		return fault.New(fault.NotFound, "there is no such phone call, or its time is over")
	}
	return stored(err)
}
