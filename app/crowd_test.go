package app_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"ringdown/internal/leak"
)

// Many people at once on one meeting are nobody's fault: everything succeeds.
func TestCrowd(t *testing.T) {
	leak.Check(t)
	onBoth(t, func(t *testing.T, h *house) {
		made := h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{"ring": "now"})
		link := made.text("links.agent")
		crowd := func(what string, n, status int, act func(i int) answer) {
			t.Helper()
			var wg sync.WaitGroup
			var bad atomic.Value
			for i := range n {
				wg.Go(func() {
					if a := act(i); a.status != status {
						bad.Store(a.String())
					}
				})
			}
			wg.Wait()
			if b := bad.Load(); b != nil {
				t.Fatalf("%s: %v", what, b)
			}
		}
		people := make([]person, 40)
		crowd("a whole office opens the link", len(people), 200, func(i int) answer {
			people[i] = h.redeem(link, fmt.Sprintf("device-number-%06d", i))
			return answer{status: 200}
		})
		winner := people[30]
		winner.must("POST", "/accept", map[string]string{"name": "Marie"})
		crowd("forty messages", 40, 201, func(i int) answer {
			return winner.do("POST", "/messages", map[string]string{"text": fmt.Sprint("line ", i)})
		})
		if list, _ := winner.must("GET", "/messages", nil).get("messages").([]any); len(list) != 40 {
			t.Fatalf("%d of 40 messages", len(list))
		}
		limited := 0
		for range 40 {
			a := h.do("POST", "/v1/links/redeem", nil, map[string]string{"id": made.text("code"), "secret": "AAAAAAAAAAAAAAAAAAAAAA"})
			if a.status == 429 {
				limited++
			} else if a.status != 404 {
				t.Fatal(a)
			}
		}
		if limited < 5 {
			t.Errorf("%d of 40 guesses were limited", limited)
		}
		h.redeem(link, "device-number-000001") // the right one is never
	})
}
