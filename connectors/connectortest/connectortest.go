// Package connectortest is the suite that every connector runs, with the events
// and the ports it needs. Product code never imports it.
package connectortest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringdown/connectors"
	"ringdown/egress"
	"ringdown/httpd"
	"ringdown/meeting"
	"ringdown/outbox"
)

// Options say what the suite cannot know of a connector.
type Options struct {
	// New makes the connector under test.
	New connectors.Factory
	// Desk is one of its desks; empty for a connector that is not rung.
	Desk string
	// Secrets are texts of its configuration that must not show anywhere.
	Secrets []string
	// Insists: it tries again whatever was answered, but for 410. Else a redirect
	// and a refusal are the end.
	Insists bool
	// Polite: whatever comes in is answered with 200; the connector's own tests
	// judge what stands in it.
	Polite bool
}

// DoerFunc is a connectors.Doer.
type DoerFunc func(*http.Request) (*http.Response, error)

// Do calls f.
func (f DoerFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// Deps are ports for a test: meetings in memory and a way out that is f.
func Deps(log *slog.Logger, meetings connectors.Meetings, f DoerFunc) connectors.Deps {
	return connectors.Deps{
		Meetings: meetings, Links: Links{}, Log: log, Now: func() time.Time { return Start },
		Phones:    meeting.NewPhones(&PhoneStore{}, func() time.Time { return Start }, log),
		Customers: &Customers{}, Journal: &Journal{}, Bindings: &Bindings{}, PublicURL: "https://ringdown.example",
		Preview: func(_, language, agent, link string) (connectors.Preview, bool) {
			return connectors.Preview{Text: language + ": " + agent + ", " + link, Parts: 1}, true
		},
		Egress: func(egress.Options) (connectors.Doer, error) { return f, nil },
	}
}

// suite is one run.
type suite struct {
	Options
	log bytes.Buffer
}

// Run runs the suite.
func Run(t *testing.T, o Options) {
	s := &suite{Options: o}
	t.Run("names itself", s.names)
	t.Run("every route says who may call it and survives nonsense", s.routes)
	t.Run("drafts purely", s.drafts)
	t.Run("delivers within its time", s.delivers)
	t.Run("tells no secrets", func(t *testing.T) { s.clean(t, "the log", s.log.String()) })
}

func (s *suite) make(t *testing.T, meetings connectors.Meetings, f DoerFunc) connectors.Connector {
	t.Helper()
	log := slog.New(slog.NewJSONHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelInfo}))
	c, err := s.New(Deps(log, meetings, f))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// clean fails when text shows what it must not.
func (s *suite) clean(t *testing.T, where, text string) {
	t.Helper()
	for _, canary := range append(Canaries(), s.Secrets...) {
		if strings.Contains(text, canary) {
			t.Errorf("%s shows %q:\n%s", where, canary, text)
		}
	}
}

func noWay(*http.Request) (*http.Response, error) {
	return nil, &egress.Error{Reason: egress.Refused, Host: "desk.example"}
}

func (s *suite) names(t *testing.T) {
	c := s.make(t, &Meetings{}, noWay)
	if !regexp.MustCompile(`^[a-z]+$`).MatchString(c.Name()) {
		t.Errorf("the name is %q", c.Name())
	}
	if s.Desk != "" && !strings.HasPrefix(s.Desk, c.Name()+"/") {
		t.Errorf("the desk %q does not begin with the name %q", s.Desk, c.Name())
	}
	if _, ok := c.(outbox.Translator); s.Desk != "" && !ok {
		t.Error("it can be rung and drafts nothing")
	}
	if _, err := s.New(connectors.Deps{}); err == nil {
		t.Error("it can be made of nothing")
	}
}

func (s *suite) routes(t *testing.T) {
	meetings := &Meetings{}
	for _, ev := range Events(s.Desk) {
		meetings.Put(ev.Snapshot)
	}
	c := s.make(t, meetings, noWay)
	surface := c.Surface()
	if len(surface.Routes) == 0 {
		return
	}
	site := Site(t, surface)
	for _, door := range site.Doors() {
		if door.Who == nil {
			t.Errorf("%s %s does not say who may call it", door.Method, door.Template)
			continue
		}
		path := regexp.MustCompile(`[:*][a-z]+`).ReplaceAllString(door.Template, "nonsense")
		for _, body := range []string{"", "null", "[]", `{"a":`, `{"body":{}}`, `{"body":"` + Text + `"} {}`, "\x00", strings.Repeat("[", 20000)} {
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), door.Method, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			site.ServeHTTP(w, r)
			if s.Polite && w.Code == http.StatusOK {
				continue
			}
			if w.Code < 400 || w.Code >= 500 {
				t.Errorf("%s %s answers %d to %.40q from nobody", door.Method, path, w.Code, body)
			}
			s.clean(t, door.Template, w.Body.String())
		}
	}
}

// Site mounts a surface on which nobody has a key.
func Site(t *testing.T, surface httpd.Surface) *httpd.Site {
	t.Helper()
	site, err := httpd.NewSite(httpd.Deps{
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Now: time.Now, Authorizer: nobody{},
	}, surface)
	if err != nil {
		t.Fatal(err)
	}
	return site
}

// nobody lets no one in.
type nobody struct{}

func (nobody) Authorize(*http.Request, httpd.Who) (httpd.Principal, error) {
	return httpd.Principal{}, errors.New("nobody is known here")
}

func (s *suite) drafts(t *testing.T) {
	// A translator that asks for a meeting is not pure.
	unused := &Meetings{}
	unused.Break(errors.New("a translator must not ask"))
	c := s.make(t, unused, func(*http.Request) (*http.Response, error) {
		t.Error("a translator must not send")
		return nil, errors.New("no")
	})
	tr, ok := c.(outbox.Translator)
	if !ok {
		return
	}
	seen := false
	for _, ev := range Events(s.Desk) {
		before, err := json.Marshal(ev)
		if err != nil {
			t.Fatal(err)
		}
		first, err := tr.Draft(ev)
		if err != nil {
			t.Errorf("%s: %v", ev.Kind, err)
			s.clean(t, "the error", err.Error())
		}
		again, _ := tr.Draft(ev)
		if !reflect.DeepEqual(first, again) {
			t.Errorf("%s: two drafts of one event differ", ev.Kind)
		}
		if after, _ := json.Marshal(ev); !bytes.Equal(before, after) {
			t.Errorf("%s: the event was changed", ev.Kind)
		}
		for _, d := range first {
			seen = true
			if !strings.HasPrefix(d.Target, c.Name()+"/") || d.Dest == "" || len(d.Body) == 0 {
				t.Errorf("%s: target %q, dest %q, %d bytes", ev.Kind, d.Target, d.Dest, len(d.Body))
			}
			if ev.Kind == meeting.KindRing && (d.ExpiresAt.IsZero() || d.ExpiresAt.After(ev.Snapshot.Ring.Until)) {
				t.Errorf("a ring may be sent until %v, after its end", d.ExpiresAt)
			}
		}
		ev.Snapshot.Desks = []string{"elsewhere/main"}
		if others, _ := tr.Draft(ev); s.Desk != "" && len(others) > 0 {
			t.Errorf("%s: drafts for a desk of somebody else", ev.Kind)
		}
	}
	if s.Desk != "" && !seen {
		t.Error("it drafted nothing at all")
	}
}

func (s *suite) delivers(t *testing.T) {
	hang := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, &egress.Error{Reason: egress.TimeoutAfterSend, Host: "desk.example", Sent: true}
	}
	status := func(code int) DoerFunc {
		return func(*http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: code, Header: http.Header{"Location": {"https://elsewhere.example/"}},
				Body: io.NopCloser(strings.NewReader(`{"message":"` + Text + `"}`)),
			}, nil
		}
	}
	refused := outbox.GiveUp
	if s.Insists {
		refused = outbox.Retry
	}
	for _, tc := range []struct {
		name string
		do   DoerFunc
		want outbox.Verdict
	}{
		{"nobody there", noWay, outbox.Retry},
		{"never answers", hang, outbox.Retry},
		{"takes it", status(200), outbox.OK},
		{"takes it later", status(202), outbox.OK},
		{"redirects", status(302), refused},
		{"revoked", status(401), refused},
		{"gone", status(410), outbox.GiveUp},
		{"too many", status(429), outbox.Retry},
		{"broken", status(500), outbox.Retry},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := s.make(t, &Meetings{}, tc.do)
			del, ok := c.(outbox.Deliverer)
			if !ok {
				t.Skip("it delivers nothing")
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			target := s.Desk
			if target == "" {
				target = c.Name() + "/main"
			}
			got := del.Deliver(ctx, outbox.Delivery{ID: 1, Public: "dlv_1", Meeting: Meeting(s.Desk).ID, Target: target, Dest: target, Body: []byte(`{}`)})
			if got.Verdict != tc.want {
				t.Errorf("got %+v", got)
			}
			if !regexp.MustCompile(`^[a-z0-9_]*$`).MatchString(got.Reason) || got.Verdict != outbox.OK && got.Reason == "" {
				t.Errorf("the reason is %q, no word", got.Reason)
			}
		})
	}
}
