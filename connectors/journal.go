package connectors

import "time"

// Journal keeps the last requests of desks, for whoever sets one up: what came,
// what was decided and why, what was refused. Note never blocks and never fails;
// a journal that is full loses the oldest.
type Journal interface {
	Note(e Entry)
}

// Entry is one request. It names nobody: numbers are masked ("06…12"), names and
// variables are left out.
type Entry struct {
	At       time.Time     `json:"at"`
	Desk     string        `json:"desk"`              // "connector/account"
	Kind     string        `json:"kind"`              // "request", "refused", "preflight"
	Call     string        `json:"call,omitempty"`    // id of the phone call
	Agent    string        `json:"agent,omitempty"`   // the desk's id of the agent
	Caller   string        `json:"caller,omitempty"`  // masked
	Queue    string        `json:"queue,omitempty"`   // its name
	Origin   string        `json:"origin,omitempty"`  // of the page that asked
	Action   string        `json:"action,omitempty"`  // what was answered
	Rule     string        `json:"rule,omitempty"`    // which rule decided it
	Trust    string        `json:"trust,omitempty"`   // what proved it, or why nothing did
	Problem  string        `json:"problem,omitempty"` // what was wrong, with the field and the repair
	Took     time.Duration `json:"took"`
	Repeated bool          `json:"repeated,omitempty"` // the same call of the same agent again
}
