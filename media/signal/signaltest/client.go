// Package signaltest is a client of docs/protocol.md for tests: two pion
// PeerConnections behind the real WebSocket. It publishes generated media and
// counts what it receives. Product code never imports it.
package signaltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/webrtc/v4"
)

// Client is one participant.
type Client struct {
	Welcome Message

	opts   Options
	ws     *websocket.Conn
	api    *webrtc.API
	live   context.Context //nolint:containedctx // of the readers: it ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	writing     sync.Mutex // keeps messages to the server apart
	negotiating sync.Mutex // keeps an answer back until its offer is set

	mu       sync.Mutex // guards what follows
	changed  chan struct{}
	messages []Message
	heard    time.Time // when the last message came
	resumed  int       // how often Stay took the place up again
	ended    error     // why reading ended
	pub, sub *webrtc.PeerConnection
	pcs      []*webrtc.PeerConnection // all there ever were
	closed   bool
	offers   int
	outgoing []*Outgoing
	incoming []*Incoming
	mids     map[string]OfferedTrack // of the subscribe leg
}

// Message is any message of the server; the members that its type lacks are zero.
type Message struct {
	Type         string          `json:"type"`
	Version      int             `json:"version"`
	Resume       string          `json:"resume"`
	Resumed      bool            `json:"resumed"`
	Away         bool            `json:"away"`
	Word         string          `json:"word"`
	Side         string          `json:"side"`
	Active       string          `json:"active"`
	Levels       map[string]int  `json:"levels"`
	Room         string          `json:"room"`
	Me           string          `json:"me"`
	Leg          string          `json:"leg"`
	ID           int             `json:"id"`
	SDP          string          `json:"sdp"`
	Participants []Participant   `json:"participants"`
	Who          json.RawMessage `json:"participant"` // an object in joined, else an id
	Source       string          `json:"source"`
	Kind         string          `json:"kind"`
	Muted        bool            `json:"muted"`
	Reason       string          `json:"reason"`
	Code         string          `json:"code"`
	Detail       string          `json:"detail"`
	Fatal        bool            `json:"fatal"`
	At           int64           `json:"at"`
	PingMS       int             `json:"ping_ms"`
	Tracks       []OfferedTrack  `json:"tracks"`
	Limits       struct {
		Tracks       int `json:"tracks"`
		VideoBitrate int `json:"video_bitrate"`
	} `json:"limits"`
	Candidate *webrtc.ICECandidateInit `json:"candidate"`
}

// Participant is a member of a room.
type Participant struct {
	ID      string                       `json:"id"`
	Role    string                       `json:"role"`
	Name    string                       `json:"name"`
	Away    bool                         `json:"away"`
	Quality *struct{ Word, Side string } `json:"quality"`
	Tracks  []OfferedTrack               `json:"tracks"`
}

// OfferedTrack is a track of an offer, or of a participant (no mid then).
type OfferedTrack struct {
	Mid         string `json:"mid"`
	Participant string `json:"participant"`
	Source      string `json:"source"`
	Kind        string `json:"kind"`
	Muted       bool   `json:"muted"`
}

// Participant returns the id of the participant a message is about.
func (m Message) Participant() string {
	var id string
	if json.Unmarshal(m.Who, &id) == nil {
		return id
	}
	var p Participant
	_ = json.Unmarshal(m.Who, &p)
	return p.ID
}

// Send sends a message; []byte goes out as it is.
func (c *Client) Send(m any) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.write(m)
}

// write is Send for who holds c.writing.
func (c *Client) write(m any) error {
	data, ok := m.([]byte)
	if !ok {
		var err error
		if data, err = json.Marshal(m); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return c.ws.Write(ctx, websocket.MessageText, data)
}

// Messages returns all messages so far.
func (c *Client) Messages() []Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.messages)
}

// Wait returns the first message, old or new, for which ok is true. Neither this
// ok nor that of Until may call the client.
func (c *Client) Wait(ctx context.Context, ok func(Message) bool) (Message, error) {
	var found Message
	err := c.until(ctx, func() bool {
		i := slices.IndexFunc(c.messages, ok)
		if i >= 0 {
			found = c.messages[i]
		}
		return i >= 0
	})
	return found, err
}

// Until waits until ok is true of all messages so far.
func (c *Client) Until(ctx context.Context, ok func(all []Message) bool) error {
	return c.until(ctx, func() bool { return ok(c.messages) })
}

// until waits until a condition holds, or the socket has ended; the condition is
// called with c.mu held.
func (c *Client) until(ctx context.Context, holds func() bool) error {
	return c.wait(ctx, holds, true)
}

// wait is until; media may go on when the socket has ended.
func (c *Client) wait(ctx context.Context, holds func() bool, socket bool) error {
	for {
		c.mu.Lock()
		if holds() {
			c.mu.Unlock()
			return nil
		}
		changed, ended := c.changed, c.ended
		c.mu.Unlock()
		if ended != nil && socket {
			return ended
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain: %w", ctx.Err())
		}
	}
}

// change does something under c.mu and wakes those who wait.
func (c *Client) change(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
	close(c.changed)
	c.changed = make(chan struct{})
}

// read handles the server's messages one by one, in order.
func (c *Client) read(ctx context.Context) {
	for {
		_, data, err := c.ws.Read(ctx)
		if err != nil {
			c.change(func() { c.ended = err })
			return
		}
		var m Message
		if err := json.Unmarshal(data, &m); err != nil {
			c.change(func() { c.ended = err })
			return
		}
		if err := c.handle(m); err != nil {
			c.change(func() { c.ended = fmt.Errorf("%s: %w", m.Type, err) })
			return
		}
		c.change(func() { c.messages, c.heard = append(c.messages, m), time.Now() })
	}
}

func (c *Client) handle(m Message) error {
	switch m.Type {
	case "ping":
		if !c.opts.NoPong {
			return c.Send(map[string]any{"type": "pong", "at": m.At})
		}
	case "offer":
		if !c.opts.NoAnswer {
			return c.answer(m)
		}
	case "answer":
		c.negotiating.Lock()
		defer c.negotiating.Unlock()
		c.mu.Lock()
		pc := c.pub
		c.mu.Unlock()
		return pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: c.opts.theirs(m.SDP)})
	case "candidate":
		c.mu.Lock()
		pc := c.pub
		if m.Leg == "subscribe" {
			pc = c.sub
		}
		c.mu.Unlock()
		if m.Candidate != nil && pc != nil {
			via := *m.Candidate
			if via.Candidate = c.opts.candidate(via.Candidate); via.Candidate == "" && m.Candidate.Candidate != "" {
				return nil
			}
			return pc.AddICECandidate(via)
		}
	}
	return nil
}

// connection makes the PeerConnection of a leg.
func (c *Client) connection(leg string) (*webrtc.PeerConnection, error) {
	pc, err := c.api.NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		return nil, err
	}
	pc.OnICECandidate(func(found *webrtc.ICECandidate) {
		m := map[string]any{"type": "candidate", "leg": leg, "candidate": nil}
		if found != nil && c.opts.Via != nil {
			return
		}
		if found != nil {
			m["candidate"] = found.ToJSON()
		}
		_ = c.Send(m) // a socket that is gone ends the reader
	})
	closed := false
	c.change(func() {
		c.pcs = append(c.pcs, pc)
		closed = c.closed
	})
	if closed { // an offer that came while the client was closed
		return nil, errors.Join(errors.New("the client is closed"), pc.GracefulClose())
	}
	return pc, nil
}

// Ended waits for the end of the connection and returns its close status.
func (c *Client) Ended(ctx context.Context) (websocket.StatusCode, error) {
	err := c.until(ctx, func() bool { return c.ended != nil })
	c.mu.Lock()
	defer c.mu.Unlock()
	return websocket.CloseStatus(c.ended), err
}

// Leave says leave and waits for the bye.
func (c *Client) Leave(ctx context.Context) error {
	if err := c.Send(map[string]any{"type": "leave"}); err != nil {
		return err
	}
	_, err := c.Wait(ctx, func(m Message) bool { return m.Type == "bye" })
	return err
}

// Drop cuts the socket without a word, as a lost network does.
func (c *Client) Drop() { _ = c.ws.CloseNow() }

// Close ends everything the client has.
func (c *Client) Close() {
	_ = c.ws.Close(websocket.StatusNormalClosure, "")
	c.cancel()
	var pcs []*webrtc.PeerConnection
	c.change(func() { pcs, c.closed = c.pcs, true })
	var errs []error
	for _, pc := range pcs {
		errs = append(errs, pc.GracefulClose())
	}
	_ = errors.Join(errs...) // a test that cares looks at what was received
	c.wg.Wait()
}
