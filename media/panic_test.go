package media

import (
	"log/slog"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
)

// broken is a wire, and a publisher, that panics.
type broken struct{}

func (broken) WriteRTP(*rtp.Header, []byte) (int, error) { panic("a fault of ours") }
func (broken) Write([]byte) (int, error)                 { panic("a fault of ours") }
func (broken) SetReadDeadline(time.Time) error           { return nil }
func (broken) Read([]byte) (int, interceptor.Attributes, error) {
	panic("a fault of ours")
}

// ended tells whether a peer was told to end, and why.
func ended(p *Peer) (Reason, bool) {
	select {
	case <-p.stop:
		return p.reason, true
	default:
		return "", false
	}
}

// A fault while a packet goes out to one subscriber ends that subscriber; the
// publisher and the others go on.
func TestM9_panic_while_sending_ends_that_subscriber_only(t *testing.T) {
	wire := &recorder{}
	track, good := testTrack(t, Microphone, wire)
	other := &Peer{hub: track.owner.hub, log: slog.New(slog.DiscardHandler), stop: make(chan struct{})}
	bad := &subscription{leg: &leg{peer: other}, track: track, out: broken{}, ssrc: 100}
	track.remove(good)
	track.add(bad)
	track.add(good)
	track.read(&script{steps: []any{packetOf(t, 1, true, "one"), packetOf(t, 2, true, "two")}})
	if why, ok := ended(other); !ok || why != Unknown {
		t.Errorf("the broken one: ended %v, %q", ok, why)
	}
	if _, ok := ended(track.owner); ok {
		t.Error("the publisher was ended too")
	}
	if len(wire.bodies) != 2 {
		t.Errorf("the other subscriber got %d of 2 packets", len(wire.bodies))
	}
}

// A fault while a publisher's packets are read ends that publisher only.
func TestM9_panic_while_reading_ends_that_publisher_only(t *testing.T) {
	track, sub := testTrack(t, Microphone, &recorder{})
	viewer := &Peer{hub: track.owner.hub, log: slog.New(slog.DiscardHandler), stop: make(chan struct{})}
	sub.leg.peer = viewer
	track.owner.spawn("read a track", func() { track.read(broken{}) })
	track.owner.workers.Wait()
	if why, ok := ended(track.owner); !ok || why != Unknown {
		t.Errorf("the broken one: ended %v, %q", ok, why)
	}
	if _, ok := ended(viewer); ok {
		t.Error("its viewer was ended too")
	}
}

// What one may send is bounded in bytes over time; what is saved up is little.
func TestBudget(t *testing.T) {
	now := time.Unix(0, 0)
	b := newBudget(80_000, now) // 10 kB/s
	spend := func(after time.Duration, bytes int) (ok, flood bool) {
		now = now.Add(after)
		return b.spend(1, bytes-packetOverhead, now)
	}
	if ok, _ := spend(0, 20_000); !ok {
		t.Error("two seconds may be saved up")
	}
	if ok, flood := spend(0, 1000); ok || flood {
		t.Error("more than that may not")
	}
	if ok, _ := spend(100*time.Millisecond, 1000); !ok {
		t.Error("what time brings may be spent")
	}
	if _, flood := spend(2*time.Second, 30_000); flood {
		t.Error("not yet a flood")
	}
	if ok, flood := spend(floodTime, 50_000); ok || !flood {
		t.Error("too much for too long is a flood")
	}
	if ok, flood := spend(time.Hour, 1000); !ok || flood || !b.over.IsZero() {
		t.Error("who stops is forgiven")
	}
}
