package thirdparty

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"ringdown/connectors"
	"ringdown/httpd"
	"ringdown/meeting"
)

// paneDispatch is one sending of the caller's link.
type paneDispatch struct {
	ID      meeting.DispatchID    `json:"id"`
	Channel string                `json:"channel"`
	To      string                `json:"to"`
	State   meeting.DispatchState `json:"state"`
	Reason  string                `json:"reason,omitempty"`
	At      time.Time             `json:"at"`
}

// paneWords are the words around a link, of one channel in one language.
type paneWords struct {
	Channel  string `json:"channel"`
	Language string `json:"language"`
	connectors.Preview
}

// words are what would be sent, with a link that is as long as a real one.
func (p *pane) words(call meeting.PhoneCall, channels []string) []paneWords {
	all := []paneWords{}
	link := p.PublicURL + "/m/" + strings.Repeat("x", 10) + "#" + strings.Repeat("x", 22)
	for _, channel := range channels {
		for _, language := range meeting.Languages() {
			if w, ok := p.Preview(channel, language, call.Agent.Name, link); ok {
				all = append(all, paneWords{channel, language, w})
			}
		}
	}
	return all
}

// send sends the caller's link, and makes the video call if there is none yet:
// the agent joins when they like, and sees when the caller is there.
func (p *pane) send(c *gin.Context) error {
	var in struct {
		Channel  string `json:"channel"`
		To       string `json:"to"`
		Language string `json:"language"`
	}
	if err := httpd.DecodeJSON(c.Request, &in); err != nil {
		return err
	}
	call, err := p.proved(c)
	if err != nil {
		return err
	}
	to := strings.TrimSpace(in.To)
	var checks httpd.Checks
	checks.Unless(slices.Contains(p.Meetings.Channels(), in.Channel), "/channel", "must be a channel that is configured: connectors.sms or connectors.mail")
	if in.Channel == meeting.SMS {
		to = p.Customers.Number(in.To)
		checks.Unless(to != "", "/to", "must be a phone number, with its country's code if it is abroad")
	}
	if err := checks.Err(); err != nil {
		return err
	}
	ctx := c.Request.Context()
	call, m, err := p.started(ctx, call, in.Language)
	if err != nil {
		return err
	}
	if _, err := p.Meetings.Send(ctx, m.ID, meeting.Dispatch{
		Invitation: m.VisitorInvitation, Channel: in.Channel, To: to, Language: in.Language, By: call.Agent.Key,
	}); err != nil {
		return err
	}
	v, err := p.view(ctx, call, staleness{})
	if err != nil {
		return err
	}
	c.JSON(http.StatusCreated, v)
	return nil
}
