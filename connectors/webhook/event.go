package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/schemas"
)

// The public form of an event: Standard Webhooks, "Payload structure", with our
// API's words. They are this package's alone: what the core stores and what
// receivers are told change for different reasons. Links are in none, nor is
// the address guests go to.

type wireEvent struct {
	Type      meeting.Kind `json:"type"`
	Timestamp time.Time    `json:"timestamp"`
	Data      wireData     `json:"data"`
}

type wireData struct {
	ID          meeting.EventID       `json:"id"`
	Seq         int64                 `json:"seq"`
	Meeting     wireMeeting           `json:"meeting"`
	Participant meeting.ParticipantID `json:"participant,omitempty"`
	Message     *wireMessage          `json:"message,omitempty"`
	Decline     *wireDecline          `json:"decline,omitempty"`
	Note        *wireNote             `json:"note,omitempty"`
	Dispatch    *wireDispatch         `json:"dispatch,omitempty"`
}

type wireMeeting struct {
	ID           meeting.ID        `json:"id"`
	Code         meeting.Code      `json:"code"`
	Reference    string            `json:"reference"`
	Seq          int64             `json:"seq"`
	State        meeting.State     `json:"state"`
	Outcome      meeting.Outcome   `json:"outcome,omitempty"`
	EndedBy      meeting.Role      `json:"ended_by,omitempty"`
	Reason       meeting.Reason    `json:"reason,omitempty"`
	Site         wireSite          `json:"site"`
	Queue        string            `json:"queue"`
	Topic        string            `json:"topic,omitempty"`
	Language     string            `json:"language"`
	Visitor      wirePerson        `json:"visitor"`
	Fields       map[string]string `json:"fields,omitempty"`
	Metadata     map[string]string `json:"metadata,omitempty"`
	Page         wirePage          `json:"page,omitzero"`
	Ring         *wireRing         `json:"ring,omitempty"`
	Participants []wireParticipant `json:"participants"`
	CreatedAt    time.Time         `json:"created_at"`
	RequestedAt  time.Time         `json:"requested_at,omitzero"`
	AnsweredAt   time.Time         `json:"answered_at,omitzero"`
	EndedAt      time.Time         `json:"ended_at,omitzero"`
	Length       int64             `json:"length_seconds,omitempty"`
}

type wireSite struct {
	ID string `json:"id,omitempty"`
}

type wirePerson struct {
	Name       string `json:"name,omitempty"`
	Email      string `json:"email,omitempty"`
	Phone      string `json:"phone,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
}

type wirePage struct {
	URL   string `json:"url,omitempty"`
	Title string `json:"title,omitempty"`
}

type wireRing struct {
	Round       int       `json:"round"`
	Rounds      int       `json:"rounds"`
	StartedAt   time.Time `json:"started_at"`
	RoundEndsAt time.Time `json:"round_ends_at"`
	Until       time.Time `json:"until"`
	TakenBy     string    `json:"taken_by,omitempty"`
	Declines    int       `json:"declines"`
}

type wireParticipant struct {
	ID       meeting.ParticipantID `json:"id"`
	Role     meeting.Role          `json:"role"`
	Name     string                `json:"name,omitempty"`
	Invited  bool                  `json:"invited,omitempty"`
	Here     bool                  `json:"here"`
	JoinedAt time.Time             `json:"joined_at,omitzero"`
	LeftAt   time.Time             `json:"left_at,omitzero"`
	Reason   meeting.Reason        `json:"reason,omitempty"`
}

type wireMessage struct {
	ID   meeting.MessageID     `json:"id"`
	Seq  int64                 `json:"seq"`
	From meeting.ParticipantID `json:"from,omitempty"`
	Role meeting.Role          `json:"role"`
	Name string                `json:"name,omitempty"`
	Via  string                `json:"via,omitempty"`
	Text string                `json:"text"`
	File *wireFile             `json:"file,omitempty"`
	At   time.Time             `json:"at"`
}

type wireFile struct {
	ID     meeting.FileID `json:"id"`
	Name   string         `json:"name"`
	Type   string         `json:"type"`
	Size   int64          `json:"size"`
	Width  int            `json:"width,omitempty"`
	Height int            `json:"height,omitempty"`
}

type wireDecline struct {
	Name   string    `json:"name"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

type wireDispatch struct {
	ID       meeting.DispatchID `json:"id"`
	Channel  string             `json:"channel"`
	Language string             `json:"language,omitempty"`
}

type wireNote struct {
	Name string    `json:"name"`
	Text string    `json:"text"`
	At   time.Time `json:"at"`
}

// Draft gives each endpoint that asks for the event the same body. Each meeting
// has its order at each endpoint; a ring is not sent when its round is over.
func (c *Connector) Draft(ev meeting.Event) ([]outbox.Draft, error) {
	var all []outbox.Draft
	var body []byte
	for _, e := range c.endpoints {
		if !e.wants(ev) {
			continue
		}
		if body == nil {
			var err error
			if body, err = c.body(ev); err != nil {
				return nil, err
			}
		}
		d := outbox.Draft{Target: e.target(), Dest: e.target() + "/" + string(ev.Meeting), Body: body}
		if ev.Kind == meeting.KindRing && ev.Snapshot.Ring != nil {
			d.ExpiresAt = ev.Snapshot.Ring.RoundEnds
		}
		all = append(all, d)
	}
	return all, nil
}

// body renders the event, checked against its schema. What does not fit is a
// mistake of ours and is not sent.
func (c *Connector) body(ev meeting.Event) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(wire(ev)); err != nil {
		return nil, err
	}
	body := bytes.TrimSpace(b.Bytes())
	doc, err := schemas.Decode(body)
	if err != nil {
		return nil, err
	}
	schema := c.schemas[ev.Kind]
	if schema == nil {
		return nil, fmt.Errorf("the kind %q is in no catalogue", ev.Kind)
	}
	return body, schema.Check(doc)
}

func wire(ev meeting.Event) wireEvent {
	w := wireEvent{Type: ev.Kind, Timestamp: ev.At.UTC(), Data: wireData{ID: ev.ID, Seq: ev.Seq, Meeting: wireOf(ev.Snapshot), Participant: ev.Participant}}
	if m := ev.Message; m != nil {
		w.Data.Message = &wireMessage{ID: m.ID, Seq: m.Seq, From: m.From, Role: m.Role, Name: m.Name, Via: m.Via, Text: m.Text, At: m.At.UTC()}
		if f := m.File; f != nil {
			w.Data.Message.File = &wireFile{ID: f.ID, Name: f.Name, Type: f.Type, Size: f.Size, Width: f.Width, Height: f.Height}
		}
	}
	if d := ev.Decline; d != nil {
		w.Data.Decline = &wireDecline{Name: d.Agent.Name, Reason: d.Reason, At: d.At.UTC()}
	}
	if d := ev.Dispatch; d != nil { // to whom is nobody's business but the channel's
		w.Data.Dispatch = &wireDispatch{ID: d.ID, Channel: d.Channel, Language: d.Language}
	}
	if n := ev.Note; n != nil {
		w.Data.Note = &wireNote{Name: n.Name, Text: n.Text, At: n.At.UTC()}
	}
	return w
}

func wireOf(m meeting.Meeting) wireMeeting {
	w := wireMeeting{
		ID: m.ID, Code: m.Code, Reference: m.Reference(), Seq: m.Seq, State: m.State, Outcome: m.Outcome, EndedBy: m.EndedBy, Reason: m.Reason,
		Site: wireSite{m.Site}, Queue: m.Queue, Topic: m.Topic, Language: m.Language,
		Visitor: wirePerson{m.Visitor.Name, m.Visitor.Email, m.Visitor.Phone, m.Visitor.ExternalID},
		Fields:  m.Fields, Metadata: m.Metadata, Page: wirePage{m.Page.URL, m.Page.Title}, Participants: []wireParticipant{},
		CreatedAt: m.CreatedAt.UTC(), RequestedAt: m.RequestedAt.UTC(), AnsweredAt: m.AnsweredAt.UTC(), EndedAt: m.EndedAt.UTC(),
		Length: int64(m.Length() / time.Second),
	}
	if r := m.Ring; r != nil {
		w.Ring = &wireRing{
			Round: r.Round, Rounds: r.Rounds, StartedAt: r.StartedAt.UTC(), RoundEndsAt: r.RoundEnds.UTC(), Until: r.Until.UTC(), Declines: len(r.Declines),
		}
		if r.Winner != nil {
			w.Ring.TakenBy = r.Winner.Name
		}
	}
	for _, p := range m.Participants {
		w.Participants = append(w.Participants, wireParticipant{
			ID: p.ID, Role: p.Role, Name: p.Name, Invited: p.Invited, Here: p.Here(), JoinedAt: p.JoinedAt.UTC(), LeftAt: p.LeftAt.UTC(), Reason: p.Reason,
		})
	}
	return w
}
