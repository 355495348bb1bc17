package connectortest

import (
	"fmt"
	"slices"
	"time"

	"ringdown/meeting"
)

// Start is when everything of Events begins; Deps.Now stands still there.
var Start = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// Personal data in Meeting and Events, and the agents' link secret. None may be
// in a log line or an error.
const (
	Name        = "Mina Rossi-Canary"
	Email       = "mina.canary@example.org"
	Phone       = "+390212345678"
	Text        = "canary text: my card does not work"
	AgentSecret = "canarySecretOfTheLink1"
)

// Canaries returns the texts that must not show.
func Canaries() []string { return []string{Name, Email, Phone, Text, AgentSecret} }

// Meeting is a meeting that rings the desk, in its first round.
func Meeting(desk string) meeting.Meeting {
	m := meeting.Meeting{
		ID: "mtg_01JD7F3K2M", Code: "7f3k2mnpqr", State: meeting.Requested, Site: "shop", Queue: "loans",
		Topic: "A loan", Language: "it",
		Visitor:  meeting.Person{Name: Name, Email: Email, Phone: Phone, ExternalID: "C-881"},
		Fields:   map[string]string{"product": "Mortgage"},
		Metadata: map[string]string{"customer_id": "4411", "segment": "loans"},
		Page:     meeting.Page{URL: "https://shop.example/loans?a=1&b=2", Title: "Loans"},
		Ring: &meeting.Ring{
			Round: 1, Rounds: 2, Window: 30 * time.Second, StartedAt: Start,
			RoundEnds: Start.Add(30 * time.Second), Until: Start.Add(5 * time.Minute),
		},
		Participants:    []meeting.Participant{{ID: "par_1", Role: meeting.Visitor, Name: Name}},
		AgentInvitation: "inv_a", VisitorInvitation: "inv_v",
		CreatedAt: Start.Add(-time.Minute), RequestedAt: Start, Due: Start.Add(30 * time.Second),
	}
	if desk != "" {
		m.Desks = []string{desk}
	}
	return m
}

// Events is a meeting's whole log and the other ends it could have had: every
// kind at least once.
func Events(desk string) []meeting.Event {
	var all []meeting.Event
	m := Meeting(desk)
	add := func(kind meeting.Kind, after time.Duration, change func(*meeting.Event, *meeting.Meeting)) {
		ev := meeting.Event{Kind: kind, Meeting: m.ID, At: Start.Add(after)}
		m.Seq++
		if change != nil {
			change(&ev, &m)
		}
		ev.ID, ev.Seq, ev.Snapshot = meeting.EventID(fmt.Sprintf("evt_%02d", len(all)+1)), m.Seq, m
		if m.Ring != nil {
			ring := *m.Ring
			ev.Snapshot.Ring = &ring
		}
		all = append(all, ev)
	}
	ring := m.Ring
	add(meeting.KindCreated, -time.Minute, func(_ *meeting.Event, m *meeting.Meeting) { m.State, m.Ring = meeting.Planned, nil })
	add(meeting.KindRequested, 0, func(_ *meeting.Event, m *meeting.Meeting) { m.State, m.Ring = meeting.Requested, ring })
	add(meeting.KindRing, 0, nil)
	add(meeting.KindMessage, 5*time.Second, func(ev *meeting.Event, m *meeting.Meeting) {
		ev.Message = &meeting.Message{ID: "msg_1", Meeting: m.ID, Seq: m.Seq, From: "par_1", Role: meeting.Visitor, Name: Name, Text: Text, At: ev.At}
	})
	add(meeting.KindDeclined, 10*time.Second, func(ev *meeting.Event, m *meeting.Meeting) {
		ev.Decline = &meeting.Decline{Agent: meeting.Agent{Key: "a1", Name: "Luca"}, Reason: "busy", At: ev.At}
	})
	add(meeting.KindRing, 30*time.Second, func(_ *meeting.Event, m *meeting.Meeting) {
		m.Ring.Round, m.Ring.RoundEnds = 2, Start.Add(60*time.Second)
	})
	undecided := m
	undecidedRing := *m.Ring
	add(meeting.KindAnswered, 40*time.Second, func(ev *meeting.Event, m *meeting.Meeting) {
		m.State, m.AnsweredAt = meeting.Active, ev.At
		m.Ring.Winner = &meeting.Agent{Key: "a2", Name: "Marie"}
		ev.Participant = "par_2"
	})
	add(meeting.KindJoined, 42*time.Second, func(ev *meeting.Event, _ *meeting.Meeting) { ev.Participant = "par_2" })
	add(meeting.KindMessage, 50*time.Second, func(ev *meeting.Event, m *meeting.Meeting) {
		ev.Message = &meeting.Message{ID: "msg_2", Meeting: m.ID, Seq: m.Seq, Role: meeting.AgentR, Name: "Marie", Via: desk, Text: "I am joining.", At: ev.At}
	})
	call := m
	add(meeting.KindLeft, 290*time.Second, func(ev *meeting.Event, _ *meeting.Meeting) { ev.Participant = "par_1" })
	add(meeting.KindEnded, 292*time.Second, func(ev *meeting.Event, m *meeting.Meeting) {
		m.State, m.Outcome, m.EndedBy, m.EndedAt = meeting.Ended, meeting.Completed, meeting.Visitor, ev.At
	})
	for _, o := range []meeting.Outcome{meeting.Missed, meeting.Cancelled, meeting.Declined, meeting.Expired, meeting.Failed} {
		m = undecided
		ring := undecidedRing
		m.Ring, m.State, m.Outcome, m.EndedAt = &ring, meeting.Ended, o, Start.Add(time.Minute)
		if o == meeting.Missed {
			add(meeting.KindMissed, time.Minute, nil)
		}
		add(meeting.KindEnded, time.Minute, nil)
	}
	m = call
	add(meeting.KindInvited, 100*time.Second, func(ev *meeting.Event, m *meeting.Meeting) {
		ev.Participant = "par_3"
		m.Participants = append(slices.Clone(m.Participants), meeting.Participant{ID: "par_3", Role: meeting.AgentR, Name: "Paul", Invited: true})
	})
	add(meeting.KindDispatched, 105*time.Second, func(ev *meeting.Event, m *meeting.Meeting) {
		ev.Dispatch = &meeting.Dispatch{ID: "dsp_1", Meeting: m.ID, Invitation: m.VisitorInvitation, Channel: meeting.SMS, To: "+33199000001", Language: "fr", State: meeting.DispatchQueued, CreatedAt: ev.At, ChangedAt: ev.At}
	})
	add(meeting.KindNote, 110*time.Second, func(ev *meeting.Event, _ *meeting.Meeting) {
		ev.Note = &meeting.Note{Author: "a2", Name: "Marie", Text: Text, At: ev.At}
	})
	return all
}
