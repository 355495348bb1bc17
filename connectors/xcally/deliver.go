package xcally

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ringdown/egress"
	"ringdown/fault"
	"ringdown/meeting"
	"ringdown/outbox"
)

// unsure before a reason tells that an earlier attempt may have arrived. There
// is no idempotency key, so a second such attempt is the last.
const unsure = "unsure_"

// live is how long a message is part of a conversation that is going on; rings
// wait behind it.
const live = 10 * time.Minute

// Deliver posts one message to its account's Receive URL.
func (c *Connector) Deliver(ctx context.Context, d outbox.Delivery) outbox.Result {
	r := c.attempt(ctx, d)
	r.Live = r.Verdict == outbox.Retry && c.now().Sub(d.CreatedAt) < live
	return r
}

func (c *Connector) attempt(ctx context.Context, d outbox.Delivery) outbox.Result {
	a := c.accountOf(d.Target)
	if a == nil {
		return outbox.Result{Verdict: outbox.GiveUp, Reason: "no_account"}
	}
	// The Receive URL is used exactly as it was copied.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.receiveURL.Reveal(), bytes.NewReader(d.Body))
	if err != nil {
		return outbox.Result{Verdict: outbox.GiveUp, Reason: "bad_url"}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("X-Delivery-Id", d.Public) // for a reader of both logs; XCALLY passes over it
	resp, err := c.way.Do(req)
	if err != nil {
		return noAnswer(d, err)
	}
	defer resp.Body.Close()
	r := c.answered(a, d, resp)
	if r.Verdict == outbox.Retry && wasUnsure(d) {
		r.Reason = unsure + r.Reason
	}
	if r.Verdict == outbox.OK {
		c.keepInteraction(ctx, a, d.Meeting, resp.Body)
	}
	return r
}

// noAnswer judges an attempt without an answer.
func noAnswer(d outbox.Delivery, err error) outbox.Result {
	var e *egress.Error
	if !errors.As(err, &e) {
		return outbox.Result{Verdict: outbox.Retry, Reason: "internal"}
	}
	r := outbox.Result{Verdict: outbox.Retry, Reason: string(e.Reason)}
	switch {
	case e.Reason == egress.Blocked, e.Reason == egress.BadURL:
		r.Verdict = outbox.GiveUp
	case e.Sent:
		r.Reason = strings.TrimSuffix(r.Reason, afterSend) + afterSend
		if wasUnsure(d) {
			r.Verdict = outbox.GiveUp
		}
	case wasUnsure(d):
		r.Reason = unsure + r.Reason // this one surely did not arrive
	}
	return r
}

const afterSend = "_after_send"

// wasUnsure tells whether an attempt of d that may have arrived was made.
func wasUnsure(d outbox.Delivery) bool {
	return strings.HasSuffix(d.Reason, afterSend) || strings.HasPrefix(d.Reason, unsure)
}

// answered judges an answer by its status.
func (c *Connector) answered(a *account, d outbox.Delivery, resp *http.Response) outbox.Result {
	status := resp.StatusCode
	r := outbox.Result{Status: status, Reason: "status_" + strconv.Itoa(status)}
	switch {
	case status >= 200 && status < 300:
		return outbox.Result{Verdict: outbox.OK, Status: status}
	case status >= 300 && status < 400:
		r.Verdict, r.Reason = outbox.GiveUp, "redirect"
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		r.Verdict, r.After = outbox.Retry, retryAfter(resp.Header.Get("Retry-After"), c.now())
		return r
	default:
		r.Verdict = outbox.GiveUp
	}
	c.log.Warn("xcally refuses messages", "account", a.name, "reason", r.Reason, "delivery", d.Public, "repair", repair(status))
	return r
}

// repair says what an operator can do about a refusal.
func repair(status int) string {
	switch {
	case status == http.StatusBadRequest:
		return "look at the account's fields and map_key: XCALLY cannot take the message"
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return "copy the Receive URL anew: its key or token is wrong or revoked"
	case status == http.StatusNotFound:
		return "copy the Receive URL anew: the account is gone or the path is of another version"
	case status < 400:
		return "write the address it redirects to into receive_url"
	}
	return "compare receive_url with the account's Settings tab"
}

// retryAfter reads the header: seconds or a date. 0: none.
func retryAfter(header string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(strings.TrimSpace(header)); err == nil && s > 0 {
		return time.Duration(min(s, 7*24*3600)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// keepInteraction notes the interaction id of the answer: replies may name the
// interaction only. What goes wrong here costs nothing but that.
func (c *Connector) keepInteraction(ctx context.Context, a *account, id meeting.ID, body io.Reader) {
	answer, err := io.ReadAll(body)
	if err != nil {
		return
	}
	interaction := interactionID(answer)
	if interaction == "" {
		return
	}
	ref := a.interaction(interaction)
	if m, err := c.meetings.ByRef(ctx, ref); err == nil {
		if m.ID != id {
			c.log.DebugContext(ctx, "xcally interaction belongs to another meeting too", "account", a.name, "meeting", id)
		}
		return
	}
	if err := c.meetings.AddRef(ctx, id, ref); err != nil {
		c.log.InfoContext(ctx, "xcally interaction is not kept", "account", a.name, "meeting", id, "code", fault.Of(err).Code)
	}
}

// interaction is the ref of one of the account's interactions.
func (a *account) interaction(id string) meeting.Ref {
	return meeting.Ref{Vendor: Name, Key: a.name + ":interaction:" + id}
}

// interactionID finds the id in the answer of a Receive URL: at interaction.id,
// in other builds at the top; number or text. Empty: it is not there.
func interactionID(answer []byte) string {
	var doc struct {
		Interaction struct {
			ID scalar `json:"id"`
		} `json:"interaction"`
		ID scalar `json:"id"`
	}
	// Decoding goes on past members of other types, so a wrong one costs only itself.
	_ = json.Unmarshal(answer, &doc)
	if doc.Interaction.ID != "" {
		return string(doc.Interaction.ID)
	}
	return string(doc.ID)
}

// scalar is a JSON number or text as text; anything else, also an overlong one,
// is empty.
type scalar string

// UnmarshalJSON never fails: what is no scalar is no id.
func (s *scalar) UnmarshalJSON(b []byte) error {
	*s = ""
	var text string
	var number json.Number
	if json.Unmarshal(b, &text) != nil && json.Unmarshal(b, &number) == nil {
		text = number.String()
	}
	if text = oneLine(text); len(text) <= 200 {
		*s = scalar(text)
	}
	return nil
}
