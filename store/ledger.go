package store

import (
	"context"
	"time"

	"ringdown/outbox"
)

// NextDue is when the outbox has something to do; see outbox.Store.
func (o *Outbox) NextDue(ctx context.Context, now time.Time) (time.Time, error) {
	type times struct{ due, late *int64 }
	list, err := hot(ctx, o.s, func(r scanner) (t times, err error) { return t, r.Scan(&t.due, &t.late) }, targets+`
select (
	select min((select min(d.next_at) from delivery d where d.head = true and d.target = t.target and d.lane = l.lane and d.next_at > $1))
	from t, (select 0 as lane union all select 1) l where t.target is not null
), (
	select min(expires_at) from delivery where state = 'pending' and expires_at > 0 and expires_at > $1
)`, ms(now))
	if err != nil {
		return time.Time{}, o.s.explain(ctx, "read next delivery", err)
	}
	var next int64
	for _, t := range []*int64{list[0].due, list[0].late} {
		if t != nil && (next == 0 || *t < next) {
			next = *t
		}
	}
	return at(next), nil
}

// List returns deliveries; see outbox.Store.
func (o *Outbox) List(ctx context.Context, f outbox.Filter) ([]outbox.Delivery, error) {
	var w where
	w.add(f.State != "", `state = $%d`, string(f.State))
	w.add(f.Target != "", `target = $%d`, f.Target)
	w.add(f.Kind != "", `kind = $%d`, string(f.Kind))
	w.add(f.Meeting != "", `meeting = $%d`, string(f.Meeting))
	w.add(!f.Since.IsZero(), `created_at >= $%d`, ms(f.Since))
	w.add(f.Before != 0, `id < $%d`, f.Before)
	w.add(f.After != 0, `id > $%d`, f.After)
	order := `order by id desc`
	if f.Rising {
		order = `order by id`
	}
	query, args := w.end(`select `+deliveryColumns+` from delivery`, order, limited(f.Limit, 200))
	list, err := all(ctx, o.s.read, scanDelivery, query, args...)
	return list, o.s.explain(ctx, "list deliveries", err)
}

// Delivery finds a delivery by its public id; see outbox.Store.
func (o *Outbox) Delivery(ctx context.Context, public string) (outbox.Delivery, error) {
	d, err := scanDelivery(o.s.read.QueryRowContext(ctx, `select `+deliveryColumns+` from delivery where public = $1`, public))
	return d, o.s.explain(ctx, "read delivery", err)
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

// Counts counts deliveries by target; see outbox.Store.
func (o *Outbox) Counts(ctx context.Context) (map[string]outbox.Counts, error) {
	type count struct {
		target, what string
		n            int64
	}
	// One statement: all of it is of one instant.
	list, err := all(ctx, o.s.read, func(r scanner) (c count, err error) { return c, r.Scan(&c.target, &c.what, &c.n) }, `
select target, state, count(*) from delivery group by target, state
union all select target, 'produced', produced from delivery_tally
union all select target, 'pruned', pruned from delivery_tally`)
	if err != nil {
		return nil, o.s.explain(ctx, "count deliveries", err)
	}
	counts := map[string]outbox.Counts{}
	for _, row := range list {
		c := counts[row.target]
		switch row.what {
		case "produced":
			c.Produced = row.n
		case "pruned":
			c.Pruned = row.n
		case string(outbox.Pending):
			c.Pending = row.n
		case string(outbox.Delivered):
			c.Delivered = row.n
		case string(outbox.Failed):
			c.Failed = row.n
		case string(outbox.Expired):
			c.Expired = row.n
		}
		counts[row.target] = c
	}
	return counts, nil
}
