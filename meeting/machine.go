package meeting

import (
	"time"

	"ringdown/fault"
)

// The state machine. Every function here is pure: it takes a meeting and the
// time, and returns the meeting after and what happened, or a fault.Error and
// no change. now is UTC in whole milliseconds.

const (
	plannedFor = 15 * time.Minute // a planned meeting nobody rings
	activeFor  = 12 * time.Hour   // the longest call
)

// step collects the events of one change.
type step struct {
	m      Meeting
	now    time.Time
	events []Event
}

func begin(m Meeting, now time.Time) *step { return &step{m: m.clone(), now: now} }

// log appends an event; its snapshot is filled by done, so that all events of a
// step show the meeting as it was committed.
func (s *step) log(e Event) {
	s.m.Seq++
	e.Meeting, e.Seq, e.At = s.m.ID, s.m.Seq, s.now
	s.events = append(s.events, e)
}

func (s *step) done() (Meeting, []Event) {
	for i := range s.events {
		s.events[i].Snapshot = s.m.clone()
		s.events[i].Snapshot.Seq = s.events[i].Seq
	}
	return s.m, s.events
}

// create is the first step of a meeting.
func create(m Meeting, now time.Time) (Meeting, []Event) {
	m.State, m.CreatedAt, m.Due = Planned, now, now.Add(plannedFor)
	s := begin(m, now)
	s.log(Event{Kind: KindCreated})
	return s.done()
}

// startRing asks the queue. Asking again while it rings, or later, changes nothing.
func startRing(m Meeting, rule RingRule, now time.Time) (Meeting, []Event, error) {
	switch m.State {
	case Planned:
	case Ended:
		return m, nil, overFault(m)
	default:
		return m, nil, nil
	}
	rule = rule.withDefaults()
	s := begin(m, now)
	s.m.State, s.m.RequestedAt = Requested, now
	s.m.Ring = &Ring{Rounds: rule.Rounds, Window: rule.Window, StartedAt: now, Until: now.Add(min(rule.Wait, time.Duration(rule.Rounds)*rule.Window))}
	s.log(Event{Kind: KindRequested})
	s.round()
	m, ev := s.done()
	return m, ev, nil
}

// round starts the next round of the ring.
func (s *step) round() {
	r := s.m.Ring
	r.Round++
	r.RoundEnds = s.now.Add(r.Window)
	if r.RoundEnds.After(r.Until) {
		r.RoundEnds = r.Until
	}
	s.m.Due = r.RoundEnds
	s.log(Event{Kind: KindRing})
}

// accept gives the meeting to one agent. The winner may repeat it; everybody
// else learns who won.
func accept(m Meeting, a Agent, newID ParticipantID, now time.Time) (Meeting, []Event, error) {
	if m.Ring != nil && m.Ring.Winner != nil {
		if m.Ring.Winner.Key == a.Key && m.State == Active {
			return m, nil, nil
		}
		if m.State == Ended && m.Ring.Winner.Key == a.Key {
			return m, nil, overFault(m)
		}
		return m, nil, fault.New(fault.RingTaken, "%s took the call", m.Ring.Winner.Name).With("taken_by", m.Ring.Winner.Name)
	}
	switch m.State {
	case Planned:
		return m, nil, fault.New(fault.Conflict, "the visitor is not calling yet")
	case Ended:
		return m, nil, overFault(m)
	case Requested, Active: // a round may still run
	}
	if !now.Before(m.Ring.Until) {
		return m, nil, fault.New(fault.RingOver, "nobody answered in time").With("outcome", string(Missed))
	}
	s := begin(m, now)
	s.m.Ring.Winner = &a
	s.m.State, s.m.AnsweredAt, s.m.Due = Active, now, now.Add(activeFor)
	s.m.Participants = append(s.m.Participants, Participant{ID: newID, Role: AgentR, Name: a.Name, Agent: a.Key})
	s.log(Event{Kind: KindAnswered, Participant: newID})
	m, ev := s.done()
	return m, ev, nil
}

// decline notes one agent's refusal; with end it is the queue's.
func decline(m Meeting, a Agent, reason string, end bool, now time.Time) (Meeting, []Event, error) {
	if m.State == Ended {
		return m, nil, overFault(m)
	}
	if m.Ring == nil {
		return m, nil, fault.New(fault.Conflict, "the visitor is not calling yet")
	}
	if m.Ring.Winner != nil {
		return m, nil, fault.New(fault.RingTaken, "%s took the call", m.Ring.Winner.Name).With("taken_by", m.Ring.Winner.Name)
	}
	for _, d := range m.Ring.Declines {
		if d.Agent.Key == a.Key {
			return m, nil, nil
		}
	}
	s := begin(m, now)
	d := Decline{Agent: a, Reason: reason, At: now}
	s.m.Ring.Declines = append(s.m.Ring.Declines, d)
	s.log(Event{Kind: KindDeclined, Decline: &d})
	if end {
		s.end(Declined, AgentR, ReasonDeclined)
	}
	m, ev := s.done()
	return m, ev, nil
}

// end closes the meeting, whatever its state; everybody who is here leaves.
func (s *step) end(o Outcome, by Role, why Reason) {
	s.m.State, s.m.Outcome, s.m.EndedBy, s.m.Reason = Ended, o, by, why
	s.m.EndedAt, s.m.Due = s.now, time.Time{}
	for i := range s.m.Participants {
		if p := &s.m.Participants[i]; p.Here() {
			p.LeftAt, p.Reason = s.now, ReasonEnded
		}
	}
	if o == Missed {
		s.log(Event{Kind: KindMissed})
	}
	s.log(Event{Kind: KindEnded})
}

// endAll is somebody's wish to end it for everybody. The outcome follows from
// the state. Ending what has ended changes nothing.
func endAll(m Meeting, by Role, why Reason, now time.Time) (Meeting, []Event) {
	if m.State == Ended {
		return m, nil
	}
	o := Completed
	if m.State != Active {
		o = Cancelled
	}
	s := begin(m, now)
	s.end(o, by, why)
	return s.done()
}

// leave takes one participant out. With no visitor or no agent left the meeting
// is over; before an answer a visitor who goes has cancelled. People who were
// asked in and have not come do not count, and cannot get lost in the network.
func leave(m Meeting, id ParticipantID, why Reason, now time.Time) (Meeting, []Event) {
	p, ok := m.Participant(id)
	if !ok || m.State == Ended || p.Gone() || why == ReasonNetwork && (!p.LeftAt.IsZero() || p.awaited()) {
		return m, nil
	}
	if m.State != Active {
		if p.Role != Visitor {
			return m, nil
		}
		return endAll(m, Visitor, why, now)
	}
	s := begin(m, now)
	others := 0
	for i := range s.m.Participants {
		q := &s.m.Participants[i]
		if q.ID == id && !q.LeftAt.IsZero() { // they were lost; now they are gone
			q.Reason = why
			return s.done()
		} else if q.ID == id {
			q.LeftAt, q.Reason = now, why
			s.log(Event{Kind: KindLeft, Participant: id})
		} else if q.Role == p.Role && q.LeftAt.IsZero() && !q.awaited() {
			others++
		}
	}
	if others == 0 && !p.awaited() && (p.Role == Visitor || p.Role == AgentR) {
		s.end(Completed, p.Role, why)
	} else {
		s.m.Due = s.m.activeDue()
	}
	return s.done()
}

// present notes who is in the room now; nobody leaves by not being listed, and
// nobody who has left for good comes back by it.
func present(m Meeting, here []ParticipantID, now time.Time) (Meeting, []Event) {
	if m.State != Active {
		return m, nil
	}
	s := begin(m, now)
	for _, id := range here {
		for i := range s.m.Participants {
			if q := &s.m.Participants[i]; q.ID == id && !q.Here() && !q.Gone() {
				q.JoinedAt, q.LeftAt, q.Reason = now, time.Time{}, ""
				s.log(Event{Kind: KindJoined, Participant: id})
			}
		}
	}
	s.m.Due = s.m.activeDue()
	return s.done()
}

// tick lets time pass: rounds end, waits end, forgotten meetings end.
func tick(m Meeting, now time.Time) (Meeting, []Event) {
	if m.State == Ended || now.Before(m.Due) {
		return m, nil
	}
	s := begin(m, now)
	switch m.State {
	case Planned:
		s.end(Expired, "", ReasonExpired)
	case Requested:
		if r := s.m.Ring; r.Round < r.Rounds && now.Before(r.Until) {
			s.round()
		} else {
			s.end(Missed, "", ReasonNoAnswer)
		}
	case Active:
		if now.Before(m.AnsweredAt.Add(activeFor)) {
			s.unclaimed()
		} else {
			s.end(Expired, "", ReasonExpired)
		}
	case Ended: // nothing is left to happen
	}
	return s.done()
}

// say appends a chat message. A meeting that has ended takes none, except what
// a desk still sends: that is kept for the record.
func say(m Meeting, msg Message, now time.Time) (Meeting, []Event, error) {
	if m.State == Ended && msg.Via == "" {
		return m, nil, overFault(m)
	}
	if m.Left(msg.From) { // perhaps while a file was on its way
		return m, nil, leftFault()
	}
	s := begin(m, now)
	if msg.File != nil {
		if err := m.TakesFile(msg.File.Size); err != nil {
			return m, nil, err
		}
		s.m.Files++
		s.m.FileBytes += msg.File.Size
	}
	msg.Meeting, msg.At, msg.Seq = m.ID, now, m.Seq+1
	s.log(Event{Kind: KindMessage, Participant: msg.From, Message: &msg})
	m, ev := s.done()
	return m, ev, nil
}

// leftFault is the answer to whoever acts in a call that they have left.
func leftFault() error { return fault.New(fault.Conflict, "you have left this call") }

// overFault is the answer to whoever comes after the end.
func overFault(m Meeting) error {
	gaveUp := "the call was ended before an answer"
	if m.EndedBy == Visitor {
		gaveUp = "the visitor gave up"
	}
	words := map[Outcome]string{
		Completed: "this call is over", Missed: "nobody answered in time", Cancelled: gaveUp,
		Declined: "the call was declined", Expired: "the call was not used in time", Failed: "the call failed",
	}
	if m.AnsweredAt.IsZero() {
		return fault.New(fault.RingOver, "%s", words[m.Outcome]).With("outcome", string(m.Outcome))
	}
	return fault.New(fault.MeetingEnded, "%s", words[m.Outcome]).With("outcome", string(m.Outcome))
}
