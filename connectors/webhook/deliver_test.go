package webhook

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"ringdown/connectors/connectortest"
	"ringdown/internal/hostile"
	"ringdown/internal/leak"
	"ringdown/outbox"
	"ringdown/secret"
)

func TestD4_every_misbehaviour_has_its_verdict_and_reason(t *testing.T) {
	leak.Check(t)
	date := connectortest.Start.Add(90 * time.Second).Format(http.TimeFormat)
	past := connectortest.Start.Add(-time.Hour).Format(http.TimeFormat)
	retry := func(status int, reason string, after time.Duration) outbox.Result {
		return outbox.Result{Verdict: outbox.Retry, Status: status, Reason: reason, After: after}
	}
	for _, tc := range []struct {
		name string
		b    hostile.Behaviour
		want outbox.Result
	}{
		{"taken", hostile.Status(200), outbox.Result{Verdict: outbox.OK, Status: 200}},
		{"taken, nothing to say", hostile.Status(204), outbox.Result{Verdict: outbox.OK, Status: 204}},
		{"taken for later", hostile.Status(202), outbox.Result{Verdict: outbox.OK, Status: 202}},
		{"taken, with a gigabyte behind it", hostile.Huge(), outbox.Result{Verdict: outbox.OK, Status: 200}},
		{"gone", hostile.Status(410), outbox.Result{Verdict: outbox.GiveUp, Status: 410, Reason: "gone"}},
		{"redirect", hostile.Redirect("/elsewhere"), retry(302, "redirect", 0)},
		{"redirect for good", hostile.Status(308), retry(308, "redirect", 0)},
		{"not modified", hostile.Status(304), retry(304, "redirect", 0)},
		{"bad request", hostile.Status(400), retry(400, "status_400", 0)},
		{"refused", hostile.Status(401), retry(401, "status_401", 0)},
		{"not found", hostile.Status(404), retry(404, "status_404", 0)},
		{"too many, in seconds", hostile.TooMany("120"), retry(429, "status_429", 2*time.Minute)},
		{"too many, by a date", hostile.TooMany(date), retry(429, "status_429", 90*time.Second)},
		{"too many, long ago", hostile.TooMany(past), retry(429, "status_429", 0)},
		{"too many, nonsense", hostile.TooMany("soon"), retry(429, "status_429", 0)},
		{"too many, less than nothing", hostile.TooMany("-5"), retry(429, "status_429", 0)},
		{"too many, for ever", hostile.TooMany("18446744073709551615"), retry(429, "status_429", 7*24*time.Hour)},
		{"too many, for centuries", hostile.TooMany("Fri, 31 Dec 9999 23:59:59 GMT"), retry(429, "status_429", 7*24*time.Hour)},
		{"unavailable for a day", hostile.Unavailable("86400"), retry(503, "status_503", 24*time.Hour)},
		{"broken", hostile.Status(500), retry(500, "status_500", 0)},
		{"no status there is", hostile.Status(799), retry(799, "status_799", 0)},
		{"tears the connection down", hostile.Reset(), retry(0, "reset_after_send", 0)},
		{"answers half", hostile.Cut(), retry(0, "reset_after_send", 0)},
		{"speaks another language", hostile.Nonsense(), retry(0, "reset_after_send", 0)},
		{"hangs", hostile.Hang(), retry(0, "timeout_after_send", 0)},
		{"drips", hostile.Drip(), retry(0, "timeout_after_send", 0)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := receiver(t)
			in.Set("/hook", tc.b)
			r := newRig(t, nil, at("crm", in.URL()+"/hook"))
			ctx := t.Context()
			if tc.want.Reason == "timeout_after_send" {
				var cancel context.CancelFunc // as the outbox limits an attempt, but for how long
				ctx, cancel = context.WithTimeout(ctx, 200*time.Millisecond)
				defer cancel()
			}
			if got := r.Deliver(ctx, delivery("webhook/crm")); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
			if all := in.Ledger(); len(all) != 1 || all[0].Path != "/hook" {
				t.Errorf("it was asked %d times", len(all))
			}
			if warned := strings.Contains(r.log.String(), `"level":"WARN"`); warned != (tc.want.Verdict == outbox.GiveUp) {
				t.Errorf("the log: %s", &r.log)
			}
		})
	}
}

func TestD4_without_an_answer_the_reason_is_typed(t *testing.T) {
	leak.Check(t)
	in, away := receiver(t), receiver(t)
	away.Down()
	for _, tc := range []struct {
		name, url string
		verdict   outbox.Verdict
		reason    string
	}{
		{"nobody listens", away.URL(), outbox.Retry, "refused"},
		{"a certificate of nobody", in.BadTLSURL(), outbox.Retry, "tls"},
		{"https where there is http", strings.Replace(in.URL(), "http:", "https:", 1), outbox.Retry, "tls"},
		{"a name without an address", "http://nobody.invalid/", outbox.Retry, "dns"},
		{"a machine's metadata", "http://169.254.169.254/latest/meta-data/", outbox.GiveUp, "blocked"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(t, nil, at("crm", tc.url))
			if got := r.Deliver(t.Context(), delivery("webhook/crm")); got != (outbox.Result{Verdict: tc.verdict, Reason: tc.reason}) {
				t.Errorf("got %+v", got)
			}
		})
	}
	if n := len(in.Ledger()); n != 0 {
		t.Errorf("%d requests arrived", n)
	}
	t.Run("an endpoint that is no longer in the file", func(t *testing.T) {
		r := newRig(t, nil, at("crm", in.URL()))
		for _, target := range []string{"webhook/old", "webhook/", "webhook", "xcally/crm"} {
			if got := r.Deliver(t.Context(), delivery(target)); got != (outbox.Result{Verdict: outbox.GiveUp, Reason: "no_endpoint"}) {
				t.Errorf("%s: %+v", target, got)
			}
		}
	})
}

func TestS1_no_event_reaches_inside(t *testing.T) {
	leak.Check(t)
	in, inside := receiver(t), receiver(t)
	in.Set("", hostile.Redirect(inside.URL()+"/admin"))
	r := newRig(t, nil, at("crm", in.URL()))
	if got := r.Deliver(t.Context(), delivery("webhook/crm")); got.Reason != "redirect" || got.Verdict != outbox.Retry {
		t.Errorf("a redirect: %+v", got)
	}
	ours := netip.MustParseAddrPort(strings.TrimPrefix(inside.URL(), "http://"))
	r = newRig(t, func() []netip.AddrPort { return []netip.AddrPort{ours} }, at("crm", inside.URL()))
	if got := r.Deliver(t.Context(), delivery("webhook/crm")); got != (outbox.Result{Verdict: outbox.GiveUp, Reason: "blocked"}) {
		t.Errorf("our own listener, written in the file: %+v", got)
	}
	if inside.Connections() != 0 {
		t.Errorf("%d connections", inside.Connections())
	}
	// The file allows exactly the host and port it writes, private or not.
	in.Set("", hostile.Status(200))
	if got := newRig(t, nil, at("crm", in.URL())).Deliver(t.Context(), delivery("webhook/crm")); got.Verdict != outbox.OK {
		t.Errorf("the address of the file: %+v", got)
	}
}

func TestTheRequest(t *testing.T) {
	leak.Check(t)
	in := receiver(t)
	e := at("crm", in.URL()+"/hook/a%2Fb?token=x&y")
	e.Headers = map[string]secret.Secret{"authorization": "Bearer t", "X-Tenant": "acme", "User-Agent": "Acme"}
	r := newRig(t, nil, e)
	d := delivery("webhook/crm")
	if got := r.Deliver(t.Context(), d); got.Verdict != outbox.OK {
		t.Fatalf("got %+v", got)
	}
	got := in.Ledger()[0]
	for name, want := range map[string]string{
		"Authorization": "Bearer t", "X-Tenant": "acme", "User-Agent": "Acme", "Content-Type": "application/json",
		"Webhook-Id": "dlv_1", "Webhook-Timestamp": "1795253400",
	} {
		if v := got.Header.Values(name); len(v) != 1 || v[0] != want {
			t.Errorf("%s: %q, want %q", name, v, want)
		}
	}
	if got.Method != "POST" || got.Path != "/hook/a/b" || string(got.Body) != string(d.Body) {
		t.Errorf("got %+v", got)
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "0", "120", " 7 ", "-1", "1e9", "18446744073709551616", "Sat, 21 Nov 2026 09:31:30 GMT", "Saturday, 21-Nov-26 09:31:30 GMT", "soon"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if got := retryAfter(header, connectortest.Start); got < 0 || got > 7*24*time.Hour {
			t.Errorf("%q is %v", header, got)
		}
	})
}
