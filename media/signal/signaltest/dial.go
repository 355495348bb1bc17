package signaltest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
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
