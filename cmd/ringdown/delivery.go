package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

type deliveryCmd struct {
	List   deliveryList   `cmd:"" help:"What is sent to desks and other targets, newest first."`
	Show   deliveryShow   `cmd:"" help:"One delivery with its attempts and its body, secrets masked."`
	Retry  deliveryRetry  `cmd:"" help:"Send one delivery again."`
	Replay deliveryReplay `cmd:"" help:"Send many again: a selection, since a time."`
	Tail   deliveryTail   `cmd:"" help:"Deliveries as they come, and what becomes of them."`
	Counts deliveryCounts `cmd:"" help:"How many were produced for each target, and what became of them."`
}

// deliveryRow is what the tables show of a delivery.
type deliveryRow struct {
	ID        string    `json:"id"`
	Cursor    string    `json:"cursor"`
	Kind      string    `json:"kind"`
	Meeting   string    `json:"meeting"`
	Target    string    `json:"target"`
	State     string    `json:"state"`
	Reason    string    `json:"reason"`
	Attempts  int       `json:"attempts"`
	Replayed  bool      `json:"replayed"`
	CreatedAt time.Time `json:"created_at"`
	NextAt    time.Time `json:"next_at"`
}

// state tells why, unless all went well.
func (d deliveryRow) state() string {
	if d.Reason == "" || d.State == "delivered" {
		return d.State
	}
	return d.State + " (" + d.Reason + ")"
}

func (d deliveryRow) line() string {
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%d\t%s\t%s\n",
		d.CreatedAt.Local().Format(time.DateTime), d.Target, d.state(), d.Kind, d.Attempts, d.ID, d.Meeting)
}

const deliveryHead = "MADE\tTARGET\tSTATE\tEVENT\tATTEMPTS\tID\tMEETING"

// deliveryFilter narrows a list.
type deliveryFilter struct {
	State   string `enum:",pending,delivered,failed,expired" default:"" help:"Only those in this state: pending, delivered, failed, expired."`
	Target  string `help:"Only those of this target, xcally/main."`
	Kind    string `help:"Only those of events of this kind, meeting.ended."`
	Meeting string `help:"Only those of this meeting: id, code or reference."`
}

func (f deliveryFilter) query(c *console, r remote) (url.Values, error) {
	q := url.Values{}
	if f.Meeting != "" {
		id, err := r.find(c, f.Meeting)
		if err != nil {
			return nil, err
		}
		q.Set("meeting", id)
	}
	for name, value := range map[string]string{"state": f.State, "target": f.Target, "kind": f.Kind} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q, nil
}

// moment reads "2h" (ago) or a time as the API writes them.
func moment(s string) (string, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return time.Now().Add(-d).UTC().Format(time.RFC3339), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t.UTC().Format(time.RFC3339), nil
		}
	}
	return "", fmt.Errorf("%q is neither a time (2026-11-21T09:00:00Z) nor a duration (2h)", s)
}

type deliveryList struct {
	remote
	deliveryFilter
	Since string `help:"Only those made since then: 2h (ago), or 2026-11-21T09:00:00Z."`
	Limit int    `default:"50" help:"How many at the most, 1 to 200."`
}

// Help gives the example.
func (deliveryList) Help() string {
	return "Example:\n  ringdown delivery list --state failed --since 24h"
}

// Run prints the table.
func (d *deliveryList) Run(c *console) error {
	q, err := d.query(c, d.remote)
	if err != nil {
		return err
	}
	q.Set("limit", fmt.Sprint(d.Limit))
	if d.Since != "" {
		since, err := moment(d.Since)
		if err != nil {
			return err
		}
		q.Set("since", since)
	}
	b, err := d.call(c, http.MethodGet, "/v1/deliveries?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	if d.JSON {
		return c.raw(b)
	}
	var page struct{ Deliveries []deliveryRow }
	if err := json.Unmarshal(b, &page); err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, deliveryHead)
	for _, r := range page.Deliveries {
		fmt.Fprint(w, r.line())
	}
	return w.Flush()
}

type deliveryShow struct {
	remote
	Delivery string `arg:"" help:"The delivery's id (dlv_…)."`
}

// Help gives the example.
func (deliveryShow) Help() string { return "Example:\n  ringdown delivery show dlv_01J9ZQ" }

// Run prints it.
func (d *deliveryShow) Run(c *console) error {
	b, err := d.call(c, http.MethodGet, "/v1/deliveries/"+url.PathEscape(d.Delivery), nil)
	if err != nil {
		return err
	}
	return showDelivery(c, b, d.JSON)
}

func showDelivery(c *console, b json.RawMessage, asJSON bool) error {
	if asJSON {
		return c.raw(b)
	}
	var r struct {
		deliveryRow
		Tries []struct {
			N       int
			At      time.Time
			TookMS  int64 `json:"took_ms"`
			Verdict string
			Reason  string
			Status  int
		}
		Body json.RawMessage
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s  %s  %s  %s\nof %s, made %s\n", r.ID, r.state(), r.Target, r.Kind, r.Meeting, r.CreatedAt.Local().Format(time.DateTime))
	if !r.NextAt.IsZero() {
		fmt.Fprintf(w, "next attempt %s\n", r.NextAt.Local().Format(time.DateTime))
	}
	if len(r.Tries) > 0 {
		fmt.Fprintf(w, "\nATTEMPT\tAT\tTOOK\tVERDICT\tREASON\tSTATUS\n")
	}
	for _, t := range r.Tries {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%d\n", t.N, t.At.Local().Format(time.DateTime), time.Duration(t.TookMS)*time.Millisecond, t.Verdict, t.Reason, t.Status)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if len(r.Body) == 0 {
		return nil
	}
	fmt.Fprintln(c.out)
	return c.raw(r.Body)
}

type deliveryRetry struct {
	remote
	Delivery string `arg:"" help:"The delivery's id (dlv_…)."`
}

// Help gives the example.
func (deliveryRetry) Help() string { return "Example:\n  ringdown delivery retry dlv_01J9ZQ" }

// Run asks for it.
func (d *deliveryRetry) Run(c *console) error {
	b, err := d.call(c, http.MethodPost, "/v1/deliveries/"+url.PathEscape(d.Delivery)+"/retry", nil)
	if err != nil {
		return err
	}
	return showDelivery(c, b, d.JSON)
}

type deliveryReplay struct {
	remote
	Since   string   `required:"" help:"Made since then: 2h (ago), or 2026-11-21T09:00:00Z."`
	Until   string   `help:"Made before then."`
	Target  string   `help:"Only those of this target, xcally/main."`
	Kind    []string `help:"Only those of events of these kinds; may be given more than once."`
	Meeting string   `help:"Only those of this meeting: id, code or reference."`
	State   []string `enum:"delivered,failed" help:"Only those that ended so: delivered or failed. Without it: both."`
	DryRun  bool     `name:"dry-run" help:"Only count."`
	Yes     bool     `help:"Send them."`
}

// Help gives the example.
func (deliveryReplay) Help() string {
	return "Counts first; sends with --yes. Receivers see the ids they saw before. What would be too late is left out.\n\n" +
		"Example:\n  ringdown delivery replay --since 2h --target xcally/main --state failed --yes"
}

// Run counts, and orders the replay if it may.
func (d *deliveryReplay) Run(c *console) error {
	body := map[string]any{"dry_run": !d.Yes || d.DryRun}
	for name, value := range map[string]string{"since": d.Since, "until": d.Until} {
		if value == "" {
			continue
		}
		at, err := moment(value)
		if err != nil {
			return err
		}
		body[name] = at
	}
	if d.Meeting != "" {
		id, err := d.find(c, d.Meeting)
		if err != nil {
			return err
		}
		body["meeting"] = id
	}
	if d.Target != "" {
		body["target"] = d.Target
	}
	if len(d.Kind) > 0 {
		body["kinds"] = d.Kind
	}
	if len(d.State) > 0 {
		body["states"] = d.State
	}
	b, err := d.call(c, http.MethodPost, "/v1/deliveries/replay", body)
	if err != nil {
		return err
	}
	if d.JSON {
		return c.raw(b)
	}
	var r struct {
		ID      string
		Count   int64
		TooLate int64 `json:"too_late"`
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	late := ""
	if r.TooLate > 0 {
		late = fmt.Sprintf("; left out, as too late: %d", r.TooLate)
	}
	if r.ID != "" {
		_, err = fmt.Fprintf(c.out, "%s  being sent again: %d%s\n", r.ID, r.Count, late)
		return err
	}
	if _, err := fmt.Fprintf(c.out, "would be sent again: %d%s\n", r.Count, late); err != nil {
		return err
	}
	if !d.DryRun && r.Count > 0 {
		return errors.New("nothing was sent: add --yes to send them, or --dry-run to count only")
	}
	return nil
}

type deliveryTail struct {
	remote
	deliveryFilter
	Lines int           `short:"n" default:"10" help:"How many of the past to begin with, 0 to 200."`
	Every time.Duration `default:"1s" help:"How often to look."`
}

// Help gives the example.
func (deliveryTail) Help() string { return "Example:\n  ringdown delivery tail --target xcally/main" }

// watched is how many pending deliveries tail looks at again.
const watched = 50

// Run follows until it is stopped. A delivery is told again when it has changed.
func (d *deliveryTail) Run(c *console) error {
	q, err := d.query(c, d.remote)
	if err != nil {
		return err
	}
	page := func(more url.Values) ([]json.RawMessage, error) {
		maps.Copy(more, q)
		b, err := d.call(c, http.MethodGet, "/v1/deliveries?"+more.Encode(), nil)
		if err != nil {
			return nil, err
		}
		var p struct{ Deliveries []json.RawMessage }
		return p.Deliveries, json.Unmarshal(b, &p)
	}
	list, err := page(url.Values{"limit": {fmt.Sprint(max(1, d.Lines))}})
	if err != nil {
		return err
	}
	slices.Reverse(list)
	after, waiting := "0", map[string]deliveryRow{}
	tell := func(raw json.RawMessage, print bool) error {
		var r deliveryRow
		if err := json.Unmarshal(raw, &r); err != nil {
			return err
		}
		before, seen := waiting[r.ID]
		delete(waiting, r.ID)
		if r.State == "pending" && (seen || len(waiting) < watched) {
			waiting[r.ID] = r
		}
		if !seen {
			after = r.Cursor
		} else if before.State == r.State && before.Attempts == r.Attempts {
			return nil
		}
		if !print {
			return nil
		}
		if d.JSON {
			return c.line(raw)
		}
		_, err := fmt.Fprint(c.out, strings.ReplaceAll(r.line(), "\t", "  "))
		return err
	}
	for _, raw := range list {
		if err := tell(raw, d.Lines > 0); err != nil {
			return err
		}
	}
	for c.sleep(max(d.Every, soonest)) {
		for id := range waiting {
			raw, err := d.call(c, http.MethodGet, "/v1/deliveries/"+url.PathEscape(id), nil)
			if err == nil {
				err = tell(raw, true)
			}
			if err != nil {
				return c.unlessStopped(err)
			}
		}
		list, err := page(url.Values{"after": {after}, "limit": {"200"}})
		if err != nil {
			return c.unlessStopped(err)
		}
		for _, raw := range list {
			if err := tell(raw, true); err != nil {
				return err
			}
		}
	}
	return nil
}

type deliveryCounts struct{ remote }

// Help gives the example.
func (deliveryCounts) Help() string { return "Example:\n  ringdown delivery counts" }

// Run prints the ledger.
func (d *deliveryCounts) Run(c *console) error {
	b, err := d.call(c, http.MethodGet, "/v1/deliveries/counts", nil)
	if err != nil {
		return err
	}
	if d.JSON {
		return c.raw(b)
	}
	var page struct {
		Targets []struct {
			Target                                                         string
			Produced, Pending, Delivered, Failed, Expired, Pruned, Missing int64
		}
	}
	if err := json.Unmarshal(b, &page); err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TARGET\tPRODUCED\tPENDING\tDELIVERED\tFAILED\tEXPIRED\tPRUNED\tMISSING")
	for _, t := range page.Targets {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", t.Target, t.Produced, t.Pending, t.Delivered, t.Failed, t.Expired, t.Pruned, t.Missing)
	}
	return w.Flush()
}
