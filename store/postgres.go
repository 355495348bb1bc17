package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

const (
	postgresConns  = 16
	connectTimeout = 5 * time.Second
	slowestListen  = 5 * time.Second // between two attempts to listen again
	channel        = "ringdown"
)

func (s *Store) openPostgres(ctx context.Context, database string) error {
	cfg, err := pgx.ParseConfig(database)
	if err != nil {
		return readable(err)
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "ringdown"
	}
	// Compare-and-set and the claim count on a fresh snapshot per statement.
	cfg.RuntimeParams["default_transaction_isolation"] = "read committed"

	// Every statement of ours has its index. A plan made while a table was empty
	// would read all of it, and stay until the server has looked at the table again.
	cfg.RuntimeParams["enable_seqscan"] = "off"
	cfg.RuntimeParams["jit"] = "off"

	s.sql = postgresStatements()
	s.write = stdlib.OpenDB(*cfg)
	s.write.SetMaxOpenConns(postgresConns)
	s.write.SetMaxIdleConns(postgresConns)
	s.write.SetConnMaxIdleTime(5 * time.Minute)
	s.read = s.write

	var sync string
	if err := s.write.QueryRowContext(ctx, `show synchronous_commit`).Scan(&sync); err != nil {
		return unreachable(err)
	}
	if sync == "off" {
		return errors.New("the PostgreSQL server has synchronous_commit = off and would lose what we acknowledged: " +
			"set it to on for this database")
	}
	if err := migrate(ctx, s.write, goose.DialectPostgres, "postgres"); err != nil {
		return err
	}

	conn, err := listen(ctx, cfg)
	if err != nil {
		return unreachable(err)
	}
	alive, end := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	s.stop = func() { end(); <-done }
	go func() {
		defer close(done)
		s.hear(alive, cfg, conn)
	}()
	return nil
}

// listen opens a connection that gets the other nodes' wakes. It is none of the
// pool's: database/sql has no way to wait for a notification.
func listen(ctx context.Context, cfg *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, cfg.Copy())
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "listen "+channel); err != nil {
		hangUp(ctx, conn)
		return nil, err
	}
	return conn, nil
}

// hear passes notifications of other nodes on until ctx ends, and connects again
// when the connection is lost.
func (s *Store) hear(ctx context.Context, cfg *pgx.ConnConfig, conn *pgx.Conn) {
	for {
		for {
			n, err := conn.WaitForNotification(ctx)
			if err != nil {
				hangUp(ctx, conn)
				if ctx.Err() != nil {
					return
				}
				s.log.WarnContext(ctx, "the database connection for wakes is lost", "error", err)
				break
			}
			s.heard(n.Payload)
		}
		if conn = s.listenAgain(ctx, cfg); conn == nil {
			return
		}
		s.log.InfoContext(ctx, "the database connection for wakes is back")
		s.missed()
	}
}

// listenAgain tries until it listens. It returns nil once ctx ends.
func (s *Store) listenAgain(ctx context.Context, cfg *pgx.ConnConfig) *pgx.Conn {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, slowestListen) {
		if !sleep(ctx, wait/2+rand.N(wait/2)) { //nolint:gosec // jitter, no secret
			return nil
		}
		if conn, err := listen(ctx, cfg); err == nil {
			return conn
		}
	}
}

func hangUp(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// readable says what is wrong with a database URL without showing any of it: it
// holds the password.
func readable(err error) error {
	inside := errors.Unwrap(err)
	if _, bad := errors.AsType[*url.Error](err); bad || inside == nil {
		return errors.New("database is not a readable postgres://user:password@host/name URL")
	}
	return fmt.Errorf("database URL: %w", inside)
}

// unreachable says why the server cannot be used, in words where we have some.
func unreachable(err error) error {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return fmt.Errorf("the PostgreSQL server cannot be used: %w", err)
	}
	return err
}
