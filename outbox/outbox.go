// Package outbox delivers what happened, durably. Relay turns each event into
// deliveries; Sender tries each delivery until it is delivered, has failed for
// a human to look at, or has expired; Keeper replays and removes. An event is
// written by the store in the transaction of the change it tells, so what was
// acknowledged is delivered at least once, also after a crash.
//
// Deliveries with the same Dest go out one at a time, in the order of their
// events; different Dests do not wait for each other. A Target has a bound of
// attempts at a time, so that one that hangs holds up nobody else. Replayed
// deliveries have a lane of their own beside what happens now.
//
// The package knows no vendor and no store driver. The Runs own every goroutine
// they start.
package outbox

import (
	"context"
	"time"

	"ringdown/meeting"
)

// State is where a delivery stands.
type State string

// The states. Pending ones have Next; the others are final.
const (
	Pending   State = "pending"   // never tried, or to be tried again at Next
	Delivered State = "delivered" // the other side took it
	Failed    State = "failed"    // given up; kept for a human to retry
	Expired   State = "expired"   // too late to be useful; not sent any more
)

// Draft is what a Translator wants sent for an event.
type Draft struct {
	Target    string    // who delivers it: "xcally/main"; the part before "/" names the connector
	Dest      string    // what is kept in order: usually Target and the meeting
	Body      []byte    // as the connector will send it; may hold a link, so it is masked wherever shown
	ExpiresAt time.Time // a ring's end; zero: never too late
}

// Translator drafts deliveries for an event. It is pure: no I/O, no clock, the
// same event gives the same drafts. Drafts that come with an error are sent all
// the same; the error is logged and must name nobody.
type Translator interface {
	Draft(ev meeting.Event) ([]Draft, error)
}

// Delivery is one event for one target.
type Delivery struct {
	ID        int64
	Public    string // "dlv_…", stable over all attempts: the other side knows duplicates by it
	Event     meeting.EventID
	Kind      meeting.Kind
	Meeting   meeting.ID
	Target    string
	Dest      string
	Body      []byte
	State     State
	Reason    string // of the last attempt, a word of the closed list of its connector; empty if none
	Attempts  int
	Tries     int // attempts since QueuedAt; the schedule counts these
	Next      time.Time
	ExpiresAt time.Time // zero: never
	CreatedAt time.Time
	QueuedAt  time.Time // when it was last made pending: CreatedAt, or a retry's or a replay's time
	DoneAt    time.Time // zero while pending
	// Replayed ones go out in a lane of their own: in order among themselves, beside
	// what happens now in the same Dest and never before it.
	Replayed bool
}

// Verdict is what an attempt came to.
type Verdict string

// The verdicts.
const (
	OK     Verdict = "ok"     // taken
	Retry  Verdict = "retry"  // try again by the schedule, or not before After
	GiveUp Verdict = "giveup" // no use in trying again by itself
)

// Result is what a Deliverer says of one attempt.
type Result struct {
	Verdict Verdict
	Reason  string        // closed list of words: "status_500", "dns", "refused", "tls", "timeout", "timeout_after_send", …
	Status  int           // HTTP status, 0 if there was none
	After   time.Duration // Retry-After of the other side; 0: by the schedule
	// Live: a conversation is going on, and what comes behind in the same Dest may
	// not wait: try again within seconds, like a delivery that expires.
	Live bool
}

// Attempt is one try, kept.
type Attempt struct {
	Delivery int64
	N        int // from 1
	At       time.Time
	Took     time.Duration
	Verdict  Verdict
	Reason   string
	Status   int
}

// Deliverer sends one delivery. Deliver returns by ctx's end; it is called by
// one goroutine at a time per Dest.
type Deliverer interface {
	Deliver(ctx context.Context, d Delivery) Result
}

// Done is the end of one attempt, to be stored.
type Done struct {
	Attempt Attempt
	State   State     // of the delivery after it
	Next    time.Time // when Pending
}

// Filter narrows List. Zero fields do not narrow.
type Filter struct {
	State   State
	Target  string
	Kind    meeting.Kind
	Meeting meeting.ID
	Since   time.Time // only those created at or after it
	Before  int64     // only older ones; the cursor
	After   int64     // only younger ones
	Rising  bool      // oldest first
	Limit   int       // 1 to 200
}

// Counts are how many deliveries a target has, and was ever given.
type Counts struct {
	Produced  int64 // ever
	Pending   int64
	Delivered int64
	Failed    int64
	Expired   int64
	Pruned    int64 // were delivered, failed or expired, and are no longer kept
}

// Missing is what vanished; 0 always.
func (c Counts) Missing() int64 {
	return c.Produced - c.Pending - c.Delivered - c.Failed - c.Expired - c.Pruned
}

// Store keeps events, deliveries and attempts. Safe for concurrent use, also by
// several processes on PostgreSQL.
type Store interface {
	// Wakes gets a value (and never blocks the writer: one slot) after a commit
	// that wrote events or deliveries.
	Wakes() <-chan struct{}

	// Relay takes up to limit events that are not relayed yet, in order, calls
	// draft for each outside of the transaction, and in one transaction writes the
	// deliveries and marks the events relayed. An event that another process
	// relayed meanwhile is left out. It returns how many events it relayed.
	Relay(ctx context.Context, limit int, now time.Time, draft func(meeting.Event) []Draft) (int, error)

	// Claim leases heads as far as there is room: of every Dest, and of the replayed
	// ones of every Dest, the oldest pending delivery, if its Next is at or before
	// now and no lease holds it. A lease ends at until. What it costs does not
	// depend on how many deliveries wait.
	Claim(ctx context.Context, now, until time.Time, room Room) ([]Delivery, error)
	// Extend moves the leases of these deliveries to until.
	Extend(ctx context.Context, ids []int64, until time.Time) error
	// Release ends the leases of these deliveries without an attempt.
	Release(ctx context.Context, ids []int64) error
	// Finish stores up to 200 ended attempts in one transaction and ends their leases.
	Finish(ctx context.Context, done []Done) error
	// Expire ends every pending delivery whose ExpiresAt is at or before now and
	// that no lease holds, and returns how many.
	Expire(ctx context.Context, now time.Time) (int64, error)
	// NextDue is the earliest time after now at which a head becomes due or a
	// delivery expires; zero if there is none. Leases do not count.
	NextDue(ctx context.Context, now time.Time) (time.Time, error)

	List(ctx context.Context, f Filter) ([]Delivery, error) // newest first, unless Filter.Rising
	// Delivery finds one by its Public id; meeting.ErrNoRow if there is none.
	Delivery(ctx context.Context, public string) (Delivery, error)
	Attempts(ctx context.Context, delivery int64) ([]Attempt, error)
	// Requeue makes a delivery that ended as from pending again, due now, with the
	// whole schedule before it. A failed or expired one goes back to its place,
	// before its followers unless one of them is on its way; a delivered one goes
	// to the replayed ones. One that is too late by now will not expire any more: a
	// human wants it sent. One that is Pending is due now, with the rest of its
	// schedule; what waits before it in its Dest still goes first. meeting.ErrNoRow if
	// there is none in that state, or it is on its way.
	Requeue(ctx context.Context, delivery int64, from State, now time.Time) error
	// Counts counts each target's deliveries, all at one instant.
	Counts(ctx context.Context) (map[string]Counts, error)
	// Prune removes up to limit deliveries that ended before a time, with their
	// attempts, and returns how many.
	Prune(ctx context.Context, before time.Time, limit int) (int, error)

	// Match counts what a replay of the selection would send now.
	Match(ctx context.Context, sel Selection, now time.Time) (Matched, error)
	// Replay stores the order to send the selection again. The order survives a
	// crash; ReplayStep works it off.
	Replay(ctx context.Context, sel Selection, now time.Time) (Replay, error)
	// ReplayStep makes up to limit deliveries of the oldest open replay pending
	// again, in one transaction, and returns how many. working: there is more to do.
	ReplayStep(ctx context.Context, limit int, now time.Time) (n int, working bool, err error)
	// Replays returns the latest replays, newest first, at most limit.
	Replays(ctx context.Context, limit int) ([]Replay, error)
}
