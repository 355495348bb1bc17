package meeting

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"ringdown/fault"
)

// TestC3_every_history_has_one_end drives the state machine through random
// histories and holds each against what must never be broken.
func TestC3_every_history_has_one_end(t *testing.T) {
	const histories = 100_000
	met := map[string]int{}
	for seed := range histories {
		h := newHistory(uint64(seed))
		h.play()
		if err := h.check(); err != nil {
			t.Fatalf("seed %d: %v\n%v", seed, err, h.kinds())
		}
		for what := range h.met {
			met[what]++
		}
	}
	for _, what := range []string{
		"a guest carried on alone", "a guest was lost and came back", "an invitation was not opened", "somebody was taken out",
		"a call was full", "a note after the end", "nobody answered", "an agent's end",
	} {
		if met[what] < histories/1000 {
			t.Errorf("%s in only %d of %d histories", what, met[what], histories)
		}
	}
}

// history is one meeting's life under random acts.
type history struct {
	r      *rand.Rand
	now    time.Time
	m      Meeting
	log    []Event
	wins   int
	faults int
	met    map[string]bool // the rarer things that happened
}

func newHistory(seed uint64) *history {
	h := &history{r: rand.New(rand.NewPCG(seed, 7)), now: time.UnixMilli(1_700_000_000_000).UTC(), met: map[string]bool{}}
	m, ev := create(Meeting{ID: "mtg_1", Code: "abcdefghjk", Participants: []Participant{{ID: "par_v", Role: Visitor}}}, h.now)
	h.take(m, ev)
	return h
}

func (h *history) take(m Meeting, ev []Event) {
	h.m, h.log = m, append(h.log, ev...)
}

func (h *history) play() {
	rule := RingRule{Window: 10 * time.Second, Rounds: 1 + h.r.IntN(3), Wait: 25 * time.Second}
	for range 60 {
		h.now = h.now.Add(time.Duration(h.r.IntN(4000)) * time.Millisecond)
		var ev []Event
		var err error
		m := h.m
		agent := Agent{Key: AgentKey(fmt.Sprint(h.r.IntN(4))), Name: "A"}
		anybody := ParticipantID("par_none")
		if n := h.r.IntN(len(m.Participants) + 1); n < len(m.Participants) {
			anybody = m.Participants[n].ID
		}
		switch h.r.IntN(18) {
		case 0, 1:
			m, ev, err = startRing(m, rule, h.now)
		case 2, 3:
			before := m
			m, ev, err = accept(m, agent, ParticipantID("par_"+string(agent.Key)), h.now)
			if err == nil && len(ev) > 0 {
				h.wins++
				if !h.now.Before(before.Ring.Until) {
					panic("won a stale ring")
				}
			}
		case 4:
			m, ev, err = decline(m, agent, "busy", h.r.IntN(3) == 0, h.now)
		case 5:
			if h.r.IntN(4) == 0 {
				m, ev = leave(m, "par_v", ReasonLeft, h.now)
			}
		case 6:
			m, ev = leave(m, ParticipantID("par_"+string(agent.Key)), ReasonNetwork, h.now)
		case 7, 8:
			m, ev = present(m, []ParticipantID{"par_v", ParticipantID("par_" + string(agent.Key))}, h.now)
		case 9:
			m, ev, err = say(m, Message{ID: "msg", From: "par_v", Role: Visitor, Text: "x"}, h.now)
		case 10:
			h.now = h.now.Add(time.Duration(h.r.IntN(30)) * time.Second)
			m, ev = tick(m, h.now)
		case 11:
			if h.r.IntN(6) == 0 {
				m, ev = endAll(m, AgentR, ReasonEnded, h.now)
			}
		case 12:
			p := Participant{
				ID: ParticipantID(fmt.Sprint("par_g", len(h.log))), Role: [...]Role{Visitor, AgentR}[h.r.IntN(2)], Invited: true,
				InvitedUntil: h.now.Add(time.Duration(1+h.r.IntN(60)) * time.Second),
			}
			m, ev, err = invite(m, p, h.now)
		case 13:
			if p, _ := m.Participant(anybody); p.awaited() {
				h.m = opened(m, anybody)
				continue
			}
		case 14:
			m, ev = present(m, []ParticipantID{anybody}, h.now)
		case 15:
			m, ev = leave(m, anybody, [...]Reason{ReasonLeft, ReasonNetwork, ReasonKicked}[h.r.IntN(3)], h.now)
		case 16:
			m, ev = note(m, Note{Author: agent.Key, Text: "x"}, h.now)
		case 17:
			m, _ = named(m, anybody, "A guest")
		}
		if err != nil {
			h.faults++
			h.note("a call was full", fault.Is(err, fault.MeetingFull))
			continue
		}
		h.take(m, ev)
	}
	for range 20 { // time ends everything
		if h.m.State == Ended {
			return
		}
		h.now = h.m.Due
		m, ev := tick(h.m, h.now)
		h.take(m, ev)
	}
}

func (h *history) kinds() []Kind {
	var all []Kind
	for _, e := range h.log {
		all = append(all, e.Kind)
	}
	return all
}

func (h *history) check() error {
	count := map[Kind]int{}
	rank := map[State]int{Planned: 0, Requested: 1, Active: 2, Ended: 3}
	stage := 0
	for i, e := range h.log {
		count[e.Kind]++
		if e.Seq != int64(i+1) {
			return fmt.Errorf("event %d has seq %d", i+1, e.Seq)
		}
		if e.Snapshot.Seq != e.Seq {
			return fmt.Errorf("event %d shows a snapshot of %d", e.Seq, e.Snapshot.Seq)
		}
		if r := rank[e.Snapshot.State]; r < stage {
			return fmt.Errorf("event %d goes back from stage %d to %d", e.Seq, stage, r)
		} else {
			stage = r
		}
	}
	kinds := h.kinds()
	end := slices.Index(kinds, KindEnded)
	late := slices.DeleteFunc(slices.Clone(kinds[end+1:]), func(k Kind) bool { return k == KindNote })
	switch {
	case h.m.State != Ended:
		return fmt.Errorf("never ended: %s", h.m.State)
	case count[KindEnded] != 1:
		return fmt.Errorf("%d ends", count[KindEnded])
	case len(late) > 0:
		return fmt.Errorf("%s came after the end", late)
	case count[KindAnswered] != h.wins || h.wins > 1:
		return fmt.Errorf("%d winners, %d answered", h.wins, count[KindAnswered])
	case count[KindAnswered] == 1 && h.m.Outcome != Completed && h.m.Outcome != Expired:
		return fmt.Errorf("answered and %s", h.m.Outcome)
	case count[KindAnswered] == 0 && h.m.Outcome == Completed:
		return fmt.Errorf("completed without an answer")
	case count[KindMissed] == 1 != (h.m.Outcome == Missed):
		return fmt.Errorf("%d missed and %s", count[KindMissed], h.m.Outcome)
	case !h.m.Due.IsZero():
		return fmt.Errorf("still due at %s", h.m.Due)
	}
	for _, p := range h.m.Participants {
		if p.Here() {
			return fmt.Errorf("%s is still here", p.ID)
		}
	}
	return h.people()
}

// note keeps that something happened, if it did.
func (h *history) note(what string, did bool) {
	if did {
		h.met[what] = true
	}
}

// people checks who came and went: nobody comes twice without having been lost,
// nobody comes back who left for good, and a call goes on only with somebody on
// either side and never with too many.
func (h *history) people() error {
	inside, left, gone := map[ParticipantID]bool{}, map[ParticipantID]bool{}, map[ParticipantID]bool{}
	for _, e := range h.log {
		p, _ := e.Snapshot.Participant(e.Participant)
		switch e.Kind {
		case KindJoined:
			if inside[p.ID] || gone[p.ID] {
				return fmt.Errorf("event %d: %s came again", e.Seq, p.ID)
			}
			h.note("a guest was lost and came back", left[p.ID])
			inside[p.ID] = true
		case KindLeft:
			if gone[p.ID] || p.Reason == ReasonNetwork && p.Invited && p.JoinedAt.IsZero() {
				return fmt.Errorf("event %d: %s left twice, or before they came", e.Seq, p.ID)
			}
			inside[p.ID], left[p.ID], gone[p.ID] = false, true, p.Gone()
			h.note("an invitation was not opened", p.Reason == ReasonExpired)
			h.note("somebody was taken out", p.Reason == ReasonKicked)
			first, _ := e.Snapshot.Participant("par_v")
			h.note("a guest carried on alone", first.Gone() && e.Snapshot.State == Active)
		case KindInvited:
			if !p.Invited || p.Here() {
				return fmt.Errorf("event %d: %+v was invited", e.Seq, p)
			}
		case KindNote:
			h.note("a note after the end", e.Snapshot.State == Ended)
		case KindEnded:
			h.note("nobody answered", e.Snapshot.Outcome == Missed)
			h.note("an agent's end", e.Snapshot.EndedBy == AgentR)
		default:
		}
		side, people := map[Role]int{}, 0
		for _, q := range e.Snapshot.Participants {
			if q.LeftAt.IsZero() && !q.awaited() {
				side[q.Role]++
			}
			if !q.Gone() {
				people++
			}
		}
		if e.Snapshot.State == Active && (side[Visitor] == 0 || side[AgentR] == 0) {
			return fmt.Errorf("event %d: the call goes on with %v", e.Seq, side)
		}
		if e.Snapshot.State == Active && people > maxPeople {
			return fmt.Errorf("event %d: %d people", e.Seq, people)
		}
	}
	return nil
}

func TestRing(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000).UTC()
	ring := func(t *testing.T) Meeting {
		t.Helper()
		m, _ := create(Meeting{ID: "mtg_1", Code: "abcdefghjk", Participants: []Participant{{ID: "par_v", Role: Visitor}}}, now)
		m, _, err := startRing(m, RingRule{}, now)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	marie, paul := Agent{"a1", "Marie"}, Agent{"a2", "Paul"}

	t.Run("runs in rounds and then is missed", func(t *testing.T) {
		m := ring(t)
		if m.Ring.Until != now.Add(time.Minute) {
			t.Fatalf("the visitor is told to wait until %s", m.Ring.Until.Sub(now))
		}
		if m.Due != now.Add(30*time.Second) || m.Ring.Round != 1 {
			t.Fatalf("due %s in round %d", m.Due, m.Ring.Round)
		}
		m, ev := tick(m, now.Add(30*time.Second))
		if m.Ring.Round != 2 || ev[0].Kind != KindRing {
			t.Fatalf("round %d, %v", m.Ring.Round, ev)
		}
		m, ev = tick(m, now.Add(60*time.Second))
		if m.Outcome != Missed || len(ev) != 2 || ev[0].Kind != KindMissed || ev[1].Kind != KindEnded {
			t.Fatalf("%s, %v", m.Outcome, ev)
		}
	})
	t.Run("tells the second who was first", func(t *testing.T) {
		m, _, err := accept(ring(t), marie, "par_a", now)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = accept(m, paul, "par_b", now)
		if f := fault.Of(err); f.Code != fault.RingTaken || f.Data["taken_by"] != "Marie" {
			t.Fatalf("got %v", err)
		}
		again, ev, err := accept(m, marie, "par_c", now)
		if err != nil || len(ev) != 0 || len(again.Participants) != 2 {
			t.Fatalf("the winner's other tab: %v, %v", ev, err)
		}
	})
	t.Run("is over when it is over", func(t *testing.T) {
		m, _ := leave(ring(t), "par_v", ReasonLeft, now)
		if m.Outcome != Cancelled || m.EndedBy != Visitor {
			t.Fatalf("%s by %s", m.Outcome, m.EndedBy)
		}
		_, _, err := accept(m, marie, "par_a", now)
		if f := fault.Of(err); f.Code != fault.RingOver || f.Data["outcome"] != "cancelled" {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("a decline passes on, or ends", func(t *testing.T) {
		m, _, err := decline(ring(t), marie, "busy", false, now)
		if err != nil || m.State != Requested {
			t.Fatalf("%s, %v", m.State, err)
		}
		m, ev, err := decline(m, marie, "busy", false, now)
		if err != nil || len(ev) != 0 {
			t.Fatalf("twice: %v, %v", ev, err)
		}
		m, _, err = decline(m, paul, "", true, now)
		if err != nil || m.Outcome != Declined {
			t.Fatalf("%s, %v", m.Outcome, err)
		}
	})
	t.Run("never outlasts the visitor's wait", func(t *testing.T) {
		m, _ := create(Meeting{ID: "mtg_1", Code: "abcdefghjk"}, now)
		m, _, _ = startRing(m, RingRule{Window: time.Minute, Rounds: 5, Wait: 90 * time.Second}, now)
		m, _ = tick(m, now.Add(time.Minute))
		if m.Due != now.Add(90*time.Second) {
			t.Fatalf("due %s", m.Due.Sub(now))
		}
		if _, _, err := accept(m, marie, "par_a", now.Add(90*time.Second)); !fault.Is(err, fault.RingOver) {
			t.Fatalf("won a stale ring: %v", err)
		}
	})
}

func TestRedirect(t *testing.T) {
	site := &Site{Redirects: []string{"https://shop.example/thanks", "https://www.shop.example/after/"}}
	for _, tc := range []struct {
		url           string
		listed, bykey bool
	}{
		{"https://shop.example/thanks", true, true},
		{"https://shop.example/thanks/more", false, true},
		{"https://www.shop.example/after/call?x=1", true, true},
		{"https://www.shop.example/after/../evil", false, true},
		{"https://www.shop.example/after/%2e%2e/evil", false, true},
		{"http://www.shop.example/after/x", false, true},
		{"https://www.shop.example.evil.test/after/", false, true},
		{"https://evil.test/https://shop.example/thanks", false, true},
		{"https://user@shop.example/thanks", false, false},
		{"javascript:alert(1)", false, false},
		{"data:text/html,x", false, false},
		{"//evil.test/x", false, false},
		{"/thanks", false, false},
		{"https:evil.test", false, false},
		{"https:\\\\evil.test", false, false},
		{"https://shop.example\\@evil.test/", false, false},
		{"ftp://shop.example/", false, false},
		{"https://", false, false},
		{" https://shop.example/thanks", false, false},
		{"https://shop.example/thanks\n", false, false},
	} {
		if got := CheckRedirect(tc.url, site) == nil; got != tc.listed {
			t.Errorf("%q with a list: %v", tc.url, got)
		}
		if got := CheckRedirect(tc.url, nil) == nil; got != tc.bykey {
			t.Errorf("%q by a key: %v", tc.url, got)
		}
	}
}
