package store_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/pressly/goose/v3"

	"ringdown/internal/leak"
	"ringdown/outbox"
	"ringdown/store/storetest"
)

// TestOldDeliveriesGoOn: a database of the first schema, with deliveries in
// every state, is opened by this one: what was pending is sent, in order.
func TestOldDeliveriesGoOn(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			cfg := e.Fresh(t)
			driver, from, folder, dialect := "pgx", cfg.Database, "migrations/postgres", goose.DialectPostgres
			if !e.Shared {
				driver, from, folder, dialect = "sqlite", filepath.Join(cfg.DataDir, "ringdown.db"), "migrations/sqlite", goose.DialectSQLite3
			}
			db, err := sql.Open(driver, from)
			if err != nil {
				t.Fatal(err)
			}
			p, err := goose.NewProvider(dialect, db, os.DirFS(folder), goose.WithDisableGlobalRegistry(true))
			if err == nil {
				_, err = p.UpTo(t.Context(), 1)
			}
			if err != nil {
				t.Fatal(err)
			}
			now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
			for i, d := range []struct{ dest, state string }{
				{"a", "delivered"}, {"a", "pending"}, {"b", "failed"}, {"a", "pending"}, {"b", "pending"}, {"c", "expired"},
			} {
				var done int64
				if d.state != "pending" {
					done = now.UnixMilli()
				}
				if _, err := db.ExecContext(t.Context(), `
insert into delivery (public, event, kind, meeting, target, dest, body, state, reason, attempts, next_at, expires_at, created_at, done_at, lease_until, lease_by)
values ($1, 'evt', 'message.created', 'mtg', 'hook', $2, $3, $4, '', 2, $5, 0, $5, $6, 0, '')`,
					fmt.Sprint("dlv_", i), d.dest, fmt.Append(nil, i), d.state, now.UnixMilli(), done); err != nil {
					t.Fatal(err)
				}
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}

			o := storetest.OpenAt(t, cfg).Outbox()
			counts, err := o.Counts(t.Context())
			if want := (outbox.Counts{Produced: 6, Pending: 3, Delivered: 1, Failed: 1, Expired: 1}); err != nil || counts["hook"] != want {
				t.Errorf("counts %+v, %v", counts, err)
			}
			var order string
			for range 2 {
				list, err := o.Claim(t.Context(), now, now.Add(time.Minute), outbox.Room{Limit: 10, Target: 10})
				if err != nil {
					t.Fatal(err)
				}
				var done []outbox.Done
				for _, d := range list {
					order += fmt.Sprintf("%s%s tried %d/%d, ", d.Dest, d.Body, d.Tries, d.Attempts)
					done = append(done, outbox.Done{Attempt: outbox.Attempt{Delivery: d.ID, At: now}, State: outbox.Delivered})
				}
				if err := o.Finish(t.Context(), done); err != nil {
					t.Fatal(err)
				}
			}
			if want := "a1 tried 2/2, b4 tried 2/2, a3 tried 2/2, "; order != want {
				t.Errorf("sent %s want %s", order, want)
			}
		})
	}
}
