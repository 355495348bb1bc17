package thirdparty_test

import (
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringdown/connectors/connectortest"
	"ringdown/httpd"
	"ringdown/internal/leak"
	"ringdown/meeting"
	"ringdown/thirdparty"
)

var update = flag.Bool("update", false, "rewrite the golden answers")

func TestMain(m *testing.M) { leak.Main(m) }

const pathSecret = "secret-of-the-phones-1234"

// desk is a connector behind a real site, with a clock of its own.
type desk struct {
	t         testing.TB
	site      http.Handler
	store     *connectortest.PhoneStore
	customers *connectortest.Customers
	journal   *connectortest.Journal
	meetings  *connectortest.Meetings
	log       *strings.Builder
	connector *thirdparty.Connector

	mu  sync.Mutex
	now time.Time
}

func (d *desk) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

// pass lets time pass.
func (d *desk) pass(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(by)
}

func newDesk(t testing.TB, cfg thirdparty.Config) *desk {
	t.Helper()
	return newDeskTo(t, cfg, func(*http.Request) (*http.Response, error) { return nil, errors.New("nobody is there") })
}

// newDeskTo is newDesk with a way out.
func newDeskTo(t testing.TB, cfg thirdparty.Config, do connectortest.DoerFunc) *desk {
	t.Helper()
	d := &desk{
		t: t, store: &connectortest.PhoneStore{}, customers: &connectortest.Customers{}, journal: &connectortest.Journal{},
		meetings: &connectortest.Meetings{}, log: &strings.Builder{}, now: connectortest.Start,
	}
	log := slog.New(slog.NewTextHandler(d.log, nil))
	deps := connectortest.Deps(log, d.meetings, do)
	deps.Phones = meeting.NewPhones(d.store, d.clock, log)
	deps.Customers, deps.Journal, deps.Now = d.customers, d.journal, d.clock
	c, err := thirdparty.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	site, err := httpd.NewSite(httpd.Deps{Log: log, Metrics: prometheus.NewRegistry(), Now: time.Now, Authorizer: nobody{}},
		httpd.Surface{Name: "own", Routes: c.OwnRoutes()}, c.Surface())
	if err != nil {
		t.Fatal(err)
	}
	d.site, d.connector = site, c
	return d
}

type nobody struct{}

func (nobody) Authorize(*http.Request, httpd.Who) (httpd.Principal, error) {
	return httpd.Principal{}, errors.New("nobody is known here")
}

// send is one request; headers are pairs.
func (d *desk) send(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	d.t.Helper()
	r := httptest.NewRequestWithContext(d.t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json;charset=utf-8")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.site.ServeHTTP(w, r)
	return w
}

// ring posts a ringing call on the secret path and gives the answer.
func (d *desk) ring(body string) map[string]any {
	d.t.Helper()
	w := d.send("POST", "/thirdparty/xucmgt/"+pathSecret, body)
	var a map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
		d.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return a
}

// page is what the tab of an answer asks; act is a path below the call.
func (d *desk) page(a map[string]any, method, act, body string) (status int, view map[string]any) {
	d.t.Helper()
	url, _ := a["url"].(string)
	path, secret, _ := strings.Cut(url, "#")
	w := d.send(method, "/thirdparty/calls/"+path[strings.LastIndex(path, "/")+1:]+act, body, "Authorization", "Bearer "+secret)
	_ = json.Unmarshal(w.Body.Bytes(), &view)
	return w.Code, view
}

func (d *desk) open(a map[string]any) map[string]any {
	d.t.Helper()
	status, v := d.page(a, "POST", "/open", "{}")
	if status != http.StatusOK {
		d.t.Fatalf("open: %d %v", status, v)
	}
	return v
}

// call is a body of the newest form.
func call(user, id, caller string) string {
	b, _ := json.Marshal(map[string]any{
		"user": map[string]any{"userId": user, "fullName": "Agent " + user}, "callee": "1023", "caller": caller, "callDataCallId": id,
		"queue": map[string]any{"id": 3, "name": "sales", "displayName": "Sales", "number": "3010"}, "userData": map[string]any{},
	})
	return string(b)
}
