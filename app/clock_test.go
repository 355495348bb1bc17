package app_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringdown/meeting"
	"ringdown/store/storetest"
)

// clockwork runs a Service and its Clock on a real store in fake time.
func clockwork(t *testing.T, test func(t *testing.T, s *meeting.Service)) {
	synctest.Test(t, func(t *testing.T) {
		store := storetest.Open(t)
		s := meeting.New(store.Meetings(), meeting.Policy{Queues: []meeting.Queue{{Name: "q"}}}, time.Now, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { _ = meeting.NewClock(s).Run(ctx) })
		test(t, s)
		cancel()
		wg.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
}

func request(t *testing.T, s *meeting.Service, ring bool) meeting.Meeting {
	t.Helper()
	m, _, err := s.Request(t.Context(), meeting.Request{Queue: "q", RingNow: ring})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// after sleeps in fake time and returns the meeting then.
func after(t *testing.T, s *meeting.Service, id meeting.ID, d time.Duration) meeting.Meeting {
	t.Helper()
	time.Sleep(d)
	synctest.Wait()
	m, err := s.ByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// The windows of promise C5: a ring's end is right to half a second.
func TestC5_rings_end_in_time(t *testing.T) {
	clockwork(t, func(t *testing.T, s *meeting.Service) {
		m := request(t, s, true)
		if m = after(t, s, m.ID, 29*time.Second); m.Ring.Round != 1 || m.State != meeting.Requested {
			t.Fatalf("at 29 s: %s, round %d", m.State, m.Ring.Round)
		}
		if m = after(t, s, m.ID, 1500*time.Millisecond); m.Ring.Round != 2 {
			t.Fatalf("at 30.5 s: round %d", m.Ring.Round)
		}
		if m = after(t, s, m.ID, 30*time.Second); m.Outcome != meeting.Missed {
			t.Fatalf("at 60.5 s: %s %s", m.State, m.Outcome)
		}
		events, err := s.Events(t.Context(), m.ID, 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		var kinds []meeting.Kind
		for _, e := range events {
			kinds = append(kinds, e.Kind)
		}
		want := []meeting.Kind{meeting.KindCreated, meeting.KindRequested, meeting.KindRing, meeting.KindRing, meeting.KindMissed, meeting.KindEnded}
		if !slices.Equal(kinds, want) {
			t.Fatal(kinds)
		}
	})
}

func TestAbsence(t *testing.T) {
	t.Run("a visitor whose page is gone has cancelled after 20 s", func(t *testing.T) {
		clockwork(t, func(t *testing.T, s *meeting.Service) {
			m := request(t, s, true)
			if err := s.Seen(t.Context(), m, m.TheVisitor().ID); err != nil {
				t.Fatal(err)
			}
			if m = after(t, s, m.ID, 19*time.Second); m.State != meeting.Requested {
				t.Fatalf("at 19 s: %s", m.State)
			}
			if err := s.Seen(t.Context(), m, m.TheVisitor().ID); err != nil { // a reload comes back
				t.Fatal(err)
			}
			if m = after(t, s, m.ID, 10*time.Second); m.State != meeting.Requested {
				t.Fatalf("10 s after it came back: %s", m.State)
			}
			if m = after(t, s, m.ID, 11*time.Second); m.Outcome != meeting.Cancelled || m.Reason != meeting.ReasonNetwork {
				t.Fatalf("at 40 s: %s %s", m.Outcome, m.Reason)
			}
		})
	})
	t.Run("somebody gone from a call has left after 60 s", func(t *testing.T) {
		clockwork(t, func(t *testing.T, s *meeting.Service) {
			m := request(t, s, true)
			m, err := s.Accept(t.Context(), m.ID, meeting.Agent{Key: "a", Name: "Marie"})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Seen(t.Context(), m, m.TheVisitor().ID); err != nil {
				t.Fatal(err)
			}
			if m = after(t, s, m.ID, 59*time.Second); m.State != meeting.Active {
				t.Fatalf("at 59 s: %s", m.State)
			}
			if m = after(t, s, m.ID, 2*time.Second); m.Outcome != meeting.Completed || m.EndedBy != meeting.Visitor {
				t.Fatalf("at 61 s: %s by %s", m.Outcome, m.EndedBy)
			}
		})
	})
	t.Run("a planned meeting nobody starts expires", func(t *testing.T) {
		clockwork(t, func(t *testing.T, s *meeting.Service) {
			m := request(t, s, false)
			if m = after(t, s, m.ID, 15*time.Minute+time.Second); m.Outcome != meeting.Expired {
				t.Fatalf("%s %s", m.State, m.Outcome)
			}
		})
	})
	t.Run("nobody is absent for the time we were away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			store := storetest.Open(t)
			s := meeting.New(store.Meetings(), meeting.Policy{Queues: []meeting.Queue{{Name: "q", Ring: meeting.RingRule{Window: 20 * time.Minute, Wait: time.Hour}}}}, time.Now, slog.New(slog.DiscardHandler))
			m := request(t, s, true)
			if err := s.Seen(t.Context(), m, m.TheVisitor().ID); err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Minute) // no Clock: the daemon is down
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { _ = meeting.NewClock(s).Run(ctx) })
			if m = after(t, s, m.ID, 15*time.Second); m.State != meeting.Requested {
				t.Fatalf("15 s after the start: %s", m.State)
			}
			if m = after(t, s, m.ID, 6*time.Second); m.Outcome != meeting.Cancelled {
				t.Fatalf("21 s after the start: %s", m.State)
			}
			cancel()
			wg.Wait()
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}
