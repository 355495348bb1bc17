package app

import (
	"context"
	"log/slog"
	"time"

	"ringdown/config"
	"ringdown/store"
)

// NewBy is New by a wall clock of the test's.
func NewBy(ctx context.Context, cfg config.Config, version string, log *slog.Logger, wall func() time.Time) (*App, error) {
	return open(ctx, cfg, version, log, wall)
}

// Clock is the daemon's clock.
type Clock = clock

// OpenClock opens a clock that goes by two of the test's.
func OpenClock(ctx context.Context, wall func() time.Time, passed func() time.Duration, s *store.Store) (*Clock, error) {
	return openClock(ctx, wall, passed, s, slog.New(slog.DiscardHandler))
}
