package thirdparty

import (
	"context"
	"time"

	"ringdown/fault"
	"ringdown/meeting"
)

// staleness says why a page is not about the call that the agent has. The client
// ties no action to a call: what an unanswered call left behind may be opened by
// the next one, an outgoing one too.
type staleness struct {
	Why   string    `json:"why"`             // "late", "newer" or "moved"
	Agent string    `json:"agent,omitempty"` // who was offered the call since, if "moved"
	At    time.Time `json:"at,omitzero"`     // of that offer, or of the newer call
}

const (
	pendingFor = time.Minute     // no check takes longer
	newerAfter = 5 * time.Second // a second ring within it is not why a page opens late
	movedAfter = 8 * time.Second // offers within it ring together
)

// stale judges a page that was not opened since the last ring. One that was
// stays good: a reload shows it again.
func (p *pane) stale(ctx context.Context, call meeting.PhoneCall) (staleness, error) {
	if !call.OpenedAt.Before(call.RungAt) || call.Done() {
		return staleness{}, nil
	}
	now := p.Now()
	if now.After(call.OpenBy) {
		return staleness{Why: "late"}, nil
	}
	for _, other := range p.Phones.Of(ctx, call.Desk, call.Agent.Key, now.Sub(call.RungAt)+newerAfter) {
		if other.ID != call.ID && other.RungAt.After(call.RungAt) && now.Sub(other.RungAt) > newerAfter {
			return staleness{Why: "newer", At: other.RungAt}, nil
		}
	}
	if call.Decision.Event == eventReleased { // the call was theirs, wherever it went
		return staleness{}, nil
	}
	offers, err := p.Phones.With(ctx, call.Desk, call.Ref)
	if err != nil {
		return staleness{}, err
	}
	for _, o := range offers {
		if o.ID != call.ID && o.RungAt.Sub(call.RungAt) > movedAfter {
			return staleness{Why: "moved", Agent: o.Agent.Name, At: o.RungAt}, nil
		}
	}
	return staleness{}, nil
}

// paneView is a phone call as its page shows it.
type paneView struct {
	ID       meeting.PhoneCallID `json:"id"`
	Now      time.Time           `json:"now"`
	RungAt   time.Time           `json:"rung_at"`
	Agent    string              `json:"agent"`
	Caller   string              `json:"caller"`
	Number   string              `json:"number,omitempty"`
	Called   string              `json:"called,omitempty"`
	Queue    meeting.PhoneQueue  `json:"queue"`
	Language string              `json:"language,omitempty"`
	Data     map[string]string   `json:"data,omitempty"`
	Stale    *staleness          `json:"stale,omitempty"`
	Done     bool                `json:"done"`
	Trust    meeting.Trust       `json:"trust"`
	Close    closing             `json:"close"`

	// What follows is of trusted rings only.
	Note     string         `json:"note"`
	Outcome  string         `json:"outcome"`
	CallBack time.Time      `json:"call_back,omitzero"`
	Outcomes []Outcome      `json:"outcomes,omitempty"`
	Channels []string       `json:"channels"`
	Words    []paneWords    `json:"words"` // what is sent around a link
	Video    *paneVideo     `json:"video,omitempty"`
	Sent     []paneDispatch `json:"sent"`
}

// closing is how the page asks the agent app to close it.
type closing struct {
	Message string   `json:"message"`
	Origins []string `json:"origins"` // none: any; the message is a constant word
}

// closeMessage is the word the agent app waits for (contract section 5).
const closeMessage = "closeThirdParty"

func (p *pane) view(ctx context.Context, call meeting.PhoneCall, stale staleness) (paneView, error) {
	v := paneView{
		ID: call.ID, Now: p.Now().UTC(), RungAt: call.RungAt, Agent: call.Agent.Name, Caller: call.Caller, Number: call.Number,
		Called: call.Called, Queue: call.Queue, Language: call.Language, Data: call.Data, Done: call.Done(), Trust: call.Trust,
		Close: closing{closeMessage, p.origins}, Channels: []string{}, Words: []paneWords{}, Sent: []paneDispatch{},
	}
	if v.Trust.Pending && v.Now.Sub(call.RungAt) > pendingFor { // a restart came between
		v.Trust = meeting.Trust{Why: string(tokenUnknown)}
	}
	if v.Close.Origins == nil {
		v.Close.Origins = []string{}
	}
	if stale != (staleness{}) {
		v.Stale = &stale
		return v, nil
	}
	if !call.Trust.Trusted() {
		return v, nil
	}
	v.Note, v.Outcome, v.CallBack, v.Outcomes = call.Note, call.Outcome, call.CallBack, p.outcomes
	v.Channels = append(v.Channels, p.Meetings.Channels()...)
	v.Words = p.words(call, v.Channels)
	if call.Meeting == "" {
		return v, nil
	}
	m, err := p.Meetings.ByID(ctx, call.Meeting)
	if fault.Is(err, fault.NotFound) {
		return v, nil
	}
	if err != nil {
		return v, err
	}
	if v.Video, err = p.video(ctx, m); err != nil {
		return v, err
	}
	sent, err := p.Meetings.Dispatches(ctx, m.ID)
	if err != nil {
		return v, err
	}
	for _, d := range sent {
		v.Sent = append(v.Sent, paneDispatch{ID: d.ID, Channel: d.Channel, To: d.To, State: d.State, Reason: d.Reason, At: d.ChangedAt})
	}
	return v, nil
}
