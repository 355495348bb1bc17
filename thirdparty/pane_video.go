package thirdparty

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"rsc.io/qr"

	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
)

// paneVideo is the video call that was made from a phone call.
type paneVideo struct {
	Reference string    `json:"reference"`
	Ended     bool      `json:"ended"`
	Seconds   int64     `json:"length_seconds,omitempty"`
	Link      string    `json:"link,omitempty"` // for the caller
	QR        *qrCode   `json:"qr,omitempty"`   // of Link
	Seat      string    `json:"seat,omitempty"` // the agent's own room
	Opened    bool      `json:"opened"`         // a person opened the link
	Joined    time.Time `json:"joined_at,omitzero"`
	Here      bool      `json:"here"`       // the caller is in the room
	AgentHere bool      `json:"agent_here"` // the agent is
}

// qrCode is a QR code as one SVG path of unit squares.
type qrCode struct {
	Size int    `json:"size"` // squares a side, without the quiet zone of 4
	Path string `json:"path"`
}

func (p *pane) video(ctx context.Context, m meeting.Meeting) (*paneVideo, error) {
	v := &paneVideo{Reference: m.Reference(), Ended: m.State == meeting.Ended, Seconds: int64(m.Length().Seconds())}
	caller := m.TheVisitor()
	v.Joined, v.Here = caller.JoinedAt, caller.Here()
	for _, q := range m.Participants {
		v.AgentHere = v.AgentHere || q.Role == meeting.AgentR && q.Here()
	}
	if v.Ended {
		return v, nil
	}
	inv, err := p.Meetings.Invitation(ctx, m.VisitorInvitation)
	if err != nil {
		return nil, err
	}
	v.Opened = !inv.OpenedAt.IsZero()
	v.Link, v.Seat = p.Links.Visitor(m), p.Links.Seat(m)
	v.QR, err = drawQR(v.Link)
	return v, err
}

// drawQR draws a link; an error is one that is too long.
func drawQR(link string) (*qrCode, error) {
	code, err := qr.Encode(link, qr.M)
	if err != nil {
		return nil, fmt.Errorf("qr code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			from := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x > from {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from, y, x-from, x-from)
			}
		}
	}
	return &qrCode{Size: code.Size, Path: path.String()}, nil
}

// startVideo makes the video call, once. One that has ended makes way for a new
// one.
func (p *pane) startVideo(c *gin.Context) error {
	var in struct {
		Language string `json:"language"`
	}
	if err := httpd.DecodeJSON(c.Request, &in); err != nil {
		return err
	}
	call, err := p.proved(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	if call, _, err = p.started(ctx, call, in.Language); err != nil {
		return err
	}
	return p.answer(c, call, staleness{})
}

func (p *pane) started(ctx context.Context, call meeting.PhoneCall, language string) (meeting.PhoneCall, meeting.Meeting, error) {
	ref := string(call.ID)
	if call.Meeting != "" {
		m, err := p.Meetings.ByID(ctx, call.Meeting)
		if err == nil && m.State != meeting.Ended {
			return call, m, nil
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return call, m, err
		}
		ref += ":" + string(call.Meeting)
	}
	m, _, err := p.Meetings.Start(ctx, meeting.Start{
		Agent: call.Agent, Topic: cmp.Or(call.Queue.Label, call.Queue.Name), Language: language, Visitor: p.caller(ctx, call),
		Refs: []meeting.Ref{{Vendor: Name, Key: ref}},
	})
	if err != nil {
		return call, m, err
	}
	call, err = p.Phones.Change(ctx, call.ID, func(call meeting.PhoneCall, _ time.Time) (meeting.PhoneCall, error) {
		call.Meeting = m.ID
		return call, nil
	})
	if err == nil {
		err = p.record(ctx, call)
	}
	return call, m, err
}

// lookFor is how long a video call waits for the caller's name.
const lookFor = 700 * time.Millisecond

// caller is who the video call is with; what the source cannot say now is left
// out.
func (p *pane) caller(ctx context.Context, call meeting.PhoneCall) meeting.Person {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	who := meeting.Person{Phone: cmp.Or(call.Number, call.Caller)}
	if r, err := p.recordOf(ctx, call); err == nil {
		who.Name, who.Email, who.ExternalID = r.Name, r.Email, r.ExternalID
	}
	return who
}

// endVideo ends the video call for everybody.
func (p *pane) endVideo(c *gin.Context) error {
	call, err := p.proved(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	if err := p.finishVideo(ctx, call, true); err != nil {
		return err
	}
	if err := p.record(ctx, call); err != nil {
		return err
	}
	return p.answer(c, call, staleness{})
}

// finishVideo ends the call's video call. One that people are in is ended only
// by force.
func (p *pane) finishVideo(ctx context.Context, call meeting.PhoneCall, force bool) error {
	if call.Meeting == "" {
		return nil
	}
	m, err := p.Meetings.ByID(ctx, call.Meeting)
	if err != nil || m.State == meeting.Ended {
		if fault.Is(err, fault.NotFound) {
			return nil
		}
		return err
	}
	for _, q := range m.Participants {
		if q.Here() && !force {
			return fault.New(fault.Conflict, "the video call goes on; end it first").With("video", "running")
		}
	}
	_, err = p.Meetings.End(ctx, m.ID, meeting.AgentR)
	return err
}
