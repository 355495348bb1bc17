package httpd

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gin-gonic/gin"

	"ringdown/fault"
)

// checkTime is how long a health check may take before it counts as failed.
const checkTime = time.Second

// Check is one thing that must be well before traffic should come here.
type Check struct {
	// Name is a word: "store", "disk", "media".
	Name string
	// Run tells what is wrong, or nil. A fault.Error's sentence is shown to
	// anyone; any other error goes to the log only. ctx ends after a second.
	Run func(ctx context.Context) error
}

// Health answers /healthz and /readyz.
type Health struct {
	log      *slog.Logger
	checks   []*watched
	draining atomic.Bool
}

// NewHealth makes the health of a house that is well when every check is.
func NewHealth(log *slog.Logger, checks ...Check) *Health {
	h := &Health{log: log}
	for _, c := range checks {
		h.checks = append(h.checks, &watched{Check: c})
	}
	return h
}

// Drain makes the house not ready, for good: it is about to stop.
func (h *Health) Drain() { h.draining.Store(true) }

// Routes are the doors of health, for our own surface.
func (h *Health) Routes() []Route {
	return []Route{
		{Method: http.MethodGet, Path: "/healthz", Who: Anyone, Handler: h.alive},
		{Method: http.MethodGet, Path: "/readyz", Who: Anyone, Handler: h.ready},
	}
}

func (h *Health) alive(c *gin.Context) error {
	c.JSON(http.StatusOK, gin.H{"status": "alive"})
	return nil
}

// checkResult is a line of /readyz.
type checkResult struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Says string `json:"says,omitempty"`
}

func (h *Health) ready(c *gin.Context) error {
	results := make([]checkResult, len(h.checks))
	var wg sync.WaitGroup
	for i, w := range h.checks {
		wg.Go(func() { results[i] = w.look(c.Request.Context(), h.log) })
	}
	wg.Wait()
	status, word := http.StatusOK, "ready"
	for _, r := range results {
		if !r.OK {
			status, word = http.StatusServiceUnavailable, "not ready"
		}
	}
	if h.draining.Load() {
		status, word = http.StatusServiceUnavailable, "draining"
	}
	c.JSON(status, gin.H{"status": word, "checks": results})
	return nil
}

// watched runs its check once at a time, however many ask: later callers wait
// for the run under way. A check that ignores its context so costs one
// goroutine and never two.
type watched struct {
	Check

	mu   sync.Mutex
	run  *run
	last bool // the last result, to log changes only
}

type run struct {
	done chan struct{} // closed by the run's goroutine
	err  error         // valid once done is closed
}

func (w *watched) look(ctx context.Context, log *slog.Logger) checkResult {
	w.mu.Lock()
	r := w.run
	if r == nil {
		r = &run{done: make(chan struct{})}
		w.run = r
		go w.check(context.WithoutCancel(ctx), r, log)
	}
	w.mu.Unlock()
	timer := time.NewTimer(checkTime)
	defer timer.Stop()
	select {
	case <-r.done:
	case <-timer.C:
		return checkResult{Name: w.Name, Says: "no answer within a second"}
	case <-ctx.Done():
		return checkResult{Name: w.Name, Says: "not waited for"}
	}
	if r.err == nil {
		return checkResult{Name: w.Name, OK: true}
	}
	says := "failing; the log has the reason"
	if f := fault.Of(r.err); f.Code != fault.Internal {
		says = f.Detail
	}
	return checkResult{Name: w.Name, Says: says}
}

func (w *watched) check(ctx context.Context, r *run, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	r.err = w.Run(ctx)
	w.mu.Lock()
	w.run = nil
	failed, before := r.err != nil, w.last
	w.last = failed
	w.mu.Unlock()
	defer close(r.done)
	switch {
	case failed && !before:
		log.WarnContext(ctx, "health check fails", "check", w.Name, "err", r.err)
	case !failed && before:
		log.InfoContext(ctx, "health check is well again", "check", w.Name)
	}
}
