package webhook

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ringdown/egress"
	"ringdown/outbox"
)

// Deliver posts one event. Every attempt has the delivery's id and a time and
// signatures of its own.
func (c *Connector) Deliver(ctx context.Context, d outbox.Delivery) outbox.Result {
	e := c.endpointOf(d.Target)
	if e == nil {
		return outbox.Result{Verdict: outbox.GiveUp, Reason: "no_endpoint"}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url.Reveal(), bytes.NewReader(d.Body))
	if err != nil {
		return outbox.Result{Verdict: outbox.GiveUp, Reason: string(egress.BadURL)}
	}
	for name, value := range e.headers {
		req.Header[name] = []string{value.Reveal()}
	}
	at := c.now()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("webhook-id", d.Public)
	req.Header.Set("webhook-timestamp", unix(at))
	req.Header.Set("webhook-signature", sign(e.keys, d.Public, at, d.Body))
	resp, err := c.way.Do(req)
	if err != nil {
		return noAnswer(err)
	}
	defer resp.Body.Close()
	r := answered(resp, c.now())
	if r.Verdict == outbox.GiveUp {
		c.log.WarnContext(ctx, "webhook receiver says it is gone for good", "endpoint", e.name, "delivery", d.Public,
			"repair", "take the endpoint out of the file, or correct its url")
	}
	return r
}

// endpointOf returns the endpoint a target names; nil if it is none of ours.
func (c *Connector) endpointOf(target string) *endpoint {
	for _, e := range c.endpoints {
		if e.target() == target {
			return e
		}
	}
	return nil
}

// noAnswer judges an attempt without an answer.
func noAnswer(err error) outbox.Result {
	var e *egress.Error
	if !errors.As(err, &e) {
		return outbox.Result{Verdict: outbox.Retry, Reason: "internal"}
	}
	r := outbox.Result{Verdict: outbox.Retry, Reason: string(e.Reason)}
	switch {
	case e.Reason == egress.Blocked, e.Reason == egress.BadURL:
		r.Verdict = outbox.GiveUp
	case e.Reason == egress.Reset && e.Sent:
		r.Reason += "_after_send" // it may have arrived
	}
	return r
}

// answered judges an answer by its status. Only 410 is an end: whatever else a
// receiver answers, somebody may be repairing it. A redirect is a failure and
// is not followed.
func answered(resp *http.Response, now time.Time) outbox.Result {
	status := resp.StatusCode
	switch {
	case status >= 200 && status < 300:
		return outbox.Result{Verdict: outbox.OK, Status: status}
	case status == http.StatusGone:
		return outbox.Result{Verdict: outbox.GiveUp, Status: status, Reason: "gone"}
	case status >= 300 && status < 400:
		return outbox.Result{Verdict: outbox.Retry, Status: status, Reason: "redirect"}
	}
	return outbox.Result{
		Verdict: outbox.Retry, Status: status, Reason: "status_" + strconv.Itoa(status), After: retryAfter(resp.Header.Get("Retry-After"), now),
	}
}

// retryAfter reads the header: seconds or a date. 0: none. The outbox keeps it
// between a second and a day.
func retryAfter(header string, now time.Time) time.Duration {
	const most = 7 * 24 * time.Hour // far beyond what is obeyed, and no overflow
	if s, err := strconv.ParseUint(strings.TrimSpace(header), 10, 64); err == nil {
		return time.Duration(min(s, uint64(most/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		return min(at.Sub(now), most)
	}
	return 0
}
