package outbox

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A live delivery is tried again within seconds; once it is not live any more it
// goes on where its age belongs in the lasting schedule.
func TestLiveSchedule(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	made := time.UnixMilli(1_700_000_000_000).UTC()
	for attempts := 1; attempts < 60; attempts++ {
		state, at := next(Delivery{Tries: attempts, QueuedAt: made}, Result{Verdict: Retry, Live: true}, made, rnd)
		if state != Pending || at.Sub(made) > 10*time.Second {
			t.Fatalf("attempt %d: %s in %s", attempts, state, at.Sub(made))
		}
	}
	now := made.Add(10 * time.Minute)
	state, at := next(Delivery{Tries: 60, QueuedAt: made}, Result{Verdict: Retry}, now, rnd)
	if wait := at.Sub(now); state != Pending || wait < 24*time.Minute || wait > 36*time.Minute {
		t.Fatalf("after ten live minutes: %s in %s", state, wait)
	}
}
