package outbox_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringdown/internal/leak"
	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/store/storetest"
)

// The promises that are about behaviour. Those about time are in
// promise_test.go.

// stubborn answers always the same.
func stubborn(r outbox.Result) func(context.Context, outbox.Delivery) outbox.Result {
	return func(context.Context, outbox.Delivery) outbox.Result { return r }
}

// TestD3: whatever makes an attempt be repeated, the public id is the same.
func TestD3_a_duplicate_is_known_by_its_id(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			cfg := e.Fresh(t)
			s := storetest.OpenAt(t, cfg)
			save(t, s, "m1", event("e1", "", meeting.KindCreated), event("e2", "", meeting.KindEnded))
			now := time.Now()
			if _, err := s.Outbox().Relay(t.Context(), 10, now, func(ev meeting.Event) []outbox.Draft {
				ds, _ := echo{}.Draft(ev)
				return ds
			}); err != nil {
				t.Fatal(err)
			}
			var ids, bodies []string
			claim := func(now time.Time) outbox.Delivery {
				t.Helper()
				ds, err := s.Outbox().Claim(t.Context(), now, now.Add(time.Minute), outbox.Room{Limit: 10, Target: 10, Replayed: 5})
				if err != nil || len(ds) != 1 {
					t.Fatal(len(ds), err)
				}
				ids, bodies = append(ids, ds[0].Public), append(bodies, string(ds[0].Body))
				return ds[0]
			}
			end := func(d outbox.Delivery, state outbox.State) {
				t.Helper()
				if err := s.Outbox().Finish(t.Context(), []outbox.Done{{Attempt: outbox.Attempt{Delivery: d.ID, At: now}, State: state, Next: now}}); err != nil {
					t.Fatal(err)
				}
			}
			claim(now) // and this process dies with the attempt on its way
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = storetest.OpenAt(t, cfg)
			now = now.Add(2 * time.Minute)
			end(claim(now), outbox.Pending) // a failed attempt
			d := claim(now)
			end(d, outbox.Failed)
			if err := s.Outbox().Requeue(t.Context(), d.ID, outbox.Failed, now); err != nil { // a human's retry
				t.Fatal(err)
			}
			end(claim(now), outbox.Delivered)
			if _, err := s.Outbox().Replay(t.Context(), outbox.Selection{Target: "desk/a"}, now); err != nil {
				t.Fatal(err)
			}
			if n, _, err := s.Outbox().ReplayStep(t.Context(), 10, now); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			ds, err := s.Outbox().Claim(t.Context(), now, now.Add(time.Minute), outbox.Room{Limit: 10, Target: 10, Replayed: 5})
			if err != nil || len(ds) != 2 { // the replayed one, beside the next
				t.Fatal(len(ds), err)
			}
			ids, bodies = append(ids, ds[0].Public), append(bodies, string(ds[0].Body))
			if len(slices.Compact(ids)) != 1 || len(slices.Compact(bodies)) != 1 {
				t.Errorf("ids %v, bodies %v", ids, bodies)
			}
			if ds[1].Public == ds[0].Public {
				t.Error("two deliveries have one id")
			}
		})
	}
}

// TestD4: the table of the promise, with nothing else in between.
func TestD4_the_schedule_is_the_table(t *testing.T) {
	table := []time.Duration{
		0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
		5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
	synctest.Test(t, func(t *testing.T) {
		h := start(t, newMemory(), outbox.Options{Config: outbox.Config{Poll: 5 * time.Minute, PerTarget: 64}, Translators: []outbox.Translator{echo{own: true}}})
		h.desk.will(stubborn(outbox.Result{Verdict: outbox.Retry, Reason: "status_500", Status: 500}))
		const many = 40
		begin := time.Now()
		for n := range many {
			h.add(event(fmt.Sprint(n), meeting.ID(fmt.Sprint("m", n)), meeting.KindEnded))
		}
		time.Sleep(200 * time.Hour)
		synctest.Wait()
		at := map[string][]time.Time{}
		for _, c := range h.desk.seen() {
			at[c.body] = append(at[c.body], c.at)
		}
		var waits [10][]float64 // by attempt: the wait as a share of the table's
		for body, times := range at {
			if len(times) != len(table) {
				t.Fatalf("%s was tried %d times, want %d", body, len(times), len(table))
			}
			if !times[0].Equal(begin) {
				t.Errorf("the first attempt of %s waited %v", body, times[0].Sub(begin))
			}
			for i := 1; i < len(times); i++ {
				waits[i] = append(waits[i], float64(times[i].Sub(times[i-1]))/float64(table[i]))
			}
		}
		for i := 1; i < len(table); i++ {
			low, high := slices.Min(waits[i]), slices.Max(waits[i])
			if low < 0.8 || high > 1.2 {
				t.Errorf("attempt %d came at %.3f to %.3f of %v, want ±20 %%", i+1, low, high, table[i])
			}
			if low > 0.9 || high < 1.1 {
				t.Errorf("attempt %d came at %.3f to %.3f of %v: what failed together comes back together", i+1, low, high, table[i])
			}
		}
		for n := range int64(many) {
			if d := h.the(t, n+1); d.State != outbox.Failed || d.Attempts != len(table) {
				t.Errorf("%s is %s after %d attempts", d.Body, d.State, d.Attempts)
			}
		}
		// A human's retry has the whole table before it again.
		if err := h.Requeue(t.Context(), 1, outbox.Failed, time.Now()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Hour)
		synctest.Wait()
		if d := h.the(t, 1); d.State != outbox.Failed || d.Attempts != 2*len(table) {
			t.Errorf("retried: %s after %d attempts", d.State, d.Attempts)
		}
	})
}

func TestD4_retry_after_is_obeyed_from_a_second_to_a_day(t *testing.T) {
	for _, tc := range []struct{ says, least, most time.Duration }{
		{100 * time.Millisecond, 4 * time.Second, 6 * time.Second}, // the table's 5 s is later
		{time.Minute, time.Minute, time.Minute},
		{24 * time.Hour, 24 * time.Hour, 24 * time.Hour},
		{25 * time.Hour, 24 * time.Hour, 24 * time.Hour},
	} {
		t.Run(tc.says.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := start(t, newMemory(), outbox.Options{Config: outbox.Config{Poll: 5 * time.Minute}})
				h.desk.will(stubborn(outbox.Result{Verdict: outbox.Retry, Reason: "status_429", Status: 429, After: tc.says}))
				h.add(event("1", "m1", meeting.KindEnded))
				time.Sleep(25 * time.Hour)
				synctest.Wait()
				calls := h.desk.seen()
				if wait := calls[1].at.Sub(calls[0].at); wait < tc.least || wait > tc.most {
					t.Errorf("waited %v, want %v to %v", wait, tc.least, tc.most)
				}
			})
		})
	}
}

func TestD4_what_is_given_up_is_not_tried_again(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, newMemory(), outbox.Options{Config: outbox.Config{Poll: 5 * time.Minute}})
		h.desk.will(stubborn(outbox.Result{Verdict: outbox.GiveUp, Reason: "status_410", Status: 410}))
		h.add(event("1", "m1", meeting.KindEnded))
		time.Sleep(100 * time.Hour)
		synctest.Wait()
		if n, d := len(h.desk.seen()), h.the(t, 1); n != 1 || d.State != outbox.Failed {
			t.Errorf("%d attempts, %s", n, d.State)
		}
	})
}

func TestD4_an_attempt_has_fifteen_seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, newMemory(), outbox.Options{})
		var took time.Duration
		h.desk.will(func(ctx context.Context, d outbox.Delivery) outbox.Result {
			begin := time.Now()
			<-ctx.Done()
			if d.Attempts == 0 {
				took = time.Since(begin)
			}
			return outbox.Result{Verdict: outbox.Retry, Reason: "timeout"}
		})
		h.add(event("1", "m1", meeting.KindEnded))
		time.Sleep(20 * time.Second)
		synctest.Wait()
		if took != 15*time.Second {
			t.Errorf("cut after %v", took)
		}
	})
}

// TestD5: the store's suite makes random histories; this one runs the whole
// outbox on a real store with receivers that answer in every way, and adds up.
func TestD5_the_ledger_adds_up(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			s := e.Open(t)
			k := &desk{answer: func(_ context.Context, d outbox.Delivery) outbox.Result {
				switch {
				case d.ID%5 == 0:
					return outbox.Result{Verdict: outbox.GiveUp, Reason: "status_410", Status: 410}
				case d.ID%7 == 0:
					return outbox.Result{Verdict: outbox.Retry, Reason: "refused", After: time.Hour}
				}
				return outbox.Result{Verdict: outbox.OK}
			}}
			run(t, s.Outbox(), k, outbox.Config{})
			const meetings = 60
			for m := range meetings {
				save(t, s, meeting.ID(fmt.Sprintf("m%02d", m)), event(fmt.Sprintf("e%02d", m), "", meeting.KindMessage))
			}
			var c outbox.Counts
			look := time.NewTicker(10 * time.Millisecond)
			defer look.Stop()
			for end := time.Now().Add(30 * time.Second); ; <-look.C {
				all, err := s.Outbox().Counts(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				c = all["desk/a"]
				if c.Missing() != 0 {
					t.Fatalf("%+v: %d vanished", c, c.Missing())
				}
				left, err := s.Outbox().List(t.Context(), outbox.Filter{State: outbox.Pending})
				if err != nil {
					t.Fatal(err)
				}
				fresh := slices.ContainsFunc(left, func(d outbox.Delivery) bool { return d.Attempts == 0 })
				if c.Produced == meetings && c.Delivered > 0 && c.Failed > 0 && len(left) > 0 && !fresh {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("not at rest: %+v", c)
				}
			}
			n, err := s.Outbox().Prune(t.Context(), time.Now().Add(time.Hour), 5)
			if err != nil || n != 5 {
				t.Fatal(n, err)
			}
			all, err := s.Outbox().Counts(t.Context())
			if c := all["desk/a"]; err != nil || c.Missing() != 0 || c.Pruned != 5 || c.Produced != meetings {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
}

// TestD6: the receiver is down past the ring's end, then up.
func TestD6_a_ring_is_fresh_or_not_sent(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			s := e.Open(t)
			var mu sync.Mutex
			up := false
			came := map[string]time.Time{}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				if !up {
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				came[r.Header.Get("Kind")] = time.Now()
			}))
			defer server.Close()
			client := server.Client()
			k := &desk{answer: func(ctx context.Context, d outbox.Delivery) outbox.Result {
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, http.NoBody)
				if err != nil {
					return outbox.Result{Verdict: outbox.GiveUp}
				}
				req.Header.Set("Kind", string(d.Kind))
				res, err := client.Do(req)
				if err != nil {
					return outbox.Result{Verdict: outbox.Retry, Reason: "refused"}
				}
				defer res.Body.Close()
				if res.StatusCode != http.StatusOK {
					return outbox.Result{Verdict: outbox.Retry, Reason: "status_503", Status: res.StatusCode}
				}
				return outbox.Result{Verdict: outbox.OK}
			}}
			defer client.CloseIdleConnections()
			const window = 1500 * time.Millisecond
			runWith(t, s.Outbox(), k, outbox.Config{}, echo{ring: window})
			ring := time.Now()
			save(t, s, "m1", meeting.Event{ID: "ring", Kind: meeting.KindRing, At: ring})
			// The window ends while nobody is there; then the clock says "missed", and
			// the receiver is back.
			<-time.After(time.Until(ring.Add(window)))
			mu.Lock()
			up = true
			mu.Unlock()
			missed := time.Now()
			m, err := s.Meetings().ByID(t.Context(), "m1")
			if err != nil {
				t.Fatal(err)
			}
			m.Version++
			if err := s.Meetings().Save(t.Context(), meeting.Change{Meeting: m, Events: []meeting.Event{
				{ID: "missed", Meeting: "m1", Seq: 2, Kind: meeting.KindMissed, At: missed},
			}}); err != nil {
				t.Fatal(err)
			}
			look := time.NewTicker(5 * time.Millisecond)
			defer look.Stop()
			for end := time.Now().Add(20 * time.Second); ; <-look.C {
				mu.Lock()
				at, there := came[string(meeting.KindMissed)]
				mu.Unlock()
				if there {
					promise(t, "D6", e.Name, "meeting.missed after the window", at.Sub(ring.Add(window)), 2*time.Second)
					break
				}
				if time.Now().After(end) {
					t.Fatal("meeting.missed never came")
				}
			}
			mu.Lock()
			_, late := came[string(meeting.KindRing)]
			mu.Unlock()
			list, err := s.Outbox().List(t.Context(), outbox.Filter{Kind: meeting.KindRing})
			if err != nil || late || list[0].State != outbox.Expired || list[0].Attempts == 0 {
				t.Errorf("the ring came late: %v; it is %s after %d attempts, %v", late, list[0].State, list[0].Attempts, err)
			}
			// Not even a replay brings it back.
			if n, err := s.Outbox().Match(t.Context(), outbox.Selection{States: []outbox.State{outbox.Expired}}, time.Now()); err != nil || n.Count != 0 || n.TooLate != 1 {
				t.Errorf("a replay would send %+v, %v", n, err)
			}
		})
	}
}
