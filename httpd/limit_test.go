package httpd

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"ringdown/fault"
	"ringdown/internal/leak"
)

func TestLimiter(t *testing.T) {
	now := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	l := NewLimiter(10*time.Second, 2, 3, func() time.Time { return now })
	allowed := func(key string) bool { return l.Allow(key) == nil }
	for i, want := range []bool{true, true, false} {
		if allowed("a") != want {
			t.Fatalf("event %d of a burst of two: allowed is not %v", i+1, want)
		}
	}
	if f := fault.Of(l.Allow("a")); f.Code != fault.TooMany || f.Data[RetryAfter] != "10" {
		t.Errorf("got %+v", f)
	}
	if !allowed("b") {
		t.Error("one key empties another")
	}
	now = now.Add(9 * time.Second)
	if f := fault.Of(l.Allow("a")); f.Data[RetryAfter] != "1" {
		t.Errorf("got %+v", f)
	}
	now = now.Add(time.Second)
	if !allowed("a") || allowed("a") {
		t.Error("refused tries cost tokens, or one more came than one")
	}
	for i := range 100 {
		allowed(fmt.Sprint("many", i))
	}
	if len(l.byKey) != 3 || l.order.Len() != 3 {
		t.Errorf("%d keys are remembered", len(l.byKey))
	}
}

func TestLimiterInParallel(t *testing.T) {
	now := time.Now()
	l := NewLimiter(time.Hour, 10, 2, func() time.Time { return now })
	var wg sync.WaitGroup
	var mu sync.Mutex
	passed := 0
	for range 100 {
		wg.Go(func() {
			if l.Allow("k") == nil {
				mu.Lock()
				passed++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if passed != 10 {
		t.Errorf("%d passed", passed)
	}
}

func TestAddressKey(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "::ffff:192.0.2.1": "192.0.2.1", "2001:db8:1:2:3::4": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "odd": "odd",
	} {
		if got := AddressKey(ip); got != want {
			t.Errorf("%s: got %s, want %s", ip, got, want)
		}
	}
}

func TestLimitedRoute(t *testing.T) {
	leak.Check(t)
	now := time.Now()
	clock := func() time.Time { return now }
	b := newBench(t, nil, Surface{Name: "own", Routes: []Route{
		{Method: "GET", Path: "/v1/ip", Who: Anyone, Handler: says("ok"), Limits: []Limit{PerIP(NewLimiter(30*time.Second, 1, 0, clock))}},
		{
			Method: "GET", Path: "/v1/caller", Who: Any(Session(), APIKey()), Handler: says("ok"),
			Limits: []Limit{PerCaller(NewLimiter(time.Minute, 1, 0, clock))},
		},
	}})
	if resp, _ := b.do(t, "GET", "/v1/ip", ""); resp.StatusCode != 200 {
		t.Errorf("got %d", resp.StatusCode)
	}
	resp, body := b.do(t, "GET", "/v1/ip", "")
	if p := problemOf(t, resp, body); p.Status != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "30" {
		t.Errorf("got %+v, Retry-After %q", p, resp.Header.Get("Retry-After"))
	}
	for _, tc := range []struct {
		bearer string
		want   int
	}{{"admin", 200}, {"visitor", 200}, {"admin", 429}, {"visitor", 429}, {"nobody", 401}} {
		if resp, _ := b.do(t, "GET", "/v1/caller", "", "Authorization", "Bearer "+tc.bearer); resp.StatusCode != tc.want {
			t.Errorf("%s: got %d, want %d", tc.bearer, resp.StatusCode, tc.want)
		}
	}
}
