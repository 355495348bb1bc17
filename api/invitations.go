package api

import (
	"net/http"
	"regexp"
	"time"

	"github.com/gin-gonic/gin"

	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
)

type wireInvitation struct {
	ID          meeting.InvitationID    `json:"id"`
	Role        meeting.Role            `json:"role"`
	Name        string                  `json:"name,omitempty"`
	Link        string                  `json:"link"`
	State       meeting.InvitationState `json:"state"`
	Participant meeting.ParticipantID   `json:"participant"`
	CreatedAt   time.Time               `json:"created_at"`
	ExpiresAt   time.Time               `json:"expires_at"`
	OpenedAt    time.Time               `json:"opened_at,omitzero"`
	RevokedAt   time.Time               `json:"revoked_at,omitzero"`
}

// invitation is inv as agents and the holders of API keys see it: the link
// opens a door.
func (a *API) invitation(m meeting.Meeting, inv meeting.Invitation) wireInvitation {
	p, _ := m.Participant(inv.Participant)
	return wireInvitation{
		ID: inv.ID, Role: inv.Role, Name: p.Name, Link: a.links.Invitation(inv), State: inv.State(m, a.now()), Participant: inv.Participant,
		CreatedAt: inv.CreatedAt, ExpiresAt: inv.ExpiresAt, OpenedAt: inv.OpenedAt, RevokedAt: inv.RevokedAt,
	}
}

// hosts lets through the holder of an API key, and an agent who is in the call.
func hosts(m meeting.Meeting, p httpd.Principal) error {
	if p.Kind != httpd.KindSession {
		return nil
	}
	_, err := inside(m, p)
	return err
}

func (a *API) listInvitations(c *gin.Context) error {
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	if err := hosts(m, p); err != nil {
		return err
	}
	return a.answerInvitations(c, m)
}

func (a *API) answerInvitations(c *gin.Context, m meeting.Meeting) error {
	all, err := a.meetings.Invitations(c.Request.Context(), m.ID)
	if err != nil {
		return err
	}
	out := make([]wireInvitation, len(all))
	for i, inv := range all {
		out[i] = a.invitation(m, inv)
	}
	c.JSON(http.StatusOK, gin.H{"invitations": out})
	return nil
}

func (a *API) invite(c *gin.Context) error {
	var in struct {
		Role    meeting.Role `json:"role"`
		Name    string       `json:"name"`
		Seconds *int64       `json:"expires_in_seconds"`
	}
	if err := httpd.DecodeJSON(c.Request, &in); err != nil {
		return err
	}
	var checks httpd.Checks
	checks.Unless(in.Role == meeting.Visitor || in.Role == meeting.AgentR, "/role", "must be visitor or agent")
	ask := meeting.Invite{Role: in.Role}
	if in.Name != "" {
		ask.Name = checkName(&checks, in.Name)
	}
	if in.Seconds != nil {
		checks.Unless(*in.Seconds >= 60 && *in.Seconds <= 86400, "/expires_in_seconds", "must be a whole number from 60 to 86400")
		ask.For = time.Duration(*in.Seconds) * time.Second
	}
	if err := checks.Err(); err != nil {
		return err
	}
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	if err := hosts(m, p); err != nil {
		return err
	}
	m, inv, err := a.meetings.Invite(c.Request.Context(), m.ID, ask)
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, a.invitation(m, inv))
	return nil
}

var invitationRE = regexp.MustCompile(`^inv_[A-Za-z0-9]{4,40}$`)

func (a *API) revokeInvitation(c *gin.Context) error {
	id := c.Param("invitation")
	if err := httpd.CheckText("path:invitation", id); err != nil {
		return err
	}
	if !invitationRE.MatchString(id) {
		return fault.NewInvalid("path:invitation", "must be an invitation's id (\"inv_…\")")
	}
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	if err := hosts(m, p); err != nil {
		return err
	}
	if m, err = a.meetings.Revoke(c.Request.Context(), m.ID, meeting.InvitationID(id)); err != nil {
		return err
	}
	return a.answerInvitations(c, m)
}
