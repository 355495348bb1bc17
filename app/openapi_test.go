package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"ringdown/config"
	"ringdown/internal/leak"
)

// The tests of this file are generated from the OpenAPI document: what it
// promises is asked of the daemon.

// badCase is one request that must be refused.
type badCase struct {
	name    string
	method  string
	path    string
	headers with
	body    any
	status  []int
	pointer string // must be among errors[]; empty: any
}

// paths fills the path's parameters.
func filled(path, meeting string) string {
	return strings.NewReplacer("{meeting}", meeting, "{invitation}", "inv_00000000", "{file}", "fil_01JAAAAAAAAAAAAAAAAAAAAAAA",
		"{delivery}", "dlv_00000000", "{key}", "key_00000000", "{connector}", "thirdparty", "{account}", "xucmgt", "{user}", "12").Replace(path)
}

// paramRE is a parameter of a path.
var paramRE = regexp.MustCompile(`{([a-z]+)}`)

// callers are the proofs of each kind, good and bad.
type callers struct {
	key, visitor, agent, stranger, origin string
}

// good gives headers that are enough for an operation.
func (c callers) good(op *openapi3.Operation, path string) with {
	h := with{}
	if op.Security == nil {
		return h
	}
	for _, need := range *op.Security {
		switch {
		case has(need, "apiKey"):
			return bearer(c.key)
		case has(need, "session"):
			if strings.HasSuffix(path, "/accept") || strings.HasSuffix(path, "/decline") || strings.HasSuffix(path, "/notes/mine") {
				h = bearer(c.agent)
			} else {
				h = bearer(c.visitor)
			}
		case has(need, "siteKey"):
			h = with{"Ringdown-Site": config.DemoSiteKey, "Origin": c.origin}
		}
	}
	return h
}

func has(need openapi3.SecurityRequirement, scheme string) bool { _, ok := need[scheme]; return ok }

func TestBadInput(t *testing.T) {
	leak.Check(t)
	onBoth(t, func(t *testing.T, h *house) {
		h.manyAddresses()
		raw := h.must(200, "GET", "/openapi.json", nil, nil).raw
		doc, err := openapi3.NewLoader().LoadFromData(raw)
		if err != nil {
			t.Fatal(err)
		}
		if err := doc.Validate(context.Background()); err != nil {
			t.Fatal(err)
		}

		made := h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{"ring": "now", "visitor": map[string]any{"name": "Anna"}})
		other := h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{})
		c := callers{key: h.key, origin: h.url}
		c.visitor = h.redeem(made.text("links.visitor"), "").token
		c.agent = h.redeem(made.text("links.agent"), "device-of-marie-1234").token
		c.stranger = h.redeem(other.text("links.visitor"), "").token
		id := made.text("id")

		var cases []badCase
		for _, path := range slices.Sorted(maps.Keys(doc.Paths.Map())) {
			for method, op := range doc.Paths.Map()[path].Operations() {
				cases = append(cases, badCases(method, path, id, op, c)...)
			}
		}
		before := everything(h)
		names := map[string]bool{}
		for _, tc := range cases {
			if names[tc.name] {
				t.Fatalf("two cases are named %s", tc.name)
			}
			names[tc.name] = true
			a := h.do(tc.method, tc.path, tc.headers, tc.body)
			if a.status == http.StatusTooManyRequests { // the limit is another test's
				t.Fatalf("%s: limited", tc.name)
			}
			if !slices.Contains(tc.status, a.status) {
				t.Errorf("%s: want %v, got %s", tc.name, tc.status, a)
			}
			checkProblem(t, tc, a)
		}
		if len(cases) < 150 {
			t.Errorf("only %d cases came out of the document", len(cases))
		}
		if after := everything(h); after != before {
			t.Errorf("something was written:\n%s\n%s", before, after)
		}
		t.Logf("%d bad requests refused", len(cases))
	})
}

// everything is all that the API shows, without its clock.
func everything(h *house) string {
	h.t.Helper()
	list := h.must(200, "GET", "/v1/meetings?limit=200", bearer(h.key), nil)
	var v struct{ Meetings []map[string]any }
	if err := json.Unmarshal(list.raw, &v); err != nil {
		h.t.Fatal(err)
	}
	out := ""
	for _, m := range v.Meetings {
		delete(m, "now")
		one, _ := json.Marshal(m)
		id, _ := m["id"].(string)
		out += string(one) + fmt.Sprint(len(h.kinds(id))) + string(h.must(200, "GET", "/v1/meetings/"+id+"/messages", bearer(h.key), nil).raw) + "\n"
	}
	return out
}

func checkProblem(t *testing.T, tc badCase, a answer) {
	t.Helper()
	if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "application/problem+json") {
		t.Errorf("%s: is %s", tc.name, got)
	}
	for _, member := range []string{"type", "title", "code", "detail", "instance"} {
		if a.text(member) == "" {
			t.Errorf("%s: has no %s: %s", tc.name, member, a)
		}
	}
	if n, _ := a.get("status").(float64); int(n) != a.status {
		t.Errorf("%s: says status %v", tc.name, n)
	}
	if tc.pointer == "" {
		return
	}
	list, _ := a.get("errors").([]any)
	for _, e := range list {
		e, _ := e.(map[string]any)
		if e["pointer"] == tc.pointer && e["detail"] != "" {
			return
		}
	}
	t.Errorf("%s: does not name %s: %s", tc.name, tc.pointer, a)
}

func badCases(method, path, meeting string, op *openapi3.Operation, c callers) []badCase {
	var out []badCase
	at := filled(path, meeting)
	good := c.good(op, path)
	add := func(name string, headers with, body any, pointer string, status ...int) {
		out = append(out, badCase{
			name: fmt.Sprintf("%s %s: %s", method, path, name), method: method, path: at, headers: headers, body: body, status: status, pointer: pointer,
		})
	}
	plus := func(k, v string) with {
		h := maps.Clone(good)
		h[k] = v
		return h
	}
	body, schema := any(nil), (*openapi3.Schema)(nil)
	if op.RequestBody != nil {
		if json := op.RequestBody.Value.Content.Get("application/json"); json != nil {
			schema = json.Schema.Value
			body = example(schema)
		} else {
			add("nothing in the body", good, "", "", 415)
			add("a body that is not taken", good, "<html>", "", 415)
		}
	}

	// Who may call.
	if op.Security != nil && len(*op.Security) > 0 {
		add("nobody", nil, body, "", 401)
		add("a wrong token", bearer("nonsense"), body, "", 401)
		add("a wrong API key", bearer("rk_nonsense"), body, "", 401)
		wrongSite := with{"Ringdown-Site": "pk_nonsense", "Origin": c.origin}
		ownSite := with{"Ringdown-Site": config.DemoSiteKey, "Origin": "https://evil.example"}
		if slices.ContainsFunc(*op.Security, func(n openapi3.SecurityRequirement) bool { return has(n, "siteKey") }) {
			add("a wrong site key", wrongSite, body, "", 401)
			add("a wrong origin", ownSite, body, "", 403)
		} else {
			add("a site key", with{"Ringdown-Site": config.DemoSiteKey, "Origin": c.origin}, body, "", 403)
		}
		if slices.ContainsFunc(*op.Security, func(n openapi3.SecurityRequirement) bool { return has(n, "session") }) {
			add("another meeting's session", bearer(c.stranger), body, "", 403, 404)
		}
	}

	// The path and the query.
	if param := paramRE.FindStringSubmatch(path); param != nil {
		for name, bad := range map[string]string{"a NUL byte": "mtg_%00abcd", "too long": strings.Repeat("a", 41), "a blank": "mtg%20abc", "no UTF-8": "mtg_%ff%fe", "unknown": "mtg_00000000"} {
			bc := badCase{name: fmt.Sprintf("%s %s: path with %s", method, path, name), method: method, path: filled(strings.Replace(path, param[0], bad, 1), meeting), headers: good, body: body, status: []int{400, 404, 422}}
			if name != "unknown" {
				bc.pointer, bc.status = "path:"+param[1], []int{400, 422}
			}
			out = append(out, bc)
		}
	}
	if strings.Contains(path, "{invitation}") {
		for name, bad := range map[string]string{"a NUL byte": "inv_%00abcd", "too long": "inv_" + strings.Repeat("a", 41), "another kind": "mtg_00000000"} {
			out = append(out, badCase{
				name: fmt.Sprintf("%s %s: invitation with %s", method, path, name), method: method, path: strings.ReplaceAll(at, "inv_00000000", bad),
				headers: good, body: body, status: []int{400, 422}, pointer: "path:invitation",
			})
		}
		add("an unknown invitation", good, body, "", 404)
	}
	for _, p := range op.Parameters {
		p := p.Value
		add1 := func(name, query string) {
			out = append(out, badCase{
				name: fmt.Sprintf("%s %s: query %s %s", method, path, p.Name, name), method: method, path: at + "?" + query,
				headers: good, body: body, status: []int{400, 422}, pointer: "query:" + p.Name,
			})
		}
		switch p.In {
		case "header":
			add("header "+p.Name+" too long", plus(p.Name, strings.Repeat("k", 201)), body, "header:"+p.Name, 422)
			add("header "+p.Name+" not UTF-8", plus(p.Name, "\xff"), body, "header:"+p.Name, 400)
		case "query":
			add1("with a NUL byte", p.Name+"=%00")
			long := 99
			if most := p.Schema.Value.MaxLength; most != nil {
				long = max(long, int(*most)+1)
			}
			add1("too long", p.Name+"="+strings.Repeat("z", long))
			if p.Schema.Value.Type.Is("integer") {
				add1("not a number", p.Name+"=many")
				add1("below", p.Name+"=-1")
			}
			if p.Schema.Value.Enum != nil {
				add1("not in the list", p.Name+"=nonsense")
			}
		}
	}
	if method == "GET" && len(op.Parameters) > 0 {
		out = append(out, badCase{name: "GET " + path + ": an unknown query", method: method, path: at + "?nonsense=1", headers: good, status: []int{422}, pointer: "query:nonsense"})
	}
	if schema == nil {
		return out
	}

	// The body.
	whole, _ := json.Marshal(body)
	add("no body", good, "", "", 400)
	add("not JSON", good, "{nonsense", "", 400)
	add("a second value", good, string(whole)+string(whole), "", 400)
	add("rubbish behind", good, string(whole)+" x", "", 400)
	add("a list", good, "[]", "", 422)
	add("null", good, "null", "", 422)
	add("another content type", plus("Content-Type", "text/plain"), string(whole), "", 400)
	add("too big", good, `{"x":"`+strings.Repeat("x", 1<<20)+`"}`, "", 413)
	for name, bad := range mutations(schema, body, "") {
		add(name, good, bad.body, bad.pointer, 400, 422)
	}
	return out
}

type mutation struct {
	body    any
	pointer string
}

// example is a smallest good body.
func example(s *openapi3.Schema) map[string]any {
	out := map[string]any{}
	for _, name := range s.Required {
		p := s.Properties[name].Value
		switch {
		case name == "id":
			out[name] = "abcdefghjk"
		case p.Enum != nil:
			out[name] = p.Enum[0]
		case p.Format == "date-time":
			out[name] = "2026-01-01T00:00:00Z"
		case p.Type.Is("string"):
			out[name] = "text"
		}
	}
	return out
}

// mutations breaks each property of a schema in every way it can be broken.
func mutations(s *openapi3.Schema, base any, at string) map[string]mutation {
	out := map[string]mutation{}
	set := func(name string, value any) map[string]any {
		m := map[string]any{}
		if b, ok := base.(map[string]any); ok {
			maps.Copy(m, b)
		}
		m[name] = value
		return m
	}
	for name, ref := range s.Properties {
		p, here := ref.Value, at+"/"+name
		put := func(what string, v any) { out[here+" "+what] = mutation{set(name, v), here} }
		switch {
		case p.Type.Is("string"):
			put("a number", 7)
			put("an object", map[string]any{})
			put("null", nil)
			put("a NUL byte", "a\x00b")
			if p.MaxLength != nil {
				put("too long", strings.Repeat("x", int(*p.MaxLength)+1))
			}
			if p.MinLength > 0 && slices.Contains(s.Required, name) {
				put("empty", "")
			}
			if p.Enum != nil {
				put("not in the list", "nonsense")
			}
		case p.Type.Is("integer"):
			put("a text", "7")
			put("a fraction", 70.5)
			if p.Min != nil {
				put("below", *p.Min-1)
			}
			if p.Max != nil {
				put("above", *p.Max+1)
			}
		case p.Type.Is("boolean"):
			put("a text", "yes")
		case p.Type.Is("object") && len(p.Properties) > 0:
			put("a text", "x")
			put("a list", []any{})
			for n, m := range mutations(p, nil, here) {
				out[n] = mutation{set(name, m.body), m.pointer}
			}
		case p.Type.Is("object"):
			put("a text", "x")
			out[here+" a value that is no text"] = mutation{set(name, map[string]any{"k": 1}), here + "/k"}
			out[here+" a value with a NUL byte"] = mutation{set(name, map[string]any{"k": "\x00"}), here + "/k"}
			many := map[string]any{}
			for i := range 33 {
				many[fmt.Sprint(i)] = "x"
			}
			put("too many keys", many)
			put("too big in all", map[string]any{"a": strings.Repeat("x", 1500), "b": strings.Repeat("x", 1500), "c": strings.Repeat("x", 1500)})
		}
	}
	for _, name := range s.Required {
		m := set(name, nil)
		delete(m, name)
		out[at+"/"+name+" missing"] = mutation{m, at + "/" + name}
	}
	out[at+"/nonsense unknown"] = mutation{set("nonsense", 1), at + "/nonsense"}
	return out
}

var pathParam = regexp.MustCompile(`:([a-z]+)`)

// TestEveryRouteSaysWho walks all mounted routes: none is open by omission, and
// every one of /v1 is in the document with the same ways in.
func TestEveryRouteSaysWho(t *testing.T) {
	leak.Check(t)
	onBoth(t, func(t *testing.T, h *house) {
		doc, err := openapi3.NewLoader().LoadFromData(h.must(200, "GET", "/openapi.json", nil, nil).raw)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range h.app.Doors() {
			if d.Who == nil {
				t.Errorf("%s %s says nobody", d.Method, d.Template)
			}
			if !strings.HasPrefix(d.Template, "/v1/") || d.Template == "/v1/events" || d.Template == "/v1/signal" {
				continue // the sockets are in docs/protocol.md
			}
			item := doc.Paths.Find(pathParam.ReplaceAllString(d.Template, "{$1}"))
			if item == nil || item.GetOperation(d.Method) == nil {
				t.Errorf("%s %s is not in the document", d.Method, d.Template)
				continue
			}
			var said []string
			for _, need := range *item.GetOperation(d.Method).Security {
				said = append(said, map[string]string{"siteKey": "site_key", "session": "session", "apiKey": "api_key"}[slices.Collect(maps.Keys(need))[0]])
			}
			var asked []string
			for _, w := range d.Who.Ways() {
				if w.Kind != "anyone" {
					asked = append(asked, string(w.Kind))
				}
			}
			if !slices.Equal(said, asked) {
				t.Errorf("%s %s: the document says %v, the route %v", d.Method, d.Template, said, asked)
			}
		}
	})
}

// TestAnswers holds good answers against the document.
func TestAnswers(t *testing.T) {
	leak.Check(t)
	onBoth(t, func(t *testing.T, h *house) {
		doc, err := openapi3.NewLoader().LoadFromData(h.must(200, "GET", "/openapi.json", nil, nil).raw)
		if err != nil {
			t.Fatal(err)
		}
		fits := func(method, path, status string, a answer) answer {
			t.Helper()
			schema := doc.Paths.Find(path).GetOperation(method).Responses.Value(status).Value.Content.Get("application/json").Schema.Value
			var v any
			if err := json.Unmarshal(a.raw, &v); err != nil {
				t.Fatalf("%s %s: %v in %s", method, path, err, a)
			}
			if err := schema.VisitJSON(v); err != nil {
				t.Errorf("%s %s: %v", method, path, err)
			}
			return a
		}
		site := with{"Ringdown-Site": config.DemoSiteKey, "Origin": h.url}
		fits("GET", "/v1/button", "200", h.must(200, "GET", "/v1/button", site, nil))
		made := fits("POST", "/v1/meetings", "201", h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{
			"ring": "now", "topic": "Lamp", "visitor": map[string]any{"name": "Anna", "email": "anna@example.org"}, "fields": map[string]any{"a": "b"},
		}))
		const one = "/v1/meetings/{meeting}"
		agent := h.redeem(made.text("links.agent"), "device-of-marie-1234")
		fits("POST", one+"/accept", "200", agent.must("POST", "/accept", map[string]string{"name": "Marie"}))
		fits("POST", one+"/join", "200", agent.must("POST", "/join", map[string]bool{}))
		fits("POST", one+"/messages", "201", agent.must("POST", "/messages", map[string]string{"text": "hello"}))
		fits("PUT", one+"/notes/mine", "200", agent.must("PUT", "/notes/mine", map[string]string{"text": "wants it by Friday"}))
		fits("GET", one+"/notes", "200", agent.must("GET", "/notes", nil))
		asked := fits("POST", one+"/invitations", "201", agent.must("POST", "/invitations", map[string]string{"role": "agent", "name": "Paul"}))
		fits("GET", one+"/invitations", "200", agent.must("GET", "/invitations", nil))
		fits("DELETE", one+"/invitations/{invitation}", "200", agent.must("DELETE", "/invitations/"+asked.text("id"), nil))
		fits("POST", one+"/files", "201", agent.must("POST", "/files?name=note", "hello"))
		visitor := h.redeem(made.text("links.visitor"), "")
		fits("GET", one+"/messages", "200", visitor.must("GET", "/messages", nil))
		fits("GET", one, "200", visitor.must("GET", "", nil))
		fits("POST", one+"/leave", "200", visitor.must("POST", "/leave", nil))
		fits("GET", "/v1/meetings", "200", h.must(200, "GET", "/v1/meetings", bearer(h.key), nil))
		fits("GET", one+"/events", "200", h.must(200, "GET", "/v1/meetings/"+made.text("id")+"/events", bearer(h.key), nil))
		_, sent := h.rung()
		fits("GET", "/v1/deliveries/{delivery}", "200", sent)
		fits("GET", "/v1/deliveries", "200", h.must(200, "GET", "/v1/deliveries", bearer(h.key), nil))
		fits("GET", "/v1/deliveries/counts", "200", h.must(200, "GET", "/v1/deliveries/counts", bearer(h.key), nil))
		fits("POST", "/v1/deliveries/{delivery}/retry", "200", h.must(200, "POST", "/v1/deliveries/"+sent.text("id")+"/retry", bearer(h.key), nil))
		replay := map[string]any{"since": "2026-01-01T00:00:00Z", "states": []string{"failed"}, "dry_run": true}
		fits("POST", "/v1/deliveries/replay", "200", h.must(200, "POST", "/v1/deliveries/replay", bearer(h.key), replay))
		replay["dry_run"] = false
		fits("POST", "/v1/deliveries/replay", "202", h.must(202, "POST", "/v1/deliveries/replay", bearer(h.key), replay))
		fits("GET", "/v1/deliveries/replay", "200", h.must(200, "GET", "/v1/deliveries/replay", bearer(h.key), nil))
		h.must(200, "POST", "/thirdparty/xucmgt", nil, map[string]any{"user": map[string]any{"userId": 1}, "caller": "0612345678"})
		fits("GET", "/v1/desks/journal", "200", h.must(200, "GET", "/v1/desks/journal?desk=thirdparty/xucmgt", bearer(h.key), nil))
		fits("POST", "/v1/keys", "201", h.must(201, "POST", "/v1/keys", bearer(h.key), map[string]string{"name": "shop", "role": "integrator"}))
		fits("GET", "/v1/keys", "200", h.must(200, "GET", "/v1/keys", bearer(h.key), nil))
		secret := strings.Split(made.text("links.visitor"), "#")[1]
		fits("POST", "/v1/links/redeem", "200", h.must(200, "POST", "/v1/links/redeem", nil, map[string]string{"id": made.text("code"), "secret": secret}))
	})
}
