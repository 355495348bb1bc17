package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"ringdown/meeting"
)

func dispatchRow(d meeting.Dispatch) ([]any, error) {
	doc, err := json.Marshal(d)
	return []any{string(d.ID), string(d.Meeting), string(d.By), d.To, string(d.State), ms(d.CreatedAt), string(doc)}, err
}

const putDispatch = `
insert into dispatch (id, meeting, agent, address, state, created_at, doc) values ($1, $2, $3, $4, $5, $6, $7)
on conflict (id) do update set state = excluded.state, doc = excluded.doc`

// within gives a meeting.OverLimitError if the limit allows no more. Those who send for
// one agent, or to one address, wait for each other.
func (s *Store) within(ctx context.Context, tx *sql.Tx, l meeting.DispatchLimit) error {
	for _, one := range []struct {
		column, value string
		most          int
	}{{"agent", string(l.By), l.PerAgent}, {"address", l.To, l.PerAddress}} {
		if one.value == "" || one.most == 0 {
			continue
		}
		if s.sql.lockWord != "" {
			if _, err := tx.ExecContext(ctx, s.sql.lockWord, one.column+" "+one.value); err != nil {
				return err
			}
		}
		var n int
		var first int64
		if err := tx.QueryRowContext(ctx, `select count(*), coalesce(min(created_at), 0) from dispatch where `+one.column+` = $1 and created_at >= $2`,
			one.value, ms(l.Since)).Scan(&n, &first); err != nil {
			return err
		}
		if n >= one.most {
			return meeting.OverLimitError{Address: one.column == "address", N: n, First: at(first)}
		}
	}
	return nil
}

// Dispatch finds a dispatch; see meeting.Store.
func (v *Meetings) Dispatch(ctx context.Context, id meeting.DispatchID) (meeting.Dispatch, error) {
	d, err := scanDoc[meeting.Dispatch](v.s.read.QueryRowContext(ctx, `select doc from dispatch where id = $1`, string(id)))
	return d, v.s.explain(ctx, "read dispatch", err)
}

// Dispatches returns those of a meeting; see meeting.Store.
func (v *Meetings) Dispatches(ctx context.Context, id meeting.ID) ([]meeting.Dispatch, error) {
	list, err := all(ctx, v.s.read, scanDoc[meeting.Dispatch], `select doc from dispatch where meeting = $1 order by id limit $2`, string(id), int64(maxRows))
	return list, v.s.explain(ctx, "list dispatches", err)
}

// CountDispatches counts dispatches; see meeting.Store.
func (v *Meetings) CountDispatches(ctx context.Context, f meeting.DispatchFilter) (n int, first time.Time, err error) {
	var w where
	w.add(f.By != "", `agent = $%d`, string(f.By))
	w.add(f.To != "", `address = $%d`, f.To)
	w.add(f.Meeting != "", `meeting = $%d`, string(f.Meeting))
	w.add(!f.Since.IsZero(), `created_at >= $%d`, ms(f.Since))
	query, args := w.end(`select count(*), coalesce(min(created_at), 0) from dispatch`, ``, maxRows)
	var from int64
	err = v.s.read.QueryRowContext(ctx, query, args...).Scan(&n, &from)
	return n, at(from), v.s.explain(ctx, "count dispatches", err)
}
