// Package webhook tells receivers of the operator's own what happens: one
// signed HTTP request per event and endpoint, after the Standard Webhooks
// specification (https://www.standardwebhooks.com, read 2026-11).
//
// It owns the events' public form, the catalogue of kinds and the signature. It
// refuses to know stores, pages, media and other connectors; nobody is rung by
// it, it is called by nobody and starts no goroutine.
package webhook

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"ringdown/connectors"
	"ringdown/egress"
	"ringdown/httpd"
	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/schemas"
)

// Name is the connector's name: targets are "webhook/<endpoint>".
const Name = "webhook"

// answerLimit is how much of an answer's body is read, bytes. Only its status
// counts.
const answerLimit = 4 << 10

// Connector serves the endpoints of one configuration. Safe for concurrent use.
type Connector struct {
	endpoints []*endpoint // in the order of the file
	schemas   map[meeting.Kind]*schemas.Schema
	way       connectors.Doer
	log       *slog.Logger
	now       func() time.Time
}

var (
	_ connectors.Connector = (*Connector)(nil)
	_ outbox.Translator    = (*Connector)(nil)
	_ outbox.Deliverer     = (*Connector)(nil)
)

// New makes the connector. It reads the files that cfg names.
func New(cfg Config, d connectors.Deps) (*Connector, error) {
	endpoints, err := cfg.compile()
	if err != nil {
		return nil, err
	}
	if d.Egress == nil || d.Log == nil || d.Now == nil {
		return nil, errors.New("webhook: egress, log and now are needed")
	}
	c := &Connector{endpoints: endpoints, schemas: map[meeting.Kind]*schemas.Schema{}, log: d.Log, now: d.Now}
	for _, k := range kinds() {
		if c.schemas[k], err = schemas.Load(fmt.Sprintf("webhook/%s.emit.json", k)); err != nil {
			return nil, err
		}
	}
	var allow []string
	for _, e := range endpoints {
		allow = append(allow, e.url.Reveal())
	}
	if c.way, err = d.Egress(egress.Options{Connector: Name, Allow: allow, MaxResponseBytes: answerLimit, ClipResponse: true}); err != nil {
		return nil, fmt.Errorf("webhook: %w", err)
	}
	return c, nil
}

// Name returns "webhook".
func (c *Connector) Name() string { return Name }

// Surface is empty: nobody calls us.
func (c *Connector) Surface() httpd.Surface { return httpd.Surface{Name: Name} }

// kinds are the events there are, as the catalogue lists them. A test compares
// them with the core's.
func kinds() []meeting.Kind {
	return []meeting.Kind{
		meeting.KindCreated, meeting.KindRequested, meeting.KindRing, meeting.KindDeclined, meeting.KindAnswered, meeting.KindMissed, meeting.KindEnded,
		meeting.KindInvited, meeting.KindJoined, meeting.KindLeft, meeting.KindMessage, meeting.KindNote, meeting.KindDispatched,
	}
}
