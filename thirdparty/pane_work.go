package thirdparty

import (
	"cmp"
	"context"
	"time"

	"github.com/gin-gonic/gin"

	"ringdown/customer"
	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
)

// work is what an agent writes on the page. Members that are absent stay.
type work struct {
	Note     *string `json:"note"`
	Outcome  *string `json:"outcome"`
	CallBack *string `json:"call_back"` // RFC 3339; empty: none
	Customer *string `json:"customer"`  // id of a record; empty: by the number
	EndVideo bool    `json:"end_video"` // done only: end a video call that goes on
}

const callBackWithin = 366 * 24 * time.Hour

// check reads the body and returns what it does to a phone call.
func (p *pane) check(c *gin.Context) (w work, apply func(*meeting.PhoneCall), err error) {
	if err := httpd.DecodeJSON(c.Request, &w); err != nil {
		return w, nil, err
	}
	var checks httpd.Checks
	checks.Unless(w.Note == nil || len(*w.Note) <= meeting.NoteLimit, "/note", "must be at most %d bytes", meeting.NoteLimit)
	checks.Unless(w.Outcome == nil || p.hasOutcome(*w.Outcome), "/outcome", "must be empty or a name of connectors.thirdparty.outcomes")
	checks.Unless(w.Customer == nil || len(*w.Customer) <= 200, "/customer", "must be the id of a record")
	var back time.Time
	if w.CallBack != nil && *w.CallBack != "" {
		now := p.Now()
		back, err = time.Parse(time.RFC3339, *w.CallBack)
		checks.Unless(err == nil && back.After(now) && back.Before(now.Add(callBackWithin)), "/call_back", "must be empty or a time within a year from now, as 2027-03-01T09:30:00Z")
	}
	return w, func(call *meeting.PhoneCall) {
		if w.Note != nil {
			call.Note = *w.Note
		}
		if w.Outcome != nil {
			call.Outcome = *w.Outcome
		}
		if w.Customer != nil {
			call.Customer = *w.Customer
		}
		if w.CallBack != nil {
			call.CallBack = back.UTC().Truncate(time.Millisecond)
			if *w.CallBack == "" {
				call.CallBack = time.Time{}
			}
		}
	}, checks.Err()
}

// save keeps what was written so far.
func (p *pane) save(c *gin.Context) error {
	_, apply, err := p.check(c)
	if err != nil {
		return err
	}
	call, err := p.proved(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	call, err = p.Phones.Change(ctx, call.ID, func(call meeting.PhoneCall, _ time.Time) (meeting.PhoneCall, error) {
		if call.Done() {
			return call, fault.New(fault.Conflict, "this call is finished")
		}
		apply(&call)
		return call, nil
	})
	if err != nil {
		return err
	}
	if err := p.record(ctx, call); err != nil {
		return err
	}
	return p.answer(c, call, staleness{})
}

// done keeps what was written and finishes. The page sends the close message
// after it. Finishing twice changes nothing. A video call that goes on is ended
// only if the body says so.
func (p *pane) done(c *gin.Context) error {
	w, apply, err := p.check(c)
	if err != nil {
		return err
	}
	call, err := p.find(c)
	if err != nil {
		return err
	}
	if call.Done() {
		return p.answer(c, call, staleness{})
	}
	ctx := c.Request.Context()
	if call.Trust.Trusted() {
		if err := p.finishVideo(ctx, call, w.EndVideo); err != nil {
			return err
		}
	} else {
		apply = func(*meeting.PhoneCall) {} // its page offers nothing to write
	}
	after, err := p.Phones.Change(ctx, call.ID, func(call meeting.PhoneCall, now time.Time) (meeting.PhoneCall, error) {
		apply(&call)
		return call, nil
	})
	if err != nil {
		return err
	}
	if err := p.record(ctx, after); err != nil {
		return err // the page stays and says why; nothing is lost
	}
	if call, err = p.Phones.Change(ctx, call.ID, func(call meeting.PhoneCall, now time.Time) (meeting.PhoneCall, error) {
		call.DoneAt = now
		return call, nil
	}); err != nil {
		return err
	}
	return p.answer(c, call, staleness{})
}

// record keeps the call among the contacts of its number, so that whoever
// answers it next knows. The same call again replaces it. Nothing is kept of an
// untrusted ring, nor of a caller that nobody could find again.
func (p *pane) record(ctx context.Context, call meeting.PhoneCall) error {
	if !call.Trust.Trusted() || call.Number == "" && call.Customer == "" {
		return nil
	}
	c := customer.Contact{
		ID: string(call.ID), Number: call.Number, Customer: call.Customer, Kind: "call", At: call.RungAt, Agent: call.Agent.Name,
		Queue: cmp.Or(call.Queue.Label, call.Queue.Name), Outcome: call.Outcome, Note: call.Note, Due: call.CallBack,
	}
	if call.Meeting != "" {
		m, err := p.Meetings.ByID(ctx, call.Meeting)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		if err == nil {
			c.Kind, c.Ref, c.Length = "video", m.Reference(), m.Length()
		}
	}
	return p.Customers.Note(ctx, c)
}
