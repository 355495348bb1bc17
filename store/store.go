package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"ringdown/meeting"
)

// Config says where the data live.
type Config struct {
	// Database is a postgres:// URL. Empty: SQLite, in the file ringdown.db of DataDir.
	Database string
	// DataDir is the folder of the SQLite file; it is made if need be. Unused with
	// PostgreSQL.
	DataDir string
}

// Validate checks c.
func (c Config) Validate() error {
	switch {
	case c.Database == "" && c.DataDir == "":
		return errors.New("store: data_dir is needed when database is empty")
	case c.Database == "", strings.HasPrefix(c.Database, "postgres://"), strings.HasPrefix(c.Database, "postgresql://"):
		return nil
	}
	return errors.New("store: database must be empty (SQLite) or a postgres:// URL")
}

// Store is an open database with its schema up to date. Safe for concurrent use.
type Store struct {
	write, read *sql.DB // the same pool on PostgreSQL
	sql         statements
	node        string // tells this open store from others on the same database
	log         *slog.Logger
	wakes       chan struct{} // one slot
	tell        atomic.Pointer[func(meeting.ID)]
	reads       parsed // of the readers' pool
	writes      parsed // of the writer's

	closing sync.Once
	stop    func() // ends the listener and waits for it; PostgreSQL
	unlock  func() // lets go of the data folder; SQLite
}

// Open opens the database and brings its schema up to date. A SQLite database
// belongs to one Store at a time: a second Open, also in another process, is
// refused.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{node: newID("nod_"), log: log, wakes: make(chan struct{}, 1)}
	var err error
	if cfg.Database == "" {
		err = s.openSQLite(ctx, cfg.DataDir)
	} else {
		err = s.openPostgres(ctx, cfg.Database)
	}
	if err != nil {
		_ = s.Close()
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s, nil
}

// Meetings is the store as the meetings see it.
func (s *Store) Meetings() *Meetings { return &Meetings{s} }

// Outbox is the store as the outbox sees it.
func (s *Store) Outbox() *Outbox { return &Outbox{s} }

// Close closes the database. Nothing may use the store any more; closing it
// again does nothing.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		if s.stop != nil {
			s.stop()
		}
		err = errors.Join(s.reads.close(), s.writes.close())
		for _, db := range []*sql.DB{s.read, s.write} {
			if db != nil {
				err = errors.Join(err, db.Close())
			}
		}
		if s.unlock != nil {
			s.unlock()
		}
	})
	return err
}

// Ping tells whether the database takes what is written: a full disk answers too.
func (s *Store) Ping(ctx context.Context) error {
	return s.change(ctx, "ping", func(tx *sql.Tx) (bool, error) {
		_, err := exec(ctx, tx, `update relay_turn set turn = turn + 1`)
		return false, err
	})
}
