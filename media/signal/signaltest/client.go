// Package signaltest is a client of docs/protocol.md for tests: two pion
// PeerConnections behind the real WebSocket. It publishes generated media and
// counts what it receives. Product code never imports it.
package signaltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
	"golang.org/x/sync/errgroup"
)

// Options are what a client does differently from the usual.
type Options struct {
	TCPOnly      bool                  // reach media by TCP
	Codecs       []string              // MIME types of video the client knows; default VP8 and H264
	Interceptors *interceptor.Registry // of both connections; default pion's defaults
	NoPong       bool                  // do not answer pings
	NoAnswer     bool                  // do not answer offers
	Origin       string                // of the WebSocket request

	// Via, if not nil, is where the client reaches an address of the server in a
	// network ("udp" or "tcp"): a relay. False hides the address. The server is
	// then not told the addresses of the client, so no packet goes past the relay.
	Via func(network string, server netip.AddrPort) (netip.AddrPort, bool)
	// Eager makes ICE check every 50 ms, as browsers do, and not every 200: pion has
	// no other knob for it than the time after which it calls a leg disconnected, so
	// that word means nothing then.
	Eager bool
	// DialContext, if not nil, opens the connection of the WebSocket.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
}

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

// RefusedError is the error of Dial when the server refuses the hello.
type RefusedError struct{ Message Message }

func (r *RefusedError) Error() string {
	return fmt.Sprintf("refused: %s %s %s", r.Message.Type, r.Message.Code, r.Message.Reason)
}

// Dial opens the socket, says hello with the token and waits for the welcome.
// The caller closes the client.
func Dial(ctx context.Context, url, token string, opts ...Options) (*Client, error) {
	c, err := begin(ctx, url, opts)
	if err != nil {
		return nil, err
	}
	err = c.hello(token)
	if err == nil {
		err = c.welcome(ctx)
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Enter opens the socket while the token is asked for, and offers its tracks
// right behind the hello, as a page does. It waits for the answer. The caller
// closes the client.
func Enter(ctx context.Context, url string, token func() (string, error), o Options, tracks ...Track) (*Client, []*Outgoing, error) {
	var c *Client
	var words string
	var g errgroup.Group
	g.Go(func() (err error) { c, err = begin(ctx, url, []Options{o}); return err })
	g.Go(func() (err error) { words, err = token(); return err })
	err := g.Wait()
	if c == nil {
		return nil, nil, err
	}
	if err == nil {
		err = c.hello(words)
	}
	var out []*Outgoing
	if err == nil {
		out, err = c.Publish(ctx, tracks...)
	}
	if err == nil {
		err = c.welcome(ctx)
	}
	if err != nil {
		c.Close()
		return nil, nil, err
	}
	return c, out, nil
}

// begin opens the socket and reads from it.
func begin(ctx context.Context, url string, opts []Options) (*Client, error) {
	var o Options
	if len(opts) > 0 {
		o = opts[0]
	}
	api, err := newAPI(o)
	if err != nil {
		return nil, err
	}
	ws, err := open(ctx, url, o)
	if err != nil {
		return nil, err
	}
	live, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &Client{opts: o, ws: ws, api: api, live: live, cancel: cancel, changed: make(chan struct{}), mids: map[string]OfferedTrack{}}
	c.wg.Go(func() { c.read(live) })
	return c, nil
}

func (c *Client) hello(token string) error {
	return c.Send(map[string]any{"type": "hello", "versions": []int{1}, "token": token})
}

// welcome waits for the first message.
func (c *Client) welcome(ctx context.Context) error {
	first, err := c.Wait(ctx, func(Message) bool { return true })
	if err != nil {
		return err
	}
	if first.Type != "welcome" {
		return &RefusedError{first}
	}
	c.Welcome = first
	return nil
}

// Open opens a bare WebSocket with the subprotocol.
func Open(ctx context.Context, url, origin string) (*websocket.Conn, error) {
	return open(ctx, url, Options{Origin: origin})
}

func open(ctx context.Context, url string, opts Options) (*websocket.Conn, error) {
	o := &websocket.DialOptions{Subprotocols: []string{"ringdown.signal"}}
	if opts.Origin != "" {
		o.HTTPHeader = map[string][]string{"Origin": {opts.Origin}}
	}
	if opts.DialContext != nil {
		o.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: opts.DialContext, DisableKeepAlives: true}}
	}
	ws, _, err := websocket.Dial(ctx, url, o) //nolint:bodyclose // it is the socket's
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(1 << 20)
	return ws, nil
}

func newAPI(o Options) (*webrtc.API, error) {
	m := &webrtc.MediaEngine{}
	video := o.Codecs
	if video == nil {
		video = []string{webrtc.MimeTypeVP8, webrtc.MimeTypeH264}
	}
	pt := webrtc.PayloadType(120) // unlike the server's, so that payload types have to be rewritten
	for _, mime := range video {
		c := webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 90000, RTCPFeedback: []webrtc.RTCPFeedback{
			{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"},
		}}
		switch mime {
		case webrtc.MimeTypeH264:
			c.SDPFmtpLine = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
		case webrtc.MimeTypeVP9:
			c.SDPFmtpLine = "profile-id=0"
		}
		rtx := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: fmt.Sprintf("apt=%d", pt)}
		for i, c := range []webrtc.RTPCodecCapability{c, rtx} {
			err := m.RegisterCodec(webrtc.RTPCodecParameters{RTPCodecCapability: c, PayloadType: pt + webrtc.PayloadType(i)}, webrtc.RTPCodecTypeVideo)
			if err != nil {
				return nil, err
			}
		}
		pt += 2
	}
	if err := m.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 109, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
	}}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.AudioLevelURI}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	r := o.Interceptors
	if r == nil {
		r = &interceptor.Registry{}
		if err := webrtc.RegisterDefaultInterceptors(m, r); err != nil {
			return nil, err
		}
	}
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetDTLSRetransmissionInterval(100 * time.Millisecond) // browsers begin at 50 ms; pion's second is nobody's
	if o.Eager {
		s.SetICETimeouts(50*time.Millisecond, 20*time.Second, time.Second)
	}
	switch {
	case o.TCPOnly:
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeTCP4})
	case o.Via != nil: // as browsers do
		s.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4, webrtc.NetworkTypeTCP4})
	}
	return webrtc.NewAPI(webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(r), webrtc.WithSettingEngine(s)), nil
}

// Send sends a message; []byte goes out as it is.
func (c *Client) Send(m any) error {
	data, ok := m.([]byte)
	if !ok {
		var err error
		if data, err = json.Marshal(m); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c.writing.Lock()
	defer c.writing.Unlock()
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
