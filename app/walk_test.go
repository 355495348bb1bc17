package app_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringdown/config"
	"ringdown/internal/leak"
	"ringdown/media/signal/signaltest"
)

var ringLink = regexp.MustCompile(`http\S+/ring/\S+`)

// TestWalk goes the whole way with Pion peers: click, ring, message at the desk,
// accept, sound and pictures both ways, chat both ways, end.
func TestWalk(t *testing.T) {
	leak.Check(t)
	onBoth(t, func(t *testing.T, h *house) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		made := h.button(map[string]any{"redirect_url": h.url + "/demo/thanks"})
		if made.status != 201 || made.text("state") != "planned" || made.text("links.agent") != "" {
			t.Fatal(made)
		}
		visitor := h.redeem(made.text("links.visitor"), "")
		if s := visitor.must("POST", "/ring", nil); s.text("state") != "requested" {
			t.Fatal(s)
		}

		d := desk{h}
		var link string
		h.eventually("the message with the link is in the inbox", func() bool {
			_, texts := d.messages()
			if len(texts) > 0 {
				link = ringLink.FindString(texts[0])
			}
			return link != ""
		})
		agent := h.redeem(link, "device-of-marie-1234")
		got := agent.must("GET", "", nil)
		if got.text("visitor.name") != "Anna Ferri" || got.text("redirect_url") != "" || got.text("you.participant") != "" {
			t.Fatal(got)
		}
		agent.must("POST", "/accept", map[string]string{"name": "Marie"})
		late := h.redeem(link, "device-of-paul-12345").do("POST", "/accept", map[string]string{"name": "Paul"})
		if late.status != 409 || late.text("code") != "ring_taken" || late.text("taken_by") != "Marie" {
			t.Fatal(late)
		}
		again := h.redeem(link, "device-of-marie-1234") // her other tab
		if a := again.must("POST", "/accept", map[string]string{"name": "Marie"}); a.text("state") != "active" {
			t.Fatal(a)
		}

		join := func(p person) (*signaltest.Client, string) {
			t.Helper()
			room := p.must("POST", "/join", map[string]bool{"audio": true, "video": true})
			c, err := signaltest.Dial(ctx, "ws"+strings.TrimPrefix(h.url, "http")+room.text("signal_url"), room.text("token"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.Close)
			return c, room.text("participant")
		}
		vc, vid := join(visitor)
		ac, aid := join(agent)
		exchange(ctx, t, vc, vid, ac, aid)
		h.eventually("both are in the log as joined", func() bool {
			return count(h.kinds(made.text("id")), "participant.joined") == 2
		})

		// Chat: both pages, and the desk.
		visitor.must("POST", "/messages", map[string]string{"text": "How high above the table?"})
		agent.must("POST", "/messages", map[string]string{"text": "70 cm."})
		var interaction int
		h.eventually("the visitor's message is at the desk", func() bool {
			id, texts := d.messages()
			interaction = id
			return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, "How high above the table?") })
		})
		if a := d.do("POST", fmt.Sprintf("/emulator/interactions/%d/accept", interaction), map[string]int{"UserId": 14}); a.status != 200 {
			t.Fatal(a)
		}
		if a := d.do("POST", "/api/openchannel/messages", map[string]any{
			"body": "I send you the guide.", "OpenchannelAccountId": 1, "OpenchannelInteractionId": interaction, "direction": "out", "UserId": 14,
		}); a.status != 201 {
			t.Fatal(a)
		}
		h.eventually("the desk's reply is in the visitor's chat", func() bool {
			list, _ := visitor.must("GET", "/messages", nil).get("messages").([]any)
			last, _ := list[len(list)-1].(map[string]any)
			return len(list) == 3 && last["text"] == "I send you the guide." && last["name"] == "Anna Verdi" && last["via"] == "xcally/demo"
		})

		// The end, for everybody.
		if a := agent.must("POST", "/end", nil); a.text("outcome") != "completed" {
			t.Fatal(a)
		}
		for _, c := range []*signaltest.Client{vc, ac} {
			bye, err := c.Wait(ctx, func(m signaltest.Message) bool { return m.Type == "bye" })
			if err != nil || bye.Reason != "ended" {
				t.Fatalf("%+v, %v", bye, err)
			}
		}
		if a := visitor.must("GET", "", nil); a.text("redirect_url") != h.url+"/demo/thanks" || a.text("ended_by") != "agent" {
			t.Fatal(a)
		}
		byReference, _ := h.must(200, "GET", "/v1/meetings?reference="+strings.ToLower(made.text("reference")), bearer(h.key), nil).get("meetings").([]any)
		if len(byReference) != 1 {
			t.Fatalf("%d meetings have the reference", len(byReference))
		}
		kinds := h.kinds(made.text("id"))
		want := []string{"meeting.created", "meeting.requested", "ring.started", "meeting.answered"}
		if !slices.Equal(kinds[:4], want) || kinds[len(kinds)-1] != "meeting.ended" {
			t.Fatal(kinds)
		}
		// Nothing of a person, and no secret, is in the log.
		for _, canary := range []string{"Anna", "Marie", "390212345678", "How high", "guide", strings.Split(link, "#")[1], h.key, agent.token} {
			if strings.Contains(h.log.String(), canary) {
				t.Errorf("%q is in the log", canary)
			}
		}
	})
}

// exchange has two people send and receive sound and pictures.
func exchange(ctx context.Context, t *testing.T, a *signaltest.Client, aid string, b *signaltest.Client, bid string) {
	t.Helper()
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for _, c := range []*signaltest.Client{a, b} {
		out, err := c.Publish(ctx, signaltest.Track{Source: "microphone"}, signaltest.Track{Source: "camera"})
		if err != nil {
			t.Fatal(err)
		}
		senders.Go(func() { send(t, out, stop) })
	}
	for _, side := range []struct {
		c    *signaltest.Client
		from string
	}{{a, bid}, {b, aid}} {
		for _, source := range []string{"microphone", "camera"} {
			in, err := side.c.Received(ctx, side.from, source)
			if err == nil {
				err = in.WaitPackets(ctx, 30)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
	close(stop)
	senders.Wait()
}

func (h *house) kinds(id string) []string {
	h.t.Helper()
	list, _ := h.must(200, "GET", "/v1/meetings/"+id+"/events", bearer(h.key), nil).get("events").([]any)
	var kinds []string
	for _, e := range list {
		if e, ok := e.(map[string]any); ok {
			k, _ := e["kind"].(string)
			kinds = append(kinds, k)
		}
	}
	return kinds
}

func count(list []string, what string) int {
	n := 0
	for _, s := range list {
		if s == what {
			n++
		}
	}
	return n
}

func TestSameRequestTwice(t *testing.T) {
	leak.Check(t)
	onBoth(t, func(t *testing.T, h *house) {
		headers := with{"Ringdown-Site": config.DemoSiteKey, "Origin": h.url, "Idempotency-Key": "click-1"}
		body := `{"topic":"x","visitor":{"name":"Anna"},"fields":{"consent":"yes"}}`
		var wg sync.WaitGroup
		ids := make([]string, 8)
		for i := range ids {
			wg.Go(func() { ids[i] = h.do("POST", "/v1/meetings", headers, body).text("links.visitor") })
		}
		wg.Wait()
		slices.Sort(ids)
		if ids = slices.Compact(ids); len(ids) != 1 || ids[0] == "" {
			t.Fatalf("one click made %v", ids)
		}
		if a := h.do("POST", "/v1/meetings", headers, strings.Replace(body, "Anna", "Berta", 1)); a.status != 422 || a.text("code") != "idempotency_reuse" {
			t.Fatal(a)
		}
		if a := h.do("POST", "/v1/meetings", with{"Authorization": "Bearer " + h.key, "Idempotency-Key": "click-1"}, body); a.status != 201 {
			t.Fatalf("another owner's key: %s", a)
		}
		p := h.redeem(ids[0], "")
		say := func(key, text string) answer {
			return h.do("POST", "/v1/meetings/"+p.meeting+"/messages", with{"Authorization": "Bearer " + p.token, "Idempotency-Key": key}, map[string]string{"text": text})
		}
		first, second := say("m1", "hello"), say("m1", "hello")
		if first.status != 201 || first.text("id") != second.text("id") {
			t.Fatalf("%s\n%s", first, second)
		}
		if a := say("m1", "other"); a.status != 422 {
			t.Fatal(a)
		}
	})
}

// send publishes 30 frames a second until stop.
func send(t testing.TB, out []*signaltest.Outgoing, stop <-chan struct{}) {
	tick := time.NewTicker(33 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
			for _, o := range out {
				if _, err := o.Frame(900); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}
}
