package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"ringdown/outbox"
)

// of adds the conditions of a selection, but for what is too late.
func (w *where) of(sel outbox.Selection) {
	in := func(column string, words []string) {
		if len(words) > 0 {
			w.conditions = append(w.conditions, column+` in `+params(len(w.args)+1, len(words)))
			w.args = append(w.args, anys(words)...)
		}
	}
	in(`state`, words(sel.In()))
	in(`kind`, words(sel.Kinds))
	w.add(sel.Target != "", `target = $%d`, sel.Target)
	w.add(sel.Meeting != "", `meeting = $%d`, string(sel.Meeting))
	w.add(!sel.Since.IsZero(), `created_at >= $%d`, ms(sel.Since))
	w.add(!sel.Until.IsZero(), `created_at < $%d`, ms(sel.Until))
}

func words[T ~string](list []T) []string {
	s := make([]string, len(list))
	for i, v := range list {
		s[i] = string(v)
	}
	return s
}

// Match counts what a replay would send; see outbox.Store.
func (o *Outbox) Match(ctx context.Context, sel outbox.Selection, now time.Time) (m outbox.Matched, err error) {
	w := where{args: []any{ms(now)}}
	w.of(sel)
	var late *int64
	err = o.s.read.QueryRowContext(ctx,
		`select count(*), sum(case when expires_at > 0 and expires_at <= $1 then 1 else 0 end) from delivery`+w.text(), w.args...).
		Scan(&m.Count, &late)
	if err != nil {
		return m, o.s.explain(ctx, "count deliveries", err)
	}
	if late != nil {
		m.TooLate = *late
	}
	m.Count -= m.TooLate
	return m, nil
}

// Replay stores the order to send a selection again; see outbox.Store.
func (o *Outbox) Replay(ctx context.Context, sel outbox.Selection, now time.Time) (outbox.Replay, error) {
	m, err := o.Match(ctx, sel, now)
	if err != nil {
		return outbox.Replay{}, err
	}
	doc, err := json.Marshal(sel)
	if err != nil {
		return outbox.Replay{}, fmt.Errorf("store replay: %w", err)
	}
	r := outbox.Replay{Public: newID("rpl_"), Selection: sel, Matched: m.Count, CreatedAt: at(ms(now))}
	return r, o.s.change(ctx, "store replay", func(tx *sql.Tx) (bool, error) {
		_, err := exec(ctx, tx, `
insert into replay (public, selection, matched, done, at, upto, created_at, ended_at)
select $1, $2, $3, 0, 0, coalesce((select max(id) from delivery), 0), $4, 0`, r.Public, string(doc), m.Count, ms(now))
		return true, err
	})
}

// ReplayStep works replays off; see outbox.Store. Of several nodes that take the
// same step one makes it.
func (o *Outbox) ReplayStep(ctx context.Context, limit int, now time.Time) (n int, working bool, err error) {
	type order struct {
		id, at, upto int64
		selection    string
	}
	open, err := hot(ctx, o.s, func(r scanner) (j order, err error) {
		return j, r.Scan(&j.id, &j.at, &j.upto, &j.selection)
	}, `select id, at, upto, selection from replay where ended_at = 0 order by id limit 1`)
	if err != nil || len(open) == 0 {
		return 0, false, o.s.explain(ctx, "read replays", err)
	}
	j := open[0]
	var sel outbox.Selection
	if err := json.Unmarshal([]byte(j.selection), &sel); err != nil {
		return 0, false, fmt.Errorf("read replay %d: %w", j.id, err)
	}
	limit = min(limit, inOne)
	w := where{args: []any{ms(now)}, conditions: []string{`(expires_at = 0 or expires_at > $1)`}}
	w.of(sel)
	w.add(true, `id > $%d`, j.at)
	w.add(true, `id <= $%d`, j.upto)
	query, args := w.end(`select id from delivery`, `order by id`, int64(limit))
	ids, err := all(ctx, o.s.read, oneID, query, args...)
	if err != nil {
		return 0, false, o.s.explain(ctx, "look for deliveries to replay", err)
	}
	reached, ended := j.upto, ms(now)
	if len(ids) == limit {
		reached, ended = ids[len(ids)-1], 0
	}
	err = o.s.change(ctx, "replay deliveries", func(raw *sql.Tx) (bool, error) {
		tx := hotTx{raw, o.s}
		n = 0
		mine, err := exec(ctx, tx, `update replay set at = $1, ended_at = $2 where id = $3 and at = $4 and ended_at = 0`, reached, ended, j.id, j.at)
		if err != nil || mine == 0 || len(ids) == 0 {
			return false, err
		}
		if err := o.lockDestsOf(ctx, tx, ids); err != nil {
			return false, err
		}
		k, err := exec(ctx, tx, `update delivery set `+again+`, lane = 1 where state <> 'pending' and id in `+params(2, len(ids)),
			append([]any{ms(now)}, anys(ids)...)...)
		if err == nil {
			_, err = exec(ctx, tx, `update replay set done = done + $1 where id = $2`, k, j.id)
		}
		if err == nil {
			err = o.promote(ctx, tx, ids)
		}
		n = int(k)
		return true, err
	})
	if err != nil {
		return 0, false, err
	}
	return n, true, nil
}

// Replays returns the latest replays; see outbox.Store.
func (o *Outbox) Replays(ctx context.Context, limit int) ([]outbox.Replay, error) {
	list, err := all(ctx, o.s.read, func(r scanner) (j outbox.Replay, err error) {
		var doc string
		var created, ended int64
		if err := r.Scan(&j.Public, &doc, &j.Matched, &j.Done, &created, &ended); err != nil {
			return j, err
		}
		j.CreatedAt, j.EndedAt = at(created), at(ended)
		return j, json.Unmarshal([]byte(doc), &j.Selection)
	}, `select public, selection, matched, done, created_at, ended_at from replay order by id desc limit $1`, limited(limit, 200))
	return list, o.s.explain(ctx, "read replays", err)
}

// Prune removes what ended before a time; see outbox.Store.
func (o *Outbox) Prune(ctx context.Context, before time.Time, limit int) (int, error) {
	ids, err := all(ctx, o.s.read, oneID, `select id from delivery where done_at > 0 and done_at < $1 order by done_at limit $2`,
		ms(before), limited(limit, inOne))
	if err != nil || len(ids) == 0 {
		return 0, o.s.explain(ctx, "look for old deliveries", err)
	}
	var n int
	err = o.s.change(ctx, "remove old deliveries", func(tx *sql.Tx) (bool, error) {
		// Taking them first keeps a retry from reaching one whose attempts are gone.
		type old struct {
			id     int64
			target string
		}
		gone, err := all(ctx, tx, func(r scanner) (d old, err error) { return d, r.Scan(&d.id, &d.target) }, `
update delivery set done_at = 1 where done_at > 0 and done_at < $1 and id in `+params(2, len(ids))+` returning id, target`,
			append([]any{ms(before)}, anys(ids)...)...)
		if n = len(gone); err != nil || n == 0 {
			return false, err
		}
		take, targets := make([]int64, n), map[string]int64{}
		for i, d := range gone {
			take[i] = d.id
			targets[d.target]++
		}
		for _, from := range []string{`delete from attempt where delivery in `, `delete from delivery where id in `} {
			if _, err := exec(ctx, tx, from+params(1, n), anys(take)...); err != nil {
				return false, err
			}
		}
		for _, t := range sorted(targets) {
			if _, err := exec(ctx, tx, `update delivery_tally set pruned = pruned + $1 where target = $2`, targets[t], t); err != nil {
				return false, err
			}
		}
		return false, nil
	})
	return n, err
}
