package app_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ringdown/internal/leak"
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
		synctest.Wait()
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
	leak.Check(t)
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
	leak.Check(t)
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
			time.Sleep(time.Second)
			if err := s.Seen(t.Context(), m, m.Participants[1].ID); err != nil { // the agent stays a little longer
				t.Fatal(err)
			}
			if m = after(t, s, m.ID, 58*time.Second); m.State != meeting.Active {
				t.Fatalf("at 59 s: %s", m.State)
			}
			if m = after(t, s, m.ID, 1500*time.Millisecond); m.Outcome != meeting.Completed || m.EndedBy != meeting.Visitor {
				t.Fatalf("at 61 s: %s by %s", m.Outcome, m.EndedBy)
			}
		})
	})
	t.Run("an agent who accepts and never comes has left after 60 s", func(t *testing.T) {
		clockwork(t, func(t *testing.T, s *meeting.Service) {
			m := request(t, s, true)
			if _, err := s.Accept(t.Context(), m.ID, meeting.Agent{Key: "a", Name: "Marie"}); err != nil {
				t.Fatal(err)
			}
			for range 12 { // the visitor stays
				if m = after(t, s, m.ID, 5*time.Second); m.State == meeting.Active {
					if err := s.Seen(t.Context(), m, m.TheVisitor().ID); err != nil {
						t.Fatal(err)
					}
				}
			}
			if m = after(t, s, m.ID, 2*time.Second); m.State != meeting.Ended || m.EndedBy != meeting.AgentR || m.Reason != meeting.ReasonNetwork {
				t.Fatalf("at 62 s: %s by %s, %s", m.State, m.EndedBy, m.Reason)
			}
		})
	})
	t.Run("nobody is absent for the time in which nothing could be written", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			real := storetest.Open(t)
			flaky := &flakyStore{Store: real.Meetings()}
			s := meeting.New(flaky, meeting.Policy{Queues: []meeting.Queue{{Name: "q", Ring: meeting.RingRule{Window: 10 * time.Minute, Wait: time.Hour}}}}, time.Now, slog.New(slog.DiscardHandler))
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() { _ = meeting.NewClock(s).Run(ctx) })
			m := request(t, s, true)
			seen := func() { _ = s.Seen(t.Context(), m, m.TheVisitor().ID) }
			seen()
			for second := range 120 { // the page says every 5 s that it is there; for 75 s it is not heard
				flaky.down.Store(second > 10 && second < 85)
				time.Sleep(time.Second)
				if second%5 == 0 {
					seen()
				}
			}
			if m = after(t, s, m.ID, 0); m.State != meeting.Requested {
				t.Fatalf("after the outage: %s %s", m.Outcome, m.Reason)
			}
			if m = after(t, s, m.ID, 30*time.Second); m.Outcome != meeting.Cancelled { // now it is really gone
				t.Fatalf("30 s after its last word: %s", m.State)
			}
			cancel()
			wg.Wait()
			if err := real.Close(); err != nil {
				t.Error(err)
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
			if m = after(t, s, m.ID, 7*time.Second); m.State != meeting.Requested {
				t.Fatalf("7 s after the start: %s", m.State)
			}
			if m = after(t, s, m.ID, 3*time.Second); m.Outcome != meeting.Cancelled {
				t.Fatalf("10 s after the start: %s", m.State)
			}
			cancel()
			wg.Wait()
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}

// flakyStore is a real store that can be down.
type flakyStore struct {
	meeting.Store
	down atomic.Bool
}

var errDown = errors.New("the disk is full")

func (f *flakyStore) Seen(ctx context.Context, ps []meeting.Presence) error {
	if f.down.Load() {
		return errDown
	}
	return f.Store.Seen(ctx, ps)
}

func (f *flakyStore) Absent(ctx context.Context, now time.Time, limit int) ([]meeting.Presence, error) {
	if f.down.Load() {
		return nil, errDown
	}
	return f.Store.Absent(ctx, now, limit)
}

func (f *flakyStore) Renew(ctx context.Context, until time.Time) error {
	if f.down.Load() {
		return errDown
	}
	return f.Store.Renew(ctx, until)
}

// TestC4_open_calls_are_resumed_or_over_after_a_start: a daemon that died with
// calls open knows within 10 s what became of each.
func TestC4_open_calls_are_resumed_or_over_after_a_start(t *testing.T) {
	leak.Check(t)
	// died makes a call of two people, lets the daemon die, and starts it again.
	died := func(t *testing.T, before func(context.Context, meeting.Store, meeting.Meeting), test func(*testing.T, *meeting.Service, meeting.Meeting)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			store := storetest.Open(t)
			s := meeting.New(store.Meetings(), meeting.Policy{Queues: []meeting.Queue{{Name: "q"}}}, time.Now, slog.New(slog.DiscardHandler))
			m := request(t, s, true)
			m, err := s.Accept(t.Context(), m.ID, meeting.Agent{Key: "a", Name: "Marie"})
			if err == nil {
				m, err = s.Present(t.Context(), m.ID, []meeting.ParticipantID{m.Participants[0].ID, m.Participants[1].ID})
			}
			if err == nil {
				err = s.Seen(t.Context(), m, m.Participants[0].ID, m.Participants[1].ID)
			}
			if err != nil {
				t.Fatal(err)
			}
			if before != nil {
				before(t.Context(), store.Meetings(), m)
			}
			time.Sleep(time.Second)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			s = meeting.New(store.Meetings(), s.Policy(), time.Now, slog.New(slog.DiscardHandler))
			wg.Go(func() { _ = meeting.NewClock(s).Run(ctx) })
			synctest.Wait()
			test(t, s, m)
			cancel()
			wg.Wait()
			_ = store.Close()
		})
	}
	over := func(t *testing.T, s *meeting.Service, m meeting.Meeting) {
		t.Helper()
		if m = after(t, s, m.ID, 7*time.Second); m.State != meeting.Active {
			t.Fatalf("7 s after the start: %s", m.State)
		}
		if m = after(t, s, m.ID, 3*time.Second); m.Outcome != meeting.Completed || m.Reason != meeting.ReasonNetwork {
			t.Fatalf("10 s after the start: %s %s %s", m.State, m.Outcome, m.Reason)
		}
	}
	t.Run("nobody comes back", func(t *testing.T) { died(t, nil, over) })
	t.Run("nobody comes back, and who was there is forgotten", func(t *testing.T) {
		died(t, func(ctx context.Context, kept meeting.Store, m meeting.Meeting) { // as by a crash between two writes
			if err := kept.Forget(ctx, m.ID, ""); err != nil {
				t.Fatal(err)
			}
		}, over)
	})
	t.Run("one comes back, the other has the time of a call", func(t *testing.T) {
		died(t, nil, func(t *testing.T, s *meeting.Service, m meeting.Meeting) {
			for second := range 61 {
				if second == 59 && m.State != meeting.Active {
					t.Fatalf("59 s after the start: %s", m.State)
				}
				if second%5 == 2 && m.State == meeting.Active {
					if err := s.Seen(t.Context(), m, m.Participants[1].ID); err != nil {
						t.Fatal(err)
					}
				}
				m = after(t, s, m.ID, time.Second)
			}
			if m.State != meeting.Ended || m.EndedBy != meeting.Visitor || m.Reason != meeting.ReasonNetwork {
				t.Fatalf("61 s after the start: %s by %s, %s", m.State, m.EndedBy, m.Reason)
			}
		})
	})
	t.Run("both come back, and nothing is in the log", func(t *testing.T) {
		died(t, nil, func(t *testing.T, s *meeting.Service, m meeting.Meeting) {
			for range 30 {
				if err := s.Seen(t.Context(), m, m.Participants[0].ID, m.Participants[1].ID); err != nil {
					t.Fatal(err)
				}
				if after(t, s, m.ID, 5*time.Second).Seq != m.Seq {
					t.Fatal("something happened")
				}
			}
		})
	})
}
