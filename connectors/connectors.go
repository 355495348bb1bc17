// Package connectors is the contract between the house and the folders that
// speak to one vendor each: what such a folder is given (Deps), what it gives
// back (Connector), and which further abilities wiring looks for. Adding a
// vendor is one folder and one line in the program's list.
//
// A connector translates its vendor's words to the core's and back. It refuses
// to know stores, media, pages and other connectors. It starts no goroutine: its
// routes run in httpd's, its deliveries in outbox's, and what a Runner does in the
// Run that wiring calls.
package connectors

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"ringdown/customer"
	"ringdown/egress"
	"ringdown/httpd"
	"ringdown/meeting"
)

// Connector is one vendor, configured. It may also be
//
//   - an outbox.Translator: it is asked for drafts after every event;
//
//   - an outbox.Deliverer: deliveries whose Target begins with its Name and a
//     slash are its to send.
//
//   - an Owner: a part of its doors is on our own surface;
//
//   - a Writer: links are sent by it, and one may see the words first;
//
//   - a Runner: it has work of its own between requests.
//
// Wiring looks for them once, by type assertion.
type Connector interface {
	// Name is the vendor's word: of the configuration section, the first part of
	// targets and desks, the label of metrics. It matches ^[a-z]+$.
	Name() string
	// Surface is what the vendor calls here; without routes it calls nothing.
	Surface() httpd.Surface
}

// Owner has doors on our own surface, beside those that its vendor calls.
type Owner interface {
	OwnRoutes() []httpd.Route
}

// Writer writes the words around a link that its channel sends.
type Writer interface {
	// Preview gives them as they would be sent; false: the channel is not its own.
	// Pure.
	Preview(channel, language, agent, link string) (Preview, bool)
}

// Preview is a message as it would be sent.
type Preview struct {
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text"`
	Units   int    `json:"units,omitempty"` // of an SMS, as gateways count
	Parts   int    `json:"parts,omitempty"` // how many SMS it takes
}

// Runner works between requests, until ctx ends.
type Runner interface {
	Run(ctx context.Context) error
}

// Factory makes a connector. It checks and compiles what it was configured with
// and starts nothing; the error names the key that is wrong.
type Factory func(Deps) (Connector, error)

// Deps is what every connector is given: ports and plumbing, nothing of a
// vendor. Whoever wires fills all of it.
type Deps struct {
	Meetings Meetings
	Links    Links
	// Phones are the telephone calls a desk told us of.
	Phones *meeting.Phones
	// Customers is who calls; nil: no source is configured.
	Customers Customers
	// Journal keeps what desks asked and what they were answered.
	Journal Journal
	// Bindings are which login of a desk is which of its users.
	Bindings Bindings
	Egress   Egress
	// Preview gives the words around a link before it is sent; false: no such channel
	// is configured.
	Preview func(channel, language, agent, link string) (Preview, bool)
	// PublicURL is the address others reach us by, without a final slash.
	PublicURL string
	Log       *slog.Logger // has connector=… already
	Now       func() time.Time
}

// Meetings is what a connector may do with meetings. meeting.Service is one.
type Meetings interface {
	// ByID and ByRef return a meeting or a fault NotFound.
	ByID(ctx context.Context, id meeting.ID) (meeting.Meeting, error)
	ByRef(ctx context.Context, r meeting.Ref) (meeting.Meeting, error)
	// List returns meetings, newest first.
	List(ctx context.Context, f meeting.Filter) ([]meeting.Meeting, error)
	// Messages returns the chat after a Seq, in its order.
	Messages(ctx context.Context, id meeting.ID, after int64) ([]meeting.Message, error)
	// AddRef ties a foreign id to a meeting. Twice is harmless; a ref of another
	// meeting stays there and is a fault Conflict.
	AddRef(ctx context.Context, id meeting.ID, r meeting.Ref) error
	// Start opens a meeting for an agent of the desk; see meeting.Service.
	Start(ctx context.Context, st meeting.Start) (m meeting.Meeting, made bool, err error)
	// End ends a meeting for everybody.
	End(ctx context.Context, id meeting.ID, by meeting.Role) (meeting.Meeting, error)
	// Invitation returns an invitation or a fault NotFound.
	Invitation(ctx context.Context, id meeting.InvitationID) (meeting.Invitation, error)
	// Channels are those a link can be sent by: meeting.SMS, meeting.Mail.
	Channels() []string
	// Send sends a link; see meeting.Service.
	Send(ctx context.Context, id meeting.ID, d meeting.Dispatch) (meeting.Dispatch, error)
	// Dispatches returns what was sent for a meeting, oldest first.
	Dispatches(ctx context.Context, id meeting.ID) ([]meeting.Dispatch, error)
	// Dispatched notes how far a dispatch got; see meeting.Service.
	Dispatched(ctx context.Context, id meeting.DispatchID, state meeting.DispatchState, reason string) error
	// Post adds a chat message. The same Key with the same Text adds it once.
	Post(ctx context.Context, id meeting.ID, msg meeting.Message) (meeting.Message, error)
}

// Links makes the addresses of pages. They hold secrets: they go to the one they
// are for and into no log.
type Links interface {
	// Agent is the address under which a desk's agents take the meeting. It is
	// pure: the same meeting gives the same address.
	Agent(m meeting.Meeting) string
	// Visitor is the visitor's address.
	Visitor(m meeting.Meeting) string
	// Seat is the room of the agent who started the meeting.
	Seat(m meeting.Meeting) string
	// Phone is the address of a phone call's page: below path, with its secret
	// behind the "#".
	Phone(path string, id meeting.PhoneCallID) string
	// PhoneOpens tells in constant time whether the secret is the phone call's.
	PhoneOpens(id meeting.PhoneCallID, secret string) bool
}

// Customers is who calls and what was said before. customer.Directory is one.
// Faults: NotFound, Unavailable when a source does not answer and there is no
// copy, Invalid.
type Customers interface {
	// Number gives a number as people write it in E.164, by the configured region;
	// "" if it is none. Pure.
	Number(raw string) customer.Phone
	ByID(ctx context.Context, id string) (customer.Record, error)
	ByPhone(ctx context.Context, n customer.Phone) (customer.Record, error)
	ByEmail(ctx context.Context, mail string) (customer.Record, error)
	ByExternalID(ctx context.Context, id string) (customer.Record, error)
	// Search finds by name, number, mail or id, best first, at most limit.
	Search(ctx context.Context, words string, limit int) ([]customer.Record, error)
	// Create makes a record of our own; its ID, Source and AsOf are filled.
	Create(ctx context.Context, r customer.Record) (customer.Record, error)
	// Contacts are the last contacts with a number or a record, newest first; an
	// empty one does not narrow, but not both may be.
	Contacts(ctx context.Context, n customer.Phone, record string, limit int) ([]customer.Contact, error)
	// Note keeps a contact; the same ID again replaces it.
	Note(ctx context.Context, c customer.Contact) error
	// Configured tells whether there is any source beside our own records.
	Configured() bool
}

// Doer sends one HTTP request and gives the whole answer. Its error is an
// *egress.Error.
type Doer interface {
	Do(req *http.Request) (*http.Response, error)
}

// Egress makes the way out of one connector. (*egress.Exit).Client is one but
// for its result's type.
type Egress func(egress.Options) (Doer, error)
