package outbox

import (
	"context"
	"log/slog"
	"time"
)

// Keeper works off replays and removes what was kept long enough, both in small
// transactions with pauses: the writer belongs to what happens now.
type Keeper struct {
	store Store
	cfg   Config
	now   func() time.Time
	log   *slog.Logger
	met   *metrics
}

const (
	replayBatch = 25                    // holds the writer, or the dests, for a few milliseconds
	replayRest  = 40 * time.Millisecond // between two batches
	pruneBatch  = 100
	pruneRest   = 50 * time.Millisecond
	pruneEvery  = 10 * time.Minute
)

// newKeeper makes a Keeper; see New.
func newKeeper(store Store, cfg Config, now func() time.Time, log *slog.Logger, met *metrics) *Keeper {
	return &Keeper{store: store, cfg: cfg.withDefaults(), now: now, log: log, met: met}
}

// Run works until ctx ends. It sees a new replay within Config.Poll.
func (k *Keeper) Run(ctx context.Context) error {
	var prune time.Time
	for ctx.Err() == nil {
		_, working, err := k.store.ReplayStep(ctx, replayBatch, k.now())
		k.trouble(ctx, "replay", err)
		if err == nil && working {
			pause(ctx, nil, replayRest, true)
			continue
		}
		if now := k.now(); !now.Before(prune) {
			n, err := k.store.Prune(ctx, now.Add(-k.cfg.Keep), pruneBatch)
			k.trouble(ctx, "prune", err)
			if err == nil && n == pruneBatch {
				pause(ctx, nil, pruneRest, true)
				continue
			}
			prune = now.Add(pruneEvery)
		}
		pause(ctx, nil, k.cfg.Poll, true)
	}
	return nil
}

func (k *Keeper) trouble(ctx context.Context, part string, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	k.met.troubles.WithLabelValues(part).Inc()
	k.log.ErrorContext(ctx, "the store refuses the outbox", "part", part, "error", err)
}
