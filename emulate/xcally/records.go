package xcally

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Ref is the id of another record; 0 is null in JSON.
type Ref int

// MarshalJSON writes the number, or null.
func (r Ref) MarshalJSON() ([]byte, error) {
	if r == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(int(r))
}

// Text is a string; empty is null in JSON.
type Text string

// MarshalJSON writes the string, or null.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}

// Contact is a record of the Contact Manager. Fields holds what is known,
// by the names of the Receive URL; cf_<n> are custom fields.
type Contact struct {
	ID     int
	Fields map[string]string
}

// contactFields are the fields a message may carry for its contact. The
// XCALLY guide "How to configure a Custom Open Channel" and its samples.
func contactFields() []string {
	return []string{
		"firstName", "lastName", "street", "postalCode", "city", "country", "dateOfBirth", "description",
		"phone", "mobile", "fax", "email", "url", "facebook", "twitter", "skype",
	}
}

func contactField(name string) bool {
	return slices.Contains(contactFields(), name) || customField(name)
}

// customField tells whether name is cf_<n>.
func customField(name string) bool {
	n, ok := strings.CutPrefix(name, "cf_")
	return ok && n != "" && strings.Trim(n, "0123456789") == ""
}

// MarshalJSON writes every documented field, null when unknown. The guide
// spells the date of birth "deteOfBirth", and so does this.
func (c Contact) MarshalJSON() ([]byte, error) {
	out := map[string]any{"id": c.ID, "tags": nil}
	for _, name := range contactFields() {
		out[name] = nil
	}
	for name, value := range c.Fields {
		out[name] = value
	}
	out["deteOfBirth"] = out["dateOfBirth"]
	delete(out, "dateOfBirth")
	return json.Marshal(out)
}

// Interaction is the conversation of one contact on one account.
type Interaction struct {
	ID          int       `json:"id"`
	AccountID   int       `json:"OpenchannelAccountId"`
	ContactID   int       `json:"ContactId"`
	UserID      Ref       `json:"UserId"` // the agent who owns it; 0: nobody accepted yet
	QueueID     Ref       `json:"queueId"`
	ThreadID    Text      `json:"threadId"`
	ExternalURL Text      `json:"externalUrl"`
	Closed      bool      `json:"closed"`
	Disposition Text      `json:"disposition"`
	CreatedAt   time.Time `json:"createdAt"`
	UpdatedAt   time.Time `json:"updatedAt"`
	Contact     Contact   `json:"Contact"`

	// Emulator holds what the inbox shows and Motion's REST does not have.
	Emulator InteractionExtra `json:"emulator"`
}

// InteractionExtra is the stand-in's own knowledge of an interaction.
type InteractionExtra struct {
	Revision  int               `json:"revision"`  // grows with each change of any interaction
	Variables map[string]string `json:"variables"` // flow variables and custom fields, the latest value of each
	From      string            `json:"from"`      // the sender's id
	MapKey    string            `json:"mapKey"`    // the contact field it stands in
	Last      *Message          `json:"last"`      // the newest message
	Tags      []string          `json:"tags"`      // ids, as set
}

// Direction tells who wrote a message.
type Direction string

// In goes to the agents, Out to the customer.
const (
	In  Direction = "in"
	Out Direction = "out"
)

// Status is what became of an outgoing message.
type Status string

// The statuses of an outgoing message; incoming ones and notes have none.
const (
	Sending Status = "sending"
	Sent    Status = "sent"
	Failed  Status = "failed"
)

// Message is one item of an interaction.
type Message struct {
	ID            int       `json:"id"`
	InteractionID int       `json:"OpenchannelInteractionId"`
	AccountID     int       `json:"OpenchannelAccountId"`
	ContactID     int       `json:"ContactId"`
	UserID        Ref       `json:"UserId"` // who wrote it; 0: the customer, or an automatism
	AttachmentID  Ref       `json:"AttachmentId"`
	Direction     Direction `json:"direction"`
	Body          string    `json:"body"`
	Secret        bool      `json:"secret"` // an internal note, never sent
	CreatedAt     time.Time `json:"createdAt"`
	Status        Status    `json:"status,omitempty"`
	Error         string    `json:"error,omitempty"` // why it failed, as the agent reads it
}
