package httpd

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringdown/fault"
)

type readiness struct {
	Status string
	Checks []checkResult
}

// ask looks at /readyz without a network, so that it works in a bubble.
func ask(t *testing.T, h http.Handler) (int, readiness) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	var r readiness
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatalf("%q: %v", w.Body, err)
	}
	return w.Code, r
}

func healthSite(t *testing.T, log *slog.Logger, h *Health) http.Handler {
	t.Helper()
	site, err := NewSite(Deps{Authorizer: keys{}, Log: log, Metrics: prometheus.NewRegistry(), Now: time.Now},
		Surface{Name: "own", Routes: h.Routes()})
	if err != nil {
		t.Fatal(err)
	}
	return site
}

func TestO4Readiness(t *testing.T) {
	var log syncBuffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	var store error
	h := NewHealth(logger,
		Check{Name: "store", Run: func(context.Context) error { return store }},
		Check{Name: "disk", Run: func(context.Context) error { return nil }})
	site := healthSite(t, logger, h)

	if status, r := ask(t, site); status != 200 || r.Status != "ready" || len(r.Checks) != 2 || !r.Checks[0].OK {
		t.Errorf("got %d %+v", status, r)
	}
	store = errors.New("dial postgres://user:canary@db: refused")
	status, r := ask(t, site)
	if status != 503 || r.Status != "not ready" || r.Checks[0] != (checkResult{Name: "store", Says: "failing; the log has the reason"}) || !r.Checks[1].OK {
		t.Errorf("got %d %+v", status, r)
	}
	ask(t, site)
	if n := strings.Count(log.String(), "health check fails"); n != 1 {
		t.Errorf("the change was logged %d times", n)
	}
	store = fault.New(fault.Unavailable, "the database does not answer")
	if _, r := ask(t, site); r.Checks[0].Says != "the database does not answer" {
		t.Errorf("got %+v", r)
	}
	store = nil
	if status, _ := ask(t, site); status != 200 {
		t.Errorf("got %d", status)
	}
	h.Drain()
	if status, r := ask(t, site); status != 503 || r.Status != "draining" {
		t.Errorf("got %d %+v", status, r)
	}
	w := httptest.NewRecorder()
	site.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if w.Code != 200 {
		t.Errorf("not alive while draining: %d", w.Code)
	}
}

func TestReadinessAnswersWhileACheckHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		release := make(chan struct{})
		var started atomic.Int32
		h := NewHealth(log, Check{Name: "store", Run: func(context.Context) error { // a check that ignores its context
			started.Add(1)
			<-release
			return nil
		}})
		site := healthSite(t, log, h)
		for range 2 {
			began := time.Now()
			status, r := ask(t, site)
			if status != 503 || r.Checks[0].Says != "no answer within a second" || time.Since(began) != time.Second {
				t.Errorf("got %d %+v after %s", status, r, time.Since(began))
			}
		}
		if n := started.Load(); n != 1 {
			t.Errorf("the check was started %d times", n)
		}
		close(release)
		synctest.Wait()
		if status, _ := ask(t, site); status != 200 {
			t.Errorf("got %d", status)
		}
	})
}
