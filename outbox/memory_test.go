package outbox_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"ringdown/meeting"
	"ringdown/outbox"
)

// memory is an outbox.Store for tests with fake time, which a database driver
// cannot live in. The stores' own suite checks it, see store_test.go.
type memory struct {
	mu       sync.Mutex
	wakes    chan struct{}
	events   []meeting.Event
	relayed  map[meeting.EventID]bool
	rows     []*row // by id
	attempts []outbox.Attempt
	fault    error // every call returns it while it is set
	finishes []int // sizes of the batches
	readOnly error // Extend and Finish return it while it is set
}

type row struct {
	outbox.Delivery
	lease time.Time
}

func newMemory() *memory {
	return &memory{wakes: make(chan struct{}, 1), relayed: map[meeting.EventID]bool{}}
}

// add is what a meeting's store does when it saves a change.
func (m *memory) add(evs ...meeting.Event) {
	m.mu.Lock()
	m.events = append(m.events, evs...)
	m.mu.Unlock()
	m.wake()
}

func (m *memory) wake() {
	select {
	case m.wakes <- struct{}{}:
	default:
	}
}

func (m *memory) setFault(err error) { m.mu.Lock(); defer m.mu.Unlock(); m.fault = err }

func (m *memory) lock() (func(), error) { m.mu.Lock(); return m.mu.Unlock, m.fault }

func (m *memory) Wakes() <-chan struct{} { return m.wakes }

func (m *memory) Relay(_ context.Context, limit int, now time.Time, draft func(meeting.Event) []outbox.Draft) (int, error) {
	m.mu.Lock()
	if m.fault != nil {
		defer m.mu.Unlock()
		return 0, m.fault
	}
	var evs []meeting.Event
	for _, ev := range m.events {
		if !m.relayed[ev.ID] && len(evs) < limit {
			evs = append(evs, ev)
		}
	}
	m.mu.Unlock()
	drafts := make([][]outbox.Draft, len(evs))
	for i, ev := range evs {
		drafts[i] = draft(ev)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for i, ev := range evs {
		if m.relayed[ev.ID] {
			continue
		}
		m.relayed[ev.ID] = true
		n++
		for _, d := range drafts[i] {
			id := int64(len(m.rows) + 1)
			m.rows = append(m.rows, &row{Delivery: outbox.Delivery{
				ID: id, Public: fmt.Sprintf("dlv_%d", id), Event: ev.ID, Kind: ev.Kind, Meeting: ev.Meeting,
				Target: d.Target, Dest: d.Dest, Body: d.Body, State: outbox.Pending, Next: now, ExpiresAt: d.ExpiresAt, CreatedAt: now,
			}})
		}
	}
	if n > 0 {
		m.wake()
	}
	return n, nil
}

// heads returns of every Dest the oldest pending row.
func (m *memory) heads() []*row {
	var hs []*row
	seen := map[string]bool{}
	for _, r := range m.rows {
		if r.State == outbox.Pending && !seen[r.Dest] {
			seen[r.Dest] = true
			hs = append(hs, r)
		}
	}
	return hs
}

func (m *memory) Claim(_ context.Context, now, until time.Time, limit int) ([]outbox.Delivery, error) {
	unlock, err := m.lock()
	defer unlock()
	if err != nil {
		return nil, err
	}
	var out []outbox.Delivery
	for _, r := range m.heads() {
		if len(out) < limit && !r.Next.After(now) && !r.lease.After(now) {
			r.lease = until
			out = append(out, r.Delivery)
		}
	}
	return out, nil
}

func (m *memory) row(id int64) *row {
	if id < 1 || id > int64(len(m.rows)) {
		return nil
	}
	return m.rows[id-1]
}

func (m *memory) Extend(_ context.Context, ids []int64, until time.Time) error {
	unlock, err := m.lock()
	defer unlock()
	err = cmp.Or(err, m.readOnly)
	for _, id := range ids {
		if r := m.row(id); r != nil && err == nil {
			r.lease = until
		}
	}
	return err
}

func (m *memory) Release(_ context.Context, ids []int64) error {
	unlock, err := m.lock()
	defer unlock()
	for _, id := range ids {
		if r := m.row(id); r != nil && err == nil {
			r.lease = time.Time{}
		}
	}
	return err
}

func (m *memory) Finish(_ context.Context, done []outbox.Done) error {
	unlock, err := m.lock()
	defer unlock()
	if err = cmp.Or(err, m.readOnly); err != nil {
		return err
	}
	m.finishes = append(m.finishes, len(done))
	for _, d := range done {
		m.attempts = append(m.attempts, d.Attempt)
		r := m.row(d.Attempt.Delivery)
		r.Attempts, r.Reason, r.State, r.Next, r.lease = d.Attempt.N, d.Attempt.Reason, d.State, d.Next, time.Time{}
		if d.State != outbox.Pending {
			r.DoneAt = d.Attempt.At.Add(d.Attempt.Took)
		}
	}
	return nil
}

func (m *memory) Expire(_ context.Context, now time.Time) (int64, error) {
	unlock, err := m.lock()
	defer unlock()
	if err != nil {
		return 0, err
	}
	var n int64
	for _, r := range m.rows {
		if r.State == outbox.Pending && !r.ExpiresAt.IsZero() && !r.ExpiresAt.After(now) && !r.lease.After(now) {
			r.State, r.Next, r.DoneAt = outbox.Expired, time.Time{}, now
			n++
		}
	}
	return n, nil
}

func (m *memory) NextDue(context.Context) (time.Time, error) {
	unlock, err := m.lock()
	defer unlock()
	var due time.Time
	for _, r := range m.heads() {
		for _, t := range []time.Time{r.Next, r.ExpiresAt} {
			if !t.IsZero() && (due.IsZero() || t.Before(due)) {
				due = t
			}
		}
	}
	return due, err
}

func (m *memory) List(_ context.Context, f outbox.Filter) ([]outbox.Delivery, error) {
	unlock, err := m.lock()
	defer unlock()
	var out []outbox.Delivery
	for _, r := range slices.Backward(m.rows) {
		d := r.Delivery
		if (f.State == "" || d.State == f.State) && (f.Target == "" || d.Target == f.Target) &&
			(f.Meeting == "" || d.Meeting == f.Meeting) && (f.Before == 0 || d.ID < f.Before) && len(out) < cmp.Or(f.Limit, 200) {
			out = append(out, d)
		}
	}
	return out, err
}

func (m *memory) Attempts(_ context.Context, delivery int64) ([]outbox.Attempt, error) {
	unlock, err := m.lock()
	defer unlock()
	var out []outbox.Attempt
	for _, a := range m.attempts {
		if a.Delivery == delivery {
			out = append(out, a)
		}
	}
	return out, err
}

func (m *memory) Requeue(_ context.Context, delivery int64, now time.Time) error {
	unlock, err := m.lock()
	defer unlock()
	if err != nil {
		return err
	}
	r := m.row(delivery)
	if r == nil || r.State != outbox.Failed && r.State != outbox.Expired {
		return meeting.ErrNoRow
	}
	r.State, r.Next, r.DoneAt = outbox.Pending, now, time.Time{}
	m.wake()
	return nil
}

func (m *memory) Counts(context.Context) (map[string]map[outbox.State]int64, error) {
	unlock, err := m.lock()
	defer unlock()
	out := map[string]map[outbox.State]int64{}
	for _, r := range m.rows {
		if out[r.Target] == nil {
			out[r.Target] = map[outbox.State]int64{}
		}
		out[r.Target][r.State]++
	}
	return out, err
}
