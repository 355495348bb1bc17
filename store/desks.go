package store

import (
	"context"
	"database/sql"
	"time"

	"ringdown/meeting"
)

// JournalRow is one line of what a desk asked.
type JournalRow struct {
	Desk string
	Kind string
	At   time.Time
	Doc  string // JSON
}

// journalKept is how many lines of one desk are kept.
const journalKept = 1000

// AppendJournal adds lines and forgets the oldest of their desks.
func (s *Store) AppendJournal(ctx context.Context, rows []JournalRow) error {
	values, desks := make([][]any, len(rows)), map[string]bool{}
	for i, r := range rows {
		values[i], desks[r.Desk] = []any{r.Desk, r.Kind, ms(r.At), r.Doc}, true
	}
	return s.change(ctx, "append to the journal", func(tx *sql.Tx) (bool, error) {
		if _, err := insert(ctx, tx, `insert into desk_journal (desk, kind, at, doc)`, ``, values); err != nil {
			return false, err
		}
		for _, desk := range sorted(desks) {
			if _, err := exec(ctx, tx, `
delete from desk_journal where desk = $1 and id <= (
	select id from desk_journal where desk = $1 order by id desc limit 1 offset $2)`, desk, int64(journalKept)); err != nil {
				return false, err
			}
		}
		return false, nil
	})
}

// Journal returns the latest lines, newest first, at most 1 000. Empty words do
// not narrow.
func (s *Store) Journal(ctx context.Context, desk, kind string, limit int) ([]JournalRow, error) {
	var w where
	w.add(desk != "", `desk = $%d`, desk)
	w.add(kind != "", `kind = $%d`, kind)
	query, args := w.end(`select desk, kind, at, doc from desk_journal`, `order by id desc`, limited(limit, journalKept))
	list, err := all(ctx, s.read, func(r scanner) (j JournalRow, err error) {
		var when int64
		err = r.Scan(&j.Desk, &j.Kind, &when, &j.Doc)
		j.At = at(when)
		return j, err
	}, query, args...)
	return list, s.explain(ctx, "read the journal", err)
}

// BindLogin ties a login to a desk's user if none is, and returns the one that
// is tied.
func (s *Store) BindLogin(ctx context.Context, desk, user, login string) (bound string, err error) {
	err = s.change(ctx, "bind a login", func(tx *sql.Tx) (bool, error) {
		if _, err := insert(ctx, tx, `insert into desk_login (desk, userid, login)`, `on conflict (desk, userid) do nothing`, [][]any{{desk, user, login}}); err != nil {
			return false, err
		}
		return false, tx.QueryRowContext(ctx, `select login from desk_login where desk = $1 and userid = $2`, desk, user).Scan(&bound)
	})
	return bound, err
}

// ForgetLogin unties the login of a desk's user: the next one that comes is tied.
// meeting.ErrNoRow if there is none.
func (s *Store) ForgetLogin(ctx context.Context, desk, user string) error {
	return s.change(ctx, "forget a login", func(tx *sql.Tx) (bool, error) {
		n, err := exec(ctx, tx, `delete from desk_login where desk = $1 and userid = $2`, desk, user)
		if err == nil && n == 0 {
			err = meeting.ErrNoRow
		}
		return false, err
	})
}
