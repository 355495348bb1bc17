package meeting

import (
	"context"
	"errors"
	"time"
)

// What a Store may say. Anything else is a broken store.
var (
	ErrNoRow = errors.New("no such row")
	// ErrStale: the stored version is not the one the change was made from.
	ErrStale = errors.New("stale version")
	// ErrTaken: a unique key of the change exists already (an idempotency key, a
	// ref, a message key, a code). Nothing was written.
	ErrTaken = errors.New("key is taken")
)

// Change is everything one step writes, in one transaction.
type Change struct {
	Meeting     Meeting // Version is one more than the stored row's; 1 for a new one
	Events      []Event // in Seq order; stored for the log and for the outbox
	Invitations []Invitation
	Messages    []Message
	Notes       []Note // replace those of their authors
	Dispatches  []Dispatch
	Limit       *DispatchLimit // of what was sent already; checked in the transaction
	Refs        []Ref
	Key         *Key // claimed with the change

	silent bool // the meeting itself changed, without an event
}

// Key is one idempotency key of one owner.
type Key struct {
	Owner   string // who sent it: a site, an API key; keys of two owners never meet
	Key     string
	Hash    string // SHA-256 of the request's body, hex
	Meeting ID     // what it made
	Expires time.Time
}

// Filter narrows List. Zero fields do not narrow.
type Filter struct {
	State      State
	Queue      string
	CodePrefix Code // the code begins with it; see PrefixOf
	Before     ID   // only older ones; the cursor
	Limit      int  // 1 to 500
}

// DispatchLimit is how many dispatches there may be since a time, of one agent and
// to one address. Zero counts do not limit.
type DispatchLimit struct {
	By                   AgentKey
	To                   string
	Since                time.Time
	PerAgent, PerAddress int
}

// OverLimitError says which limit was met.
type OverLimitError struct {
	Address bool      // else the agent's
	N       int       // how many there are
	First   time.Time // when the first of them was made
}

// Error implements error.
func (OverLimitError) Error() string { return "too many dispatches" }

// DispatchFilter narrows CountDispatches. Zero fields do not narrow.
type DispatchFilter struct {
	By      AgentKey
	To      string
	Meeting ID
	Since   time.Time // made at or after it
}

// Feed is what a Store that is shared with other nodes may also be.
type Feed interface {
	// Tell has f called soon after each change of a meeting that another node made,
	// and with an empty id when some were missed. f must not block. Call it once,
	// before the store is used.
	Tell(f func(ID))
}

// Presence is that a participant's page or media was alive.
type Presence struct {
	Meeting     ID
	Participant ParticipantID
	Until       time.Time // absent if not seen again by then
}

// Store keeps meetings. Every write is durable when it returns nil: synced, in
// one transaction. Safe for concurrent use.
type Store interface {
	// Create inserts a new meeting with all of the change. ErrTaken if a key exists.
	Create(ctx context.Context, c Change) error
	// Save replaces the meeting if the stored version is Meeting.Version-1, else
	// ErrStale, an OverLimitError if Change.Limit allows no more, and inserts the rest of the change. Invitations are inserted or
	// replaced by id, dispatches too. The meeting's row is written first, so that event ids of one
	// meeting rise in Seq order.
	Save(ctx context.Context, c Change) error

	ByID(ctx context.Context, id ID) (Meeting, error)                               // ErrNoRow
	ByCode(ctx context.Context, code Code) (Meeting, error)                         // ErrNoRow
	ByRef(ctx context.Context, r Ref) (Meeting, error)                              // ErrNoRow
	List(ctx context.Context, f Filter) ([]Meeting, error)                          // newest first
	KeyOf(ctx context.Context, owner, key string, now time.Time) (Key, error)       // ErrNoRow, also when expired
	Invitation(ctx context.Context, id InvitationID) (Invitation, error)            // ErrNoRow
	Invitations(ctx context.Context, id ID) ([]Invitation, error)                   // of a meeting, rising by id
	Notes(ctx context.Context, id ID) ([]Note, error)                               // without taken back ones, rising by At
	Messages(ctx context.Context, id ID, after int64, limit int) ([]Message, error) // Seq > after, rising
	Events(ctx context.Context, id ID, after int64, limit int) ([]Event, error)     // Seq > after, rising
	RefsOf(ctx context.Context, id ID) ([]Ref, error)

	// Dispatch returns a dispatch or ErrNoRow, Dispatches those of a meeting, oldest
	// first, CountDispatches how many fit and when the first of them was made.
	Dispatch(ctx context.Context, id DispatchID) (Dispatch, error)
	Dispatches(ctx context.Context, id ID) ([]Dispatch, error)
	CountDispatches(ctx context.Context, f DispatchFilter) (n int, first time.Time, err error)

	// Due returns up to limit ids of meetings whose Due is at or before now, the
	// longest overdue first, and the earliest Due after now (zero: none).
	Due(ctx context.Context, now time.Time, limit int) ([]ID, time.Time, error)
	// Seen notes presences (insert or replace by participant).
	Seen(ctx context.Context, ps []Presence) error
	// Absent removes and returns up to limit presences with Until at or before now.
	Absent(ctx context.Context, now time.Time, limit int) ([]Presence, error)
	// Forget removes the presences of a participant or, with an empty one, of the meeting.
	Forget(ctx context.Context, id ID, p ParticipantID) error
	// Renew moves every presence that ends before until to until: nobody is absent
	// for our own silence.
	Renew(ctx context.Context, until time.Time) error
	// Mark moves every presence to mark, the earlier and the later ones: after a
	// start only who is seen again ends later.
	Mark(ctx context.Context, mark time.Time) error
	// Resume ends now, at now, every presence of meetings of which nobody was seen
	// since Mark. In active meetings of which somebody was, it gives those who were
	// not time until then.
	Resume(ctx context.Context, mark, now, then time.Time) error
	// Prune removes expired idempotency keys and returns how many.
	Prune(ctx context.Context, now time.Time) (int64, error)
}
