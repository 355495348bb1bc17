package outbox_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringdown/internal/leak"
	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/store"
	"ringdown/store/storetest"
)

// judged tells whether figures count: the machine is ours alone.
func judged() bool { return os.Getenv("RINGDOWN_PROMISES") != "" }

// load is what the promises about time are made under: events at a rate, each
// for every target, of which the last one hangs.
type load struct {
	rate    int // events per second
	targets int
	lasts   time.Duration
}

func theLoad() load {
	if judged() {
		return load{rate: 50, targets: 20, lasts: 20 * time.Second}
	}
	return load{rate: 20, targets: 8, lasts: 2 * time.Second}
}

// promise prints a figure and, where figures count, judges it.
func promise(t *testing.T, id, engine, what string, got, most time.Duration) {
	t.Helper()
	unit := func(d time.Duration) string {
		if most >= 10*time.Second {
			return fmt.Sprintf("%.1f s", d.Seconds())
		}
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	fmt.Printf("promise %s %s %s %s (at most %s)\n", id, strings.ToLower(engine), what, unit(got), unit(most))
	if judged() && got > most {
		t.Errorf("%s: %s took %v, more than %v", id, what, got, most)
	}
	if generous := max(20*most, 10*time.Second); got > generous {
		t.Errorf("%s: %s took %v, far more than %v", id, what, got, most)
	}
}

// endpoints are real HTTP receivers and the way to them.
type endpoints struct {
	client *http.Client
	urls   map[string]string // by target

	mu    sync.Mutex
	came  map[string]time.Time // first arrival of a delivery's body at a target
	ids   map[string]int       // by webhook id, how often it came
	news  int                  // of came: events
	olds  int                  // of came: what was delivered before and is replayed
	twice int                  // arrivals beyond the first
}

func newEndpoints(t *testing.T, n int) *endpoints {
	e := &endpoints{
		urls: map[string]string{}, came: map[string]time.Time{}, ids: map[string]int{},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}},
	}
	t.Cleanup(e.client.CloseIdleConnections)
	for i := range n {
		target := fmt.Sprintf("hook/%02d", i)
		hangs := i == n-1
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			if hangs {
				<-r.Context().Done()
				return
			}
			e.arrive(target+" "+string(body), r.Header.Get("Webhook-Id"))
		}))
		t.Cleanup(s.Close)
		e.urls[target] = s.URL
	}
	return e
}

func (e *endpoints) arrive(what, id string) {
	now := time.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, there := e.came[what]; there {
		e.twice++
	} else {
		e.came[what] = now
		if strings.Contains(what, " old ") {
			e.olds++
		} else {
			e.news++
		}
	}
	e.ids[id]++
}

// Deliver implements outbox.Deliverer.
func (e *endpoints) Deliver(ctx context.Context, d outbox.Delivery) outbox.Result {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.urls[d.Target], bytes.NewReader(d.Body))
	if err != nil {
		return outbox.Result{Verdict: outbox.GiveUp, Reason: "bad_url"}
	}
	req.Header.Set("Webhook-Id", d.Public)
	res, err := e.client.Do(req)
	if err != nil {
		return outbox.Result{Verdict: outbox.Retry, Reason: "timeout"}
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return outbox.Result{Verdict: outbox.Retry, Reason: "status", Status: res.StatusCode}
	}
	return outbox.Result{Verdict: outbox.OK, Status: res.StatusCode}
}

// await waits until ok, looking often.
func (e *endpoints) await(t *testing.T, what string, patience time.Duration, ok func() bool) {
	t.Helper()
	end := time.NewTimer(patience)
	defer end.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		e.mu.Lock()
		done := ok()
		e.mu.Unlock()
		if done {
			return
		}
		select {
		case <-look.C:
		case <-end.C:
			t.Errorf("not in %v: %s", patience, what)
			return
		}
	}
}

// fan drafts an event for every target, in order per meeting.
type fan int

func (f fan) Draft(ev meeting.Event) ([]outbox.Draft, error) {
	all := make([]outbox.Draft, f)
	for i := range all {
		target := fmt.Sprintf("hook/%02d", i)
		all[i] = outbox.Draft{Target: target, Dest: target + "/" + string(ev.Meeting), Body: []byte(ev.ID)}
	}
	return all, nil
}

// runs runs an outbox with the endpoints until the test ends.
func (e *endpoints) run(t *testing.T, s *store.Store, translator outbox.Translator) {
	t.Helper()
	box, err := outbox.New(outbox.Options{
		Store: s.Outbox(), Translators: []outbox.Translator{translator}, Deliverers: map[string]outbox.Deliverer{"hook": e},
		Config: outbox.Config{Drain: 100 * time.Millisecond},
		Now:    time.Now, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- box.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// produce writes events at the load's rate, spread over meetings, and returns
// when each was committed.
func (l load) produce(t *testing.T, s *store.Store) map[string]time.Time {
	const meetings = 25
	committed := map[string]time.Time{}
	list := make([]meeting.Meeting, meetings)
	tick := time.NewTicker(time.Second / time.Duration(l.rate))
	defer tick.Stop()
	for n := range int(l.lasts.Seconds() * float64(l.rate)) {
		<-tick.C
		m := &list[n%meetings]
		ev := meeting.Event{ID: meeting.EventID(fmt.Sprintf("evt_%06d", n)), Kind: meeting.KindMessage, At: time.Now()}
		var err error
		if m.ID == "" {
			m.ID = meeting.ID(fmt.Sprintf("mtg_load%02d", n))
			m.Code, m.State, m.CreatedAt = meeting.Code(m.ID), meeting.Active, time.Now()
			m.Version, m.Seq = 1, 1
			ev.Meeting, ev.Seq = m.ID, 1
			err = s.Meetings().Create(t.Context(), meeting.Change{Meeting: *m, Events: []meeting.Event{ev}})
		} else {
			m.Version++
			m.Seq++
			ev.Meeting, ev.Seq = m.ID, m.Seq
			err = s.Meetings().Save(t.Context(), meeting.Change{Meeting: *m, Events: []meeting.Event{ev}})
		}
		if err != nil {
			t.Error(err)
			return committed
		}
		committed[string(ev.ID)] = time.Now()
	}
	return committed
}

// lateness is how long after its commit each event first came to each target
// that does not hang, sorted. It waits for all to come.
func (l load) lateness(t *testing.T, e *endpoints, committed map[string]time.Time) []time.Duration {
	t.Helper()
	e.await(t, "every event at every target that answers", 30*time.Second, func() bool { return e.news >= len(committed)*(l.targets-1) })
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []time.Duration
	for id, at := range committed {
		for i := range l.targets - 1 {
			came, there := e.came[fmt.Sprintf("hook/%02d %s", i, id)]
			if !there {
				t.Fatalf("%s did not come to hook/%02d", id, i)
			}
			all = append(all, came.Sub(at))
		}
	}
	slices.Sort(all)
	return all
}

func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func TestD7_one_dead_endpoint_does_not_slow_the_others(t *testing.T) { underLoad(t, "D7") }
func TestD8_the_first_attempt_is_immediate(t *testing.T)             { underLoad(t, "D8") }

func underLoad(t *testing.T, id string) {
	t.Helper()
	leak.Check(t)
	for _, engine := range storetest.Engines() {
		t.Run(engine.Name, func(t *testing.T) {
			l := theLoad()
			s := engine.Open(t)
			e := newEndpoints(t, l.targets)
			e.run(t, s, fan(l.targets))
			late := l.lateness(t, e, l.produce(t, s))
			if id == "D7" {
				promise(t, id, engine.Name, "others' first attempt p99", quantile(late, .99), 500*time.Millisecond)
			} else {
				promise(t, id, engine.Name, "first attempt p95", quantile(late, .95), 20*time.Millisecond)
				promise(t, id, engine.Name, "first attempt p99", quantile(late, .99), 100*time.Millisecond)
			}
			if e.twice > 0 {
				t.Errorf("%d came twice", e.twice)
			}
			hung := fmt.Sprintf("hook/%02d", l.targets-1)
			list, err := s.Outbox().List(t.Context(), outbox.Filter{Target: hung, State: outbox.Pending, Limit: 10})
			if err != nil || len(list) == 0 {
				t.Errorf("the dead endpoint's deliveries do not wait: %d, %v", len(list), err)
			}
		})
	}
}

func TestD9_a_replay_is_fast_and_does_not_starve_what_happens_now(t *testing.T) {
	leak.Check(t)
	for _, engine := range storetest.Engines() {
		t.Run(engine.Name, func(t *testing.T) {
			l, total := theLoad(), 500
			if judged() {
				total = 10_000
			}
			s := engine.Open(t)
			old := deliveredBefore(t, s, total)
			e := newEndpoints(t, l.targets)
			e.run(t, s, fan(l.targets))
			var took time.Duration
			var waiting sync.WaitGroup
			waiting.Go(func() {
				start := time.Now()
				r, err := s.Outbox().Replay(t.Context(), outbox.Selection{Target: "hook/00", Until: start.Add(-time.Hour)}, start)
				if err != nil || r.Matched != int64(total) {
					t.Errorf("matched %d, %v", r.Matched, err)
					return
				}
				e.await(t, "the replay", 2*time.Minute, func() bool { return e.olds >= total })
				took = time.Since(start)
			})
			late := l.lateness(t, e, l.produce(t, s))
			waiting.Wait()
			promise(t, "D9", engine.Name, fmt.Sprintf("%d replayed in", total), took, time.Minute)
			promise(t, "D9", engine.Name, "meanwhile first attempt p95", quantile(late, .95), 20*time.Millisecond)
			promise(t, "D9", engine.Name, "meanwhile first attempt p99", quantile(late, .99), 100*time.Millisecond)
			for id := range old {
				if e.ids[id] != 1 {
					t.Fatalf("%s came %d times with the replay", id, e.ids[id])
				}
			}
		})
	}
}

// deliveredBefore makes deliveries for hook/00 that were delivered yesterday, 20
// of each of many meetings, and returns their public ids.
func deliveredBefore(t *testing.T, s *store.Store, n int) map[string]bool {
	t.Helper()
	yesterday := time.Now().Add(-24 * time.Hour)
	save(t, s, "mtg_old", event("evt_old", "", meeting.KindMessage))
	if _, err := s.Outbox().Relay(t.Context(), 1, yesterday, func(meeting.Event) []outbox.Draft {
		list := make([]outbox.Draft, n)
		for i := range list {
			list[i] = outbox.Draft{Target: "hook/00", Dest: fmt.Sprintf("hook/00/old%d", i/20), Body: fmt.Appendf(nil, "old %d", i)}
		}
		return list
	}); err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for len(ids) < n {
		list, err := s.Outbox().Claim(t.Context(), time.Now(), time.Now().Add(time.Minute), outbox.Room{Limit: 200, Target: 200})
		if err != nil || len(list) == 0 {
			t.Fatal(len(list), err)
		}
		var done []outbox.Done
		for _, d := range list {
			ids[d.Public] = true
			done = append(done, outbox.Done{Attempt: outbox.Attempt{Delivery: d.ID, At: yesterday, Verdict: outbox.OK}, State: outbox.Delivered})
		}
		if err := s.Outbox().Finish(t.Context(), done); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}
