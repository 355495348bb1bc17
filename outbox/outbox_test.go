package outbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"ringdown/internal/leak"
	"ringdown/meeting"
	"ringdown/outbox"
)

func TestMain(m *testing.M) { leak.Main(m) }

// desk is a Deliverer whose answers are a script.
type desk struct {
	mu     sync.Mutex
	calls  []call
	answer func(ctx context.Context, d outbox.Delivery) outbox.Result
}

type call struct {
	at   time.Time
	kind meeting.Kind
	body string
}

func (k *desk) Deliver(ctx context.Context, d outbox.Delivery) outbox.Result {
	k.mu.Lock()
	k.calls = append(k.calls, call{time.Now(), d.Kind, string(d.Body)})
	answer := k.answer
	k.mu.Unlock()
	if answer == nil {
		return outbox.Result{Verdict: outbox.OK}
	}
	return answer(ctx, d)
}

func (k *desk) will(answer func(ctx context.Context, d outbox.Delivery) outbox.Result) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.answer = answer
}

func (k *desk) seen() []call {
	k.mu.Lock()
	defer k.mu.Unlock()
	return append([]call(nil), k.calls...)
}

func (k *desk) bodies() string {
	var b []string
	for _, c := range k.seen() {
		b = append(b, c.body)
	}
	return strings.Join(b, " ")
}

// echo drafts one delivery per event: for "desk/a", in the order of the meeting.
// With own it drafts for a target of the meeting's own.
type echo struct {
	ring time.Duration
	own  bool
}

func (e echo) Draft(ev meeting.Event) ([]outbox.Draft, error) {
	d := outbox.Draft{Target: "desk/a", Dest: "desk/a/" + string(ev.Meeting), Body: []byte(ev.ID)}
	if e.own {
		d.Target = "desk/" + string(ev.Meeting)
	}
	if ev.Kind == meeting.KindRing {
		d.ExpiresAt = ev.At.Add(e.ring)
	}
	return []outbox.Draft{d}, nil
}

type translatorFunc func(meeting.Event) ([]outbox.Draft, error)

func (f translatorFunc) Draft(ev meeting.Event) ([]outbox.Draft, error) { return f(ev) }

func event(id string, mtg meeting.ID, kind meeting.Kind) meeting.Event {
	return meeting.Event{ID: meeting.EventID(id), Meeting: mtg, Kind: kind, At: time.Now()}
}

// house is a running Outbox on the memory store.
type house struct {
	*memory
	desk    *desk
	log     *bytes.Buffer // read it after stop
	metrics *prometheus.Registry
	stop    func()
}

func start(t *testing.T, store *memory, o outbox.Options) *house {
	t.Helper()
	h := &house{memory: store, desk: &desk{}, log: &bytes.Buffer{}, metrics: prometheus.NewRegistry()}
	o.Store, o.Now, o.Log, o.Metrics = store, time.Now, slog.New(slog.NewTextHandler(h.log, nil)), h.metrics
	o.Rand = rand.New(rand.NewPCG(1, 2))
	if o.Translators == nil {
		o.Translators = []outbox.Translator{echo{ring: 30 * time.Second}}
	}
	if o.Deliverers == nil {
		o.Deliverers = map[string]outbox.Deliverer{"desk": h.desk}
	}
	box, err := outbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- box.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(h.stop)
	return h
}

func (h *house) the(t *testing.T, n int64) outbox.Delivery {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.row(n)
	if r == nil {
		t.Fatalf("there is no delivery %d", n)
	}
	return r.Delivery
}

func TestOutboxDeliversAtOnceAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, newMemory(), outbox.Options{})
		synctest.Wait()
		begin := time.Now()
		h.add(event("1", "m1", meeting.KindCreated), event("2", "m1", meeting.KindMessage), event("3", "m2", meeting.KindMessage))
		synctest.Wait()
		if got := time.Since(begin); got != 0 {
			t.Errorf("took %v of waiting, want none", got)
		}
		if got := h.desk.bodies(); !strings.Contains(got, "1") || strings.Index(got, "1") > strings.Index(got, "2") || len(h.desk.seen()) != 3 {
			t.Errorf("sent %q", got)
		}
		for n := range int64(3) {
			if d := h.the(t, n+1); d.State != outbox.Delivered || d.Attempts != 1 {
				t.Errorf("delivery %d is %s after %d attempts", n+1, d.State, d.Attempts)
			}
		}
	})
}

func TestOutboxFindsWorkWithoutAWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, newMemory(), outbox.Options{})
		synctest.Wait()
		h.mu.Lock()
		h.events = append(h.events, event("1", "m1", meeting.KindCreated)) // as if the wake was lost
		h.mu.Unlock()
		time.Sleep(2100 * time.Millisecond)
		synctest.Wait()
		if h.desk.bodies() != "1" {
			t.Errorf("sent %q after two polls", h.desk.bodies())
		}
	})
}

func TestScheduleOfALastingDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, newMemory(), outbox.Options{Config: outbox.Config{Poll: 5 * time.Minute}}) // days go by
		h.desk.will(func(context.Context, outbox.Delivery) outbox.Result {
			return outbox.Result{Verdict: outbox.Retry, Reason: "status_500", Status: 500}
		})
		h.add(event("1", "m1", meeting.KindEnded))
		time.Sleep(100 * time.Hour)
		synctest.Wait()
		want := []time.Duration{
			0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
			10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
		}
		calls := h.desk.seen()
		if len(calls) != len(want) {
			t.Fatalf("%d attempts, want %d", len(calls), len(want))
		}
		exact := 0
		for i := 1; i < len(want); i++ {
			got := calls[i].at.Sub(calls[i-1].at)
			if got < want[i]*8/10 || got > want[i]*12/10 {
				t.Errorf("attempt %d came %v after the one before, want %v ± 20 %%", i+1, got, want[i])
			}
			if got == want[i] {
				exact++
			}
		}
		if exact > 0 {
			t.Errorf("%d waits have no jitter", exact)
		}
		d := h.the(t, 1)
		if d.State != outbox.Failed || d.Attempts != 10 || d.Reason != "status_500" {
			t.Errorf("ended as %s, %q, after %d attempts", d.State, d.Reason, d.Attempts)
		}
		h.stop()
		if !strings.Contains(h.log.String(), "level=WARN msg=\"delivery failed\"") {
			t.Errorf("nobody was warned:\n%s", h.log)
		}
	})
}

func TestScheduleOfAPerishableDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, newMemory(), outbox.Options{})
		h.desk.will(func(context.Context, outbox.Delivery) outbox.Result {
			return outbox.Result{Verdict: outbox.Retry, Reason: "refused"}
		})
		begin := time.Now()
		h.add(event("1", "m1", meeting.KindRing))
		time.Sleep(time.Hour)
		synctest.Wait()
		var got []string
		for _, c := range h.desk.seen() {
			got = append(got, c.at.Sub(begin).String())
		}
		if want := "0s 1s 3s 8s 18s 28s"; strings.Join(got, " ") != want {
			t.Errorf("attempts at %v, want %s", got, want)
		}
		if d := h.the(t, 1); d.State != outbox.Expired {
			t.Errorf("ended as %s", d.State)
		}
	})
}

func TestRetryAfterIsObeyed(t *testing.T) {
	for _, tc := range []struct {
		name  string
		after time.Duration
		kind  meeting.Kind
		want  time.Duration // to the second attempt, at least
		slack time.Duration
	}{
		{"longer than the schedule", time.Minute, meeting.KindEnded, time.Minute, 0},
		{"a day at the most", 1000 * time.Hour, meeting.KindEnded, 24 * time.Hour, 0},
		{"shorter than the schedule", time.Second, meeting.KindEnded, 4 * time.Second, 2 * time.Second},
		{"of a ring", 7 * time.Second, meeting.KindRing, 7 * time.Second, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := start(t, newMemory(), outbox.Options{Config: outbox.Config{Poll: 5 * time.Minute}})
				h.desk.will(func(_ context.Context, d outbox.Delivery) outbox.Result {
					if d.Attempts > 0 {
						return outbox.Result{Verdict: outbox.OK}
					}
					return outbox.Result{Verdict: outbox.Retry, Reason: "status_429", Status: 429, After: tc.after}
				})
				h.add(event("1", "m1", tc.kind))
				time.Sleep(tc.want + 10*time.Minute)
				synctest.Wait()
				calls := h.desk.seen()
				if len(calls) != 2 {
					t.Fatalf("%d attempts", len(calls))
				}
				if got := calls[1].at.Sub(calls[0].at); got < tc.want || got > tc.want+tc.slack {
					t.Errorf("came again after %v, want %v", got, tc.want)
				}
			})
		})
	}
}

func TestRingIsNeverSentLate(t *testing.T) {
	t.Run("when nobody ran in time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			store.add(event("ring", "m1", meeting.KindRing), event("end", "m1", meeting.KindEnded))
			time.Sleep(31 * time.Second)
			h := start(t, store, outbox.Options{})
			time.Sleep(time.Minute)
			synctest.Wait()
			if got := h.desk.bodies(); got != "end" {
				t.Errorf("sent %q, want only what still makes sense", got)
			}
			if d := h.the(t, 1); d.State != outbox.Expired || d.Attempts != 0 {
				t.Errorf("the ring is %s after %d attempts", d.State, d.Attempts)
			}
		})
	})
	t.Run("when the other side hangs", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			h := start(t, newMemory(), outbox.Options{Translators: []outbox.Translator{echo{ring: 4 * time.Second}}})
			h.desk.will(func(ctx context.Context, d outbox.Delivery) outbox.Result {
				if d.Kind != meeting.KindRing {
					return outbox.Result{Verdict: outbox.OK}
				}
				<-ctx.Done()
				return outbox.Result{Verdict: outbox.Retry, Reason: "timeout"}
			})
			begin := time.Now()
			h.add(event("ring", "m1", meeting.KindRing), event("end", "m1", meeting.KindEnded))
			time.Sleep(time.Minute)
			synctest.Wait()
			calls := h.desk.seen()
			if len(calls) != 2 || calls[1].body != "end" || calls[1].at.Sub(begin) != 4*time.Second {
				t.Errorf("calls: %v; want the next of the Dest right after the ring's end", calls)
			}
			if d := h.the(t, 1); d.State != outbox.Expired || d.Reason != "timeout" {
				t.Errorf("the ring is %s, %q", d.State, d.Reason)
			}
		})
	})
	t.Run("when it was claimed too late", func(t *testing.T) {
		// Two processes' clocks differ by a second: this one claims with its own
		// time, and the ring's end is in its past by the time of the attempt.
		synctest.Test(t, func(t *testing.T) {
			store := newMemory()
			h := start(t, store, outbox.Options{Translators: []outbox.Translator{echo{ring: 0}}})
			store.add(event("ring", "m1", meeting.KindRing))
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if len(h.desk.seen()) != 0 || h.the(t, 1).State != outbox.Expired {
				t.Errorf("calls %v, state %s", h.desk.seen(), h.the(t, 1).State)
			}
		})
	})
}

func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, newMemory(), outbox.Options{})
		h.desk.will(func(_ context.Context, d outbox.Delivery) outbox.Result {
			if d.ID == 1 {
				return outbox.Result{Verdict: outbox.GiveUp, Reason: "status_404", Status: 404}
			}
			return outbox.Result{Verdict: outbox.OK}
		})
		h.add(event("1", "m1", meeting.KindCreated), event("2", "m1", meeting.KindEnded))
		synctest.Wait()
		if h.the(t, 1).State != outbox.Failed || h.the(t, 2).State != outbox.Delivered {
			t.Errorf("states: %s, %s", h.the(t, 1).State, h.the(t, 2).State)
		}
		h.desk.will(nil)
		if err := h.Requeue(t.Context(), 1, outbox.Failed, time.Now()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if d := h.the(t, 1); d.State != outbox.Delivered || d.Attempts != 2 {
			t.Errorf("after a human's retry: %s, %d attempts", d.State, d.Attempts)
		}
	})
}

func TestASlowDestHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, newMemory(), outbox.Options{})
		h.desk.will(func(ctx context.Context, d outbox.Delivery) outbox.Result {
			if d.Meeting == "slow" {
				<-ctx.Done()
				return outbox.Result{Verdict: outbox.Retry, Reason: "timeout"}
			}
			return outbox.Result{Verdict: outbox.OK}
		})
		h.add(event("s1", "slow", meeting.KindCreated), event("s2", "slow", meeting.KindEnded))
		synctest.Wait()
		for n := range 50 {
			at := time.Now()
			h.add(event(fmt.Sprint(n), meeting.ID(fmt.Sprint("m", n)), meeting.KindCreated))
			synctest.Wait()
			calls := h.desk.seen()
			if last := calls[len(calls)-1]; last.body != fmt.Sprint(n) || !last.at.Equal(at) {
				t.Fatalf("event %d: last call %v", n, last)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if strings.Contains(h.desk.bodies(), "s2") {
			t.Error("the slow one's second delivery overtook its first")
		}
	})
}

func TestParallelIsTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, newMemory(), outbox.Options{Config: outbox.Config{Parallel: 3}})
		var mu sync.Mutex
		running, most := 0, 0
		h.desk.will(func(context.Context, outbox.Delivery) outbox.Result {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			running--
			mu.Unlock()
			return outbox.Result{Verdict: outbox.OK}
		})
		for n := range 30 {
			h.add(event(fmt.Sprint(n), meeting.ID(fmt.Sprint("m", n)), meeting.KindCreated))
		}
		time.Sleep(1001 * time.Millisecond) // ten rounds of three, without waiting for a poll between them
		synctest.Wait()
		if most != 3 || len(h.desk.seen()) != 30 {
			t.Errorf("%d at a time, %d done after a second", most, len(h.desk.seen()))
		}
	})
}

func TestCompletionsAreStoredInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		h := start(t, store, outbox.Options{Config: outbox.Config{Parallel: 1000}, Translators: []outbox.Translator{echo{own: true}}})
		h.desk.will(func(context.Context, outbox.Delivery) outbox.Result {
			time.Sleep(50 * time.Millisecond)
			return outbox.Result{Verdict: outbox.OK}
		})
		for n := range 500 {
			store.add(event(fmt.Sprint(n), meeting.ID(fmt.Sprint("m", n)), meeting.KindCreated))
		}
		synctest.Wait()
		store.setFault(errors.New("disk full")) // the attempts end while nothing can be stored
		time.Sleep(2 * time.Second)
		store.setFault(nil)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		store.mu.Lock()
		defer store.mu.Unlock()
		sum := 0
		for _, n := range store.finishes {
			sum += n
			if n > 200 {
				t.Errorf("a batch of %d", n)
			}
		}
		if sum != 500 || len(store.finishes) > 5 {
			t.Errorf("%d completions in %d transactions", sum, len(store.finishes))
		}
		if n := len(h.desk.seen()); n != 500 {
			t.Errorf("%d calls: what could not be stored was sent again", n)
		}
	})
}

func TestLeaseIsKeptWhileTheVendorIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		cfg := outbox.Config{Timeout: time.Minute, Lease: 61 * time.Second}
		h := start(t, store, outbox.Options{Config: cfg})
		h.desk.will(func(context.Context, outbox.Delivery) outbox.Result {
			time.Sleep(59 * time.Second)
			store.setFault(errors.New("locked")) // and then the store is slow as well
			time.AfterFunc(4*time.Second, func() { store.setFault(nil) })
			return outbox.Result{Verdict: outbox.OK}
		})
		other := start(t, store, outbox.Options{Config: cfg}) // another process on the same store
		other.desk.will(h.desk.answer)
		store.add(event("1", "m1", meeting.KindCreated))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(h.desk.seen()) + len(other.desk.seen()); n != 1 {
			t.Errorf("%d attempts", n)
		}
		if d := h.the(t, 1); d.State != outbox.Delivered {
			t.Errorf("ended as %s", d.State)
		}
	})
}

func TestALeaseThatRanOutIsNotTakenTwiceHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		store.readOnly = errors.New("disk full")
		h := start(t, store, outbox.Options{})
		store.add(event("1", "m1", meeting.KindCreated))
		time.Sleep(5 * time.Minute) // ten leases
		store.mu.Lock()
		store.readOnly = nil
		store.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if n := len(h.desk.seen()); n != 1 || h.the(t, 1).State != outbox.Delivered {
			t.Errorf("%d attempts, %s", n, h.the(t, 1).State)
		}
	})
}

func TestACrashedProcessBlocksForOneLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		store.add(event("1", "m1", meeting.KindCreated))
		if _, err := store.Relay(t.Context(), 10, time.Now(), func(ev meeting.Event) []outbox.Draft {
			ds, _ := echo{}.Draft(ev)
			return ds
		}); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if ds, _ := store.Claim(t.Context(), begin, begin.Add(30*time.Second), outbox.Room{Limit: 10, Target: 10}); len(ds) != 1 {
			t.Fatal("nothing to claim")
		} // and the claimer is killed
		h := start(t, store, outbox.Options{})
		time.Sleep(time.Minute)
		synctest.Wait()
		if calls := h.desk.seen(); len(calls) != 1 || calls[0].at.Sub(begin) > 31*time.Second {
			t.Errorf("calls: %v", calls)
		}
	})
}

func TestStopDrainsAndReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		h := start(t, store, outbox.Options{})
		h.desk.will(func(ctx context.Context, d outbox.Delivery) outbox.Result {
			wait := 3 * time.Second // ends within the drain time
			if d.Meeting == "hangs" {
				wait = time.Hour
			}
			select {
			case <-time.After(wait):
				return outbox.Result{Verdict: outbox.OK}
			case <-ctx.Done():
				return outbox.Result{Verdict: outbox.Retry, Reason: "timeout"}
			}
		})
		store.add(event("1", "m1", meeting.KindCreated), event("2", "hangs", meeting.KindCreated))
		synctest.Wait()
		begin := time.Now()
		h.stop()
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("stopping took %v, want the drain time", took)
		}
		if d := h.the(t, 1); d.State != outbox.Delivered {
			t.Errorf("what could finish is %s", d.State)
		}
		if d := h.the(t, 2); d.State != outbox.Pending || d.Attempts != 0 {
			t.Errorf("what was cut is %s after %d attempts", d.State, d.Attempts)
		}
		next := start(t, store, outbox.Options{})
		synctest.Wait()
		if next.desk.bodies() != "2" {
			t.Errorf("the next process sent %q at once", next.desk.bodies())
		}
	})
}

func TestStopEndsWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newMemory()
		h := start(t, store, outbox.Options{})
		h.desk.will(func(context.Context, outbox.Delivery) outbox.Result {
			store.setFault(errors.New("gone"))
			return outbox.Result{Verdict: outbox.OK}
		})
		store.add(event("1", "m1", meeting.KindCreated))
		synctest.Wait()
		begin := time.Now()
		h.stop()
		if took := time.Since(begin); took > 11*time.Second {
			t.Errorf("stopping took %v", took)
		}
		store.setFault(nil)
	})
}

func TestABrokenPartHurtsOnlyItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := &desk{answer: func(context.Context, outbox.Delivery) outbox.Result { panic("index out of range") }}
		good := &desk{}
		h := start(t, newMemory(), outbox.Options{
			Translators: []outbox.Translator{
				translatorFunc(func(meeting.Event) ([]outbox.Draft, error) { panic("nil map") }),
				translatorFunc(func(meeting.Event) ([]outbox.Draft, error) {
					return []outbox.Draft{{Target: "good/x", Dest: "good", Body: []byte("h")}}, errors.New("no template for the other")
				}),
				translatorFunc(func(meeting.Event) ([]outbox.Draft, error) { return []outbox.Draft{{Target: "bad/x"}}, nil }),
				translatorFunc(func(ev meeting.Event) ([]outbox.Draft, error) {
					return []outbox.Draft{
						{Target: "bad/x", Dest: "bad", Body: []byte("b")}, {Target: "nobody/x", Dest: "nobody", Body: []byte("n")},
					}, nil
				}),
				translatorFunc(func(ev meeting.Event) ([]outbox.Draft, error) {
					return []outbox.Draft{{Target: "good/x", Dest: "good", Body: []byte("g")}}, nil
				}),
			},
			Deliverers: map[string]outbox.Deliverer{"bad": bad, "good": good},
		})
		h.add(event("1", "m1", meeting.KindCreated))
		synctest.Wait()
		if good.bodies() != "h g" {
			t.Errorf("the good part sent %q", good.bodies())
		}
		if d := h.the(t, 2); d.State != outbox.Pending || d.Reason != "panic" {
			t.Errorf("the bad part's delivery is %s, %q", d.State, d.Reason)
		}
		if d := h.the(t, 3); d.State != outbox.Failed || d.Reason != "no_connector" {
			t.Errorf("nobody's delivery is %s, %q", d.State, d.Reason)
		}
		h.stop()
		want := `
# HELP ringdown_outbox_troubles_total What must not happen: the store refusing (relay, claim, finish, lease, replay, prune), a translator's error (draft), a deliverer's panic (deliver).
# TYPE ringdown_outbox_troubles_total counter
ringdown_outbox_troubles_total{part="deliver"} 1
ringdown_outbox_troubles_total{part="draft"} 3
`
		if err := testutil.GatherAndCompare(h.metrics, strings.NewReader(want), "ringdown_outbox_troubles_total"); err != nil {
			t.Error(err)
		}
		want = `
# HELP ringdown_outbox_deliveries Deliveries kept, by where they stand.
# TYPE ringdown_outbox_deliveries gauge
ringdown_outbox_deliveries{connector="bad",state="pending"} 1
ringdown_outbox_deliveries{connector="good",state="delivered"} 2
ringdown_outbox_deliveries{connector="nobody",state="failed"} 1
`
		if err := testutil.GatherAndCompare(h.metrics, strings.NewReader(want), "ringdown_outbox_deliveries"); err != nil {
			t.Error(err)
		}
	})
}

func TestARelayOutlivesItsStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := start(t, newMemory(), outbox.Options{})
		h.setFault(errors.New("disk full"))
		h.add(event("1", "m1", meeting.KindCreated))
		time.Sleep(10 * time.Second)
		h.setFault(nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if h.desk.bodies() != "1" {
			t.Errorf("sent %q", h.desk.bodies())
		}
	})
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	ok := outbox.Options{Store: newMemory(), Now: time.Now, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()}
	short := ok
	short.Config = outbox.Config{Timeout: time.Minute, Lease: time.Minute}
	crowded, forgetful := ok, ok
	crowded.Config, forgetful.Config = outbox.Config{PerTarget: 65}, outbox.Config{Keep: time.Minute}
	for _, o := range []outbox.Options{{}, short, crowded, forgetful} {
		if _, err := outbox.New(o); err == nil {
			t.Errorf("%+v was taken", o.Config)
		}
	}
	if _, err := outbox.New(ok); err != nil {
		t.Error(err)
	}
}
