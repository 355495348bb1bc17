package api

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
	"ringdown/outbox"
)

// Deliveries is what the API shows of the outbox and asks of it; see
// outbox.Store.
type Deliveries interface {
	List(ctx context.Context, f outbox.Filter) ([]outbox.Delivery, error)
	Delivery(ctx context.Context, public string) (outbox.Delivery, error)
	Attempts(ctx context.Context, delivery int64) ([]outbox.Attempt, error)
	Counts(ctx context.Context) (map[string]outbox.Counts, error)
	Requeue(ctx context.Context, delivery int64, from outbox.State, now time.Time) error
	Match(ctx context.Context, sel outbox.Selection, now time.Time) (outbox.Matched, error)
	Replay(ctx context.Context, sel outbox.Selection, now time.Time) (outbox.Replay, error)
	Replays(ctx context.Context, limit int) ([]outbox.Replay, error)
}

type wireDelivery struct {
	ID        string        `json:"id"`
	Cursor    string        `json:"cursor"`
	Event     string        `json:"event"`
	Kind      meeting.Kind  `json:"kind"`
	Meeting   meeting.ID    `json:"meeting"`
	Target    string        `json:"target"`
	State     outbox.State  `json:"state"`
	Reason    string        `json:"reason,omitempty"`
	Attempts  int           `json:"attempts"`
	Replayed  bool          `json:"replayed"`
	CreatedAt time.Time     `json:"created_at"`
	NextAt    time.Time     `json:"next_at,omitzero"`
	ExpiresAt time.Time     `json:"expires_at,omitzero"`
	DoneAt    time.Time     `json:"done_at,omitzero"`
	Tries     []wireAttempt `json:"tries,omitempty"`
	Body      any           `json:"body,omitempty"`
	Bytes     int           `json:"body_bytes,omitempty"`
}

type wireAttempt struct {
	N       int            `json:"n"`
	At      time.Time      `json:"at"`
	TookMS  int64          `json:"took_ms"`
	Verdict outbox.Verdict `json:"verdict"`
	Reason  string         `json:"reason,omitempty"`
	Status  int            `json:"status,omitempty"`
}

func delivery(d outbox.Delivery) wireDelivery {
	return wireDelivery{
		ID: d.Public, Cursor: strconv.FormatInt(d.ID, 10), Event: string(d.Event), Kind: d.Kind, Meeting: d.Meeting, Target: d.Target,
		State: d.State, Reason: d.Reason, Attempts: d.Attempts, Replayed: d.Replayed,
		CreatedAt: d.CreatedAt, NextAt: d.Next, ExpiresAt: d.ExpiresAt, DoneAt: d.DoneAt,
	}
}

// deliveryStates are the words of the query.
func deliveryStates() []string {
	return []string{string(outbox.Pending), string(outbox.Delivered), string(outbox.Failed), string(outbox.Expired)}
}

func (a *API) listDeliveries(c *gin.Context) error {
	if err := knownQuery(c, "state", "target", "kind", "meeting", "since", "limit", "cursor", "after"); err != nil {
		return err
	}
	f := outbox.Filter{State: outbox.State(c.Query("state")), Target: c.Query("target"), Kind: meeting.Kind(c.Query("kind")), Limit: 50}
	var checks httpd.Checks
	checks.Unless(f.State == "" || slices.Contains(deliveryStates(), string(f.State)), "query:state", "must be pending, delivered, failed or expired")
	checks.Unless(len(f.Target) <= 64, "query:target", "must be at most 64 characters")
	checks.Unless(len(f.Kind) <= 64, "query:kind", "must be at most 64 characters")
	ref := c.Query("meeting")
	checks.Unless(ref == "" || refRE.MatchString(ref), "query:meeting", "must be a meeting's id (\"mtg_…\") or code")
	if raw, sent := c.GetQuery("since"); sent {
		at, err := time.Parse(time.RFC3339, raw)
		checks.Unless(err == nil, "query:since", "must be a time like 2026-11-21T09:00:00Z")
		f.Since = at
	}
	number := func(name string, least, most int64) int64 {
		raw, sent := c.GetQuery(name)
		if !sent {
			return 0
		}
		n, err := strconv.ParseInt(raw, 10, 64)
		checks.Unless(err == nil && n >= least && n <= most, "query:"+name, "must be a whole number from %d to %d", least, most)
		return n
	}
	const anyID = 1<<53 - 1
	if n := number("limit", 1, 200); n != 0 {
		f.Limit = int(n)
	}
	f.Before = number("cursor", 1, anyID)
	f.After = number("after", 0, anyID)
	_, f.Rising = c.GetQuery("after")
	checks.Unless(!f.Rising || f.Before == 0, "query:after", "does not go with cursor")
	if err := checks.Err(); err != nil {
		return err
	}
	if ref != "" {
		m, err := a.lookUp(c.Request.Context(), ref)
		if err != nil {
			return err
		}
		f.Meeting = m.ID
	}
	list, err := a.cfg.Deliveries.List(c.Request.Context(), f)
	if err != nil {
		return err
	}
	next := ""
	if len(list) == f.Limit {
		next = strconv.FormatInt(list[len(list)-1].ID, 10)
	}
	out := make([]wireDelivery, len(list))
	for i, d := range list {
		out[i] = delivery(d)
	}
	c.JSON(http.StatusOK, gin.H{"deliveries": out, "next": next})
	return nil
}

var deliveryRE = regexp.MustCompile(`^dlv_[A-Za-z0-9]{1,36}$`)

func (a *API) delivery(c *gin.Context) (outbox.Delivery, error) {
	id := c.Param("delivery")
	if err := httpd.CheckText("path:delivery", id); err != nil {
		return outbox.Delivery{}, err
	}
	if !deliveryRE.MatchString(id) {
		return outbox.Delivery{}, fault.NewInvalid("path:delivery", "must be a delivery's id (\"dlv_…\")")
	}
	d, err := a.cfg.Deliveries.Delivery(c.Request.Context(), id)
	if errors.Is(err, meeting.ErrNoRow) {
		return d, fault.New(fault.NotFound, "there is no delivery %s; ended ones are kept for a time only", id)
	}
	return d, err
}

func (a *API) getDelivery(c *gin.Context) error {
	d, err := a.delivery(c)
	if err != nil {
		return err
	}
	return a.showDelivery(c, d)
}

// showDelivery answers with a delivery, its attempts and its body, masked.
func (a *API) showDelivery(c *gin.Context, d outbox.Delivery) error {
	attempts, err := a.cfg.Deliveries.Attempts(c.Request.Context(), d.ID)
	if err != nil {
		return err
	}
	w := delivery(d)
	w.Tries = make([]wireAttempt, len(attempts))
	for i, t := range attempts {
		w.Tries[i] = wireAttempt{N: t.N, At: t.At, TookMS: t.Took.Milliseconds(), Verdict: t.Verdict, Reason: t.Reason, Status: t.Status}
	}
	w.Body, w.Bytes = outbox.Masked(d.Body), len(d.Body)
	c.JSON(http.StatusOK, w)
	return nil
}

func (a *API) retryDelivery(c *gin.Context) error {
	d, err := a.delivery(c)
	if err != nil {
		return err
	}
	if !d.ExpiresAt.IsZero() && !d.ExpiresAt.After(a.now()) {
		return fault.New(fault.Conflict, "the time of this delivery is over: a ring is fresh or not sent")
	}
	ctx := c.Request.Context()
	err = a.cfg.Deliveries.Requeue(ctx, d.ID, d.State, a.now())
	if errors.Is(err, meeting.ErrNoRow) {
		return fault.New(fault.Conflict, "it is being sent right now, or somebody else has just asked for it")
	}
	if err != nil {
		return err
	}
	a.log.InfoContext(ctx, "delivery is retried", "delivery", d.Public, "target", d.Target, "by", httpd.Caller(ctx).ID)
	if d, err = a.cfg.Deliveries.Delivery(ctx, d.Public); err != nil {
		return err
	}
	return a.showDelivery(c, d)
}

type newReplay struct {
	Target  string   `json:"target"`
	Kinds   []string `json:"kinds"`
	Meeting string   `json:"meeting"`
	States  []string `json:"states"`
	Since   string   `json:"since"`
	Until   string   `json:"until"`
	DryRun  bool     `json:"dry_run"`
}

func (n newReplay) selection(now time.Time) (outbox.Selection, error) {
	var c httpd.Checks
	c.Unless(len(n.Target) <= 64, "/target", "must be at most 64 characters")
	c.Unless(n.Meeting == "" || refRE.MatchString(n.Meeting), "/meeting", "must be a meeting's id (\"mtg_…\") or code")
	c.Unless(len(n.Kinds) <= 20, "/kinds", "must be at most 20")
	sel := outbox.Selection{Target: n.Target}
	for _, k := range n.Kinds {
		c.Unless(k != "" && len(k) <= 64 && !strings.ContainsRune(k, 0), "/kinds", "must be kinds of events, like meeting.ended")
		sel.Kinds = append(sel.Kinds, meeting.Kind(k))
	}
	for _, s := range n.States {
		c.Unless(s == string(outbox.Delivered) || s == string(outbox.Failed), "/states", "must be of delivered and failed")
		sel.States = append(sel.States, outbox.State(s))
	}
	c.Unless(len(n.States) <= 2, "/states", "must be at most 2")
	at := func(pointer, raw string) time.Time {
		if raw == "" {
			return time.Time{}
		}
		t, err := time.Parse(time.RFC3339, raw)
		c.Unless(err == nil, pointer, "must be a time like 2026-11-21T09:00:00Z")
		return t
	}
	c.Unless(n.Since != "", "/since", "is needed: replays reach back to a time")
	sel.Since, sel.Until = at("/since", n.Since), at("/until", n.Until)
	// What is made while the replay is being ordered goes out by itself.
	if sel.Until.IsZero() || sel.Until.After(now) {
		sel.Until = now
	}
	return sel, c.Err()
}

func (a *API) replayDeliveries(c *gin.Context) error {
	var in newReplay
	if err := httpd.DecodeJSON(c.Request, &in); err != nil {
		return err
	}
	now := a.now()
	sel, err := in.selection(now)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	if in.Meeting != "" {
		m, err := a.lookUp(ctx, in.Meeting)
		if err != nil {
			return err
		}
		sel.Meeting = m.ID
	}
	n, err := a.cfg.Deliveries.Match(ctx, sel, now)
	if err != nil {
		return err
	}
	out := gin.H{"count": n.Count, "too_late": n.TooLate, "dry_run": in.DryRun}
	if in.DryRun {
		c.JSON(http.StatusOK, out)
		return nil
	}
	r, err := a.cfg.Deliveries.Replay(ctx, sel, now)
	if err != nil {
		return err
	}
	a.log.InfoContext(ctx, "deliveries are replayed", "replay", r.Public, "count", r.Matched, "by", httpd.Caller(ctx).ID)
	out["id"], out["count"] = r.Public, r.Matched
	c.JSON(http.StatusAccepted, out)
	return nil
}

func (a *API) listReplays(c *gin.Context) error {
	list, err := a.cfg.Deliveries.Replays(c.Request.Context(), 20)
	if err != nil {
		return err
	}
	type wire struct {
		ID        string           `json:"id"`
		Selection outbox.Selection `json:"selection"`
		Count     int64            `json:"count"`
		Done      int64            `json:"done"`
		CreatedAt time.Time        `json:"created_at"`
		EndedAt   time.Time        `json:"ended_at,omitzero"`
	}
	out := make([]wire, len(list))
	for i, r := range list {
		out[i] = wire{r.Public, r.Selection, r.Matched, r.Done, r.CreatedAt, r.EndedAt}
	}
	c.JSON(http.StatusOK, gin.H{"replays": out})
	return nil
}

func (a *API) countDeliveries(c *gin.Context) error {
	counts, err := a.cfg.Deliveries.Counts(c.Request.Context())
	if err != nil {
		return err
	}
	type wire struct {
		Target    string `json:"target"`
		Produced  int64  `json:"produced"`
		Pending   int64  `json:"pending"`
		Delivered int64  `json:"delivered"`
		Failed    int64  `json:"failed"`
		Expired   int64  `json:"expired"`
		Pruned    int64  `json:"pruned"`
		Missing   int64  `json:"missing"`
	}
	out := []wire{}
	for _, target := range slices.Sorted(maps.Keys(counts)) {
		n := counts[target]
		out = append(out, wire{target, n.Produced, n.Pending, n.Delivered, n.Failed, n.Expired, n.Pruned, n.Missing()})
	}
	c.JSON(http.StatusOK, gin.H{"targets": out})
	return nil
}
