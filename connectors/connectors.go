// Package connectors is the contract between the house and the folders that
// speak to one vendor each: what such a folder is given (Deps), what it gives
// back (Connector), and which further abilities wiring looks for. Adding a
// vendor is one folder and one line in the program's list.
//
// A connector translates its vendor's words to the core's and back. It refuses
// to know stores, media, pages and other connectors. It starts no goroutine: its
// routes run in httpd's, its deliveries in outbox's.
package connectors

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"ringdown/egress"
	"ringdown/httpd"
	"ringdown/meeting"
)

// Connector is one vendor, configured. It may also be
//   - an outbox.Translator: it is asked for drafts after every event;
//   - an outbox.Deliverer: deliveries whose Target begins with its Name and a
//     slash are its to send.
//
// Wiring looks for both once, by type assertion.
type Connector interface {
	// Name is the vendor's word: of the configuration section, the first part of
	// targets and desks, the label of metrics. It matches ^[a-z]+$.
	Name() string
	// Surface is what the vendor calls here; without routes it calls nothing.
	Surface() httpd.Surface
}

// Factory makes a connector. It checks and compiles what it was configured with
// and starts nothing; the error names the key that is wrong.
type Factory func(Deps) (Connector, error)

// Deps is what every connector is given: ports and plumbing, nothing of a
// vendor. Whoever wires fills all of it.
type Deps struct {
	Meetings Meetings
	Links    Links
	Egress   Egress
	Log      *slog.Logger // has connector=… already
	Now      func() time.Time
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
	// Post adds a chat message. The same Key with the same Text adds it once.
	Post(ctx context.Context, id meeting.ID, msg meeting.Message) (meeting.Message, error)
}

// Links makes the addresses of pages. They hold secrets: they go to the one they
// are for and into no log.
type Links interface {
	// Agent is the address under which a desk's agents take the meeting. It is
	// pure: the same meeting gives the same address.
	Agent(m meeting.Meeting) string
}

// Doer sends one HTTP request and gives the whole answer. Its error is an
// *egress.Error.
type Doer interface {
	Do(req *http.Request) (*http.Response, error)
}

// Egress makes the way out of one connector. (*egress.Exit).Client is one but
// for its result's type.
type Egress func(egress.Options) (Doer, error)
