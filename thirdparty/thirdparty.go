// Package thirdparty is XiVO's "Third Party Integration": on each ringing call
// the agent app of XucMgt asks what to do, and is answered with a page of ours
// that it opens beside the call. The page's questions are answered here too.
//
// It owns the vendor's words (action, event, autopause, multitab, userData), the
// rules that choose between them, and what a ring proves. It refuses to know
// stores, media, pages and other vendors. What was documented and what was read
// in the client's source is in docs/integrations/xucmgt.md.
package thirdparty

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"ringdown/connectors"
	"ringdown/egress"
	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
	"ringdown/schemas"
)

const (
	// Name is the connector's name, and the vendor of its refs.
	Name = "thirdparty"
	// Desk is what phone calls and the journal call the phone system.
	Desk = Name + "/xucmgt"
	// OpenPath is where the page of a phone call lives, below it the call's id.
	OpenPath = "/thirdparty/open/"
	// SheetPath is the page that a CTI sheet opens.
	SheetPath = "/thirdparty/sheet"
	// TestPath is the page on which an integrator tries the way from a browser to us.
	TestPath = "/thirdparty/test"

	callPath = "/thirdparty/xucmgt"
)

// Connector serves one XiVO installation. Safe for concurrent use.
type Connector struct {
	connectors.Deps
	cfg   compiled
	in    *schemas.Schema
	out   *schemas.Schema
	check *checker // nil: tokens are not looked at
	pane  *pane
	wrong *httpd.Limiter // wrong secrets of a sheet, per address
	crowd *httpd.Limiter // rings without a proof, per address
	noted *httpd.Limiter // lines of the journal about that, per address

	mu     sync.Mutex
	recent map[string]recent // rings without an id of the call, by agent and caller
}

type recent struct {
	id meeting.PhoneCallID
	at time.Time
}

var (
	_ connectors.Connector = (*Connector)(nil)
	_ connectors.Owner     = (*Connector)(nil)
	_ connectors.Runner    = (*Connector)(nil)
)

// New makes the connector. It reads the files that cfg names.
func New(cfg Config, d connectors.Deps) (*Connector, error) {
	comp, err := cfg.compile()
	if err != nil {
		return nil, err
	}
	if d.Meetings == nil || d.Links == nil || d.Phones == nil || d.Customers == nil || d.Journal == nil || d.Bindings == nil || d.Preview == nil || d.Egress == nil || d.Log == nil || d.Now == nil {
		return nil, errors.New("thirdparty: meetings, links, phones, customers, journal, bindings, previews, egress, log and now are needed")
	}
	c := &Connector{
		Deps: d, cfg: comp, recent: map[string]recent{}, pane: newPane(d, comp.Origins, comp.Outcomes),
		wrong: httpd.NewLimiter(6*time.Second, 30, 0, d.Now), crowd: httpd.NewLimiter(crowdEvery, crowdBurst, 0, d.Now),
		noted: httpd.NewLimiter(10*time.Second, 1, 0, d.Now),
	}
	if c.in, err = schemas.Load("xucmgt/call.accept.json"); err != nil {
		return nil, err
	}
	if c.out, err = schemas.Load("xucmgt/action.emit.json"); err != nil {
		return nil, err
	}
	if comp.Token.Policy != tokenOff {
		way, err := d.Egress(egress.Options{Connector: Name, Allow: []string{comp.Token.XUC}})
		if err != nil {
			return nil, fmt.Errorf("thirdparty: %w", err)
		}
		c.check = newChecker(comp.Token, way, d)
	}
	for _, w := range cfg.Warnings() {
		d.Log.Warn("the configuration works and is not as it should be", "key", "connectors.thirdparty."+w)
	}
	return c, nil
}

// Name returns "thirdparty".
func (c *Connector) Name() string { return Name }

// Frames are the origins that may show the tab; none: any may.
func (c *Connector) Frames() []string { return c.cfg.Origins }

// Surface is the address that agents' browsers ask.
func (c *Connector) Surface() httpd.Surface {
	cors := httpd.CORS{Any: true, PrivateNetwork: true}
	if len(c.cfg.Origins) > 0 {
		cors = httpd.CORS{Allow: c.allow, PrivateNetwork: true}
	}
	who := httpd.Proof("a secret in the path, a listed network, or a token that XUC confirms; without one the ring is untrusted")
	return httpd.Surface{
		Name: Name, Paths: []string{callPath, callPath + "/"}, CORS: cors, Faults: c.fault,
		Routes: []httpd.Route{
			{Method: http.MethodPost, Path: callPath, Who: who, Handler: c.take, Body: bodyLimit},
			{Method: http.MethodPost, Path: callPath + "/:secret", Who: who, Handler: c.take, Body: bodyLimit},
			{Method: http.MethodOptions, Path: callPath, Who: httpd.Anyone, Handler: c.options},
			{Method: http.MethodOptions, Path: callPath + "/:secret", Who: httpd.Anyone, Handler: c.options},
		},
	}
}

// OwnRoutes are the doors of the tab, on our own surface.
func (c *Connector) OwnRoutes() []httpd.Route {
	return append(c.pane.routes(), httpd.Route{
		Method: http.MethodPost, Path: SheetPath, Who: httpd.Proof("the secret of the phones, or a token that XUC confirms"), Handler: c.sheet, Body: 16 << 10,
	})
}

// Run checks tokens, until ctx ends.
func (c *Connector) Run(ctx context.Context) error {
	if c.check == nil {
		<-ctx.Done()
		return nil
	}
	return c.check.run(ctx)
}

// allow judges the origin of a request or of its preflight.
func (c *Connector) allow(r *http.Request, origin string) bool {
	ok := slices.Contains(c.cfg.Origins, origin)
	if !ok && r.Method == http.MethodOptions {
		c.Journal.Note(connectors.Entry{
			At: c.Now(), Desk: Desk, Kind: "preflight", Origin: oneLine(origin, words),
			Problem: "the page's origin is not listed; add it to connectors.thirdparty.origins",
		})
	}
	return ok
}

// fault answers what went wrong. The phone gets a valid answer whatever it was;
// whoever opens the address in a browser gets words.
func (c *Connector) fault(w http.ResponseWriter, r *http.Request, f *fault.Error) {
	if r.Method != http.MethodPost {
		httpd.WriteProblem(w, r, f)
		return
	}
	c.Journal.Note(connectors.Entry{At: c.Now(), Desk: Desk, Kind: "refused", Origin: oneLine(r.Header.Get("Origin"), words), Action: actionNone, Problem: problemOf(f)})
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write([]byte(`{"action":"none"}`))
}

// options answers one that is no preflight, as somebody sends who tries the
// address by hand; preflights are answered before.
func (c *Connector) options(g *gin.Context) error {
	g.Status(http.StatusOK)
	return nil
}

// take answers one ringing call. A fault it returns is written as an answer that
// does nothing.
func (c *Connector) take(g *gin.Context) error {
	began := c.Now()
	if kind, _, err := mime.ParseMediaType(g.GetHeader("Content-Type")); err != nil || kind != "application/json" {
		// A page elsewhere may post other kinds without asking first.
		return &fault.Error{Code: fault.BadRequest, Fields: []fault.Field{{Pointer: "header:Content-Type", Detail: "must be application/json"}}}
	}
	body, err := io.ReadAll(g.Request.Body)
	if big, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.New(fault.TooLarge, "the body is larger than %d bytes", big.Limit).Because(err)
	}
	if err != nil {
		return fault.New(fault.BadRequest, "the body could not be read to its end").Because(err)
	}
	ring, err := decodeCall(body, c.in)
	if err != nil {
		return err
	}
	e := connectors.Entry{At: began, Desk: Desk, Kind: "request", Origin: oneLine(g.GetHeader("Origin"), words), Action: actionNone}
	e.Agent, e.Caller = ring.User.UserID, masked(ring.Caller)
	if ring.Queue != nil {
		e.Queue = ring.Queue.Name
	}
	a, crowded := none(), false
	if e.Origin != "" && len(c.cfg.Origins) > 0 && !slices.Contains(c.cfg.Origins, e.Origin) {
		e.Kind, e.Problem = "refused", "the page's origin is not listed; add it to connectors.thirdparty.origins"
	} else {
		ring.Number = c.Customers.Number(ring.Caller)
		s := c.judge(ring, g.Param("secret"), g.ClientIP(), began)
		if crowded = !s.trust.Trusted() && c.crowd.Allow(httpd.AddressKey(g.ClientIP())) != nil; crowded {
			e.Kind, e.Trust = "refused", trustWord(s.trust)
			e.Problem = "too many rings without a proof from this address; put connectors.thirdparty.secret at the end of THIRD_PARTY_URL"
		} else {
			a = c.decide(g.Request.Context(), ring, s, &e)
		}
	}
	e.Took = c.Now().Sub(began)
	if !crowded || c.noted.Allow(httpd.AddressKey(g.ClientIP())) == nil {
		c.Journal.Note(e)
	}
	return c.write(g, a)
}

func (c *Connector) write(g *gin.Context, a answer) error {
	body, bug := a.encode(c.out)
	if bug != nil {
		c.Log.ErrorContext(g.Request.Context(), "an answer of ours does not fit its schema", "err", bug)
	}
	g.Data(http.StatusOK, "application/json", body)
	return nil
}

// paneFor is how long an open page of an agent is looked for.
const paneFor = 12 * time.Hour

// Rings without a proof make a row each; an address may have so many. A phone
// system that proves its rings never gets here.
const (
	crowdEvery = 100 * time.Millisecond
	crowdBurst = 600
)

// decide finds the rule, remembers the ring and says what the app is told.
func (c *Connector) decide(ctx context.Context, ring call, s standing, e *connectors.Entry) answer {
	now := c.Now()
	i := slices.IndexFunc(c.cfg.rules, func(r rule) bool { return r.fits(ring, now) })
	r := rule{Rule: Rule{Action: actionNone}}
	if i >= 0 {
		r = c.cfg.rules[i]
	}
	e.Rule, e.Action, e.Trust, e.Problem = r.Name, r.Action, trustWord(s.trust), problemWith(s.trust)
	before := c.Phones.Of(ctx, Desk, s.looksAt, paneFor)
	paused := slices.IndexFunc(before, func(p meeting.PhoneCall) bool { return p.Open(now) && p.Decision.Autopause })
	if r.Action == actionNone || r.Action == actionRun {
		if paused < 0 && r.Action == actionRun {
			return run(r)
		}
		if paused < 0 {
			return none()
		}
		e.Action = "hold"
		url := c.Links.Phone(OpenPath, before[paused].ID)
		if !s.trust.Trusted() {
			url, _, _ = strings.Cut(url, "#") // it never fires; whoever asks may be anybody
		}
		return hold(eventEstablished, url)
	}
	autopause := r.Autopause || paused >= 0
	p := c.phoneCall(ring, r, s, autopause, now)
	e.Call, e.Repeated = string(p.ID), slices.ContainsFunc(before, func(o meeting.PhoneCall) bool { return o.ID == p.ID })
	c.remember(p, ring, s)
	return page(r, ring, c.Links.Phone(OpenPath, p.ID), autopause)
}

// remember keeps the ring, and has its token checked if that is to be done.
func (c *Connector) remember(p meeting.PhoneCall, ring call, s standing) {
	c.Phones.Ring(p)
	if !s.trust.Pending {
		return
	}
	judged := func(v verdict, p meeting.PhoneCall) meeting.PhoneCall {
		if p.Trust = v.trust(c.cfg.Token.Policy, s.otherwise); p.Trust.Trusted() {
			p.Agent.Key, p.Ref = ring.agent().Key, ring.CallID
		}
		return p
	}
	taken := c.check.later(tokenJob{token: ring.User.Token, user: ring.User.UserID, done: func(ctx context.Context, v verdict) {
		_, err := c.Phones.Change(ctx, p.ID, func(p meeting.PhoneCall, _ time.Time) (meeting.PhoneCall, error) { return judged(v, p), nil })
		if err != nil {
			c.Log.WarnContext(ctx, "what proves a ring cannot be kept", "err", err)
		}
	}})
	if !taken {
		c.Phones.Ring(judged(tokenUnknown, p))
	}
}

// phoneCall is the ring in the core's words.
func (c *Connector) phoneCall(ring call, r rule, s standing, autopause bool, now time.Time) meeting.PhoneCall {
	p := meeting.PhoneCall{
		ID: ring.phoneID(s.class, ring.CallID), Desk: Desk, Agent: ring.agent(), Caller: ring.Caller, Number: ring.Number,
		Called: ring.Callee, Data: ring.Data, Language: r.Language, Trust: s.trust, OpenBy: now.Add(openWithin(r.event)),
		Decision: meeting.Decision{Rule: r.Name, Action: r.Action, Event: r.event, Autopause: autopause},
	}
	if ring.CallID == "" {
		p.ID = c.again(ring, s.class, now)
	}
	if p.Agent.Key = s.keptAs; p.Agent.Key == ring.agent().Key {
		p.Ref = ring.CallID
	}
	if d := ring.Data["XIVO_DSTNUM"]; d != "" {
		p.Called = d
	}
	if q := ring.Queue; q != nil {
		p.Queue = meeting.PhoneQueue{ID: q.ID, Name: q.Name, Label: q.DisplayName, Number: q.Number}
	}
	return p
}

const (
	againWithin = 30 * time.Second
	recents     = 5000
)

// again gives the id of a ring that names no call: the same agent and caller
// within a short while are the same call. Other nodes do not know of it.
func (c *Connector) again(ring call, class string, now time.Time) meeting.PhoneCallID {
	who := ring.User.UserID + "\x00" + ring.Caller
	key := class + "\x00" + who
	c.mu.Lock()
	defer c.mu.Unlock()
	old, ok := c.recent[key]
	if !ok || now.Sub(old.at) > againWithin {
		old.id = ring.phoneID(class, who+"\x00"+now.Format(time.RFC3339Nano))
	}
	if len(c.recent) >= recents {
		for k, r := range c.recent {
			if now.Sub(r.at) > againWithin {
				delete(c.recent, k)
			}
		}
		if len(c.recent) >= recents {
			clear(c.recent)
		}
	}
	old.at = now
	c.recent[key] = old
	return old.id
}
