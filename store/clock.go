package store

import (
	"context"
	"database/sql"
	"time"
)

// Time is the time last kept; zero: none was.
func (s *Store) Time(ctx context.Context) (time.Time, error) {
	var when int64
	err := s.read.QueryRowContext(ctx, `select at from clock where id = 1`).Scan(&when)
	return at(when), s.explain(ctx, "read the time", err)
}

// KeepTime keeps t for a later start, also when it is earlier than what is kept.
func (s *Store) KeepTime(ctx context.Context, t time.Time) error {
	return s.change(ctx, "keep the time", func(tx *sql.Tx) (bool, error) {
		_, err := exec(ctx, tx, `update clock set at = $1 where id = 1`, ms(t))
		return false, err
	})
}

// Waiting tells whether the time of something open would be wrong if the clock
// was set: of a meeting, of a delivery.
func (s *Store) Waiting(ctx context.Context) (meetings, deliveries bool, err error) {
	err = s.read.QueryRowContext(ctx, `
select exists (select 1 from meeting where due_at > 0), exists (select 1 from delivery where state = 'pending')`).Scan(&meetings, &deliveries)
	return meetings, deliveries, s.explain(ctx, "look for what waits", err)
}
