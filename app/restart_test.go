package app_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ringdown/internal/leak"
	"ringdown/media/signal/signaltest"
	"ringdown/store/storetest"
)

// A daemon that stops tells the people in a call, and one that starts on the
// same data lets them back in.
func TestRestart(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			dir, db := t.TempDir(), e.Fresh(t).Database
			ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
			defer cancel()
			h := startAt(t, dir, db)
			made := h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{"ring": "now"})
			visitorLink, agentLink := made.text("links.visitor"), made.text("links.agent")
			agent := h.redeem(agentLink, "device-of-marie-1234")
			agent.must("POST", "/accept", map[string]string{"name": "Marie"})
			visitor := h.redeem(visitorLink, "")
			visitor.must("POST", "/messages", map[string]string{"text": "Are you there?"})
			enter := func(h *house, p person) *signaltest.Client {
				room := p.must("POST", "/join", map[string]bool{})
				c, err := signaltest.Dial(ctx, "ws"+strings.TrimPrefix(h.url, "http")+room.text("signal_url"), room.text("token"))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(c.Close)
				return c
			}
			inside := []*signaltest.Client{enter(h, visitor), enter(h, agent)}

			began := time.Now()
			h.stop()
			if took := time.Since(began); took > 8*time.Second {
				t.Errorf("stopping took %s", took)
			}
			for _, c := range inside {
				bye, err := c.Wait(ctx, func(m signaltest.Message) bool { return m.Type == "bye" })
				if err != nil || bye.Reason != "server_restart" {
					t.Errorf("%+v, %v", bye, err)
				}
			}

			h = startAt(t, dir, db)
			visitor = h.redeem(h.elsewhere(visitorLink), "")
			if a := visitor.must("GET", "", nil); a.text("state") != "active" || a.text("ring.taken_by") != "Marie" {
				t.Fatal(a)
			}
			if list, _ := visitor.must("GET", "/messages", nil).get("messages").([]any); len(list) != 1 {
				t.Fatalf("the chat has %d messages", len(list))
			}
			agent = h.redeem(h.elsewhere(agentLink), "device-of-marie-1234")
			a, b := enter(h, visitor), enter(h, agent)
			va := visitor.must("GET", "", nil)
			exchange(ctx, t, a, va.text("you.participant"), b, agent.must("GET", "", nil).text("you.participant"))
			if kinds := h.kinds(made.text("id")); count(kinds, "participant.left") != 0 || count(kinds, "meeting.answered") != 1 {
				t.Fatal(kinds)
			}
		})
	}
}
