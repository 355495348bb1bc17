package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"ringdown/fault"
	"ringdown/meeting"
	"ringdown/outbox"
)

// ended is an outbox with one delivery.
type ended struct {
	Deliveries
	one    outbox.Delivery
	again  bool
	faster bool // somebody else retries it first
}

func (e *ended) Delivery(context.Context, string) (outbox.Delivery, error) { return e.one, nil }

func (e *ended) Attempts(context.Context, int64) ([]outbox.Attempt, error) { return nil, nil }

func (e *ended) Requeue(_ context.Context, _ int64, from outbox.State, _ time.Time) error {
	if e.faster || from != e.one.State {
		return meeting.ErrNoRow
	}
	e.again = true
	return nil
}

// TestD6_no_human_sends_a_late_ring: what may be retried, and what may not.
func TestD6_no_human_sends_a_late_ring(t *testing.T) {
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name    string
		state   outbox.State
		expires time.Time
		faster  bool
		want    fault.Code // "": sent
	}{
		{"a failed message", outbox.Failed, time.Time{}, false, ""},
		{"a delivered message", outbox.Delivered, time.Time{}, false, ""},
		{"a failed ring that still rings", outbox.Failed, now.Add(time.Second), false, ""},
		{"an expired ring", outbox.Expired, now, false, fault.Conflict},
		{"a delivered ring of yesterday", outbox.Delivered, now.Add(-24 * time.Hour), false, fault.Conflict},
		{"one that waits for its next try", outbox.Pending, now.Add(time.Hour), false, ""},
		{"one that is on its way", outbox.Pending, time.Time{}, true, fault.Conflict},
		{"one that somebody else retries", outbox.Failed, time.Time{}, true, fault.Conflict},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := &ended{one: outbox.Delivery{ID: 1, Public: "dlv_1", State: tc.state, ExpiresAt: tc.expires, Body: []byte("{}")}, faster: tc.faster}
			a := &API{cfg: Config{Deliveries: e}, now: func() time.Time { return now }, log: slog.New(slog.DiscardHandler)}
			c, _ := gin.CreateTestContext(httptest.NewRecorder())
			c.Request = httptest.NewRequest(http.MethodPost, "/v1/deliveries/dlv_1/retry", nil)
			c.Params = gin.Params{{Key: "delivery", Value: "dlv_1"}}
			err := a.retryDelivery(c)
			if tc.want == "" && err != nil || tc.want != "" && !fault.Is(err, tc.want) || e.again != (tc.want == "") {
				t.Errorf("%v; sent: %v", err, e.again)
			}
		})
	}
}
