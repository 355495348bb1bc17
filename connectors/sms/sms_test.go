package sms_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"ringdown/connectors"
	"ringdown/connectors/connectortest"
	"ringdown/connectors/sms"
	"ringdown/internal/leak"
	"ringdown/meeting"
	"ringdown/outbox"
)

var update = flag.Bool("update", false, "rewrite the golden requests")

func TestMain(m *testing.M) { leak.Main(m) }

func own() sms.Config {
	return sms.Config{
		From: "Vela", Key: "canary-key-of-the-gateway", Request: sms.Request{URL: "https://gateway.example/send", Body: `{"to":"{to}","text":"{text}","key":"{key}","report":"{status_url}"}`},
		StatusSecret: "canary-secret-of-the-reports", Status: sms.Status{Field: "s.state", Delivered: []string{"ok"}, Failed: []string{"bad"}},
	}
}

func TestSuite(t *testing.T) {
	leak.Check(t)
	connectortest.Run(t, connectortest.Options{
		New:     func(d connectors.Deps) (connectors.Connector, error) { return sms.New(own(), d) },
		Secrets: []string{"canary-key-of-the-gateway", "canary-secret-of-the-reports"},
	})
}

// TestRequestsOfThePresets: what each gateway is sent, as its documents say.
func TestRequestsOfThePresets(t *testing.T) {
	leak.Check(t)
	for _, preset := range []string{"twilio", "vonage", "brevo", "smsmode"} {
		var sent string
		d := connectortest.Deps(slog.New(slog.DiscardHandler), &connectortest.Meetings{}, func(r *http.Request) (*http.Response, error) {
			body, _ := io.ReadAll(r.Body)
			var b strings.Builder
			fmt.Fprintf(&b, "%s %s\n", r.Method, r.URL)
			for _, name := range slices.Sorted(maps.Keys(r.Header)) {
				fmt.Fprintf(&b, "%s: %s\n", name, r.Header.Get(name))
			}
			sent = b.String() + "\n" + string(body) + "\n"
			return &http.Response{StatusCode: 201, Body: io.NopCloser(strings.NewReader(`{}`))}, nil
		})
		c, err := sms.New(sms.Config{Preset: preset, User: "AC1", Key: "k&y", From: "Vela & fils", StatusSecret: "secret-of-the-reports"}, d)
		if err != nil {
			t.Fatal(err)
		}
		drafts, err := c.Draft(event("fr"))
		if err != nil || len(drafts) != 1 {
			t.Fatal(drafts, err)
		}
		if r := c.Deliver(t.Context(), outbox.Delivery{Body: drafts[0].Body}); r.Verdict != outbox.OK {
			t.Fatalf("%s: %+v", preset, r)
		}
		golden := "testdata/" + preset + ".request.txt"
		if *update {
			if err := os.WriteFile(golden, []byte(sent), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(golden); err != nil || string(want) != sent {
			t.Errorf("%s sends\n%s%v", preset, sent, err)
		}
	}
}

func event(lang string) meeting.Event {
	for _, ev := range connectortest.Events("") {
		if ev.Kind == meeting.KindDispatched {
			ev.Dispatch.Language = lang
			return ev
		}
	}
	return meeting.Event{}
}

// TestAnswersOfTheGateway: what is told of each, and whether it is tried again.
func TestAnswersOfTheGateway(t *testing.T) {
	leak.Check(t)
	for _, c := range []struct {
		status  int
		body    string
		verdict outbox.Verdict
		state   meeting.DispatchState
		reason  string
	}{
		{200, `{}`, outbox.OK, meeting.DispatchSent, ""},
		{202, ``, outbox.OK, meeting.DispatchSent, ""},
		{200, `{"refused":true}`, outbox.GiveUp, meeting.DispatchFailed, "number_refused"},
		{400, `{}`, outbox.GiveUp, meeting.DispatchFailed, "number_refused"},
		{401, `{}`, outbox.GiveUp, meeting.DispatchFailed, "auth"},
		{402, `{}`, outbox.GiveUp, meeting.DispatchFailed, "quota"},
		{429, `{}`, outbox.Retry, "", ""},
		{503, `{}`, outbox.Retry, "", ""},
	} {
		meetings := &connectortest.Meetings{}
		cfg := own()
		cfg.Failure = `"refused"`
		k, err := sms.New(cfg, connectortest.Deps(slog.New(slog.DiscardHandler), meetings, func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: c.status, Body: io.NopCloser(strings.NewReader(c.body))}, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		r := k.Deliver(t.Context(), outbox.Delivery{Body: []byte(`{"id":"dsp_1","to":"+33199000001","text":"x"}`)})
		if d := meetings.Dispatch("dsp_1"); r.Verdict != c.verdict || d.State != c.state || d.Reason != c.reason {
			t.Errorf("%d %s: %+v, %+v", c.status, c.body, r, d)
		}
	}
}

// TestReports: JSON, a form or a query; only with the secret.
func TestReports(t *testing.T) {
	leak.Check(t)
	meetings := &connectortest.Meetings{}
	k, err := sms.New(own(), connectortest.Deps(slog.New(slog.DiscardHandler), meetings, func(*http.Request) (*http.Response, error) { return nil, errors.New("no") }))
	if err != nil {
		t.Fatal(err)
	}
	site := connectortest.Site(t, k.Surface())
	for i, c := range []struct {
		method, path, body string
		status             int
		want               meeting.DispatchState
	}{
		{"POST", "/sms/status/canary-secret-of-the-reports/dsp_0", `{"s":{"state":"ok"}}`, 204, meeting.DispatchDelivered},
		{"POST", "/sms/status/canary-secret-of-the-reports/dsp_1", `s.state=bad&x=1`, 204, meeting.DispatchFailed},
		{"GET", "/sms/status/canary-secret-of-the-reports/dsp_2?s.state=ok", ``, 204, meeting.DispatchDelivered},
		{"POST", "/sms/status/canary-secret-of-the-reports/dsp_3", `{"s":{"state":"on its way"}}`, 204, ""},
		{"POST", "/sms/status/canary-secret-of-the-reports/dsp_4", `{"s":[]}`, 204, ""},
		{"POST", "/sms/status/another-secret-of-the-reports/dsp_5", `{"s":{"state":"ok"}}`, 404, ""},
	} {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), c.method, c.path, strings.NewReader(c.body)))
		if d := meetings.Dispatch(meeting.DispatchID(fmt.Sprint("dsp_", i))); w.Code != c.status || d.State != c.want {
			t.Errorf("%s %s: %d %q", c.path, c.body, w.Code, d.State)
		}
	}
}

func TestLengthIsTheRealOne(t *testing.T) {
	leak.Check(t)
	for _, c := range []struct {
		text         string
		units, parts int
		unicode      bool
	}{
		{"", 0, 0, false},
		{"Hello", 5, 1, false},
		{strings.Repeat("a", 160), 160, 1, false},
		{strings.Repeat("a", 161), 161, 2, false},
		{strings.Repeat("a", 306), 306, 2, false},
		{strings.Repeat("a", 307), 307, 3, false},
		{strings.Repeat("€", 80), 160, 1, false},
		{strings.Repeat("€", 81), 162, 2, false},
		{"é à ù ì ò Ç", 11, 1, false},
		{"ê", 1, 1, true}, // is not in the alphabet
		{strings.Repeat("ê", 70), 70, 1, true},
		{strings.Repeat("ê", 71), 71, 2, true},
		{strings.Repeat("😀", 35), 70, 1, true},
		{strings.Repeat("😀", 36), 72, 2, true},
	} {
		if units, parts, unicode := sms.Length(c.text); units != c.units || parts != c.parts || unicode != c.unicode {
			t.Errorf("%.20q: %d units, %d parts, unicode %t", c.text, units, parts, unicode)
		}
	}
}

func TestLongTextsAreWarnedOf(t *testing.T) {
	leak.Check(t)
	w := sms.Config{Texts: map[string]string{"en": "Your video call: {link}", "fr": "Votre tête-à-tête : {link}", "it": strings.Repeat("a", 100) + "{link}"}}.Warnings()
	if len(w) != 2 || !strings.Contains(w[0], "texts.fr: takes 2 SMS") || !strings.Contains(w[0], "GSM alphabet") || !strings.Contains(w[1], "texts.it: takes 2 SMS (170 units)") {
		t.Error(w)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	leak.Check(t)
	for _, c := range []struct {
		cfg  sms.Config
		want string
	}{
		{sms.Config{Preset: "twillio"}, "preset: must be one of brevo, smsmode, twilio, vonage"},
		{sms.Config{Preset: "twilio"}, "from: must be the sender"},
		{sms.Config{}, "request.url: must be the gateway's"},
		{sms.Config{Request: sms.Request{URL: "https://{user}.example/"}}, "request.url: must have no hole in the host"},
		{sms.Config{Request: sms.Request{URL: "https://a.example/", Body: "x"}}, "request.body: must have {text}"},
		{sms.Config{Request: sms.Request{URL: "https://a.example/", Body: "{to}{text}{number}"}}, "has {number}"},
		{sms.Config{Request: sms.Request{URL: "https://a.example/", Body: "{to}{text}", Type: "xml"}}, "request.type: must be json or form"},
		{sms.Config{StatusSecret: "short"}, "status_secret: must be 20"},
		{sms.Config{Texts: map[string]string{"de": "x"}}, `texts: has the language "de"`},
		{sms.Config{Texts: map[string]string{"en": "x"}}, "texts.en: must have {link}"},
	} {
		if err := c.cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q is not said in %v", c.want, err)
		}
	}
}
