package api

import (
	"time"

	"ringdown/httpd"
	"ringdown/meeting"
)

// The shapes of openapi.yaml. They are ours alone: what the core stores and what
// others are told change for different reasons.

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
	Ring         *wireRing         `json:"ring,omitempty"`
	Participants []wireParticipant `json:"participants"`
	You          *wireYou          `json:"you,omitempty"`
	CreatedAt    time.Time         `json:"created_at"`
	RequestedAt  time.Time         `json:"requested_at,omitzero"`
	AnsweredAt   time.Time         `json:"answered_at,omitzero"`
	EndedAt      time.Time         `json:"ended_at,omitzero"`
	Length       int64             `json:"length_seconds,omitempty"`
	RedirectURL  string            `json:"redirect_url,omitempty"`
	Now          time.Time         `json:"now"`
	Visitor      *meeting.Person   `json:"visitor,omitempty"`
	Fields       map[string]string `json:"fields,omitempty"`
	Metadata     map[string]string `json:"metadata,omitempty"`
	Page         *meeting.Page     `json:"page,omitempty"`
	Links        *wireLinks        `json:"links,omitempty"`
}

type wireSite struct {
	ID      string `json:"id,omitempty"`
	Key     string `json:"key,omitempty"`
	Name    string `json:"name,omitempty"`
	Brand   string `json:"brand,omitempty"`
	Privacy string `json:"privacy,omitempty"`
}

type wireRing struct {
	Round       int       `json:"round"`
	Rounds      int       `json:"rounds"`
	StartedAt   time.Time `json:"started_at"`
	RoundEndsAt time.Time `json:"round_ends_at"`
	Until       time.Time `json:"until"`
	TakenBy     string    `json:"taken_by,omitempty"`
	Declines    int       `json:"declines"`
	YouDeclined bool      `json:"you_declined"`
}

type wireParticipant struct {
	ID       meeting.ParticipantID `json:"id"`
	Role     meeting.Role          `json:"role"`
	Name     string                `json:"name,omitempty"`
	Here     bool                  `json:"here"`
	Invited  bool                  `json:"invited,omitempty"`
	JoinedAt time.Time             `json:"joined_at,omitzero"`
	LeftAt   time.Time             `json:"left_at,omitzero"`
	Reason   meeting.Reason        `json:"reason,omitempty"`
}

type wireYou struct {
	Role        meeting.Role          `json:"role"`
	Participant meeting.ParticipantID `json:"participant,omitempty"`
}

type wireLinks struct {
	Visitor string `json:"visitor"`
	Agent   string `json:"agent,omitempty"`
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
	Mine bool                  `json:"mine"`
}

type wireFile struct {
	ID     meeting.FileID `json:"id"`
	Name   string         `json:"name"`
	Type   string         `json:"type"`
	Size   int64          `json:"size"`
	Width  int            `json:"width,omitempty"`
	Height int            `json:"height,omitempty"`
}

type wireEvent struct {
	ID          meeting.EventID       `json:"id"`
	Seq         int64                 `json:"seq"`
	Kind        meeting.Kind          `json:"kind"`
	At          time.Time             `json:"occurred_at"`
	Participant meeting.ParticipantID `json:"participant,omitempty"`
	Message     *wireMessage          `json:"message,omitempty"`
	Note        *wireNote             `json:"note,omitempty"`
	Meeting     wireMeeting           `json:"meeting"`
}

// meeting is m as the caller may see it: a visitor's session without what
// agents are told; the redirect only for the visitor who asked for the call.
func (a *API) meeting(m meeting.Meeting, p httpd.Principal) wireMeeting {
	w := wireMeeting{
		ID: m.ID, Code: m.Code, Reference: m.Reference(), Seq: m.Seq, State: m.State, Outcome: m.Outcome, EndedBy: m.EndedBy, Reason: m.Reason,
		Site: wireSite{ID: m.Site}, Queue: m.Queue, Topic: m.Topic, Language: m.Language, Participants: []wireParticipant{},
		CreatedAt: m.CreatedAt, RequestedAt: m.RequestedAt, AnsweredAt: m.AnsweredAt, EndedAt: m.EndedAt,
		Length: int64(m.Length() / time.Second), Now: a.now().UTC().Truncate(time.Millisecond),
	}
	if s, ok := a.meetings.Policy().Site(m.Site); ok {
		w.Site = wireSite{ID: s.ID, Key: s.Key, Name: s.Name, Brand: s.Brand, Privacy: s.Privacy}
	}
	if r := m.Ring; r != nil {
		w.Ring = &wireRing{Round: r.Round, Rounds: r.Rounds, StartedAt: r.StartedAt, RoundEndsAt: r.RoundEnds, Until: r.Until, Declines: len(r.Declines)}
		if r.Winner != nil {
			w.Ring.TakenBy = r.Winner.Name
		}
		for _, d := range r.Declines {
			w.Ring.YouDeclined = w.Ring.YouDeclined || p.Kind == httpd.KindSession && d.Agent.Key == meeting.AgentKey(p.ID)
		}
	}
	for _, q := range m.Participants {
		w.Participants = append(w.Participants, wireParticipant{
			ID: q.ID, Role: q.Role, Name: q.Name, Here: q.Here(), Invited: q.Invited, JoinedAt: q.JoinedAt, LeftAt: q.LeftAt, Reason: q.Reason,
		})
	}
	role := meeting.Role(p.Role)
	if p.Kind == httpd.KindSession {
		w.You = &wireYou{Role: role, Participant: participantOf(m, p)}
	}
	if p.Kind == httpd.KindAPIKey || role == meeting.Visitor && p.ID == string(m.TheVisitor().ID) {
		w.RedirectURL = m.RedirectURL
	}
	if p.Kind == httpd.KindAPIKey || role == meeting.AgentR {
		w.Visitor, w.Fields, w.Metadata = &m.Visitor, m.Fields, m.Metadata
		if m.Page != (meeting.Page{}) {
			w.Page = &m.Page
		}
	}
	return w
}

func message(m meeting.Message, me meeting.ParticipantID) wireMessage {
	w := wireMessage{
		ID: m.ID, Seq: m.Seq, From: m.From, Role: m.Role, Name: m.Name, Via: m.Via, Text: m.Text, At: m.At,
		Mine: me != "" && m.From == me,
	}
	if f := m.File; f != nil {
		w.File = &wireFile{ID: f.ID, Name: f.Name, Type: f.Type, Size: f.Size, Width: f.Width, Height: f.Height}
	}
	return w
}
