package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"ringdown/meeting"
	"ringdown/outbox"
)

// Outbox is the store as the outbox sees it.
type Outbox struct{ s *Store }

var _ outbox.Store = (*Outbox)(nil)

// Wakes gets a value after a commit, here or on another node, that wrote events
// or deliveries. It is one channel with one slot: its one reader passes the wake
// on to everybody concerned.
func (o *Outbox) Wakes() <-chan struct{} { return o.s.wakes }

// Relay turns events into deliveries; see outbox.Store.
func (o *Outbox) Relay(ctx context.Context, limit int, now time.Time, draft func(meeting.Event) []outbox.Draft) (int, error) {
	type row struct {
		id  int64
		doc string
	}
	waiting, err := hot(ctx, o.s, func(r scanner) (e row, err error) { return e, r.Scan(&e.id, &e.doc) },
		`select id, doc from event where relayed = false order by id limit $1`, limited(limit, maxRows))
	if err != nil || len(waiting) == 0 {
		return 0, o.s.explain(ctx, "read events to relay", err)
	}
	ids := make([]int64, len(waiting))
	deliveries := map[int64][]drafted{}
	for i, w := range waiting {
		var ev meeting.Event
		if err := json.Unmarshal([]byte(w.doc), &ev); err != nil {
			return 0, fmt.Errorf("read event %d to relay: %w", w.id, err)
		}
		ids[i] = w.id
		for _, d := range draft(ev) {
			deliveries[w.id] = append(deliveries[w.id], drafted{d.Target, d.Dest, []any{
				newID("dlv_"), string(ev.ID), string(ev.Kind), string(ev.Meeting), d.Target, d.Dest, append([]byte{}, d.Body...),
				string(outbox.Pending), "", int64(0), ms(now), ms(d.ExpiresAt), ms(now), ms(now), int64(0), int64(0), "",
			}})
		}
	}

	var relayed int
	err = o.s.change(ctx, "relay events", func(raw *sql.Tx) (bool, error) {
		tx := hotTx{raw, o.s}
		// One process at a time: the ids of deliveries then rise in the order of
		// their commits, and no later one of a dest is seen before an earlier one.
		if _, err := exec(ctx, tx, `update relay_turn set turn = turn + 1`); err != nil {
			return false, err
		}
		mine, err := all(ctx, tx, func(r scanner) (id int64, err error) { return id, r.Scan(&id) },
			`update event set relayed = true where relayed = false and id in `+params(1, len(ids))+` returning id`, anys(ids)...)
		if err != nil {
			return false, err
		}
		slices.Sort(mine)
		var list []drafted
		for _, id := range mine {
			list = append(list, deliveries[id]...)
		}
		relayed = len(mine)
		return len(list) > 0, o.add(ctx, tx, list)
	})
	if err != nil {
		return 0, err
	}
	return relayed, nil
}

// drafted is a delivery to be written: the values of its row but for head.
type drafted struct {
	target, dest string
	row          []any
}

// add writes new deliveries. The first one of a dest that has none pending is
// its head.
func (o *Outbox) add(ctx context.Context, tx hotTx, list []drafted) error {
	if len(list) == 0 {
		return nil
	}
	targets, waits := map[string]int64{}, map[string]bool{}
	for _, d := range list {
		targets[d.target]++
		waits[d.dest] = false
	}
	if err := o.lockDests(ctx, tx, sorted(waits)); err != nil {
		return err
	}
	for dests := range slices.Chunk(sorted(waits), inOne) {
		busy, err := all(ctx, tx, func(r scanner) (dest string, err error) { return dest, r.Scan(&dest) },
			`with d (dest) as (values `+tuples(len(dests))+`)
select dest from d where (select min(p.id) from delivery p where p.dest = d.dest and p.lane = 0 and p.state = 'pending') is not null`, anys(dests)...)
		if err != nil {
			return err
		}
		for _, dest := range busy {
			waits[dest] = true
		}
	}
	rows := make([][]any, len(list))
	for i, d := range list {
		rows[i] = append(d.row, !waits[d.dest])
		waits[d.dest] = true
	}
	if _, err := insert(ctx, tx, `
insert into delivery (public, event, kind, meeting, target, dest, body, state, reason, attempts, next_at, expires_at,
	created_at, queued_at, done_at, lease_until, lease_by, head)`, ``, rows); err != nil {
		return err
	}
	var tally [][]any
	for _, t := range sorted(targets) {
		tally = append(tally, []any{t, targets[t], int64(0)})
	}
	_, err := insert(ctx, tx, `insert into delivery_tally (target, produced, pruned)`,
		`on conflict (target) do update set produced = delivery_tally.produced + excluded.produced`, tally)
	return err
}

// Extend moves leases; see outbox.Store. A lease that ran out and that another
// node took is left alone.
func (o *Outbox) Extend(ctx context.Context, ids []int64, until time.Time) error {
	return o.lease(ctx, "extend leases", ids, `lease_until = $1`, ms(until), false)
}

// Release ends leases; see outbox.Store. A lease of another node is left alone.
func (o *Outbox) Release(ctx context.Context, ids []int64) error {
	return o.lease(ctx, "release leases", ids, `lease_until = $1, lease_by = ''`, 0, true)
}

func (o *Outbox) lease(ctx context.Context, what string, ids []int64, set string, until int64, news bool) error {
	if len(ids) == 0 {
		return nil
	}
	args := append([]any{until, o.s.node}, anys(slices.Sorted(slices.Values(ids)))...)
	return o.s.change(ctx, what, func(tx *sql.Tx) (bool, error) {
		n, err := exec(ctx, tx, `update delivery set `+set+` where state = 'pending' and lease_by = $2 and id in `+params(3, len(ids)), args...)
		return news && n > 0, err
	})
}

// Finish stores ended attempts; see outbox.Store. Attempts are numbered here, in
// the order in which they are stored. When the lease ran out and another node
// has the delivery, the attempt is kept, but only a delivered one still decides
// about the delivery.
func (o *Outbox) Finish(ctx context.Context, done []outbox.Done) error {
	if len(done) == 0 {
		return nil
	}
	// Everybody takes rows in the same order, or two nodes would wait for each other.
	done = slices.SortedStableFunc(slices.Values(done), func(a, b outbox.Done) int {
		return cmp.Compare(a.Attempt.Delivery, b.Attempt.Delivery)
	})
	ids, retries := make([]int64, len(done)), false
	for i, d := range done {
		ids[i] = d.Attempt.Delivery
		retries = retries || d.State == outbox.Pending
	}
	return o.s.change(ctx, "finish attempts", func(raw *sql.Tx) (bool, error) {
		tx := hotTx{raw, o.s}
		if err := o.lockDestsOf(ctx, tx, ids); err != nil {
			return false, err
		}
		var attempts [][]any
		for _, d := range done {
			n, err := o.settle(ctx, tx, d)
			if err != nil {
				return false, err
			}
			if n > 0 {
				a := d.Attempt
				attempts = append(attempts, []any{
					a.Delivery, n, ms(a.At), a.Took.Microseconds(), string(a.Verdict), a.Reason, int64(a.Status),
				})
			}
		}
		if retries { // an older one may have been queued again meanwhile
			if err := o.demote(ctx, tx, ids, 0); err != nil {
				return false, err
			}
		}
		if err := o.promote(ctx, tx, ids); err != nil {
			return false, err
		}
		_, err := insert(ctx, tx, `insert into attempt (delivery, n, at, took_us, verdict, reason, status)`, ``, attempts)
		return true, err
	})
}

// settle writes what an attempt means for its delivery and returns the
// attempt's number, 0 if there is no such delivery.
func (o *Outbox) settle(ctx context.Context, tx hotTx, d outbox.Done) (int64, error) {
	var next, end int64
	set := `head = false`
	if d.State == outbox.Pending {
		next, set = ms(d.Next), `head = head`
	} else {
		end = ms(d.Attempt.At.Add(d.Attempt.Took))
	}
	id := d.Attempt.Delivery
	full := `update delivery set attempts = attempts + 1, tries = tries + 1, state = $1, reason = $2, next_at = $3, done_at = $4,
	lease_until = 0, lease_by = '', ` + set + `
where id = $5 and `
	args := []any{string(d.State), d.Attempt.Reason, next, end, id}

	n, err := number(ctx, tx, full+`state = 'pending' and lease_by = $6 returning attempts`, append(args, o.s.node)...)
	if n > 0 || err != nil {
		return n, err
	}
	if d.State == outbox.Delivered {
		n, err = number(ctx, tx, full+`state <> 'delivered' returning attempts`, args...)
		if n > 0 || err != nil {
			return n, err
		}
	}
	return number(ctx, tx, `update delivery set attempts = attempts + 1 where id = $1 returning attempts`, id)
}

// number returns the only number of the only row, 0 if there is none.
func number(ctx context.Context, tx querier, query string, args ...any) (int64, error) {
	list, err := all(ctx, tx, func(r scanner) (n int64, err error) { return n, r.Scan(&n) }, query, args...)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[0], nil
}
