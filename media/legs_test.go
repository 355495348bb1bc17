package media_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"ringdown/fault"
	"ringdown/internal/leak"
	"ringdown/media"
)

func open(t *testing.T, change ...func(*media.Config)) *media.Hub {
	t.Helper()
	c := media.Defaults()
	c.Port, c.Addresses = 0, []string{"127.0.0.1"}
	for _, f := range change {
		f(&c)
	}
	h, err := media.Open(c, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(soon(t)); err != nil {
			t.Error(err)
		}
	})
	return h
}

// soon bounds what a test waits for; it outlives the test's own context, for
// cleanups.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func grant(room, who string) media.Grant {
	return media.Grant{Room: media.RoomID(room), Participant: media.ParticipantID(who), PublishAudio: true, PublishVideo: true}
}

// sink keeps what a peer is told.
type sink struct {
	events chan media.Event
	later  []media.Event // told, but not yet waited for
}

func (s *sink) Tell(e media.Event) { s.events <- e }

func newSink() *sink { return &sink{events: make(chan media.Event, 2000)} }

// wait returns the next event of a type; those of other types stay for later.
func wait[E media.Event](t *testing.T, s *sink) E {
	t.Helper()
	for i, e := range s.later {
		if e, ok := e.(E); ok {
			s.later = slices.Delete(s.later, i, i+1)
			return e
		}
	}
	for {
		select {
		case e := <-s.events:
			if e, ok := e.(E); ok {
				return e
			}
			if r, ok := e.(media.Refused); ok {
				t.Fatalf("refused: %s %s", r.Code, r.Detail)
			}
			s.later = append(s.later, e)
		case <-soon(t).Done():
			var none E
			t.Fatalf("no %T was told", none)
		}
	}
}

// client is a PeerConnection that prefers the slow cipher and gathers at once.
func client(t *testing.T) *webrtc.PeerConnection {
	t.Helper()
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true)
	s.SetSRTPProtectionProfiles(dtls.SRTP_AES128_CM_HMAC_SHA1_80, dtls.SRTP_AEAD_AES_128_GCM)
	m := &webrtc.MediaEngine{}
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(m)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pc.GracefulClose() })
	return pc
}

func local(t *testing.T, pc *webrtc.PeerConnection, d webrtc.SessionDescription, err error) string {
	t.Helper()
	gathered := webrtc.GatheringCompletePromise(pc)
	if err = errors.Join(err, pc.SetLocalDescription(d)); err != nil {
		t.Fatal(err)
	}
	<-gathered
	return pc.LocalDescription().SDP
}

func remote(t *testing.T, pc *webrtc.PeerConnection, typ webrtc.SDPType, sdp string) {
	t.Helper()
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: typ, SDP: sdp}); err != nil {
		t.Fatal(err)
	}
}

// connect hands the candidates that the sink is told to the client.
func connect(t *testing.T, s *sink, leg media.LegID, pc *webrtc.PeerConnection) {
	t.Helper()
	for {
		c := wait[media.CandidateFound](t, s)
		if c.Leg != leg {
			t.Fatalf("a candidate of %s, want %s", c.Leg, leg)
		}
		if c.Candidate == nil {
			return
		}
		if err := pc.AddICECandidate(*c.Candidate); err != nil {
			t.Fatal(err)
		}
	}
}

func newVideo(t *testing.T) *webrtc.TrackLocalStaticRTP {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}, "v", "s")
	if err != nil {
		t.Fatal(err)
	}
	return track
}

// send sends one-packet frames of 1000 bytes until the test ends.
func send(t *testing.T, track *webrtc.TrackLocalStaticRTP) {
	t.Helper()
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for seq := uint16(0); ; seq++ {
			p := &rtp.Packet{Header: rtp.Header{Version: 2, Marker: true, SequenceNumber: seq, Timestamp: uint32(seq) * 900}, Payload: make([]byte, 1000)}
			select {
			case <-quit:
				return
			case <-tick.C:
				_ = track.WriteRTP(p)
			}
		}
	}()
	t.Cleanup(func() { close(quit); <-ended })
}

var whip = media.LegSpec{ID: "whip", Direction: media.Publish}

// publishCamera joins with one leg on which the client offers, and sends video.
func publishCamera(t *testing.T, h *media.Hub, who string) *media.Peer {
	t.Helper()
	s := newSink()
	p, err := h.Join(soon(t), grant("r", who), s, whip)
	if err != nil {
		t.Fatal(err)
	}
	offerCamera(t, p, s, 1)
	return p
}

// offerCamera publishes a camera with the client's n-th offer.
func offerCamera(t *testing.T, p *media.Peer, s *sink, n int) {
	t.Helper()
	pc, video := client(t), newVideo(t)
	if _, err := pc.AddTransceiverFromTrack(video, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
		t.Fatal(err)
	}
	offer, err := pc.CreateOffer(nil)
	p.Offer("whip", n, local(t, pc, offer, err), []media.Declared{{Mid: "0", Kind: media.Video, Source: media.Camera}})
	remote(t, pc, webrtc.SDPTypeAnswer, wait[media.AnswerMade](t, s).SDP)
	connect(t, s, "whip", pc)
	send(t, video)
}

// live waits until somebody's camera is live, on the hub's nudges and beyond.
func live(t *testing.T, h *media.Hub, who string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		for _, r := range h.Snapshot().Rooms {
			for _, p := range r.Participants {
				if string(p.ID) == who && slices.ContainsFunc(p.Tracks, func(t media.TrackSnapshot) bool { return t.Live }) {
					return
				}
			}
		}
		select {
		case <-tick.C:
		case <-soon(t).Done():
			t.Fatalf("the camera of %s never became live", who)
		}
	}
}

// A client that sends and one that receives, both with one leg on which they
// offer (the shape of WHIP and WHEP). The server chooses the fast cipher though
// the client names it last.
func TestClientOffersOnBothDirections(t *testing.T) {
	leak.Check(t)
	h := open(t)
	publishCamera(t, h, "a")
	live(t, h, "a")

	s := newSink()
	p, err := h.Join(soon(t), grant("r", "b"), s, media.LegSpec{ID: "whep", Direction: media.Subscribe})
	if err != nil {
		t.Fatal(err)
	}
	pc := client(t)
	got := make(chan *rtp.Packet, 1000)
	pc.OnTrack(func(tr *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			p, _, err := tr.ReadRTP()
			if err != nil {
				return
			}
			got <- p
		}
	})
	if _, err := pc.AddTransceiverFromKind(webrtc.RTPCodecTypeVideo, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
		t.Fatal(err)
	}
	offer, err := pc.CreateOffer(nil)
	p.Offer("whep", 1, local(t, pc, offer, err), nil)
	answer := wait[media.AnswerMade](t, s)
	if len(answer.Tracks) != 1 || answer.Tracks[0].Mid != "0" || answer.Tracks[0].Participant != "a" {
		t.Errorf("the answer carries %+v", answer.Tracks)
	}
	remote(t, pc, webrtc.SDPTypeAnswer, answer.SDP)
	connect(t, s, "whep", pc)
	for range 20 {
		select {
		case p := <-got:
			if len(p.Payload) != 1000 || !p.Marker {
				t.Fatalf("got %d bytes, marker %v", len(p.Payload), p.Marker)
			}
		case <-soon(t).Done():
			t.Fatal("no packet came")
		}
	}
	totals := h.Snapshot().Totals
	// 12 bytes of header and a tag of 16, which is GCM's; SHA1-80's is 10.
	if each := float64(totals.BytesOut) / float64(totals.PacketsOut); each != 1028 {
		t.Errorf("a packet of 1000 bytes takes %.1f on the wire, want 1028", each)
	}
}

// One peer with three legs, on two of which the server offers: one to receive
// from the client, one to send to it.
func TestOnePeerWithManyLegs(t *testing.T) {
	leak.Check(t)
	h := open(t)
	publishCamera(t, h, "a")
	live(t, h, "a")

	s := newSink()
	p, err := h.Join(soon(t), grant("r", "b"), s, whip,
		media.LegSpec{ID: "from", Direction: media.Publish, WeOffer: true},
		media.LegSpec{ID: "to", Direction: media.Subscribe, WeOffer: true})
	if err != nil {
		t.Fatal(err)
	}
	from, to, video := client(t), client(t), newVideo(t)
	came := make(chan struct{}, 1)
	to.OnTrack(func(tr *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		if _, _, err := tr.ReadRTP(); err == nil {
			came <- struct{}{}
		}
	})
	offers := map[media.LegID]media.OfferMade{}
	for range 2 {
		o := wait[media.OfferMade](t, s)
		offers[o.Leg] = o
	}
	remote(t, from, webrtc.SDPTypeOffer, offers["from"].SDP)
	if _, err := from.AddTrack(video); err != nil {
		t.Fatal(err)
	}
	answer, err := from.CreateAnswer(nil)
	p.Answer("from", 1, local(t, from, answer, err), []media.Declared{
		{Mid: "0", Kind: media.Audio, Source: media.Microphone, Muted: true},
		{Mid: "1", Kind: media.Video, Source: media.Screen},
	})
	if got := offers["to"].Tracks; len(got) != 1 || got[0].Track.Source != media.Camera {
		t.Errorf("the offer carries %+v", got)
	}
	remote(t, to, webrtc.SDPTypeOffer, offers["to"].SDP)
	answer, err = to.CreateAnswer(nil)
	p.Answer("to", 1, local(t, to, answer, err), nil)
	for range 4 { // two candidates of each leg, UDP and TCP
		c := wait[media.CandidateFound](t, s)
		for c.Candidate == nil {
			c = wait[media.CandidateFound](t, s)
		}
		if err := map[media.LegID]*webrtc.PeerConnection{"from": from, "to": to}[c.Leg].AddICECandidate(*c.Candidate); err != nil {
			t.Fatal(err)
		}
	}
	send(t, video)
	live(t, h, "b")
	select {
	case <-came:
	case <-soon(t).Done():
		t.Fatal("the camera of the other never came")
	}
	p.End(media.LeftByChoice)
	if bye := wait[media.Bye](t, s); bye.Reason != media.LeftByChoice {
		t.Errorf("bye with %q", bye.Reason)
	}
	<-p.Done()
}

// An offer that cannot be used leaves the leg as new: the next one is taken.
func TestOfferAfterARefusedOne(t *testing.T) {
	leak.Check(t)
	h := open(t)
	s := newSink()
	p, err := h.Join(soon(t), grant("r", "a"), s, whip)
	if err != nil {
		t.Fatal(err)
	}
	p.Offer("whip", 1, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"+
		"c=IN IP4 0.0.0.0\r\na=mid:0\r\na=recvonly\r\na=rtpmap:111 opus/48000/2\r\n", nil)
	if r := wait[media.Refused](t, s); r.Code != media.BadSDP {
		t.Errorf("%+v", r)
	}
	offerCamera(t, p, s, 2)
	live(t, h, "a")
}

// panicking panics when it is told of a newcomer.
type panicking struct{ *sink }

func (s panicking) Tell(e media.Event) {
	if _, ok := e.(media.Joined); ok {
		panic("a fault of ours")
	}
	s.sink.Tell(e)
}

func TestM9_panic_of_a_loop_ends_that_peer_only(t *testing.T) {
	leak.Check(t)
	h := open(t)
	bad, good := panicking{newSink()}, newSink()
	p, err := h.Join(soon(t), grant("r", "bad"), bad)
	if err != nil {
		t.Fatal(err)
	}
	a := publishCamera(t, h, "a")
	<-p.Done()
	if bye := wait[media.Bye](t, bad.sink); bye.Reason != media.Unknown {
		t.Errorf("bye with %q", bye.Reason)
	}
	if _, err := h.Join(soon(t), grant("r", "c"), good); err != nil {
		t.Fatal(err)
	}
	if w := wait[media.Welcome](t, good); len(w.Present) != 1 || w.Present[0].ID != "a" {
		t.Errorf("present: %+v", w.Present)
	}
	live(t, h, "a")
	select {
	case <-a.Done():
		t.Error("the other peer was ended too")
	default:
	}
}

// stuck never returns from its second event.
type stuck struct {
	*sink
	release chan struct{}
}

func (s stuck) Tell(e media.Event) {
	if _, ok := e.(media.Welcome); !ok {
		<-s.release
	}
	s.sink.Tell(e)
}

// A peer that does not take what it is told is cut, and nobody waits for it.
func TestM9_peer_that_stalls_is_cut_and_nobody_waits(t *testing.T) {
	leak.Check(t)
	h := open(t)
	s := stuck{newSink(), make(chan struct{})}
	p, err := h.Join(soon(t), grant("r", "stuck"), s)
	if err != nil {
		t.Fatal(err)
	}
	other := newSink()
	for range 300 { // each is a joined and a left
		q, err := h.Join(soon(t), grant("r", "other"), other)
		if err != nil {
			t.Fatal(err)
		}
		q.End(media.LeftByChoice)
		<-q.Done()
	}
	close(s.release)
	<-p.Done()
	if bye := wait[media.Bye](t, s.sink); bye.Reason != media.Overload {
		t.Errorf("bye with %q", bye.Reason)
	}
}

func TestLimits(t *testing.T) {
	leak.Check(t)
	h := open(t, func(c *media.Config) { c.MaxPeersPerRoom, c.MaxPeers, c.MaxRooms = 2, 4, 2 })
	join := func(room, who string) error {
		_, err := h.Join(soon(t), grant(room, who), newSink())
		return err
	}
	for _, tc := range []struct {
		room, who string
		want      fault.Code
	}{
		{"a", "1", ""},
		{"a", "2", ""},
		{"a", "3", fault.MeetingFull},
		{"a", "2", ""}, // the same again has a place
		{"b", "1", ""},
		{"c", "1", fault.TooMany},
		{"b", "2", ""},
		{"b", "3", fault.MeetingFull},
		{"", "1", fault.Invalid},
		{"a", "", fault.Invalid},
	} {
		if err := join(tc.room, tc.who); (tc.want == "" && err != nil) || (tc.want != "" && !fault.Is(err, tc.want)) {
			t.Errorf("%s/%s: %v, want %q", tc.room, tc.who, err, tc.want)
		}
	}
	h.CloseRoom("a", media.Ended)
	h.Drain()
	if err := join("d", "1"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("while draining: %v", err)
	}
	if !h.Snapshot().Draining {
		t.Error("the snapshot does not say that the hub drains")
	}
}
