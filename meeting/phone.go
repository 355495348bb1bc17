package meeting

import (
	"context"
	"maps"
	"time"
)

// PhoneCallID is "phc_…".
type PhoneCallID string

// PhoneCall is a telephone call that a desk told us of, as it is offered to one
// agent. It is ours only to show: we neither make nor move telephone calls. The
// same call offered to two agents is two of them; told twice of one agent it is
// one. Times are UTC with whole milliseconds. A PhoneCall value is a snapshot.
type PhoneCall struct {
	ID      PhoneCallID
	Version int64  // of the stored row, for compare-and-set; 0: not stored yet
	Desk    string // who told us, "connector/account"
	Ref     string // the desk's own id of the call; empty if it gave none
	Agent   Agent  // whom it is offered; Key is of the desk's own ids

	Caller   string            // the other party as the desk wrote it; empty: withheld
	Number   string            // Caller in E.164; empty if it is no such number
	Called   string            // what was dialled, as the desk wrote it
	Queue    PhoneQueue        // zero: a direct call
	Data     map[string]string // what the desk attached; comes from outside
	Language string            // "en", "fr", "it"; empty: the agent's browser decides

	Trust    Trust
	Decision Decision

	RungAt    time.Time // when it rang, the last time if more than once
	OpenBy    time.Time // a page first opened after this is out of date
	ExpiresAt time.Time // the row is gone after this
	OpenedAt  time.Time // first time its page was opened; zero: never
	SeenAt    time.Time // last time its page was alive, to some seconds
	DoneAt    time.Time // when the agent finished; a ring after it begins anew

	Meeting  ID        // the video call that was made from it; empty: none
	Customer string    // id of the customer's record the agent chose; empty: looked up by Number
	Note     string    // what the agent wrote
	Outcome  string    // a word of the desk's configuration; empty: none
	CallBack time.Time // when to call back; zero: not asked
}

// PhoneQueue is the queue a phone call came by, in the desk's words.
type PhoneQueue struct {
	ID     string `json:"id,omitempty"`
	Name   string `json:"name,omitempty"`
	Label  string `json:"label,omitempty"`
	Number string `json:"number,omitempty"`
}

// Trust says whether a ring proved that it comes from the desk.
type Trust struct {
	// By is what proved it: "secret", "network" or "token"; empty: nothing did, and
	// the page shows only what the ring itself said.
	By string `json:"by,omitempty"`
	// Pending: a proof is still being checked.
	Pending bool `json:"pending,omitempty"`
	// Why is a word that says why nothing proved it, of the connector's list.
	Why string `json:"why,omitempty"`
}

// Trusted tells whether the ring is proved.
func (t Trust) Trusted() bool { return t.By != "" }

// Decision is what the desk was answered, and why.
type Decision struct {
	Rule      string `json:"rule,omitempty"` // name of the rule
	Action    string `json:"action"`         // "open", "popup", "run" or "none"
	Event     string `json:"event,omitempty"`
	Autopause bool   `json:"autopause,omitempty"` // the desk pauses the agent while the page is open
}

// Open tells whether the agent has the page of c open, as far as we know at now.
// A page that was finished is not open again before it shows itself.
func (c PhoneCall) Open(now time.Time) bool {
	return !c.OpenedAt.IsZero() && !c.Done() && c.SeenAt.After(c.DoneAt) && now.Sub(c.SeenAt) < paneSilence
}

// Done tells whether the agent finished it and it did not ring again since.
func (c PhoneCall) Done() bool { return !c.DoneAt.IsZero() && !c.RungAt.After(c.DoneAt) }

// paneSilence is how long an open page may be silent: it says every 10 s that it
// is there, browsers slow pages that are not looked at down to once a minute.
const paneSilence = 90 * time.Second

// clone copies what a change may write to.
func (c PhoneCall) clone() PhoneCall {
	c.Data = maps.Clone(c.Data)
	return c
}

// PhoneStore keeps phone calls. Safe for concurrent use.
type PhoneStore interface {
	// PutPhoneCalls inserts rows, in one transaction. Of a row that is there
	// already only RungAt, OpenBy, ExpiresAt, Trust and Decision are replaced, if
	// the new RungAt is later; its Version rises.
	PutPhoneCalls(ctx context.Context, cs []PhoneCall) error
	// PhoneCall returns a row or ErrNoRow.
	PhoneCall(ctx context.Context, id PhoneCallID) (PhoneCall, error)
	// SavePhoneCall replaces the row if its version is Version-1, else ErrStale.
	SavePhoneCall(ctx context.Context, c PhoneCall) error
	// PhoneCallsOf returns an agent's calls that rang at or after since, newest
	// first.
	PhoneCallsOf(ctx context.Context, desk string, agent AgentKey, since time.Time, limit int) ([]PhoneCall, error)
	// PhoneCallsWith returns all that have the desk's id, oldest ring first.
	PhoneCallsWith(ctx context.Context, desk, ref string) ([]PhoneCall, error)
	// PrunePhoneCalls removes rows past their ExpiresAt and returns how many.
	PrunePhoneCalls(ctx context.Context, now time.Time) (int64, error)
}
