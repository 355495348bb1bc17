package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/store"
)

// perTarget drafts for two targets, in order per meeting.
func perTarget(ev meeting.Event) []outbox.Draft {
	var all []outbox.Draft
	for _, target := range []string{"hook/a", "hook/b"} {
		all = append(all, outbox.Draft{Target: target, Dest: target + " " + string(ev.Meeting), Body: []byte(fmt.Sprint(target[5:], ev.Seq))})
	}
	return all
}

// targetsOf counts deliveries by target.
func targetsOf(ds []outbox.Delivery) map[string]int {
	n := map[string]int{}
	for _, d := range ds {
		n[d.Target]++
	}
	return n
}

// roomPerTarget: a target that is at its bound is left out, the others are not.
func roomPerTarget(t *testing.T, e Engine) {
	s := e.Open(t)
	for n := range 12 {
		create(t, s, newMeeting(n))
	}
	relayed(t, s, perTarget)
	take := func(r outbox.Room) map[string]int {
		return targetsOf(must[[]outbox.Delivery](t)(s.Outbox().Claim(t.Context(), t0(), after(time.Minute), r)))
	}
	equal(t, take(outbox.Room{Limit: 100, Target: 3}), map[string]int{"hook/a": 3, "hook/b": 3})
	equal(t, take(outbox.Room{Limit: 100, Target: 3, Busy: map[string]outbox.Busy{"hook/a": {Live: 3}, "hook/b": {Live: 1, Replayed: 1}}}), map[string]int{"hook/b": 1})
	equal(t, take(outbox.Room{Limit: 4, Target: 3, Busy: map[string]outbox.Busy{"hook/a": {Live: 1}}}), map[string]int{"hook/a": 1, "hook/b": 3})
	equal(t, take(outbox.Room{Limit: 100, Target: 50}), map[string]int{"hook/a": 8, "hook/b": 5})
	equal(t, take(outbox.Room{Limit: 100, Target: 50}), map[string]int{})
}

// replayedBeside: a replay goes beside what happens now, in order, with the same
// public ids, and leaves out what is too late.
func replayedBeside(t *testing.T, e Engine) {
	s := e.Open(t)
	o := s.Outbox()
	a := create(t, s, newMeeting(1))
	a = save(t, s, next(a, meeting.KindMessage, meeting.KindRing, meeting.KindEnded))
	relayed(t, s, func(ev meeting.Event) []outbox.Draft {
		d := perMeeting(ev)
		if ev.Kind == meeting.KindRing {
			d[0].ExpiresAt = after(time.Second)
		}
		return d
	})
	for range 4 {
		d := claim(t, s, t0())[0]
		finish(t, s, done(d, map[bool]outbox.State{true: outbox.Failed, false: outbox.Delivered}[string(d.Body) == "2"], t0()))
	}
	before := must[[]outbox.Delivery](t)(o.List(t.Context(), outbox.Filter{Rising: true}))
	now := after(time.Minute)

	for _, c := range []struct {
		sel  outbox.Selection
		want outbox.Matched
	}{
		{outbox.Selection{}, outbox.Matched{Count: 3, TooLate: 1}},
		{outbox.Selection{States: []outbox.State{outbox.Failed}}, outbox.Matched{Count: 1}},
		{outbox.Selection{Kinds: []meeting.Kind{meeting.KindRing, meeting.KindEnded}}, outbox.Matched{Count: 1, TooLate: 1}},
		{outbox.Selection{Target: "desk/other"}, outbox.Matched{}},
		{outbox.Selection{Meeting: "mtg_000001", Target: "desk/main", Since: t0()}, outbox.Matched{Count: 3, TooLate: 1}},
		{outbox.Selection{Since: after(time.Millisecond)}, outbox.Matched{}},
		{outbox.Selection{Until: t0()}, outbox.Matched{}},
	} {
		if got := must[outbox.Matched](t)(o.Match(t.Context(), c.sel, now)); got != c.want {
			t.Errorf("%+v matches %+v, want %+v", c.sel, got, c.want)
		}
		for _, d := range before {
			if c.sel.Takes(d, now) && c.want.Count == 0 {
				t.Errorf("%+v takes %s", c.sel, d.Body)
			}
		}
	}

	// What happens now, and is on its way when the replay starts.
	a = save(t, s, next(a, meeting.KindMessage))
	relayed(t, s, perMeeting)
	live := claim(t, s, now)
	equal(t, bodies(live), "[5]")
	r := must[outbox.Replay](t)(o.Replay(t.Context(), outbox.Selection{Until: now}, now))
	equal(t, r.Matched, int64(3))
	save(t, s, next(a, meeting.KindMessage))
	relayed(t, s, perMeeting)
	step := func(limit, n int, working bool) {
		t.Helper()
		got, more, err := o.ReplayStep(t.Context(), limit, now)
		ok(t, err)
		equal(t, got, n)
		equal(t, more, working)
	}
	step(2, 2, true)
	step(2, 1, true)
	step(2, 0, false)
	var order []string
	for range 3 {
		got := claim(t, s, now)
		equal(t, len(got), 1)
		equal(t, got[0].Replayed, true)
		equal(t, got[0].Tries, 0)
		order = append(order, string(got[0].Body))
		for _, d := range before {
			if d.ID == got[0].ID {
				equal(t, got[0].Public, d.Public)
				equal(t, got[0].Attempts, d.Attempts)
			}
		}
		finish(t, s, done(got[0], outbox.Delivered, now))
	}
	equal(t, order, []string{"1", "2", "4"})
	finish(t, s, done(live[0], outbox.Delivered, now))
	equal(t, bodies(claim(t, s, now)), "[6]")
	list := must[[]outbox.Replay](t)(o.Replays(t.Context(), 10))
	equal(t, len(list), 1)
	equal(t, list[0].Done, int64(3))
	equal(t, list[0].EndedAt, now)
	equal(t, list[0].Selection, r.Selection)

	// A single delivered one, made again by hand, goes the same way.
	d := before[0]
	ok(t, o.Requeue(t.Context(), d.ID, d.State, now))
	again := claim(t, s, now)
	equal(t, bodies(again), "[1]")
	equal(t, again[0].Replayed, true)
	equal(t, again[0].Public, d.Public)
}

// replayedShare: replayed deliveries of a target leave room for what happens now.
func replayedShare(t *testing.T, e Engine) {
	s := e.Open(t)
	o := s.Outbox()
	for n := range 10 {
		create(t, s, newMeeting(n))
	}
	relayed(t, s, perMeeting)
	for _, d := range claim(t, s, t0()) {
		finish(t, s, done(d, outbox.Delivered, t0()))
	}
	must[outbox.Replay](t)(o.Replay(t.Context(), outbox.Selection{}, t0()))
	n, _, err := o.ReplayStep(t.Context(), 100, t0())
	ok(t, err)
	equal(t, n, 10)
	r := outbox.Room{Limit: 100, Target: 4, Replayed: 2}
	equal(t, len(must[[]outbox.Delivery](t)(o.Claim(t.Context(), t0(), after(time.Minute), r))), 2)
	r.Busy = map[string]outbox.Busy{"desk/main": {Replayed: 2}}
	equal(t, len(must[[]outbox.Delivery](t)(o.Claim(t.Context(), t0(), after(time.Minute), r))), 0)
	for n := range 10 {
		create(t, s, newMeeting(100+n))
	}
	relayed(t, s, perMeeting)
	got := must[[]outbox.Delivery](t)(o.Claim(t.Context(), t0(), after(time.Minute), r))
	equal(t, len(got), 2)
	r.Busy = map[string]outbox.Busy{}
	got = must[[]outbox.Delivery](t)(o.Claim(t.Context(), t0(), after(time.Minute), r))
	equal(t, len(got), 4)
	for _, d := range got {
		equal(t, d.Replayed, false)
	}
}

// prune: what ended long ago is gone with its attempts, the rest stays, and the
// counts still add up.
func prune(t *testing.T, e Engine) {
	s := e.Open(t)
	o := s.Outbox()
	for n := range 6 {
		create(t, s, newMeeting(n))
	}
	relayed(t, s, perMeeting)
	var ended []outbox.Delivery
	for i, d := range claim(t, s, t0()) {
		if i < 3 {
			finish(t, s, done(d, []outbox.State{outbox.Delivered, outbox.Failed, outbox.Delivered}[i], after(time.Duration(i)*time.Hour)))
			ended = append(ended, d)
		}
	}
	equal(t, must[int](t)(o.Prune(t.Context(), t0(), 100)), 0)
	equal(t, must[int](t)(o.Prune(t.Context(), after(time.Hour+time.Minute), 1)), 1)
	equal(t, must[int](t)(o.Prune(t.Context(), after(time.Hour+time.Minute), 100)), 1)
	equal(t, must[int](t)(o.Prune(t.Context(), after(time.Hour+time.Minute), 100)), 0)
	equal(t, len(must[[]outbox.Delivery](t)(o.List(t.Context(), outbox.Filter{}))), 4)
	equal(t, len(must[[]outbox.Attempt](t)(o.Attempts(t.Context(), ended[0].ID))), 0)
	equal(t, len(must[[]outbox.Attempt](t)(o.Attempts(t.Context(), ended[2].ID))), 1)
	c := must[map[string]outbox.Counts](t)(o.Counts(t.Context()))["desk/main"]
	equal(t, c, outbox.Counts{Produced: 6, Pending: 3, Delivered: 1, Pruned: 2})
	equal(t, c.Missing(), int64(0))
	equal(t, len(must[[]meeting.Event](t)(s.Meetings().Events(t.Context(), "mtg_000000", 0, 10))), 1)
}

// randomHistories: whatever happens, nothing vanishes, no dest has two on their
// way in one lane, and every dest with something pending has a head.
func randomHistories(t *testing.T, e Engine) {
	cfg := e.Fresh(t)
	list := []*store.Store{OpenAt(t, cfg)}
	for e.Shared && len(list) < 3 {
		list = append(list, OpenAt(t, cfg))
	}
	const meetings, steps = 8, 60
	var busy sync.Map // dest and lane → on its way
	var all sync.WaitGroup
	ctx, cancel := contextOf(t)
	defer cancel()
	for i, s := range list {
		for k := range 2 {
			rnd := rand.New(rand.NewPCG(uint64(i), uint64(k))) //nolint:gosec // a story, no secret
			all.Go(func() {
				for n := range steps {
					if err := act(ctx, s, rnd, &busy, i*1000+k*500+n, meetings); err != nil {
						t.Errorf("step %d: %v", n, err)
						return
					}
				}
			})
		}
	}
	all.Wait()
	o := list[0].Outbox()
	relayed(t, list[0], perTarget)
	sum := func() {
		t.Helper()
		for target, c := range must[map[string]outbox.Counts](t)(o.Counts(ctx)) {
			if c.Missing() != 0 || c.Produced == 0 {
				t.Errorf("%s: %+v, %d vanished", target, c, c.Missing())
			}
		}
	}
	sum()
	// Everything that is pending can still be reached.
	for round := 0; ; round++ {
		for {
			n, working, err := o.ReplayStep(ctx, 50, after(time.Hour))
			ok(t, err)
			if n == 0 && !working {
				break
			}
		}
		got := must[[]outbox.Delivery](t)(o.Claim(ctx, after(2*time.Hour), after(3*time.Hour), room(100)))
		if len(got) == 0 {
			break
		}
		var ds []outbox.Done
		for _, d := range got {
			ds = append(ds, done(d, outbox.Delivered, after(2*time.Hour)))
		}
		finish(t, list[0], ds...)
	}
	sum()
	for target, c := range must[map[string]outbox.Counts](t)(o.Counts(ctx)) {
		if c.Pending != 0 {
			t.Errorf("%s: %d are pending and have no head", target, c.Pending)
		}
	}
}

// act does one random thing.
func act(ctx context.Context, s *store.Store, rnd *rand.Rand, busy *sync.Map, n, meetings int) error {
	o := s.Outbox()
	some := func(f outbox.Filter) (outbox.Delivery, bool) {
		list, err := o.List(ctx, f)
		if err != nil || len(list) == 0 {
			return outbox.Delivery{}, false
		}
		return list[rnd.IntN(len(list))], true
	}
	now := after(time.Duration(n%100) * time.Second)
	switch rnd.IntN(8) {
	case 0, 1: // something happens, maybe in a meeting that others write too
		id := rnd.IntN(meetings)
		c := newMeeting(id)
		err := s.Meetings().Create(ctx, c)
		if errors.Is(err, meeting.ErrTaken) {
			m, err := s.Meetings().ByID(ctx, c.Meeting.ID)
			if err != nil {
				return err
			}
			if err := s.Meetings().Save(ctx, next(meeting.Change{Meeting: m}, meeting.KindMessage)); !errors.Is(err, meeting.ErrStale) {
				return err
			}
			return nil
		}
		return err
	case 2:
		_, err := o.Relay(ctx, 20, now, func(ev meeting.Event) []outbox.Draft {
			ds := perTarget(ev)
			if ev.Seq%3 == 0 {
				ds[0].ExpiresAt = after(time.Duration(ev.Seq) * 5 * time.Second)
			}
			return ds
		})
		return err
	case 3, 4:
		list, err := o.Claim(ctx, now, after(time.Hour), outbox.Room{Limit: 5, Target: 3, Replayed: 2})
		if err != nil {
			return err
		}
		var ds []outbox.Done
		for _, d := range list {
			if _, there := busy.LoadOrStore(fmt.Sprint(d.Dest, d.Replayed), true); there {
				return fmt.Errorf("two of %s are on their way", d.Dest)
			}
			ds = append(ds, done(d, []outbox.State{outbox.Delivered, outbox.Failed, outbox.Pending}[rnd.IntN(3)], now))
		}
		for _, d := range list {
			busy.Delete(fmt.Sprint(d.Dest, d.Replayed))
		}
		if rnd.IntN(5) == 0 {
			ids := make([]int64, len(list))
			for i, d := range list {
				ids[i] = d.ID
			}
			return o.Release(ctx, ids)
		}
		return o.Finish(ctx, ds)
	case 5:
		if d, found := some(outbox.Filter{State: []outbox.State{outbox.Failed, outbox.Expired, outbox.Delivered}[rnd.IntN(3)]}); found {
			if err := o.Requeue(ctx, d.ID, d.State, now); !errors.Is(err, meeting.ErrNoRow) {
				return err
			}
		}
		return nil
	case 6:
		if rnd.IntN(3) == 0 {
			_, err := o.Replay(ctx, outbox.Selection{Target: "hook/b"}, now)
			return err
		}
		if _, _, err := o.ReplayStep(ctx, 3, now); err != nil {
			return err
		}
		_, err := o.Expire(ctx, now)
		return err
	default:
		_, err := o.Prune(ctx, after(time.Duration(rnd.IntN(60))*time.Second), 2)
		return err
	}
}
