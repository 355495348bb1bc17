// Package xcally speaks with XCALLY Motion's OpenChannel: rings, the visitor's
// chat and a call's end go to an account's Receive URL, agents' replies come
// back at our Reply URL and become chat messages.
//
// It owns the vendor's words (account, interaction, map key, contact) and its
// message forms. It refuses to know stores, pages, media and other vendors, and
// starts no goroutine. Sources and what was observed are in README.md.
package xcally

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"ringdown/connectors"
	"ringdown/egress"
	"ringdown/httpd"
	"ringdown/outbox"
	"ringdown/schemas"
)

// Name is the connector's name, and the vendor of its refs.
const Name = "xcally"

// Connector serves the accounts of one configuration. Safe for concurrent use.
type Connector struct {
	accounts map[string]*account
	meetings connectors.Meetings
	links    connectors.Links
	way      connectors.Doer
	log      *slog.Logger
	now      func() time.Time
	in       *schemas.Schema // of a reply
	out      *schemas.Schema // of a message
}

var (
	_ connectors.Connector = (*Connector)(nil)
	_ outbox.Translator    = (*Connector)(nil)
	_ outbox.Deliverer     = (*Connector)(nil)
)

// New makes the connector. It reads the files that cfg names.
func New(cfg Config, d connectors.Deps) (*Connector, error) {
	accounts, err := cfg.compile()
	if err != nil {
		return nil, err
	}
	if d.Meetings == nil || d.Links == nil || d.Egress == nil || d.Log == nil || d.Now == nil {
		return nil, errors.New("xcally: meetings, links, egress, log and now are needed")
	}
	c := &Connector{accounts: accounts, meetings: d.Meetings, links: d.Links, log: d.Log, now: d.Now}
	if c.in, err = schemas.Load("xcally/reply.accept.json"); err != nil {
		return nil, err
	}
	if c.out, err = schemas.Load("xcally/message.emit.json"); err != nil {
		return nil, err
	}
	var allow []string
	for _, a := range accounts {
		allow = append(allow, a.receiveURL.Reveal())
	}
	if c.way, err = d.Egress(egress.Options{Connector: Name, Allow: allow}); err != nil {
		return nil, fmt.Errorf("xcally: %w", err)
	}
	return c, nil
}

// Name returns "xcally".
func (c *Connector) Name() string { return Name }

// Surface is the Reply URL of every account.
func (c *Connector) Surface() httpd.Surface {
	return httpd.Surface{
		Name:   Name,
		Prefix: "/" + Name,
		Faults: writeFault,
		Routes: []httpd.Route{{
			Method: http.MethodPost, Path: "/:account/reply/:secret",
			Who: httpd.Proof("the account's reply secret in the path"), Body: replyLimit, Handler: c.reply,
		}},
	}
}
