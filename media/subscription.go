package media

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// subscription sends one track on one subscribe leg. It is the TrackLocal that
// pion binds; packets come in bursts from the reader of the track and leave
// with the SSRC, payload type and sequence numbers of this leg.
//
// Sequence numbers are the publisher's plus an offset that never changes, so
// that gaps, late packets and retransmissions stay what they are.
type subscription struct {
	leg   *leg
	track *Track
	mid   string

	// Set by Bind, in the loop of the leg's peer; read by the reader of the
	// track after activate, which orders them.
	sender    *webrtc.RTPSender
	out       webrtc.TrackLocalWriter
	ssrc      uint32
	codec     webrtc.RTPCodecParameters
	levelID   uint8 // header extension of the audio level, 0 if not negotiated
	supported bool  // the subscriber can take the codec of the track
	active    bool  // the reader of the track knows us
	// negotiated: its section is agreed on already, so it may send at once.
	negotiated bool

	// Owned by the reader of the track.
	header  rtp.Header
	started bool
	offset  uint16

	packets, bytes atomic.Uint64
}

var _ webrtc.TrackLocal = (*subscription)(nil)

// Bind implements webrtc.TrackLocal. It never fails: pion would give up the
// whole answer, and with it the other tracks.
func (s *subscription) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	want := s.track.codec
	s.out, s.ssrc = ctx.WriteStream(), uint32(ctx.SSRC())
	for _, e := range ctx.HeaderExtensions() {
		if e.URI == audioLevelURI {
			s.levelID = uint8(e.ID)
		}
	}
	for _, c := range ctx.CodecParameters() {
		if sameCodec(c.RTPCodecCapability, want.RTPCodecCapability) {
			s.codec, s.supported = c, true
			return c, nil
		}
	}
	return want, nil
}

// sameCodec tells whether a subscriber that takes b can decode a. The engines
// of all legs negotiate one profile of each codec only, so the name is enough.
func sameCodec(a, b webrtc.RTPCodecCapability) bool {
	return strings.EqualFold(a.MimeType, b.MimeType) && a.ClockRate == b.ClockRate
}

// Unbind implements webrtc.TrackLocal.
func (s *subscription) Unbind(webrtc.TrackLocalContext) error { return nil }

// ID implements webrtc.TrackLocal. Ids are numbers of ours: what is in an SDP
// needs no masking then.
func (s *subscription) ID() string { return fmt.Sprintf("t%d", s.track.number) }

// RID implements webrtc.TrackLocal.
func (s *subscription) RID() string { return "" }

// StreamID implements webrtc.TrackLocal: players keep the tracks of one stream
// in step, so a person's voice goes with the camera and the sound of a screen
// with the screen.
func (s *subscription) StreamID() string {
	if s.track.source == Screen || s.track.source == ScreenAudio {
		return fmt.Sprintf("p%d-screen", s.track.owner.number)
	}
	return fmt.Sprintf("p%d", s.track.owner.number)
}

// Kind implements webrtc.TrackLocal.
func (s *subscription) Kind() webrtc.RTPCodecType { return codecType(s.track.kind) }

func codecType(k Kind) webrtc.RTPCodecType {
	if k == Audio {
		return webrtc.RTPCodecTypeAudio
	}
	return webrtc.RTPCodecTypeVideo
}

// take sends one burst. It is called by the reader of the track only; a packet
// that cannot be sent is lost.
func (s *subscription) take(burst []packet) {
	defer s.leg.peer.guard("send a burst")
	var sent, bytes uint64
	for i := range burst {
		p := &burst[i]
		if !s.started {
			// SRTP wants a first number below 2^15.
			s.started, s.offset = true, uint16(rand.Uint32N(1<<15))-p.sequence //nolint:gosec // sent in clear, no secret
		}
		s.rewrite(p)
		n, err := s.out.WriteRTP(&s.header, p.payload)
		if err != nil {
			break // the leg is closing
		}
		sent, bytes = sent+1, bytes+uint64(n)
	}
	s.leg.flush()
	s.packets.Add(sent)
	s.bytes.Add(bytes)
	s.leg.peer.hub.totals.sent(sent, bytes)
}

// rewrite fills the header of the packet for this leg.
func (s *subscription) rewrite(p *packet) {
	h := &s.header
	h.Version, h.Marker, h.Timestamp = 2, p.marker, p.timestamp
	h.PayloadType, h.SSRC, h.SequenceNumber = uint8(s.codec.PayloadType), s.ssrc, p.sequence+s.offset
	if p.level != nil && s.levelID != 0 {
		if h.SetExtension(s.levelID, p.level) == nil {
			return
		}
	}
	if h.Extension {
		h.ClearExtensions()
	}
}

// readRTCP reads what the subscriber says of this stream until the sender is
// stopped, and passes on its wish for a key frame.
func (s *subscription) readRTCP() {
	for failed := 0; failed <= readErrors; {
		packets, _, err := s.sender.ReadRTCP()
		if isClosed(err) {
			return
		}
		if err != nil {
			failed++
			continue
		}
		failed = 0
		for _, p := range packets {
			switch p := p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				s.track.askKeyFrame()
			case *rtcp.TransportLayerNack:
				for _, n := range p.Nacks {
					s.leg.peer.hub.totals.nacks.Add(uint64(len(n.PacketList())))
				}
			}
		}
	}
}
