package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
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

// save writes events of one meeting through the meetings' store.
func save(t *testing.T, s *store.Store, id meeting.ID, evs ...meeting.Event) {
	t.Helper()
	m := meeting.Meeting{ID: id, Code: meeting.Code("code" + string(id)), State: meeting.Planned, Version: 1, CreatedAt: time.Now(), Participants: []meeting.Participant{}}
	for i := range evs {
		evs[i].Meeting, evs[i].Seq = id, int64(i+1)
	}
	if err := s.Meetings().Create(t.Context(), meeting.Change{Meeting: m, Events: evs}); err != nil {
		t.Fatal(err)
	}
}

// TestMemoryBehavesAsTheStore drives the fake and each real store through the
// same story and compares what they say.
func TestMemoryBehavesAsTheStore(t *testing.T) {
	leak.Check(t)
	base := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	at := func(s int) time.Time { return base.Add(time.Duration(s) * time.Second) }
	story := func(t *testing.T, s outbox.Store) (told []string) {
		ctx := t.Context()
		tell := func(format string, args ...any) { told = append(told, fmt.Sprintf(format, args...)) }
		claim := func(now, until, limit int) []outbox.Delivery {
			ds, err := s.Claim(ctx, at(now), at(until), outbox.Room{Limit: limit, Target: 10, Replayed: 10})
			var names []string
			for _, d := range ds {
				names = append(names, fmt.Sprintf("%s/%d", d.Body, d.Attempts))
			}
			tell("claim at %d: %v %v", now, names, err)
			return ds
		}
		due := func(now int) {
			d, err := s.NextDue(ctx, at(now))
			if d.IsZero() {
				tell("due: never %v", err)
			} else {
				tell("due: %v %v", d.Sub(base), err)
			}
		}
		draft := func(ev meeting.Event) []outbox.Draft {
			d := outbox.Draft{Target: "desk/a", Dest: "desk/a/" + string(ev.Meeting), Body: []byte(ev.ID)}
			if strings.HasPrefix(string(ev.ID), "ring") {
				d.ExpiresAt = at(30)
			}
			return []outbox.Draft{d}
		}
		n, err := s.Relay(ctx, 2, at(0), draft)
		tell("relay: %d %v", n, err)
		n, err = s.Relay(ctx, 10, at(0), draft)
		tell("relay: %d %v", n, err)
		n, err = s.Relay(ctx, 10, at(0), draft)
		tell("relay: %d %v", n, err)
		due(-1)
		due(0)
		first := claim(1, 10, 10)
		claim(2, 10, 10)
		if len(first) != 2 {
			t.Fatalf("claimed %d", len(first))
		}
		claim(10, 40, 1) // a lease ran out
		byBody := map[string]outbox.Delivery{}
		for _, d := range first {
			byBody[string(d.Body)] = d
		}
		ring, other := byBody["ring1"], byBody["b1"]
		tell("release: %v", s.Release(ctx, []int64{ring.ID, other.ID}))
		claim(11, 20, 10)
		tell("extend: %v", s.Extend(ctx, []int64{ring.ID, other.ID}, at(29)))
		claim(21, 25, 10)
		tell("finish: %v", s.Finish(ctx, []outbox.Done{
			{Attempt: outbox.Attempt{Delivery: ring.ID, N: 1, At: at(11), Took: time.Second, Verdict: outbox.Retry, Reason: "refused"}, State: outbox.Pending, Next: at(25)},
			{Attempt: outbox.Attempt{Delivery: other.ID, N: 1, At: at(11), Took: time.Second, Verdict: outbox.GiveUp, Reason: "status_404", Status: 404}, State: outbox.Failed},
		}))
		due(24)
		due(25)
		claim(24, 30, 10)
		n64, err := s.Expire(ctx, at(29))
		tell("expire at 29: %d %v", n64, err)
		n64, err = s.Expire(ctx, at(30))
		tell("expire at 30: %d %v", n64, err)
		claim(30, 40, 10) // the expired head let the next go
		tell("requeue: %v", s.Requeue(ctx, other.ID, outbox.Failed, at(31)))
		tell("requeue again: %v", errors.Is(s.Requeue(ctx, other.ID, outbox.Failed, at(31)), meeting.ErrNoRow))
		for _, d := range claim(31, 40, 10) {
			tell("finish %s: %v", d.Body, s.Finish(ctx, []outbox.Done{{Attempt: outbox.Attempt{
				Delivery: d.ID, N: d.Attempts + 1, At: at(31), Took: time.Second, Verdict: outbox.OK, Status: 200,
			}, State: outbox.Delivered}}))
		}
		tell("again: %v", s.Requeue(ctx, other.ID, outbox.Delivered, at(32)))
		replayed := claim(33, 40, 10)
		tell("replayed: %v %d", replayed[0].Replayed, replayed[0].Tries)
		tell("finish: %v", s.Finish(ctx, []outbox.Done{{Attempt: outbox.Attempt{
			Delivery: other.ID, N: replayed[0].Attempts + 1, At: at(33), Took: time.Second, Verdict: outbox.OK, Status: 200,
		}, State: outbox.Delivered}}))
		m, err := s.Match(ctx, outbox.Selection{States: []outbox.State{outbox.Delivered, outbox.Expired}}, at(40))
		tell("match: %+v %v", m, err)
		r, err := s.Replay(ctx, outbox.Selection{Target: "desk/a"}, at(40))
		tell("replay: %d %v", r.Matched, err)
		for range 3 {
			n, working, err := s.ReplayStep(ctx, 1, at(40))
			tell("step: %d %v %v", n, working, err)
		}
		claim(41, 45, 1)
		n, err = s.Prune(ctx, at(100), 10)
		tell("pruned: %d %v", n, err)
		as, err := s.Attempts(ctx, other.ID)
		for _, a := range as {
			tell("attempt %d at %v: %s %q %d", a.N, a.At.Sub(base), a.Verdict, a.Reason, a.Status)
		}
		all, err2 := s.List(ctx, outbox.Filter{Target: "desk/a", Limit: 10})
		for _, d := range all {
			tell("%s of %s is %s, %q, %d attempts, done %v", d.Body, d.Meeting, d.State, d.Reason, d.Attempts, !d.DoneAt.IsZero())
		}
		counts, err3 := s.Counts(ctx)
		tell("counts %v", counts)
		if err := errors.Join(err, err2, err3); err != nil {
			t.Fatal(err)
		}
		return told
	}
	a := []meeting.Event{{ID: "ring1", Kind: meeting.KindRing, At: base}, {ID: "a2", Kind: meeting.KindMessage, At: base}}
	b := []meeting.Event{{ID: "b1", Kind: meeting.KindCreated, At: base}}

	fake := newMemory()
	for i, evs := range [][]meeting.Event{a, b} {
		for _, ev := range evs {
			ev.Meeting = meeting.ID(fmt.Sprint("m", i+1))
			fake.add(ev)
		}
	}
	want := story(t, fake)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			s := e.Open(t)
			save(t, s, "m1", a...)
			save(t, s, "m2", b...)
			if got := story(t, s.Outbox()); !reflect.DeepEqual(got, want) {
				t.Errorf("the store says\n%s\nthe fake says\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		})
	}
}

// run runs an Outbox until stop.
func run(t *testing.T, s outbox.Store, to outbox.Deliverer, cfg outbox.Config) (stop func()) {
	t.Helper()
	return runWith(t, s, to, cfg, echo{ring: time.Hour})
}

func runWith(t *testing.T, s outbox.Store, to outbox.Deliverer, cfg outbox.Config, translator outbox.Translator) (stop func()) {
	t.Helper()
	box, err := outbox.New(outbox.Options{
		Store: s, Translators: []outbox.Translator{translator}, Deliverers: map[string]outbox.Deliverer{"desk": to},
		Config: cfg, Now: time.Now, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- box.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// ledger is a Deliverer that notes what arrived, and where that broke the order.
type ledger struct {
	mu      sync.Mutex
	seen    map[string]int
	last    map[meeting.ID]string
	running map[string]bool
	wrong   []string
	total   int
	want    int
	full    chan struct{}
}

func newLedger(want int) *ledger {
	return &ledger{seen: map[string]int{}, last: map[meeting.ID]string{}, running: map[string]bool{}, want: want, full: make(chan struct{})}
}

func (l *ledger) Deliver(_ context.Context, d outbox.Delivery) outbox.Result {
	l.mu.Lock()
	if l.running[d.Dest] {
		l.wrong = append(l.wrong, "two at a time for "+d.Dest)
	}
	l.running[d.Dest] = true
	first := l.seen[string(d.Body)] == 0
	l.mu.Unlock()
	runtime.Gosched() // somebody who should wait has a chance not to
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running[d.Dest] = false
	if d.Attempts == 0 && d.ID%7 == 0 { // every seventh fails once
		return outbox.Result{Verdict: outbox.Retry, Reason: "status_503", Status: 503}
	}
	l.seen[string(d.Body)]++
	if string(d.Body) < l.last[d.Meeting] {
		l.wrong = append(l.wrong, fmt.Sprintf("%s after %s", d.Body, l.last[d.Meeting]))
	}
	l.last[d.Meeting] = string(d.Body)
	if first {
		if l.total++; l.total == l.want {
			close(l.full)
		}
	}
	return outbox.Result{Verdict: outbox.OK}
}

func TestOrderPerDestOnTheRealStore(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			s := e.Open(t)
			const meetings, each = 15, 8
			l := newLedger(meetings * each)
			run(t, s.Outbox(), l, outbox.Config{Parallel: 16, PerTarget: 16})
			for m := range meetings {
				evs := make([]meeting.Event, each)
				for i := range evs {
					evs[i] = event(fmt.Sprintf("e%02d-%02d", m, i), "", meeting.KindRing) // perishable: a failure is tried again after 1 s
				}
				save(t, s, meeting.ID(fmt.Sprintf("m%02d", m)), evs...)
			}
			select {
			case <-l.full:
			case <-time.After(60 * time.Second):
				t.Fatalf("%d of %d arrived", l.total, l.want)
			}
			l.mu.Lock()
			defer l.mu.Unlock()
			if len(l.wrong) > 0 || len(l.seen) != meetings*each {
				t.Errorf("%d arrived; wrong: %v", len(l.seen), l.wrong)
			}
			for body, n := range l.seen {
				if n != 1 {
					t.Errorf("%s arrived %d times", body, n)
				}
			}
		})
	}
}

func TestWhatACrashedProcessHeldIsDeliveredOnTheRealStore(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			cfg := e.Fresh(t)
			s := storetest.OpenAt(t, cfg)
			save(t, s, "m1", event("e1", "", meeting.KindCreated), event("e2", "", meeting.KindEnded))
			if _, err := s.Outbox().Relay(t.Context(), 10, time.Now(), func(ev meeting.Event) []outbox.Draft {
				ds, _ := echo{}.Draft(ev)
				return ds
			}); err != nil {
				t.Fatal(err)
			}
			if ds, err := s.Outbox().Claim(t.Context(), time.Now(), time.Now().Add(1500*time.Millisecond), outbox.Room{Limit: 10, Target: 10}); err != nil || len(ds) != 1 {
				t.Fatalf("claimed %d, %v", len(ds), err)
			}
			if err := s.Close(); err != nil { // without an attempt and without a release
				t.Fatal(err)
			}
			again := storetest.OpenAt(t, cfg)
			arrived := make(chan struct{}, 2)
			k := &desk{answer: func(context.Context, outbox.Delivery) outbox.Result {
				arrived <- struct{}{}
				return outbox.Result{Verdict: outbox.OK}
			}}
			begin := time.Now()
			run(t, again.Outbox(), k, outbox.Config{})
			for range 2 {
				select {
				case <-arrived:
				case <-time.After(20 * time.Second):
					t.Fatal("it is lost")
				}
			}
			if k.bodies() != "e1 e2" {
				t.Errorf("arrived as %q", k.bodies())
			}
			// On SQLite nobody else can hold a lease; elsewhere it must run out first.
			if took := time.Since(begin); e.Shared && took < time.Second {
				t.Errorf("taken from its holder after %v", took)
			}
		})
	}
}
