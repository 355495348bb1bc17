package meeting

import (
	"context"
	"errors"
	"time"

	"ringdown/fault"
)

// Start is a meeting that an agent opens: nobody is rung, the agent is in it from
// the first moment, and the visitor comes by the visitor's link.
type Start struct {
	Agent    Agent
	Topic    string
	Language string // "en", "fr" or "it": the visitor's
	Visitor  Person
	Metadata map[string]string
	Refs     []Ref // a ref that exists already gives its meeting, whatever became of it
}

// Start makes an active meeting, or returns the one that a ref of it has (made is
// false then). Its AgentInvitation is the agent's own: whoever redeems it is that
// agent. Nobody is absent before they have come; without anybody the meeting ends
// with its longest time.
func (s *Service) Start(ctx context.Context, st Start) (m Meeting, made bool, err error) {
	if st.Agent.Key == "" {
		return m, false, fault.NewInvalid("/agent", "must name the agent")
	}
	for range casTries {
		now := s.now()
		c := s.draft(Request{
			Topic: st.Topic, Language: st.Language, Visitor: st.Visitor, Metadata: st.Metadata, Refs: st.Refs,
		}, Queue{}, now)
		agent := Participant{ID: ParticipantID(s.newID("par_")), Role: AgentR, Name: st.Agent.Name, Agent: st.Agent.Key}
		var ev []Event
		c.Meeting, ev = started(c.Meeting, agent, now)
		c.Events = append(c.Events, ev...)
		for i := range c.Invitations {
			if inv := &c.Invitations[i]; inv.ID == c.Meeting.AgentInvitation {
				inv.Participant = agent.ID
			}
		}
		if m, made, err = s.insert(ctx, c); !errors.Is(err, ErrTaken) {
			return m, made, err
		}
	}
	return m, false, stored(err)
}

// started gives a new meeting to the agent who opens it.
func started(m Meeting, agent Participant, now time.Time) (Meeting, []Event) {
	s := begin(m, now)
	s.m.State, s.m.AnsweredAt, s.m.Due = Active, now, now.Add(activeFor)
	s.m.Participants = append(s.m.Participants, agent)
	s.log(Event{Kind: KindAnswered, Participant: agent.ID})
	return s.done()
}
