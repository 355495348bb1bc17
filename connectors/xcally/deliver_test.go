package xcally_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringdown/connectors/connectortest"
	"ringdown/egress"
	"ringdown/meeting"
	"ringdown/outbox"
)

func delivery(target string) outbox.Delivery {
	return outbox.Delivery{
		ID: 1, Public: "dlv_1", Target: target, Dest: target + "/m", Meeting: "mtg_01JD7F3K2M", Kind: meeting.KindMessage,
		Body: []byte(`{"from":"+39","body":"hello","mapKey":"phone","threadId":"mtg_01JD7F3K2M"}`),
	}
}

func answer(status int, body string, header ...string) connectortest.DoerFunc {
	return func(*http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i+1 < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
	}
}

func TestAnswersOfTheReceiveURL(t *testing.T) {
	date := connectortest.Start.Add(90 * time.Second).Format(http.TimeFormat)
	for _, tc := range []struct {
		name  string
		do    connectortest.DoerFunc
		want  outbox.Result
		alert bool
		ref   string
	}{
		{"interaction id", answer(200, `{"interaction":{"id":311}}`), outbox.Result{Verdict: outbox.OK, Status: 200}, false, "311"},
		{"interaction id as text", answer(201, `{"interaction":{"id":"311"},"id":9}`), outbox.Result{Verdict: outbox.OK, Status: 201}, false, "311"},
		{"id at the top", answer(200, `{"id":312}`), outbox.Result{Verdict: outbox.OK, Status: 200}, false, "312"},
		{"id at the top as text", answer(200, `{"interaction":null,"id":"312"}`), outbox.Result{Verdict: outbox.OK, Status: 200}, false, "312"},
		{"interaction of another type", answer(200, `{"interaction":"x","id":312}`), outbox.Result{Verdict: outbox.OK, Status: 200}, false, "312"},
		{"not JSON", answer(200, "OK"), outbox.Result{Verdict: outbox.OK, Status: 200}, false, ""},
		{"empty", answer(204, ""), outbox.Result{Verdict: outbox.OK, Status: 204}, false, ""},
		{"redirect", answer(301, "", "Location", "https://evil.example"), outbox.Result{Verdict: outbox.GiveUp, Status: 301, Reason: "redirect"}, true, ""},
		{"400", answer(400, `{"message":"x"}`), outbox.Result{Verdict: outbox.GiveUp, Status: 400, Reason: "status_400"}, true, ""},
		{"401", answer(401, ""), outbox.Result{Verdict: outbox.GiveUp, Status: 401, Reason: "status_401"}, true, ""},
		{"403", answer(403, ""), outbox.Result{Verdict: outbox.GiveUp, Status: 403, Reason: "status_403"}, true, ""},
		{"404", answer(404, ""), outbox.Result{Verdict: outbox.GiveUp, Status: 404, Reason: "status_404"}, true, ""},
		{"405", answer(405, ""), outbox.Result{Verdict: outbox.GiveUp, Status: 405, Reason: "status_405"}, true, ""},
		{"408", answer(408, ""), outbox.Result{Verdict: outbox.Retry, Status: 408, Reason: "status_408"}, false, ""},
		{"425", answer(425, ""), outbox.Result{Verdict: outbox.Retry, Status: 425, Reason: "status_425"}, false, ""},
		{"429", answer(429, "", "Retry-After", "120"), outbox.Result{Verdict: outbox.Retry, Status: 429, Reason: "status_429", After: 2 * time.Minute}, false, ""},
		{"503 with a date", answer(503, "", "Retry-After", date), outbox.Result{Verdict: outbox.Retry, Status: 503, Reason: "status_503", After: 90 * time.Second}, false, ""},
		{"500 with nonsense", answer(500, "", "Retry-After", "soon"), outbox.Result{Verdict: outbox.Retry, Status: 500, Reason: "status_500"}, false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, tc.do, mainAccount())
			r.meetings.Put(connectortest.Meeting("xcally/main"))
			if got := r.Deliver(t.Context(), delivery("xcally/main")); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if alert := strings.Contains(r.log.String(), `"level":"WARN"`); alert != tc.alert {
				t.Errorf("the log: %s", r.log)
			}
			m, err := r.meetings.ByRef(t.Context(), meeting.Ref{Vendor: "xcally", Key: "main:interaction:" + tc.ref})
			if (err == nil) != (tc.ref != "") || err == nil && m.ID != "mtg_01JD7F3K2M" {
				t.Errorf("the interaction is kept as %v, %v", m.ID, err)
			}
		})
	}
}

func TestTroubleOnTheWay(t *testing.T) {
	fail := func(reason egress.Reason, sent bool) error {
		return &egress.Error{Reason: reason, Host: "motion.example", Sent: sent}
	}
	for _, tc := range []struct {
		name   string
		before string // the reason of the last attempt
		err    error
		want   outbox.Verdict
		reason string
	}{
		{"refused", "", fail(egress.Refused, false), outbox.Retry, "refused"},
		{"no such name", "refused", fail(egress.DNS, false), outbox.Retry, "dns"},
		{"bad certificate", "", fail(egress.TLS, false), outbox.Retry, "tls"},
		{"slow to connect", "", fail(egress.TimeoutBeforeSend, false), outbox.Retry, "timeout_before_send"},
		{"an address that is not allowed", "", fail(egress.Blocked, false), outbox.GiveUp, "blocked"},
		{"first silence", "", fail(egress.TimeoutAfterSend, true), outbox.Retry, "timeout_after_send"},
		{"second silence", "timeout_after_send", fail(egress.TimeoutAfterSend, true), outbox.GiveUp, "timeout_after_send"},
		{"broken after sending", "", fail(egress.Reset, true), outbox.Retry, "reset_after_send"},
		{"broken before it was out", "", fail(egress.Reset, false), outbox.Retry, "reset"},
		{"refused after a silence", "timeout_after_send", fail(egress.Refused, false), outbox.Retry, "unsure_refused"},
		{"silence after that", "unsure_refused", fail(egress.TimeoutAfterSend, true), outbox.GiveUp, "timeout_after_send"},
		{"something else", "", errors.New("x"), outbox.Retry, "internal"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, func(*http.Request) (*http.Response, error) { return nil, tc.err }, mainAccount())
			d := delivery("xcally/main")
			d.Reason = tc.before
			if got := r.Deliver(t.Context(), d); got.Verdict != tc.want || got.Reason != tc.reason {
				t.Errorf("got %+v", got)
			}
		})
	}
	t.Run("an answer after a silence", func(t *testing.T) {
		d := delivery("xcally/main")
		d.Reason = "timeout_after_send"
		if got := newRig(t, answer(503, ""), mainAccount()).Deliver(t.Context(), d); got.Reason != "unsure_status_503" || got.Verdict != outbox.Retry {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("an account that is no longer configured", func(t *testing.T) {
		if got := newRig(t, nil, mainAccount()).Deliver(t.Context(), delivery("xcally/gone")); got.Verdict != outbox.GiveUp || got.Reason != "no_account" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestTheRequestIsWhatXCALLYTakes(t *testing.T) {
	var req *http.Request
	var body []byte
	r := newRig(t, func(q *http.Request) (*http.Response, error) {
		req = q
		body, _ = io.ReadAll(q.Body)
		return answer(200, "")(q)
	}, mainAccount())
	d := delivery("xcally/main")
	r.Deliver(t.Context(), d)
	if req.Method != http.MethodPost || req.URL.String() != receiveURL || req.Header.Get("Content-Type") != "application/json" ||
		req.Header.Get("X-Delivery-Id") != "dlv_1" || string(body) != string(d.Body) {
		t.Errorf("%s %s %v %s", req.Method, req.URL, req.Header, body)
	}
}

func TestAnInteractionOfTwoMeetingsStaysWithTheFirst(t *testing.T) {
	r := newRig(t, answer(200, `{"id":311}`), mainAccount())
	first, second := connectortest.Meeting("xcally/main"), connectortest.Meeting("xcally/main")
	second.ID = "mtg_2"
	r.meetings.Put(first)
	r.meetings.Put(second)
	for _, id := range []meeting.ID{first.ID, second.ID, first.ID} {
		d := delivery("xcally/main")
		d.Meeting = id
		if got := r.Deliver(t.Context(), d); got.Verdict != outbox.OK {
			t.Errorf("got %+v", got)
		}
	}
	r.meetings.Break(errors.New("disk full"))
	if got := r.Deliver(t.Context(), delivery("xcally/main")); got.Verdict != outbox.OK {
		t.Errorf("what arrived is %+v because the store is away", got)
	}
	r.meetings.Break(nil)
	if m, _ := r.meetings.ByRef(t.Context(), meeting.Ref{Vendor: "xcally", Key: "main:interaction:311"}); m.ID != first.ID {
		t.Errorf("it belongs to %s", m.ID)
	}
}
