// Package storetest is the behaviour suite of package store, run on each
// engine, and the openers that other packages' tests use for a real store.
//
// The suite starts goroutines only for its races and waits for them.
package storetest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"ringdown/store"
)

// Engine is one database engine.
type Engine struct {
	Name   string
	Shared bool // several stores may be open on the same database
	fresh  func(testing.TB) store.Config
}

// Engines returns SQLite and PostgreSQL. A test that asks the second one for a
// database is skipped, with words, when RINGDOWN_TEST_POSTGRES names no server.
func Engines() []Engine {
	return []Engine{{"SQLite", false, sqlite}, {"PostgreSQL", true, postgres}}
}

// Fresh makes an empty database, which is gone after the test.
func (e Engine) Fresh(t testing.TB) store.Config {
	t.Helper()
	return e.fresh(t)
}

// Open opens a store on an empty database; both are gone after the test.
func (e Engine) Open(t testing.TB) *store.Store {
	t.Helper()
	return OpenAt(t, e.Fresh(t))
}

// Open opens a store on an empty SQLite database; both are gone after the test.
func Open(t testing.TB) *store.Store {
	t.Helper()
	return OpenAt(t, sqlite(t))
}

// OpenAt opens a store and closes it after the test, if the test did not.
func OpenAt(t testing.TB, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func sqlite(t testing.TB) store.Config { return store.Config{DataDir: t.TempDir()} }

func postgres(t testing.TB) store.Config {
	t.Helper()
	server := os.Getenv("RINGDOWN_TEST_POSTGRES")
	if server == "" {
		t.Skip("not run on PostgreSQL: RINGDOWN_TEST_POSTGRES names no server (a postgres:// URL that may create databases)")
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("RINGDOWN_TEST_POSTGRES is not a URL")
	}
	name := "ringdown_test_" + strings.ToLower(rand.Text())
	command(t, server, `create database `+name+` template template0`)
	t.Cleanup(func() { command(t, server, `drop database `+name+` with (force)`) })
	u.Path = "/" + name
	return store.Config{Database: u.String()}
}

// command runs one statement on its own connection.
func command(t testing.TB, server, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
}
