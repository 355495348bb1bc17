package app_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"ringdown/fault"
	"ringdown/internal/leak"
	"ringdown/media/signal/signaltest"
	"ringdown/meeting"
)

// enter joins the room of the person's meeting.
func (p person) enter(ctx context.Context, t *testing.T, body any) (*signaltest.Client, string) {
	t.Helper()
	room := p.must("POST", "/join", body)
	c, err := signaltest.Dial(ctx, "ws"+strings.TrimPrefix(p.h.url, "http")+room.text("signal_url"), room.text("token"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, room.text("participant")
}

// states are the states of the meeting's invitations, in order.
func (p person) states() string {
	p.h.t.Helper()
	list, _ := p.must("GET", "/invitations", nil).get("invitations").([]any)
	var all []string
	for _, i := range list {
		i, _ := i.(map[string]any)
		all = append(all, fmt.Sprint(i["state"]))
	}
	return strings.Join(all, " ")
}

func (h *house) call(visitor string) (made answer, v, a person) {
	h.t.Helper()
	made = h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{"ring": "now", "redirect_url": "https://shop.example/thanks", "visitor": map[string]any{"name": visitor}})
	v, a = h.redeem(made.text("links.visitor"), ""), h.redeem(made.text("links.agent"), "device-of-marie-1234")
	a.must("POST", "/accept", map[string]string{"name": "Marie"})
	return made, v, a
}

// redeems tries a link and returns the answer.
func (h *house) redeems(link string) answer {
	h.t.Helper()
	path, secret, _ := strings.Cut(link, "#")
	return h.do("POST", "/v1/links/redeem", nil, map[string]string{"id": path[strings.LastIndex(path, "/")+1:], "secret": secret})
}

// TestFurtherPeople goes the way of a guest and of a colleague who are asked in.
func TestFurtherPeople(t *testing.T) {
	leak.Check(t)
	onBoth(t, func(t *testing.T, h *house) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		made, visitor, marie := h.call("Anna")
		id := made.text("id")
		if a := visitor.do("POST", "/invitations", map[string]string{"role": "visitor"}); a.status != 403 {
			t.Fatalf("a visitor asks somebody in: %s", a)
		}
		guestLink := marie.must("POST", "/invitations", map[string]string{"role": "visitor"})
		colleague := h.must(201, "POST", "/v1/meetings/"+id+"/invitations", bearer(h.key), map[string]any{"role": "agent", "name": "Claire", "expires_in_seconds": 60})
		if l := guestLink.text("link"); !strings.HasPrefix(l, h.url+"/m/inv_") {
			t.Fatal(l)
		}
		if l := colleague.text("link"); !strings.HasPrefix(l, h.url+"/room/inv_") {
			t.Fatal(l)
		}
		if csp := h.do("GET", strings.Split(guestLink.text("link"), "#")[0], nil, nil).header.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "frame-ancestors 'none'") {
			t.Errorf("a guest's page may be framed: %s", csp)
		}
		if a := marie.do("POST", "/invitations", map[string]string{"role": "visitor"}); a.status != 409 || a.text("code") != "meeting_full" {
			t.Fatalf("a fifth person: %s", a)
		}
		if got := marie.states(); got != "created created" {
			t.Fatal(got)
		}

		guest, claire := h.redeem(guestLink.text("link"), ""), h.redeem(colleague.text("link"), "")
		me := guest.must("GET", "", nil)
		if me.text("you.role") != "visitor" || me.text("you.participant") != guestLink.text("participant") || me.get("visitor") != nil || me.text("redirect_url") != "" {
			t.Fatalf("the guest reads %s", me)
		}
		if me := claire.must("GET", "", nil); me.text("you.role") != "agent" || me.text("you.participant") != colleague.text("participant") || me.text("visitor.name") != "Anna" {
			t.Fatalf("the colleague reads %s", me)
		}
		if got := marie.states(); got != "opened opened" {
			t.Fatal(got)
		}

		if a := guest.do("POST", "/join", map[string]string{"name": "a\u202eb"}); a.status != 422 {
			t.Fatal(a)
		}
		_, vid := visitor.enter(ctx, t, "{}")
		_, aid := marie.enter(ctx, t, "{}")
		gc, gid := guest.enter(ctx, t, map[string]string{"name": " Bruno "})
		cc, cid := claire.enter(ctx, t, map[string]string{"name": "Somebody else"})
		for pid, role := range map[string]string{vid: "visitor", aid: "agent", gid: "visitor", cid: "agent"} {
			h.eventually("everybody is in the room with their role", func() bool {
				list, _ := marie.must("GET", "", nil).get("participants").([]any)
				for _, p := range list {
					if p, _ := p.(map[string]any); p["id"] == pid {
						return p["here"] == true && p["role"] == role
					}
				}
				return false
			})
		}
		exchange(ctx, t, gc, gid, cc, cid)
		if got := marie.states(); got != "joined joined" {
			t.Fatal(got)
		}
		names := marie.must("GET", "", nil).String()
		if !strings.Contains(names, `"name":"Bruno"`) || !strings.Contains(names, `"name":"Claire"`) || strings.Contains(names, "Somebody else") {
			t.Fatal(names)
		}
		if msg := guest.must("POST", "/messages", map[string]string{"text": "Hello"}); msg.text("name") != "Bruno" || msg.text("role") != "visitor" {
			t.Fatal(msg)
		}
		claire.must("POST", "/messages", map[string]string{"text": "Good morning"})
		if list, _ := claire.must("GET", "/messages", nil).get("messages").([]any); len(list) != 2 {
			t.Fatal(list)
		}

		// The first visitor goes: the guest carries on.
		visitor.must("POST", "/leave", nil)
		if a := marie.must("GET", "", nil); a.text("state") != "active" {
			t.Fatal(a)
		}
		if a := visitor.do("POST", "/join", "{}"); a.status != 409 {
			t.Fatalf("who has left comes back: %s", a)
		}
		// Marie goes: Claire carries on.
		marie.must("POST", "/leave", nil)
		if a := claire.must("GET", "", nil); a.text("state") != "active" {
			t.Fatal(a)
		}
		if a := marie.do("POST", "/invitations", map[string]string{"role": "visitor"}); a.status != 409 {
			t.Fatalf("an agent who has left asks somebody in: %s", a)
		}
		// A third guest is asked in and never comes; Claire takes Bruno out, and nobody is left to talk to.
		claire.must("POST", "/invitations", map[string]string{"role": "visitor", "name": "Dora"})
		page := h.follow(t, hello(guest.token))
		page.until("the meeting", func(m told) bool { return m.Type == "meeting" })
		claire.must("DELETE", "/invitations/"+guestLink.text("id"), nil)
		page.until("the guest's page is told", func(m told) bool { return m.Type == "bye" && m.Reason == "kicked" })
		if bye, err := gc.Wait(ctx, func(m signaltest.Message) bool { return m.Type == "bye" }); err != nil || bye.Reason != "ended" {
			t.Fatalf("%+v, %v", bye, err) // the room of an ended call is closed as a whole
		}
		for _, path := range []string{"", "/messages"} {
			if a := guest.do("GET", path, nil); a.status != 410 || a.text("code") != "link_revoked" {
				t.Fatalf("%q after being taken out: %s", path, a)
			}
		}
		if a := h.redeems(guestLink.text("link")); a.text("code") != "link_revoked" {
			t.Fatal(a)
		}
		if a := claire.must("GET", "", nil); a.text("outcome") != "completed" || a.text("ended_by") != "visitor" || a.text("reason") != "kicked" {
			t.Fatal(a)
		}
		if got := claire.states(); got != "revoked joined expired" {
			t.Fatal(got)
		}
		kinds := h.kinds(id)
		if count(kinds, "participant.invited") != 3 || count(kinds, "participant.joined") != 4 || count(kinds, "participant.left") != 3 || kinds[len(kinds)-1] != "meeting.ended" {
			t.Fatal(kinds)
		}
		for _, canary := range []string{"Bruno", "Claire", "Dora", strings.Split(guestLink.text("link"), "#")[1], "Good morning"} {
			if strings.Contains(h.log.String(), canary) {
				t.Errorf("%q is in the log", canary)
			}
		}
	})
}

func TestInvitationsOverTheDoor(t *testing.T) {
	leak.Check(t)
	onBoth(t, func(t *testing.T, h *house) {
		t.Run("an expected guest keeps no call alive", func(t *testing.T) {
			_, visitor, marie := h.call("Anna")
			link := marie.must("POST", "/invitations", map[string]string{"role": "visitor"}).text("link")
			guest := h.redeem(link, "")
			unopened := marie.must("POST", "/invitations", map[string]string{"role": "agent"}).text("link")
			visitor.must("POST", "/leave", nil)
			if a := marie.must("GET", "", nil); a.text("outcome") != "completed" || a.text("ended_by") != "visitor" {
				t.Fatal(a)
			}
			if a := guest.do("POST", "/join", "{}"); a.text("code") != "meeting_ended" {
				t.Fatal(a)
			}
			for _, l := range []string{link, unopened} {
				if a := h.redeems(l); a.text("code") != "meeting_ended" {
					t.Fatal(a)
				}
			}
			if got := marie.states(); got != "expired expired" {
				t.Fatal(got)
			}
			if a := marie.do("POST", "/invitations", map[string]string{"role": "visitor"}); a.text("code") != "meeting_ended" {
				t.Fatal(a)
			}
		})
		t.Run("nobody is asked into a call that nobody took", func(t *testing.T) {
			made := h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{"ring": "now"})
			if a := h.do("POST", "/v1/meetings/"+made.text("id")+"/invitations", bearer(h.key), map[string]string{"role": "agent"}); a.status != 409 {
				t.Fatal(a)
			}
		})
		t.Run("a withdrawn place is free, and a link opens only its own meeting", func(t *testing.T) {
			_, _, marie := h.call("Anna")
			_, _, other := h.call("Berta")
			var ids []string
			for range 2 {
				ids = append(ids, marie.must("POST", "/invitations", map[string]string{"role": "visitor"}).text("id"))
			}
			if a := other.do("DELETE", "/invitations/"+ids[0], nil); a.status != 404 {
				t.Fatalf("another meeting's invitation: %s", a)
			}
			marie.must("DELETE", "/invitations/"+ids[0], nil)
			marie.must("DELETE", "/invitations/"+ids[0], nil)
			marie.must("POST", "/invitations", map[string]string{"role": "visitor"})
			if got := marie.states(); got != "revoked created created" {
				t.Fatal(got)
			}
		})
		t.Run("a colleague may end it for everybody", func(t *testing.T) {
			_, _, marie := h.call("Anna")
			claire := h.redeem(marie.must("POST", "/invitations", map[string]string{"role": "agent", "name": "Claire"}).text("link"), "")
			if a := claire.must("POST", "/end", nil); a.text("ended_by") != "agent" {
				t.Fatal(a)
			}
		})
		t.Run("who is taken out leaves the room, and the others stay", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, visitor, marie := h.call("Anna")
			asked := marie.must("POST", "/invitations", map[string]string{"role": "visitor"})
			guest := h.redeem(asked.text("link"), "")
			_, vid := visitor.enter(ctx, t, "{}")
			room, _ := guest.enter(ctx, t, `{"name":"Bruno"}`)
			h.eventually("the guest is here", func() bool { return marie.states() == "joined" })
			marie.must("DELETE", "/invitations/"+asked.text("id"), nil)
			if bye, err := room.Wait(ctx, func(m signaltest.Message) bool { return m.Type == "bye" }); err != nil || bye.Reason != "kicked" {
				t.Fatalf("%+v, %v", bye, err)
			}
			got := marie.must("GET", "", nil)
			if list, _ := got.get("participants").([]any); got.text("state") != "active" || len(list) != 3 || !strings.Contains(got.String(), `"reason":"kicked"`) {
				t.Fatal(got)
			}
			h.eventually("the visitor is still here", func() bool {
				return strings.Contains(visitor.must("GET", "", nil).String(), `"id":"`+vid+`","role":"visitor","name":"Anna","here":true`)
			})
		})
		t.Run("who was asked in may decline", func(t *testing.T) {
			_, _, marie := h.call("Anna")
			guest := h.redeem(marie.must("POST", "/invitations", map[string]string{"role": "visitor"}).text("link"), "")
			guest.must("POST", "/leave", nil)
			if a := marie.must("GET", "", nil); a.text("state") != "active" {
				t.Fatal(a)
			}
			if a := guest.do("POST", "/join", "{}"); a.status != 409 {
				t.Fatal(a)
			}
		})
	})
}

// TestInvitationTimes holds what time does to invitations.
func TestInvitationTimes(t *testing.T) {
	leak.Check(t)
	active := func(t *testing.T, s *meeting.Service) meeting.Meeting {
		t.Helper()
		m := request(t, s, true)
		m, err := s.Accept(t.Context(), m.ID, meeting.Agent{Key: "a", Name: "Marie"})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	invite := func(t *testing.T, s *meeting.Service, m meeting.Meeting, d time.Duration) meeting.Invitation {
		t.Helper()
		_, inv, err := s.Invite(t.Context(), m.ID, meeting.Invite{Role: meeting.Visitor, For: d})
		if err != nil {
			t.Fatal(err)
		}
		return inv
	}
	// stay lets time pass while visitor and agent are seen.
	stay := func(t *testing.T, s *meeting.Service, m meeting.Meeting, d time.Duration) meeting.Meeting {
		t.Helper()
		for ; d > 0; d -= 30 * time.Second {
			if err := s.Seen(t.Context(), m, m.Participants[0].ID, m.Participants[1].ID); err != nil {
				t.Fatal(err)
			}
			m = after(t, s, m.ID, min(d, 30*time.Second))
		}
		return m
	}
	state := func(t *testing.T, s *meeting.Service, m meeting.Meeting, id meeting.InvitationID) meeting.InvitationState {
		t.Helper()
		inv, err := s.Invitation(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return inv.State(m, time.Now())
	}
	t.Run("a link nobody opens gives its place back after 15 min", func(t *testing.T) {
		clockwork(t, func(t *testing.T, s *meeting.Service) {
			m := active(t, s)
			inv, second := invite(t, s, m, 0), invite(t, s, m, time.Hour)
			if _, _, err := s.Invite(t.Context(), m.ID, meeting.Invite{Role: meeting.AgentR}); !fault.Is(err, fault.MeetingFull) {
				t.Fatal(err)
			}
			if m = stay(t, s, m, 15*time.Minute-time.Second); state(t, s, m, inv.ID) != meeting.InvitationCreated {
				t.Fatal("too early")
			}
			m = stay(t, s, m, 1500*time.Millisecond)
			if p, _ := m.Participant(inv.Participant); state(t, s, m, inv.ID) != meeting.InvitationExpired || p.Reason != meeting.ReasonExpired {
				t.Fatalf("%+v", p)
			}
			if err := s.Opened(t.Context(), inv); !fault.Is(err, fault.LinkExpired) {
				t.Fatalf("opened too late: %v", err)
			}
			invite(t, s, m, 0) // there is a place again
			if m.State != meeting.Active || state(t, s, m, second.ID) != meeting.InvitationCreated {
				t.Fatal(m.State)
			}
		})
	})
	t.Run("once opened it is good until the end, also for a page that was away", func(t *testing.T) {
		clockwork(t, func(t *testing.T, s *meeting.Service) {
			m := active(t, s)
			inv := invite(t, s, m, time.Minute)
			m = stay(t, s, m, 50*time.Second)
			if err := s.Opened(t.Context(), inv); err != nil {
				t.Fatal(err)
			}
			if err := s.Seen(t.Context(), m, inv.Participant); err != nil { // looks at the camera, and closes the page
				t.Fatal(err)
			}
			if m = stay(t, s, m, 30*time.Minute); state(t, s, m, inv.ID) != meeting.InvitationOpened {
				t.Fatal(state(t, s, m, inv.ID))
			}
			m, err := s.Present(t.Context(), m.ID, []meeting.ParticipantID{inv.Participant})
			if err != nil {
				t.Fatal(err)
			}
			if p, _ := m.Participant(inv.Participant); !p.Here() {
				t.Fatalf("%+v", p)
			}
		})
	})
	t.Run("a guest who got lost may come back, and is not waited for meanwhile", func(t *testing.T) {
		clockwork(t, func(t *testing.T, s *meeting.Service) {
			m := active(t, s)
			inv := invite(t, s, m, 0)
			here := []meeting.ParticipantID{m.Participants[0].ID, m.Participants[1].ID, inv.Participant}
			m, err := s.Present(t.Context(), m.ID, here)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Seen(t.Context(), m, inv.Participant); err != nil {
				t.Fatal(err)
			}
			m = stay(t, s, m, 61*time.Second)
			if p, _ := m.Participant(inv.Participant); p.Here() || p.Reason != meeting.ReasonNetwork {
				t.Fatalf("%+v", p)
			}
			if m, err = s.Present(t.Context(), m.ID, here); err != nil {
				t.Fatal(err)
			}
			if p, _ := m.Participant(inv.Participant); !p.Here() {
				t.Fatalf("%+v", p)
			}
			if m, err = s.Revoke(t.Context(), m.ID, inv.ID); err != nil {
				t.Fatal(err)
			}
			if m, err = s.Present(t.Context(), m.ID, here); err != nil {
				t.Fatal(err)
			}
			if p, _ := m.Participant(inv.Participant); p.Here() || p.Reason != meeting.ReasonKicked {
				t.Fatalf("after being taken out: %+v", p)
			}
		})
	})
}

// Who has left does and hears nothing more in a call that goes on, whatever
// their page still holds; only their own note stays theirs.
func TestWhoHasLeftIsOutside(t *testing.T) {
	leak.Check(t)
	onBoth(t, func(t *testing.T, h *house) {
		made := h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{"queue": "advice", "ring": "now"})
		visitor := h.redeem(made.text("links.visitor"), "")
		agent := h.redeem(made.text("links.agent"), "device-of-marie-1234")
		agent.must("POST", "/accept", map[string]string{"name": "Marie"})
		agent.must("POST", "/messages", map[string]string{"text": "before"})
		asked := h.must(201, "POST", "/v1/meetings/"+made.text("id")+"/invitations", bearer(agent.token), map[string]string{"role": "agent", "name": "Paul"})
		colleague := h.redeem(asked.text("link"), "")
		colleague.must("POST", "/join", map[string]any{})
		page := h.follow(t, hello(colleague.token))
		page.until("the chat", func(m told) bool { return m.Type == "message" })
		colleague.must("POST", "/leave", nil)
		agent.must("POST", "/messages", map[string]string{"text": "after"})
		agent.must("PUT", "/notes/mine", map[string]string{"text": "of Marie"})
		for _, try := range [][2]string{{"POST", "/end"}, {"GET", "/messages"}, {"POST", "/messages"}, {"GET", "/invitations"}} {
			var body any
			if try[1] == "/messages" && try[0] == "POST" {
				body = map[string]string{"text": "still there"}
			}
			if a := colleague.do(try[0], try[1], body); a.status != 409 || a.text("code") != "conflict" {
				t.Errorf("%s %s: %s", try[0], try[1], a)
			}
		}
		saved := colleague.must("PUT", "/notes/mine", map[string]string{"text": "of Paul"})
		for _, a := range []answer{saved, colleague.must("GET", "/notes", nil)} {
			if raw := string(a.raw); strings.Contains(raw, "of Marie") || !strings.Contains(raw, "of Paul") {
				t.Errorf("reads what came later, or not their own: %s", a)
			}
		}
		agent.must("POST", "/end", nil)
		page.until("the end", func(m told) bool {
			if m.Type == "message" {
				t.Error("the stream tells what was said after they had left")
			}
			return m.Meeting.State == "ended"
		})
		if a := visitor.do("GET", "/messages", nil); a.status != 200 || !strings.Contains(string(a.raw), "after") {
			t.Errorf("who stayed to the end reads the chat: %s", a)
		}
	})
}
