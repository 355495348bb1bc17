package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"ringdown/meeting"
	"ringdown/outbox"
)

// The head of a dest and lane is its oldest pending delivery; only heads are
// sent. Whoever adds, ends or queues again moves heads in the same transaction,
// and holds the locks of the dests while he does: between two who look at one
// dest at the same time it would be left without a head.

// inOne is how many rows or dests one statement names.
const inOne = 200

// The lanes of a dest.
const (
	laneLive   = 0
	laneReplay = 1
)

const deliveryColumns = `id, public, event, kind, meeting, target, dest, body, state, reason, attempts, tries, lane, next_at, expires_at, created_at, queued_at, done_at`

func scanDelivery(r scanner) (d outbox.Delivery, err error) {
	var lane, next, expires, created, queued, done int64
	err = r.Scan(&d.ID, &d.Public, &d.Event, &d.Kind, &d.Meeting, &d.Target, &d.Dest, &d.Body, &d.State, &d.Reason, &d.Attempts, &d.Tries,
		&lane, &next, &expires, &created, &queued, &done)
	d.Replayed = lane == laneReplay
	d.Next, d.ExpiresAt, d.CreatedAt, d.QueuedAt, d.DoneAt = at(next), at(expires), at(created), at(queued), at(done)
	return d, err
}

// lockDests makes everybody else who would move heads of these dests wait for
// the transaction's end. SQLite has one writer.
func (o *Outbox) lockDests(ctx context.Context, tx hotTx, dests []string) error {
	if o.s.sql.lockDests == "" {
		return nil
	}
	query, args := fmt.Sprintf(o.s.sql.lockDests, tuples(len(dests))), anys(dests)
	if len(dests) > inOne { // in two steps they would be taken out of order
		query, args = o.s.sql.lockAll, nil
	}
	_, err := tx.ExecContext(ctx, query, args...)
	return err
}

// lockDestsOf is lockDests for the dests of deliveries.
func (o *Outbox) lockDestsOf(ctx context.Context, tx hotTx, ids []int64) error {
	if o.s.sql.lockDestsOf == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf(o.s.sql.lockDestsOf, params(1, len(ids))), anys(ids)...)
	return err
}

// promote gives the dests and lanes of these deliveries a head where they have
// none and something is pending.
func (o *Outbox) promote(ctx context.Context, tx hotTx, ids []int64) error {
	_, err := exec(ctx, tx, `
update delivery set head = true
where head = false and state = 'pending' and id in (
	select (select n.id from delivery n where n.dest = f.dest and n.lane = f.lane and n.state = 'pending' order by n.id limit 1)
	from delivery f where f.id in `+params(1, len(ids))+`)
and not exists (
	select 1 from delivery h where h.dest = delivery.dest and h.lane = delivery.lane and h.head = true)`, anys(ids)...)
	return err
}

// demote takes the head of the dests and lanes of these deliveries back where an
// older one is pending and nobody holds the head at now.
func (o *Outbox) demote(ctx context.Context, tx hotTx, ids []int64, now int64) error {
	_, err := exec(ctx, tx, `
update delivery set head = false
where head = true and lease_until <= $1 and id in (
	select h.id from delivery f join delivery h on h.dest = f.dest and h.lane = f.lane and h.head = true
	where f.id in `+params(2, len(ids))+`
	and exists (select 1 from delivery n where n.dest = h.dest and n.lane = h.lane and n.state = 'pending' and n.id < h.id))`,
		append([]any{now}, anys(ids)...)...)
	return err
}

// targets are the targets that have heads, found by skipping from one to the
// next in their index.
const targets = `
with recursive t (target) as (
	select min(target) from delivery where head = true
	union all
	select (select min(d.target) from delivery d where d.head = true and d.target > t.target) from t where t.target is not null
)`

// Claim leases heads; see outbox.Store. It takes of each target what there is
// room for.
func (o *Outbox) Claim(ctx context.Context, now, until time.Time, room outbox.Room) ([]outbox.Delivery, error) {
	due, err := hot(ctx, o.s, func(r scanner) (d outbox.Due, err error) {
		var lane int64
		err = r.Scan(&d.Target, &lane, &d.N)
		d.Replayed = lane == laneReplay
		return d, err
	}, targets+`
select t.target, l.lane, (
	select count(*) from (
		select 1 from delivery d
		where d.head = true and d.target = t.target and d.lane = l.lane and d.next_at <= $1 and d.lease_until <= $1 limit $2) due)
from t, (select 0 as lane union all select 1) l
where t.target is not null`, ms(now), int64(room.Target))
	if err != nil {
		return nil, o.s.explain(ctx, "look for deliveries", err)
	}
	due = room.Allot(due)
	if len(due) == 0 {
		return nil, nil
	}

	args := []any{ms(until), o.s.node, ms(now)}
	parts := make([]string, len(due))
	for i, d := range due {
		lane := laneLive
		if d.Replayed {
			lane = laneReplay
		}
		n := len(args)
		parts[i] = fmt.Sprintf(`
	select id from (
		select id from delivery
		where head = true and target = $%d and lane = %d and next_at <= $3 and lease_until <= $3
		order by next_at, id limit $%d%s) h%d`, n+1, lane, n+2, o.s.sql.skipLocked, i)
		args = append(args, d.Target, int64(d.N))
	}
	var got []outbox.Delivery
	err = o.s.change(ctx, "claim deliveries", func(raw *sql.Tx) (_ bool, err error) {
		tx := hotTx{raw, o.s}
		got, err = all(ctx, tx, scanDelivery, `
update delivery set lease_until = $1, lease_by = $2
where `+fmt.Sprintf(o.s.sql.idAmong, strings.Join(parts, "\n\tunion all"))+`
returning `+deliveryColumns, args...)
		return false, err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(got, func(a, b outbox.Delivery) int { return cmp.Compare(a.ID, b.ID) })
	return got, nil
}

// Expire ends deliveries that are too late; see outbox.Store.
func (o *Outbox) Expire(ctx context.Context, now time.Time) (int64, error) {
	const late = `state = 'pending' and expires_at > 0 and expires_at <= $1 and lease_until <= $1`
	var n int64
	for {
		ids, err := hot(ctx, o.s, oneID, `select id from delivery where `+late+` order by expires_at, id limit $2`, ms(now), int64(inOne))
		if err != nil {
			return n, o.s.explain(ctx, "look for late deliveries", err)
		}
		if len(ids) == 0 {
			return n, nil
		}
		var ended int64
		err = o.s.change(ctx, "expire deliveries", func(raw *sql.Tx) (_ bool, err error) {
			tx := hotTx{raw, o.s}
			if err := o.lockDestsOf(ctx, tx, ids); err != nil {
				return false, err
			}
			ended, err = exec(ctx, tx, `
update delivery set state = 'expired', head = false, next_at = 0, done_at = $1, lease_until = 0, lease_by = ''
where `+late+` and id in `+params(2, len(ids)), append([]any{ms(now)}, anys(ids)...)...)
			if err != nil {
				return false, err
			}
			return ended > 0, o.promote(ctx, tx, ids) // what waited behind them may go
		})
		if err != nil {
			return n, err
		}
		n += ended
		if ended == 0 || len(ids) < inOne {
			return n, nil
		}
	}
}

func oneID(r scanner) (id int64, err error) { return id, r.Scan(&id) }

// Requeue makes a delivery pending again; see outbox.Store.
func (o *Outbox) Requeue(ctx context.Context, delivery int64, from outbox.State, now time.Time) error {
	ids := []int64{delivery}
	return o.s.change(ctx, "requeue delivery", func(raw *sql.Tx) (bool, error) {
		tx := hotTx{raw, o.s}
		if err := o.lockDestsOf(ctx, tx, ids); err != nil {
			return false, err
		}
		if from == outbox.Pending {
			n, err := exec(ctx, tx, `update delivery set next_at = $1 where id = $2 and state = 'pending' and lease_until <= $1`, ms(now), delivery)
			if err == nil && n == 0 {
				err = meeting.ErrNoRow
			}
			return true, err
		}
		n, err := exec(ctx, tx, `update delivery set `+again+`, lane = case when state = 'delivered' then 1 else lane end,
	expires_at = case when expires_at <= $1 then 0 else expires_at end
where id = $2 and state = $3 and state <> 'pending'`, ms(now), delivery, string(from))
		if err == nil && n == 0 {
			err = meeting.ErrNoRow
		}
		if err == nil {
			err = o.demote(ctx, tx, ids, ms(now))
		}
		if err == nil {
			err = o.promote(ctx, tx, ids)
		}
		return true, err
	})
}

// again makes a delivery pending at $1, with the whole schedule before it.
const again = `state = 'pending', next_at = $1, queued_at = $1, tries = 0, done_at = 0, lease_until = 0, lease_by = ''`
