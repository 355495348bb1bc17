package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	mrand "math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/oklog/ulid/v2"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"ringdown/meeting"
)

const (
	maxTries = 6
	maxRows  = 1000 // of one list nobody gave a limit for
)

// change runs do in one write transaction, again when the database says that it
// met another one. do returns whether there is something new for the outbox;
// then everybody is woken by the commit. do may run several times and must do
// nothing but SQL.
func (s *Store) change(ctx context.Context, what string, do func(*sql.Tx) (news bool, err error)) error {
	return s.changeOf(ctx, what, "", do)
}

// changeOf is change for a change of one meeting: the other nodes' watchers of it
// are told by the commit, too.
func (s *Store) changeOf(ctx context.Context, what string, id meeting.ID, do func(*sql.Tx) (news bool, err error)) error {
	for try := 1; ; try++ {
		news, err := s.once(ctx, id, do)
		if err == nil {
			if news {
				s.wake()
			}
			return nil
		}
		if try == maxTries || !passing(err) || !sleep(ctx, mrand.N(time.Duration(try)*10*time.Millisecond)) { //nolint:gosec // jitter, no secret
			return s.explain(ctx, what, err)
		}
	}
}

func (s *Store) once(ctx context.Context, id meeting.ID, do func(*sql.Tx) (bool, error)) (news bool, err error) {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	if news, err = do(tx); err != nil {
		return false, err
	}
	if (news || id != "") && s.sql.notify != "" {
		if _, err := tx.ExecContext(ctx, s.sql.notify, noteOf(s.node, id, news)); err != nil {
			return false, err
		}
	}
	if err := tx.Commit(); err != nil {
		return false, err
	}
	s.parse(ctx)
	return news, nil
}

// noteOf is what the other nodes read of a commit: whose it is, the meeting it
// changed, and "+" when the outbox has something to do. PostgreSQL takes 8 000
// bytes at most.
func noteOf(node string, id meeting.ID, news bool) string {
	if news {
		return node + " " + string(id) + "+"
	}
	return node + " " + string(id)
}

// heard passes another node's note on.
func (s *Store) heard(note string) {
	node, what, _ := strings.Cut(note, " ")
	if node == s.node {
		return
	}
	id, news := strings.CutSuffix(what, "+")
	if news {
		s.wake()
	}
	if f := s.tell.Load(); f != nil && id != "" {
		(*f)(meeting.ID(id))
	}
}

// missed is for when notes may have been lost: everything may have changed.
func (s *Store) missed() {
	s.wake()
	if f := s.tell.Load(); f != nil {
		(*f)("")
	}
}

func (s *Store) wake() {
	select {
	case s.wakes <- struct{}{}:
	default:
	}
}

// passing tells whether the same transaction may succeed if it is made again:
// nothing of it was written.
func passing(err error) bool {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "40001" || e.Code == "40P01" // could not serialize, deadlock
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()&0xff == sqlite3.SQLITE_BUSY
	}
	return false
}

// explain adds what was being done, and keeps stored values out of the text.
func (s *Store) explain(ctx context.Context, what string, err error) error {
	if _, over := errors.AsType[meeting.OverLimitError](err); over {
		return err
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, meeting.ErrNoRow), errors.Is(err, meeting.ErrStale), errors.Is(err, meeting.ErrTaken):
		return err
	case errors.Is(err, sql.ErrNoRows):
		return meeting.ErrNoRow
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, context.Cause(ctx)) // a driver's own word for it says less
	}
	// Class 22 quotes the value that PostgreSQL does not like.
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && strings.HasPrefix(e.Code, "22") {
		return fmt.Errorf("%s: PostgreSQL refuses a value (SQLSTATE %s)", what, e.Code)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// sleep waits for d. It returns false once ctx ends.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// scanner is a row.
type scanner interface{ Scan(to ...any) error }

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// execer is a transaction.
type execer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func all[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var list []T
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

// exec runs one statement and returns how many rows it changed.
func exec(ctx context.Context, tx execer, query string, args ...any) (int64, error) {
	r, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// insert adds rows of equal length, in their order, to "insert into … values".
// after stands behind the values. It returns how many rows were written.
func insert(ctx context.Context, tx execer, into, after string, rows [][]any) (int64, error) {
	const atOnce = 100 // keeps the parameters far below every engine's limit
	var n int64
	for len(rows) > 0 {
		part := rows[:min(atOnce, len(rows))]
		rows = rows[len(part):]
		var q strings.Builder
		q.WriteString(into + " values ")
		var args []any
		for i, r := range part {
			if i > 0 {
				q.WriteString(", ")
			}
			q.WriteString(params(len(args)+1, len(r)))
			args = append(args, r...)
		}
		q.WriteString(" " + after)
		k, err := exec(ctx, tx, q.String(), args...)
		if err != nil {
			return n, err
		}
		n += k
	}
	return n, nil
}

// params is "($3, $4)" for from 3 and n 2.
func params(from, n int) string {
	b := []byte("(")
	for i := range n {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = strconv.AppendInt(append(b, '$'), int64(from+i), 10)
	}
	return string(append(b, ')'))
}

// tuples is "($1), ($2)" for 2.
func tuples(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("($%d)", i+1)
	}
	return strings.Join(list, ", ")
}

// sorted are the keys of m in order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// anys is list as parameters.
func anys[T any](list []T) []any {
	a := make([]any, len(list))
	for i, v := range list {
		a[i] = v
	}
	return a
}

// limited is a limit somebody asked for, at most most.
func limited(n, most int) int64 {
	if n <= 0 || n > most {
		n = most
	}
	return int64(n)
}

// ms is t as it is stored.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// at is a stored time.
func at(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

func newID(prefix string) string {
	return prefix + ulid.MustNew(ulid.Now(), rand.Reader).String()
}
