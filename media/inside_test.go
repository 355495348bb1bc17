package media

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"ringdown/internal/leak"
)

func TestConfigNamesEveryFault(t *testing.T) {
	if err := Defaults().Validate(); err != nil {
		t.Error(err)
	}
	c := Config{Port: 70000, Addresses: []string{"auto", "example.org", "0.0.0.0", "fe80::1%eth0"}, MaxPeers: -1, MaxTracks: 5}
	err := c.Validate()
	for _, want := range []string{"port: 70000", `"example.org"`, "0.0.0.0", "fe80::1%eth0", "max_rooms", "max_peers:", "max_peers_per_room", "max_tracks: 5", "video_bitrate"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not named in %v", want, err)
		}
	}
	if err := (Config{}).Validate(); err == nil || !strings.Contains(err.Error(), "addresses:") {
		t.Errorf("no addresses: %v", err)
	}
}

func TestAddressesToBindAndToAnnounce(t *testing.T) {
	ips := func(s ...string) []netip.Addr {
		var out []netip.Addr
		for _, a := range s {
			out = append(out, netip.MustParseAddr(a))
		}
		return out
	}
	machine := ips("127.0.0.1", "10.0.0.5", "192.168.1.7", "::1", "2001:db8::5")
	for _, tc := range []struct {
		name          string
		list          []string
		loopback      bool
		local, public []netip.Addr
	}{
		{"auto", []string{"auto"}, false, machine2(machine), nil},
		{"auto and loopback", []string{"auto"}, true, machine, nil},
		{"one address", []string{"10.0.0.5"}, false, ips("10.0.0.5"), nil},
		{"loopback by name", []string{"127.0.0.2"}, false, ips("127.0.0.2"), nil},
		{"LAN and public", []string{"auto", "203.0.113.9"}, false, machine2(machine), ips("203.0.113.9")},
		{"public only", []string{"203.0.113.9"}, false, machine2(machine), ips("203.0.113.9")},
		{"twice", []string{"10.0.0.5", "10.0.0.5", "::ffff:10.0.0.5"}, false, ips("10.0.0.5"), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := &sockets{}
			s.choose(Config{Addresses: tc.list, Loopback: tc.loopback}, machine)
			if !slices.Equal(s.local, tc.local) || !slices.Equal(s.public, tc.public) {
				t.Errorf("binds %v, announces %v too", s.local, s.public)
			}
			for _, p := range s.public {
				if s.behind(p) != netip.MustParseAddr("10.0.0.5") {
					t.Errorf("behind %s is %s", p, s.behind(p))
				}
			}
		})
	}
}

// machine2 leaves the loopback addresses out.
func machine2(in []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(slices.Clone(in), netip.Addr.IsLoopback)
}

func quietHub(tb testing.TB, addresses ...string) *Hub {
	tb.Helper()
	c := Defaults()
	c.Port, c.Addresses = 0, addresses
	h, err := Open(c, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = h.Close(tb.Context()) })
	return h
}

// Local and public addresses are announced together, UDP and TCP, on one port.
func TestCandidates(t *testing.T) {
	h := quietHub(t, "127.0.0.1", "203.0.113.9", "198.51.100.3")
	pc, err := h.engine.connection(Publish)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.GracefulClose() }()
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeAudio); err != nil {
		t.Fatal(err)
	}
	offer, err := pc.CreateOffer(nil)
	gathered := webrtc.GatheringCompletePromise(pc)
	if err = errors.Join(err, pc.SetLocalDescription(offer)); err != nil {
		t.Fatal(err)
	}
	<-gathered
	sdp := pc.LocalDescription().SDP
	for _, a := range []string{"127.0.0.1", "203.0.113.9", "198.51.100.3"} {
		at := fmt.Sprintf("%s %d typ host", a, h.engine.sockets.port)
		if !strings.Contains(sdp, at+" ufrag") || !strings.Contains(sdp, at+" tcptype passive") {
			t.Errorf("%q is not in %s in UDP and TCP", at, sdp)
		}
		if h.engine.sockets.at(netip.MustParseAddr(a)) == nil {
			t.Errorf("no socket is behind %s", a)
		}
	}
	if !strings.Contains(sdp, "a=ice-lite") {
		t.Error("not ICE lite")
	}
	if got := h.Addresses(); len(got) != 3 || got[0].Port() != h.engine.sockets.port || got[0].Addr().String() != "127.0.0.1" {
		t.Errorf("addresses %v", got)
	}
}

func TestOpenNeedsAFreePort(t *testing.T) {
	leak.Check(t)
	h := quietHub(t, "127.0.0.1")
	c := Defaults()
	c.Port, c.Addresses = int(h.engine.sockets.port), []string{"127.0.0.1"}
	if other, err := Open(c, slog.New(slog.DiscardHandler), time.Now); err == nil {
		_ = other.Close(t.Context())
		t.Error("opened on a port that is taken")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c.Port = l.Addr().(*net.TCPAddr).Port
	if other, err := Open(c, slog.New(slog.DiscardHandler), time.Now); err == nil {
		_ = other.Close(t.Context())
		t.Error("opened on a TCP port that is taken")
	}
}

// The hub stops at once, though somebody holds a TCP connection and is silent.
func TestCloseDoesNotWaitForSilentConnections(t *testing.T) {
	leak.Check(t)
	h := quietHub(t, "127.0.0.1")
	conn, err := net.Dial("tcp", h.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	begin := time.Now()
	if err := h.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > tcpHelloTimeout/2 {
		t.Errorf("took %s", took)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
}

func TestTCPConnectionsAreBounded(t *testing.T) {
	leak.Check(t)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &tcpListener{Listener: inner, limit: 1, conns: map[*tcpConn]struct{}{}}
	defer func() { _ = l.Close() }()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	dial()
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	over := dial()
	next := make(chan net.Conn)
	go func() {
		c, _ := l.Accept()
		next <- c
	}()
	if _, err := over.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the second of one connection: %v", err)
	}
	_ = first.Close()
	dial()
	if c := <-next; c == nil {
		t.Error("no connection was taken in the place that became free")
	}
}

// told keeps the last event.
type told chan Event

func (s told) Tell(e Event) {
	if b, ok := e.(Bye); ok {
		s <- b
	}
}

func TestOfferThatIsNotAnsweredEndsThePeer(t *testing.T) {
	h := quietHub(t, "127.0.0.1")
	h.answerWithin = 20 * time.Millisecond
	s := make(told, 1)
	_, err := h.Join(t.Context(), Grant{Room: "r", Participant: "a", PublishAudio: true}, s,
		LegSpec{ID: "from", Direction: Publish, WeOffer: true})
	if err != nil {
		t.Fatal(err)
	}
	if bye := (<-s).(Bye); bye.Reason != Network {
		t.Errorf("bye with %q", bye.Reason)
	}
}

// Wishes are answered at once when nobody asked lately, once for all that come
// within the pause, and at once for somebody new.
func TestKeyFramesAreThrottled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		track := newTrack(1, nil, nil, Declared{Source: Camera})
		begin := time.Now()
		var at []time.Duration
		sent := make(chan struct{})
		go func() {
			track.keepKeyFrames(func() { at = append(at, time.Since(begin)) })
			close(sent)
		}()
		for range 120 { // a wish every 10 ms for 1.2 s
			track.askKeyFrame()
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Second)
		track.askKeyFrame()
		time.Sleep(100 * time.Millisecond)
		track.askKeyFrameNow()
		time.Sleep(time.Second)
		track.close()
		<-sent
		ms := func(n ...int) (out []time.Duration) {
			for _, n := range n {
				out = append(out, time.Duration(n)*time.Millisecond)
			}
			return
		}
		if want := ms(0, 500, 1000, 1500, 2200, 2300); !slices.Equal(at, want) {
			t.Errorf("asked at %v, want %v", at, want)
		}
	})
}

// script is a publisher: packets, and what comes between them.
type script struct {
	steps    []any // []byte: a packet; error: instead of one
	deadline bool
}

func (s *script) Read(b []byte) (int, interceptor.Attributes, error) {
	if len(s.steps) == 0 {
		return 0, nil, io.EOF
	}
	step := s.steps[0]
	s.steps = s.steps[1:]
	if err, ok := step.(error); ok {
		return 0, nil, err
	}
	return copy(b, step.([]byte)), nil, nil
}

func (s *script) SetReadDeadline(t time.Time) error { s.deadline = !t.IsZero(); return nil }

// recorder is the wire of a subscription.
type recorder struct {
	headers []rtp.Header
	bodies  []string
}

func (r *recorder) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	c := h.Clone()
	r.headers, r.bodies = append(r.headers, c), append(r.bodies, string(payload))
	return h.MarshalSize() + len(payload), nil
}

func (r *recorder) Write([]byte) (int, error) { return 0, errors.New("not used") }

func packetOf(tb testing.TB, seq uint16, marker bool, payload string, change ...func(*rtp.Packet)) []byte {
	tb.Helper()
	p := &rtp.Packet{Header: rtp.Header{
		Version: 2, PayloadType: 120, SequenceNumber: seq, Timestamp: 7, SSRC: 1, Marker: marker,
	}, Payload: []byte(payload)}
	for _, f := range change {
		f(p)
	}
	b, err := p.Marshal()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// testTrack is a track of a hub with one subscription that writes to out.
func testTrack(tb testing.TB, kind Source, out webrtc.TrackLocalWriter) (*Track, *subscription) {
	tb.Helper()
	h := &Hub{cfg: Defaults(), log: slog.New(slog.DiscardHandler)}
	p := &Peer{hub: h, log: h.log, stop: make(chan struct{})}
	t := newTrack(1, p, &leg{peer: p}, Declared{Source: kind})
	t.codec.PayloadType, t.levelID = 120, 3
	s := &subscription{leg: &leg{peer: p}, track: t, out: out, ssrc: 99, levelID: 5}
	s.codec.PayloadType = 96
	t.add(s)
	return t, s
}

func TestPacketsAreRewritten(t *testing.T) {
	wire := &recorder{}
	track, _ := testTrack(t, Microphone, wire)
	level := func(p *rtp.Packet) { _ = p.SetExtension(3, []byte{0x85}) }
	foreign := func(p *rtp.Packet) { p.PayloadType = 13 }
	padded := func(p *rtp.Packet) { p.Padding, p.Header.PaddingSize = true, 9 }
	track.read(&script{steps: []any{
		packetOf(t, 65534, false, "a", level),
		packetOf(t, 65535, true, "b"),
		errors.New("one unreadable packet"),
		[]byte{1, 2, 3},
		packetOf(t, 0, false, "noise", foreign),
		packetOf(t, 1, false, "d", padded),
		packetOf(t, 2, false, "", padded),
		packetOf(t, 0, false, "late"),
	}})
	if got := strings.Join(wire.bodies, "|"); got != "a|b|d||late" {
		t.Fatalf("sent %q", got)
	}
	first := wire.headers[0].SequenceNumber
	if first >= 1<<15 {
		t.Errorf("the first number is %d", first)
	}
	for i, want := range []uint16{0, 1, 3, 4, 2} {
		h := wire.headers[i]
		if h.SequenceNumber != first+want || h.SSRC != 99 || h.PayloadType != 96 || h.Timestamp != 7 || h.Padding || h.Marker != (i == 1) {
			t.Errorf("packet %d left as %+v", i, h)
		}
		if has := h.GetExtension(5) != nil; has != (i == 0) || h.Extension != (i == 0) {
			t.Errorf("packet %d: audio level %v", i, has)
		}
	}
}

// bursts records how packets are grouped.
type bursts struct{ recorder }

func TestBurstEndsWithMarkerOrTime(t *testing.T) {
	wire := &bursts{}
	track, s := testTrack(t, Camera, wire)
	in := &script{steps: []any{
		packetOf(t, 1, false, "a"), packetOf(t, 2, false, "b"), packetOf(t, 3, true, "c"),
		packetOf(t, 4, false, "d"), os.ErrDeadlineExceeded,
	}}
	var sizes []int
	read := func(steps int) {
		before := len(wire.bodies)
		part := &script{steps: in.steps[:steps]}
		in.steps = in.steps[steps:]
		track.read(part)
		sizes = append(sizes, len(wire.bodies)-before)
		if part.deadline && len(part.steps) == 0 && steps == 3 {
			t.Error("a deadline stays behind the burst")
		}
	}
	read(3)
	read(2)
	if !slices.Equal(sizes, []int{3, 1}) || s.packets.Load() != 4 {
		t.Errorf("bursts of %v, %d packets", sizes, s.packets.Load())
	}
	// A burst that no marker ends goes out in parts.
	long := &script{}
	for i := range uint16(burstPackets + 1) {
		long.steps = append(long.steps, packetOf(t, 10+i, false, "x"))
	}
	track.read(long)
	if sent := s.packets.Load() - 4; sent != burstPackets {
		t.Errorf("%d packets of a long burst have left, want %d", sent, burstPackets)
	}
}

func FuzzParseSDP(f *testing.F) {
	f.Add("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:0\r\na=sendonly\r\n")
	f.Add("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=application 9 UDP/DTLS/SCTP x\r\na=mid:0\r\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		sections, err := parseSDP(text)
		if err == nil && (len(sections) == 0 || len(sections) > maxSections) {
			t.Fatalf("%d sections", len(sections))
		}
		for _, s := range sections {
			if s.mid == "" || (s.kind != Audio && s.kind != Video) {
				t.Fatalf("%+v", s)
			}
		}
	})
}

func FuzzPacket(f *testing.F) {
	f.Add(packetOf(f, 1, true, "payload"))
	f.Add(packetOf(f, 1, true, "p", func(p *rtp.Packet) { p.Padding, p.Header.PaddingSize = true, 9 }))
	f.Add(packetOf(f, 1, true, "p", func(p *rtp.Packet) { _ = p.SetExtension(3, []byte{1}) }))
	f.Add([]byte{0x80})
	f.Fuzz(func(t *testing.T, data []byte) {
		track, s := testTrack(t, Camera, &recorder{})
		var p packet
		var h rtp.Header
		if !track.parse(&p, copy(p.buf[:], data), &h) {
			return
		}
		if len(p.payload) > len(data) {
			t.Fatalf("%d bytes out of %d", len(p.payload), len(data))
		}
		s.take([]packet{p})
	})
}

// null is a wire that costs nothing.
type null struct{}

func (null) WriteRTP(h *rtp.Header, payload []byte) (int, error) { return len(payload), nil }
func (null) Write(b []byte) (int, error)                         { return len(b), nil }

// endless is a publisher of frames of six packets.
type endless struct {
	packets [][]byte
	left    int
}

func (e *endless) Read(b []byte) (int, interceptor.Attributes, error) {
	if e.left == 0 {
		return 0, nil, io.EOF
	}
	e.left--
	return copy(b, e.packets[e.left%len(e.packets)]), nil, nil
}

func (*endless) SetReadDeadline(time.Time) error { return nil }

// BenchmarkForward is our part of the way of one packet to a number of
// subscribers: no kernel, no cipher, no interceptors.
func BenchmarkForward(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(map[int]string{1: "1", 10: "10", 100: "100"}[n], func(b *testing.B) {
			track, first := testTrack(b, Camera, null{})
			for range n - 1 {
				track.add(&subscription{leg: first.leg, track: track, out: null{}, codec: first.codec})
			}
			in := &endless{left: b.N}
			for i := range uint16(6) {
				in.packets = append(in.packets, packetOf(b, i, i == 0, strings.Repeat("x", 1150)))
			}
			b.ReportAllocs()
			b.ResetTimer()
			track.read(in)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/packet/subscriber")
		})
	}
}
