package api

import (
	"cmp"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"ringdown/access"
	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
)

type redeem struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
	Device string `json:"device"`
}

var (
	linkRE   = regexp.MustCompile(`^[A-Za-z0-9_]{4,64}$`)
	deviceRE = regexp.MustCompile(`^[A-Za-z0-9_-]{16,64}$`)
)

// redeemLink answers every wrong link with the same words, whether the id or
// the secret is wrong, and looks for neither sooner.
func (a *API) redeemLink(c *gin.Context) error {
	ctx := c.Request.Context()
	var in redeem
	if err := httpd.DecodeJSON(c.Request, &in); err != nil {
		return err
	}
	var checks httpd.Checks
	checks.Unless(linkRE.MatchString(in.ID), "/id", "must be the last part of the link's path")
	checks.Unless(in.Secret != "" && len(in.Secret) <= 64, "/secret", "must be the part of the link behind \"#\"")
	checks.Unless(in.Device == "" || deviceRE.MatchString(in.Device), "/device", "must be 16 to 64 letters, digits, \"-\" or \"_\"")
	if err := checks.Err(); err != nil {
		return err
	}
	wrong := fault.New(fault.NotFound, "this link is not valid")
	id := meeting.InvitationID(in.ID)
	if !strings.HasPrefix(in.ID, "inv_") {
		m, err := a.meetings.ByCode(ctx, meeting.Code(in.ID))
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		id = m.VisitorInvitation
	}
	inv, err := a.meetings.Invitation(ctx, id)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if ok := a.keys.LinkOpens(id, inv.Generation, in.Secret); !ok || inv.ID == "" {
		if err := a.wrong.Allow(httpd.AddressKey(c.ClientIP())); err != nil {
			return err
		}
		return wrong
	}
	switch now := a.now(); {
	case !inv.RevokedAt.IsZero():
		return fault.New(fault.LinkRevoked, "this link was withdrawn")
	case now.After(inv.ExpiresAt):
		return fault.New(fault.LinkExpired, "this link's time is over")
	}
	m, err := a.meetings.ByID(ctx, inv.Meeting)
	if err != nil {
		return err
	}
	who, _ := m.Participant(inv.Participant)
	if m.State == meeting.Ended && who.Invited && who.JoinedAt.IsZero() {
		return fault.New(fault.MeetingEnded, "this call is over").With("outcome", string(m.Outcome))
	}
	s := access.Session{Meeting: m.ID, Role: inv.Role, Participant: inv.Participant, Agent: who.Agent, Site: m.Site}
	if inv.Role == meeting.AgentR && inv.Participant == "" {
		if in.Device == "" {
			return fault.NewInvalid("/device", "is needed for a rung agent's link")
		}
		s.Agent = meeting.AgentKey("link:" + in.Device)
	}
	if err := a.meetings.Opened(ctx, inv); err != nil {
		return err
	}
	token, expires, err := a.keys.SignSession(s)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, gin.H{
		"token": token, "expires_at": expires, "role": s.Role, "meeting": a.meeting(m, access.SessionPrincipal(s)),
	})
	return nil
}

func (a *API) ringMeeting(c *gin.Context) error {
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	if m, err = a.meetings.Ring(c.Request.Context(), m.ID); err != nil {
		return err
	}
	return a.answer(c, m, p)
}

type answerRing struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// agent reads who the caller wants to be called.
func (n answerRing) agent(p httpd.Principal) (meeting.Agent, error) {
	var c httpd.Checks
	name := checkName(&c, n.Name)
	c.Unless(n.Reason == "" || slices.Contains(meeting.DeclineReasons(), n.Reason), "/reason", "must be empty or one of %s", strings.Join(meeting.DeclineReasons(), ", "))
	return meeting.Agent{Key: meeting.AgentKey(p.ID), Name: name}, c.Err()
}

// checkName returns a person's display name without the blanks around it.
func checkName(c *httpd.Checks, name string) string {
	name = strings.TrimSpace(name)
	c.Unless(name != "" && utf8.RuneCountInString(name) <= 60, "/name", "must be 1 to 60 characters")
	c.Unless(!strings.ContainsFunc(name, unseen) && strings.ContainsFunc(name, shows), "/name", "must be words on one line")
	return name
}

// unseen are characters that a name must not have: they break lines, turn the
// direction of text or show nothing.
func unseen(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Noncharacter_Code_Point) ||
		strings.ContainsRune("\u115f\u1160\u2800\u3164\uffa0", r)
}

// shows are characters of which a name must have one.
func shows(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

func (a *API) acceptMeeting(c *gin.Context) error {
	var in struct {
		Name string `json:"name"`
	}
	if err := httpd.DecodeJSON(c.Request, &in); err != nil {
		return err
	}
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	agent, err := answerRing{Name: in.Name}.agent(p)
	if err != nil {
		return err
	}
	if m, err = a.meetings.Accept(c.Request.Context(), m.ID, agent); err != nil {
		return err
	}
	return a.answer(c, m, p)
}

func (a *API) declineMeeting(c *gin.Context) error {
	var in answerRing
	if err := httpd.DecodeJSON(c.Request, &in); err != nil {
		return err
	}
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	agent, err := in.agent(p)
	if err != nil {
		return err
	}
	if m, err = a.meetings.Decline(c.Request.Context(), m.ID, agent, in.Reason); err != nil {
		return err
	}
	return a.answer(c, m, p)
}

func (a *API) joinMeeting(c *gin.Context) error {
	ctx := c.Request.Context()
	var in struct {
		Audio *bool  `json:"audio"`
		Video *bool  `json:"video"`
		Name  string `json:"name"`
	}
	if err := httpd.DecodeJSON(c.Request, &in); err != nil {
		return err
	}
	if in.Name != "" {
		var checks httpd.Checks
		in.Name = checkName(&checks, in.Name)
		if err := checks.Err(); err != nil {
			return err
		}
	}
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	if m.State == meeting.Ended {
		return fault.New(fault.MeetingEnded, "this call is over").With("outcome", string(m.Outcome))
	}
	id, err := member(m, p)
	if err != nil {
		return err
	}
	if m.State != meeting.Active {
		return fault.New(fault.Conflict, "nobody took the call yet")
	}
	me, _ := m.Participant(id)
	if me.Gone() {
		return fault.New(fault.Conflict, "you have left this call")
	}
	if in.Name != "" && me.Name == "" {
		if m, err = a.meetings.Name(ctx, m.ID, id, in.Name); err != nil {
			return err
		}
		me, _ = m.Participant(id)
	}
	token, err := a.keys.SignMedia(access.Room{
		Meeting: m.ID, Participant: id, Role: me.Role, Name: me.Name,
		Audio: in.Audio == nil || *in.Audio, Video: in.Video == nil || *in.Video,
	})
	if err != nil {
		return err
	}
	if err := a.meetings.Seen(ctx, m, id); err != nil {
		return err
	}
	servers := []gin.H{}
	if len(a.cfg.ICEServers) > 0 {
		servers = append(servers, gin.H{"urls": a.cfg.ICEServers})
	}
	c.JSON(http.StatusOK, gin.H{"token": token, "signal_url": cmp.Or(a.cfg.SignalURL, "/v1/signal"), "participant": id, "ice_servers": servers})
	return nil
}

func (a *API) leaveMeeting(c *gin.Context) error {
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	if id := participantOf(m, p); id != "" {
		if m, err = a.meetings.Leave(c.Request.Context(), m.ID, id, meeting.ReasonLeft); err != nil {
			return err
		}
	}
	return a.answer(c, m, p)
}

func (a *API) endMeeting(c *gin.Context) error {
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	by := meeting.Role("")
	if p.Kind == httpd.KindSession {
		if m.State != meeting.Ended {
			if _, err := inside(m, p); err != nil {
				return err
			}
		}
		by = meeting.Role(p.Role)
	}
	if m, err = a.meetings.End(c.Request.Context(), m.ID, by); err != nil {
		return err
	}
	return a.answer(c, m, p)
}

func (a *API) listMessages(c *gin.Context) error {
	after, err := afterOf(c)
	if err != nil {
		return err
	}
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	if p.Kind == httpd.KindSession {
		if _, err := inside(m, p); err != nil {
			return err
		}
	}
	ms, err := a.meetings.Messages(c.Request.Context(), m.ID, after)
	if err != nil {
		return err
	}
	out := make([]wireMessage, len(ms))
	for i, msg := range ms {
		out[i] = message(msg, participantOf(m, p))
	}
	c.JSON(http.StatusOK, gin.H{"messages": out})
	return nil
}

func (a *API) postMessage(c *gin.Context) error {
	var in struct {
		Text string `json:"text"`
	}
	if err := httpd.DecodeJSON(c.Request, &in); err != nil {
		return err
	}
	key, err := keyHeader(c)
	if err != nil {
		return err
	}
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	id, err := inside(m, p)
	if err != nil {
		return err
	}
	if strings.TrimSpace(in.Text) == "" {
		return fault.NewInvalid("/text", "must not be empty")
	}
	msg := from(m, id, key)
	msg.Text = in.Text
	if msg, err = a.meetings.Post(c.Request.Context(), m.ID, msg); err != nil {
		return err
	}
	c.JSON(http.StatusCreated, message(msg, id))
	return nil
}

// from is an empty message of a member. key is the sender's own, may be empty.
func from(m meeting.Meeting, id meeting.ParticipantID, key string) meeting.Message {
	me, _ := m.Participant(id)
	msg := meeting.Message{From: id, Role: me.Role, Name: me.Name}
	if key != "" {
		msg.Key = string(id) + ":" + key
	}
	return msg
}
