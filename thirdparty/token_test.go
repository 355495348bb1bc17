package thirdparty_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringdown/connectors/connectortest"
	"ringdown/egress"
	"ringdown/internal/leak"
	"ringdown/meeting"
	"ringdown/thirdparty"
)

// xuc is a stand-in of the server that confirms tokens, over real HTTP.
type xuc struct {
	*httptest.Server
	mu    sync.Mutex
	good  map[string]string // login by token
	asked int
	say   func(w http.ResponseWriter, r *http.Request) // nil: as XUC does
}

func newXUC(t *testing.T) *xuc {
	x := &xuc{good: map[string]string{}}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.mu.Lock()
		x.asked++
		say := x.say
		login, ok := x.good[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
		x.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		switch {
		case say != nil:
			say(w, r)
		case r.URL.Path != "/xuc/api/2.0/auth/check" || r.Method != http.MethodGet:
			w.WriteHeader(http.StatusNotFound)
		case ok:
			_ = json.NewEncoder(w).Encode(map[string]any{"login": login, "token": "canary-renewed", "TTL": 3600})
		default:
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error":"InvalidToken","message":"no"}`)
		}
	}))
	t.Cleanup(x.Close)
	return x
}

func (x *xuc) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.asked
}

// tokenOf is a token as XUC makes them; XUC knows it by its last part.
func tokenOf(login string, expires time.Time, sign string) string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return part(`{"typ":"JWT","alg":"HS256"}`) + "." + part(fmt.Sprintf(`{"login":%q,"expiresAt":%d,"issuedAt":1,"userType":"cti"}`, login, expires.Unix())) + "." + part(sign)
}

// checkedDesk is a desk whose tokens are checked, until the test ends.
func checkedDesk(t *testing.T, x *xuc, cfg thirdparty.Config) *desk {
	t.Helper()
	if cfg.Token.XUC == "" {
		cfg.Token.XUC = x.URL + "/"
	}
	exit, err := egress.New(egress.DefaultConfig(), egress.Deps{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(exit.Close)
	way, err := exit.Client(egress.Options{Connector: "thirdparty", Allow: []string{x.URL}})
	if err != nil {
		t.Fatal(err)
	}
	d := newDeskTo(t, cfg, func(r *http.Request) (*http.Response, error) { return way.Do(r) })
	d.work()
	return d
}

// work runs the connector until the test ends.
func (d *desk) work() {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.connector.Run(ctx) }()
	d.t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			d.t.Error(err)
		}
	})
}

// with is a call's body with a token.
func with(token, body string) string {
	return strings.Replace(body, `"user":{`, fmt.Sprintf(`"user":{"token":%q,`, token), 1)
}

// judged waits until the proof of an answer's page is no longer being checked.
func (d *desk) judged(a map[string]any) string {
	d.t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		status, v := d.page(a, "GET", "", "")
		trust, _ := v["trust"].(map[string]any)
		if status != http.StatusOK {
			d.t.Fatalf("%d %v", status, v)
		}
		if trust["pending"] != true {
			return fmt.Sprint(trust["by"], "/", trust["why"])
		}
		select {
		case <-tick.C:
		case <-deadline:
			d.t.Fatal("it is never judged")
		}
	}
}

func TestWhatATokenProves(t *testing.T) {
	leak.Check(t)
	hour := connectortest.Start.Add(time.Hour)
	good := tokenOf("abyron", hour, "good")
	say := func(status int, body string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, tc := range []struct {
		name, token    string
		say            func(http.ResponseWriter, *http.Request)
		users          map[string]string
		asked          int
		alone, present string // by/why with required; with if-present and the path's secret
	}{
		{name: "none", alone: "<nil>/token_missing", present: "secret/<nil>"},
		{name: "good", token: good, asked: 1, alone: "token/<nil>", present: "token/<nil>"},
		{name: "forged", token: tokenOf("abyron", hour, "forged"), asked: 1, alone: "<nil>/token_refused", present: "<nil>/token_refused"},
		{name: "of another login, with the signature of a good one", token: tokenOf("mallory", hour, "good"), asked: 1, alone: "<nil>/token_refused", present: "<nil>/token_refused"},
		{name: "without a signature", token: strings.TrimSuffix(good, good[strings.LastIndex(good, ".")+1:]), asked: 1, alone: "<nil>/token_refused", present: "<nil>/token_refused"},
		{name: "replayed after its end", token: tokenOf("abyron", connectortest.Start.Add(-time.Second), "old"), alone: "<nil>/token_refused", present: "<nil>/token_refused"},
		{name: "no token at all", token: "canary", alone: "<nil>/token_refused", present: "<nil>/token_refused"},
		{name: "no claims", token: "a.b.c", alone: "<nil>/token_refused", present: "<nil>/token_refused"},
		{name: "a header of its own", token: "a\r\nX-Evil: 1.b.c", alone: "<nil>/token_refused", present: "<nil>/token_refused"},
		{name: "of a colleague, by the table", token: good, users: map[string]string{"12": "clovelace", "54": "abyron"}, asked: 1, alone: "<nil>/login_other", present: "<nil>/login_other"},
		{name: "of a user who is not in the table", token: good, users: map[string]string{"54": "abyron"}, asked: 1, alone: "<nil>/login_other", present: "<nil>/login_other"},
		{name: "of the table's user", token: good, users: map[string]string{"12": "abyron"}, asked: 1, alone: "token/<nil>", present: "token/<nil>"},
		{name: "refused in a 200", token: good, say: say(200, `{"error":"TokenExpired","message":"x"}`), asked: 1, alone: "<nil>/token_refused", present: "<nil>/token_refused"},
		{name: "no login in a 200", token: good, say: say(200, `{}`), asked: 1, alone: "<nil>/token_refused", present: "<nil>/token_refused"},
		{name: "another login in a 200", token: good, say: say(200, `{"login":"mallory"}`), asked: 1, alone: "<nil>/token_refused", present: "<nil>/token_refused"},
		{name: "401 without JSON", token: good, say: say(401, `no`), asked: 1, alone: "<nil>/token_refused", present: "<nil>/token_refused"},
		{name: "not XUC but a page", token: good, say: say(200, `<html>`), asked: 1, alone: "<nil>/token_unchecked", present: "secret/<nil>"},
		{name: "not XUC but nothing", token: good, say: say(404, `{}`), asked: 1, alone: "<nil>/token_unchecked", present: "secret/<nil>"},
		{name: "broken", token: good, say: say(500, `{"error":"UnhandledError"}`), asked: 1, alone: "<nil>/token_unchecked", present: "secret/<nil>"},
		{name: "too busy", token: good, say: say(429, `{}`), asked: 1, alone: "<nil>/token_unchecked", present: "secret/<nil>"},
		{name: "elsewhere", token: good, say: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusFound)
		}, asked: 1, alone: "<nil>/token_unchecked", present: "secret/<nil>"},
		{name: "endless", token: good, say: say(200, strings.Repeat(" ", 2<<20)+`{"login":"abyron"}`), asked: 1, alone: "<nil>/token_unchecked", present: "secret/<nil>"},
		{name: "cut", token: good, say: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, alone: "<nil>/token_unchecked", present: "secret/<nil>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, policy := range []string{"required", "if-present"} {
				x := newXUC(t)
				x.good[good], x.say = "abyron", tc.say
				d := checkedDesk(t, x, thirdparty.Config{Secret: pathSecret, Token: thirdparty.Token{Policy: policy, Users: tc.users}})
				body, want, path := call("12", "c1", "06"), tc.alone, openly
				if tc.token != "" {
					body = with(tc.token, body)
				}
				if policy == "if-present" {
					want, path = tc.present, openly+"/"+pathSecret
				}
				w := d.send("POST", path, body)
				var a map[string]any
				if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK || a["action"] != "open" {
					t.Fatalf("%d %s", w.Code, w.Body)
				}
				if got := d.judged(a); got != want {
					t.Errorf("%s: %s, want %s", policy, got, want)
				}
				if got := x.count(); tc.name != "cut" && got != tc.asked {
					t.Errorf("%s: XUC was asked %d times, not %d", policy, got, tc.asked)
				}
				told, _ := json.Marshal(d.journal.Entries())
				kept, _ := json.Marshal(d.kept("12"))
				for where, text := range map[string]string{"journal": string(told), "store": string(kept)} {
					if tc.token != "" && strings.Contains(text, tc.token) || strings.Contains(text, "canary") {
						t.Errorf("the %s has the token", where)
					}
				}
			}
		})
	}
}

// kept is what the store has of a user, proved or not.
func (d *desk) kept(user string) (all []meeting.PhoneCall) {
	for _, key := range []string{"thirdparty:" + user, "thirdparty:unproved:" + user} {
		cs, err := d.store.PhoneCallsOf(d.t.Context(), thirdparty.Desk, meeting.AgentKey(key), time.Time{}, 100)
		if err != nil {
			d.t.Fatal(err)
		}
		all = append(all, cs...)
	}
	return all
}

// The first login that comes with a user stays that user's.
func TestALoginStaysWithItsUser(t *testing.T) {
	leak.Check(t)
	x := newXUC(t)
	hour := connectortest.Start.Add(time.Hour)
	ada, mallory := tokenOf("abyron", hour, "a"), tokenOf("mallory", hour, "m")
	x.good[ada], x.good[mallory] = "abyron", "mallory"
	d := checkedDesk(t, x, thirdparty.Config{Token: thirdparty.Token{Policy: "required"}})
	for i, c := range []struct{ token, user, want string }{
		{ada, "12", "token/<nil>"}, {mallory, "12", "<nil>/login_other"}, {mallory, "13", "token/<nil>"}, {ada, "12", "token/<nil>"},
	} {
		if got := d.judged(d.stranger(with(c.token, call(c.user, fmt.Sprint("c", i), "06")))); got != c.want {
			t.Errorf("case %d: %s, want %s", i, got, c.want)
		}
	}
}

func TestAConfirmedTokenIsNotAskedForAgainUntilItsEndIsNear(t *testing.T) {
	leak.Check(t)
	x := newXUC(t)
	long, short := tokenOf("abyron", connectortest.Start.Add(time.Hour), "long"), tokenOf("clovelace", connectortest.Start.Add(3*time.Minute), "short")
	x.good[long], x.good[short] = "abyron", "clovelace"
	d := checkedDesk(t, x, thirdparty.Config{Token: thirdparty.Token{Policy: "required"}})
	ring := func(token, user, id string) string { return d.judged(d.stranger(with(token, call(user, id, "06")))) }
	for i, step := range []struct {
		pass                 time.Duration
		long, short, explain string
		asked                int
	}{
		{0, "token/<nil>", "token/<nil>", "first", 2},
		{2 * time.Minute, "token/<nil>", "token/<nil>", "kept", 2},
		{45 * time.Second, "token/<nil>", "token/<nil>", "its end is near: asked again", 3},
		{time.Minute, "token/<nil>", "<nil>/token_refused", "over: not asked at all", 3},
		{7 * time.Minute, "token/<nil>", "<nil>/token_refused", "kept no longer than ten minutes", 4},
	} {
		d.pass(step.pass)
		if got := ring(long, "12", fmt.Sprint("l", i)); got != step.long {
			t.Errorf("%s: the long one is %s", step.explain, got)
		}
		if got := ring(short, "13", fmt.Sprint("s", i)); got != step.short {
			t.Errorf("%s: the short one is %s", step.explain, got)
		}
		if got := x.count(); got != step.asked {
			t.Errorf("%s: asked %d times, not %d", step.explain, got, step.asked)
		}
	}
}

// A token that is not confirmed yet gives nothing that a confirmed one has.
func TestAForgedTokenGetsNothingWhileItIsChecked(t *testing.T) {
	leak.Check(t)
	x := newXUC(t)
	hour := connectortest.Start.Add(time.Hour)
	ada, forged := tokenOf("abyron", hour, "good"), tokenOf("abyron", hour, "forged")
	x.good[ada] = "abyron"
	d := checkedDesk(t, x, thirdparty.Config{Token: thirdparty.Token{Policy: "required"}, Rules: []thirdparty.Rule{
		{Name: "sales", Queues: []string{"sales"}, Autopause: true}, {Name: "else", Action: "none"},
	}})
	ours := d.stranger(with(ada, call("12", "c1", "06")))
	if got := d.judged(ours); got != "token/<nil>" {
		t.Fatal(got)
	}
	d.pass(time.Second)
	d.open(ours)

	theirs := d.stranger(with(forged, call("12", "c1", "06")))
	if theirs["url"] == ours["url"] {
		t.Error("the forger was given the link of the agent's page")
	}
	hold := d.stranger(with(tokenOf("abyron", hour, "other"), `{"user":{"userId":12},"caller":"07","callDataCallId":"c2"}`))
	if url, _ := hold["url"].(string); strings.Contains(url, "#") {
		t.Error("the forger was given the link of the open page")
	}
	d.judged(theirs)
	d.pass(time.Minute)
	if v := d.open(ours); v["stale"] != nil || v["trust"].(map[string]any)["by"] != "token" {
		t.Errorf("the agent's page suffers: %v", v)
	}
	// The agent's own next ring knows of the open page, and gets its link.
	if a := d.stranger(with(ada, `{"user":{"userId":12},"caller":"07","callDataCallId":"c3"}`)); a["triggered"] != true || a["url"] != ours["url"] {
		t.Errorf("the pause is forgotten: %v", a)
	}
}

// When more tokens wait than can be checked, rings are answered all the same and
// their pages say so.
func TestTooManyTokensDelayNothing(t *testing.T) {
	leak.Check(t)
	x := newXUC(t)
	hour := connectortest.Start.Add(time.Hour)
	d := newDesk(t, thirdparty.Config{Token: thirdparty.Token{Policy: "required", XUC: x.URL}}) // nobody works them off
	var last map[string]any
	for i := range 205 {
		last = d.stranger(with(tokenOf("abyron", hour, fmt.Sprint(i)), call("12", fmt.Sprint("c", i), "06")))
		if last["action"] != "open" {
			t.Fatalf("ring %d: %v", i, last)
		}
	}
	if got := d.judged(last); got != "<nil>/token_unchecked" {
		t.Error(got)
	}
	if x.count() != 0 {
		t.Error("XUC was asked")
	}
}

// A sheet names the login itself; a token of another does not prove it.
func TestASheetsTokenIsOfItsUser(t *testing.T) {
	leak.Check(t)
	x := newXUC(t)
	hour := connectortest.Start.Add(time.Hour)
	ada, mallory := tokenOf("abyron", hour, "a"), tokenOf("mallory", hour, "m")
	x.good[ada], x.good[mallory] = "abyron", "mallory"
	for _, users := range []map[string]string{nil, {"12": "abyron"}} {
		d := checkedDesk(t, x, thirdparty.Config{Token: thirdparty.Token{Policy: "required", Users: users}})
		for i, c := range []struct{ token, user, want string }{
			{mallory, "abyron", "<nil>/login_other"}, {ada, "ABYRON", "token/<nil>"}, {ada, "mallory", "<nil>/login_other"}, {ada, "", "<nil>/login_other"}, {"", "abyron", "<nil>/token_missing"},
		} {
			w := d.send("POST", "/thirdparty/sheet", fmt.Sprintf(`{"folder":"C-%d","user":%q,"token":%q}`, i, c.user, c.token))
			var a map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if got := d.judged(a); got != c.want {
				t.Errorf("case %d: %s, want %s", i, got, c.want)
			}
		}
	}
}
