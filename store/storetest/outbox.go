package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"ringdown/meeting"
	"ringdown/outbox"
)

func relay(t *testing.T, e Engine) {
	s := e.Open(t)
	o := s.Outbox()
	c := create(t, s, newMeeting(1))
	save(t, s, next(c, meeting.KindRequested, meeting.KindRing, meeting.KindEnded))

	var told []meeting.Event
	draft := func(ev meeting.Event) []outbox.Draft {
		told = append(told, ev)
		if ev.Kind == meeting.KindRequested {
			return nil
		}
		d := perMeeting(ev)
		return append(d, outbox.Draft{Target: "hook", Dest: "hook", Body: []byte("\x00" + ev.Kind), ExpiresAt: after(time.Hour)})
	}
	equal(t, must[int](t)(o.Relay(t.Context(), 3, t0(), draft)), 3)
	equal(t, must[int](t)(o.Relay(t.Context(), 3, t0(), draft)), 1)
	equal(t, must[int](t)(o.Relay(t.Context(), 3, t0(), draft)), 0)
	equal(t, told, must[[]meeting.Event](t)(s.Meetings().Events(t.Context(), c.Meeting.ID, 0, 10)))

	list := must[[]outbox.Delivery](t)(o.List(t.Context(), outbox.Filter{}))
	equal(t, len(list), 6)
	public := map[string]bool{}
	for _, d := range list {
		public[d.Public] = true
		if !strings.HasPrefix(d.Public, "dlv_") {
			t.Errorf("public id %q", d.Public)
		}
	}
	equal(t, len(public), 6)
	last := list[0]
	equal(t, last, outbox.Delivery{
		ID: last.ID, Public: last.Public, Event: told[3].ID, Kind: meeting.KindEnded, Meeting: c.Meeting.ID, Target: "hook", Dest: "hook",
		Body: []byte("\x00meeting.ended"), State: outbox.Pending, Next: t0(), ExpiresAt: after(time.Hour), CreatedAt: t0(), QueuedAt: t0(),
	})
}

// relayFails: another relay was faster, and a transaction that cannot be written.
func relayFails(t *testing.T, e Engine) {
	s := e.Open(t)
	create(t, s, newMeeting(1))
	create(t, s, newMeeting(2))
	first := true
	n, err := s.Outbox().Relay(t.Context(), 10, t0(), func(ev meeting.Event) []outbox.Draft {
		if first {
			first = false
			equal(t, must[int](t)(s.Outbox().Relay(t.Context(), 1, t0(), perMeeting)), 1)
		}
		return perMeeting(ev)
	})
	ok(t, err)
	equal(t, n, 1)
	equal(t, len(claim(t, s, t0())), 2)

	create(t, s, newMeeting(3))
	ctx, cancel := contextOf(t)
	if _, err := s.Outbox().Relay(ctx, 10, t0(), func(ev meeting.Event) []outbox.Draft { cancel(); return perMeeting(ev) }); err == nil {
		t.Error("a relay that was cut said nothing")
	}
	equal(t, must[int](t)(s.Outbox().Relay(t.Context(), 10, t0(), perMeeting)), 1)
}

func heads(t *testing.T, e Engine) {
	s := e.Open(t)
	a := create(t, s, newMeeting(1))
	create(t, s, newMeeting(2))
	save(t, s, next(a, meeting.KindMessage, meeting.KindMessage))
	relayed(t, s, perMeeting)

	got := must[[]outbox.Delivery](t)(s.Outbox().Claim(t.Context(), t0(), after(time.Minute), room(1)))
	equal(t, bodies(got), "[1]")
	more := claim(t, s, t0())
	equal(t, bodies(more), "[1]")
	if got[0].Dest == more[0].Dest {
		t.Fatal("one dest went out twice")
	}
	equal(t, len(claim(t, s, t0())), 0)

	// A retry keeps its followers waiting, a delivered one lets the next go.
	finish(t, s, done(got[0], outbox.Pending, t0()), done(more[0], outbox.Delivered, t0()))
	equal(t, len(claim(t, s, after(4*time.Second))), 0)
	again := claim(t, s, after(5*time.Second))
	equal(t, bodies(again), "[1]")
	equal(t, again[0].Attempts, 1)
	equal(t, again[0].Reason, "status_500")
	equal(t, again[0].Public, got[0].Public)
	finish(t, s, done(again[0], outbox.Delivered, t0()))
	second := claim(t, s, t0())
	equal(t, bodies(second), "[2]")
	finish(t, s, done(second[0], outbox.Failed, t0()))
	equal(t, bodies(claim(t, s, t0())), "[3]")

	equal(t, must[[]outbox.Attempt](t)(s.Outbox().Attempts(t.Context(), got[0].ID)), []outbox.Attempt{
		{Delivery: got[0].ID, N: 1, At: t0(), Took: 1500 * time.Microsecond, Verdict: outbox.Retry, Reason: "status_500", Status: 500},
		{Delivery: got[0].ID, N: 2, At: t0(), Took: 1500 * time.Microsecond, Verdict: outbox.OK, Reason: "status_500", Status: 500},
	})
}

func leases(t *testing.T, e Engine) {
	s := e.Open(t)
	create(t, s, newMeeting(1))
	relayed(t, s, perMeeting)
	d := claim(t, s, t0())[0]
	ids := []int64{d.ID}

	equal(t, len(claim(t, s, after(59*time.Second))), 0)
	ok(t, s.Outbox().Extend(t.Context(), ids, after(2*time.Minute)))
	equal(t, len(claim(t, s, after(time.Minute))), 0)
	equal(t, len(claim(t, s, after(2*time.Minute))), 1)
	ok(t, s.Outbox().Release(t.Context(), ids))
	got := claim(t, s, t0())
	equal(t, len(got), 1)
	equal(t, got[0].Attempts, 0)
	finish(t, s, done(d, outbox.Delivered, t0()))
	ok(t, s.Outbox().Release(t.Context(), ids))
	ok(t, s.Outbox().Extend(t.Context(), ids, after(time.Hour)))
	ok(t, s.Outbox().Extend(t.Context(), nil, after(time.Hour)))
	ok(t, s.Outbox().Finish(t.Context(), nil))
	equal(t, len(claim(t, s, after(3*time.Hour))), 0)
}

// finishLate: the attempt of a delivery that somebody ended meanwhile is kept,
// and only a delivered one changes it.
func finishLate(t *testing.T, e Engine) {
	s := e.Open(t)
	o := s.Outbox()
	create(t, s, newMeeting(1))
	relayed(t, s, perMeeting)
	d := claim(t, s, t0())[0]
	now := func() outbox.Delivery { return must[[]outbox.Delivery](t)(o.List(t.Context(), outbox.Filter{}))[0] }

	finish(t, s, done(d, outbox.Failed, t0()))
	equal(t, now().State, outbox.Failed)
	equal(t, now().DoneAt, after(time.Millisecond))
	finish(t, s, done(d, outbox.Pending, t0()))
	equal(t, now().State, outbox.Failed)
	finish(t, s, done(d, outbox.Delivered, t0()))
	equal(t, now().State, outbox.Delivered)
	finish(t, s, done(d, outbox.Failed, t0()))
	equal(t, now().State, outbox.Delivered)
	equal(t, now().Attempts, 4)
	for i, a := range must[[]outbox.Attempt](t)(o.Attempts(t.Context(), d.ID)) {
		equal(t, a.N, i+1)
	}
	finish(t, s, outbox.Done{Attempt: outbox.Attempt{Delivery: 99, At: t0()}, State: outbox.Failed})
	equal(t, len(must[[]outbox.Attempt](t)(o.Attempts(t.Context(), 99))), 0)
}

func expire(t *testing.T, e Engine) {
	s := e.Open(t)
	o := s.Outbox()
	a := create(t, s, newMeeting(1))
	save(t, s, next(a, meeting.KindRing, meeting.KindMissed))
	create(t, s, newMeeting(2))
	relayed(t, s, func(ev meeting.Event) []outbox.Draft {
		d := perMeeting(ev)
		if ev.Kind != meeting.KindMissed {
			d[0].ExpiresAt = after(time.Duration(ev.Seq) * 30 * time.Second)
		}
		return d
	})
	held := claim(t, s, t0())
	equal(t, bodies(held), "[1 1]")
	ok(t, o.Release(t.Context(), []int64{held[1].ID}))

	equal(t, must[int64](t)(o.Expire(t.Context(), after(29*time.Second))), 0)
	equal(t, must[int64](t)(o.Expire(t.Context(), after(30*time.Second))), 1) // the other one is held
	equal(t, must[int64](t)(o.Expire(t.Context(), after(time.Minute))), 2)
	equal(t, must[int64](t)(o.Expire(t.Context(), after(time.Hour))), 0)
	left := claim(t, s, after(time.Hour))
	equal(t, bodies(left), "[3]")
	d := must[[]outbox.Delivery](t)(o.List(t.Context(), outbox.Filter{State: outbox.Expired}))
	equal(t, len(d), 3)
	equal(t, d[0].DoneAt, after(30*time.Second))
	equal(t, d[0].Next, time.Time{})
}

func requeue(t *testing.T, e Engine) {
	s := e.Open(t)
	o := s.Outbox()
	a := create(t, s, newMeeting(1))
	save(t, s, next(a, meeting.KindRing, meeting.KindMessage))
	relayed(t, s, func(ev meeting.Event) []outbox.Draft {
		d := perMeeting(ev)
		if ev.Kind == meeting.KindRing {
			d[0].ExpiresAt = after(time.Second)
		}
		return d
	})
	first := claim(t, s, t0())[0]
	for _, id := range []int64{first.ID, 99} {
		if err := o.Requeue(t.Context(), id, outbox.Failed, t0()); !errors.Is(err, meeting.ErrNoRow) {
			t.Errorf("requeue of %d: %v", id, err)
		}
	}
	finish(t, s, done(first, outbox.Failed, t0()))
	equal(t, must[int64](t)(o.Expire(t.Context(), after(time.Second))), 1)
	third := claim(t, s, after(time.Second))
	equal(t, bodies(third), "[3]")

	// The third is on its way: those before it wait for it, then go in order.
	ring := must[[]outbox.Delivery](t)(o.List(t.Context(), outbox.Filter{State: outbox.Expired}))[0]
	ok(t, o.Requeue(t.Context(), ring.ID, outbox.Expired, after(2*time.Second)))
	// One that waits for its next try is due when somebody asks.
	ok(t, o.Requeue(t.Context(), ring.ID, outbox.Pending, after(time.Second)))
	equal(t, must[outbox.Delivery](t)(o.Delivery(t.Context(), ring.Public)).Next, after(time.Second))
	ok(t, o.Requeue(t.Context(), ring.ID, outbox.Pending, after(2*time.Second)))
	if err := o.Requeue(t.Context(), third[0].ID, outbox.Pending, after(2*time.Second)); !errors.Is(err, meeting.ErrNoRow) {
		t.Errorf("one that is on its way: %v", err)
	}
	ok(t, o.Requeue(t.Context(), first.ID, outbox.Failed, after(2*time.Second)))
	equal(t, len(claim(t, s, after(3*time.Second))), 0)
	finish(t, s, done(third[0], outbox.Pending, after(3*time.Second)))
	for _, want := range []string{"[1]", "[2]", "[3]"} {
		equal(t, must[int64](t)(o.Expire(t.Context(), after(time.Hour))), 0)
		got := claim(t, s, after(time.Hour))
		equal(t, bodies(got), want)
		finish(t, s, done(got[0], outbox.Delivered, after(time.Hour)))
	}
}

func nextDue(t *testing.T, e Engine) {
	s := e.Open(t)
	o := s.Outbox()
	want := func(now, when time.Time) {
		t.Helper()
		equal(t, must[time.Time](t)(o.NextDue(t.Context(), now)), when)
	}
	want(t0(), time.Time{})
	a := create(t, s, newMeeting(1))
	save(t, s, next(a, meeting.KindMessage, meeting.KindRing))
	relayed(t, s, func(ev meeting.Event) []outbox.Draft {
		d := perMeeting(ev)
		if ev.Kind == meeting.KindRing {
			d[0].ExpiresAt = after(3 * time.Second)
		}
		return d
	})
	want(after(-time.Second), t0())
	want(t0(), after(3*time.Second)) // the ring expires, wherever it stands
	first := claim(t, s, t0())[0]
	equal(t, must[int64](t)(o.Expire(t.Context(), after(3*time.Second))), 1)
	want(t0(), time.Time{}) // what is behind the first one was due long ago
	finish(t, s, done(first, outbox.Pending, t0()))
	want(t0(), after(5*time.Second)) // the retry
	first = claim(t, s, after(5*time.Second))[0]
	finish(t, s, done(first, outbox.Failed, t0()))
	want(after(-time.Second), t0())
	finish(t, s, done(claim(t, s, t0())[0], outbox.Delivered, t0()))
	want(after(-time.Second), time.Time{})
}

func ledger(t *testing.T, e Engine) {
	s := e.Open(t)
	o := s.Outbox()
	for n := range 4 {
		create(t, s, newMeeting(n))
	}
	relayed(t, s, func(ev meeting.Event) []outbox.Draft {
		return []outbox.Draft{
			{Target: "a", Dest: "a " + string(ev.Meeting), Body: []byte(ev.Meeting[9:])},
			{Target: "b", Dest: "b", Body: []byte(ev.Meeting[9:])},
		}
	})
	for i, d := range claim(t, s, t0()) {
		finish(t, s, done(d, []outbox.State{outbox.Delivered, outbox.Failed, outbox.Pending}[i%3], t0()))
	}
	all := must[[]outbox.Delivery](t)(o.List(t.Context(), outbox.Filter{}))
	for _, c := range []struct {
		filter outbox.Filter
		want   string
	}{
		{outbox.Filter{}, "[3 3 2 2 1 1 0 0]"},
		{outbox.Filter{Target: "b"}, "[3 2 1 0]"},
		{outbox.Filter{Target: "b", Limit: 1}, "[3]"},
		{outbox.Filter{Target: "b", Before: all[2].ID}, "[1 0]"},
		{outbox.Filter{State: outbox.Delivered}, "[2 0]"},
		{outbox.Filter{Meeting: "mtg_000002", Target: "a"}, "[2]"},
		{outbox.Filter{Kind: meeting.KindCreated, Since: t0(), Target: "a"}, "[3 2 1 0]"},
		{outbox.Filter{Kind: meeting.KindEnded}, "[]"},
		{outbox.Filter{Since: after(time.Millisecond)}, "[]"},
		{outbox.Filter{Rising: true, Limit: 3}, "[0 0 1]"},
		{outbox.Filter{Rising: true, After: all[2].ID}, "[3 3]"},
	} {
		if got := bodies(must[[]outbox.Delivery](t)(o.List(t.Context(), c.filter))); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.filter, got, c.want)
		}
	}
	equal(t, must[outbox.Delivery](t)(o.Delivery(t.Context(), all[3].Public)), all[3])
	if _, err := o.Delivery(t.Context(), "dlv_nothing"); !errors.Is(err, meeting.ErrNoRow) {
		t.Error(err)
	}
	equal(t, must[map[string]outbox.Counts](t)(o.Counts(t.Context())), map[string]outbox.Counts{
		"a": {Produced: 4, Delivered: 2, Pending: 1, Failed: 1}, "b": {Produced: 4, Failed: 1, Pending: 3},
	})
}

// wakes: each commit that wrote events or deliveries leaves one wake, however
// many they are, and the writer never waits for somebody to take it.
func wakes(t *testing.T, e Engine) {
	s := e.Open(t)
	woken := func() bool {
		select {
		case <-s.Outbox().Wakes():
			return true
		default:
			return false
		}
	}
	equal(t, woken(), false)
	c := create(t, s, newMeeting(1))
	c = save(t, s, next(c, meeting.KindRing))
	equal(t, woken(), true)
	equal(t, woken(), false)
	save(t, s, next(c))
	if err := s.Meetings().Save(t.Context(), next(c, meeting.KindRing)); err == nil {
		t.Fatal("a stale save was taken")
	}
	equal(t, woken(), false)
	relayed(t, s, perMeeting)
	equal(t, woken(), true)
	d := claim(t, s, t0())[0]
	equal(t, must[int64](t)(s.Outbox().Expire(t.Context(), t0())), 0)
	equal(t, woken(), false)
	finish(t, s, done(d, outbox.Failed, t0()))
	equal(t, woken(), true)
	ok(t, s.Outbox().Requeue(t.Context(), d.ID, outbox.Failed, t0()))
	equal(t, woken(), true)
}

// orderUnderWriters: many write events of their own meeting while one relays and
// two deliver. Each dest gets its events in order, each once.
func orderUnderWriters(t *testing.T, e Engine) {
	s := e.Open(t)
	const each = 40
	var got book
	var writers, others sync.WaitGroup
	for n := range racers {
		writers.Go(func() { writes(t, s, n, each) })
	}
	ctx, cancel := contextOf(t)
	defer cancel()
	others.Go(func() { relays(ctx, t, s) })
	for range 2 {
		others.Go(func() { delivers(ctx, t, s, &got, racers*each, cancel) })
	}
	writers.Wait()
	others.Wait()
	got.check(t, racers, each)
}

// book is what was delivered.
type book struct {
	mu   sync.Mutex
	seqs map[string][]string // by dest
	n    int
	busy map[string]bool
}

// begin notes that a dest's delivery is on its way.
func (b *book) begin(t *testing.T, d outbox.Delivery) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seqs == nil {
		b.seqs, b.busy = map[string][]string{}, map[string]bool{}
	}
	if b.busy[d.Dest] {
		t.Errorf("two deliveries of %s at a time", d.Dest)
	}
	b.busy[d.Dest] = true
	b.seqs[d.Dest] = append(b.seqs[d.Dest], string(d.Body))
	b.n++
}

// end notes that it arrived and returns how many have.
func (b *book) end(d outbox.Delivery) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy[d.Dest] = false
	return b.n
}

func (b *book) check(t *testing.T, dests, each int) {
	t.Helper()
	var want []string
	for i := range each {
		want = append(want, fmt.Sprint(i+1))
	}
	equal(t, len(b.seqs), dests)
	for dest, seqs := range b.seqs {
		if fmt.Sprint(seqs) != fmt.Sprint(want) {
			t.Errorf("%s got %v", dest, seqs)
		}
	}
}
