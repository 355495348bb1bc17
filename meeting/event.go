package meeting

import "time"

// Kind is what happened. Kinds are stable words.
type Kind string

// The kinds of events.
const (
	KindCreated   Kind = "meeting.created"
	KindRequested Kind = "meeting.requested" // the visitor asks; ring.started follows
	KindRing      Kind = "ring.started"      // once per round
	KindDeclined  Kind = "ring.declined"     // one agent said no
	KindAnswered  Kind = "meeting.answered"  // one agent won
	KindMissed    Kind = "meeting.missed"    // nobody answered; meeting.ended follows
	KindEnded     Kind = "meeting.ended"     // always the last but for late messages
	KindJoined    Kind = "participant.joined"
	KindLeft      Kind = "participant.left"
	KindMessage   Kind = "message.created"
	KindInvited   Kind = "participant.invited" // a further person was asked in
	// KindDispatched: a link was given to a channel, to be sent to somebody.
	KindDispatched Kind = "link.dispatched"
	KindNote       Kind = "note.saved" // an agent's note; visitors are never told
)

// Event is one thing that happened to a meeting. Events of a meeting are
// numbered by Seq from 1 without a gap, in the order of their commits.
type Event struct {
	ID          EventID       `json:"id"`
	Meeting     ID            `json:"meeting"`
	Seq         int64         `json:"seq"`
	Kind        Kind          `json:"kind"`
	At          time.Time     `json:"occurred_at"`
	Snapshot    Meeting       `json:"snapshot"`              // the whole meeting right after
	Participant ParticipantID `json:"participant,omitempty"` // who it is about
	Decline     *Decline      `json:"decline,omitempty"`
	Message     *Message      `json:"message,omitempty"`
	Note        *Note         `json:"note,omitempty"`
	Dispatch    *Dispatch     `json:"dispatch,omitempty"`
}

// Message is one chat message.
type Message struct {
	ID      MessageID     `json:"id"`
	Meeting ID            `json:"meeting"`
	Seq     int64         `json:"seq"`            // of its event: the order of the chat
	From    ParticipantID `json:"from,omitempty"` // empty when it came through a desk
	Role    Role          `json:"role"`
	Name    string        `json:"name,omitempty"`
	Via     string        `json:"via,omitempty"` // desk it came through, "xcally/main"; empty: our own page
	Text    string        `json:"text"`          // may be empty beside a File
	File    *File         `json:"file,omitempty"`
	At      time.Time     `json:"at"`
	// Key is the sender's own key for this message, unique in the meeting: the
	// same message sent twice is one. Empty: no such key.
	Key string `json:"-"`
}

// File is a file sent in the chat. Its bytes are kept by package blob.
type File struct {
	ID     FileID `json:"id"`
	Name   string `json:"name"` // as the sender called it, cleaned; for people only
	Type   string `json:"type"` // media type by its own bytes, "image/png"; never what the sender said
	Size   int64  `json:"size"` // bytes as kept
	Width  int    `json:"width,omitempty"`
	Height int    `json:"height,omitempty"` // pixels, images only
	Sum    string `json:"sum,omitempty"`    // SHA-256 of what was sent, hex; for us only
}

// Note is what one agent wrote down in a meeting; there is one per agent.
type Note struct {
	Author AgentKey  `json:"author"`
	Name   string    `json:"name,omitempty"`
	Text   string    `json:"text"` // empty: taken back
	At     time.Time `json:"at"`   // last saved
}
