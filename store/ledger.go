package store

import (
	"context"
	"time"

	"ringdown/outbox"
)

// NextDue is when the outbox has something to do; see outbox.Store. What waits
// behind an older delivery of its dest, or is held by a lease, does not count
// before that ends.
func (o *Outbox) NextDue(ctx context.Context) (time.Time, error) {
	times, err := all(ctx, o.s.read, func(r scanner) (t *int64, err error) { return t, r.Scan(&t) }, `
select min(case when d.next_at > head.lease then d.next_at else head.lease end)
from (select min(id) as id, max(lease_until) as lease from delivery where state = 'pending' group by dest) head
join delivery d on d.id = head.id
union all
select min(case when expires_at > lease_until then expires_at else lease_until end)
from delivery where state = 'pending' and expires_at > 0`)
	if err != nil {
		return time.Time{}, o.s.explain(ctx, "read next delivery", err)
	}
	var first int64
	for _, t := range times {
		if t != nil && (first == 0 || *t < first) {
			first = *t
		}
	}
	return at(first), nil
}

// List returns deliveries, newest first; see outbox.Store.
func (o *Outbox) List(ctx context.Context, f outbox.Filter) ([]outbox.Delivery, error) {
	var w where
	w.add(f.State != "", `state = $%d`, string(f.State))
	w.add(f.Target != "", `target = $%d`, f.Target)
	w.add(f.Meeting != "", `meeting = $%d`, string(f.Meeting))
	w.add(f.Before != 0, `id < $%d`, f.Before)
	query, args := w.end(`select `+deliveryColumns+` from delivery`, `order by id desc`, limited(f.Limit, 200))
	list, err := all(ctx, o.s.read, scanDelivery, query, args...)
	return list, o.s.explain(ctx, "list deliveries", err)
}

// Attempts returns the attempts of a delivery, the first one first.
func (o *Outbox) Attempts(ctx context.Context, delivery int64) ([]outbox.Attempt, error) {
	list, err := all(ctx, o.s.read, func(r scanner) (a outbox.Attempt, err error) {
		var when, took int64
		err = r.Scan(&a.Delivery, &a.N, &when, &took, &a.Verdict, &a.Reason, &a.Status)
		a.At, a.Took = at(when), time.Duration(took)*time.Microsecond
		return a, err
	}, `select delivery, n, at, took_us, verdict, reason, status from attempt where delivery = $1 order by id`, delivery)
	return list, o.s.explain(ctx, "read attempts", err)
}

// Counts counts deliveries by target and state.
func (o *Outbox) Counts(ctx context.Context) (map[string]map[outbox.State]int64, error) {
	type count struct {
		target string
		state  outbox.State
		n      int64
	}
	list, err := all(ctx, o.s.read, func(r scanner) (c count, err error) { return c, r.Scan(&c.target, &c.state, &c.n) },
		`select target, state, count(*) from delivery group by target, state`)
	if err != nil {
		return nil, o.s.explain(ctx, "count deliveries", err)
	}
	counts := map[string]map[outbox.State]int64{}
	for _, c := range list {
		if counts[c.target] == nil {
			counts[c.target] = map[outbox.State]int64{}
		}
		counts[c.target][c.state] = c.n
	}
	return counts, nil
}
