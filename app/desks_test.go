package app_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"ringdown/internal/leak"
	"ringdown/store"
	"ringdown/store/storetest"
)

const demoSecret = "/demo-secret-of-the-phones"

// What rang just before a stop is there after it: the tab opens, the journal
// tells of every request, and what an agent wrote stays.
func TestPhonesOutliveARestart(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			const rings = 120
			dir, db := t.TempDir(), e.Fresh(t).Database
			h := startAt(t, dir, db)
			pages := make([]tab, rings)
			for n := range pages {
				pages[n] = h.tab(h.ring(demoSecret, map[string]any{"callDataCallId": fmt.Sprint("1724763400.", n)}))
			}
			last := pages[rings-1]
			last.must("POST", "/open", nil)
			h.ring(demoSecret, map[string]any{"callDataCallId": "1724763400.0"}) // rings again
			h.stop()

			h = startAt(t, dir, db)
			for _, p := range pages {
				p.h = h
				if got := p.must("GET", "", nil); got.text("caller") == "" {
					t.Fatalf("its page is empty: %s", got)
				}
			}
			list, _ := h.must(200, "GET", "/v1/desks/journal?limit=200", bearer(h.key), nil).get("entries").([]any)
			if len(list) != rings+1 {
				t.Errorf("the journal has %d of %d requests", len(list), rings+1)
			}
		})
	}
}

// An administrator unties a login from its user, nobody else does.
func TestALoginIsForgotten(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			dir, db := t.TempDir(), e.Fresh(t).Database
			bind := func(login string) string {
				t.Helper()
				s, err := store.Open(t.Context(), store.Config{Database: db, DataDir: filepath.Join(dir, "demo")}, slog.New(slog.DiscardHandler))
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				bound, err := s.BindLogin(t.Context(), "thirdparty/xucmgt", "54", login)
				if err != nil {
					t.Fatal(err)
				}
				return bound
			}
			bind("ada")
			if got := bind("mallory"); got != "ada" {
				t.Fatalf("tied to %s", got)
			}
			h := startAt(t, dir, db)
			const path = "/v1/desks/logins/thirdparty/xucmgt/54"
			weak := h.must(201, "POST", "/v1/keys", bearer(h.key), map[string]string{"name": "shop", "role": "integrator"}).text("key")
			h.must(403, "DELETE", path, bearer(weak), nil)
			h.must(404, "DELETE", "/v1/desks/logins/thirdparty/xucmgt/55", bearer(h.key), nil)
			h.must(204, "DELETE", path, bearer(h.key), nil)
			h.must(404, "DELETE", path, bearer(h.key), nil)
			h.stop()
			if got := bind("ada.byron"); got != "ada.byron" {
				t.Errorf("tied to %s", got)
			}
		})
	}
}
