package thirdparty

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"ringdown/connectors"
	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
)

// pane is what the page of a phone call asks and does. Whoever has the secret of
// the page's link is its agent; what more than the ring itself is shown depends
// on the ring's trust.
type pane struct {
	connectors.Deps
	origins  []string // of the agent apps, for the close message
	outcomes []Outcome
	wrong    *httpd.Limiter // wrong secrets, per address
}

func newPane(d connectors.Deps, origins []string, outcomes []Outcome) *pane {
	return &pane{Deps: d, origins: origins, outcomes: outcomes, wrong: httpd.NewLimiter(6*time.Second, 30, 0, d.Now)}
}

// routes are the doors of the page, on our own surface.
func (p *pane) routes() []httpd.Route {
	who := httpd.Proof("the secret of the phone call's link as Bearer token")
	const one = "/thirdparty/calls/:call"
	return []httpd.Route{
		{Method: "POST", Path: one + "/open", Who: who, Handler: p.open, Body: 1 << 10},
		{Method: "GET", Path: one, Who: who, Handler: p.get},
		{Method: "PUT", Path: one, Who: who, Handler: p.save, Body: 64 << 10},
		{Method: "POST", Path: one + "/done", Who: who, Handler: p.done, Body: 64 << 10},
		{Method: "GET", Path: one + "/customer", Who: who, Handler: p.customer},
		{Method: "GET", Path: one + "/customers", Who: who, Handler: p.search},
		{Method: "POST", Path: one + "/customers", Who: who, Handler: p.createCustomer, Body: 8 << 10},
		{Method: "POST", Path: one + "/video", Who: who, Handler: p.startVideo, Body: 1 << 10},
		{Method: "DELETE", Path: one + "/video", Who: who, Handler: p.endVideo},
		{Method: "POST", Path: one + "/invitations", Who: who, Handler: p.send, Body: 4 << 10},
	}
}

// find returns the phone call the request is for. A wrong id and a wrong secret
// are answered alike.
func (p *pane) find(c *gin.Context) (meeting.PhoneCall, error) {
	id := meeting.PhoneCallID(c.Param("call"))
	scheme, secret, _ := strings.Cut(c.GetHeader("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || !p.Links.PhoneOpens(id, strings.TrimSpace(secret)) {
		if err := p.wrong.Allow(httpd.AddressKey(c.ClientIP())); err != nil {
			return meeting.PhoneCall{}, err
		}
		return meeting.PhoneCall{}, fault.New(fault.NotFound, "this page's link is not valid")
	}
	return p.Phones.ByID(c.Request.Context(), id)
}

// proved is find for what only a trusted ring may do, while it is under way.
func (p *pane) proved(c *gin.Context) (meeting.PhoneCall, error) {
	call, err := p.find(c)
	switch {
	case err != nil:
		return call, err
	case !call.Trust.Trusted():
		return call, fault.New(fault.Forbidden, "this ring is not proved to come from the desk; nothing can be looked up or sent from it")
	case call.OpenedAt.Before(call.RungAt):
		return call, fault.New(fault.Conflict, "open the page first")
	case call.Done():
		return call, fault.New(fault.Conflict, "this call is finished")
	}
	return call, nil
}

// seenEvery is how coarsely it is noted that a page is alive.
const seenEvery = 15 * time.Second

// open is the page's first request: it judges whether the page is still about
// the call that the agent has.
func (p *pane) open(c *gin.Context) error {
	call, err := p.find(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	stale, err := p.stale(ctx, call)
	if err != nil {
		return err
	}
	if stale == (staleness{}) && !call.Done() {
		call, err = p.Phones.Change(ctx, call.ID, func(call meeting.PhoneCall, now time.Time) (meeting.PhoneCall, error) {
			if call.OpenedAt.Before(call.RungAt) {
				call.OpenedAt = now
			}
			call.SeenAt = now
			return call, nil
		})
		if err != nil {
			return err
		}
		if err := p.record(ctx, call); err != nil {
			p.Log.WarnContext(ctx, "a contact cannot be kept", "err", err)
		}
	}
	return p.answer(c, call, stale)
}

// get is asked every few seconds while the page is open.
func (p *pane) get(c *gin.Context) error {
	call, err := p.find(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	if !call.Done() && !call.OpenedAt.IsZero() && p.Now().Sub(call.SeenAt) >= seenEvery {
		seen, err := p.Phones.Change(ctx, call.ID, func(call meeting.PhoneCall, now time.Time) (meeting.PhoneCall, error) {
			call.SeenAt = now
			return call, nil
		})
		if err == nil {
			call = seen
		}
	}
	stale, err := p.stale(ctx, call)
	if err != nil {
		return err
	}
	return p.answer(c, call, stale)
}

func (p *pane) answer(c *gin.Context, call meeting.PhoneCall, stale staleness) error {
	v, err := p.view(c.Request.Context(), call, stale)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, v)
	return nil
}

// hasOutcome tells whether the word is configured; none is one too.
func (p *pane) hasOutcome(word string) bool {
	return word == "" || slices.ContainsFunc(p.outcomes, func(o Outcome) bool { return o.Name == word })
}
