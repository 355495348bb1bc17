package httpd

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"ringdown/fault"
	"ringdown/internal/leak"
)

func TestNewSiteRefuses(t *testing.T) {
	ok := says("ok")
	own := func(routes ...Route) Surface { return Surface{Name: "own", Routes: routes} }
	for _, tc := range []struct {
		name     string
		surfaces []Surface
		want     []string
	}{
		{"a route without Who", []Surface{own(Route{Method: "GET", Path: "/v1/a", Handler: ok})}, []string{"GET /v1/a", "who may call"}},
		{"an empty Who", []Surface{own(Route{Method: "GET", Path: "/v1/a", Who: Any(), Handler: ok})}, []string{"who may call"}},
		{"a Who of nothing", []Surface{own(Route{Method: "GET", Path: "/v1/a", Who: Any(SiteKey, nil), Handler: ok})}, []string{"who may call"}},
		{"an invented Who", []Surface{own(Route{Method: "GET", Path: "/v1/a", Who: Bare("friends"), Handler: ok})}, []string{`"friends"`}},
		{"a proof beside others", []Surface{own(Route{Method: "GET", Path: "/v1/a", Who: Any(Proof("a seal"), SiteKey), Handler: ok})}, []string{"stands alone"}},
		{"an empty role", []Surface{own(Route{Method: "GET", Path: "/v1/a", Who: Session(""), Handler: ok})}, []string{"empty role"}},
		{"a route without handler", []Surface{own(Route{Method: "GET", Path: "/v1/a", Who: Anyone})}, []string{"handler"}},
		{"a strange method", []Surface{own(Route{Method: "TRACE", Path: "/v1/a", Who: Anyone, Handler: ok})}, []string{"method"}},
		{"the same route twice", []Surface{own(get("/v1/a", ok), get("/v1/a", ok))}, []string{"own", "/v1/a"}},
		{"two names", []Surface{{Name: "a", Paths: []string{"/a"}}, {Name: "a", Paths: []string{"/b"}}}, []string{`named "a"`}},
		{"the same prefix", []Surface{{Name: "one", Prefix: "/x"}, {Name: "two", Prefix: "/x"}}, []string{`"one"`, `"two"`, "/x/"}},
		{"the same path", []Surface{{Name: "one", Paths: []string{"/token"}}, {Name: "two", Paths: []string{"/token"}}}, []string{`"one"`, `"two"`, "/token"}},
		{"a tenant like a prefix", []Surface{{Name: "one", Prefix: "/acme/api"}, {Name: "two", Tenants: []string{"acme"}, Paths: []string{"/api/"}}}, []string{`"one"`, `"two"`, "/acme/api/"}},
		{"two of our own", []Surface{{Name: "one"}, {Name: "two"}}, []string{`"one"`, `"two"`, "whole"}},
		{"a reserved subtree", []Surface{{Name: "one", Paths: []string{"/v1/"}}}, []string{`"one"`, "reserved"}},
		{"a reserved name as path", []Surface{{Name: "one", Paths: []string{"/ring"}}}, []string{"reserved"}},
		{"a reserved tenant", []Surface{{Name: "one", Tenants: []string{"console"}, Prefix: "/x"}}, []string{"reserved"}},
		{"a claim on everything", []Surface{{Name: "one", Paths: []string{"/"}}}, []string{"reserved"}},
		{"our route below a claim", []Surface{own(get("/x/a", ok)), {Name: "two", Prefix: "/x"}}, []string{`"own"`, `"two"`, "/x/a"}},
		{"a route outside of its claims", []Surface{{Name: "one", Paths: []string{"/token"}, Routes: []Route{get("/other", ok)}}}, []string{`"one"`, "/other", "outside"}},
		{"every origin with cookies", []Surface{{Name: "one", CORS: CORS{Any: true, Credentials: true}}}, []string{"credentials"}},
		{"a tenant with a slash", []Surface{{Name: "one", Prefix: "/x", Tenants: []string{"a/b"}}}, []string{"tenant"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := NewSite(Deps{
				Authorizer: keys{}, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Now: time.Now,
			}, tc.surfaces...)
			if err == nil {
				t.Fatal("it starts")
			}
			for _, w := range tc.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
		})
	}
}

func TestFaults(t *testing.T) {
	leak.Check(t)
	type in struct {
		Name string `json:"name"`
	}
	read := func(c *gin.Context) error {
		var v in
		return DecodeJSON(c.Request, &v)
	}
	b := newBench(t, nil, Surface{Name: "own", Routes: []Route{
		{Method: "POST", Path: "/v1/read", Who: Anyone, Handler: read, Body: 100},
		{Method: "POST", Path: "/v1/raw", Who: Anyone, Body: 100, Handler: func(c *gin.Context) error {
			_, err := io.ReadAll(c.Request.Body)
			return err
		}},
		get("/v1/panic", func(*gin.Context) error { panic("canary-panic") }),
		get("/v1/broken", func(*gin.Context) error { return errors.New("canary-cause") }),
		get("/v1/taken", func(*gin.Context) error {
			return fmt.Errorf("accept: %w", fault.New(fault.RingTaken, "Marie took the call").With("taken_by", "Marie").With("status", "200"))
		}),
		get("/v1/items/:id", says("item")),
		get("/v1/half", func(c *gin.Context) error {
			c.String(http.StatusOK, "half")
			return fault.New(fault.Conflict, "too late to say")
		}),
	}})
	json := []string{"Content-Type", "application/json"}
	for _, tc := range []struct {
		name, method, path, body string
		headers                  []string
		code                     fault.Code
		status                   int
		pointer                  string
	}{
		{"unknown path", "GET", "/v1/nothing", "", nil, fault.NotFound, 404, ""},
		{"a final slash is another path", "GET", "/v1/panic/", "", nil, fault.NotFound, 404, ""},
		{"doubled slashes too", "GET", "//v1/panic", "", nil, fault.NotFound, 404, ""},
		{"wrong method", "DELETE", "/v1/read", "", nil, fault.MethodRefused, 405, ""},
		{"panic", "GET", "/v1/panic", "", nil, fault.Internal, 500, ""},
		{"unknown error", "GET", "/v1/broken", "", nil, fault.Internal, 500, ""},
		{"a wrapped fault", "GET", "/v1/taken", "", nil, fault.RingTaken, 409, ""},
		{"big body", "POST", "/v1/read", `{"name":"` + strings.Repeat("x", 200) + `"}`, json, fault.TooLarge, 413, ""},
		{"big body read raw", "POST", "/v1/raw", strings.Repeat("x", 200), nil, fault.TooLarge, 413, ""},
		{"no content type", "POST", "/v1/read", `{}`, nil, fault.BadRequest, 400, "header:Content-Type"},
		{"wrong content type", "POST", "/v1/read", `{}`, []string{"Content-Type", "text/plain"}, fault.BadRequest, 400, "header:Content-Type"},
		{"second value", "POST", "/v1/read", `{} {}`, json, fault.BadRequest, 400, ""},
		{"NUL in a field", "POST", "/v1/read", `{"name":"a\u0000"}`, json, fault.BadRequest, 400, "/name"},
		{"wrong type", "POST", "/v1/read", `{"name":5}`, json, fault.Invalid, 422, "/name"},
		{"NUL in the query", "GET", "/v1/items/1?limit=%00", "", nil, fault.BadRequest, 400, "query:limit"},
		{"bad UTF-8 in the query", "GET", "/v1/items/1?q=%ff", "", nil, fault.BadRequest, 400, "query:q"},
		{"NUL in the path", "GET", "/v1/items/a%00", "", nil, fault.BadRequest, 400, "path:id"},
		{"bad UTF-8 in the path", "GET", "/v1/items/%ff", "", nil, fault.BadRequest, 400, "path:id"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			resp, body := b.do(t, tc.method, tc.path, tc.body, tc.headers...)
			p := problemOf(t, resp, body)
			if p.Code != string(tc.code) || p.Status != tc.status {
				t.Errorf("got %s %d, want %s %d", p.Code, p.Status, tc.code, tc.status)
			}
			if tc.pointer != "" && (len(p.Errors) != 1 || p.Errors[0].Pointer != tc.pointer) {
				t.Errorf("errors %+v, want %s", p.Errors, tc.pointer)
			}
			if strings.Contains(body, "canary") {
				t.Errorf("the cause is shown: %s", body)
			}
			if tc.code == fault.RingTaken && p.TakenBy != "Marie" {
				t.Errorf("no taken_by in %s", body)
			}
			if tc.code == fault.MethodRefused && resp.Header.Get("Allow") != "POST" {
				t.Errorf("Allow %q", resp.Header.Get("Allow"))
			}
		})
	}
	if resp, body := b.do(t, "GET", "/v1/half", ""); resp.StatusCode != 200 || body != "half" {
		t.Errorf("an answer that began was spoilt: %d %q", resp.StatusCode, body)
	}
	for _, canary := range []string{"canary-panic", "canary-cause"} {
		if !strings.Contains(b.log.String(), canary) {
			t.Errorf("the log does not know %s", canary)
		}
	}
}

func TestS17EveryRouteDeclaresWho(t *testing.T) {
	leak.Check(t)
	whoami := func(c *gin.Context) error {
		p := Caller(c.Request.Context())
		c.String(http.StatusOK, "%s/%s/%s/%s", p.Kind, p.Role, p.ID, p.Meeting)
		return nil
	}
	routes := []Route{
		{Method: "GET", Path: "/v1/anyone", Who: Anyone},
		{Method: "GET", Path: "/v1/proof", Who: Proof("a seal")},
		{Method: "GET", Path: "/v1/site", Who: SiteKey},
		{Method: "GET", Path: "/v1/visitor", Who: Session("visitor")},
		{Method: "GET", Path: "/v1/agent", Who: Session("agent")},
		{Method: "GET", Path: "/v1/session", Who: Session()},
		{Method: "GET", Path: "/v1/admin", Who: APIKey("admin")},
		{Method: "GET", Path: "/v1/either", Who: Any(Session("visitor"), APIKey("integrator", "admin"))},
	}
	for i := range routes {
		routes[i].Handler = whoami
	}
	b := newBench(t, nil, Surface{Name: "own", Routes: routes})
	want := map[string][3]string{ // nobody, visitor, admin
		"/v1/anyone":  {"anyone///", "anyone///", "anyone///"},
		"/v1/proof":   {"proof///", "proof///", "proof///"},
		"/v1/site":    {"401", "403", "403"},
		"/v1/visitor": {"401", "session/visitor/par_1/mtg_1", "403"},
		"/v1/agent":   {"401", "403", "403"},
		"/v1/session": {"401", "session/visitor/par_1/mtg_1", "403"},
		"/v1/admin":   {"401", "403", "api_key/admin/key_1/"},
		"/v1/either":  {"401", "session/visitor/par_1/mtg_1", "api_key/admin/key_1/"},
	}
	doors := b.site.Doors()
	if len(doors) != len(want) {
		t.Fatalf("%d doors, want %d", len(doors), len(want))
	}
	for _, d := range doors {
		if d.Who == nil || d.Surface != "own" {
			t.Errorf("%s %s: who %v", d.Method, d.Template, d.Who)
		}
		for i, bearer := range []string{"", "visitor", "admin"} {
			resp, body := b.do(t, d.Method, d.Template, "", "Authorization", "Bearer "+bearer)
			got := body
			if resp.StatusCode != 200 {
				problemOf(t, resp, body)
				got = fmt.Sprint(resp.StatusCode)
			}
			if got != want[d.Template][i] {
				t.Errorf("%s as %q: %s, want %s", d.Template, bearer, got, want[d.Template][i])
			}
		}
	}
	if got := Any(Session("visitor"), SiteKey, APIKey("a", "b")).String(); got != "session(visitor) or site_key or api_key(a,b)" {
		t.Errorf("Who reads %q", got)
	}
}

func TestS10Headers(t *testing.T) {
	leak.Check(t)
	b := newBench(t, nil, Surface{Name: "own", Routes: []Route{
		get("/v1/api", says("api")),
		{Method: "GET", Path: "/console", Who: Anyone, Handler: says("page"), Headers: Headers{Page: true}},
		{Method: "GET", Path: "/m/:code", Who: Anyone, Handler: says("page"), Headers: Headers{
			Page: true, Connect: []string{"wss://node2.example"},
			Frames: func(r *http.Request) []string {
				if strings.HasSuffix(r.URL.Path, "/known") {
					return []string{"https://shop.example", "https://www.shop.example"}
				}
				return nil
			},
		}},
		{Method: "GET", Path: "/button.js", Who: Anyone, Handler: says("js"), Headers: Headers{CrossOrigin: true, Cache: "public, max-age=300"}},
		{Method: "GET", Path: "/v1/file", Who: Anyone, Handler: says("bytes"), Headers: Headers{Sandbox: true, Cache: "private, no-store"}},
		{Method: "GET", Path: "/page-fault", Who: Anyone, Headers: Headers{Page: true, Cache: "public"}, Handler: func(*gin.Context) error {
			return fault.New(fault.NotFound, "gone")
		}},
	}})
	for _, tc := range []struct{ path, ancestors, cache, corp, devices string }{
		{"/v1/api", "'none'", "no-store", "same-origin", "camera=()"},
		{"/v1/nothing", "'none'", "no-store", "same-origin", "camera=()"},
		{"/console", "'none'", "no-store", "same-origin", "camera=(self)"},
		{"/m/known", "https://shop.example https://www.shop.example", "no-store", "same-origin", "camera=(self)"},
		{"/m/other", "'none'", "no-store", "same-origin", "camera=(self)"},
		{"/button.js", "'none'", "public, max-age=300", "cross-origin", "camera=()"},
		{"/v1/file", "'none'", "private, no-store", "same-origin", "camera=()"},
		{"/page-fault", "'none'", "no-store", "same-origin", "camera=(self)"},
	} {
		resp, _ := b.do(t, "GET", tc.path, "")
		h := resp.Header
		csp := h.Get("Content-Security-Policy")
		if !strings.HasSuffix(csp, "; frame-ancestors "+tc.ancestors) {
			t.Errorf("%s: frame-ancestors in %q, want %s", tc.path, csp, tc.ancestors)
		}
		if strings.Contains(csp, "unsafe") || !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", tc.path, csp)
		}
		if strings.Contains(csp, "; sandbox;") != (tc.path == "/v1/file") {
			t.Errorf("%s: sandbox in %q", tc.path, csp)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: headers %v", tc.path, h)
		}
		if h.Get("Cache-Control") != tc.cache || h.Get("Cross-Origin-Resource-Policy") != tc.corp ||
			!strings.HasPrefix(h.Get("Permissions-Policy"), tc.devices) {
			t.Errorf("%s: headers %v", tc.path, h)
		}
	}
	resp, _ := b.do(t, "GET", "/m/known", "")
	if csp := resp.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "connect-src 'self' wss://node2.example;") {
		t.Errorf("policy %q", csp)
	}
}

func TestS9CORS(t *testing.T) {
	leak.Check(t)
	post := func(path string) Route {
		return Route{Method: "POST", Path: path, Who: Anyone, Handler: says("ok")}
	}
	allow := func(r *http.Request, origin string) bool {
		return origin == "https://shop.example" || origin == "null" || r.URL.Query().Get("open") != ""
	}
	b := newBench(t, nil,
		Surface{Name: "own", CORS: CORS{Allow: allow, Expose: []string{"Link"}}, Routes: []Route{post("/v1/a")}},
		Surface{Name: "all", Prefix: "/all", CORS: CORS{Any: true}, Routes: []Route{post("/a")}},
		Surface{Name: "cookies", Prefix: "/cookies", CORS: CORS{Allow: allow, Credentials: true}, Routes: []Route{post("/a")}},
		Surface{Name: "closed", Prefix: "/closed", Routes: []Route{post("/a")}},
	)
	for _, tc := range []struct{ path, origin, allowed, credentials string }{
		{"/v1/a", "https://shop.example", "https://shop.example", ""},
		{"/v1/a?open=1", "https://other.example", "https://other.example", ""},
		{"/v1/a", "https://shop.example.evil.example", "", ""},
		{"/v1/a", "http://shop.example", "", ""},
		{"/v1/a", "null", "", ""},
		{"/all/a", "https://any.example", "*", ""},
		{"/all/a", "null", "*", ""},
		{"/cookies/a", "https://shop.example", "https://shop.example", "true"},
		{"/cookies/a", "https://evil.example", "", ""},
		{"/closed/a", "https://shop.example", "", ""},
	} {
		t.Run(tc.path+" "+tc.origin, func(t *testing.T) {
			for _, method := range []string{"OPTIONS", "POST"} {
				headers := []string{"Origin", tc.origin}
				if method == "OPTIONS" {
					headers = append(headers, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,ringdown-site,x-odd")
				}
				resp, _ := b.do(t, method, tc.path, "", headers...)
				h := resp.Header
				if got := h.Get("Access-Control-Allow-Origin"); got != tc.allowed {
					t.Errorf("%s: allowed %q, want %q", method, got, tc.allowed)
				}
				if got := h.Get("Access-Control-Allow-Credentials"); got != tc.credentials {
					t.Errorf("%s: credentials %q, want %q", method, got, tc.credentials)
				}
				if !strings.HasPrefix(tc.path, "/closed") && !strings.Contains(strings.Join(h.Values("Vary"), ","), "Origin") {
					t.Errorf("%s: Vary %q", method, h.Values("Vary"))
				}
				if method == "POST" && resp.StatusCode != 200 {
					t.Errorf("CORS is no authorisation, got %d", resp.StatusCode)
				}
				if method == "OPTIONS" && tc.allowed != "" {
					if resp.StatusCode != 204 || h.Get("Access-Control-Allow-Methods") != "POST" ||
						!strings.Contains(h.Get("Access-Control-Allow-Headers"), "x-odd") {
						t.Errorf("preflight %d %v", resp.StatusCode, h)
					}
				}
			}
		})
	}
	// Without CORS an OPTIONS is a method like any other.
	resp, body := b.do(t, "OPTIONS", "/closed/a", "", "Origin", "https://a.example", "Access-Control-Request-Method", "POST")
	if p := problemOf(t, resp, body); p.Code != "method_refused" {
		t.Errorf("got %+v", p)
	}
	if !slices.ContainsFunc(strings.Split(b.log.String(), "\n"), func(l string) bool {
		return strings.Contains(l, `"route":"preflight"`) && strings.Contains(l, `"surface":"own"`)
	}) {
		t.Error("no preflight in the log")
	}
}

func TestDispatch(t *testing.T) {
	leak.Check(t)
	where := func(c *gin.Context) error {
		c.String(http.StatusOK, "%s %s tenant=%s", exchangeOf(c.Request.Context()).surface, c.FullPath(), Tenant(c.Request.Context()))
		return nil
	}
	b := newBench(t, nil,
		Surface{Name: "own", Routes: []Route{get("/", where), get("/login", where), get("/v1/a", where), get("/any/:x", where)}},
		Surface{Name: "desk", Prefix: "/desk", Routes: []Route{get("/:account/reply", where)}},
		Surface{
			Name: "video", Paths: []string{"/api/v1/", "/token"}, Tidy: true, Tenants: []string{"acme", "b-co"},
			NotFound: func(c *gin.Context) error { c.String(http.StatusNotFound, "video knows nothing"); return nil },
			Faults: func(w http.ResponseWriter, _ *http.Request, f *fault.Error) {
				w.WriteHeader(Status(f.Code))
				_, _ = io.WriteString(w, "video:"+string(f.Code))
			},
			Routes: []Route{get("/api/v1/sessions", where), get("/token", where), get("/api/v1/bad", func(*gin.Context) error {
				return fault.New(fault.Conflict, "no")
			})},
		},
		Surface{Name: "deeper", Paths: []string{"/api/v1/deep/", "/api/v1/exact"}, Routes: []Route{get("/api/v1/deep/a", where), get("/api/v1/exact", where)}},
		Surface{Name: "hosted", Hosts: []string{"Media.Example"}, Routes: []Route{get("/login", where), get("/v1/a", where)}},
		Surface{Name: "part", Hosts: []string{"part.example"}, Prefix: "/api", Routes: []Route{get("/a", where)}},
	)
	for _, tc := range []struct{ host, path, want string }{
		{"", "/", "own / tenant="},
		{"", "/login", "own /login tenant="},
		{"", "/any/thing", "own /any/:x tenant="},
		{"", "/desk/main/reply", "desk /desk/:account/reply tenant="},
		{"", "/desk//main/reply", "404"},
		{"", "/api/v1/sessions", "video /api/v1/sessions tenant="},
		{"", "//api//v1/sessions/", "video /api/v1/sessions tenant="},
		{"", "/token", "video /token tenant="},
		{"", "/token/", "video /token tenant="},
		{"", "/acme/api/v1/sessions", "video /api/v1/sessions tenant=acme"},
		{"", "/b-co/token", "video /token tenant=b-co"},
		{"", "/acme//token/", "video /token tenant=acme"},
		{"", "/other/token", "404"},
		{"", "/api/v1/none", "video knows nothing"},
		{"", "/api/v1/bad", "video:conflict"},
		{"", "/api/v1/deep/a", "deeper /api/v1/deep/a tenant="},
		{"", "/api/v1/exact", "deeper /api/v1/exact tenant="},
		{"", "/%61pi/v1/sessions", "404"}, // what the dispatcher sees is what the router sees
		{"media.example:8080", "/login", "hosted /login tenant="},
		{"MEDIA.example", "/v1/a", "hosted /v1/a tenant="},
		{"media.example", "/token", "404"},
		{"part.example", "/api/a", "part /api/a tenant="},
		{"part.example", "/login", "own /login tenant="},
		{"else.example", "/login", "own /login tenant="},
	} {
		t.Run(tc.host+tc.path, func(t *testing.T) {
			var headers []string
			if tc.host != "" {
				headers = []string{"Host", tc.host}
			}
			resp, body := b.do(t, "GET", tc.path, "", headers...)
			if tc.want == "404" {
				problemOf(t, resp, body)
				body = fmt.Sprint(resp.StatusCode)
			}
			if body != tc.want {
				t.Errorf("got %q, want %q", body, tc.want)
			}
		})
	}
}

func TestPathParameters(t *testing.T) {
	leak.Check(t)
	echo := func(c *gin.Context) error {
		c.String(http.StatusOK, "%s", c.Param("x"))
		return nil
	}
	b := newBench(t, nil, Surface{Name: "own", Routes: []Route{get("/v1/one/:x", echo), get("/v1/all/*x", echo)}})
	for path, want := range map[string]string{
		"/v1/one/+33155":        "+33155",
		"/v1/one/%2B33155":      "+33155",
		"/v1/one/a%2Fb":         "a/b",
		"/v1/one/a%20b":         "a b",
		"/v1/one/%C3%A9t%C3%A9": "été",
		"/v1/one/100%25":        "100%",
		"/v1/all/a/b%2Bc":       "/a/b+c",
	} {
		if _, got := b.do(t, "GET", path, ""); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	if resp, body := b.do(t, "HEAD", "/v1/one/a", ""); resp.StatusCode != 200 || body != "" {
		t.Errorf("HEAD: %d %q", resp.StatusCode, body)
	}
}

func TestHostAllowList(t *testing.T) {
	leak.Check(t)
	b := newBench(t, func(d *Deps) { d.Hosts = LocalHosts("https://Video.Example:8443") },
		Surface{Name: "own", Routes: []Route{get("/", says("ok"))}})
	for host, want := range map[string]int{
		"localhost": 200, "localhost:1234": 200, "127.0.0.1:80": 200, "[::1]": 200, "[::1]:80": 200, "video.example": 200,
		"LOCALHOST": 200, "evil.example": 400, "localhost.evil.example": 400, "127.0.0.2": 400, "": 200,
	} {
		headers := []string{"Host", host}
		if host == "" {
			headers = nil
		}
		resp, body := b.do(t, "GET", "/", "", headers...)
		if resp.StatusCode != want {
			t.Errorf("%q: %d, want %d", host, resp.StatusCode, want)
		}
		if want == 400 {
			problemOf(t, resp, body)
		}
	}
}

func TestClientAddress(t *testing.T) {
	leak.Check(t)
	address := func(c *gin.Context) error { c.String(http.StatusOK, "%s", c.ClientIP()); return nil }
	for _, tc := range []struct {
		name    string
		trusted []string
		want    string
	}{
		{"nobody is trusted by default", nil, "127.0.0.1"},
		{"a listed proxy is", []string{"127.0.0.0/8"}, "203.0.113.9"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, func(d *Deps) { d.TrustedProxies = tc.trusted }, Surface{Name: "own", Routes: []Route{get("/", address)}})
			if _, got := b.do(t, "GET", "/", "", "X-Forwarded-For", "203.0.113.9"); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestS14LogAndMetricsKeepQuiet(t *testing.T) {
	leak.Check(t)
	b := newBench(t, nil, Surface{Name: "own", Routes: []Route{
		{Method: "POST", Path: "/v1/links/:id", Who: Anyone, Handler: func(c *gin.Context) error {
			var v struct {
				Name string `json:"name"`
			}
			return DecodeJSON(c.Request, &v)
		}},
		get("/v1/ok", says("ok")),
	}})
	b.do(t, "POST", "/v1/links/canary-path?secret=canary-query", `{"name":"canary-body"}`,
		"Content-Type", "application/json", "X-Note", "canary-header", "Authorization", "Bearer canary-token")
	b.do(t, "CANARY", "/canary-other", "")
	b.do(t, "GET", "/v1/ok", "")
	log := b.log.String()
	if strings.Contains(strings.ToLower(log), "canary") {
		t.Errorf("the log tells too much:\n%s", log)
	}
	for _, want := range []string{`"route":"/v1/links/:id"`, `"status":200`, `"surface":"own"`, `"method":"other"`, `"request":"req_`, `"took_ms":`} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in\n%s", want, log)
		}
	}
	families, err := b.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "ringdown_http_") {
			t.Errorf("a metric is named %s", f.GetName())
		}
		all += f.String()
	}
	if strings.Contains(strings.ToLower(all), "canary") {
		t.Errorf("the metrics tell too much:\n%s", all)
	}
	for _, want := range []string{`value:"/v1/links/:id"`, `value:"2xx"`, `value:"4xx"`, `value:"other"`, `value:"none"`} {
		if !strings.Contains(all, want) {
			t.Errorf("no %s in\n%s", want, all)
		}
	}
}
