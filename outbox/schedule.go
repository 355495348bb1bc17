package outbox

import (
	"math/rand/v2"
	"time"
)

// lasting is how long to wait before each attempt of a delivery that is never
// too late. After the last one the delivery has failed.
func lasting() []time.Duration {
	return []time.Duration{
		0, 5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
		5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// perishable is the same for a delivery that expires; the last step repeats
// until then.
func perishable() []time.Duration {
	return []time.Duration{0, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second}
}

// The bounds within which another side's Retry-After is obeyed.
const (
	minAfter = time.Second
	maxAfter = 24 * time.Hour
)

// next says where d stands after an attempt that ended at now with r, and when
// it is tried again if it is still pending. d.Tries counts the ended ones since
// it was queued, this one included.
func next(d Delivery, r Result, now time.Time, rnd *rand.Rand) (State, time.Time) {
	switch r.Verdict {
	case OK:
		return Delivered, time.Time{}
	case GiveUp:
		return Failed, time.Time{}
	case Retry:
	}
	var wait time.Duration
	if d.ExpiresAt.IsZero() && !r.Live {
		step := min(d.Tries, stepOf(now.Sub(d.QueuedAt)))
		steps := lasting()
		if step >= len(steps) {
			return Failed, time.Time{}
		}
		wait = jitter(steps[step], rnd)
	} else {
		steps := perishable()
		wait = steps[min(d.Tries, len(steps)-1)]
	}
	if r.After > 0 {
		wait = max(wait, min(max(r.After, minAfter), maxAfter))
	}
	at := now.Add(wait)
	if !d.ExpiresAt.IsZero() && !at.Before(d.ExpiresAt) {
		return Expired, time.Time{} // there will be no attempt any more: do not hold up the next of its Dest
	}
	return Pending, at
}

// stepOf is the step of the lasting schedule that a delivery of this age has
// come to. It holds back one that was tried more often while it was live; the
// others come to each step at 0.8 of its time at the earliest.
func stepOf(age time.Duration) int {
	var due time.Duration
	for i, wait := range lasting() {
		if due += wait; age < due*7/10 {
			return i
		}
	}
	return len(lasting())
}

// jitter spreads d over ±20 %, so that what failed together does not come back
// together.
func jitter(d time.Duration, rnd *rand.Rand) time.Duration {
	return d + time.Duration((rnd.Float64()*2-1)*0.2*float64(d))
}
