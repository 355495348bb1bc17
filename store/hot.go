package store

import (
	"context"
	"database/sql"
	"sync"
)

// SQLite parses a statement each time, which took a fifth of the outbox's time.
// The texts that it runs many times a second are kept parsed. pgx does so by
// itself.

// parsed are the statements of one pool that are kept. The zero value is ready.
type parsed struct {
	mu    sync.Mutex
	kept  map[string]*sql.Stmt
	asked map[string]int // how often, within transactions
	want  []string       // asked for often enough; see Store.parse
}

// Texts with a list of parameters come in many lengths: those that are used
// often are kept, and not too many.
const (
	mostParsed = 200
	often      = 3
)

func (p *parsed) get(query string) *sql.Stmt {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept[query]
}

// add keeps what a pool parsed, unless it is kept already or there is no room.
func (p *parsed) add(query string, stmt *sql.Stmt) (kept bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == nil {
		p.kept = map[string]*sql.Stmt{}
	}
	if p.kept[query] != nil || len(p.kept) >= mostParsed {
		return false
	}
	p.kept[query] = stmt
	return true
}

func (p *parsed) close() (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, stmt := range p.kept {
		if e := stmt.Close(); e != nil {
			err = e
		}
	}
	return err
}

// hot is all for a read of one fixed text that is made many times a second.
func hot[T any](ctx context.Context, s *Store, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	stmt := s.reads.get(query)
	if stmt == nil {
		made, err := s.read.PrepareContext(ctx, query)
		if err != nil {
			return nil, err
		}
		if stmt = made; !s.reads.add(query, made) {
			defer func() { _ = made.Close() }()
		}
	}
	return all(ctx, statement{stmt}, scan, query, args...)
}

// statement is a parsed text as a querier of that text.
type statement struct{ *sql.Stmt }

func (s statement) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return s.Stmt.QueryContext(ctx, args...)
}

// hotTx is a transaction that uses what is kept parsed.
type hotTx struct {
	*sql.Tx
	s *Store
}

// stmt is the parsed text in this transaction; nil if it is not kept.
func (t hotTx) stmt(ctx context.Context, query string) *sql.Stmt {
	if t.s.read == t.s.write { // PostgreSQL
		return nil
	}
	kept := t.s.writes.get(query)
	if kept == nil {
		t.s.writes.ask(query)
		return nil
	}
	return t.StmtContext(ctx, kept)
}

// ExecContext is that of the transaction.
func (t hotTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if stmt := t.stmt(ctx, query); stmt != nil { //nolint:sqlclosecheck // the transaction's end closes it
		return stmt.ExecContext(ctx, args...)
	}
	return t.Tx.ExecContext(ctx, query, args...)
}

// QueryContext is that of the transaction.
func (t hotTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if stmt := t.stmt(ctx, query); stmt != nil { //nolint:sqlclosecheck // the transaction's end closes it
		return stmt.QueryContext(ctx, args...)
	}
	return t.Tx.QueryContext(ctx, query, args...)
}

// ask remembers a text for parse.
func (p *parsed) ask(query string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.kept)+len(p.want) >= mostParsed {
		return
	}
	if p.asked == nil || len(p.asked) > 10*mostParsed {
		p.asked = map[string]int{}
	}
	if p.asked[query]++; p.asked[query] == often {
		p.want = append(p.want, query)
	}
}

// parse keeps what was asked for: between transactions, as the writer has one
// connection only.
func (s *Store) parse(ctx context.Context) {
	s.writes.mu.Lock()
	want := s.writes.want
	s.writes.want = nil
	s.writes.mu.Unlock()
	for _, query := range want {
		if s.writes.get(query) != nil {
			continue
		}
		stmt, err := s.write.PrepareContext(ctx, query)
		if err != nil {
			continue // it will be parsed each time, and say itself what is wrong
		}
		if !s.writes.add(query, stmt) {
			_ = stmt.Close() //nolint:sqlclosecheck // now, not at the loop's end
		}
	}
}
