package signal_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"ringdown/internal/leak"
	"ringdown/media"
	"ringdown/media/signal/signaltest"
)

var (
	camera = signaltest.Track{Source: "camera"}
	mic    = signaltest.Track{Source: "microphone"}
)

// Both see and hear each other: nothing is lost, doubled or out of order, and
// what arrives is what was sent.
func TestTwoPeersReceiveEachOther(t *testing.T) {
	leak.Check(t)
	n := start(t)
	a, b := n.dial(may("r", "a")), n.dial(may("r", "b"))
	type side struct {
		from, to *signaltest.Client
		who      string
		out      []*signaltest.Outgoing
	}
	sides := []side{{a, b, "a", publish(t, a, mic, camera)}, {b, a, "b", publish(t, b, mic, camera)}}
	for _, s := range sides {
		for _, o := range s.out {
			stop := flow(t, o, 2500)
			if o.Source == "microphone" {
				stop()
				stop = flow(t, o, 120)
			}
			got := received(t, s.to, s.who, o.Source)
			stop()
			// From here on every packet is counted.
			before := len(got.Packets())
			pace := time.NewTicker(5 * time.Millisecond)
			defer pace.Stop()
			want := 0
			for range 100 {
				size := 6000
				if o.Source == "microphone" {
					size = 120
				}
				sent, err := o.Frame(size)
				if err != nil {
					t.Fatal(err)
				}
				want += sent
				<-pace.C
			}
			if err := got.WaitPackets(in(t), before+want); err != nil {
				t.Fatal(err)
			}
			packets := got.Packets()
			for i := 1; i < len(packets); i++ {
				if packets[i].SequenceNumber != packets[i-1].SequenceNumber+1 {
					t.Fatalf("%s/%s: packet %d has the number %d after %d", s.who, o.Source, i,
						packets[i].SequenceNumber, packets[i-1].SequenceNumber)
				}
			}
			wantCodec := map[string]string{"camera": webrtc.MimeTypeVP8, "microphone": webrtc.MimeTypeOpus}[o.Source]
			if got.Codec != wantCodec {
				t.Errorf("%s arrives as %s", o.Source, got.Codec)
			}
			if first := packets[before].Payload; o.Source == "microphone" && (first[0] != 0xfc || len(first) != 120) {
				t.Errorf("the sound was changed on its way: %d bytes, % x", len(first), first[:4])
			}
			if o.Source == "camera" {
				keys, ends := 0, 0
				for _, p := range packets[before:] {
					if p.Marker {
						ends++
					}
					if bytes.Contains(p.Payload, []byte{0x9d, 0x01, 0x2a, 0x40, 0x01}) {
						keys++
					}
				}
				// The last of those sent before may be among the packets counted.
				if keys < 98 || ends < 98 {
					t.Errorf("of 100 key frames %d begin as they were sent, %d end with a marker", keys, ends)
				}
			}
		}
	}
	totals := n.hub.Snapshot().Totals
	if totals.Rooms != 1 || totals.Peers != 2 || totals.Tracks != 4 || totals.PacketsIn < 400 || totals.PacketsOut < 400 {
		t.Errorf("totals %+v", totals)
	}
}

func TestPLIReachesThePublisherThrottled(t *testing.T) {
	leak.Check(t)
	n := start(t)
	a, b := n.dial(may("r", "a")), n.dial(may("r", "b"))
	out := publish(t, a, camera)[0]
	flow(t, out, 2500)
	got := received(t, b, "a", "camera")
	asked := out.KeyFramesAsked()
	begin := time.Now()
	for range 20 { // a wish every 50 ms for a second
		if err := got.AskKeyFrame(); err != nil {
			t.Fatal(err)
		}
		if err := got.WaitPackets(in(t), len(got.Packets())+6); err != nil {
			t.Fatal(err)
		}
	}
	took := time.Since(begin)
	if err := got.WaitPackets(in(t), len(got.Packets())+90); err != nil { // 30 frames, 600 ms
		t.Fatal(err)
	}
	more := out.KeyFramesAsked() - asked
	if most := int(took/(500*time.Millisecond)) + 2; more < 1 || more > most {
		t.Errorf("%d key frames asked of the publisher in %s for 20 wishes, want 1 to %d", more, took, most)
	}
}

// Somebody who comes while others talk sees who is there, gets their media and
// causes a key frame.
func TestLateJoinerAndThird(t *testing.T) {
	leak.Check(t)
	n := start(t)
	a, b := n.dial(may("r", "a")), n.dial(may("r", "b"))
	out := publish(t, a, mic, camera)
	flow(t, out[0], 120)
	flow(t, out[1], 2500)
	received(t, b, "a", "camera")
	asked := out[1].KeyFramesAsked()

	late := n.dial(may("r", "c"))
	if p := late.Welcome.Participants; len(p) != 2 || p[0].ID != "a" || p[0].Name != "Name of a" || p[0].Role != "visitor" ||
		len(p[0].Tracks) != 2 || p[1].ID != "b" || len(p[1].Tracks) != 0 {
		t.Errorf("welcomed to %+v", p)
	}
	received(t, late, "a", "camera")
	received(t, late, "a", "microphone")
	if n.hub.Snapshot().Totals.KeyFramesAsked < 2 || out[1].KeyFramesAsked() == asked {
		t.Error("nobody asked for a key frame for the newcomer")
	}
	await(t, a, func(m signaltest.Message) bool { return m.Type == "joined" && m.Participant() == "c" })

	flow(t, publish(t, late, camera)[0], 2500)
	received(t, a, "c", "camera")
	received(t, b, "c", "camera")

	if err := late.Leave(in(t)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*signaltest.Client{a, b} {
		m := await(t, c, func(m signaltest.Message) bool { return m.Type == "left" })
		if m.Participant() != "c" || m.Reason != "left" {
			t.Errorf("told that %s left for %q", m.Participant(), m.Reason)
		}
	}
	// The calls of the others go on.
	got := received(t, b, "a", "camera")
	if err := got.WaitPackets(in(t), len(got.Packets())+30); err != nil {
		t.Fatal(err)
	}
}

func TestMuteNeedsNoRenegotiation(t *testing.T) {
	leak.Check(t)
	n := start(t)
	a, b := n.dial(may("r", "a")), n.dial(may("r", "b"))
	off := camera
	off.Muted = true
	publish(t, a, off)
	m := await(t, b, func(m signaltest.Message) bool { return m.Type == "track" })
	if m.Participant() != "a" || m.Source != "camera" || m.Kind != "video" || !m.Muted {
		t.Errorf("announced as %+v", m)
	}
	for _, muted := range []bool{false, true} {
		if err := a.Send(map[string]any{"type": "track", "source": "camera", "muted": muted}); err != nil {
			t.Fatal(err)
		}
		if err := b.Until(in(t), func(all []signaltest.Message) bool {
			last := all[len(all)-1]
			return last.Type == "track" && last.Muted == muted
		}); err != nil {
			t.Fatal(err)
		}
		s := n.hub.Snapshot()
		if got := s.Rooms[0].Participants[0].Tracks[0]; got.Muted != muted || got.Live {
			t.Errorf("the snapshot has %+v", got)
		}
	}
	if err := a.Send(map[string]any{"type": "track", "source": "screen", "muted": true}); err != nil {
		t.Fatal(err)
	}
	if m := await(t, a, func(m signaltest.Message) bool { return m.Type == "error" }); m.Code != "not_allowed" || m.Fatal {
		t.Errorf("muting what is not published: %+v", m)
	}
}

// A source is withdrawn and published again; descriptions do not grow with it.
func TestWithdrawAndPublishAgain(t *testing.T) {
	leak.Check(t)
	n := start(t)
	a, b := n.dial(may("r", "a")), n.dial(may("r", "b"))
	for range 4 {
		b.Forget()
		out := publish(t, a, camera)[0]
		stop := flow(t, out, 2500)
		before := len(b.Messages())
		received(t, b, "a", "camera")
		stop()
		if err := a.Unpublish(in(t), out); err != nil {
			t.Fatal(err)
		}
		if err := b.Until(in(t), func(all []signaltest.Message) bool {
			return slices.ContainsFunc(all[before:], func(m signaltest.Message) bool { return m.Type == "untrack" })
		}); err != nil {
			t.Fatal(err)
		}
	}
	flow(t, publish(t, a, camera)[0], 2500)
	// The last offer names the one live track.
	var last signaltest.Message
	if err := b.Until(in(t), func(all []signaltest.Message) bool {
		for _, m := range all {
			if m.Type == "offer" {
				last = m
			}
		}
		return last.ID >= 5 && len(last.Tracks) == 1
	}); err != nil {
		t.Fatal(err)
	}
	if sections := strings.Count(last.SDP, "m=video"); sections > 2 {
		t.Errorf("%d media sections after five cameras, one at a time", sections)
	}
}

func TestTCPOnly(t *testing.T) {
	leak.Check(t)
	n := start(t)
	a := n.dial(may("r", "a"), signaltest.Options{TCPOnly: true})
	b := n.dial(may("r", "b"), signaltest.Options{TCPOnly: true})
	flow(t, publish(t, a, camera)[0], 2500)
	if err := received(t, b, "a", "camera").WaitPackets(in(t), 100); err != nil {
		t.Fatal(err)
	}
}

// Each codec goes through as it is; who cannot decode it still hears, and is not
// sent the picture.
func TestCodecs(t *testing.T) {
	leak.Check(t)
	for _, mime := range []string{webrtc.MimeTypeH264, webrtc.MimeTypeVP9, webrtc.MimeTypeAV1} {
		t.Run(strings.TrimPrefix(mime, "video/"), func(t *testing.T) {
			n := start(t)
			both := signaltest.Options{Codecs: []string{webrtc.MimeTypeVP8, mime}}
			a, b := n.dial(may("r", "a"), both), n.dial(may("r", "b"), both)
			plain := n.dial(may("r", "vp8-only"), signaltest.Options{Codecs: []string{webrtc.MimeTypeVP8}})
			out := publish(t, a, signaltest.Track{Source: "camera", Codec: mime}, mic)
			flow(t, out[0], 4000)
			flow(t, out[1], 120)
			got := received(t, b, "a", "camera")
			if err := got.WaitPackets(in(t), 50); err != nil {
				t.Fatal(err)
			}
			if got.Codec != mime {
				t.Errorf("arrives as %s", got.Codec)
			}
			if err := received(t, plain, "a", "microphone").WaitPackets(in(t), 20); err != nil {
				t.Fatal(err)
			}
			flow(t, publish(t, b, camera)[0], 2500)
			received(t, plain, "b", "camera")
			for _, tr := range n.hub.Snapshot().Rooms[0].Participants[0].Tracks {
				if tr.Source == media.Camera && (tr.Subscribers != 1 || "video/"+tr.Codec != mime) {
					t.Errorf("the camera has %d subscribers, codec %s", tr.Subscribers, tr.Codec)
				}
			}
		})
	}
}
