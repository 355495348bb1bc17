package xcally

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
	"ringdown/schemas"
)

const (
	replyLimit = 256 << 10 // of the body, bytes
	textLimit  = 4000      // of one chat message, bytes; longer replies become several
	nameLimit  = 80        // of an agent's name, characters
)

// reply is what XCALLY posts for each outgoing message, as far as we use it.
// XCALLY guide "How to configure a Custom Open Channel"; the members that are
// not documented there are observed in sample connectors and integrations.
type reply struct {
	Body        string `json:"body"` // the text, or with an attachment its file name
	ID          scalar `json:"id"`
	Attachment  scalar `json:"AttachmentId"`
	To          scalar `json:"to"` // V1: the recipient, without a Contact
	Interaction struct {
		ID     scalar `json:"id"`
		Thread scalar `json:"threadId"`
	} `json:"Interaction"`
	InteractionID scalar `json:"OpenchannelInteractionId"`
	Agent         struct {
		Name     scalar `json:"name"`
		FullName scalar `json:"fullname"`
	} `json:"agent"`

	contact map[string]any // Contact, or its lower-case twin
	noUser  bool           // UserId is there and null: no agent wrote it
}

// decodeReply reads a reply and checks it against its schema. Errors are faults
// that repeat no value.
func (c *Connector) decodeReply(body []byte) (reply, error) {
	doc, err := schemas.Decode(body)
	if err != nil {
		return reply{}, err
	}
	if err := c.in.Check(doc); err != nil {
		return reply{}, err
	}
	var r reply
	if err := json.Unmarshal(body, &r); err != nil {
		return reply{}, fault.New(fault.BadRequest, "the body cannot be read").Because(err)
	}
	members, _ := doc.(map[string]any) // the schema wants an object
	for _, name := range []string{"contact", "Contact"} {
		if v, ok := members[name].(map[string]any); ok {
			r.contact = v
		}
	}
	user, there := members["UserId"]
	r.noUser = there && user == nil
	r.Body = clean(r.Body)
	if r.Body == "" && r.Attachment == "" {
		return reply{}, fault.NewInvalid("/body", "is empty")
	}
	return r, nil
}

// reply is the handler of the Reply URL. It answers once the message is stored.
func (c *Connector) reply(g *gin.Context) error {
	a := c.accounts[g.Param("account")]
	var want account
	if a != nil {
		want = *a
	}
	if !want.replySecret.Equal(g.Param("secret")) {
		return fault.New(fault.NotFound, "this is no Reply URL of ours; copy it anew from the configuration")
	}
	body, err := io.ReadAll(g.Request.Body)
	if big, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.New(fault.TooLarge, "the body is larger than %d bytes", big.Limit).Because(err)
	}
	if err != nil {
		return fault.New(fault.BadRequest, "the body could not be read to its end").Because(err)
	}
	r, err := c.decodeReply(body)
	if err != nil {
		return err
	}
	said, err := c.take(g.Request.Context(), a, r)
	if err != nil {
		return err
	}
	g.JSON(http.StatusOK, gin.H{"message": said})
	return nil
}

// take finds the reply's meeting and posts it there. It returns what became of
// it, in a word for the vendor's log.
func (c *Connector) take(ctx context.Context, a *account, r reply) (string, error) {
	m, found, err := c.find(ctx, a, r)
	if err != nil {
		return "", err
	}
	if !found {
		c.log.InfoContext(ctx, "xcally reply to no meeting", "account", a.name, "refused", a.refusesUnknown)
		if a.refusesUnknown {
			return "", fault.New(fault.NotFound, "no video call belongs to this conversation")
		}
		return "ignored: no video call belongs to this conversation", nil
	}
	if m.State == meeting.Ended {
		c.log.InfoContext(ctx, "xcally reply to an ended meeting", "account", a.name, "meeting", m.ID, "refused", a.refusesUnknown)
		if a.refusesUnknown {
			return "", fault.New(fault.MeetingEnded, "this video call is over; the visitor does not see the message")
		}
	}
	echo, err := c.isEcho(ctx, a, m, r)
	if err != nil {
		return "", err
	}
	if echo {
		return "ignored: our own message", nil
	}
	return c.post(ctx, a, m, r)
}

// post adds the reply to the meeting's chat, in order, once.
func (c *Connector) post(ctx context.Context, a *account, m meeting.Meeting, r reply) (string, error) {
	text := r.Body
	if r.Attachment != "" {
		t, err := textsIn(m.Language)
		if err != nil {
			t = a.texts
		}
		text = fmt.Sprintf(t.file, clip(oneLine(text), nameLimit))
	}
	text = withoutLink(text, c.links.Agent(m))
	if text == "" {
		return "ignored: the link is for agents only", nil
	}
	name := string(r.Agent.FullName)
	if name == "" {
		name = string(r.Agent.Name)
	}
	for i, part := range parts(text, textLimit) {
		msg := meeting.Message{Role: meeting.AgentR, Name: clip(name, nameLimit), Via: a.desk(), Text: part}
		if r.ID != "" {
			msg.Key = fmt.Sprintf("%s:%s:%d", a.desk(), r.ID, i)
		}
		_, err := c.meetings.Post(ctx, m.ID, msg)
		if fault.Is(err, fault.KeyReused) {
			c.log.InfoContext(ctx, "xcally message came again with another text", "account", a.name, "meeting", m.ID)
			return "ignored: this message is known", nil
		}
		if err != nil {
			return "", err
		}
	}
	return "ok", nil
}

// withoutLink takes the agents' link and its secret out of a text for the
// visitor: it opens the agents' door, and an agent may paste it by mistake.
func withoutLink(text, link string) string {
	const gap = "…"
	_, key, _ := strings.Cut(link, "#")
	for _, s := range []string{link, key} {
		if s != "" {
			text = strings.ReplaceAll(text, s, gap)
		}
	}
	if strings.Trim(text, gap+" \n") == "" {
		return ""
	}
	return text
}

// isEcho tells whether the reply is a message of ours that comes back: one that
// no agent wrote and that says what we said.
func (c *Connector) isEcho(ctx context.Context, a *account, m meeting.Meeting, r reply) (bool, error) {
	if !r.noUser || r.Attachment != "" {
		return false, nil
	}
	if link := c.links.Agent(m); link != "" && strings.Contains(r.Body, link) || r.Body == a.texts.taken(m) || r.Body == a.texts.ended(m) {
		return true, nil
	}
	said, err := c.meetings.Messages(ctx, m.ID, 0)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(said, func(msg meeting.Message) bool {
		return msg.Role == meeting.Visitor && a.texts.said(m, msg) == r.Body
	}), nil
}

// find looks for the reply's meeting: by our thread id, by the interaction, by
// the contact. A meeting that goes on is preferred: XCALLY may keep two calls of
// one visitor in one interaction. Meetings of other accounts are never found.
func (c *Connector) find(ctx context.Context, a *account, r reply) (m meeting.Meeting, found bool, err error) {
	looks := []func() (meeting.Meeting, error){
		func() (meeting.Meeting, error) {
			if r.Interaction.Thread == "" {
				return meeting.Meeting{}, errNotThere
			}
			return c.meetings.ByID(ctx, meeting.ID(r.Interaction.Thread))
		},
		func() (meeting.Meeting, error) {
			id := r.InteractionID
			if id == "" {
				id = r.Interaction.ID
			}
			if id == "" {
				return meeting.Meeting{}, errNotThere
			}
			return c.meetings.ByRef(ctx, a.interaction(string(id)))
		},
		func() (meeting.Meeting, error) { return c.byContact(ctx, a, r) },
	}
	for _, look := range looks {
		got, err := look()
		if fault.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return m, false, err
		}
		if !slices.Contains(got.Desks, a.desk()) {
			continue
		}
		if got.State != meeting.Ended {
			return got, true, nil
		}
		if !found {
			m, found = got, true
		}
	}
	return m, found, nil
}

// byContact finds the one meeting under way whose visitor XCALLY knows by the
// reply's contact, or by its recipient. Two such meetings are none.
func (c *Connector) byContact(ctx context.Context, a *account, r reply) (meeting.Meeting, error) {
	var one meeting.Meeting
	n := 0
	for _, state := range []meeting.State{meeting.Requested, meeting.Active} {
		all, err := c.meetings.List(ctx, meeting.Filter{State: state, Limit: 200})
		if err != nil {
			return one, err
		}
		for _, m := range all {
			if !slices.Contains(m.Desks, a.desk()) {
				continue
			}
			from, mapKey := a.sender(m, values(m, ""))
			if oneLine(plain(r.contact[mapKey])) == from || string(r.To) == from {
				one, n = m, n+1
			}
		}
	}
	if n != 1 {
		return one, errNotThere
	}
	return one, nil
}

// errNotThere is a look-up that found nothing.
var errNotThere = fault.New(fault.NotFound, "no video call belongs to this conversation")

// writeFault answers in the vendor's shape: samples answer {"message":"…"}, and
// XCALLY marks the agent's message as failed.
func writeFault(w http.ResponseWriter, _ *http.Request, f *fault.Error) {
	body, err := json.Marshal(map[string]string{"message": f.Detail})
	if err != nil { // text always marshals
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(httpd.Status(f.Code))
	_, _ = w.Write(append(body, '\n'))
}
