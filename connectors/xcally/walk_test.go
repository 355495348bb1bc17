package xcally_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"ringdown/connectors"
	"ringdown/connectors/connectortest"
	"ringdown/connectors/xcally"
	"ringdown/egress"
	motion "ringdown/emulate/xcally"
	"ringdown/internal/leak"
	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/secret"
	"ringdown/store/storetest"
)

// town is the connector with everything it lives among: a store on disk, the
// core, the outbox, the way out, and a Motion server of its own to talk to.
type town struct {
	t         *testing.T
	meetings  *meeting.Service
	motion    *motion.Server
	client    *http.Client
	query     string // of every REST call
	delivered chan result
}

type result struct {
	kind meeting.Kind
	outbox.Result
}

// watched tells the test of every attempt.
type watched struct {
	outbox.Deliverer
	to chan<- result
}

func (w watched) Deliver(ctx context.Context, d outbox.Delivery) outbox.Result {
	r := w.Deliverer.Deliver(ctx, d)
	w.to <- result{d.Kind, r}
	return r
}

func newTown(t *testing.T, rule meeting.RingRule, account motion.Account) *town {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	ours := httptest.NewUnstartedServer(nil) // its address is needed before its handler is there
	account.ID, account.ReplyURL = 5, "http://"+ours.Listener.Addr().String()+replyURL
	desk, err := motion.New(motion.Config{Accounts: []motion.Account{account}}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := desk.Listen(ctx); err != nil {
		t.Fatal(err)
	}

	db := storetest.Open(t)
	policy := meeting.Policy{Queues: []meeting.Queue{{Name: "loans", Desks: []string{"xcally/main"}, Ring: rule}}}
	tn := &town{
		t: t, meetings: meeting.New(db.Meetings(), policy, time.Now, quiet), motion: desk,
		client: &http.Client{Transport: &http.Transport{}}, query: "?apikey=" + url.QueryEscape(account.APIKey), delivered: make(chan result, 100),
	}
	exit, err := egress.New(egress.DefaultConfig(), egress.Deps{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	c, err := xcally.New(xcally.Config{Accounts: []xcally.Account{{
		Name: "main", ReceiveURL: secret.Secret(desk.ReceiveURL(5)), ReplySecret: replySecret,
	}}}, connectors.Deps{
		Meetings: tn.meetings, Links: connectortest.Links{}, Log: quiet, Now: time.Now,
		Egress: func(o egress.Options) (connectors.Doer, error) { return exit.Client(o) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ours.Config.Handler = connectortest.Site(t, c.Surface())
	ours.Start()
	box, err := outbox.New(outbox.Options{
		Store: db.Outbox(), Translators: []outbox.Translator{c}, Deliverers: map[string]outbox.Deliverer{"xcally": watched{c, tn.delivered}},
		Now: time.Now, Log: quiet, Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	var parts errgroup.Group
	for _, run := range []func(context.Context) error{desk.Run, box.Run, meeting.NewClock(tn.meetings).Run} {
		parts.Go(func() error { return run(ctx) })
	}
	t.Cleanup(func() { // before the store closes
		cancel()
		if err := parts.Wait(); err != nil {
			t.Error(err)
		}
		ours.Close()
		exit.Close()
		tn.client.CloseIdleConnections()
	})
	return tn
}

// call is the visitor's click.
func (n *town) call() meeting.Meeting {
	n.t.Helper()
	m, _, err := n.meetings.Request(n.t.Context(), meeting.Request{
		Queue: "loans", Language: "en", RingNow: true, Visitor: meeting.Person{Name: "Mina Rossi", Phone: "+390212345678"},
	})
	if err != nil {
		n.t.Fatal(err)
	}
	return m
}

// next is the next attempt of the sender.
func (n *town) next() result {
	n.t.Helper()
	select {
	case r := <-n.delivered:
		return r
	case <-time.After(20 * time.Second):
		n.t.Fatal("nothing was sent")
		return result{}
	}
}

func (n *town) expect(kind meeting.Kind, v outbox.Verdict) {
	n.t.Helper()
	if r := n.next(); r.kind != kind || r.Verdict != v {
		n.t.Fatalf("sent %s with %+v, want %s, %s", r.kind, r.Result, kind, v)
	}
}

// rest calls Motion.
func (n *town) rest(method, path string, body, into any) {
	n.t.Helper()
	var b bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&b).Encode(body); err != nil {
			n.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(n.t.Context(), method, n.motion.URL()+path+n.query, &b)
	if err != nil {
		n.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := n.client.Do(req)
	if err != nil {
		n.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode/100 != 2 {
		n.t.Fatalf("%s %s: %d %s, %v", method, path, resp.StatusCode, answer, err)
	}
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			n.t.Fatalf("%s: %v", answer, err)
		}
	}
}

// inbox is what the agents read about the meeting, in its order.
func (n *town) inbox(m meeting.Meeting) (interaction int, bodies []string) {
	n.t.Helper()
	var list struct {
		Rows []struct {
			ID       int
			ThreadID string `json:"threadId"`
		}
	}
	n.rest("GET", "/api/openchannel/interactions", nil, &list)
	for _, i := range list.Rows {
		if i.ThreadID != string(m.ID) {
			continue
		}
		var messages struct {
			Rows []struct{ Direction, Body string }
		}
		n.rest("GET", fmt.Sprintf("/api/openchannel/interactions/%d/messages", i.ID), nil, &messages)
		for _, msg := range messages.Rows {
			bodies = append(bodies, msg.Direction+": "+msg.Body)
		}
		return i.ID, bodies
	}
	return 0, nil
}

// reply is an agent who accepts and writes, and the visitor who waits for it.
func (n *town) reply(m meeting.Meeting, text string) []meeting.Message {
	n.t.Helper()
	changed, stop := n.meetings.Watch(m.ID)
	defer stop()
	interaction, _ := n.inbox(m)
	n.rest("POST", fmt.Sprintf("/emulator/interactions/%d/accept", interaction), map[string]any{"UserId": 14}, nil)
	n.rest("POST", "/api/openchannel/messages", map[string]any{
		"body": text, "OpenchannelAccountId": 5, "OpenchannelInteractionId": interaction, "direction": "out", "UserId": 14,
	}, nil)
	for {
		said, err := n.meetings.Messages(n.t.Context(), m.ID, 0)
		if err != nil {
			n.t.Fatal(err)
		}
		if len(said) > 0 {
			return said
		}
		select {
		case <-changed:
		case <-time.After(20 * time.Second):
			n.t.Fatal("the agent's reply did not come")
		}
	}
}

func TestAWholeCall(t *testing.T) {
	leak.Check(t)
	n := newTown(t, meeting.RingRule{}, motion.Account{})
	ctx := t.Context()
	m := n.call()
	n.expect(meeting.KindRing, outbox.OK)
	interaction, bodies := n.inbox(m)
	if len(bodies) != 1 || !strings.HasSuffix(bodies[0], "\n"+connectortest.Links{}.Agent(m)) || !strings.Contains(bodies[0], m.Reference()) {
		t.Fatalf("the agents read %q", bodies)
	}

	said := n.reply(m, "Good morning, I am joining now.")
	if got := said[0]; got.Text != "Good morning, I am joining now." || got.Name != "Anna Verdi" || got.Role != meeting.AgentR || got.Via != "xcally/main" {
		t.Errorf("the visitor reads %+v", got)
	}

	for i := range 20 {
		if _, err := n.meetings.Post(ctx, m.ID, meeting.Message{From: m.TheVisitor().ID, Role: meeting.Visitor, Text: fmt.Sprint("line ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := n.meetings.Accept(ctx, m.ID, meeting.Agent{Key: "a1", Name: "Anna"}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.meetings.End(ctx, m.ID, meeting.Visitor); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		n.expect(meeting.KindMessage, outbox.OK)
	}
	n.expect(meeting.KindAnswered, outbox.OK)
	n.expect(meeting.KindEnded, outbox.OK)
	_, bodies = n.inbox(m)
	want := []string{"out: Good morning, I am joining now."}
	for i := range 20 {
		want = append(want, fmt.Sprint("in: line ", i))
	}
	want = append(want, "in: Anna took the video call "+m.Reference()+".", "in: The video call "+m.Reference()+" is over. It lasted 0 s.")
	if len(bodies) != len(want)+1 || strings.Join(bodies[1:], "|") != strings.Join(want, "|") {
		t.Errorf("the agents read\n%s\nwant\n%s", strings.Join(bodies[1:], "\n"), strings.Join(want, "\n"))
	}
	refs, err := n.meetings.RefsOf(ctx, m.ID)
	if err != nil || len(refs) != 1 || refs[0].Key != fmt.Sprintf("main:interaction:%d", interaction) {
		t.Errorf("refs %v, %v", refs, err)
	}
}

func TestEveryShapeOfMotionIsUnderstood(t *testing.T) {
	leak.Check(t)
	for _, account := range []motion.Account{
		{Answer: motion.AnswerInteractionString, Reply: motion.ReplyStrings},
		{Answer: motion.AnswerTop, Reply: motion.ReplyBare, RequireKey: true, APIKey: "key with /+ in it"},
		{Answer: motion.AnswerTopString, Reply: motion.ReplyV1, RequireKey: true, APIKey: "key", Token: "t&k"},
		{Answer: motion.AnswerEmpty},
	} {
		t.Run(fmt.Sprintf("%s %s", account.Answer, account.Reply), func(t *testing.T) {
			n := newTown(t, meeting.RingRule{}, account)
			m := n.call()
			n.expect(meeting.KindRing, outbox.OK)
			if said := n.reply(m, "Hello"); len(said) != 1 || said[0].Text != "Hello" {
				t.Errorf("the visitor reads %v", said)
			}
		})
	}
}

func TestReceiverDownThenUp(t *testing.T) {
	leak.Check(t)
	n := newTown(t, meeting.RingRule{}, motion.Account{})
	if err := n.motion.Trouble(5, motion.Trouble{Kind: motion.TroubleStatus, Status: 503, Times: 1}); err != nil {
		t.Fatal(err)
	}
	m := n.call()
	n.expect(meeting.KindRing, outbox.Retry)
	if _, err := n.meetings.Post(t.Context(), m.ID, meeting.Message{Role: meeting.Visitor, Text: "are you there?"}); err != nil {
		t.Fatal(err)
	}
	n.expect(meeting.KindRing, outbox.OK)
	n.expect(meeting.KindMessage, outbox.OK)
	if _, bodies := n.inbox(m); len(bodies) != 2 || bodies[1] != "in: are you there?" {
		t.Errorf("the agents read %q", bodies)
	}
}

func TestARingThatExpiredWhileDownIsNeverDelivered(t *testing.T) {
	leak.Check(t)
	n := newTown(t, meeting.RingRule{Window: 700 * time.Millisecond, Rounds: 1, Wait: 700 * time.Millisecond}, motion.Account{})
	if err := n.motion.Trouble(5, motion.Trouble{Kind: motion.TroubleReset, Times: 1}); err != nil {
		t.Fatal(err)
	}
	m := n.call()
	if r := n.next(); r.kind != meeting.KindRing || r.Verdict != outbox.Retry {
		t.Fatalf("sent %+v", r)
	}
	n.expect(meeting.KindEnded, outbox.OK)
	_, bodies := n.inbox(m)
	if len(bodies) != 1 || bodies[0] != "in: Nobody took the video call "+m.Reference()+" in time. The visitor is no longer waiting." {
		t.Errorf("the agents read %q", bodies)
	}
}
