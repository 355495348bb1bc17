package crash_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"ringdown/internal/hostile"
	"ringdown/media/signal/signaltest"
	"ringdown/store/storetest"
)

// settleLimit is the figure of C4.
const settleLimit = 10 * time.Second

// TestC4_after_a_crash_no_call_is_a_ghost kills the daemon with calls in every
// state and looks, after the next start, that each goes on or is over with a
// reason.
func TestC4_after_a_crash_no_call_is_a_ghost(t *testing.T) {
	onBoth(t, func(t *testing.T, e storetest.Engine) {
		receiver, err := hostile.Start(hostile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(receiver.Close)
		h := open(t, e, webhooks(receiver.URL()))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()

		long := h.ringing(ctx, "desk")
		busy := h.ringing(ctx, "desk").accepted(ctx)
		inside := []*signaltest.Client{busy.enter(ctx, busy.visitor), busy.enter(ctx, busy.agent)}
		left := h.ringing(ctx, "desk").accepted(ctx) // whoever was in it does not come back
		for _, c := range []*signaltest.Client{left.enter(ctx, left.visitor), left.enter(ctx, left.agent)} {
			c.Drop()
			c.Close()
		}

		short := h.ringing(ctx, "short") // its round ends while nobody is there, or soon after
		if a := short.get(ctx); a.text("state") != "requested" {
			t.Errorf("before the crash: %s", a.raw)
		}
		h.daemon.Kill()
		for _, c := range inside {
			if _, err := c.Ended(ctx); err != nil {
				t.Errorf("a killed daemon keeps its sockets: %v", err)
			}
			c.Close()
		}
		h.start()

		// Ringing past its window: missed. Ringing within: still, and to be taken.
		took := h.settles(ctx, "the ring that is over is missed", settleLimit, func() bool {
			a := short.get(ctx)
			return a.text("state") == "ended" && a.text("outcome") == "missed"
		})
		if a := long.get(ctx); a.text("state") != "requested" || !future(a.text("ring.round_ends_at")) {
			t.Errorf("a ring that is not over: %s", a.raw)
		}
		if a := long.accepted(ctx).get(ctx); a.text("state") != "active" || a.text("ring.taken_by") != "Agent" {
			t.Errorf("taken after the crash: %s", a.raw)
		}
		// Active: the places are kept, and the same people are back in.
		for what, c := range map[string]call{"a call": busy, "a call whose people are away": left} {
			if a := c.get(ctx); a.text("state") != "active" {
				t.Errorf("%s after the crash: %s", what, a.raw)
			}
		}
		first := busy.enter(ctx, busy.visitor)
		defer first.Close()
		second := busy.enter(ctx, busy.agent)
		defer second.Close()
		if back := time.Since(h.ready); back > settleLimit || len(second.Welcome.Participants) != 1 {
			t.Errorf("%s after the start the second one back finds %d people in the call", back, len(second.Welcome.Participants))
		} else {
			took = max(took, back)
		}
		if kinds := busy.kinds(ctx); slices.Contains(kinds, "participant.left") || slices.Contains(kinds, "meeting.ended") {
			t.Errorf("the crash is in the log of a call that goes on: %v", kinds)
		}
		t.Logf("promise C4 open calls after a crash on %s %.1f s (at most 10 s)", e.Name, took.Seconds())

		if os.Getenv("RINGDOWN_PROMISES") != "" { // the grace of those who are away is a minute
			h.settles(ctx, "a call whose people stay away is over", 75*time.Second, func() bool {
				a := left.get(ctx)
				return a.text("state") == "ended" && a.text("reason") == "network"
			})
		}
		for _, c := range []call{long, busy, left} {
			if a := h.call(ctx, "POST", "/v1/meetings/"+c.id+"/end", h.key, "", nil); a.text("state") != "ended" {
				t.Errorf("end: %d %s", a.status, a.raw)
			}
		}
		if err := h.daemon.Stop(20 * time.Second); err != nil {
			t.Errorf("the last life ended badly: %v", err)
		}
	})
}

func future(at string) bool {
	t, err := time.Parse(time.RFC3339, at)
	return err == nil && t.After(time.Now())
}

// settles waits until something holds and returns how long after the start.
func (h *house) settles(ctx context.Context, what string, limit time.Duration, ok func() bool) time.Duration {
	h.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if ctx.Err() != nil || time.Since(h.ready) > limit {
			h.t.Errorf("never within %s of the start: %s", limit, what)
			break
		}
		<-tick.C
	}
	return time.Since(h.ready)
}

// call is a meeting and the sessions of its two people.
type call struct {
	h                  *house
	id, visitor, agent string
}

// ringing makes a meeting that rings.
func (h *house) ringing(ctx context.Context, queue string) call {
	h.t.Helper()
	a := h.call(ctx, "POST", "/v1/meetings", h.key, "", map[string]any{"queue": queue, "ring": "now"})
	if a.status != 201 {
		h.t.Fatalf("create: %d %s", a.status, a.raw)
	}
	return call{h, a.text("id"), h.redeem(ctx, a.text("links.visitor"), ""), h.redeem(ctx, a.text("links.agent"), "device-of-the-agent-1")}
}

// accepted takes the ring.
func (c call) accepted(ctx context.Context) call {
	c.h.t.Helper()
	if a := c.h.call(ctx, "POST", "/v1/meetings/"+c.id+"/accept", c.agent, "", map[string]string{"name": "Agent"}); a.status != 200 {
		c.h.t.Fatalf("accept: %d %s", a.status, a.raw)
	}
	return c
}

func (c call) get(ctx context.Context) answer {
	return c.h.call(ctx, "GET", "/v1/meetings/"+c.id, c.h.key, "", nil)
}

func (c call) kinds(ctx context.Context) (kinds []string) {
	var log struct{ Events []event }
	a := c.h.call(ctx, "GET", "/v1/meetings/"+c.id+"/events", c.h.key, "", nil)
	if err := json.Unmarshal(a.raw, &log); err != nil {
		c.h.t.Errorf("%v: %s", err, a.raw)
	}
	for _, e := range log.Events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// enter joins the room.
func (c call) enter(ctx context.Context, session string) *signaltest.Client {
	c.h.t.Helper()
	a := c.h.call(ctx, "POST", "/v1/meetings/"+c.id+"/join", session, "", map[string]bool{})
	client, err := signaltest.Dial(ctx, "ws"+strings.TrimPrefix(*c.h.url.Load(), "http")+a.text("signal_url"), a.text("token"))
	if err != nil {
		c.h.t.Fatalf("join: %v: %d %s", err, a.status, a.raw)
	}
	return client
}
