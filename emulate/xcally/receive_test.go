package xcally_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringdown/emulate/xcally"
)

func TestReceive(t *testing.T) {
	m := start(t, xcally.Config{Accounts: []xcally.Account{
		{ID: 5},
		{ID: 6, RequireKey: true, APIKey: "key-of-six"},
		{ID: 7, RequireKey: true, Token: "token-of-seven", MapKey: "email"},
	}})
	const good = `{"from":"+390212345678","body":"hello"}`
	for _, tc := range []struct {
		name, path, body string
		contentType      string
		status           int
		message          string
	}{
		{"takes a message", "5/notify", good, "application/json", 200, ""},
		{"takes a charset", "5/notify", good, "application/json; charset=utf-8", 200, ""},
		{"takes V1's path and fields", "5/receive", `{"from":"x1","body":"hello","name":"Mina","to":"desk"}`, "application/json", 200, ""},
		{"takes numbers, truth values and null", "5/notify", `{"from":"x2","body":"b","cf_1":7,"vip":true,"email":null,"AttachmentId":null}`, "application/json", 200, ""},
		{"knows custom map keys", "5/notify", `{"from":"kiosk-1","mapKey":"cf_9","body":"b"}`, "application/json", 200, ""},
		{"refuses another content type", "5/notify", good, "text/plain", 400, "content type"},
		{"refuses a form", "5/notify", "from=a&body=b", "application/x-www-form-urlencoded", 400, "content type"},
		{"refuses what is not JSON", "5/notify", `{"from":`, "application/json", 400, "JSON object"},
		{"refuses a list", "5/notify", `[1]`, "application/json", 400, "JSON object"},
		{"refuses a second value", "5/notify", good + good, "application/json", 400, "nothing after it"},
		{"refuses null", "5/notify", `null`, "application/json", 400, "from"},
		{"refuses a missing from", "5/notify", `{"body":"hello"}`, "application/json", 400, "from"},
		{"refuses a blank from", "5/notify", `{"from":"  ","body":"hello"}`, "application/json", 400, "from"},
		{"refuses a missing body", "5/notify", `{"from":"a"}`, "application/json", 400, "body"},
		{"refuses a blank body", "5/notify", `{"from":"a","body":"\n "}`, "application/json", 400, "body"},
		{"refuses an unknown map key", "5/notify", `{"from":"a","body":"b","mapKey":"shoe"}`, "application/json", 400, "mapKey"},
		{"refuses nested values", "5/notify", `{"from":"a","body":"b","meta":{"a":1}}`, "application/json", 400, "meta"},
		{"refuses a large body", "5/notify", `{"from":"a","body":"` + strings.Repeat("x", 70<<10) + `"}`, "application/json", 413, "too large"},
		{"fails on an attachment nobody uploaded", "5/notify", `{"from":"a","body":".","AttachmentId":3}`, "application/json", 500, "foreign key"},
		{"knows no such account", "99/notify", good, "application/json", 404, "account"},
		{"knows no such account id", "x/notify", good, "application/json", 404, "account"},
		{"knows no such path", "5/message", good, "application/json", 404, "not found"},
		{"wants a key", "6/notify", good, "application/json", 401, "apikey"},
		{"refuses a wrong key", "6/notify?apikey=no", good, "application/json", 401, "apikey"},
		{"takes the right key", "6/notify?apikey=key-of-six", good, "application/json", 200, ""},
		{"refuses a wrong token", "7/notify?token=no", good, "application/json", 403, "token"},
		{"refuses another account's key", "7/notify?apikey=key-of-six", good, "application/json", 401, "apikey"},
		{"takes the right token", "7/notify?token=token-of-seven", `{"from":"mina@example.org","body":"b"}`, "application/json", 200, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := m.do("POST", "/api/openchannel/accounts/"+tc.path, tc.body, "Content-Type", tc.contentType)
			message, _ := a.body["message"].(string)
			if a.status != tc.status || !strings.Contains(message, tc.message) {
				t.Fatalf("got %d %s, want %d with %q", a.status, a.raw, tc.status, tc.message)
			}
			if tc.status != 200 && message == "" {
				t.Errorf("no message in %q", a.raw)
			}
		})
	}
}

func TestReceiveAnswersInTheShapeOfTheBuild(t *testing.T) {
	for shape, want := range map[xcally.Answer]string{
		xcally.AnswerInteraction:       `{"interaction":{"id":301}}`,
		xcally.AnswerInteractionString: `{"interaction":{"id":"301"}}`,
		xcally.AnswerTop:               `{"id":301}`,
		xcally.AnswerTopString:         `{"id":"301"}`,
		xcally.AnswerEmpty:             ``,
	} {
		m := start(t, xcally.Config{Accounts: []xcally.Account{{ID: 5, Answer: shape}}})
		if a := m.do("POST", m.ReceiveURL(5), request("1", "a")); a.status != 200 || a.raw != want {
			t.Errorf("%q: got %d %s, want %s", shape, a.status, a.raw, want)
		}
	}
}

func TestConversations(t *testing.T) {
	t.Run("the same thread is one interaction", func(t *testing.T) {
		m := start(t, xcally.Config{})
		a, b := m.say(5, request("+1", "t1")), m.say(5, request("+1", "t1"))
		if a != b {
			t.Errorf("got %d and %d", a, b)
		}
		if got := m.do("GET", fmt.Sprintf("/api/openchannel/interactions/%d/messages", a), nil).body["count"]; got != 2.0 {
			t.Errorf("count is %v", got)
		}
	})
	t.Run("two threads of one customer are two interactions of one contact", func(t *testing.T) {
		m := start(t, xcally.Config{})
		a, b := m.interaction(m.say(5, request("+1", "t1"))), m.interaction(m.say(5, request("+1", "t2")))
		if a["id"] == b["id"] || a["ContactId"] != b["ContactId"] {
			t.Errorf("got %v and %v", a, b)
		}
	})
	t.Run("without a thread the contact decides", func(t *testing.T) {
		m := start(t, xcally.Config{})
		if a, b := m.say(5, request("+1", "")), m.say(5, request("+1", "")); a != b {
			t.Errorf("got %d and %d", a, b)
		}
		if a, b := m.say(5, request("+1", "")), m.say(5, request("+2", "")); a == b {
			t.Errorf("two customers share %d", a)
		}
	})
	t.Run("a merging account has one interaction per contact", func(t *testing.T) {
		m := start(t, xcally.Config{Accounts: []xcally.Account{{ID: 5, MergeByContact: true}}})
		if a, b := m.say(5, request("+1", "t1")), m.say(5, request("+1", "t2")); a != b {
			t.Errorf("got %d and %d", a, b)
		}
	})
	t.Run("accounts do not mix", func(t *testing.T) {
		m := start(t, xcally.Config{Accounts: []xcally.Account{{ID: 5}, {ID: 6}}})
		if a, b := m.say(5, request("+1", "t1")), m.say(6, request("+1", "t1")); a == b {
			t.Errorf("both are %d", a)
		}
	})
	t.Run("a closed one is not written to", func(t *testing.T) {
		m := start(t, xcally.Config{})
		a := m.say(5, request("+1", "t1"))
		m.do("PUT", fmt.Sprintf("/api/openchannel/interactions/%d", a), map[string]any{"closed": true})
		if b := m.say(5, request("+1", "t1")); a == b {
			t.Errorf("both are %d", a)
		}
	})
	t.Run("the account's map key is the default, and names count only for a new contact", func(t *testing.T) {
		m := start(t, xcally.Config{Accounts: []xcally.Account{{ID: 5, MapKey: "email"}}})
		first := m.say(5, map[string]any{"from": "mina@example.org", "body": "a", "firstName": "Mina", "plan": "gold"})
		second := m.say(5, map[string]any{"from": "mina@example.org", "body": "b", "firstName": "Other", "cf_3": "x", "threadId": "t"})
		i := m.interaction(second)
		contact, _ := i["Contact"].(map[string]any)
		if first == second || contact["email"] != "mina@example.org" || contact["firstName"] != "Mina" || contact["lastName"] != nil {
			t.Errorf("contact is %v", contact)
		}
		extra, _ := m.interaction(first)["emulator"].(map[string]any)
		if v, _ := extra["variables"].(map[string]any); v["plan"] != "gold" || v["firstName"] != nil {
			t.Errorf("variables are %v", v)
		}
	})
}

func (m motion) interaction(id int) map[string]any {
	m.t.Helper()
	return m.do("GET", fmt.Sprintf("/api/openchannel/interactions/%d", id), nil).body
}

func TestMemoryIsBounded(t *testing.T) {
	m := start(t, xcally.Config{MaxInteractions: 3, MaxMessages: 5})
	ids := make([]int, 0, 4)
	for n := range 4 {
		ids = append(ids, m.say(5, request(fmt.Sprint("+", n), "")))
		if n == 1 {
			m.do("PUT", fmt.Sprintf("/api/openchannel/interactions/%d", ids[1]), map[string]any{"closed": true})
		}
	}
	if got := m.do("GET", fmt.Sprintf("/api/openchannel/interactions/%d", ids[1]), nil).status; got != 404 {
		t.Errorf("the closed interaction went last: %d", got)
	}
	for range 9 {
		m.say(5, request("+3", ""))
	}
	list := m.do("GET", "/api/openchannel/interactions", nil)
	rows := m.do("GET", fmt.Sprintf("/api/openchannel/interactions/%d/messages", ids[3]), nil)
	if list.body["count"] != 1.0 || rows.body["count"] != 5.0 {
		t.Errorf("kept %v interactions and %v messages", list.body["count"], rows.body["count"])
	}
}

func TestTrouble(t *testing.T) {
	t.Run("answers a status with Retry-After as often as asked", func(t *testing.T) {
		m := start(t, xcally.Config{})
		if err := m.Trouble(5, xcally.Trouble{Kind: xcally.TroubleStatus, Status: 503, Times: 2, RetryAfter: 7 * time.Second}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if a := m.do("POST", m.ReceiveURL(5), request("+1", "t")); a.status != 503 || a.header.Get("Retry-After") != "7" || a.body["message"] == nil {
				t.Fatalf("got %d %v %s", a.status, a.header, a.raw)
			}
		}
		m.say(5, request("+1", "t"))
		if got := m.do("GET", "/api/openchannel/interactions", nil).body["count"]; got != 1.0 {
			t.Errorf("count is %v", got)
		}
	})
	t.Run("resets after storing", func(t *testing.T) {
		m := start(t, xcally.Config{})
		if err := m.Trouble(5, xcally.Trouble{Kind: xcally.TroubleReset, Times: 1, AfterStoring: true}); err != nil {
			t.Fatal(err)
		}
		if a, err := m.try("POST", m.ReceiveURL(5), request("+1", "t")); err == nil {
			t.Fatalf("answered %d", a.status)
		}
		if got := m.do("GET", "/api/openchannel/interactions", nil).body["count"]; got != 1.0 {
			t.Errorf("count is %v", got)
		}
	})
	t.Run("hangs until the caller gives up, and does not hold up the end", func(t *testing.T) {
		m := start(t, xcally.Config{})
		if err := m.Trouble(5, xcally.Trouble{Kind: xcally.TroubleHang, Times: 1}); err != nil {
			t.Fatal(err)
		}
		m.client.Timeout = 50 * time.Millisecond
		if a, err := m.try("POST", m.ReceiveURL(5), request("+1", "t")); err == nil {
			t.Fatalf("answered %d", a.status)
		}
	})
	t.Run("is made by the page too, within limits", func(t *testing.T) {
		m := start(t, xcally.Config{})
		for body, want := range map[string]int{
			`{"account":5,"kind":"status","status":429,"times":1,"retryAfter":3}`: 204,
			`{"account":5,"kind":"status","status":200,"times":1}`:                400,
			`{"account":5,"kind":"fire","times":1}`:                               400,
			`{"account":5,"kind":"reset","times":9999}`:                           400,
			`{"account":9,"kind":"reset","times":1}`:                              404,
		} {
			if a := m.do("POST", "/emulator/trouble", body); a.status != want {
				t.Errorf("%s: got %d %s", body, a.status, a.raw)
			}
		}
		if a := m.do("POST", m.ReceiveURL(5), request("+1", "t")); a.status != 429 || a.header.Get("Retry-After") != "3" {
			t.Errorf("got %d", a.status)
		}
	})
}

func TestGuard(t *testing.T) {
	m := start(t, xcally.Config{})
	for _, tc := range []struct {
		name, method, path string
		headers            []string
		status             int
	}{
		{"another name", "GET", "/emulator/settings", []string{"Host", "evil.example"}, 403},
		{"another name with our port", "GET", "/", []string{"Host", "evil.example:80"}, 403},
		{"localhost", "GET", "/emulator/settings", []string{"Host", "localhost:1234"}, 200},
		{"IPv6 loopback", "GET", "/emulator/settings", []string{"Host", "[::1]:1234"}, 200},
		{"another origin's POST", "POST", "/emulator/trouble", []string{"Origin", "https://evil.example"}, 403},
		{"another site's POST", "POST", "/api/openchannel/messages", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another site's message", "POST", "/api/openchannel/accounts/5/notify", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"unknown path", "GET", "/nothing", nil, 404},
		{"a file that keeps the folder", "GET", "/static/.gitkeep", nil, 404},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var body any
			if tc.method == "POST" {
				body = `{}`
			}
			a := m.do(tc.method, tc.path, body, tc.headers...)
			if a.status != tc.status {
				t.Errorf("got %d %s, want %d", a.status, a.raw, tc.status)
			}
			if a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("headers are %v", a.header)
			}
		})
	}
	if got := http.StatusText(m.do("GET", "/", nil).status); got != "OK" && got != "Not Implemented" {
		t.Errorf("the page answers %s", got)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	_, err := xcally.New(xcally.Config{
		Listen:   "0.0.0.0:0",
		Accounts: []xcally.Account{{ID: 5, RequireKey: true}, {ID: 5, MapKey: "shoe", ReplyURL: "ftp://u:secret@x/"}},
	}, nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"loopback", "API key", "unique", "shoe", "http or https"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing of %q in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("the error shows the reply URL: %v", err)
	}
}
