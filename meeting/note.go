package meeting

import (
	"context"
	"time"

	"ringdown/fault"
)

// NoteLimit is the longest note, in bytes.
const NoteLimit = 8 << 10

// Notes returns what the agents wrote down, sorted by when it was last saved.
// They are for agents and for holders of an API key, never for a visitor.
func (s *Service) Notes(ctx context.Context, id ID) ([]Note, error) {
	ns, err := s.store.Notes(ctx, id)
	return ns, stored(err)
}

// SaveNote keeps the author's note in place of their last one; At is filled
// here. An empty text takes it back, the same text again changes nothing. It is
// possible after the end too.
func (s *Service) SaveNote(ctx context.Context, id ID, n Note) error {
	if len(n.Text) > NoteLimit {
		return fault.NewInvalid("/text", "must be at most %d bytes", NoteLimit)
	}
	_, err := s.changeWith(ctx, id, func(m Meeting, now time.Time) (Change, error) {
		kept, err := s.store.Notes(ctx, id)
		if err != nil {
			return Change{Meeting: m}, stored(err)
		}
		old := ""
		for _, k := range kept {
			if k.Author == n.Author {
				old = k.Text
			}
		}
		if old == n.Text {
			return Change{Meeting: m}, nil
		}
		if m.Seq > maxEvents {
			return Change{Meeting: m}, fault.New(fault.TooMany, "this meeting takes no more notes")
		}
		n.At = now
		m, ev := note(m, n, now)
		return Change{Meeting: m, Events: ev, Notes: []Note{n}}, nil
	})
	return err
}

// note logs that a note was saved.
func note(m Meeting, n Note, now time.Time) (Meeting, []Event) {
	s := begin(m, now)
	by, _ := m.agent(n.Author)
	s.log(Event{Kind: KindNote, Participant: by.ID, Note: &n})
	return s.done()
}

// agent returns the participant with the agent's key, and whether there is one.
func (m Meeting) agent(key AgentKey) (Participant, bool) {
	for _, p := range m.Participants {
		if p.Role == AgentR && p.Agent == key {
			return p, true
		}
	}
	return Participant{}, false
}
