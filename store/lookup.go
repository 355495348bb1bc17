package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ringdown/meeting"
)

func scanMeeting(r scanner) (m meeting.Meeting, err error) {
	var doc string
	var version int64
	if err := r.Scan(&doc, &version); err != nil {
		return m, err
	}
	err = json.Unmarshal([]byte(doc), &m)
	m.Version = version
	return m, err
}

func (v *Meetings) one(ctx context.Context, where string, args ...any) (meeting.Meeting, error) {
	m, err := scanMeeting(v.s.read.QueryRowContext(ctx, `select m.doc, m.version from meeting m `+where, args...))
	return m, v.s.explain(ctx, "read meeting", err)
}

// ByID finds a meeting; see meeting.Store.
func (v *Meetings) ByID(ctx context.Context, id meeting.ID) (meeting.Meeting, error) {
	return v.one(ctx, `where m.id = $1`, string(id))
}

// ByCode finds a meeting; see meeting.Store.
func (v *Meetings) ByCode(ctx context.Context, code meeting.Code) (meeting.Meeting, error) {
	return v.one(ctx, `where m.code = $1`, string(code))
}

// ByRef finds a meeting; see meeting.Store.
func (v *Meetings) ByRef(ctx context.Context, r meeting.Ref) (meeting.Meeting, error) {
	return v.one(ctx, `join ref on ref.meeting = m.id where ref.vendor = $1 and ref.key = $2`, r.Vendor, r.Key)
}

// List returns meetings, newest first; see meeting.Store.
func (v *Meetings) List(ctx context.Context, f meeting.Filter) ([]meeting.Meeting, error) {
	var w where
	w.add(f.State != "", `state = $%d`, string(f.State))
	w.add(f.Queue != "", `queue = $%d`, f.Queue)
	w.add(f.CodePrefix != "", `code >= $%d`, string(f.CodePrefix))
	w.add(f.CodePrefix != "", `code < $%d`, string(f.CodePrefix)+"~") // behind every character of a code
	w.add(f.Before != "", `id < $%d`, string(f.Before))
	query, args := w.end(`select doc, version from meeting`, `order by id desc`, limited(f.Limit, 500))
	ms, err := all(ctx, v.s.read, scanMeeting, query, args...)
	return ms, v.s.explain(ctx, "list meetings", err)
}

// where collects the conditions of a filter.
type where struct {
	conditions []string
	args       []any
}

func (w *where) add(want bool, condition string, arg any) {
	if want {
		w.args = append(w.args, arg)
		w.conditions = append(w.conditions, fmt.Sprintf(condition, len(w.args)))
	}
}

// text is the clause, or nothing.
func (w *where) text() string {
	if len(w.conditions) == 0 {
		return ""
	}
	return " where " + strings.Join(w.conditions, " and ")
}

func (w *where) end(from, order string, limit int64) (string, []any) {
	args := append(w.args, limit)
	return fmt.Sprintf("%s%s %s limit $%d", from, w.text(), order, len(args)), args
}

// KeyOf finds an idempotency key; see meeting.Store.
func (v *Meetings) KeyOf(ctx context.Context, owner, key string, now time.Time) (meeting.Key, error) {
	k := meeting.Key{Owner: owner, Key: key}
	var expires int64
	err := v.s.read.QueryRowContext(ctx,
		`select hash, meeting, expires_at from idempotency where owner = $1 and key = $2 and expires_at > $3`,
		owner, key, ms(now)).Scan(&k.Hash, &k.Meeting, &expires)
	if err != nil {
		return meeting.Key{}, v.s.explain(ctx, "read key", err)
	}
	k.Expires = at(expires)
	return k, nil
}

const invitationColumns = `id, meeting, role, participant, generation, created_at, expires_at, revoked_at, opened_at`

func scanInvitation(r scanner) (i meeting.Invitation, err error) {
	var created, expires, revoked, opened int64
	err = r.Scan(&i.ID, &i.Meeting, &i.Role, &i.Participant, &i.Generation, &created, &expires, &revoked, &opened)
	i.CreatedAt, i.ExpiresAt, i.RevokedAt, i.OpenedAt = at(created), at(expires), at(revoked), at(opened)
	return i, err
}

// Invitation finds an invitation; see meeting.Store.
func (v *Meetings) Invitation(ctx context.Context, id meeting.InvitationID) (meeting.Invitation, error) {
	i, err := scanInvitation(v.s.read.QueryRowContext(ctx, `select `+invitationColumns+` from invitation where id = $1`, string(id)))
	if err != nil {
		return meeting.Invitation{}, v.s.explain(ctx, "read invitation", err)
	}
	return i, nil
}

// Invitations returns a meeting's invitations; see meeting.Store.
func (v *Meetings) Invitations(ctx context.Context, id meeting.ID) ([]meeting.Invitation, error) {
	list, err := all(ctx, v.s.read, scanInvitation,
		`select `+invitationColumns+` from invitation where meeting = $1 order by id limit $2`, string(id), maxRows)
	return list, v.s.explain(ctx, "read invitations", err)
}

// Notes returns a meeting's notes; see meeting.Store.
func (v *Meetings) Notes(ctx context.Context, id meeting.ID) ([]meeting.Note, error) {
	list, err := all(ctx, v.s.read, func(r scanner) (n meeting.Note, err error) {
		var when int64
		err = r.Scan(&n.Author, &n.Name, &n.Text, &when)
		n.At = at(when)
		return n, err
	}, `select author, name, text, at from note where meeting = $1 and text <> '' order by at, author limit $2`, string(id), maxRows)
	return list, v.s.explain(ctx, "read notes", err)
}

// Messages returns a meeting's chat; see meeting.Store. A limit of 0 means 1 000.
func (v *Meetings) Messages(ctx context.Context, id meeting.ID, after int64, limit int) ([]meeting.Message, error) {
	list, err := all(ctx, v.s.read, func(r scanner) (m meeting.Message, err error) {
		var key, doc string
		if err := r.Scan(&key, &doc); err != nil {
			return m, err
		}
		err = json.Unmarshal([]byte(doc), &m)
		m.Key = key
		return m, err
	}, `select key, doc from message where meeting = $1 and seq > $2 order by seq limit $3`, string(id), after, limited(limit, maxRows))
	return list, v.s.explain(ctx, "read messages", err)
}

// Events returns a meeting's log; see meeting.Store. A limit of 0 means 1 000.
func (v *Meetings) Events(ctx context.Context, id meeting.ID, after int64, limit int) ([]meeting.Event, error) {
	list, err := all(ctx, v.s.read, func(r scanner) (e meeting.Event, err error) {
		var doc string
		if err := r.Scan(&doc); err != nil {
			return e, err
		}
		return e, json.Unmarshal([]byte(doc), &e)
	}, `select doc from event where meeting = $1 and seq > $2 order by seq limit $3`, string(id), after, limited(limit, maxRows))
	return list, v.s.explain(ctx, "read events", err)
}

// RefsOf returns a meeting's refs, sorted; see meeting.Store.
func (v *Meetings) RefsOf(ctx context.Context, id meeting.ID) ([]meeting.Ref, error) {
	list, err := all(ctx, v.s.read, func(r scanner) (f meeting.Ref, err error) {
		return f, r.Scan(&f.Vendor, &f.Key)
	}, `select vendor, key from ref where meeting = $1 order by vendor, key`, string(id))
	return list, v.s.explain(ctx, "read refs", err)
}
