package meeting

import (
	"slices"
	"strings"
	"time"
)

// The ids. All but Code are a prefix and a ULID, so they sort by age.
type (
	// ID is "mtg_…".
	ID string
	// Code has 10 characters and stands in the visitor's address; no secret.
	Code string
	// ParticipantID is "par_…".
	ParticipantID string
	// InvitationID is "inv_…".
	InvitationID string
	// MessageID is "msg_…".
	MessageID string
	// EventID is "evt_…".
	EventID string
	// FileID is "fil_…".
	FileID string
)

// State is where a meeting stands. It only moves forward.
type State string

// The states, in their order.
const (
	Planned   State = "planned"   // exists; the visitor looks at camera and microphone, nobody is rung
	Requested State = "requested" // somebody is being rung
	Active    State = "active"    // an agent took it
	Ended     State = "ended"     // over; see Outcome
)

// Outcome says how a meeting ended.
type Outcome string

// The outcomes. A meeting that has not ended has none.
const (
	Completed Outcome = "completed" // was active and somebody ended it
	Missed    Outcome = "missed"    // nobody took the ring in time
	Cancelled Outcome = "cancelled" // the visitor gave up, or went away, before an answer
	Declined  Outcome = "declined"  // an agent refused and the queue ends on that
	Expired   Outcome = "expired"   // planned and never rung, or active for too long
	Failed    Outcome = "failed"    // our own fault
)

// Role is what a participant is here for.
type Role string

// The roles.
const (
	Visitor  Role = "visitor"
	AgentR   Role = "agent"
	Observer Role = "observer"
	Device   Role = "device"
)

// Reason says why somebody left or why a meeting ended; the words are those of
// docs/protocol.md.
type Reason string

// The reasons used by the core.
const (
	ReasonLeft     Reason = "left"
	ReasonEnded    Reason = "ended"
	ReasonNetwork  Reason = "network"
	ReasonExpired  Reason = "expired"
	ReasonNoAnswer Reason = "no_answer"
	ReasonDeclined Reason = "declined"
	ReasonKicked   Reason = "kicked" // somebody took them out
)

// Person is what a visitor told about themselves. Every field may be empty.
type Person struct {
	Name       string `json:"name,omitempty"`
	Email      string `json:"email,omitempty"`
	Phone      string `json:"phone,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
}

// Page is the web page a call came from; known only where the site allows it.
type Page struct {
	URL   string `json:"url,omitempty"`
	Title string `json:"title,omitempty"`
}

// Participant is someone in a meeting.
type Participant struct {
	ID    ParticipantID `json:"id"`
	Role  Role          `json:"role"`
	Name  string        `json:"name,omitempty"`
	Agent AgentKey      `json:"agent,omitempty"` // agents only
	// Invited: a further person who was asked in. Until they have joined they are
	// nobody whom the others would wait for.
	Invited bool `json:"invited,omitempty"`
	// InvitedUntil is when the place of an invited person is free again because
	// nobody opened the link; zero once it was opened.
	InvitedUntil time.Time `json:"invited_until,omitzero"`

	JoinedAt time.Time `json:"joined_at,omitzero"`
	LeftAt   time.Time `json:"left_at,omitzero"`
	Reason   Reason    `json:"reason,omitempty"` // why they left
}

// Here tells whether p has joined and not left.
func (p Participant) Here() bool { return !p.JoinedAt.IsZero() && p.LeftAt.IsZero() }

// Gone tells whether p has left for good. Who only got lost in the network may
// come back.
func (p Participant) Gone() bool { return !p.LeftAt.IsZero() && p.Reason != ReasonNetwork }

// Left tells whether somebody has gone while the others go on or went on: by
// choice, or because their invitation was withdrawn or not used.
func (m Meeting) Left(id ParticipantID) bool {
	p, ok := m.Participant(id)
	return ok && p.Gone() && (m.State != Ended || p.LeftAt.Before(m.EndedAt))
}

// awaited tells whether p was asked in and has not come yet: nobody waits for
// them, and they hold a place.
func (p Participant) awaited() bool { return p.Invited && p.JoinedAt.IsZero() && p.LeftAt.IsZero() }

// AgentKey tells one agent from another: the id of an account here, for an agent
// who came by a link a random id that their browser keeps, and for a colleague
// who was asked in the id of their invitation.
type AgentKey string

// Agent is who accepts or declines a ring.
type Agent struct {
	Key  AgentKey `json:"key"`
	Name string   `json:"name"`
}

// Ref ties a foreign id to a meeting; unique per vendor.
type Ref struct {
	Vendor string `json:"vendor"`
	Key    string `json:"key"`
}

// Meeting is one provisioned video session from request to end. Times are UTC
// with whole milliseconds. A Meeting value is a snapshot: changing it changes
// nothing until Service saves it.
type Meeting struct {
	ID       ID       `json:"id"`
	Code     Code     `json:"code"`
	Version  int64    `json:"-"`   // of the stored row, for compare-and-set
	Seq      int64    `json:"seq"` // of the last event
	State    State    `json:"state"`
	Outcome  Outcome  `json:"outcome,omitempty"`
	EndedBy  Role     `json:"ended_by,omitempty"` // empty: nobody, time did it
	Reason   Reason   `json:"reason,omitempty"`   // why it ended
	Site     string   `json:"site,omitempty"`
	Queue    string   `json:"queue,omitempty"`
	Desks    []string `json:"desks,omitempty"` // whom the queue rings, "connector/account"; fixed at the request
	Topic    string   `json:"topic,omitempty"`
	Language string   `json:"language,omitempty"` // "en", "fr" or "it": the visitor's

	Visitor     Person            `json:"visitor"`
	Fields      map[string]string `json:"fields,omitempty"`   // the form the visitor filled
	Metadata    map[string]string `json:"metadata,omitempty"` // given by the site or the API
	Page        Page              `json:"page,omitzero"`
	RedirectURL string            `json:"redirect_url,omitempty"` // guests only, after the end

	Ring         *Ring         `json:"ring,omitempty"`
	Participants []Participant `json:"participants"`
	// AgentInvitation is the invitation every rung desk gets; its link secret is
	// derived from it and is in no event.
	AgentInvitation   InvitationID `json:"agent_invitation"`
	VisitorInvitation InvitationID `json:"visitor_invitation"`

	CreatedAt   time.Time `json:"created_at"`
	RequestedAt time.Time `json:"requested_at,omitzero"`
	AnsweredAt  time.Time `json:"answered_at,omitzero"`
	EndedAt     time.Time `json:"ended_at,omitzero"`

	// Files and FileBytes count what was sent in the chat.
	Files     int   `json:"files,omitempty"`
	FileBytes int64 `json:"file_bytes,omitempty"`

	// Due is when Tick has something to do; zero once ended.
	Due time.Time `json:"due,omitzero"`
}

// Reference is the short word for support, "C-7F3K2", shown on every screen.
func (m Meeting) Reference() string {
	return "C-" + strings.ToUpper(string(m.Code[:min(5, len(m.Code))]))
}

// PrefixOf returns the beginning of the code that a reference stands for, and
// whether it is a reference: "C-7F3K2", in any case.
func PrefixOf(reference string) (Code, bool) {
	r := strings.ToLower(reference)
	if len(r) != len("c-")+5 || !strings.HasPrefix(r, "c-") || strings.Trim(r[2:], codeAlphabet) != "" {
		return "", false
	}
	return Code(r[2:]), true
}

// Participant returns the participant with the id, and whether there is one.
func (m Meeting) Participant(id ParticipantID) (Participant, bool) {
	i := slices.IndexFunc(m.Participants, func(p Participant) bool { return p.ID == id })
	if i < 0 {
		return Participant{}, false
	}
	return m.Participants[i], true
}

// TheVisitor returns the participant of the visitor who asked for the call; there
// is always one. Further guests have the role Visitor too.
func (m Meeting) TheVisitor() Participant {
	for _, p := range m.Participants {
		if p.Role == Visitor && !p.Invited {
			return p
		}
	}
	return Participant{}
}

// Length is how long the meeting was active; zero if it never was or still is.
func (m Meeting) Length() time.Duration {
	if m.AnsweredAt.IsZero() || m.EndedAt.IsZero() {
		return 0
	}
	return m.EndedAt.Sub(m.AnsweredAt)
}

// clone copies what the state machine may write to.
func (m Meeting) clone() Meeting {
	m.Participants = slices.Clone(m.Participants)
	if m.Ring != nil {
		r := *m.Ring
		r.Declines = slices.Clone(r.Declines)
		m.Ring = &r
	}
	return m
}
