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

// Links makes addresses that are easy to find in a test.
type Links struct{}

// Agent is connectors.Links.
func (Links) Agent(m meeting.Meeting) string {
	return "https://ringdown.example/ring/" + string(m.ID) + "#" + AgentSecret
}
