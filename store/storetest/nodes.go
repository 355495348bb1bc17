package storetest

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/store"
)

// patience is how long a story may take that ends by something happening.
const patience = 30 * time.Second

func contextOf(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.Context(), patience)
}

// nodes opens n stores on one database.
func nodes(t *testing.T, e Engine, n int) []*store.Store {
	t.Helper()
	if !e.Shared {
		t.Skip(e.Name + " has one node")
	}
	cfg := e.Fresh(t)
	var list []*store.Store
	for range n {
		list = append(list, OpenAt(t, cfg))
	}
	return list
}

// pause waits for a wake, a short poll or ctx's end.
func pause(ctx context.Context, s *store.Store) {
	poll := time.NewTimer(5 * time.Millisecond)
	defer poll.Stop()
	select {
	case <-ctx.Done():
	case <-s.Outbox().Wakes():
	case <-poll.C:
	}
}

// writes writes meeting n with its events.
func writes(t *testing.T, s *store.Store, n, events int) {
	c := newMeeting(n)
	err := s.Meetings().Create(t.Context(), c)
	for range events - 1 {
		if err != nil {
			break
		}
		c = next(c, meeting.KindMessage)
		err = s.Meetings().Save(t.Context(), c)
	}
	if err != nil {
		t.Error(err)
	}
}

// relays relays until ctx ends.
func relays(ctx context.Context, t *testing.T, s *store.Store) {
	for ctx.Err() == nil {
		n, err := s.Outbox().Relay(ctx, 20, t0(), perMeeting)
		if err != nil && ctx.Err() == nil {
			t.Error(err)
			return
		}
		if n == 0 {
			pause(ctx, s)
		}
	}
}

// delivers delivers until everybody together delivered total, then calls end.
func delivers(ctx context.Context, t *testing.T, s *store.Store, got *book, total int, end func()) {
	for ctx.Err() == nil {
		list, err := s.Outbox().Claim(ctx, t0(), after(time.Minute), room(5))
		if err != nil && ctx.Err() == nil {
			t.Error(err)
			return
		}
		if len(list) == 0 {
			pause(ctx, s)
			continue
		}
		var ds []outbox.Done
		for _, d := range list {
			got.begin(t, d)
			ds = append(ds, done(d, outbox.Delivered, t0()))
		}
		var n int
		for _, d := range list {
			n = got.end(d)
		}
		if err := s.Outbox().Finish(context.WithoutCancel(ctx), ds); err != nil {
			t.Error(err)
			return
		}
		if n == total {
			end()
		}
	}
}

// severalNodes: three nodes write, relay and deliver together.
func severalNodes(t *testing.T, e Engine) {
	const meetings, each = 30, 20
	var got book
	ctx, cancel := contextOf(t)
	defer cancel()
	var all sync.WaitGroup
	for i, s := range nodes(t, e, 3) {
		all.Go(func() { relays(ctx, t, s) })
		all.Go(func() { delivers(ctx, t, s, &got, meetings*each, cancel) })
		all.Go(func() {
			for n := i; n < meetings; n += 3 {
				writes(t, s, n, each)
			}
		})
	}
	all.Wait()
	got.check(t, meetings, each)
}

// requeueUnderClaims: the nodes fail every delivery once while somebody requeues
// what failed. No dest ever has two deliveries on their way, and in the end
// everything is delivered once.
func requeueUnderClaims(t *testing.T, e Engine) {
	const meetings, each = 5, 12
	cfg := e.Fresh(t)
	list := []*store.Store{OpenAt(t, cfg)}
	for e.Shared && len(list) < 3 {
		list = append(list, OpenAt(t, cfg))
	}
	for n := range meetings {
		writes(t, list[0], n, each)
	}
	relayed(t, list[0], perMeeting)

	var got book
	ctx, cancel := contextOf(t)
	defer cancel()
	attempt := func(o *store.Outbox, d outbox.Delivery) (outbox.State, error) {
		got.begin(t, d)
		_, err := o.Attempts(ctx, d.ID) // takes some time
		got.end(d)
		if d.Attempts == 0 {
			return outbox.Failed, err
		}
		return outbox.Delivered, err
	}
	var all sync.WaitGroup
	for _, s := range list {
		o := s.Outbox()
		all.Go(func() {
			for ctx.Err() == nil {
				ds, err := o.Claim(ctx, t0(), after(time.Minute), room(1))
				for _, d := range ds {
					state, err2 := attempt(o, d)
					err = errors.Join(err, err2, o.Finish(context.WithoutCancel(ctx), []outbox.Done{done(d, state, t0())}))
				}
				if err != nil && ctx.Err() == nil {
					t.Error(err)
					cancel()
				}
				if len(ds) == 0 {
					pause(ctx, s)
				}
			}
		})
		all.Go(func() {
			for ctx.Err() == nil {
				failed, err := o.List(ctx, outbox.Filter{State: outbox.Failed})
				for _, d := range failed {
					if err := o.Requeue(ctx, d.ID, d.State, t0()); err != nil && !errors.Is(err, meeting.ErrNoRow) && ctx.Err() == nil {
						t.Error(err)
					}
				}
				counts, err2 := o.Counts(ctx)
				if err = errors.Join(err, err2); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				if counts["desk/main"].Delivered == meetings*each {
					cancel()
				}
				pause(ctx, s)
			}
		})
	}
	all.Wait()
	equal(t, got.n, 2*meetings*each)
}

// leaseOfTheDead: a node that was away for longer than its lease no longer has a
// say, except that what it delivered is delivered.
func leaseOfTheDead(t *testing.T, e Engine) {
	two := nodes(t, e, 2)
	a, b := two[0], two[1]
	create(t, a, newMeeting(1))
	relayed(t, a, perMeeting)
	d := claim(t, a, t0())[0]
	equal(t, len(claim(t, b, after(59*time.Second))), 0)
	equal(t, len(claim(t, b, after(time.Minute))), 1)

	ids := []int64{d.ID}
	ok(t, a.Outbox().Release(t.Context(), ids))
	ok(t, a.Outbox().Extend(t.Context(), ids, t0()))
	finish(t, a, done(d, outbox.Pending, t0()))
	equal(t, len(claim(t, a, after(time.Minute))), 0)
	finish(t, a, done(d, outbox.Failed, t0()))
	equal(t, must[[]outbox.Delivery](t)(b.Outbox().List(t.Context(), outbox.Filter{}))[0].State, outbox.Pending)
	equal(t, len(claim(t, b, after(time.Minute))), 0)

	finish(t, a, done(d, outbox.Delivered, t0()))
	finish(t, b, done(d, outbox.Pending, t0()))
	got := must[[]outbox.Delivery](t)(b.Outbox().List(t.Context(), outbox.Filter{}))[0]
	equal(t, got.State, outbox.Delivered)
	equal(t, got.Attempts, 4)
	equal(t, len(claim(t, b, after(time.Hour))), 0)
}

// startTogether: nodes that meet an empty database make one schema.
func startTogether(t *testing.T, e Engine) {
	if !e.Shared {
		t.Skip(e.Name + " has one node")
	}
	cfg := e.Fresh(t)
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			s, err := store.Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Error(err)
				return
			}
			if err := errors.Join(s.Meetings().Create(t.Context(), newMeeting(i)), s.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	equal(t, len(must[[]meeting.Meeting](t)(OpenAt(t, cfg).Meetings().List(t.Context(), meeting.Filter{}))), 4)
}

func awaitWake(t *testing.T, s *store.Store) {
	t.Helper()
	ctx, cancel := contextOf(t)
	defer cancel()
	select {
	case <-s.Outbox().Wakes():
	case <-ctx.Done():
		t.Fatal("no wake came")
	}
}

func wakesAcross(t *testing.T, e Engine) {
	two := nodes(t, e, 2)
	create(t, two[0], newMeeting(1))
	awaitWake(t, two[1])
	awaitWake(t, two[0])
	relayed(t, two[1], perMeeting)
	awaitWake(t, two[0])
}

func listenerCut(t *testing.T, e Engine) {
	if !e.Shared {
		t.Skip(e.Name + " has no listener")
	}
	cfg := e.Fresh(t)
	a, b := OpenAt(t, cfg), OpenAt(t, cfg)
	heard := hears(b)
	command(t, cfg.Database, `
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query = 'listen ringdown'`)
	awaitWake(t, b) // it listens again, and something may have been missed
	awaitID(t, heard, "")
	create(t, a, newMeeting(1))
	awaitWake(t, b)
	awaitID(t, heard, "mtg_000001")
}

// hears collects what a store tells of other nodes' changes.
func hears(s *store.Store) <-chan meeting.ID {
	heard := make(chan meeting.ID, 100)
	s.Meetings().Tell(func(id meeting.ID) { heard <- id })
	return heard
}

func awaitID(t *testing.T, heard <-chan meeting.ID, want meeting.ID) {
	t.Helper()
	ctx, cancel := contextOf(t)
	defer cancel()
	select {
	case got := <-heard:
		equal(t, got, want)
	case <-ctx.Done():
		t.Fatalf("nobody told of %q", want)
	}
}

// changesAcross: each node hears of the others' changes, with the meeting, and
// not of its own.
func changesAcross(t *testing.T, e Engine) {
	two := nodes(t, e, 2)
	a, b := hears(two[0]), hears(two[1])
	c := create(t, two[0], newMeeting(1))
	awaitID(t, b, c.Meeting.ID)
	c = next(c) // without an event
	c.Invitations = []meeting.Invitation{{ID: "inv_1", Meeting: c.Meeting.ID}}
	save(t, two[0], c)
	awaitID(t, b, c.Meeting.ID)
	relayed(t, two[0], perMeeting)
	create(t, two[1], newMeeting(2))
	awaitID(t, a, "mtg_000002")
	create(t, two[0], newMeeting(3))
	awaitID(t, b, "mtg_000003") // and nothing of the relay before it
}
