package crash_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"ringdown/internal/hostile"
	"ringdown/internal/leak"
	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/store"
	"ringdown/store/storetest"
)

// size of a run. RINGDOWN_CRASH_EVENTS, RINGDOWN_CRASH_KILLS, RINGDOWN_CRASH_SEED
// and RINGDOWN_CRASH_RATE (events a second) change it; the long run is 5 000
// events with 50 kills at 50 a second.
func size(t testing.TB) (events, kills int, seed uint64, perSecond int) {
	number := func(name string, otherwise int) int {
		text := os.Getenv(name)
		if text == "" {
			return otherwise
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("%s: %q is no number above 0", name, text)
		}
		return n
	}
	return number("RINGDOWN_CRASH_EVENTS", 300), number("RINGDOWN_CRASH_KILLS", 6),
		uint64(number("RINGDOWN_CRASH_SEED", 1+int(time.Now().UnixNano()%1_000_000))), number("RINGDOWN_CRASH_RATE", 30)
}

const (
	endpoints = 3
	workers   = 8
	parallel  = 128 // deliveries that a daemon has in flight at most
	// leased is how long what a dead daemon had in flight waits for the next one,
	// with some air.
	leased = 45 * time.Second
)

// report is what a run came to.
type report struct {
	seed       uint64
	meetings   int
	events     int // acknowledged
	logged     int // events that the daemon tells of
	lost       []string
	invented   []string
	deliveries int
	duplicates int // deliveries that came again
	beyond     []string
	worst      int // most deliveries in flight at one crash
	differing  []string
	expired    int // rings
}

// runs keeps the run of each engine, so that the promises that read the same
// ledger share it.
type runs struct {
	mu   sync.Mutex
	done map[string]report
}

var kept = runs{done: map[string]report{}} // one costly run for two tests

func (r *runs) of(t *testing.T, e storetest.Engine) report {
	t.Helper()
	r.mu.Lock()
	got, ok := r.done[e.Name]
	r.mu.Unlock()
	if ok {
		return got
	}
	got = run(t, e)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done[e.Name] = got
	return got
}

// onBoth runs a test on both engines at the same time: they wait for leases.
func onBoth(t *testing.T, test func(t *testing.T, e storetest.Engine)) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			test(t, e)
		})
	}
}

func some(list []string) []string { return list[:min(len(list), 10)] }

func TestD1_what_was_acknowledged_is_delivered_whatever_dies(t *testing.T) {
	onBoth(t, func(t *testing.T, e storetest.Engine) {
		r := kept.of(t, e)
		t.Logf("seed %d: %d meetings, %d events acknowledged, %d logged, %d deliveries, %d rings expired", r.seed, r.meetings, r.events, r.logged, r.deliveries, r.expired)
		t.Logf("promise D1 lost on %s %d events (at most 0 events)", e.Name, len(r.lost))
		if len(r.lost) > 0 {
			t.Errorf("lost: %q", some(r.lost))
		}
		if len(r.invented) > 0 {
			t.Errorf("delivered and in no log: %q", some(r.invented))
		}
	})
}

func TestD3_duplicates_are_recognisable_and_few(t *testing.T) {
	onBoth(t, func(t *testing.T, e storetest.Engine) {
		r := kept.of(t, e)
		t.Logf("seed %d: %d of %d deliveries came again, at most %d were in flight at a crash", r.seed, r.duplicates, r.deliveries, r.worst)
		t.Logf("promise D3 duplicates beyond those in flight on %s %d deliveries (at most 0 deliveries)", e.Name, len(r.beyond))
		if len(r.beyond) > 0 {
			t.Errorf("came again without a crash in their flight: %q", some(r.beyond))
		}
		if len(r.differing) > 0 {
			t.Errorf("not recognisable: %q", some(r.differing))
		}
		if r.worst > parallel {
			t.Errorf("%d deliveries were in flight at a crash, at most %d may be", r.worst, parallel)
		}
	})
}

// ledger is what clients were told is done.
type ledger struct {
	mu    sync.Mutex
	rows  []row
	count int
}

// row is an acknowledged event: its kind in a meeting, and of a message its id.
type row struct {
	meeting, kind, message string
}

func (l *ledger) write(events int, rows ...row) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, rows...)
	l.count += events
}

func (l *ledger) events() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// run loads the daemon, kills it, and holds the ledgers against each other.
func run(t *testing.T, e storetest.Engine) report {
	t.Helper()
	events, kills, seed, perSecond := size(t)
	r := report{seed: seed}
	t.Logf("RINGDOWN_CRASH_SEED=%d RINGDOWN_CRASH_EVENTS=%d RINGDOWN_CRASH_KILLS=%d", seed, events, kills)
	receiver, err := hostile.Start(hostile.Options{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(receiver.Close)
	for i := range endpoints { // in flight for a while, one longer than the others
		receiver.Set(path(i), hostile.Status(200).After(time.Duration(i*i)*15*time.Millisecond))
	}
	h := open(t, e, webhooks(receiver.URL()))

	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(events/perSecond+kills*4)*time.Second+leased)
	defer cancel()
	var book ledger
	var killed sync.WaitGroup
	done := make(chan struct{}) // the killing is over
	var load sync.WaitGroup
	pace := rate.NewLimiter(rate.Limit(perSecond), 5)
	for w := range workers {
		load.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				select {
				case <-done:
					if book.events() >= events {
						return
					}
				default:
				}
				h.meeting(ctx, &book, pace, fmt.Sprintf("w%d-%d", w, n))
			}
		})
	}
	inFlight := map[string]int{} // delivery, at how many crashes
	arrived := map[string]int{}  // how often, at the latest one
	killed.Go(func() {
		defer close(done)
		rng := rand.New(rand.NewPCG(seed, uint64(len(e.Name))))
		for range kills {
			moment := time.NewTimer(time.Duration(rng.IntN(800)) * time.Millisecond)
			select {
			case <-moment.C:
			case <-ctx.Done():
				moment.Stop()
				return
			}
			h.daemon.Kill()
			n := 0
			now := map[string]int{}
			for _, entry := range receiver.Ledger() {
				now[entry.ID]++
			}
			for _, id := range pending(t, h.data) {
				if now[id] > arrived[id] { // in this life, and not noted as done
					inFlight[id]++
					n++
				}
			}
			arrived = now
			r.worst = max(r.worst, n)
			h.start()
		}
	})
	killed.Wait()
	load.Wait()
	if ctx.Err() != nil {
		t.Fatalf("%d of %d events in time; the daemon says:\n%s", book.events(), events, tail(h.log.String()))
	}
	h.compare(ctx, &r, &book, receiver, inFlight)
	if err := h.daemon.Stop(20 * time.Second); err != nil {
		t.Errorf("the last life ended badly: %v", err)
	}
	return r
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

func path(endpoint int) string { return "/hook/" + strconv.Itoa(endpoint) }

// webhooks is the section of the endpoints.
func webhooks(url string) string {
	text := "  webhook:\n    endpoints:\n"
	for i := range endpoints {
		text += fmt.Sprintf("      - {name: e%d, url: %q, secrets: [%s], events: [\"*\"]}\n", i, url+path(i), hookSecret)
	}
	return text
}

// meeting is one call, each step repeated until it is acknowledged.
func (h *house) meeting(ctx context.Context, book *ledger, pace *rate.Limiter, name string) {
	// step does one thing and notes it. False: no more time.
	step := func(events int, method, path, token string, body any, note func(a answer) []row) bool {
		if pace.WaitN(ctx, events) != nil {
			return false
		}
		a := h.call(ctx, method, path, token, name+path, body)
		if a.status == 0 {
			return false
		}
		if a.status >= 300 {
			h.t.Errorf("%s %s: %d %s", method, path, a.status, a.raw)
			return false
		}
		book.write(events, note(a)...)
		return true
	}
	var id, visitorLink, agentLink string
	if !step(3, "POST", "/v1/meetings", h.key, map[string]any{"queue": "desk", "ring": "now", "visitor": map[string]string{"name": name}}, func(a answer) []row {
		id, visitorLink, agentLink = a.text("id"), a.text("links.visitor"), a.text("links.agent")
		return []row{{id, "meeting.created", ""}, {id, "meeting.requested", ""}}
	}) {
		return
	}
	visitor, agent := h.redeem(ctx, visitorLink, ""), h.redeem(ctx, agentLink, "device-of-the-load-"+name)
	at := "/v1/meetings/" + id
	if !step(1, "POST", at+"/accept", agent, map[string]string{"name": "Agent"}, func(answer) []row { return []row{{id, "meeting.answered", ""}} }) {
		return
	}
	for i := range 4 {
		token := visitor
		if i%2 == 1 {
			token = agent
		}
		if !step(1, "POST", at+"/messages", token, map[string]string{"text": fmt.Sprintf("line %d of %s", i, name)}, func(a answer) []row {
			return []row{{id, "message.created", a.text("id")}}
		}) {
			return
		}
		name += "+" // another Idempotency-Key for the next line
	}
	step(1, "POST", at+"/end", agent, nil, func(answer) []row { return []row{{id, "meeting.ended", ""}} })
}

// pending are the deliveries that a dead daemon had not done, by their public
// ids, as its store tells.
func pending(t *testing.T, data store.Config) []string {
	t.Helper()
	s := storetest.OpenAt(t, data)
	defer s.Close()
	var ids []string
	f := outbox.Filter{State: outbox.Pending, Limit: 200}
	for {
		page, err := s.Outbox().List(t.Context(), f)
		if err != nil {
			t.Error(err)
			return ids
		}
		for _, d := range page {
			ids, f.Before = append(ids, d.Public), d.ID
		}
		if len(page) < f.Limit {
			return ids
		}
	}
}

// event is one of a meeting's log.
type event struct {
	ID      string `json:"id"`
	Seq     int64  `json:"seq"`
	Kind    string `json:"kind"`
	Message struct {
		ID string `json:"id"`
	} `json:"message"`
}

// compare holds what was acknowledged against the logs, and the logs against
// what each endpoint got.
func (h *house) compare(ctx context.Context, r *report, book *ledger, receiver *hostile.Receiver, inFlight map[string]int) {
	h.t.Helper()
	logs := map[string][]event{}
	for _, row := range book.rows {
		if logs[row.meeting] == nil {
			var answer struct{ Events []event }
			a := h.call(ctx, "GET", "/v1/meetings/"+row.meeting+"/events", h.key, "", nil)
			if err := json.Unmarshal(a.raw, &answer); err != nil || len(answer.Events) == 0 {
				h.t.Fatalf("the log of a meeting: %d %s", a.status, a.raw)
			}
			logs[row.meeting] = answer.Events
		}
		if !slices.ContainsFunc(logs[row.meeting], func(e event) bool {
			return e.Kind == row.kind && (row.message == "" || row.message == e.Message.ID)
		}) {
			r.lost = append(r.lost, fmt.Sprintf("%s of %s is in no log", row.kind, row.meeting))
		}
	}
	r.events, r.meetings = book.count, len(logs)

	type key struct{ path, event string }
	wanted := map[key]event{}
	byID := map[string]event{}
	for _, log := range logs {
		for i, e := range log {
			r.logged++
			byID[e.ID] = e
			if e.Seq != int64(i+1) {
				r.differing = append(r.differing, fmt.Sprintf("event %d of a log has the number %d", i+1, e.Seq))
			}
			for endpoint := range endpoints {
				wanted[key{path(endpoint), e.ID}] = e
			}
		}
	}
	entries, err := receiver.Wait(ctx, func(all []hostile.Entry) bool {
		left := len(wanted)
		seen := map[key]bool{}
		for _, e := range all {
			k := key{e.Path, e.Event}
			if _, ok := wanted[k]; ok && !seen[k] {
				seen[k] = true
				left--
			}
		}
		return left == 0
	})
	first := map[string]hostile.Entry{}
	times := map[string]int{}
	got := map[key]bool{}
	for _, e := range entries {
		got[key{e.Path, e.Event}] = true
		if why := judge(e, byID); why != "" {
			r.differing = append(r.differing, why)
		}
		if _, known := byID[e.Event]; !known {
			r.invented = append(r.invented, e.Event)
		}
		if f, again := first[e.ID]; again && (f.Event != e.Event || f.Seq != e.Seq || f.Hash != e.Hash || f.Path != e.Path) {
			r.differing = append(r.differing, e.ID+" has two bodies")
		} else if !again {
			first[e.ID] = e
		}
		times[e.ID]++
	}
	for k, e := range wanted {
		switch {
		case got[k]:
		case e.Kind == string(meeting.KindRing):
			r.expired++ // it may have come too late; that is a promise of its own
		default:
			r.lost = append(r.lost, fmt.Sprintf("%s %d did not come to %s", e.Kind, e.Seq, k.path))
		}
	}
	if err != nil && len(r.lost) == 0 && r.expired == 0 {
		h.t.Error(err)
	}
	r.deliveries = len(first)
	for _, id := range slices.Sorted(maps.Keys(times)) {
		if times[id] > 1 {
			r.duplicates++
		}
		if times[id]-1 > inFlight[id] {
			r.beyond = append(r.beyond, fmt.Sprintf("%s: %d times, in flight at %d crashes", id, times[id], inFlight[id]))
		}
	}
	slices.SortFunc(r.lost, cmp.Compare[string])
}
