// Package sms sends links by SMS through a gateway that is asked over HTTP, and
// takes its delivery reports. The gateway's words are in the configuration or in
// a preset; a message is one delivery of the outbox.
//
// It refuses to know stores, pages, media and other vendors, and starts no
// goroutine.
package sms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"ringdown/connectors"
	"ringdown/egress"
	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/schemas"
)

// Name is the connector's name.
const Name = "sms"

const (
	target      = Name + "/gateway"
	answerLimit = 64 << 10
)

// Connector sends through one gateway. Safe for concurrent use.
type Connector struct {
	cfg Config
	connectors.Deps
	way   connectors.Doer
	wrong *httpd.Limiter
}

var (
	_ connectors.Connector = (*Connector)(nil)
	_ outbox.Translator    = (*Connector)(nil)
	_ outbox.Deliverer     = (*Connector)(nil)
	_ connectors.Writer    = (*Connector)(nil)
)

// New makes the connector. It reads the file that cfg names.
func New(cfg Config, d connectors.Deps) (*Connector, error) {
	cfg, err := cfg.compile()
	if err != nil {
		return nil, err
	}
	if d.Meetings == nil || d.Links == nil || d.Egress == nil || d.Log == nil || d.Now == nil {
		return nil, errors.New("sms: meetings, links, egress, log and now are needed")
	}
	c := &Connector{cfg: cfg, Deps: d, wrong: httpd.NewLimiter(6*time.Second, 30, 0, d.Now)}
	if c.way, err = d.Egress(egress.Options{Connector: Name, Allow: []string{strings.NewReplacer("{", "", "}", "").Replace(cfg.Request.URL)}, Timeout: cfg.Timeout, MaxResponseBytes: answerLimit, ClipResponse: true}); err != nil {
		return nil, fmt.Errorf("sms: %w", err)
	}
	return c, nil
}

// Name returns "sms".
func (c *Connector) Name() string { return Name }

// Surface takes delivery reports.
func (c *Connector) Surface() httpd.Surface {
	s := httpd.Surface{Name: Name, Prefix: "/sms"}
	if c.cfg.StatusSecret == "" {
		return s
	}
	who := httpd.Proof("the secret of delivery reports in the path")
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		s.Routes = append(s.Routes, httpd.Route{Method: method, Path: "/status/:secret/:id", Who: who, Handler: c.report, Body: answerLimit})
	}
	return s
}

// message is the body of a delivery.
type message struct {
	ID   meeting.DispatchID `json:"id"`
	To   string             `json:"to"`
	Text string             `json:"text"`
}

// Draft makes one message of a link that is to be sent by SMS.
func (c *Connector) Draft(ev meeting.Event) ([]outbox.Draft, error) {
	d := ev.Dispatch
	if ev.Kind != meeting.KindDispatched || d == nil || d.Channel != meeting.SMS {
		return nil, nil
	}
	body, err := json.Marshal(message{d.ID, d.To, c.text(ev.Snapshot, d)})
	if err != nil {
		return nil, errors.New("a message cannot be written")
	}
	return []outbox.Draft{{Target: target, Dest: target + "/" + string(d.ID), Body: body, ExpiresAt: ev.At.Add(meeting.DispatchFor)}}, nil
}

// text is the message for the visitor of a meeting.
func (c *Connector) text(m meeting.Meeting, d *meeting.Dispatch) string {
	agent := ""
	for _, p := range m.Participants {
		if p.Role == meeting.AgentR && agent == "" {
			agent = p.Name
		}
	}
	return c.words(d.Language, agent, c.Links.Visitor(m))
}

// Preview implements connectors.Writer.
func (c *Connector) Preview(channel, language, agent, link string) (connectors.Preview, bool) {
	text := c.words(language, agent, link)
	units, parts, _ := Length(text)
	return connectors.Preview{Text: text, Units: units, Parts: parts}, channel == meeting.SMS
}

// words fills the template of the language.
func (c *Connector) words(language, agent, link string) string {
	t := c.cfg.Texts[language]
	if t == "" {
		t = c.cfg.Texts["en"]
	}
	if agent == "" { // "with {agent}" goes as a whole
		t = strings.NewReplacer(" with {agent}", "", " avec {agent}", "", " con {agent}", "", "{agent}", "").Replace(t)
	}
	return strings.NewReplacer("{agent}", agent, "{link}", link).Replace(t)
}

// Deliver sends one message. What the gateway refuses for good is not tried
// again: a message that nobody expects any more is worse than none.
func (c *Connector) Deliver(ctx context.Context, d outbox.Delivery) outbox.Result {
	var m message
	if err := json.Unmarshal(d.Body, &m); err != nil {
		return outbox.Result{Verdict: outbox.GiveUp, Reason: "unreadable"}
	}
	req, err := c.request(ctx, m)
	if err != nil {
		return c.failed(ctx, m, "not_configured")
	}
	res, err := c.way.Do(req)
	if err != nil {
		return c.noAnswer(ctx, m, err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	status := res.StatusCode
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		c.Log.ErrorContext(ctx, "the SMS gateway does not accept the account", "status", status, "repair", "connectors.sms.user and key")
		return c.failed(ctx, m, "auth")
	case status == http.StatusPaymentRequired:
		return c.failed(ctx, m, "quota")
	case status == http.StatusTooManyRequests || status >= 500:
		return outbox.Result{Verdict: outbox.Retry, Status: status, Reason: fmt.Sprintf("status_%d", status), Live: true}
	case status >= 300:
		return c.failed(ctx, m, "number_refused")
	case c.cfg.Failure != "" && strings.Contains(string(body), c.cfg.Failure):
		return c.failed(ctx, m, "number_refused")
	}
	if err := c.tell(ctx, m.ID, meeting.DispatchSent, ""); err != nil {
		c.Log.WarnContext(ctx, "a message was sent, and that cannot be noted", "dispatch", m.ID, "err", err)
	}
	return outbox.Result{Verdict: outbox.OK, Status: status}
}

func (c *Connector) noAnswer(ctx context.Context, m message, err error) outbox.Result {
	var e *egress.Error
	if !errors.As(err, &e) {
		return outbox.Result{Verdict: outbox.Retry, Reason: "internal", Live: true}
	}
	if e.Reason == egress.Blocked || e.Reason == egress.BadURL {
		return c.failed(ctx, m, "not_configured")
	}
	return outbox.Result{Verdict: outbox.Retry, Reason: string(e.Reason), Live: true}
}

func (c *Connector) failed(ctx context.Context, m message, reason string) outbox.Result {
	if err := c.tell(ctx, m.ID, meeting.DispatchFailed, reason); err != nil {
		return outbox.Result{Verdict: outbox.Retry, Reason: "internal", Live: true}
	}
	return outbox.Result{Verdict: outbox.GiveUp, Reason: reason}
}

func (c *Connector) tell(ctx context.Context, id meeting.DispatchID, state meeting.DispatchState, reason string) error {
	return c.Meetings.Dispatched(context.WithoutCancel(ctx), id, state, reason)
}

// request fills the holes, each escaped for where it stands.
func (c *Connector) request(ctx context.Context, m message) (*http.Request, error) {
	status := ""
	if c.cfg.StatusSecret != "" {
		status = c.PublicURL + "/sms/status/" + c.cfg.StatusSecret.Reveal() + "/" + string(m.ID)
	}
	kindOf := "text"
	if _, _, unicode := Length(m.Text); unicode {
		kindOf = "unicode"
	}
	fill := func(text string, escape func(string) string) string {
		return strings.NewReplacer(
			"{to}", escape(m.To), "{to_digits}", escape(strings.TrimPrefix(m.To, "+")), "{text}", escape(m.Text), "{id}", escape(string(m.ID)),
			"{status_url}", escape(status), "{from}", escape(c.cfg.From), "{user}", escape(c.cfg.User), "{key}", escape(c.cfg.Key.Reveal()),
			"{type}", kindOf,
		).Replace(text)
	}
	body, kind := fill(c.cfg.Request.Body, inJSON), "application/json"
	if c.cfg.Request.Type == "form" {
		body, kind = fill(c.cfg.Request.Body, url.QueryEscape), "application/x-www-form-urlencoded"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, fill(c.cfg.Request.URL, url.PathEscape), strings.NewReader(body))
	if err != nil {
		return nil, errors.New("the request cannot be made")
	}
	req.Header.Set("Content-Type", kind)
	for name, v := range c.cfg.Request.Headers {
		req.Header.Set(name, fill(v, oneLine))
	}
	if c.cfg.Request.Basic {
		req.SetBasicAuth(c.cfg.User, c.cfg.Key.Reveal())
	}
	return req, nil
}

// inJSON is s as the inside of a JSON string.
func inJSON(s string) string {
	b, _ := json.Marshal(s) // a string can be written
	return string(b[1 : len(b)-1])
}

func oneLine(s string) string { return strings.NewReplacer("\r", "", "\n", "").Replace(s) }

// report takes a delivery report: a form, a query or JSON.
func (c *Connector) report(g *gin.Context) error {
	if !c.cfg.StatusSecret.Equal(g.Param("secret")) {
		if err := c.wrong.Allow(httpd.AddressKey(g.ClientIP())); err != nil {
			return err
		}
		return fault.New(fault.NotFound, "this is no address for delivery reports; copy it anew from the configuration")
	}
	state, err := c.stateOf(g.Request)
	if err != nil {
		return err
	}
	id := meeting.DispatchID(g.Param("id"))
	ctx := g.Request.Context()
	switch {
	case slices.Contains(c.cfg.Status.Delivered, state):
		err = c.Meetings.Dispatched(ctx, id, meeting.DispatchDelivered, "")
	case slices.Contains(c.cfg.Status.Failed, state):
		err = c.Meetings.Dispatched(ctx, id, meeting.DispatchFailed, "rejected")
	}
	if err != nil && !fault.Is(err, fault.NotFound) { // of long ago: the gateway need not try again
		return err
	}
	g.Status(http.StatusNoContent)
	return nil
}

func (c *Connector) stateOf(r *http.Request) (string, error) {
	if v := r.URL.Query().Get(c.cfg.Status.Field); v != "" {
		return v, nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return "", fault.New(fault.TooLarge, "the report is larger than %d bytes", answerLimit).Because(err)
	}
	if doc, err := schemas.Decode(body); err == nil {
		for step := range strings.SplitSeq(c.cfg.Status.Field, ".") {
			m, _ := doc.(map[string]any)
			doc = m[step]
		}
		return fmt.Sprint(doc), nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return "", fault.New(fault.BadRequest, "the report is neither JSON nor a form")
	}
	return form.Get(c.cfg.Status.Field), nil
}
