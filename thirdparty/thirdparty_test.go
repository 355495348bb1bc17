package thirdparty_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ringdown/connectors"
	"ringdown/connectors/connectortest"
	"ringdown/customer"
	"ringdown/internal/leak"
	"ringdown/meeting"
	"ringdown/schemas"
	"ringdown/thirdparty"
)

func TestSuite(t *testing.T) {
	leak.Check(t)
	connectortest.Run(t, connectortest.Options{
		New: func(d connectors.Deps) (connectors.Connector, error) {
			return thirdparty.New(thirdparty.Config{Secret: pathSecret}, d)
		},
		Secrets: []string{pathSecret}, Polite: true,
	})
}

// rules are of each action and event.
func rules() map[string]thirdparty.Rule {
	return map[string]thirdparty.Rule{
		"open-ringing":  {Name: "r", Event: "ringing"},
		"open-answered": {Name: "r", Autopause: true, Title: "{queue}: {caller} for {agent}"},
		"open-released": {Name: "r", Event: "released"},
		"popup":         {Name: "r", Action: "popup", Event: "answered", Multitab: true},
		"run":           {Name: "r", Action: "run", Run: "crm", Event: "ringing"},
		"none":          {Name: "r", Action: "none"},
	}
}

// TestGoldenPairs: each documented form of the request gets the answer that is
// kept, for each action and event, and both fit their schemas.
func TestGoldenPairs(t *testing.T) {
	leak.Check(t)
	in, out := load(t, "xucmgt/call.accept.json"), load(t, "xucmgt/action.emit.json")
	requests, err := filepath.Glob("testdata/*.request.json")
	if err != nil || len(requests) < 12 {
		t.Fatal(requests, err)
	}
	for _, file := range requests {
		version := strings.TrimSuffix(filepath.Base(file), ".request.json")
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		fits(t, in, body)
		answers := map[string]json.RawMessage{}
		for name, rule := range rules() {
			d := newDesk(t, thirdparty.Config{Secret: pathSecret, Rules: []thirdparty.Rule{rule}, Programs: map[string]thirdparty.Program{"crm": {URL: "C:\\crm.exe", Args: []string{"--phone"}}}})
			w := d.send("POST", "/thirdparty/xucmgt/"+pathSecret, string(body))
			if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
				t.Fatalf("%s %s: %d %v", version, name, w.Code, w.Header())
			}
			fits(t, out, w.Body.Bytes())
			answers[name] = w.Body.Bytes()
		}
		got, err := json.MarshalIndent(answers, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, '\n')
		golden := "testdata/" + version + ".answers.json"
		if *update {
			if err := os.WriteFile(golden, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: got\n%s%v", version, got, err)
		}
	}
}

func load(t *testing.T, name string) *schemas.Schema {
	t.Helper()
	s, err := schemas.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func fits(t *testing.T, s *schemas.Schema, body []byte) {
	t.Helper()
	doc, err := schemas.Decode(body)
	if err == nil {
		err = s.Check(doc)
	}
	if err != nil {
		t.Errorf("%s: %v", body, err)
	}
}

// TestTheAnswerCanOnlyBeRight: what the client would misread does not fit.
func TestTheAnswerCanOnlyBeRight(t *testing.T) {
	leak.Check(t)
	out := load(t, "xucmgt/action.emit.json")
	for _, bad := range []string{
		`{"action":"none","event":"EventRinging"}`, `{"action":"none","autopause":true}`, `{"action":"none","url":"https://a/b"}`,
		`{"action":"open","event":"EventRinging","url":"/p/1","autopause":false}`, `{"action":"open","event":"EventRinging","url":"https://a/b","autopause":"false"}`,
		`{"action":"open","event":"Ringing","url":"https://a/b","autopause":false}`, `{"action":"open","url":"https://a/b","autopause":false}`,
		`{"action":"run","event":"EventRinging","url":"x","autopause":true}`, `{"action":"run","event":"EventRinging"}`, `{"action":"close"}`, `{}`, `[]`, `null`,
		`{"action":"open","event":"EventRinging","url":"https://a/b","autopause":false,"triggered":true}`,
		`{"action":"open","event":"EventRinging","url":"javascript:alert(1)","autopause":false}`,
	} {
		doc, err := schemas.Decode([]byte(bad))
		if err == nil && out.Check(doc) == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

// TestRulesAreReadInOrder: queue, caller, number dialled, variables and hours.
func TestRulesAreReadInOrder(t *testing.T) {
	leak.Check(t)
	d := newDesk(t, thirdparty.Config{Secret: pathSecret, Rules: []thirdparty.Rule{
		{Name: "night", Hours: []string{"mon-sun 00:00-06:00"}, TimeZone: "Europe/Paris", Action: "none"},
		{Name: "vip", Data: map[string]string{"USR_CASE": "V-*"}, Action: "popup"},
		{Name: "billing", Queues: []string{"billing", "40*"}, Event: "released"},
		{Name: "abroad", Callers: []string{"+39*"}, Event: "ringing"},
		{Name: "dialled", Called: []string{"0800*"}, Action: "popup"},
		{Name: "direct", Queues: []string{"direct"}},
	}})
	for i, c := range []struct{ body, rule, action string }{
		{`{"user":{"userId":1},"queue":{"name":"billing"},"userData":{"USR_CASE":"v-12"}}`, "vip", "popup"},
		{`{"user":{"userId":1},"queue":{"name":"Billing"}}`, "billing", "open"},
		{`{"user":{"userId":1},"queue":{"name":"x","number":"4012"}}`, "billing", "open"},
		{`{"user":{"userId":1},"queue":{"name":"x"},"caller":"+390612345678"}`, "abroad", "open"},
		{`{"user":{"userId":1},"queue":{"name":"x"},"callee":"08001234"}`, "dialled", "popup"},
		{`{"user":{"userId":1},"queue":{"name":"x"},"callee":"08001234","userData":{"XIVO_DSTNUM":"0145"}}`, "", "none"},
		{`{"user":{"userId":1}}`, "direct", "open"},
		{`{"user":{"userId":1},"queue":{"name":"x"}}`, "", "none"},
	} {
		a := d.ring(c.body)
		es := d.journal.Entries()
		if e := es[len(es)-1]; a["action"] != c.action || e.Rule != c.rule {
			t.Errorf("case %d: %v by %q", i, a, e.Rule)
		}
	}
	for d.clock().UTC().Hour() != 1 {
		d.pass(time.Hour)
	}
	if a := d.ring(`{"user":{"userId":1}}`); a["action"] != "none" {
		t.Error("at night:", a)
	}
}

// The traps of the client, contract section 6.

func TestATrapStalePagesCannotBeUsed(t *testing.T) {
	leak.Check(t)
	for _, c := range []struct {
		name, event, why string
		then             func(d *desk)
	}{
		{"opened in time", "answered", "", func(d *desk) { d.pass(time.Minute) }},
		{"a later call fires it", "answered", "late", func(d *desk) { d.pass(6 * time.Minute) }},
		{"after a long call", "released", "", func(d *desk) { d.pass(2 * time.Hour) }},
		{"after half a day", "released", "late", func(d *desk) { d.pass(5 * time.Hour) }},
		{"another call rang", "answered", "newer", func(d *desk) { d.pass(time.Second); d.ring(call("1", "c2", "07")); d.pass(time.Minute) }},
		{"a second ring at the same moment", "answered", "", func(d *desk) { d.pass(time.Second); d.ring(call("1", "c2", "07")); d.pass(time.Second) }},
		{"offered to a colleague since", "answered", "moved", func(d *desk) { d.pass(20 * time.Second); d.ring(call("2", "c1", "06")); d.pass(time.Second) }},
		{"offered to all at once", "answered", "", func(d *desk) { d.pass(time.Second); d.ring(call("2", "c1", "06")); d.pass(time.Minute) }},
		{"transferred on, and hung up", "released", "", func(d *desk) { d.pass(time.Minute); d.ring(call("2", "c1", "06")); d.pass(time.Minute) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t, thirdparty.Config{Secret: pathSecret, Rules: []thirdparty.Rule{{Name: "r", Event: c.event}}})
			a := d.ring(call("1", "c1", "06"))
			c.then(d)
			v := d.open(a)
			stale, _ := v["stale"].(map[string]any)
			if why, _ := stale["why"].(string); why != c.why {
				t.Fatalf("it is %q: %v", why, v)
			}
			if v["caller"] != "06" || v["rung_at"] == nil {
				t.Error("it does not say of which call it is:", v)
			}
			status, _ := d.page(a, "POST", "/video", "{}")
			if used := status < 300; used != (c.why == "") {
				t.Errorf("start video: %d", status)
			}
			d.pass(time.Hour)
			if v := d.open(a); (v["stale"] != nil) != (c.why != "") {
				t.Error("a reload later says otherwise:", v)
			}
		})
	}
}

func TestATrapAnOpenPauseIsKept(t *testing.T) {
	leak.Check(t)
	d := newDesk(t, thirdparty.Config{Secret: pathSecret, Rules: []thirdparty.Rule{
		{Name: "pause", Queues: []string{"sales"}, Autopause: true},
		{Name: "plain", Callers: []string{"07*"}},
		{Name: "silent", Action: "none"},
	}})
	first := d.ring(call("1", "c1", "06"))
	if first["autopause"] != true {
		t.Fatal(first)
	}
	direct := func(id, caller string) string {
		return strings.NewReplacer(`"sales"`, `"other"`, `"Sales"`, `"Other"`).Replace(call("1", id, caller))
	}
	if a := d.ring(direct("c2", "07")); a["autopause"] != false {
		t.Error("nothing is open yet:", a)
	}
	d.pass(time.Second)
	d.open(first)
	if a := d.ring(direct("c3", "07")); a["autopause"] != true {
		t.Error("the open page's pause would not end:", a)
	}
	hold := d.ring(direct("c4", "08"))
	if hold["action"] != "open" || hold["autopause"] != true || hold["triggered"] != true || hold["url"] != first["url"] {
		t.Error("none would forget the pause:", hold)
	}
	other := strings.Replace(direct("c4", "08"), `"userId":"1"`, `"userId":"2"`, 1)
	if a := d.ring(other); len(a) != 1 || a["action"] != "none" {
		t.Error("another agent:", a)
	}
	if status, v := d.page(first, "POST", "/done", "{}"); status != http.StatusOK || v["done"] != true {
		t.Fatal(status, v)
	}
	if a := d.ring(direct("c5", "08")); len(a) != 1 {
		t.Error("after it is done:", a)
	}
	// A page that was closed without Done is silent after a while.
	second := d.ring(call("1", "c6", "06"))
	d.open(second)
	d.pass(2 * time.Minute)
	if a := d.ring(direct("c7", "08")); len(a) != 1 {
		t.Error("a page that is gone holds:", a)
	}
}

func TestATrapOneCallOnePage(t *testing.T) {
	leak.Check(t)
	d := newDesk(t, thirdparty.Config{Secret: pathSecret})
	url := func(body string) any { return d.ring(body)["url"] }
	if url(call("1", "c1", "06")) != url(call("1", "c1", "06")) {
		t.Error("the same call twice has two pages")
	}
	if url(call("1", "c1", "06")) == url(call("2", "c1", "06")) || url(call("1", "c1", "06")) == url(call("1", "c2", "06")) {
		t.Error("two calls share a page")
	}
	if url(call("01", "c1", "06")) != url(call("1", "c1", "06")) {
		t.Error("an id with a zero before it is another agent")
	}
	old := func(user, caller string) string {
		return strings.Replace(call(user, "", caller), `"callDataCallId":"",`, "", 1)
	}
	first := url(old("1", "06"))
	if d.pass(20 * time.Second); url(old("1", "06")) != first {
		t.Error("without an id of the call, ringing on is another call")
	}
	if url(old("1", "07")) == first || url(old("2", "06")) == first {
		t.Error("another caller, or agent, is the same call")
	}
	if d.pass(31 * time.Second); url(old("1", "06")) == first {
		t.Error("much later it is the same call")
	}
}

// TestS9_origins: by default every page may ask; listed ones only otherwise, on
// errors too.
func TestS9_origins(t *testing.T) {
	leak.Check(t)
	const xuc, other = "https://xuc.example", "https://other.example"
	for _, c := range []struct {
		origins []string
		origin  string
		allowed string
	}{
		{nil, xuc, "*"}, {nil, "null", "*"}, {[]string{xuc}, xuc, xuc}, {[]string{xuc}, other, ""}, {[]string{xuc}, "null", ""}, {[]string{xuc}, xuc + ".evil.example", ""},
	} {
		d := newDesk(t, thirdparty.Config{Secret: pathSecret, Origins: c.origins})
		for _, path := range []string{"/thirdparty/xucmgt", "/thirdparty/xucmgt/" + pathSecret, "/thirdparty/xucmgt/wrong"} {
			w := d.send("OPTIONS", path, "", "Origin", c.origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type", "Access-Control-Request-Private-Network", "true")
			h := w.Header()
			if got := h.Get("Access-Control-Allow-Origin"); got != c.allowed || w.Code >= 300 {
				t.Errorf("%v %s: preflight %d %q", c.origins, c.origin, w.Code, got)
			}
			if c.allowed != "" && (h.Get("Access-Control-Allow-Headers") == "" || h.Get("Access-Control-Allow-Methods") == "" || h.Get("Access-Control-Allow-Private-Network") != "true" || h.Get("Access-Control-Max-Age") == "") {
				t.Errorf("preflight without %v", h)
			}
			if h.Get("Access-Control-Allow-Credentials") != "" {
				t.Error("credentials are allowed")
			}
			for _, body := range []string{call("1", "c", "06"), "nonsense"} {
				w := d.send("POST", path, body, "Origin", c.origin)
				if got := w.Header().Get("Access-Control-Allow-Origin"); got != c.allowed || w.Code != http.StatusOK {
					t.Errorf("%v %s: %d %q", c.origins, c.origin, w.Code, got)
				}
				if c.allowed == "" && c.origin != "null" && !strings.Contains(w.Body.String(), `"none"`) {
					t.Errorf("a page that is not listed is answered %s", w.Body)
				}
			}
		}
	}
}

// TestHostileRequests: whatever comes, the answer is 200 and valid, nothing is
// looked up, and nothing of it shows.
func TestHostileRequests(t *testing.T) {
	leak.Check(t)
	out := load(t, "xucmgt/action.emit.json")
	d := newDesk(t, thirdparty.Config{Secret: pathSecret})
	d.customers.Records = []customer.Record{{ID: "shop:1", Name: "Anna", Phones: []string{"+33612345678"}}}
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	bodies := []string{
		"", " ", "null", "[]", "{}", "1", `"x"`, "true", "{", "}", "nonsense", "\x00", `{"user":`, `{"user":null}`, `{"user":[]}`, `{"user":{}}`,
		`{"user":{"userId":null}}`, `{"user":{"userId":-1}}`, `{"user":{"userId":1.5}}`, `{"user":{"userId":"x"}}`, `{"user":{"userId":"1 or 1=1"}}`, `{"user":{"userId":true}}`,
		`{"user":{"userId":1},"userData":[]}`, `{"user":{"userId":1},"queue":"sales"}`, `{"user":{"userId":1},"caller":{}}`, `{"user":{"userId":1},"callDataCallId":[]}`,
		`{"user":{"userId":1}} {}`, `{"user":{"userId":99999999999999999999}}`, deep, `{"user":{"userId":1},"userData":{"a":` + deep + `}}`,
		`{"user":{"userId":1},"caller":"` + strings.Repeat("0", 300) + `"}`, `{"user":{"userId":1,"token":"` + strings.Repeat("a", 9000) + `"}}`,
		strings.Repeat(" ", 300<<10), `{"user":{"userId":1},"userData":{"a":"` + strings.Repeat("x", 300<<10) + `"}}`,
		"\xff\xfe{}", "\xef\xbb\xbf" + call("1", "b", "06"), `{"user":{"userId":1,"userId":2}}`, `{"__proto__":{"userId":1}}`,
	}
	evil := []string{
		"<script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", "javascript:alert(1)", "{{7*7}}", "${7*7}", "<$data.link$>", "\u202eevil", "a\u0000b", "a\r\nSet-Cookie: x=1",
		"../../etc/passwd", "'; drop table phone_call; --", "%00%0a", "\u2028\u2029", strings.Repeat("𝕏", 150), "C:\\Windows\\system32\\cmd.exe /c calc", "http://169.254.169.254/", "{queue}{caller}", "\ufeff", "<svg/onload=1>", "=cmd|' /C calc'!A0",
	}
	for _, e := range evil {
		q, _ := json.Marshal(e)
		for _, shape := range []string{
			`{"user":{"userId":1,"fullName":%s}}`, `{"user":{"userId":1},"caller":%s}`, `{"user":{"userId":1},"callee":%s}`, `{"user":{"userId":1},"callDataCallId":%s}`,
			`{"user":{"userId":1},"queue":{"name":%[1]s,"displayName":%[1]s,"number":%[1]s}}`, `{"user":{"userId":1},"userData":{%[1]s:%[1]s,"USR_A":%[1]s}}`, `{"user":{"userId":1,"token":%s}}`, `{"user":{"userId":1},"action":%s,"url":%[1]s}`,
		} {
			bodies = append(bodies, fmt.Sprintf(shape, q))
		}
	}
	if len(bodies) < 190 {
		t.Fatalf("only %d cases", len(bodies))
	}
	for i, body := range bodies {
		for _, path := range []string{"/thirdparty/xucmgt", "/thirdparty/xucmgt/wrong"} {
			d.pass(time.Second) // the limit is another test's
			w := d.send("POST", path, body)
			if w.Code != http.StatusOK {
				t.Fatalf("case %d: %d", i, w.Code)
			}
			fits(t, out, w.Body.Bytes())
			var a map[string]any
			_ = json.Unmarshal(w.Body.Bytes(), &a)
			if url, _ := a["url"].(string); a["action"] == "open" && (!strings.HasPrefix(url, "https://ringdown.example/thirdparty/open/phc_") || strings.ContainsAny(url, "<>\"' \r\n")) {
				t.Errorf("case %d: %q", i, url)
			}
			if title, _ := a["title"].(string); strings.ContainsAny(title, "\x00\r\n\u202e\u2028") || len([]rune(title)) > 60 {
				t.Errorf("case %d: title %q", i, title)
			}
			if w.Header().Get("Set-Cookie") != "" {
				t.Errorf("case %d sets a cookie", i)
			}
			if a["action"] == "open" {
				if v := d.open(a); v["trust"].(map[string]any)["by"] != nil || v["note"] != "" {
					t.Errorf("case %d is trusted: %v", i, v)
				}
				for _, act := range []string{"/customer", "/customers?q=anna"} {
					if status, _ := d.page(a, "GET", act, ""); status < 400 {
						t.Errorf("case %d reads %s: %d", i, act, status)
					}
				}
			}
		}
	}
	if d.customers.Asked > 0 {
		t.Errorf("%d look-ups for strangers", d.customers.Asked)
	}
	if all, _ := d.meetings.List(t.Context(), meeting.Filter{}); len(all) > 0 {
		t.Error("a stranger started a call")
	}
	for _, e := range d.journal.Entries() {
		if strings.Contains(e.Problem, "script") || strings.Contains(e.Caller, "12345") {
			t.Errorf("the journal tells what came: %+v", e)
		}
	}
	for _, word := range []string{"script", "passwd", "drop table"} {
		if strings.Contains(d.log.String(), word) {
			t.Errorf("the log has %q", word)
		}
	}
}

// TestAHangingStoreDelaysNothing: the phone does not suffer.
func TestAHangingStoreDelaysNothing(t *testing.T) {
	leak.Check(t)
	d := newDesk(t, thirdparty.Config{Secret: pathSecret})
	d.store.Hang(true)
	began := time.Now()
	if a := d.ring(call("1", "c1", "06")); a["action"] != "open" {
		t.Error(a)
	}
	if took := time.Since(began); took > 2*time.Second { // 100 ms; the figure is C7's
		t.Errorf("it took %s", took)
	}
}

// TestConfigNamesEveryFault names the key and the repair.
func TestConfigNamesEveryFault(t *testing.T) {
	leak.Check(t)
	err := thirdparty.Config{
		Secret: "short", Origins: []string{"https://xuc.example/path", "xuc"}, Networks: []string{"10.0.0.0/40"},
		Token: thirdparty.Token{Policy: "maybe"}, Programs: map[string]thirdparty.Program{"a": {}},
		Rules: []thirdparty.Rule{
			{},
			{Name: "a", Action: "openn"},
			{Name: "b", Event: "hangup"},
			{Name: "c", Action: "run"},
			{Name: "d", Action: "run", Run: "a", Autopause: true},
			{Name: "e", Hours: []string{"daily"}},
			{Name: "f", TimeZone: "Paris"},
			{Name: "g", Title: "{number}"},
			{Name: "h", Multitab: true},
			{Name: "i", Action: "none", Event: "ringing"},
			{Name: "j", Hours: []string{"mon 18:00-08:00"}},
			{Name: "k", Language: "de"},
		},
		Outcomes: []thirdparty.Outcome{{Name: "Sold"}, {Name: "a", Label: map[string]string{"de": "x"}}},
	}.Validate()
	if err == nil {
		t.Fatal("all is taken")
	}
	for _, want := range []string{
		"secret: must be 20", "origins[0]: must be an address without a path", "origins[1]:", "networks[0]:", "token.policy: must be off, if-present or required",
		"programs.a.url", "rules[0].name", "rules[1].action: must be open", "rules[2].event: must be ringing", "rules[3].run: must be a name under programs", "rules[4].autopause",
		"rules[5].hours[0]: must be days and times", "rules[6].time_zone", "rules[7].title: has {number}", "rules[8].multitab", "rules[9].action", "rules[10].hours[0]: must begin before", "rules[11].language",
		"outcomes[0].name", "outcomes[1].label",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said in\n%v", want, err)
		}
	}
	if err := (thirdparty.Config{Networks: []string{"10.0.0.0/8"}}).Validate(); err == nil || !strings.Contains(err.Error(), "networks: needs origins") {
		t.Error(err)
	}
	if err := (thirdparty.Config{Token: thirdparty.Token{Policy: "required"}}).Validate(); err == nil || !strings.Contains(err.Error(), "token.xuc") {
		t.Error(err)
	}
}

// FuzzTheRequest: no body makes anything but a valid answer.
func FuzzTheRequest(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.request.json")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"user":{"userId":"007"},"queue":{"id":"3"},"userData":{"a":1,"b":null}}`))
	d := newDesk(f, thirdparty.Config{Secret: pathSecret})
	out, err := schemas.Load("xucmgt/action.emit.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d.t = t
		d.pass(time.Second) // else the limit answers
		w := d.send("POST", "/thirdparty/xucmgt", string(body))
		doc, err := schemas.Decode(w.Body.Bytes())
		if err != nil || w.Code != http.StatusOK || out.Check(doc) != nil {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
