package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
	"golang.org/x/sys/unix"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

const sqliteReaders = 4

func (s *Store) openSQLite(ctx context.Context, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	if s.unlock, err = lockDir(dir); err != nil {
		return err
	}
	file := filepath.Join(dir, "ringdown.db")
	// Made here because SQLite would make it readable for everybody; its other
	// files get the permissions of this one.
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}

	s.sql = sqliteStatements()
	// Every write transaction takes the write lock at its start: one that reads
	// first and wants it later would fail at once, whatever busy_timeout says.
	if s.write, err = sql.Open("sqlite", sqliteDSN(file, "_txlock=immediate")); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if err := migrate(ctx, s.write, goose.DialectSQLite3, "sqlite"); err != nil {
		return err
	}
	if s.read, err = sql.Open("sqlite", sqliteDSN(file, "_pragma=query_only(1)")); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(sqliteReaders)
	s.read.SetMaxIdleConns(sqliteReaders)

	// The folder is locked, so whoever held these leases is dead.
	_, err = s.write.ExecContext(ctx, `update delivery set lease_until = 0, lease_by = '' where state = 'pending' and lease_until > 0`)
	return err
}

func sqliteDSN(file, more string) string {
	u := url.URL{Scheme: "file", Path: file}
	return u.String() + "?" + strings.Join([]string{
		"_pragma=busy_timeout(5000)", "_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)", "_pragma=foreign_keys(1)", more,
	}, "&")
}

// lockDir takes the folder for this process until unlock, or until the process
// ends, however it does.
func lockDir(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "ringdown.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		who := "another ringdown"
		if pid, err := io.ReadAll(io.LimitReader(f, 20)); err == nil && len(pid) > 0 {
			who += fmt.Sprintf(" (process %s)", strings.TrimSpace(string(pid)))
		}
		return nil, fmt.Errorf("%s uses the data folder %s: stop it, or give this one its own data_dir", who, dir)
	}
	// The number is for the sentence above only.
	if err := f.Truncate(0); err == nil {
		_, _ = fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return func() { _ = f.Close() }, nil
}
