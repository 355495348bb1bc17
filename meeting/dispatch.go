package meeting

import "time"

// DispatchID is "dsp_…".
type DispatchID string

// The channels a link is sent by.
const (
	SMS  = "sms"
	Mail = "mail"
)

// DispatchState is how far a sent link got.
type DispatchState string

// The states of a dispatch. Later ones never go back: what a gateway says late
// about an earlier one is passed over.
const (
	DispatchQueued    DispatchState = "queued"    // ours to send; also while it is tried again
	DispatchSent      DispatchState = "sent"      // the gateway or the mail server took it
	DispatchDelivered DispatchState = "delivered" // it says that it arrived
	DispatchFailed    DispatchState = "failed"    // given up, or refused; see Reason
)

// Dispatch is one sending of an invitation's link to one address.
type Dispatch struct {
	ID         DispatchID
	Meeting    ID
	Invitation InvitationID
	Channel    string // SMS or Mail
	To         string // a number in E.164, or a mail address; personal, in no log
	Language   string // "en", "fr" or "it": of the words around the link
	By         AgentKey
	State      DispatchState
	Reason     string // of a failure, a word of the channel's list: "number_refused", …
	CreatedAt  time.Time
	SentAt     time.Time
	ChangedAt  time.Time
}
