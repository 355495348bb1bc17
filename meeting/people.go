package meeting

import (
	"context"
	"errors"
	"time"

	"ringdown/fault"
)

const (
	maxPeople  = 4  // in one meeting at a time; who was asked in holds a place
	maxInvited = 50 // further people over a meeting's life
	inviteFor  = 15 * time.Minute
)

// Invite is whom to ask into a meeting that is under way.
type Invite struct {
	Role Role          // Visitor or AgentR
	Name string        // may be empty; they are asked for one then
	For  time.Duration // in which the link must be opened; 0: 15 min
}

// invite gives a place to a further person.
func invite(m Meeting, p Participant, now time.Time) (Meeting, []Event, error) {
	switch m.State {
	case Ended:
		return m, nil, overFault(m)
	case Active:
	case Planned, Requested:
		return m, nil, fault.New(fault.Conflict, "nobody took the call yet")
	}
	taken, invited := 0, 0
	for _, q := range m.Participants {
		if !q.Gone() { // who got lost may come back
			taken++
		}
		if q.Invited {
			invited++
		}
	}
	if taken >= maxPeople {
		return m, nil, fault.New(fault.MeetingFull, "%d of %d places are taken; somebody must leave or an invitation be withdrawn", taken, maxPeople)
	}
	if invited >= maxInvited || m.Seq > maxEvents {
		return m, nil, fault.New(fault.TooMany, "this meeting takes no more invitations")
	}
	s := begin(m, now)
	s.m.Participants = append(s.m.Participants, p)
	s.m.Due = s.m.activeDue()
	s.log(Event{Kind: KindInvited, Participant: p.ID})
	m, ev := s.done()
	return m, ev, nil
}

// opened keeps the place of an invited person until the end: they are coming.
func opened(m Meeting, id ParticipantID) Meeting {
	m = m.clone()
	for i := range m.Participants {
		if m.Participants[i].ID == id {
			m.Participants[i].InvitedUntil = time.Time{}
		}
	}
	if m.State == Active {
		m.Due = m.activeDue()
	}
	return m
}

// unclaimed frees the places of people who did not open their link in time.
func (s *step) unclaimed() {
	for i := range s.m.Participants {
		if p := &s.m.Participants[i]; p.awaited() && !p.InvitedUntil.IsZero() && !s.now.Before(p.InvitedUntil) {
			p.LeftAt, p.Reason = s.now, ReasonExpired
			s.log(Event{Kind: KindLeft, Participant: p.ID})
		}
	}
	s.m.Due = s.m.activeDue()
}

// activeDue is when something happens to an active meeting by itself.
func (m Meeting) activeDue() time.Time {
	due := m.AnsweredAt.Add(activeFor)
	for _, p := range m.Participants {
		if p.awaited() && !p.InvitedUntil.IsZero() && p.InvitedUntil.Before(due) {
			due = p.InvitedUntil
		}
	}
	return due
}

// named fills the empty name of a participant.
func named(m Meeting, id ParticipantID, name string) (_ Meeting, changed bool) {
	m = m.clone()
	for i := range m.Participants {
		if p := &m.Participants[i]; p.ID == id && p.Name == "" {
			p.Name, changed = name, true
		}
	}
	if changed && m.TheVisitor().ID == id && m.Visitor.Name == "" {
		m.Visitor.Name = name
	}
	return m, changed
}

// Invite asks a further person into an active meeting, and gives them a place:
// fault MeetingFull if there is none. Their link must be opened in time, and
// ends with the meeting.
func (s *Service) Invite(ctx context.Context, id ID, in Invite) (Meeting, Invitation, error) {
	if in.For == 0 {
		in.For = inviteFor
	}
	inv := Invitation{ID: InvitationID(s.newID("inv_")), Meeting: id, Role: in.Role, Participant: ParticipantID(s.newID("par_"))}
	m, err := s.changeWith(ctx, id, func(m Meeting, now time.Time) (Change, error) {
		inv.CreatedAt, inv.ExpiresAt = now, now.Add(in.For)
		p := Participant{ID: inv.Participant, Role: in.Role, Name: in.Name, Invited: true, InvitedUntil: inv.ExpiresAt}
		if in.Role == AgentR {
			p.Agent = AgentKey(inv.ID)
		}
		m, ev, err := invite(m, p, now)
		return Change{Meeting: m, Events: ev, Invitations: []Invitation{inv}}, err
	})
	return m, inv, err
}

// Invitations returns the further people's invitations of a meeting, the first
// one first.
func (s *Service) Invitations(ctx context.Context, id ID) ([]Invitation, error) {
	all, err := s.store.Invitations(ctx, id)
	if err != nil {
		return nil, stored(err)
	}
	m, err := s.ByID(ctx, id)
	further := all[:0]
	for _, inv := range all {
		if inv.ofFurther(m) {
			further = append(further, inv)
		}
	}
	return further, err
}

// Revoke withdraws a further person's invitation; if they are in the meeting they
// are taken out. Doing it twice is harmless.
func (s *Service) Revoke(ctx context.Context, id ID, inv InvitationID) (Meeting, error) {
	m, err := s.changeWith(ctx, id, func(m Meeting, now time.Time) (Change, error) {
		i, err := s.store.Invitation(ctx, inv)
		if err == nil && (i.Meeting != id || !i.ofFurther(m)) {
			err = ErrNoRow
		}
		if err != nil || !i.RevokedAt.IsZero() {
			return Change{Meeting: m}, stored(err)
		}
		i.RevokedAt = now
		m, ev := leave(m, i.Participant, ReasonKicked, now)
		return Change{Meeting: m, Events: ev, Invitations: []Invitation{i}}, nil
	})
	if err != nil {
		return m, err
	}
	for _, p := range m.Participants {
		if p.Reason == ReasonKicked {
			err = errors.Join(err, stored(s.store.Forget(ctx, id, p.ID)))
		}
	}
	return m, err
}

// Name fills the empty name of a participant; one that is there stays. It is no
// event: everybody reads the name with the next one.
func (s *Service) Name(ctx context.Context, id ID, p ParticipantID, name string) (Meeting, error) {
	return s.changeWith(ctx, id, func(m Meeting, _ time.Time) (Change, error) {
		m, changed := named(m, p, name)
		return Change{Meeting: m, silent: changed}, nil
	})
}
