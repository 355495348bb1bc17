package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"ringdown/meeting"
)

// Phones is the store as the phone calls see it.
func (s *Store) Phones() *Phones { return &Phones{s} }

// Phones is a meeting.PhoneStore.
type Phones struct{ s *Store }

var _ meeting.PhoneStore = (*Phones)(nil)

func scanPhoneCall(r scanner) (c meeting.PhoneCall, err error) {
	var doc string
	var version int64
	if err := r.Scan(&doc, &version); err != nil {
		return c, err
	}
	err = json.Unmarshal([]byte(doc), &c)
	c.Version = version
	return c, err
}

const phoneColumns = `id, version, desk, agent, ref, rung_at, expires_at, doc`

func phoneRow(c meeting.PhoneCall) ([]any, error) {
	doc, err := json.Marshal(c)
	return []any{string(c.ID), c.Version, c.Desk, string(c.Agent.Key), c.Ref, ms(c.RungAt), ms(c.ExpiresAt), string(doc)}, err
}

// PutPhoneCalls inserts phone calls or rings them again; see meeting.PhoneStore.
// Of several rings of one call the latest counts.
func (v *Phones) PutPhoneCalls(ctx context.Context, cs []meeting.PhoneCall) error {
	if len(cs) == 0 {
		return nil
	}
	rings := map[string]meeting.PhoneCall{}
	for _, c := range cs {
		if old, twice := rings[string(c.ID)]; twice {
			c = old.Rung(c)
		}
		rings[string(c.ID)] = c
	}
	// Everybody takes rows in the same order, or two nodes would wait for each other.
	ids := sorted(rings)
	rows := make([][]any, len(ids))
	for i, id := range ids {
		c := rings[id]
		c.Version = 1
		var err error
		if rows[i], err = phoneRow(c); err != nil {
			return err
		}
	}
	return v.s.change(ctx, "put phone calls", func(tx *sql.Tx) (bool, error) {
		n, err := insert(ctx, tx, `insert into phone_call (`+phoneColumns+`)`, `on conflict (id) do nothing`, rows)
		if err != nil || n == int64(len(rows)) {
			return false, err
		}
		known, err := all(ctx, tx, scanPhoneCall, `select doc, version from phone_call where id in `+params(1, len(ids))+` order by id`+v.s.sql.lock, anys(ids)...)
		if err != nil {
			return false, err
		}
		for _, old := range known {
			c := old.Rung(rings[string(old.ID)])
			if c.RungAt.Equal(old.RungAt) {
				continue
			}
			c.Version++
			if err := savePhoneCall(ctx, tx, c); err != nil {
				return false, err
			}
		}
		return false, nil
	})
}

func savePhoneCall(ctx context.Context, tx *sql.Tx, c meeting.PhoneCall) error {
	r, err := phoneRow(c)
	if err != nil {
		return err
	}
	n, err := exec(ctx, tx, `update phone_call set version = $2, desk = $3, agent = $4, ref = $5, rung_at = $6, expires_at = $7, doc = $8 where id = $1 and version = $9`, append(r, c.Version-1)...)
	if err == nil && n == 0 {
		err = meeting.ErrStale
	}
	return err
}

// SavePhoneCall replaces a phone call; see meeting.PhoneStore.
func (v *Phones) SavePhoneCall(ctx context.Context, c meeting.PhoneCall) error {
	return v.s.change(ctx, "save phone call", func(tx *sql.Tx) (bool, error) { return false, savePhoneCall(ctx, tx, c) })
}

// PhoneCall finds a phone call; see meeting.PhoneStore.
func (v *Phones) PhoneCall(ctx context.Context, id meeting.PhoneCallID) (meeting.PhoneCall, error) {
	list, err := hot(ctx, v.s, scanPhoneCall, `select doc, version from phone_call where id = $1`, string(id))
	if err == nil && len(list) == 0 {
		err = meeting.ErrNoRow
	}
	if err != nil {
		return meeting.PhoneCall{}, v.s.explain(ctx, "read phone call", err)
	}
	return list[0], nil
}

// PhoneCallsOf returns an agent's phone calls; see meeting.PhoneStore.
func (v *Phones) PhoneCallsOf(ctx context.Context, desk string, agent meeting.AgentKey, since time.Time, limit int) ([]meeting.PhoneCall, error) {
	list, err := hot(ctx, v.s, scanPhoneCall, `select doc, version from phone_call where desk = $1 and agent = $2 and rung_at >= $3 order by rung_at desc limit $4`,
		desk, string(agent), ms(since), limited(limit, maxRows))
	return list, v.s.explain(ctx, "list phone calls", err)
}

// PhoneCallsWith returns the offers of one phone call; see meeting.PhoneStore.
func (v *Phones) PhoneCallsWith(ctx context.Context, desk, ref string) ([]meeting.PhoneCall, error) {
	list, err := all(ctx, v.s.read, scanPhoneCall, `select doc, version from phone_call where desk = $1 and ref = $2 and ref <> '' order by rung_at limit $3`, desk, ref, int64(maxRows))
	return list, v.s.explain(ctx, "list offers of a phone call", err)
}

// PrunePhoneCalls removes phone calls whose time is over, in small steps: others
// write in between.
func (v *Phones) PrunePhoneCalls(ctx context.Context, now time.Time) (n int64, err error) {
	const step = 1000
	for {
		var k int64
		err = v.s.change(ctx, "remove phone calls", func(tx *sql.Tx) (_ bool, err error) {
			k, err = exec(ctx, tx, `delete from phone_call where id in (select id from phone_call where expires_at <= $1 order by expires_at limit $2)`, ms(now), int64(step))
			return false, err
		})
		if n += k; err != nil || k < step {
			return n, err
		}
	}
}
