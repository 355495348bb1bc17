package meeting

import "time"

// Ring is asking agents to take a meeting. It runs in rounds of one window
// each; it has exactly one winner or none; past its end it can never be won.
type Ring struct {
	Round     int           `json:"round"`  // from 1
	Rounds    int           `json:"rounds"` // at the most
	Window    time.Duration `json:"window"` // of one round, nanoseconds
	StartedAt time.Time     `json:"started_at"`
	RoundEnds time.Time     `json:"round_ends"`
	Until     time.Time     `json:"until"` // the visitor's wait ends here at the latest
	Winner    *Agent        `json:"winner,omitempty"`
	Declines  []Decline     `json:"declines,omitempty"`
}

// Decline is one agent's refusal.
type Decline struct {
	Agent  Agent     `json:"agent"`
	Reason string    `json:"reason,omitempty"` // a word of DeclineReasons
	At     time.Time `json:"at"`
}

// DeclineReasons returns the words a decline may carry; empty is allowed too.
func DeclineReasons() []string {
	return []string{"busy", "break", "not_mine", "no_camera", "other"}
}

// RingRule is how a queue rings.
type RingRule struct {
	// Window is how long one round lasts. Default 30s, at most 30m.
	Window time.Duration `yaml:"window"`
	// Rounds is how often the queue is rung. Default 2, at most 10.
	Rounds int `yaml:"rounds"`
	// Wait is the longest a visitor waits, over all rounds. Default 5m.
	Wait time.Duration `yaml:"wait"`
	// Decline is what one agent's refusal does: "pass_on" (default) leaves the
	// ring to the others, "end" ends the meeting as declined.
	Decline string `yaml:"decline"`
}

// withDefaults fills what is zero.
func (r RingRule) withDefaults() RingRule {
	if r.Window == 0 {
		r.Window = 30 * time.Second
	}
	if r.Rounds == 0 {
		r.Rounds = 2
	}
	if r.Wait == 0 {
		r.Wait = 5 * time.Minute
	}
	if r.Decline == "" {
		r.Decline = declinePassOn
	}
	return r
}

const (
	declinePassOn = "pass_on"
	declineEnd    = "end"
)
