package xcally_test

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"ringdown/emulate/xcally"
	"ringdown/internal/leak"
)

// replies is a Reply URL that keeps what it gets.
func replies(t *testing.T, status int, answer string) (string, <-chan map[string]any) {
	t.Helper()
	got := make(chan map[string]any, 32)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil || r.Header.Get("Content-Type") != "application/json" || r.Method != "POST" {
			t.Errorf("%s %s %v", r.Method, r.Header.Get("Content-Type"), err)
		}
		got <- body
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/xcally/main/reply/s3cret", got
}

// live listens to the page's stream until the test ends; changes arrive on the channel.
func (m motion) live() <-chan map[string]any {
	m.t.Helper()
	req, err := http.NewRequestWithContext(m.t.Context(), "GET", m.URL()+"/emulator/events", nil)
	if err != nil {
		m.t.Fatal(err)
	}
	res, err := (&http.Client{Transport: m.client.Transport}).Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() && lines.Text() != "event: ready" {
	}
	changes := make(chan map[string]any, 256)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines.Scan() {
			var c map[string]any
			if data, ok := strings.CutPrefix(lines.Text(), "data: {\"interaction\""); ok && json.Unmarshal([]byte(`{"interaction"`+data), &c) == nil {
				changes <- c
			}
		}
	}()
	m.t.Cleanup(func() { res.Body.Close(); <-done })
	return changes
}

// settled waits for the end of a message's journey.
func settled(t *testing.T, changes <-chan map[string]any, id any) map[string]any {
	t.Helper()
	for {
		select {
		case c := <-changes:
			if m, ok := c["message"].(map[string]any); ok && m["id"] == id && m["status"] != "sending" {
				return m
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the message never settled")
		}
	}
}

func (m motion) accept(interaction, agent int) answer {
	m.t.Helper()
	return m.do("POST", fmt.Sprintf("/emulator/interactions/%d/accept", interaction), map[string]any{"UserId": agent})
}

func (m motion) write(interaction, agent int, body string) answer {
	m.t.Helper()
	return m.do("POST", "/api/openchannel/messages", map[string]any{
		"body": body, "OpenchannelAccountId": 5, "OpenchannelInteractionId": interaction, "direction": "out", "UserId": agent,
	})
}

func TestReplyReachesTheReplyURL(t *testing.T) {
	leak.Check(t)
	url, got := replies(t, 200, "ok")
	m := start(t, xcally.Config{Accounts: []xcally.Account{{ID: 5, ReplyURL: url}}})
	id := m.say(5, request("+390212345678", "mtg-8fK2"))
	m.accept(id, 14)
	changes := m.live()
	sent := m.write(id, 14, "Good morning, I am joining now.")
	if sent.status != 201 || sent.body["status"] != "sending" {
		t.Fatalf("got %d %s", sent.status, sent.raw)
	}
	var want map[string]any
	if err := json.Unmarshal([]byte(`{
		"id":9002,"body":"Good morning, I am joining now.","OpenchannelAccountId":5,"OpenchannelInteractionId":301,"ContactId":71,"UserId":14,
		"AttachmentId":null,
		"Contact":{"id":71,"tags":null,"firstName":"Mina","lastName":"Rossi","phone":"+390212345678","cf_20":"loans","street":null,"postalCode":null,
			"city":null,"country":null,"deteOfBirth":null,"description":null,"mobile":null,"fax":null,"email":null,"url":null,"facebook":null,
			"twitter":null,"skype":null},
		"Interaction":{"id":301,"threadId":"mtg-8fK2","closed":false,"UserId":14,"OpenchannelAccountId":5,"ContactId":71},
		"agent":{"id":14,"name":"anna","fullname":"Anna Verdi"}}`), &want); err != nil {
		t.Fatal(err)
	}
	if body := <-got; !reflect.DeepEqual(body, want) {
		t.Errorf("the Reply URL got\n%v\nwant\n%v", body, want)
	}
	if end := settled(t, changes, sent.body["id"]); end["status"] != "sent" {
		t.Errorf("marked %v", end)
	}
}

func TestReplyShapes(t *testing.T) {
	leak.Check(t)
	for shape, check := range map[xcally.Reply]func(map[string]any) bool{
		xcally.ReplyStrings: func(b map[string]any) bool {
			i, _ := b["Interaction"].(map[string]any)
			return b["id"] == "9002" && b["OpenchannelInteractionId"] == "301" && i["id"] == "301" && reflect.DeepEqual(b["contact"], b["Contact"])
		},
		xcally.ReplyBare: func(b map[string]any) bool { return len(b) == 3 && b["Contact"] != nil && b["body"] == "hi" },
		xcally.ReplyV1:   func(b map[string]any) bool { return b["to"] == "+1" && b["Contact"] == nil && b["body"] == "hi" },
	} {
		url, got := replies(t, 200, "")
		m := start(t, xcally.Config{Accounts: []xcally.Account{{ID: 5, ReplyURL: url, Reply: shape}}})
		id := m.say(5, request("+1", "t"))
		m.accept(id, 14)
		m.write(id, 14, "hi")
		if body := <-got; !check(body) {
			t.Errorf("%s: got %v", shape, body)
		}
	}
}

func TestReplyFailuresAreMarked(t *testing.T) {
	leak.Check(t)
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + free.Addr().String()
	free.Close()
	answering, _ := replies(t, 500, `{"message":"the meeting is over"}`)
	elsewhere, _ := replies(t, 302, "")
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	t.Cleanup(slow.Close)
	for name, tc := range map[string]struct{ url, want string }{
		"no Reply URL":  {"", "Account HTTP Method or URL is not configured"},
		"nobody there":  {closed, "ECONNREFUSED"},
		"error answer":  {answering, "HTTP 500: the meeting is over"},
		"a redirection": {elsewhere, "HTTP 302"},
		"too slow":      {slow.URL, "ETIMEDOUT"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := xcally.Config{Accounts: []xcally.Account{{ID: 5}}}
			if name == "too slow" {
				cfg.ReplyTimeout = 30 * time.Millisecond
			}
			m := start(t, cfg)
			if err := m.SetReplyURL(5, tc.url); err != nil {
				t.Fatal(err)
			}
			id := m.say(5, request("+1", "t"))
			m.accept(id, 14)
			changes := m.live()
			sent := m.write(id, 14, "hi")
			end := settled(t, changes, sent.body["id"])
			if words, _ := end["error"].(string); end["status"] != "failed" || !strings.Contains(words, tc.want) {
				t.Errorf("marked %v", end)
			}
			listed := m.do("GET", fmt.Sprintf("/api/openchannel/interactions/%d/messages", id), nil)
			if !strings.Contains(listed.raw, tc.want) {
				t.Errorf("the list does not tell: %s", listed.raw)
			}
		})
	}
}

func TestReplyURLsCertificateIsChecked(t *testing.T) {
	leak.Check(t)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // the refused handshake below
	srv.StartTLS()
	t.Cleanup(srv.Close)
	known := x509.NewCertPool()
	known.AddCert(srv.Certificate())
	for want, pool := range map[string]*x509.CertPool{"sent": known, "failed": x509.NewCertPool()} {
		m := start(t, xcally.Config{RootCAs: pool, Accounts: []xcally.Account{{ID: 5, ReplyURL: srv.URL}}})
		id := m.say(5, request("+1", "t"))
		m.accept(id, 14)
		changes := m.live()
		if end := settled(t, changes, m.write(id, 14, "hi").body["id"]); end["status"] != want {
			t.Errorf("marked %v, want %s", end, want)
		}
	}
}

func TestRepliesKeepTheirOrder(t *testing.T) {
	leak.Check(t)
	url, got := replies(t, 200, "")
	m := start(t, xcally.Config{Accounts: []xcally.Account{{ID: 5, ReplyURL: url}}})
	id := m.say(5, request("+1", "t"))
	m.accept(id, 14)
	for n := range 20 {
		m.write(id, 14, fmt.Sprint(n))
	}
	for n := range 20 {
		if b := <-got; b["body"] != fmt.Sprint(n) {
			t.Fatalf("message %d arrived as %v", n, b["body"])
		}
	}
}

func TestAcceptHasOneWinner(t *testing.T) {
	agents := make([]xcally.Agent, 8)
	for i := range agents {
		agents[i] = xcally.Agent{ID: i + 1, Name: fmt.Sprint("a", i), FullName: fmt.Sprint("Agent ", i)}
	}
	m := start(t, xcally.Config{Agents: agents})
	for n := range 25 {
		id := m.say(5, request("+1", fmt.Sprint("t", n)))
		statuses := make([]int, len(agents))
		owners := make([]any, len(agents))
		var group sync.WaitGroup
		for i, g := range agents {
			group.Go(func() {
				a := m.accept(id, g.ID)
				statuses[i], owners[i] = a.status, a.body["UserId"]
			})
		}
		group.Wait()
		winner := 0
		for i, s := range statuses {
			switch s {
			case 200:
				if winner != 0 {
					t.Fatalf("two winners: %v", statuses)
				}
				winner = agents[i].ID
			case 409:
			default:
				t.Fatalf("statuses %v", statuses)
			}
		}
		if winner == 0 || m.interaction(id)["UserId"] != float64(winner) {
			t.Fatalf("winner %d of %v, owner %v", winner, statuses, m.interaction(id)["UserId"])
		}
		for i, s := range statuses {
			if s == 409 && owners[i] != fmt.Sprint(winner) {
				t.Fatalf("a loser was told %v, the winner is %d", owners[i], winner)
			}
		}
		if again := m.accept(id, winner); again.status != 200 {
			t.Errorf("the winner's second press: %d", again.status)
		}
	}
}

func TestOnlyTheOwnerOfAnOpenInteractionWrites(t *testing.T) {
	m := start(t, xcally.Config{})
	id := m.say(5, request("+1", "t"))
	if a := m.write(id, 14, "too early"); a.status != 409 {
		t.Errorf("before accepting: %d", a.status)
	}
	m.accept(id, 14)
	if a := m.write(id, 15, "not mine"); a.status != 409 {
		t.Errorf("another agent: %d", a.status)
	}
	m.do("PUT", fmt.Sprintf("/api/openchannel/interactions/%d", id), map[string]any{"closed": true, "disposition": "Solved"})
	if a := m.write(id, 14, "too late"); a.status != 409 {
		t.Errorf("after closing: %d", a.status)
	}
	if a := m.accept(id, 15); a.status != 409 {
		t.Errorf("accepting a closed one: %d", a.status)
	}
	if a := m.write(1, 14, "x"); a.status != 500 || !strings.Contains(a.raw, "foreign key") {
		t.Errorf("an interaction that never was: %d %s", a.status, a.raw)
	}
}
