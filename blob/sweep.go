package blob

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	sweepEvery  = time.Hour
	orphanAfter = 24 * time.Hour // bytes whose message never came
)

// Known tells which files of a group somebody still needs. It is asked for
// groups that hold files older than a day. A group that it does not know at all
// (false) is left alone: that is another database, not a crash.
type Known func(ctx context.Context, group string) (map[string]bool, bool, error)

// Sweeper removes what a crash left behind in a Folder: bytes that nobody needs
// and uploads that never ended.
type Sweeper struct {
	folder *Folder
	known  Known
	now    func() time.Time
	log    *slog.Logger
	// through: files not younger than this were looked at by an earlier sweep.
	through time.Time
}

// NewSweeper makes a Sweeper; Run does the work.
func NewSweeper(f *Folder, known Known, now func() time.Time, log *slog.Logger) *Sweeper {
	return &Sweeper{folder: f, known: known, now: now, log: log}
}

// Run sweeps at once and every hour until ctx ends.
func (s *Sweeper) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		s.sweep(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// sweep looks once at each file: when it has become old enough to be an orphan.
func (s *Sweeper) sweep(ctx context.Context) {
	until := s.now().Add(-orphanAfter)
	groups, err := os.ReadDir(s.folder.dir)
	removed, whole := 0, err == nil
	for _, g := range groups {
		if ctx.Err() != nil {
			return
		}
		if g.IsDir() {
			n, err := s.group(ctx, g.Name(), until)
			removed += n
			if err != nil {
				whole = false
				s.log.WarnContext(ctx, "files could not be looked through", "group", g.Name(), "err", err)
			}
		}
	}
	if whole {
		s.through = until
	}
	if removed > 0 {
		s.log.InfoContext(ctx, "orphaned files removed", "files", removed)
	}
}

func (s *Sweeper) group(ctx context.Context, group string, until time.Time) (removed int, err error) {
	dir := filepath.Join(s.folder.dir, group)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	var needed map[string]bool
	asked, known := false, false
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.ModTime().After(until) {
			continue // gone, or young
		}
		if !strings.HasPrefix(e.Name(), partName) { // one that was written to its end
			if !info.ModTime().After(s.through) || (Key{group, e.Name()}).check() != nil {
				continue // looked at before, or nothing of ours
			}
			if !asked {
				if needed, known, err = s.known(ctx, group); err != nil {
					return removed, err
				}
				asked = true
			}
			if !known || needed[e.Name()] {
				continue
			}
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !os.IsNotExist(err) {
			return removed, err
		}
		removed++
	}
	return removed, nil
}
