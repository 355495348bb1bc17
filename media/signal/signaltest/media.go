package signaltest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// Track is a track to publish.
type Track struct {
	Source string
	Codec  string // MIME type; default VP8 or Opus, by source
	Muted  bool
}

// Outgoing is a published track.
type Outgoing struct {
	Track
	local      *webrtc.TrackLocalStaticRTP
	tr         *webrtc.RTPTransceiver
	packetizer rtp.Packetizer
	packets    int
	plis       atomic.Int64
	level      atomic.Int32 // what Frame says of the loudness; see Speak
}

// Speak sets the audio level of the frames to come, 0 (silence) to 127.
func (o *Outgoing) Speak(loudness int) { o.level.Store(int32(loudness)) }

// KeyFramesAsked returns how often the server asked for a key frame.
func (o *Outgoing) KeyFramesAsked() int { return int(o.plis.Load()) }

func (t Track) kind() string {
	if t.Source == "microphone" || t.Source == "screen_audio" {
		return "audio"
	}
	return "video"
}

// Publish offers the tracks, besides those published before, and waits for the
// answer.
func (c *Client) Publish(ctx context.Context, tracks ...Track) ([]*Outgoing, error) {
	c.mu.Lock()
	pc := c.pub
	c.mu.Unlock()
	if pc == nil {
		var err error
		if pc, err = c.connection("publish"); err != nil {
			return nil, err
		}
		c.change(func() { c.pub = pc })
	}
	var added []*Outgoing
	for _, t := range tracks {
		o, err := newOutgoing(t)
		if err != nil {
			return nil, err
		}
		o.tr, err = pc.AddTransceiverFromTrack(o.local, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			return nil, err
		}
		c.wg.Go(o.readRTCP)
		added = append(added, o)
	}
	c.change(func() { c.outgoing = append(c.outgoing, added...) })
	return added, c.Renegotiate(ctx)
}

// Unpublish withdraws a track and waits for the answer.
func (c *Client) Unpublish(ctx context.Context, o *Outgoing) error {
	if err := c.pub.RemoveTrack(o.tr.Sender()); err != nil {
		return err
	}
	c.change(func() {
		c.outgoing = slices.DeleteFunc(c.outgoing, func(other *Outgoing) bool { return other == o })
	})
	return c.Renegotiate(ctx)
}

// Renegotiate offers what is published and waits for the answer.
func (c *Client) Renegotiate(ctx context.Context) error { return c.offer(ctx, false) }

func (c *Client) offer(ctx context.Context, restart bool) error {
	offer, err := c.pub.CreateOffer(&webrtc.OfferOptions{ICERestart: restart})
	if err != nil {
		return err
	}
	var id int
	declared := []map[string]any{}
	c.change(func() {
		c.offers++
		id = c.offers
		for _, o := range c.outgoing {
			declared = append(declared, map[string]any{
				"mid": o.tr.Mid(), "kind": o.kind(), "source": o.Source, "muted": o.Muted,
			})
		}
	})
	c.negotiating.Lock()
	// The offer is out before any candidate.
	err = c.Send(map[string]any{"type": "offer", "leg": "publish", "id": id, "sdp": c.opts.ours(offer.SDP), "tracks": declared})
	if err == nil {
		err = c.pub.SetLocalDescription(offer)
	}
	c.negotiating.Unlock()
	if err != nil {
		return err
	}
	m, err := c.Wait(ctx, func(m Message) bool {
		return (m.Type == "answer" && m.ID == id) || m.Type == "bye" || (m.Type == "error" && strings.Contains("bad_sdp bad_message not_allowed too_many_tracks out_of_order", m.Code))
	})
	if err == nil && m.Type != "answer" {
		return &RefusedError{m}
	}
	return err
}

func newOutgoing(t Track) (*Outgoing, error) {
	if t.Codec == "" {
		t.Codec = webrtc.MimeTypeVP8
		if t.kind() == "audio" {
			t.Codec = webrtc.MimeTypeOpus
		}
	}
	o := &Outgoing{Track: t}
	c := webrtc.RTPCodecCapability{MimeType: t.Codec, ClockRate: 90000}
	var p rtp.Payloader
	switch t.Codec {
	case webrtc.MimeTypeVP8:
		p = &codecs.VP8Payloader{EnablePictureID: true}
	case webrtc.MimeTypeH264:
		c.SDPFmtpLine = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
		p = &codecs.H264Payloader{}
	case webrtc.MimeTypeVP9:
		c.SDPFmtpLine, p = "profile-id=0", &codecs.VP9Payloader{FlexibleMode: true}
	case webrtc.MimeTypeAV1:
		p = &codecs.AV1Payloader{}
	case webrtc.MimeTypeOpus:
		c.ClockRate, c.Channels, p = 48000, 2, &codecs.OpusPayloader{}
	default:
		return nil, fmt.Errorf("no media can be made for %s", t.Codec)
	}
	var err error
	o.local, err = webrtc.NewTrackLocalStaticRTP(c, t.Source, "me")
	// SSRC and payload type are written by the track.
	o.packetizer = rtp.NewPacketizer(1200, 0, 0, p, rtp.NewRandomSequencer(), c.ClockRate)
	return o, err
}

// Frame sends one frame of generated media of about this many bytes: a key
// frame of video, or 20 ms of audio. It returns how many packets that took.
func (o *Outgoing) Frame(bytes int) (int, error) {
	samples, data := uint32(3000), make([]byte, bytes)
	for i := range data {
		data[i] = byte(o.packets + i)
	}
	switch o.Codec {
	case webrtc.MimeTypeVP8: // frame tag of a shown key frame, start code, 320 x 240
		copy(data, []byte{0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00})
	case webrtc.MimeTypeH264: // an IDR slice without start codes in it
		for i := range data {
			data[i] |= 0x80
		}
		copy(data, []byte{0, 0, 0, 1, 0x65})
	case webrtc.MimeTypeAV1: // one frame OBU without a size, so it goes to the end
		data[0] = 0x30
	case webrtc.MimeTypeOpus: // CELT, full band, 20 ms, one frame
		samples, data[0] = 960, 0xfc
	}
	packets := o.packetizer.Packetize(data, samples)
	for _, p := range packets {
		if id := o.levelID(); id != 0 {
			level, err := (&rtp.AudioLevelExtension{Level: uint8(127 - o.level.Load())}).Marshal()
			if err = errors.Join(err, p.SetExtension(id, level)); err != nil {
				return 0, err
			}
		}
		if err := o.local.WriteRTP(p); err != nil {
			return 0, err
		}
	}
	o.packets += len(packets)
	return len(packets), nil
}

// levelID is the header extension of the audio level, 0 if it is not negotiated.
func (o *Outgoing) levelID() uint8 {
	for _, e := range o.tr.Sender().GetParameters().HeaderExtensions {
		if e.URI == sdp.AudioLevelURI {
			return uint8(e.ID)
		}
	}
	return 0
}

func (o *Outgoing) readRTCP() {
	sender := o.tr.Sender()
	for {
		packets, _, err := sender.ReadRTCP()
		if err != nil {
			return
		}
		for _, p := range packets {
			switch p.(type) {
			case *rtcp.PictureLossIndication, *rtcp.FullIntraRequest:
				o.plis.Add(1)
			}
		}
	}
}

// Incoming is a track that is received.
type Incoming struct {
	Participant, Source string
	Codec               string
	SSRC                uint32

	mid     string
	client  *Client
	packets []*rtp.Packet // guarded by client.mu
}

// Packets returns what has been received, in the order in which it came.
func (in *Incoming) Packets() []*rtp.Packet {
	in.client.mu.Lock()
	defer in.client.mu.Unlock()
	return slices.Clone(in.packets)
}

// WaitPackets waits until at least n packets have been received, also without a
// socket.
func (in *Incoming) WaitPackets(ctx context.Context, n int) error {
	err := in.client.wait(ctx, func() bool { return len(in.packets) >= n }, false)
	if err != nil {
		return fmt.Errorf("%d of %d packets of %s/%s: %w", len(in.Packets()), n, in.Participant, in.Source, err)
	}
	return nil
}

// AskKeyFrame asks the publisher, through the server, for a key frame.
func (in *Incoming) AskKeyFrame() error {
	in.client.mu.Lock()
	pc := in.client.sub
	in.client.mu.Unlock()
	return pc.WriteRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: in.SSRC}})
}

// Forget lets Received wait for tracks that come from now on.
func (c *Client) Forget() { c.change(func() { c.incoming = nil }) }

// Received waits for the latest track of a participant and source: its first
// packet.
func (c *Client) Received(ctx context.Context, participant, source string) (*Incoming, error) {
	var found *Incoming
	err := c.until(ctx, func() bool {
		for _, in := range c.incoming {
			if in.Participant == participant && in.Source == source && len(in.packets) > 0 {
				found = in
			}
		}
		return found != nil
	})
	if err != nil {
		return nil, fmt.Errorf("no packet of %s/%s: %w", participant, source, err)
	}
	return found, nil
}

// answer answers an offer of the subscribe leg.
func (c *Client) answer(m Message) error {
	c.mu.Lock()
	pc := c.sub
	c.mu.Unlock()
	if pc == nil {
		var err error
		if pc, err = c.connection("subscribe"); err != nil {
			return err
		}
		pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) { c.wg.Go(func() { c.receive(t, r) }) })
	}
	c.change(func() {
		c.sub = pc
		clear(c.mids)
		for _, t := range m.Tracks {
			c.mids[t.Mid] = t
		}
		for _, in := range c.incoming { // packets may come before we are told whose they are
			if in.Participant == "" {
				in.Participant, in.Source = c.mids[in.mid].Participant, c.mids[in.mid].Source
			}
		}
	})
	if err := pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: c.opts.theirs(m.SDP)}); err != nil {
		return err
	}
	answer, err := pc.CreateAnswer(nil)
	if err != nil {
		return err
	}
	// The answer is out before any candidate. If the socket is gone the offer comes
	// again on the next one, and pion takes it only when this one is done with.
	err = c.Send(map[string]any{"type": "answer", "leg": "subscribe", "id": m.ID, "sdp": c.opts.ours(answer.SDP)})
	return errors.Join(err, pc.SetLocalDescription(answer))
}

func (c *Client) receive(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
	in := &Incoming{client: c, Codec: t.Codec().MimeType, SSRC: uint32(t.SSRC())}
	c.wg.Go(func() { // reports have to be read for the interceptors
		for {
			if _, _, err := r.ReadRTCP(); err != nil {
				return
			}
		}
	})
	c.change(func() {
		in.mid = r.RTPTransceiver().Mid()
		in.Participant, in.Source = c.mids[in.mid].Participant, c.mids[in.mid].Source
		c.incoming = append(c.incoming, in)
	})
	for {
		p, _, err := t.ReadRTP()
		if err != nil {
			return
		}
		c.change(func() { in.packets = append(in.packets, p) })
	}
}
