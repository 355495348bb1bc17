package connectortest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"ringdown/connectors"
	"ringdown/fault"
	"ringdown/meeting"
)

// Meetings is a connectors.Meetings in memory, for tests that judge a connector
// and not the core. The zero value is empty.
type Meetings struct {
	mu    sync.Mutex
	all   []meeting.Meeting
	refs  map[meeting.Ref]meeting.ID
	chat  map[meeting.ID][]meeting.Message
	sent  []meeting.Dispatch
	fault error
}

var _ connectors.Meetings = (*Meetings)(nil)

// Put adds or replaces a meeting.
func (s *Meetings) Put(m meeting.Meeting) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(o meeting.Meeting) bool { return o.ID == m.ID })
	s.all = append(s.all, m)
}

// Break makes every call fail with err; nil ends that.
func (s *Meetings) Break(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = err
}

// ByID is connectors.Meetings.
func (s *Meetings) ByID(_ context.Context, id meeting.ID) (meeting.Meeting, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID(id)
}

func (s *Meetings) byID(id meeting.ID) (meeting.Meeting, error) {
	if s.fault != nil {
		return meeting.Meeting{}, s.fault
	}
	for _, m := range s.all {
		if m.ID == id {
			return m, nil
		}
	}
	return meeting.Meeting{}, fault.New(fault.NotFound, "there is no such meeting")
}

// ByRef is connectors.Meetings.
func (s *Meetings) ByRef(_ context.Context, r meeting.Ref) (meeting.Meeting, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID(s.refs[r])
}

// List is connectors.Meetings; it looks at Filter.State only.
func (s *Meetings) List(_ context.Context, f meeting.Filter) ([]meeting.Meeting, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []meeting.Meeting
	for _, m := range slices.Backward(s.all) {
		if f.State == "" || m.State == f.State {
			out = append(out, m)
		}
	}
	return out, s.fault
}

// Messages is connectors.Meetings.
func (s *Meetings) Messages(_ context.Context, id meeting.ID, after int64) ([]meeting.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []meeting.Message
	for _, msg := range s.chat[id] {
		if msg.Seq > after {
			out = append(out, msg)
		}
	}
	return out, s.fault
}

// AddRef is connectors.Meetings.
func (s *Meetings) AddRef(_ context.Context, id meeting.ID, r meeting.Ref) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.byID(id); err != nil {
		return err
	}
	if owner, taken := s.refs[r]; taken && owner != id {
		return fault.New(fault.Conflict, "this id belongs to another meeting")
	}
	if s.refs == nil {
		s.refs = map[meeting.Ref]meeting.ID{}
	}
	s.refs[r] = id
	return nil
}

// Post is connectors.Meetings.
func (s *Meetings) Post(_ context.Context, id meeting.ID, msg meeting.Message) (meeting.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.byID(id); err != nil {
		return msg, err
	}
	if len(msg.Text) > 4096 || msg.Text == "" {
		return msg, fault.NewInvalid("/text", "must have 1 to 4096 bytes")
	}
	for _, old := range s.chat[id] {
		if msg.Key != "" && old.Key == msg.Key {
			if old.Text != msg.Text {
				return msg, fault.New(fault.KeyReused, "this message key was used with another text")
			}
			return old, nil
		}
	}
	msg.Meeting, msg.Seq = id, int64(len(s.chat[id])+1)
	msg.ID = meeting.MessageID(fmt.Sprintf("msg_%d", msg.Seq))
	if s.chat == nil {
		s.chat = map[meeting.ID][]meeting.Message{}
	}
	s.chat[id] = append(s.chat[id], msg)
	return msg, nil
}

// Start is connectors.Meetings.
func (s *Meetings) Start(_ context.Context, st meeting.Start) (meeting.Meeting, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range st.Refs {
		if id, ok := s.refs[r]; ok {
			m, err := s.byID(id)
			return m, false, err
		}
	}
	n := len(s.all) + 1
	m := meeting.Meeting{
		ID: meeting.ID(fmt.Sprintf("mtg_started%d", n)), Code: "startedcde", State: meeting.Active, Seq: 2,
		Topic: st.Topic, Language: st.Language, Visitor: st.Visitor, Metadata: st.Metadata,
		AgentInvitation: meeting.InvitationID(fmt.Sprintf("inv_agent%d", n)), VisitorInvitation: meeting.InvitationID(fmt.Sprintf("inv_visitor%d", n)),
		Participants: []meeting.Participant{
			{ID: "par_visitor", Role: meeting.Visitor, Name: st.Visitor.Name},
			{ID: "par_agent", Role: meeting.AgentR, Name: st.Agent.Name, Agent: st.Agent.Key},
		},
	}
	if s.fault != nil {
		return m, false, s.fault
	}
	s.all = append(s.all, m)
	for _, r := range st.Refs {
		if s.refs == nil {
			s.refs = map[meeting.Ref]meeting.ID{}
		}
		s.refs[r] = m.ID
	}
	return m, true, nil
}

// End is connectors.Meetings.
func (s *Meetings) End(_ context.Context, id meeting.ID, by meeting.Role) (meeting.Meeting, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.all {
		if m := &s.all[i]; m.ID == id && s.fault == nil {
			m.State, m.Outcome, m.EndedBy = meeting.Ended, meeting.Completed, by
		}
	}
	return s.byID(id)
}

// Invitation is connectors.Meetings; every invitation of a meeting here is good.
func (s *Meetings) Invitation(_ context.Context, id meeting.InvitationID) (meeting.Invitation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.all {
		switch id {
		case m.VisitorInvitation:
			return meeting.Invitation{ID: id, Meeting: m.ID, Role: meeting.Visitor}, s.fault
		case m.AgentInvitation:
			return meeting.Invitation{ID: id, Meeting: m.ID, Role: meeting.AgentR}, s.fault
		}
	}
	return meeting.Invitation{}, fault.New(fault.NotFound, "there is no such link")
}

// Channels is connectors.Meetings: both.
func (s *Meetings) Channels() []string { return []string{meeting.SMS, meeting.Mail} }

// Send is connectors.Meetings; it checks nothing.
func (s *Meetings) Send(_ context.Context, id meeting.ID, d meeting.Dispatch) (meeting.Dispatch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.byID(id); err != nil {
		return d, err
	}
	d.ID, d.Meeting, d.State = meeting.DispatchID(fmt.Sprintf("dsp_%d", len(s.sent)+1)), id, meeting.DispatchQueued
	s.sent = append(s.sent, d)
	return d, nil
}

// Dispatches is connectors.Meetings.
func (s *Meetings) Dispatches(_ context.Context, id meeting.ID) ([]meeting.Dispatch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.sent), func(d meeting.Dispatch) bool { return d.Meeting != id }), s.fault
}

// Dispatched is connectors.Meetings. One that was never sent is noted as well,
// for tests of deliveries alone.
func (s *Meetings) Dispatched(_ context.Context, id meeting.DispatchID, state meeting.DispatchState, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fault != nil {
		return s.fault
	}
	for i := range s.sent {
		if d := &s.sent[i]; d.ID == id {
			d.State, d.Reason = state, reason
			return nil
		}
	}
	s.sent = append(s.sent, meeting.Dispatch{ID: id, State: state, Reason: reason})
	return nil
}

// Dispatch returns what became of a dispatch.
func (s *Meetings) Dispatch(id meeting.DispatchID) meeting.Dispatch {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.sent {
		if d.ID == id {
			return d
		}
	}
	return meeting.Dispatch{}
}

// Links makes addresses that are easy to find in a test.
type Links struct{}

// Agent is connectors.Links.
func (Links) Agent(m meeting.Meeting) string {
	return "https://ringdown.example/ring/" + string(m.ID) + "#" + AgentSecret
}

// Visitor is connectors.Links.
func (Links) Visitor(m meeting.Meeting) string {
	return "https://ringdown.example/m/" + string(m.Code) + "#" + AgentSecret
}

// Seat is connectors.Links.
func (Links) Seat(m meeting.Meeting) string {
	return "https://ringdown.example/room/" + string(m.AgentInvitation) + "#" + AgentSecret
}

// Phone is connectors.Links.
func (Links) Phone(path string, id meeting.PhoneCallID) string {
	return "https://ringdown.example" + path + string(id) + "#" + AgentSecret
}

// PhoneOpens is connectors.Links.
func (Links) PhoneOpens(_ meeting.PhoneCallID, secret string) bool { return secret == AgentSecret }
