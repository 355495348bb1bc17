package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"ringdown/meeting"
)

// Due returns the meetings for which time is up; see meeting.Store.
func (v *Meetings) Due(ctx context.Context, now time.Time, limit int) ([]meeting.ID, time.Time, error) {
	ids, err := all(ctx, v.s.read, func(r scanner) (id meeting.ID, err error) { return id, r.Scan(&id) },
		`select id from meeting where due_at > 0 and due_at <= $1 order by due_at, id limit $2`, ms(now), limited(limit, maxRows))
	if err != nil {
		return nil, time.Time{}, v.s.explain(ctx, "read due meetings", err)
	}
	var next int64
	err = v.s.read.QueryRowContext(ctx,
		`select due_at from meeting where due_at > 0 and due_at > $1 order by due_at limit 1`, ms(now)).Scan(&next)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, time.Time{}, v.s.explain(ctx, "read due meetings", err)
	}
	return ids, at(next), nil
}

// Seen notes presences; see meeting.Store. Of several for one participant the
// last counts.
func (v *Meetings) Seen(ctx context.Context, ps []meeting.Presence) error {
	type who struct {
		m meeting.ID
		p meeting.ParticipantID
	}
	last := map[who]int64{}
	for _, p := range ps {
		last[who{p.Meeting, p.Participant}] = ms(p.Until)
	}
	if len(last) == 0 {
		return nil
	}
	// Everybody takes rows in the same order, or two nodes would wait for each other.
	var list [][]any
	for _, w := range slices.SortedFunc(maps.Keys(last), func(a, b who) int {
		return cmp.Or(cmp.Compare(a.m, b.m), cmp.Compare(a.p, b.p))
	}) {
		list = append(list, []any{string(w.m), string(w.p), last[w]})
	}
	return v.s.change(ctx, "note presences", func(tx *sql.Tx) (bool, error) {
		_, err := insert(ctx, tx, `insert into presence (meeting, participant, until_at)`,
			`on conflict (meeting, participant) do update set until_at = excluded.until_at`, list)
		return false, err
	})
}

// Absent removes and returns presences that ended; see meeting.Store.
func (v *Meetings) Absent(ctx context.Context, now time.Time, limit int) ([]meeting.Presence, error) {
	var gone []meeting.Presence
	err := v.s.change(ctx, "remove presences", func(tx *sql.Tx) (_ bool, err error) {
		gone, err = all(ctx, tx, func(r scanner) (p meeting.Presence, err error) {
			var until int64
			err = r.Scan(&p.Meeting, &p.Participant, &until)
			p.Until = at(until)
			return p, err
		}, `
delete from presence where until_at <= $1 and (meeting, participant) in (
	select meeting, participant from presence where until_at <= $1 order by until_at limit $2)
returning meeting, participant, until_at`, ms(now), limited(limit, maxRows))
		return false, err
	})
	slices.SortFunc(gone, func(a, b meeting.Presence) int { return a.Until.Compare(b.Until) })
	return gone, err
}

// Forget removes presences; see meeting.Store.
func (v *Meetings) Forget(ctx context.Context, id meeting.ID, p meeting.ParticipantID) error {
	return v.s.change(ctx, "forget presences", func(tx *sql.Tx) (bool, error) {
		_, err := exec(ctx, tx, `delete from presence where meeting = $1 and ($2 = '' or participant = $2)`, string(id), string(p))
		return false, err
	})
}

// Renew lengthens presences; see meeting.Store.
func (v *Meetings) Renew(ctx context.Context, until time.Time) error {
	return v.s.change(ctx, "renew presences", func(tx *sql.Tx) (bool, error) {
		_, err := exec(ctx, tx, `update presence set until_at = $1 where until_at < $1`, ms(until))
		return false, err
	})
}

// Mark moves all presences; see meeting.Store.
func (v *Meetings) Mark(ctx context.Context, mark time.Time) error {
	return v.s.change(ctx, "mark presences", func(tx *sql.Tx) (bool, error) {
		_, err := exec(ctx, tx, `update presence set until_at = $1`, ms(mark))
		return false, err
	})
}

// Resume judges presences after Mark; see meeting.Store.
func (v *Meetings) Resume(ctx context.Context, mark, now, then time.Time) error {
	return v.s.change(ctx, "resume presences", func(tx *sql.Tx) (bool, error) {
		_, err := exec(ctx, tx, `
update presence set until_at = $1 where until_at <= $2 and until_at > $1 and not exists (
	select 1 from presence other where other.meeting = presence.meeting and other.until_at > $2)`, ms(now), ms(mark))
		if err == nil {
			_, err = exec(ctx, tx, `
update presence set until_at = $1 where until_at <= $2 and until_at > $3 and meeting in (select id from meeting where state = 'active')`,
				ms(then), ms(mark), ms(now))
		}
		return false, err
	})
}
