// Package api is our own REST interface below /v1, its OpenAPI document and the
// stream of a meeting's state. It turns requests into calls of the core and
// answers into JSON; it decides nothing. It knows neither store nor media:
// what a client needs to get into a room is handed to it.
//
// The goroutines of a stream belong to its request; Close ends them.
package api

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/goccy/go-yaml"

	"ringdown/access"
	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
)

//go:embed openapi.yaml
var document []byte

// Config is what the API needs to know of the house.
type Config struct {
	PublicURL  string   // scheme and host, no final slash
	SignalURL  string   // the WebSocket of docs/protocol.md; empty: /v1/signal of this daemon
	ICEServers []string // STUN or TURN URLs for clients; usually none

	Files      Files // keeps what is sent in chats
	Deliveries Deliveries
	Keys       Keys
	Journal    Journal
	Logins     Logins
}

// API serves /v1. Make it with New.
type API struct {
	meetings *meeting.Service
	keys     *access.Keys
	links    access.Links
	cfg      Config
	log      *slog.Logger
	now      func() time.Time
	openapi  []byte

	life  context.Context //nolint:containedctx // of the streams: it ends with Close
	end   context.CancelFunc
	seats chan struct{}  // one for each open stream
	wrong *httpd.Limiter // per address: links that were not right

	uploads seats
}

// New makes the API.
func New(meetings *meeting.Service, keys *access.Keys, cfg Config, now func() time.Time, log *slog.Logger) (*API, error) {
	if cfg.Deliveries == nil || cfg.Keys == nil || cfg.Journal == nil || cfg.Logins == nil {
		return nil, errors.New("api: deliveries, keys and a journal are needed")
	}
	openapi, err := yaml.YAMLToJSON(document)
	if err != nil {
		return nil, fmt.Errorf("openapi document: %w", err)
	}
	a := &API{
		meetings: meetings, keys: keys, links: access.Links{Keys: keys, PublicURL: cfg.PublicURL},
		cfg: cfg, log: log, now: now, openapi: openapi, seats: make(chan struct{}, maxStreams),
		wrong: httpd.NewLimiter(6*time.Second, 30, 0, now),
	}
	a.life, a.end = context.WithCancel(context.Background())
	return a, nil
}

// Close ends every stream with "server_restart"; the server waits for them as
// for any request.
func (a *API) Close() { a.end() }

// AllowOrigin tells whether pages of the origin may read answers of /v1: those
// of a configured site.
func (a *API) AllowOrigin(_ *http.Request, origin string) bool {
	return slices.ContainsFunc(a.meetings.Policy().Sites, func(s meeting.Site) bool { return slices.Contains(s.Origins, origin) })
}

// Routes are the doors of /v1 and the document.
func (a *API) Routes() []httpd.Route {
	var (
		key      = httpd.APIKey(access.Admin, access.Integrator)
		admin    = httpd.APIKey(access.Admin)
		visitor  = httpd.Session(string(meeting.Visitor))
		agent    = httpd.Session(string(meeting.AgentR))
		person   = httpd.Session(string(meeting.Visitor), string(meeting.AgentR))
		creates  = httpd.NewLimiter(time.Second, 30, 0, a.now)           // per address
		streams  = httpd.NewLimiter(20*time.Millisecond, 2000, 0, a.now) // per address: an office comes back at once
		talks    = httpd.NewLimiter(250*time.Millisecond, 60, 0, a.now)  // per person
		perIP    = func(l *httpd.Limiter) []httpd.Limit { return []httpd.Limit{httpd.PerIP(l)} }
		perTalks = []httpd.Limit{httpd.PerCaller(talks)}
		sends    = httpd.NewLimiter(3*time.Second, 20, 0, a.now) // files, per person
		sendsIP  = httpd.NewLimiter(time.Second, 60, 0, a.now)   // and per address
	)
	const one = "/v1/meetings/:meeting"
	return []httpd.Route{
		{Method: "GET", Path: "/v1/button", Who: httpd.SiteKey, Handler: a.getButton},
		{Method: "POST", Path: "/v1/meetings", Who: httpd.Any(httpd.SiteKey, key), Handler: a.createMeeting, Body: 32 << 10, Limits: perIP(creates)},
		{Method: "GET", Path: "/v1/meetings", Who: key, Handler: a.listMeetings},
		{Method: "GET", Path: one, Who: httpd.Any(person, key), Handler: a.getMeeting},
		{Method: "POST", Path: one + "/ring", Who: httpd.Any(visitor, key), Handler: a.ringMeeting},
		{Method: "POST", Path: one + "/accept", Who: agent, Handler: a.acceptMeeting},
		{Method: "POST", Path: one + "/decline", Who: agent, Handler: a.declineMeeting},
		{Method: "POST", Path: one + "/join", Who: person, Handler: a.joinMeeting},
		{Method: "POST", Path: one + "/leave", Who: person, Handler: a.leaveMeeting},
		{Method: "POST", Path: one + "/end", Who: httpd.Any(agent, key), Handler: a.endMeeting},
		{Method: "GET", Path: one + "/messages", Who: httpd.Any(person, key), Handler: a.listMessages},
		{Method: "POST", Path: one + "/messages", Who: person, Handler: a.postMessage, Body: 16 << 10, Limits: perTalks},
		{Method: "POST", Path: one + "/files", Who: person, Handler: a.postFile, Body: fileBody, Limits: []httpd.Limit{httpd.PerCaller(sends), httpd.PerIP(sendsIP)}},
		{Method: "GET", Path: one + "/files/:file", Who: httpd.Any(person, key), Handler: a.getFile, Headers: httpd.Headers{Sandbox: true, Cache: "private, no-store"}},
		{Method: "GET", Path: one + "/events", Who: key, Handler: a.listEvents},
		{Method: "GET", Path: one + "/notes", Who: httpd.Any(agent, key), Handler: a.listNotes},
		{Method: "PUT", Path: one + "/notes/mine", Who: agent, Handler: a.saveNote, Body: 64 << 10, Limits: perTalks},
		{Method: "GET", Path: one + "/invitations", Who: httpd.Any(agent, key), Handler: a.listInvitations},
		{Method: "POST", Path: one + "/invitations", Who: httpd.Any(agent, key), Handler: a.invite, Body: 4 << 10, Limits: perTalks},
		{Method: "DELETE", Path: one + "/invitations/:invitation", Who: httpd.Any(agent, key), Handler: a.revokeInvitation},
		{Method: "POST", Path: "/v1/links/redeem", Who: httpd.Anyone, Handler: a.redeemLink, Body: 4 << 10},
		{Method: "GET", Path: "/v1/events", Who: httpd.Proof("session token in hello"), Handler: a.stream, Limits: perIP(streams)},
		{Method: "GET", Path: "/v1/desks/journal", Who: key, Handler: a.listJournal},
		{Method: "DELETE", Path: "/v1/desks/logins/:connector/:account/:user", Who: admin, Handler: a.forgetLogin},
		{Method: "GET", Path: "/v1/deliveries", Who: key, Handler: a.listDeliveries},
		{Method: "GET", Path: "/v1/deliveries/:delivery", Who: key, Handler: a.getDelivery},
		{Method: "POST", Path: "/v1/deliveries/:delivery/retry", Who: key, Handler: a.retryDelivery},
		{Method: "GET", Path: "/v1/deliveries/counts", Who: key, Handler: a.countDeliveries},
		{Method: "GET", Path: "/v1/deliveries/replay", Who: key, Handler: a.listReplays},
		{Method: "POST", Path: "/v1/deliveries/replay", Who: key, Handler: a.replayDeliveries, Body: 16 << 10},
		{Method: "GET", Path: "/v1/keys", Who: admin, Handler: a.listKeys},
		{Method: "POST", Path: "/v1/keys", Who: admin, Handler: a.createKey, Body: 4 << 10},
		{Method: "DELETE", Path: "/v1/keys/:key", Who: admin, Handler: a.revokeKey},
		{Method: "GET", Path: "/openapi.json", Who: httpd.Anyone, Handler: a.getDocument},
	}
}

func (a *API) getDocument(c *gin.Context) error {
	c.Data(http.StatusOK, "application/json", a.openapi)
	return nil
}

// find returns the meeting of the path, as far as the caller may know of it.
func (a *API) find(c *gin.Context) (meeting.Meeting, httpd.Principal, error) {
	p := httpd.Caller(c.Request.Context())
	ref := c.Param("meeting")
	if err := checkRef("path:meeting", ref); err != nil {
		return meeting.Meeting{}, p, err
	}
	m, err := a.lookUp(c.Request.Context(), ref)
	if err == nil && p.Kind == httpd.KindSession && string(m.ID) != p.Meeting {
		err = fault.New(fault.NotFound, "this session has no such meeting")
	}
	if err == nil {
		err = withdrawn(m, p)
	}
	return m, p, err
}

// withdrawn is the fault for somebody who was taken out of the meeting: from
// then on their session tells them nothing.
func withdrawn(m meeting.Meeting, p httpd.Principal) error {
	if p.Kind != httpd.KindSession {
		return nil
	}
	if me, ok := m.Participant(participantOf(m, p)); ok && me.Reason == meeting.ReasonKicked {
		return fault.New(fault.LinkRevoked, "this link was withdrawn")
	}
	return nil
}

func (a *API) lookUp(ctx context.Context, ref string) (meeting.Meeting, error) {
	if len(ref) > 4 && ref[:4] == "mtg_" {
		return a.meetings.ByID(ctx, meeting.ID(ref))
	}
	return a.meetings.ByCode(ctx, meeting.Code(ref))
}

// participantOf is the caller's participant in m; "" for an agent who has not won.
func participantOf(m meeting.Meeting, p httpd.Principal) meeting.ParticipantID {
	switch meeting.Role(p.Role) {
	case meeting.Visitor:
		return meeting.ParticipantID(p.ID)
	case meeting.AgentR:
		for _, q := range m.Participants {
			if q.Role == meeting.AgentR && q.Agent == meeting.AgentKey(p.ID) {
				return q.ID
			}
		}
	case meeting.Observer, meeting.Device: // no door lets them in
	}
	return ""
}

// inside is member for acts of those who are in the call, or were until its end:
// whoever left before that hears and does nothing in it any more.
func inside(m meeting.Meeting, p httpd.Principal) (meeting.ParticipantID, error) {
	id, err := member(m, p)
	if err == nil && m.Left(id) {
		return "", fault.New(fault.Conflict, "you have left this call")
	}
	return id, err
}

// member is participantOf for acts that only a member may do.
func member(m meeting.Meeting, p httpd.Principal) (meeting.ParticipantID, error) {
	if id := participantOf(m, p); id != "" {
		return id, nil
	}
	if m.Ring != nil && m.Ring.Winner != nil {
		return "", fault.New(fault.RingTaken, "%s took the call", m.Ring.Winner.Name).With("taken_by", m.Ring.Winner.Name)
	}
	return "", fault.New(fault.Conflict, "accept the call first")
}
