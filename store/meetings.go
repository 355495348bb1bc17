package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"ringdown/meeting"
)

// Meetings is the store as the meetings see it.
type Meetings struct{ s *Store }

var (
	_ meeting.Store = (*Meetings)(nil)
	_ meeting.Feed  = (*Meetings)(nil)
)

// Tell has f called for other nodes' changes; see meeting.Feed.
func (v *Meetings) Tell(f func(meeting.ID)) { v.s.tell.Store(&f) }

// Create inserts a new meeting; see meeting.Store.
func (v *Meetings) Create(ctx context.Context, c meeting.Change) error {
	r, err := encode(c)
	if err != nil {
		return err
	}
	m := c.Meeting
	return v.s.changeOf(ctx, "create meeting", m.ID, func(tx *sql.Tx) (bool, error) {
		n, err := exec(ctx, tx, `
insert into meeting (id, code, version, seq, state, queue, due_at, created_at, doc)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict do nothing`,
			string(m.ID), string(m.Code), m.Version, m.Seq, string(m.State), m.Queue, ms(m.Due), ms(m.CreatedAt), r.doc)
		if err != nil {
			return false, err
		}
		if n == 0 {
			return false, meeting.ErrTaken
		}
		return len(r.events) > 0, r.write(ctx, tx)
	})
}

// Save replaces a meeting; see meeting.Store.
func (v *Meetings) Save(ctx context.Context, c meeting.Change) error {
	r, err := encode(c)
	if err != nil {
		return err
	}
	m := c.Meeting
	return v.s.changeOf(ctx, "save meeting", m.ID, func(tx *sql.Tx) (bool, error) {
		n, err := exec(ctx, tx, `
update meeting set version = $1, seq = $2, state = $3, queue = $4, due_at = $5, doc = $6
where id = $7 and version = $8`,
			m.Version, m.Seq, string(m.State), m.Queue, ms(m.Due), r.doc, string(m.ID), m.Version-1)
		if err != nil {
			return false, err
		}
		if n == 0 {
			return false, meeting.ErrStale
		}
		if c.Limit != nil {
			if err := v.s.within(ctx, tx, *c.Limit); err != nil {
				return false, err
			}
		}
		return len(r.events) > 0, r.write(ctx, tx)
	})
}

// rows are a change as it is stored. They are made before the transaction:
// nothing is encoded while the only writer waits.
type rows struct {
	doc                                        string
	invitations, messages, notes, refs, events [][]any
	dispatches                                 [][]any
	key                                        []any // or nil
}

func encode(c meeting.Change) (rows, error) {
	var r rows
	doc, err := json.Marshal(c.Meeting)
	if err != nil {
		return r, err
	}
	r.doc = string(doc)
	for _, i := range c.Invitations {
		r.invitations = append(r.invitations, []any{
			string(i.ID), string(i.Meeting), string(i.Role), string(i.Participant), int64(i.Generation),
			ms(i.CreatedAt), ms(i.ExpiresAt), ms(i.RevokedAt), ms(i.OpenedAt),
		})
	}
	for _, m := range c.Messages {
		if doc, err = json.Marshal(m); err != nil {
			return r, err
		}
		r.messages = append(r.messages, []any{string(m.ID), string(m.Meeting), m.Seq, m.Key, string(doc)})
	}
	for _, d := range c.Dispatches {
		one, err := dispatchRow(d)
		if err != nil {
			return r, err
		}
		r.dispatches = append(r.dispatches, one)
	}
	for _, n := range c.Notes {
		r.notes = append(r.notes, []any{string(c.Meeting.ID), string(n.Author), n.Name, n.Text, ms(n.At)})
	}
	// Two changes that bring the same refs take them in the same order, or they
	// would wait for each other.
	for _, f := range slices.SortedFunc(slices.Values(c.Refs), func(a, b meeting.Ref) int {
		return cmp.Or(cmp.Compare(a.Vendor, b.Vendor), cmp.Compare(a.Key, b.Key))
	}) {
		r.refs = append(r.refs, []any{f.Vendor, f.Key, string(c.Meeting.ID)})
	}
	now := c.Meeting.CreatedAt
	for _, e := range c.Events {
		now = e.At
		if doc, err = json.Marshal(e); err != nil {
			return r, err
		}
		r.events = append(r.events, []any{string(e.ID), string(e.Meeting), e.Seq, string(e.Kind), ms(e.At), false, string(doc)})
	}
	if k := c.Key; k != nil {
		r.key = []any{k.Owner, k.Key, k.Hash, string(k.Meeting), ms(k.Expires), ms(now)}
	}
	return r, nil
}

// write inserts all but the meeting itself, the events last.
func (r rows) write(ctx context.Context, tx *sql.Tx) error {
	// One by one: PostgreSQL would refuse the same id twice in one statement.
	for _, i := range r.invitations {
		if _, err := exec(ctx, tx, `
insert into invitation (id, meeting, role, participant, generation, created_at, expires_at, revoked_at, opened_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
on conflict (id) do update set role = excluded.role, participant = excluded.participant, generation = excluded.generation,
	expires_at = excluded.expires_at, revoked_at = excluded.revoked_at, opened_at = excluded.opened_at`, i...); err != nil {
			return err
		}
	}
	for _, n := range r.notes {
		if _, err := exec(ctx, tx, `
insert into note (meeting, author, name, text, at) values ($1, $2, $3, $4, $5)
on conflict (meeting, author) do update set name = excluded.name, text = excluded.text, at = excluded.at`, n...); err != nil {
			return err
		}
	}
	for _, d := range r.dispatches {
		if _, err := exec(ctx, tx, putDispatch, d...); err != nil {
			return err
		}
	}
	if r.key != nil { // an expired key is as good as none
		n, err := exec(ctx, tx, `
insert into idempotency (owner, key, hash, meeting, expires_at) values ($1, $2, $3, $4, $5)
on conflict (owner, key) do update set hash = excluded.hash, meeting = excluded.meeting, expires_at = excluded.expires_at
where idempotency.expires_at <= $6`, r.key...)
		if err != nil {
			return err
		}
		if n == 0 {
			return meeting.ErrTaken
		}
	}
	for _, t := range []struct {
		into string
		rows [][]any
	}{
		{`insert into ref (vendor, key, meeting)`, r.refs},
		{`insert into message (id, meeting, seq, key, doc)`, r.messages},
	} {
		n, err := insert(ctx, tx, t.into, `on conflict do nothing`, t.rows)
		if err != nil {
			return err
		}
		if n < int64(len(t.rows)) {
			return meeting.ErrTaken
		}
	}
	_, err := insert(ctx, tx, `insert into event (public, meeting, seq, kind, at, relayed, doc)`, ``, r.events)
	return err
}

// Prune removes expired idempotency keys; see meeting.Store.
func (v *Meetings) Prune(ctx context.Context, now time.Time) (int64, error) {
	var n int64
	err := v.s.change(ctx, "prune keys", func(tx *sql.Tx) (_ bool, err error) {
		n, err = exec(ctx, tx, `delete from idempotency where expires_at <= $1`, ms(now))
		return false, err
	})
	return n, err
}
