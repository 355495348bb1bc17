package app_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"ringdown/config"
	"ringdown/connectors/mail"
	"ringdown/connectors/sms"
	"ringdown/customer"
	"ringdown/internal/leak"
	"ringdown/store/storetest"
	"ringdown/thirdparty"
)

const phoneSecret = "the-secret-of-the-phones-42"

// phoneHouse is a daemon with a phone system, a customer file, a gateway for SMS
// and a mail server.
func phoneHouse(t *testing.T, e storetest.Engine, change func(*config.Config)) (h *house, gateway *gateway, letters *postman) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "customers.csv")
	if err := os.WriteFile(file, []byte("id;name;mail;phone;plan\n4711;Anna Ferri;Anna@Ferri.example;06 12 34 56 78;Gold\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	gateway, letters = newGateway(t), newPostman(t)
	h = startBy(t, dir, e.Fresh(t).Database, time.Now, func(c *config.Config) {
		c.Connectors.Thirdparty = &thirdparty.Config{Secret: phoneSecret, Outcomes: []thirdparty.Outcome{{Name: "sold", Label: map[string]string{"en": "Sold"}}}}
		c.Connectors.SMS = &sms.Config{
			From: "Vela", StatusSecret: "status-secret-of-the-gateway",
			Request: sms.Request{URL: gateway.URL + "/send", Body: `{"to":"{to}","text":"{text}","report":"{status_url}"}`},
			Status:  sms.Status{Field: "state", Delivered: []string{"DELIVRD"}, Failed: []string{"UNDELIV"}},
		}
		c.Connectors.Mail = &mail.Config{Server: letters.address, Security: "none", From: "Vela <video@vela.example>"}
		c.Customers = customer.Config{Sources: []customer.SourceConfig{{
			Name: "shop", File: &customer.FileConfig{Path: file},
			Fields: customer.Fields{ExternalID: "id", Name: "name", Email: "mail", Phones: "phone", Extra: map[string]string{"Plan": "plan"}},
		}}}
		if change != nil {
			change(c)
		}
	})
	return h, gateway, letters
}

// gateway takes SMS.
type gateway struct {
	*httptest.Server
	mu     sync.Mutex
	texts  []map[string]string
	status int
}

func newGateway(t *testing.T) *gateway {
	g := &gateway{status: 200}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		var m map[string]string
		_ = json.NewDecoder(r.Body).Decode(&m)
		g.texts = append(g.texts, m)
		w.WriteHeader(g.status)
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *gateway) answers(status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.status = status
}

func (g *gateway) sent() []map[string]string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]map[string]string(nil), g.texts...)
}

// postman is a mail server as far as one client needs it.
type postman struct {
	address string
	mu      sync.Mutex
	letters []string
}

func newPostman(t *testing.T) *postman {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &postman{address: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return p
}

func (p *postman) serve(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	say := func(s string) { _, _ = io.WriteString(c, s+"\r\n") }
	in := bufio.NewScanner(c)
	say("220 mail.example")
	for in.Scan() {
		switch line := strings.ToUpper(in.Text()); {
		case strings.HasPrefix(line, "EHLO"), strings.HasPrefix(line, "HELO"):
			say("250 mail.example")
		case strings.HasPrefix(line, "RCPT") && strings.Contains(line, "NOBODY@"):
			say("550 5.1.1 no such user here")
		case line == "DATA":
			say("354 go on")
			var b strings.Builder
			for in.Scan() && in.Text() != "." {
				b.WriteString(in.Text() + "\n")
			}
			p.mu.Lock()
			p.letters = append(p.letters, b.String())
			p.mu.Unlock()
			say("250 ok")
		case line == "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (p *postman) got() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.letters...)
}

// tab is the page of a phone call, as its program sees it.
type tab struct {
	h          *house
	id, secret string
}

// ring is what an agent's browser posts.
func (h *house) ring(path string, more map[string]any) answer {
	h.t.Helper()
	body := map[string]any{
		"user":   map[string]any{"userId": 54, "agentId": 29, "firstName": "Ada", "lastName": "Byron", "fullName": "Ada Byron"},
		"callee": "1023", "caller": "0612345678", "callDataCallId": "1724763400.51",
		"queue":    map[string]any{"id": 3, "name": "sales", "displayName": "Sales", "number": "3010"},
		"userData": map[string]any{"XIVO_DSTNUM": "3010", "USR_CASE": "C-991"},
	}
	maps.Copy(body, more)
	return h.must(200, "POST", "/thirdparty/xucmgt"+path, nil, body)
}

func (h *house) tab(a answer) tab {
	h.t.Helper()
	path, secret, ok := strings.Cut(a.text("url"), "#")
	if !ok {
		h.t.Fatalf("no page: %s", a)
	}
	return tab{h, path[strings.LastIndex(path, "/")+1:], secret}
}

func (p tab) do(method, act string, body any) answer {
	p.h.t.Helper()
	return p.h.do(method, "/thirdparty/calls/"+p.id+act, bearer(p.secret), body)
}

func (p tab) must(method, act string, body any) answer {
	p.h.t.Helper()
	a := p.do(method, act, body)
	if a.status >= 300 {
		p.h.t.Fatalf("%s %s: %s", method, act, a)
	}
	return a
}

func (p tab) sent() (all []string) {
	p.h.t.Helper()
	list, _ := p.must("GET", "", nil).get("sent").([]any)
	for _, one := range list {
		one, _ := one.(map[string]any)
		reason, _ := one["reason"].(string)
		all = append(all, strings.TrimSpace(fmt.Sprint(one["channel"], " ", one["state"], " ", reason)))
	}
	return all
}

var linkRE = regexp.MustCompile(`http\S+/m/\S+#[A-Za-z0-9_-]{22}`)

// TestAPhoneRings goes from a ringing phone to a video call and what is left of
// it.
func TestAPhoneRings(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			h, gateway, letters := phoneHouse(t, e, nil)
			p := h.tab(h.ring("/"+phoneSecret, nil))
			if again := h.tab(h.ring("/"+phoneSecret, nil)); again != p {
				t.Errorf("the same call of the same agent has two pages: %v, %v", p, again)
			}
			if other := h.tab(h.ring("/"+phoneSecret, map[string]any{"user": map[string]any{"userId": "55", "fullName": "Bob"}})); other.id == p.id {
				t.Error("two agents share a page")
			}
			p = h.tab(h.ring("/"+phoneSecret, nil)) // back to the first
			v := p.must("POST", "/open", map[string]any{})
			if v.text("caller") != "0612345678" || v.text("queue.label") != "Sales" || v.text("trust.by") != "secret" || v.text("data.USR_CASE") != "C-991" {
				t.Fatal(v)
			}
			who := p.must("GET", "/customer", nil)
			if who.text("state") != "found" || who.text("customer.name") != "Anna Ferri" {
				t.Fatal(who)
			}
			p.must("PUT", "", map[string]any{"note": "wants copper", "outcome": "sold"})
			if v := p.must("POST", "/open", map[string]any{}); v.text("note") != "wants copper" || v.text("outcome") != "sold" {
				t.Error("a reload loses what was written:", v)
			}

			v = p.must("POST", "/video", map[string]any{"language": "fr"})
			if again := p.must("POST", "/video", map[string]any{"language": "fr"}); again.text("video.reference") != v.text("video.reference") {
				t.Error("pressing twice made two calls")
			}
			agent := h.redeem(v.text("video.seat"), "")
			if a := agent.must("GET", "", nil); a.text("state") != "active" || a.text("you.participant") == "" || a.text("visitor.name") != "Anna Ferri" {
				t.Fatal(a)
			}
			agent.must("POST", "/join", map[string]any{})

			p.must("POST", "/invitations", map[string]any{"channel": "sms", "to": "06 12 34 56 78", "language": "fr"})
			h.eventually("the SMS goes out", func() bool { return len(gateway.sent()) == 1 })
			text := gateway.sent()[0]
			if text["to"] != "+33612345678" || !strings.Contains(text["text"], "Ada Byron") || !strings.HasPrefix(text["text"], "Votre") {
				t.Fatal(text)
			}
			link := linkRE.FindString(text["text"])
			if link != v.text("video.link") {
				t.Fatalf("the SMS has another link: %q", text["text"])
			}
			h.eventually("it is sent", func() bool { return fmt.Sprint(p.sent()) == "[sms sent]" })
			h.must(204, "POST", strings.TrimPrefix(text["report"], h.url), nil, map[string]string{"state": "DELIVRD"})
			if s := fmt.Sprint(p.sent()); s != "[sms delivered]" {
				t.Error(s)
			}
			h.must(404, "POST", "/sms/status/not-the-secret-of-the-gateway/dsp_1", nil, map[string]string{"state": "DELIVRD"})

			p.must("POST", "/invitations", map[string]any{"channel": "mail", "to": "anna@ferri.example", "language": "it"})
			h.eventually("the letter arrives", func() bool { return len(letters.got()) == 1 })
			if l := letters.got()[0]; !strings.Contains(l, "Message-ID: <dsp_") || !strings.Contains(l, "Auto-Submitted: auto-generated") || !strings.Contains(l, "text/html") {
				t.Error(l)
			}
			p.must("POST", "/invitations", map[string]any{"channel": "mail", "to": "nobody@ferri.example"})
			h.eventually("a refused address is told", func() bool { return strings.Contains(fmt.Sprint(p.sent()), "mail failed address_refused") })
			if a := p.do("POST", "/invitations", map[string]any{"channel": "sms", "to": "12"}); a.status != 422 && a.status != 400 {
				t.Error("a wrong number:", a)
			}

			// Looking changes nothing; a person's redeeming does.
			for _, method := range []string{"GET", "HEAD"} {
				h.do(method, strings.TrimPrefix(strings.Split(link, "#")[0], h.url), nil, nil)
			}
			if v := p.must("GET", "", nil); v.get("video.opened") != false {
				t.Error("a preview opened the link")
			}
			caller := h.redeem(link, "")
			if v := p.must("GET", "", nil); v.get("video.opened") != true || v.get("video.here") != false {
				t.Error(v)
			}
			caller.must("POST", "/join", map[string]any{})

			if a := p.do("POST", "/done", map[string]any{"call_back": "yesterday"}); a.status == 200 {
				t.Error("a wrong time is taken:", a)
			}
			done := p.must("POST", "/done", map[string]any{"note": "wants copper, soon", "end_video": true})
			if done.get("done") != true {
				t.Error(done)
			}
			p.must("POST", "/done", map[string]any{"note": "another"})
			if a := p.do("PUT", "", map[string]any{"note": "too late"}); a.status != 409 {
				t.Error(a)
			}
			if a := caller.must("GET", "", nil); a.text("state") != "ended" {
				t.Error(a)
			}

			// The next call of the number knows; a call that is transferred back is open again.
			next := h.tab(h.ring("/"+phoneSecret, map[string]any{"callDataCallId": "1724763400.99"}))
			next.must("POST", "/open", map[string]any{})
			contacts, _ := next.must("GET", "/customer", nil).get("contacts").([]any)
			if len(contacts) == 0 || !strings.Contains(fmt.Sprint(contacts[0]), "wants copper, soon") || !strings.Contains(fmt.Sprint(contacts[0]), "kind:video") {
				t.Error(contacts)
			}
			h.ring("/"+phoneSecret, nil)
			if v := p.must("POST", "/open", map[string]any{}); v.get("done") != false || v.text("note") != "wants copper, soon" {
				t.Error("transferred back:", v)
			}
			for _, secret := range []string{phoneSecret, "wants copper", "0612345678", "+33612345678", "Anna", "ferri.example", p.secret} {
				if strings.Contains(h.log.String(), secret) {
					t.Errorf("the log tells %q", secret)
				}
			}
		})
	}
}

// TestAStrangersRing: what proves nothing reads nothing and does nothing.
func TestAStrangersRing(t *testing.T) {
	leak.Check(t)
	h, gateway, _ := phoneHouse(t, storetest.Engines()[0], nil)
	for _, path := range []string{"", "/not-the-secret-of-the-phones"} {
		a := h.ring(path, map[string]any{"callDataCallId": "s" + path})
		p := h.tab(a)
		v := p.must("POST", "/open", map[string]any{})
		want := map[string]string{"": "no_proof"}[path]
		if want == "" {
			want = "secret_wrong"
		}
		if v.text("trust.why") != want || v.text("caller") != "0612345678" {
			t.Error(v)
		}
		for _, act := range []struct {
			method, path string
			body         any
		}{
			{"GET", "/customer", nil},
			{"GET", "/customers?q=anna", nil},
			{"POST", "/customers", map[string]any{"name": "x"}},
			{"PUT", "", map[string]any{"note": "x"}},
			{"POST", "/video", map[string]any{}},
			{"DELETE", "/video", nil},
			{"POST", "/invitations", map[string]any{"channel": "sms", "to": "+33612345678"}},
		} {
			if a := p.do(act.method, act.path, act.body); a.status != 403 {
				t.Errorf("%s %s: %s", act.method, act.path, a)
			}
		}
		p.must("POST", "/done", map[string]any{"note": "stranger's note"})
		for _, wrong := range []string{"", "x", p.secret + "x", strings.Repeat("A", 22)} {
			if a := (tab{h, p.id, wrong}).do("GET", "", nil); a.status != 404 {
				t.Errorf("secret %q: %s", wrong, a)
			}
		}
	}
	if len(gateway.sent()) > 0 {
		t.Error("a stranger sends SMS")
	}
	trusted := h.tab(h.ring("/"+phoneSecret, map[string]any{"callDataCallId": "t"}))
	trusted.must("POST", "/open", map[string]any{})
	if who := trusted.must("GET", "/customer", nil); strings.Contains(string(who.raw), "stranger") {
		t.Error("a stranger's note is kept:", who)
	}
}

// TestTokensOfAgents: XUC confirms them, and a login is one user's.
func TestTokensOfAgents(t *testing.T) {
	leak.Check(t)
	expires := time.Now().Add(time.Hour).Unix() // of one moment: a token is known by its text
	token := func(login, sign string) string {
		part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
		return part(`{"typ":"JWT","alg":"HS256"}`) + "." + part(fmt.Sprintf(`{"login":%q,"expiresAt":%d,"issuedAt":1,"userType":"cti"}`, login, expires)) + "." + part(sign)
	}
	var mu sync.Mutex
	asked := 0
	xuc := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked++
		mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		for _, login := range []string{"abyron", "mallory"} {
			if r.URL.Path == "/xuc/api/2.0/auth/check" && r.Header.Get("Authorization") == "Bearer "+token(login, "good") {
				fmt.Fprintf(w, `{"login":%q,"token":"renewed"}`, login)
				return
			}
		}
		w.WriteHeader(403)
		_, _ = io.WriteString(w, `{"error":"TokenExpired","message":"no"}`)
	}))
	t.Cleanup(xuc.Close)
	for policy, want := range map[string][]string{
		// none, good, forged, another's login, with the secret and forged
		"required":   {"token_missing", "token", "token_refused", "login_other", "token_refused"},
		"if-present": {"no_proof", "token", "token_refused", "login_other", "token_refused"},
		"off":        {"no_proof", "no_proof", "no_proof", "no_proof", "secret"},
	} {
		t.Run(policy, func(t *testing.T) {
			h, _, _ := phoneHouse(t, storetest.Engines()[0], func(c *config.Config) {
				c.Connectors.Thirdparty.Token = thirdparty.Token{Policy: policy, XUC: xuc.URL}
			})
			for i, one := range []struct{ token, path string }{
				{"", ""}, {token("abyron", "good"), ""}, {token("abyron", "forged"), ""}, {token("mallory", "good"), ""}, {token("abyron", "forged"), "/" + phoneSecret},
			} {
				user := map[string]any{"userId": 54, "fullName": "Ada Byron"}
				if one.token != "" {
					user["token"] = one.token
				}
				p := h.tab(h.ring(one.path, map[string]any{"user": user, "callDataCallId": fmt.Sprint("c", i)}))
				var v answer
				h.eventually("it is judged", func() bool {
					v = p.must("POST", "/open", map[string]any{})
					return v.get("trust.pending") != true
				})
				if got := v.text("trust.by") + v.text("trust.why"); got != want[i] {
					t.Errorf("case %d: %s, want %s", i, got, want[i])
				}
			}
			mu.Lock()
			before := asked
			mu.Unlock()
			user := map[string]any{"userId": 54, "fullName": "Ada Byron", "token": token("abyron", "good")}
			p := h.tab(h.ring("", map[string]any{"user": user, "callDataCallId": "again"}))
			p.must("POST", "/open", map[string]any{})
			mu.Lock()
			defer mu.Unlock()
			if asked != before {
				t.Error("a token that was confirmed is asked for again at once")
			}
			if strings.Contains(h.log.String(), token("abyron", "good")) {
				t.Error("a token is in the log")
			}
		})
	}
}

// TestSendingIsLimited: thirty an hour for an agent, three for an address.
func TestSendingIsLimited(t *testing.T) {
	leak.Check(t)
	h, gateway, _ := phoneHouse(t, storetest.Engines()[0], nil)
	gateway.answers(200)
	p := h.tab(h.ring("/"+phoneSecret, nil))
	p.must("POST", "/open", map[string]any{})
	for i := range 3 {
		p.must("POST", "/invitations", map[string]any{"channel": "sms", "to": "+33612345678"})
		_ = i
	}
	if a := p.do("POST", "/invitations", map[string]any{"channel": "sms", "to": "0612345678"}); a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Error(a, a.header)
	}
	for i := range 27 {
		p.must("POST", "/invitations", map[string]any{"channel": "sms", "to": fmt.Sprintf("+336123457%02d", i)})
	}
	if a := p.do("POST", "/invitations", map[string]any{"channel": "mail", "to": "a@b.example"}); a.status != 429 {
		t.Error(a)
	}
	// Many at the same moment, for another agent: three go out.
	q := h.tab(h.ring("/"+phoneSecret, map[string]any{"user": map[string]any{"userId": 77, "fullName": "Bob"}, "callDataCallId": "q"}))
	q.must("POST", "/open", map[string]any{})
	var all sync.WaitGroup
	var mu sync.Mutex
	taken := 0
	for range 12 {
		all.Go(func() {
			if a := q.do("POST", "/invitations", map[string]any{"channel": "mail", "to": "crowd@b.example"}); a.status == 201 {
				mu.Lock()
				taken++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if taken != 3 {
		t.Errorf("%d letters to one address at once", taken)
	}
	h.eventually("all are sent", func() bool { return len(gateway.sent()) == 30 })
}
