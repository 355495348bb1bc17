package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"ringdown/internal/leak"
	"ringdown/store/storetest"
)

// follower is a page on the event stream.
type follower struct {
	t   *testing.T
	ctx context.Context
	ws  *websocket.Conn
	all *bytes.Buffer // keeps what is read; nil: nothing
}

// told is any message of the stream.
type told struct {
	Type    string
	At      int64
	Reason  string
	Meeting struct {
		State string
		Ring  struct {
			TakenBy string `json:"taken_by"`
		}
	}
	Message struct{ Text string }
	Notes   []struct{ Text string }
}

func (h *house) follow(t *testing.T, hello any) *follower {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	ws, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(h.url, "http")+"/v1/events", &websocket.DialOptions{Subprotocols: []string{"ringdown.events"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	f := &follower{t, ctx, ws, nil}
	f.send(hello)
	return f
}

func (f *follower) send(v any) {
	f.t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := f.ws.Write(f.ctx, websocket.MessageText, b); err != nil {
		f.t.Fatal(err)
	}
}

// until reads, answering pings, until a message fits, and returns it.
func (f *follower) until(what string, fits func(told) bool) told {
	f.t.Helper()
	for {
		_, b, err := f.ws.Read(f.ctx)
		if err != nil {
			f.t.Fatalf("%s: %v", what, err)
		}
		if f.all != nil {
			f.all.Write(b)
		}
		var m told
		if err := json.Unmarshal(b, &m); err != nil {
			f.t.Fatal(err)
		}
		if m.Type == "ping" {
			f.send(map[string]any{"type": "pong", "at": m.At})
		}
		if fits(m) {
			return m
		}
	}
}

func hello(token string) any { return map[string]string{"type": "hello", "token": token} }

func TestStream(t *testing.T) {
	leak.Check(t)
	h := start(t, storetest.Engines()[0])
	made := h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{"ring": "now"})
	visitor := h.redeem(made.text("links.visitor"), "")
	marie := h.redeem(made.text("links.agent"), "device-of-marie-1234")
	paul := h.redeem(made.text("links.agent"), "device-of-paul-12345")

	t.Run("tells every page of a change within half a second", func(t *testing.T) {
		pages := []*follower{h.follow(t, hello(visitor.token)), h.follow(t, hello(marie.token)), h.follow(t, hello(paul.token))}
		for _, p := range pages {
			p.until("the meeting at once", func(m told) bool { return m.Type == "meeting" && m.Meeting.State == "requested" })
		}
		marie.must("POST", "/accept", map[string]string{"name": "Marie"})
		accepted := time.Now()
		for _, p := range pages {
			p.until("who took it", func(m told) bool { return m.Type == "meeting" && m.Meeting.Ring.TakenBy == "Marie" })
		}
		if took := time.Since(accepted); took > 500*time.Millisecond {
			t.Logf("the last page knew after %s", took) // judged alone on the machine, by the promises
		}
	})
	t.Run("tells the chat once, in order, to the members only", func(t *testing.T) {
		for _, text := range []string{"one", "two"} {
			visitor.must("POST", "/messages", map[string]string{"text": text})
		}
		f := h.follow(t, hello(marie.token))
		var got []string
		f.until("two messages and a third", func(m told) bool {
			if m.Type == "message" {
				got = append(got, m.Message.Text)
			}
			if len(got) == 2 && m.Type == "message" {
				visitor.must("POST", "/messages", map[string]string{"text": "three"})
			}
			return len(got) == 3
		})
		if !slices.Equal(got, []string{"one", "two", "three"}) {
			t.Fatal(got)
		}
		outside := h.follow(t, hello(paul.token))
		pings := 0
		outside.until("two pings and no chat", func(m told) bool {
			if m.Type == "message" {
				t.Fatalf("an agent who has not won reads %q", m.Message.Text)
			}
			if m.Type == "ping" {
				pings++
			}
			return pings == 2
		})
	})
	for name, tc := range map[string]struct {
		hello  any
		reason string
	}{
		"a wrong token":           {hello("nonsense"), "bad_token"},
		"an API key is no token":  {hello(h.key), "bad_token"},
		"something before hello":  {map[string]any{"type": "pong"}, "bad_token"},
		"hello with another type": {map[string]any{"type": "hello", "token": 7}, "bad_token"},
	} {
		t.Run(name, func(t *testing.T) {
			h.follow(t, tc.hello).until("bye", func(m told) bool { return m.Type == "bye" && m.Reason == tc.reason })
		})
	}
	t.Run("a flood is cut", func(t *testing.T) {
		f := h.follow(t, hello(visitor.token))
		for range 40 {
			f.send(map[string]any{"type": "pong"})
		}
		f.until("bye", func(m told) bool { return m.Type == "bye" && m.Reason == "flood" })
	})
	t.Run("another page's origin is refused", func(t *testing.T) {
		_, res, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(h.url, "http")+"/v1/events", &websocket.DialOptions{
			HTTPHeader: http.Header{"Origin": {"https://evil.example"}},
		})
		if err == nil || res == nil || res.StatusCode != http.StatusForbidden {
			t.Fatalf("%v, %v", res, err)
		}
	})
	t.Run("a stop is told", func(t *testing.T) {
		f := h.follow(t, hello(visitor.token))
		f.until("the meeting", func(m told) bool { return m.Type == "meeting" })
		go h.stop()
		f.until("bye", func(m told) bool { return m.Type == "bye" && m.Reason == "server_restart" })
	})
}
