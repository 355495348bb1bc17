package xcally_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"ringdown/emulate/xcally"
	"ringdown/internal/leak"
)

func TestREST(t *testing.T) {
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	m := start(t, xcally.Config{
		Accounts: []xcally.Account{{ID: 5}, {ID: 6}},
		Now:      func() time.Time { return at },
	})
	a, b := m.say(5, request("+1", "t1")), m.say(6, request("+2", "t2"))
	path := fmt.Sprintf("/api/openchannel/interactions/%d", a)

	count := func(query string) any { return m.do("GET", "/api/openchannel/interactions?"+query, nil).body["count"] }
	for query, want := range map[string]any{
		"":                       2.0,
		"OpenchannelAccountId=6": 1.0,
		"OpenchannelAccountId=7": 0.0,
		"createdAt=" + url.QueryEscape(`{"$gte":"2026-03-01T00:00:00Z","$lte":"2026-03-02T00:00:00Z"}`): 2.0,
		"createdAt=" + url.QueryEscape(`{"$gte":"2026-03-02T00:00:00Z"}`):                               0.0,
		"limit=1&offset=1": 2.0,
	} {
		if got := count(query); got != want {
			t.Errorf("%q: count %v, want %v", query, got, want)
		}
	}
	if rows, _ := m.do("GET", "/api/openchannel/interactions?limit=1", nil).body["rows"].([]any); len(rows) != 1 || rows[0].(map[string]any)["id"] != float64(b) {
		t.Errorf("the newest is not first: %v", rows)
	}
	for _, query := range []string{"limit=x", "offset=-1", "createdAt=yesterday", "OpenchannelAccountId=five"} {
		if got := m.do("GET", "/api/openchannel/interactions?"+query, nil).status; got != 400 {
			t.Errorf("%s: %d", query, got)
		}
	}

	if got := m.interaction(a); got["closed"] != false || got["UserId"] != nil || got["Tags"] != nil {
		t.Errorf("a new interaction reads %v", got)
	}
	if got := m.do("PUT", path, `{"UserId":"14"}`).body["UserId"]; got != 14.0 {
		t.Errorf("UserId %v", got)
	}
	if got := m.do("PUT", path, `{"closed":true,"disposition":"Solved"}`).body; got["closed"] != true || got["disposition"] != "Solved" || got["UserId"] != 14.0 {
		t.Errorf("closed reads %v", got)
	}
	if got := m.do("PUT", path, `{"closed":false,"UserId":null,"queueId":null}`).body; got["closed"] != false || got["UserId"] != nil {
		t.Errorf("reopened reads %v", got)
	}
	for body, want := range map[string]int{`{"UserId":99}`: 500, `{"UserId":{}}`: 400, `{"closed":"yes"}`: 400, `{`: 400} {
		if got := m.do("PUT", path, body); got.status != want {
			t.Errorf("PUT %s: %d %s", body, got.status, got.raw)
		}
	}
	if got := m.do("PUT", "/api/openchannel/interactions/1", `{}`).status; got != 404 {
		t.Errorf("unknown interaction: %d", got)
	}

	m.do("POST", path+"/tags", `{"ids":["3",8]}`)
	if got := m.do("GET", path+"?includeAll=true", nil); !strings.Contains(got.raw, `"Tags":[{"id":"3"},{"id":"8"}]`) {
		t.Errorf("tags: %s", got.raw)
	}
	if got := m.do("POST", "/api/openchannel/interactions/1/tags", `{"ids":["3"]}`); got.status != 500 || !strings.Contains(got.raw, "foreign key") {
		t.Errorf("tags of nothing: %d %s", got.status, got.raw)
	}
	if got := m.do("GET", "/api/rpc/agents", nil).body["count"]; got != 3.0 {
		t.Errorf("agents %v", got)
	}
	for body, want := range map[string]int{
		fmt.Sprintf(`{"body":"note","OpenchannelInteractionId":%d,"direction":"out","secret":true}`, a): 201,
		fmt.Sprintf(`{"body":"","OpenchannelInteractionId":%d}`, a):                                     400,
		fmt.Sprintf(`{"body":"x","OpenchannelInteractionId":%d,"direction":"in"}`, a):                   400,
		fmt.Sprintf(`{"body":"x","OpenchannelInteractionId":%d,"UserId":99}`, a):                        500,
		fmt.Sprintf(`{"body":"x","OpenchannelInteractionId":%d,"AttachmentId":4}`, a):                   500,
		`{"body":"x"}`: 400,
	} {
		if got := m.do("POST", "/api/openchannel/messages", body); got.status != want {
			t.Errorf("%s: %d %s", body, got.status, got.raw)
		}
	}
}

func TestMessagesInTheAgentsNameComeBackWithoutAnAgent(t *testing.T) {
	leak.Check(t)
	url, got := replies(t, 200, "")
	m := start(t, xcally.Config{Accounts: []xcally.Account{{ID: 5, ReplyURL: url}}})
	id := m.say(5, request("+1", "t"))
	m.do("POST", "/api/openchannel/messages", map[string]any{
		"body": "Please wait", "OpenchannelInteractionId": id, "direction": "out", "secret": false, "UserId": nil, "sentBy": "auto_routing",
	})
	if b := <-got; b["UserId"] != nil || b["agent"] != nil || b["body"] != "Please wait" {
		t.Errorf("got %v", b)
	}
}

func TestRESTWantsTheKey(t *testing.T) {
	m := start(t, xcally.Config{Accounts: []xcally.Account{{ID: 5, RequireKey: true, APIKey: "k", Token: "tok"}, {ID: 6}}})
	id := m.say(5, request("+1", "t"))
	path := fmt.Sprintf("/api/openchannel/interactions/%d", id)
	for query, want := range map[string]int{"": 401, "?apikey=no": 401, "?token=tok": 403, "?apikey=k": 200} {
		if got := m.do("GET", path+query, nil).status; got != want {
			t.Errorf("%q: %d, want %d", query, got, want)
		}
	}
	if got := m.do("GET", path, nil, "X-Emulator-Page", "inbox").status; got != 200 {
		t.Errorf("the inbox: %d", got)
	}
}

func TestLive(t *testing.T) {
	m := start(t, xcally.Config{})
	one, two := m.live(), m.live()
	id := m.say(5, request("+1", "t"))
	m.accept(id, 15)
	for _, changes := range []<-chan map[string]any{one, two} {
		first, second := <-changes, <-changes
		message, _ := first["message"].(map[string]any)
		if message["direction"] != "in" || !strings.Contains(fmt.Sprint(message["body"]), "https://meet.example/ring/8fK2#abc") {
			t.Errorf("first change %v", first)
		}
		interaction, _ := second["interaction"].(map[string]any)
		if interaction["UserId"] != 15.0 || interaction["id"] != float64(id) || second["message"] != nil {
			t.Errorf("second change %v", second)
		}
		before, _ := first["interaction"].(map[string]any)["emulator"].(map[string]any)
		after, _ := interaction["emulator"].(map[string]any)
		if after["revision"].(float64) <= before["revision"].(float64) {
			t.Errorf("revisions %v and %v", before["revision"], after["revision"])
		}
	}
}
