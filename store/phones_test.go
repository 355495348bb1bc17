package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"ringdown/internal/leak"
	"ringdown/meeting"
	"ringdown/store/storetest"
)

// TestPhonesOnADatabase: what meeting.Phones promises, with a real database
// below it and its writer beside it.
func TestPhonesOnADatabase(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			s := e.Open(t)
			p := meeting.NewPhones(s.Phones(), time.Now, slog.New(slog.DiscardHandler))
			noted := func(c meeting.PhoneCall, _ time.Time) (meeting.PhoneCall, error) {
				c.Note += "."
				return c, nil
			}

			// Nobody writes yet: a change of what only waits writes it itself.
			p.Ring(ring(-1))
			if c, err := p.Change(t.Context(), ring(-1).ID, noted); err != nil || c.Note != "." || c.Version != 2 {
				t.Fatalf("%+v, %v", c, err)
			}
			if c, err := s.Phones().PhoneCall(t.Context(), ring(-1).ID); err != nil || c.Note != "." {
				t.Fatalf("%+v, %v", c, err)
			}

			ctx, cancel := context.WithCancel(t.Context())
			var run, all sync.WaitGroup
			run.Go(func() {
				if err := p.Run(ctx); err != nil {
					t.Error(err)
				}
			})
			const calls, rings, changes = 16, 10, 5
			for n := range calls {
				p.Ring(ring(n))
				all.Go(func() { // the same call rings again and again
					for range rings {
						before := p.Ring(ring(n)).RungAt
						if c, err := p.ByID(t.Context(), ring(n).ID); err != nil || c.RungAt.Before(before) {
							t.Errorf("rang at %v, read %v, %v", before, c.RungAt, err)
						}
					}
				})
				for range 2 { // while two pages write to it
					all.Go(func() {
						for range changes {
							if _, err := p.Change(t.Context(), ring(n).ID, noted); err != nil {
								t.Error(err)
							}
						}
					})
				}
			}
			all.Wait()
			for n := range 300 {
				p.Ring(ring(calls + n))
			}
			cancel()
			run.Wait()
			again := meeting.NewPhones(s.Phones(), time.Now, slog.New(slog.DiscardHandler)) // as after a restart
			for n := range calls + 300 {
				c, err := again.ByID(t.Context(), ring(n).ID)
				if err != nil || n < calls && len(c.Note) != 2*changes {
					t.Fatalf("%d: %d notes, %v", n, len(c.Note), err)
				}
			}
			if got := again.Of(t.Context(), "phone/one", "agent-7", time.Hour); len(got) != 20 {
				t.Errorf("the agent has %d calls", len(got))
			}
		})
	}
}

// ring is a phone call as an agent's app tells of it.
func ring(n int) meeting.PhoneCall {
	return meeting.PhoneCall{
		ID: meeting.PhoneCallID(fmt.Sprintf("phc_%08d", n)), Desk: "phone/one", Ref: fmt.Sprintf("1724763400.%d", n/2),
		Agent: meeting.Agent{Key: meeting.AgentKey(fmt.Sprint("agent-", (n+10)%10)), Name: "Ada Byron"}, Caller: "0199001234", Number: "+33199001234", Called: "3010",
		Queue: meeting.PhoneQueue{ID: "3", Name: "sales", Label: "Sales", Number: "3010"},
		Data:  map[string]string{"XIVO_CONTEXT": "from-extern", "XIVO_SRCNUM": "0199001234", "XIVO_DSTNUM": "3010", "USR_CASE": "C-991"},
		Trust: meeting.Trust{By: "secret"}, Decision: meeting.Decision{Rule: "sales", Action: "open", Event: "EventRinging"},
	}
}
