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
	replays  []outbox.Replay
	reached  int64 // by the oldest open replay
	pruned   map[string]int64
	produced map[string]int64
	readOnly error // Extend and Finish return it while it is set
}

type row struct {
	outbox.Delivery
	lease time.Time
	head  bool
}

type lane struct {
	dest     string
	replayed bool
}

func (r *row) lane() lane { return lane{r.Dest, r.Replayed} }

func newMemory() *memory {
	return &memory{wakes: make(chan struct{}, 1), relayed: map[meeting.EventID]bool{}, pruned: map[string]int64{}, produced: map[string]int64{}}
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
				Target: d.Target, Dest: d.Dest, Body: d.Body, State: outbox.Pending, Next: now, ExpiresAt: d.ExpiresAt, CreatedAt: now, QueuedAt: now,
			}})
			m.produced[d.Target]++
		}
	}
	if n > 0 {
		m.wake()
	}
	return n, nil
}

// elect gives every lane with something pending a head, and moves the head to an
// older one if nobody holds it at now.
func (m *memory) elect(now time.Time) {
	oldest, heads := map[lane]*row{}, map[lane]*row{}
	for _, r := range m.rows {
		if r == nil {
			continue
		}
		r.head = r.head && r.State == outbox.Pending
		if r.State == outbox.Pending && oldest[r.lane()] == nil {
			oldest[r.lane()] = r
		}
		if r.head {
			heads[r.lane()] = r
		}
	}
	for l, r := range oldest {
		if h := heads[l]; h == nil || !h.lease.After(now) {
			if h != nil {
				h.head = false
			}
			r.head = true
		}
	}
}

func (m *memory) Claim(_ context.Context, now, until time.Time, room outbox.Room) ([]outbox.Delivery, error) {
	unlock, err := m.lock()
	defer unlock()
	if err != nil {
		return nil, err
	}
	m.elect(now)
	type what struct {
		target   string
		replayed bool
	}
	ready := map[what][]*row{}
	for _, r := range m.rows {
		if r != nil && r.head && !r.Next.After(now) && !r.lease.After(now) {
			k := what{r.Target, r.Replayed}
			ready[k] = append(ready[k], r)
		}
	}
	var due []outbox.Due
	for k, rs := range ready {
		slices.SortStableFunc(rs, func(a, b *row) int { return a.Next.Compare(b.Next) })
		due = append(due, outbox.Due{Target: k.target, Replayed: k.replayed, N: len(rs)})
	}
	var out []outbox.Delivery
	for _, d := range room.Allot(due) {
		for _, r := range ready[what{d.Target, d.Replayed}][:d.N] {
			r.lease = until
			out = append(out, r.Delivery)
		}
	}
	slices.SortFunc(out, func(a, b outbox.Delivery) int { return cmp.Compare(a.ID, b.ID) })
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
		r.Tries++
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
		if r != nil && r.State == outbox.Pending && !r.ExpiresAt.IsZero() && !r.ExpiresAt.After(now) && !r.lease.After(now) {
			r.State, r.Next, r.DoneAt = outbox.Expired, time.Time{}, now
			n++
		}
	}
	return n, nil
}

func (m *memory) NextDue(_ context.Context, now time.Time) (time.Time, error) {
	unlock, err := m.lock()
	defer unlock()
	m.elect(now)
	var due time.Time
	for _, r := range m.rows {
		if r == nil || r.State != outbox.Pending {
			continue
		}
		for _, t := range []time.Time{r.Next, r.ExpiresAt} {
			if t.After(now) && (r.head || t.Equal(r.ExpiresAt)) && (due.IsZero() || t.Before(due)) {
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
	for _, r := range m.rows {
		if r == nil {
			continue
		}
		d := r.Delivery
		if (f.State == "" || d.State == f.State) && (f.Target == "" || d.Target == f.Target) && (f.Kind == "" || d.Kind == f.Kind) &&
			(f.Meeting == "" || d.Meeting == f.Meeting) && (f.Before == 0 || d.ID < f.Before) && d.ID > f.After && !d.CreatedAt.Before(f.Since) {
			out = append(out, d)
		}
	}
	if !f.Rising {
		slices.Reverse(out)
	}
	return out[:min(len(out), cmp.Or(f.Limit, 200))], err
}

func (m *memory) Delivery(_ context.Context, public string) (outbox.Delivery, error) {
	unlock, err := m.lock()
	defer unlock()
	for _, r := range m.rows {
		if r != nil && r.Public == public {
			return r.Delivery, err
		}
	}
	return outbox.Delivery{}, cmp.Or(err, meeting.ErrNoRow)
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

func (m *memory) Requeue(_ context.Context, delivery int64, from outbox.State, now time.Time) error {
	unlock, err := m.lock()
	defer unlock()
	if err != nil {
		return err
	}
	r := m.row(delivery)
	if r == nil || r.State != from || from == outbox.Pending && r.lease.After(now) {
		return meeting.ErrNoRow
	}
	if from == outbox.Pending {
		r.Next = now
		m.wake()
		return nil
	}
	if tooLate := !r.ExpiresAt.After(now); tooLate {
		r.ExpiresAt = time.Time{}
	}
	r.Replayed = r.Replayed || r.State == outbox.Delivered
	m.again(r, now)
	m.wake()
	return nil
}

// again makes r pending.
func (m *memory) again(r *row, now time.Time) {
	r.State, r.Next, r.QueuedAt, r.Tries, r.DoneAt, r.lease = outbox.Pending, now, now, 0, time.Time{}, time.Time{}
	m.elect(now)
}

func (m *memory) Match(_ context.Context, sel outbox.Selection, now time.Time) (n outbox.Matched, err error) {
	unlock, err := m.lock()
	defer unlock()
	for _, r := range m.rows {
		if r == nil {
			continue
		}
		fresh := r.Delivery
		fresh.ExpiresAt = time.Time{}
		switch {
		case sel.Takes(r.Delivery, now):
			n.Count++
		case sel.Takes(fresh, now):
			n.TooLate++
		}
	}
	return n, err
}

func (m *memory) Replay(ctx context.Context, sel outbox.Selection, now time.Time) (outbox.Replay, error) {
	n, err := m.Match(ctx, sel, now)
	if err != nil {
		return outbox.Replay{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := outbox.Replay{Public: fmt.Sprint("rpl_", len(m.replays)+1), Selection: sel, Matched: n.Count, CreatedAt: now}
	m.replays = append(m.replays, r)
	m.wake()
	return r, nil
}

func (m *memory) ReplayStep(_ context.Context, limit int, now time.Time) (n int, working bool, err error) {
	unlock, err := m.lock()
	defer unlock()
	if err != nil {
		return 0, false, err
	}
	i := slices.IndexFunc(m.replays, func(r outbox.Replay) bool { return r.EndedAt.IsZero() })
	if i < 0 {
		return 0, false, nil
	}
	for _, r := range m.rows {
		if r != nil && r.ID > m.reached && n < limit && m.replays[i].Selection.Takes(r.Delivery, now) {
			r.Replayed = true
			m.again(r, now)
			m.reached = r.ID
			n++
		}
	}
	m.replays[i].Done += int64(n)
	if n < limit {
		m.replays[i].EndedAt, m.reached = now, 0
	}
	m.wake()
	return n, true, nil
}

func (m *memory) Replays(_ context.Context, limit int) ([]outbox.Replay, error) {
	unlock, err := m.lock()
	defer unlock()
	list := slices.Clone(m.replays)
	slices.Reverse(list)
	return list[:min(len(list), limit)], err
}

func (m *memory) Prune(_ context.Context, before time.Time, limit int) (n int, err error) {
	unlock, err := m.lock()
	defer unlock()
	for i, r := range m.rows {
		if r != nil && n < limit && err == nil && !r.DoneAt.IsZero() && r.DoneAt.Before(before) {
			m.pruned[r.Target]++
			m.rows[i] = nil
			m.attempts = slices.DeleteFunc(m.attempts, func(a outbox.Attempt) bool { return a.Delivery == r.ID })
			n++
		}
	}
	return n, err
}

func (m *memory) Counts(context.Context) (map[string]outbox.Counts, error) {
	unlock, err := m.lock()
	defer unlock()
	out := map[string]outbox.Counts{}
	for target, n := range m.produced {
		out[target] = outbox.Counts{Produced: n, Pruned: m.pruned[target]}
	}
	for _, r := range m.rows {
		if r == nil {
			continue
		}
		c := out[r.Target]
		switch r.State {
		case outbox.Pending:
			c.Pending++
		case outbox.Delivered:
			c.Delivered++
		case outbox.Failed:
			c.Failed++
		case outbox.Expired:
			c.Expired++
		}
		out[r.Target] = c
	}
	return out, err
}
