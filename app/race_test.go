package app_test

import (
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"ringdown/fault"
	"ringdown/internal/leak"
	"ringdown/meeting"
	"ringdown/store/storetest"
)

// TestC1_one_winner lets eight agents accept the same ring at once, a thousand
// times on each engine: one wins, seven learn who.
func TestC1_one_winner(t *testing.T) {
	leak.Check(t)
	const races, agents = 1000, 8
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			s := meeting.New(e.Open(t).Meetings(), meeting.Policy{Queues: []meeting.Queue{{Name: "q"}}}, time.Now, slog.New(slog.DiscardHandler))
			for race := range races {
				m, _, err := s.Request(t.Context(), meeting.Request{Queue: "q", RingNow: true})
				if err != nil {
					t.Fatal(err)
				}
				var wg sync.WaitGroup
				gun := make(chan struct{})
				errs := make([]error, agents)
				for i := range agents {
					wg.Go(func() {
						<-gun
						_, errs[i] = s.Accept(t.Context(), m.ID, meeting.Agent{Key: meeting.AgentKey(fmt.Sprint(i)), Name: fmt.Sprintf("Agent %d", i)})
					})
				}
				close(gun)
				wg.Wait()
				m, err = s.ByID(t.Context(), m.ID)
				if err != nil || m.Ring.Winner == nil {
					t.Fatalf("race %d: no winner, %v", race, err)
				}
				won := 0
				for i, err := range errs {
					f := fault.Of(err)
					switch {
					case err == nil && meeting.AgentKey(fmt.Sprint(i)) == m.Ring.Winner.Key:
						won++
					case f == nil || f.Code != fault.RingTaken || f.Data["taken_by"] != m.Ring.Winner.Name:
						t.Fatalf("race %d: agent %d got %v, the winner is %s", race, i, err, m.Ring.Winner.Name)
					}
				}
				if won != 1 || len(m.Participants) != 2 {
					t.Fatalf("race %d: %d winners, %d participants", race, won, len(m.Participants))
				}
			}
		})
	}
}
