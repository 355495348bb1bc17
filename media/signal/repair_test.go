package signal_test

import (
	"sync"
	"testing"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/rtp"

	"ringdown/internal/leak"
	"ringdown/media/signal/signaltest"
)

// lossy drops every tenth packet of video once, next to the wire: on its way
// out or in.
type lossy struct {
	interceptor.NoOp
	out, in bool

	mu      sync.Mutex
	dropped map[uint16]bool
}

func (l *lossy) NewInterceptor(string) (interceptor.Interceptor, error) { return l, nil }

func (l *lossy) drop(seq uint16) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if seq%10 != 0 || l.dropped[seq] {
		return false
	}
	l.dropped[seq] = true
	return true
}

func (l *lossy) lost() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.dropped)
}

func (l *lossy) BindLocalStream(info *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	if !l.out {
		return w
	}
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		if h.SSRC == info.SSRC && l.drop(h.SequenceNumber) {
			return len(payload), nil
		}
		return w.Write(h, payload, a)
	})
}

func (l *lossy) BindRemoteStream(info *interceptor.StreamInfo, r interceptor.RTPReader) interceptor.RTPReader {
	if !l.in || info.MimeType == "video/rtx" {
		return r
	}
	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		for {
			n, attr, err := r.Read(b, a)
			var h rtp.Header
			if err == nil {
				if _, bad := h.Unmarshal(b[:n]); bad == nil && l.drop(h.SequenceNumber) {
					continue
				}
			}
			return n, attr, err
		}
	})
}

// registry is what a browser does about loss, behind the lossy wire.
func registry(t *testing.T, l *lossy) *interceptor.Registry {
	t.Helper()
	ask, err := nack.NewGeneratorInterceptor()
	if err != nil {
		t.Fatal(err)
	}
	resend, err := nack.NewResponderInterceptor()
	if err != nil {
		t.Fatal(err)
	}
	r := &interceptor.Registry{}
	r.Add(l) // first is next to the wire
	r.Add(ask)
	r.Add(resend)
	return r
}

// Every tenth packet is lost, on the way in or on the way out; retransmission
// repairs all of them, so that the subscriber has every number in the end.
func TestLossIsRepaired(t *testing.T) {
	leak.Check(t)
	for _, tc := range []struct {
		name    string
		out, in bool
	}{
		{"from the publisher", true, false},
		{"to the subscriber", false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := start(t)
			wire := &lossy{out: tc.out, in: tc.in, dropped: map[uint16]bool{}}
			a := n.dial(may("r", "a"), signaltest.Options{Interceptors: registry(t, wire)})
			b := n.dial(may("r", "b"), signaltest.Options{Interceptors: registry(t, wire)})
			flow(t, publish(t, a, camera)[0], 5000)
			got := received(t, b, "a", "camera")
			if err := got.WaitPackets(in(t), 400); err != nil {
				t.Fatal(err)
			}
			// What we get first may be the repair of a packet whose successors
			// went before we were there. From the newest of the first twenty
			// on, 250 numbers in a row must all have come.
			packets := got.Packets()
			first, have := packets[0].SequenceNumber, map[uint16]bool{}
			for i, p := range packets {
				have[p.SequenceNumber] = true
				if i < 20 && int16(p.SequenceNumber-first) > 0 {
					first = p.SequenceNumber
				}
			}
			for i := range uint16(250) {
				if !have[first+i] {
					t.Fatalf("packet %d of 250 never came", i)
				}
			}
			if wire.lost() < 20 {
				t.Errorf("only %d packets were lost: the wire is not lossy", wire.lost())
			}
			if tc.in && n.hub.Snapshot().Totals.RetransmissionsAskedBy < 20 {
				t.Errorf("%+v", n.hub.Snapshot().Totals)
			}
		})
	}
}
