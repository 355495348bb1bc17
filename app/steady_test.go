package app_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringdown/app"
	"ringdown/config"
	"ringdown/internal/leak"
	"ringdown/meeting"
	"ringdown/store"
	"ringdown/store/storetest"
)

// wallClock is one that people set.
type wallClock struct{ off atomic.Int64 }

func (w *wallClock) now() time.Time       { return time.Now().Add(time.Duration(w.off.Load())) }
func (w *wallClock) set(by time.Duration) { w.off.Add(int64(by)) }

// daemonTime runs a Service and its Clock by the daemon's clock until stop.
func daemonTime(t *testing.T, s *store.Store, wall *wallClock) (ms *meeting.Service, clock *app.Clock, stop func()) {
	t.Helper()
	began := time.Now()
	clock, err := app.OpenClock(t.Context(), wall.now, func() time.Duration { return time.Since(began) }, s)
	if err != nil {
		t.Fatal(err)
	}
	ms = meeting.New(s.Meetings(), meeting.Policy{Queues: []meeting.Queue{{Name: "q"}}}, clock.Now, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = clock.Run(ctx) })
	wg.Go(func() { _ = meeting.NewClock(ms).Run(ctx) })
	synctest.Wait()
	return ms, clock, func() { cancel(); wg.Wait() }
}

// TestC5_a_wall_clock_that_is_set_changes_no_ring sets it while it rings, by two
// hours in each direction, and while the daemon is down.
func TestC5_a_wall_clock_that_is_set_changes_no_ring(t *testing.T) {
	leak.Check(t)
	still := func(t *testing.T, s *meeting.Service, id meeting.ID, d time.Duration, round int) {
		t.Helper()
		if m := after(t, s, id, d); m.State != meeting.Requested || m.Ring.Round != round {
			t.Fatalf("%s, round %d; want round %d", m.State, m.Ring.Round, round)
		}
	}
	for _, by := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		t.Run("while it rings, by "+by.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st, wall := storetest.Open(t), &wallClock{}
				s, _, stop := daemonTime(t, st, wall)
				m := request(t, s, true)
				still(t, s, m.ID, 10*time.Second, 1)
				wall.set(by)
				still(t, s, m.ID, 19500*time.Millisecond, 1) // 29.5 s
				still(t, s, m.ID, time.Second, 2)            // 30.5 s
				wall.set(-2 * by)
				still(t, s, m.ID, 29*time.Second, 2) // 59.5 s
				if m = after(t, s, m.ID, time.Second); m.Outcome != meeting.Missed {
					t.Fatalf("at 60.5 s: %s", m.State)
				}
				stop()
				_ = st.Close()
			})
		})
	}
	t.Run("while we were down, back by two hours", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			st, wall := storetest.Open(t), &wallClock{}
			s, _, stop := daemonTime(t, st, wall)
			m := request(t, s, true)
			still(t, s, m.ID, 10*time.Second, 1)
			stop()
			wall.set(-2 * time.Hour)
			time.Sleep(5 * time.Second) // nobody can know how long
			s, _, stop = daemonTime(t, st, wall)
			still(t, s, m.ID, 19500*time.Millisecond, 1)
			still(t, s, m.ID, time.Second, 2)
			if m = after(t, s, m.ID, 30*time.Second); m.Outcome != meeting.Missed {
				t.Fatalf("60.5 s of ringing: %s", m.State)
			}
			stop()
			_ = st.Close()
		})
	})
	t.Run("a crash loses at most a second of it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			st, wall := storetest.Open(t), &wallClock{}
			s, clock, stop := daemonTime(t, st, wall)
			m := request(t, s, true)
			still(t, s, m.ID, 20*time.Second, 1)
			if kept, err := st.Time(t.Context()); err != nil || clock.Now().Sub(kept) > time.Second {
				t.Fatalf("kept %s, %v; it is %s", kept, err, clock.Now())
			}
			stop()
			_ = st.Close()
		})
	})
	t.Run("while we were away for long, a ring is over", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			st, wall := storetest.Open(t), &wallClock{}
			s, _, stop := daemonTime(t, st, wall)
			m := request(t, s, true)
			stop()
			wall.set(2 * time.Hour) // or two hours have passed: nobody can tell
			s, _, stop = daemonTime(t, st, wall)
			for range 2 {
				m = after(t, s, m.ID, time.Second)
			}
			if m.Outcome != meeting.Missed {
				t.Fatalf("%s", m.State)
			}
			stop()
			_ = st.Close()
		})
	})
}

// A clock that was wrong at the start heals when it is put right, as soon as no
// timer is running.
func TestClockAdoptsTheWallClock(t *testing.T) {
	leak.Check(t)
	for _, by := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				st, wall := storetest.Open(t), &wallClock{}
				s, clock, stop := daemonTime(t, st, wall)
				off := func() time.Duration { return wall.now().Sub(clock.Now()) }
				m := request(t, s, true)
				wall.set(by)
				if after(t, s, m.ID, 30*time.Second); off() != by {
					t.Fatalf("adopted during a call: %s", off())
				}
				if _, err := s.End(t.Context(), m.ID, meeting.Visitor); err != nil {
					t.Fatal(err)
				}
				if after(t, s, m.ID, 2*time.Second); off() != 0 {
					t.Fatalf("still off by %s", off())
				}
				wall.set(100 * time.Millisecond) // less than a step
				if after(t, s, m.ID, 2*time.Second); off() != 100*time.Millisecond {
					t.Fatalf("off by %s", off())
				}
				stop()
				_, clock, stop = daemonTime(t, st, wall) // and a start without calls goes by the wall clock
				if off() != 0 {
					t.Fatalf("off by %s after a start", off())
				}
				stop()
				_ = st.Close()
			})
		})
	}
}

// TestC5_the_whole_daemon_rings_as_long_as_it_should lets a ring of three seconds
// run out in real time while the wall clock is set, and across a restart.
func TestC5_the_whole_daemon_rings_as_long_as_it_should(t *testing.T) {
	const window, slack = 3 * time.Second, 500 * time.Millisecond
	short := func(c *config.Config) {
		c.Queues[0].Ring = meeting.RingRule{Window: window, Rounds: 1, Wait: window}
	}
	ended := func(m told) bool { return m.Type == "meeting" && m.Meeting.State == "ended" }
	judge := func(t *testing.T, rang time.Duration) {
		t.Helper()
		promised(t, "C5", "a ring is off by", (rang - window).Abs(), slack)
		if rang < window-slack {
			t.Fatalf("it rang for %s", rang)
		}
	}
	leak.Check(t)
	for _, by := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			wall := &wallClock{}
			h := startBy(t, t.TempDir(), "", wall.now, short)
			made := h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{"ring": "now"})
			began := time.Now()
			page := h.follow(t, hello(h.redeem(made.text("links.visitor"), "").token))
			page.until("it rings", func(m told) bool { return m.Type == "meeting" && m.Meeting.State == "requested" })
			wall.set(by)
			at, err := page.heard(ended)
			if err != nil {
				t.Fatal(err)
			}
			judge(t, at.Sub(began))
		})
	}
	t.Run("set back while it was down", func(t *testing.T) {
		wall, dir := &wallClock{}, t.TempDir()
		h := startBy(t, dir, "", wall.now, short)
		made := h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{"ring": "now"})
		began := time.Now()
		h.stop()
		rang := time.Since(began)
		wall.set(-2 * time.Hour)
		again := time.Now() // time goes on somewhere in the start
		h = startBy(t, dir, "", wall.now, short)
		page := h.follow(t, hello(h.redeem(h.elsewhere(made.text("links.visitor")), "").token))
		at, err := page.heard(ended)
		if err != nil {
			t.Fatal(err)
		}
		judge(t, rang+at.Sub(again))
	})
}
