package outbox

import (
	"slices"
	"time"

	"ringdown/meeting"
)

// Selection says which ended deliveries a replay sends again. Zero fields do not
// narrow. What would be too late is never selected: a ring is fresh or not sent.
type Selection struct {
	Target  string         `json:"target,omitempty"`
	Kinds   []meeting.Kind `json:"kinds,omitempty"`
	Meeting meeting.ID     `json:"meeting,omitempty"`
	States  []State        `json:"states,omitempty"` // Delivered, Failed or Expired; none: Delivered and Failed
	Since   time.Time      `json:"since,omitzero"`   // created at or after it
	Until   time.Time      `json:"until,omitzero"`   // created before it
}

// In returns the states of the selection.
func (s Selection) In() []State {
	if len(s.States) > 0 {
		return s.States
	}
	return []State{Delivered, Failed}
}

// Takes tells whether d is selected at now.
func (s Selection) Takes(d Delivery, now time.Time) bool {
	return s.wants(d) && !tooLate(d, now)
}

// wants is Takes without regard to lateness.
func (s Selection) wants(d Delivery) bool {
	return slices.Contains(s.In(), d.State) &&
		(s.Target == "" || s.Target == d.Target) &&
		(len(s.Kinds) == 0 || slices.Contains(s.Kinds, d.Kind)) &&
		(s.Meeting == "" || s.Meeting == d.Meeting) &&
		(s.Since.IsZero() || !d.CreatedAt.Before(s.Since)) &&
		(s.Until.IsZero() || d.CreatedAt.Before(s.Until))
}

func tooLate(d Delivery, now time.Time) bool { return !d.ExpiresAt.IsZero() && !d.ExpiresAt.After(now) }

// Matched is what a selection comes to.
type Matched struct {
	Count   int64 // will be sent again
	TooLate int64 // would be, had their time not passed
}

// Replay is an order to send a selection again.
type Replay struct {
	Public    string // "rpl_…"
	Selection Selection
	Matched   int64 // when it was ordered
	Done      int64 // made pending so far
	CreatedAt time.Time
	EndedAt   time.Time // zero: being worked off
}
