// Package mail sends links by mail through one SMTP server. A letter is one
// delivery of the outbox.
//
// It refuses to know stores, pages, media and other vendors, and starts no
// goroutine.
package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"html"
	"net"
	netmail "net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"ringdown/connectors"
	"ringdown/httpd"
	"ringdown/meeting"
	"ringdown/outbox"
)

// Name is the connector's name.
const Name = "mail"

const (
	target  = Name + "/server"
	timeout = 20 * time.Second
)

// Connector sends through one server. Safe for concurrent use.
type Connector struct {
	cfg Config
	connectors.Deps
	options []gomail.Option
	host    string
	domain  string // of From, for Message-ID
}

var (
	_ connectors.Connector = (*Connector)(nil)
	_ outbox.Translator    = (*Connector)(nil)
	_ outbox.Deliverer     = (*Connector)(nil)
	_ connectors.Writer    = (*Connector)(nil)
)

// New makes the connector. It reads the file that cfg names, and dials nobody.
func New(cfg Config, d connectors.Deps) (*Connector, error) {
	cfg, err := cfg.compile()
	if err != nil {
		return nil, err
	}
	if d.Meetings == nil || d.Links == nil || d.Log == nil || d.Now == nil {
		return nil, errors.New("mail: meetings, links, log and now are needed")
	}
	host, port, _ := net.SplitHostPort(cfg.Server) // checked
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, errors.New("server: the port must be a number")
	}
	options := []gomail.Option{gomail.WithPort(n), gomail.WithTimeout(cmp.Or(cfg.Timeout, timeout))}
	switch cfg.Security {
	case fullTLS:
		options = append(options, gomail.WithSSL())
	case noTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if cfg.User != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(cfg.User), gomail.WithPassword(cfg.Password.Reveal()))
	}
	c := &Connector{cfg: cfg, Deps: d, host: host, options: options}
	if _, err = gomail.NewClient(host, options...); err != nil {
		return nil, err
	}
	from, _ := netmail.ParseAddress(cfg.From) // checked
	_, c.domain, _ = strings.Cut(from.Address, "@")
	return c, nil
}

// Name returns "mail".
func (c *Connector) Name() string { return Name }

// Surface is empty: nobody calls here.
func (c *Connector) Surface() httpd.Surface { return httpd.Surface{Name: Name} }

// letter is the body of a delivery.
type letter struct {
	ID       meeting.DispatchID `json:"id"`
	To       string             `json:"to"`
	Subject  string             `json:"subject"`
	Text     string             `json:"text"`
	Language string             `json:"language"`
}

// Draft makes one letter of a link that is to be sent by mail.
func (c *Connector) Draft(ev meeting.Event) ([]outbox.Draft, error) {
	d := ev.Dispatch
	if ev.Kind != meeting.KindDispatched || d == nil || d.Channel != meeting.Mail {
		return nil, nil
	}
	agent := ""
	for _, p := range ev.Snapshot.Participants {
		if p.Role == meeting.AgentR && agent == "" {
			agent = p.Name
		}
	}
	lang, subject, text := c.words(d.Language, agent, c.Links.Visitor(ev.Snapshot))
	body, err := json.Marshal(letter{d.ID, d.To, subject, text, lang})
	if err != nil {
		return nil, errors.New("a letter cannot be written")
	}
	return []outbox.Draft{{Target: target, Dest: target + "/" + string(d.ID), Body: body, ExpiresAt: ev.At.Add(meeting.DispatchFor)}}, nil
}

// Preview implements connectors.Writer.
func (c *Connector) Preview(channel, language, agent, link string) (connectors.Preview, bool) {
	_, subject, text := c.words(language, agent, link)
	return connectors.Preview{Subject: subject, Text: text}, channel == meeting.Mail
}

// words fills the templates of the language, and says which one it became.
func (c *Connector) words(lang, agent, link string) (language, subject, text string) {
	if c.cfg.Texts[lang] == "" {
		lang = "en"
	}
	fill := strings.NewReplacer("{agent}", cmp.Or(agent, somebody()[lang]), "{link}", link)
	rs := []rune(fill.Replace(c.cfg.Texts[lang]))
	if len(rs) > 0 { // "an advisor invites you"
		rs[0] = []rune(strings.ToUpper(string(rs[0])))[0]
	}
	return lang, strings.NewReplacer("\r", "", "\n", " ").Replace(fill.Replace(c.cfg.Subjects[lang])), string(rs)
}

// Deliver sends one letter. Its Message-ID is the dispatch's: who gets it twice
// after a crash of ours can tell.
func (c *Connector) Deliver(ctx context.Context, d outbox.Delivery) outbox.Result {
	var l letter
	if err := json.Unmarshal(d.Body, &l); err != nil {
		return outbox.Result{Verdict: outbox.GiveUp, Reason: "unreadable"}
	}
	m, err := c.message(l)
	if err != nil {
		return c.failed(ctx, l, "address_refused")
	}
	if err := c.send(ctx, m); err != nil {
		return c.judge(ctx, l, err)
	}
	if err := c.tell(ctx, l.ID, meeting.DispatchSent, ""); err != nil {
		c.Log.WarnContext(ctx, "a letter was sent, and that cannot be noted", "dispatch", l.ID, "err", err)
	}
	return outbox.Result{Verdict: outbox.OK}
}

// send sends over a connection of its own, which is closed whatever happens: the
// library leaves it open when the server refuses the account.
func (c *Connector) send(ctx context.Context, m *gomail.Msg) error {
	var open net.Conn
	defer func() {
		if open != nil {
			_ = open.Close()
		}
	}()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		d := net.Dialer{Timeout: cmp.Or(c.cfg.Timeout, timeout)}
		var err error
		if c.cfg.Security == fullTLS {
			open, err = (&tls.Dialer{NetDialer: &d, Config: &tls.Config{ServerName: c.host, MinVersion: tls.VersionTLS12}}).DialContext(ctx, network, address)
		} else {
			open, err = d.DialContext(ctx, network, address)
		}
		return open, err
	}
	client, err := gomail.NewClient(c.host, append(slices.Clone(c.options), gomail.WithDialContextFunc(dial))...)
	if err != nil {
		return err
	}
	return client.DialAndSendWithContext(ctx, m)
}

func (c *Connector) message(l letter) (*gomail.Msg, error) {
	m := gomail.NewMsg()
	if err := errors.Join(m.From(c.cfg.From), m.To(l.To)); err != nil {
		return nil, err
	}
	if c.cfg.ReplyTo != "" {
		if err := m.ReplyTo(c.cfg.ReplyTo); err != nil {
			return nil, err
		}
	}
	m.Subject(l.Subject)
	m.SetMessageIDWithValue(string(l.ID) + "@" + c.domain)
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("X-Auto-Response-Suppress", "All")
	m.SetGenHeader("Content-Language", l.Language)
	m.SetDate()
	m.SetBodyString(gomail.TypeTextPlain, l.Text)
	m.AddAlternativeString(gomail.TypeTextHTML, inHTML(l))
	return m, nil
}

// inHTML says the same in HTML: paragraphs, and the link as one.
func inHTML(l letter) string {
	var b strings.Builder
	b.WriteString(`<!doctype html><html lang="` + html.EscapeString(l.Language) + `"><body>`)
	for p := range strings.SplitSeq(strings.TrimSpace(l.Text), "\n\n") {
		words := html.EscapeString(p)
		if strings.HasPrefix(p, "http://") || strings.HasPrefix(p, "https://") {
			words = `<a href="` + words + `">` + words + `</a>`
		}
		b.WriteString("<p>" + strings.ReplaceAll(words, "\n", "<br>") + "</p>")
	}
	b.WriteString("</body></html>")
	return b.String()
}

// judge says what an error of the server means. A server's sentences may hold
// the address: they go into no log.
func (c *Connector) judge(ctx context.Context, l letter, err error) outbox.Result {
	var e *gomail.SendError
	switch {
	case errors.As(err, &e) && e.Reason == gomail.ErrSMTPRcptTo && !e.IsTemp():
		return c.failed(ctx, l, "address_refused")
	case errors.As(err, &e) && !e.IsTemp() && e.ErrorCode() >= 500:
		return c.failed(ctx, l, "rejected")
	case strings.Contains(err.Error(), "535") || strings.Contains(strings.ToLower(err.Error()), "auth"):
		c.Log.ErrorContext(ctx, "the mail server does not accept the account", "repair", "connectors.mail.user and password")
		return outbox.Result{Verdict: outbox.Retry, Reason: "auth", Live: true}
	}
	return outbox.Result{Verdict: outbox.Retry, Reason: "server_down", Live: true}
}

func (c *Connector) failed(ctx context.Context, l letter, reason string) outbox.Result {
	if err := c.tell(ctx, l.ID, meeting.DispatchFailed, reason); err != nil {
		return outbox.Result{Verdict: outbox.Retry, Reason: "internal", Live: true}
	}
	return outbox.Result{Verdict: outbox.GiveUp, Reason: reason}
}

func (c *Connector) tell(ctx context.Context, id meeting.DispatchID, state meeting.DispatchState, reason string) error {
	return c.Meetings.Dispatched(context.WithoutCancel(ctx), id, state, reason)
}
