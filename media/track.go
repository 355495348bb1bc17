package media

import (
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	burstPackets  = 64                     // a burst that is longer goes out in parts
	burstTime     = time.Millisecond       // how long a burst waits for its marker
	packetBytes   = 1500                   // the largest packet pion hands us is smaller
	keyFrameEvery = 500 * time.Millisecond // the most often a publisher is asked for one
	readErrors    = 100                    // unreadable packets in a row that end a reader

	// pion hands out a retransmitted packet at the next read only. For this
	// long after a gap the reader looks for one at this interval, so that the
	// last picture before a pause is repaired too.
	repairTime = time.Second
	repairPoll = 20 * time.Millisecond
)

// Track is one published track: it has a source, and subscriptions that take
// its packets.
type Track struct {
	number uint64
	owner  *Peer
	leg    *leg
	mid    string
	source Source
	kind   Kind

	// Guarded by Hub.mu.
	muted    bool
	live     bool      // packets come, so the codec is known and others may subscribe
	loudness int       // of a microphone, 0 to 127
	heardAt  time.Time // when that was measured

	// Set before the track is live.
	codec   webrtc.RTPCodecParameters
	ssrc    uint32
	levelID uint8

	mu   sync.Mutex // guards the writing of subs
	subs atomic.Pointer[[]*subscription]

	ask    chan struct{} // one slot: somebody wants a key frame
	urgent chan struct{} // one slot: somebody new wants one now
	done   chan struct{} // closed by close
	once   sync.Once

	packets, bytes, plis, dropped atomic.Uint64

	ear ear // owned by the reader
}

func newTrack(number uint64, owner *Peer, l *leg, d Declared) *Track {
	t := &Track{
		number: number, owner: owner, leg: l,
		mid: d.Mid, source: d.Source, kind: d.Source.Kind(), muted: d.Muted,
		ask: make(chan struct{}, 1), urgent: make(chan struct{}, 1), done: make(chan struct{}),
	}
	t.subs.Store(&[]*subscription{})
	return t
}

func (t *Track) info() TrackInfo { return TrackInfo{Source: t.source, Kind: t.kind, Muted: t.muted} }

// packet is one RTP packet of a burst, in parts. Its bytes are valid until the
// subscriptions have taken it.
type packet struct {
	sequence  uint16
	timestamp uint32
	marker    bool
	level     []byte // the audio level extension, nil if absent
	payload   []byte // without padding; empty for a packet that was all padding
	buf       [packetBytes]byte
}

// rtpReader is a webrtc.TrackRemote.
type rtpReader interface {
	Read(b []byte) (int, interceptor.Attributes, error)
	SetReadDeadline(time.Time) error
}

// read moves packets from the publisher to the subscriptions until the track or
// its leg is closed. A burst of video ends with the marker or after burstTime;
// every packet of audio is a burst.
func (t *Track) read(in rtpReader) {
	var (
		burst  = make([]packet, burstPackets)
		n      int       // packets in the burst
		armed  bool      // a deadline is set
		next   uint16    // the number that comes next
		repair time.Time // until when retransmissions are expected
		failed int
		header rtp.Header
		size   int // of the burst, in bytes
		allow  = newBudget(t.bitsPerSecond(), time.Now())
	)
	deliver := func() {
		if now := time.Now(); now.Before(repair) {
			armed = true
			_ = in.SetReadDeadline(now.Add(repairPoll))
		} else if armed {
			armed = false
			_ = in.SetReadDeadline(time.Time{})
		}
		if n == 0 {
			return
		}
		ok, flood := allow.spend(n, size, time.Now())
		if ok {
			t.deliver(burst[:n])
		} else {
			t.dropped.Add(uint64(n))
		}
		if flood {
			t.owner.End(Overload)
		}
		n, size = 0, 0
	}
	for {
		p := &burst[n]
		read, _, err := in.Read(p.buf[:])
		switch {
		case err == nil:
			failed = 0
		case errors.Is(err, os.ErrDeadlineExceeded) || isTimeout(err):
			deliver()
			continue
		case isClosed(err):
			return
		default:
			if failed++; failed > readErrors {
				return
			}
			continue
		}
		select {
		case <-t.done:
			return
		default:
		}
		if !t.parse(p, read, &header) {
			continue
		}
		size += read
		t.hear(p.level)
		if n++; p.sequence != next && t.kind == Video && t.packets.Load() > 0 {
			repair = time.Now().Add(repairTime)
		}
		if t.packets.Load() == 0 || int16(p.sequence-next) >= 0 {
			next = p.sequence + 1
		}
		t.packets.Add(1)
		t.bytes.Add(uint64(read))
		t.owner.hub.totals.received(1, uint64(read))
		switch {
		case p.marker || t.kind == Audio || n == len(burst):
			deliver()
		case n == 1:
			armed = in.SetReadDeadline(time.Now().Add(burstTime)) == nil
		}
	}
}

// bitsPerSecond is the most that the track may send.
func (t *Track) bitsPerSecond() int {
	if t.kind == Audio {
		return soundBPS
	}
	return floodFactor * t.owner.hub.cfg.VideoBitrateBPS
}

// parse fills the packet from the bytes in its buffer; false drops it.
func (t *Track) parse(p *packet, size int, h *rtp.Header) bool {
	b := p.buf[:size]
	n, err := h.Unmarshal(b)
	// A payload type that is not the track's own (comfort noise, a codec that
	// changed on the way) is nothing the subscribers negotiated.
	if err != nil || n > size || webrtc.PayloadType(h.PayloadType) != t.codec.PayloadType {
		return false
	}
	if h.Padding {
		pad := int(b[size-1])
		if pad == 0 || n+pad > size {
			return false
		}
		size -= pad
	}
	p.sequence, p.timestamp, p.marker = h.SequenceNumber, h.Timestamp, h.Marker
	p.payload, p.level = b[n:size], nil
	if t.levelID != 0 {
		p.level = h.GetExtension(t.levelID)
	}
	return true
}

func (t *Track) deliver(burst []packet) {
	for _, s := range *t.subs.Load() {
		s.take(burst)
	}
}

// readRTCP reads the publisher's reports, so that pion can answer them, until
// the receiver is closed.
func (t *Track) readRTCP(r *webrtc.RTPReceiver) {
	b := make([]byte, packetBytes)
	for failed := 0; failed <= readErrors; {
		switch _, _, err := r.Read(b); {
		case err == nil:
			failed = 0
		case isClosed(err):
			return
		default:
			failed++
		}
	}
}

func (t *Track) add(s *subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := append(slices.Clone(*t.subs.Load()), s)
	t.subs.Store(&list)
}

func (t *Track) remove(s *subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := slices.DeleteFunc(slices.Clone(*t.subs.Load()), func(o *subscription) bool { return o == s })
	t.subs.Store(&list)
}

// askKeyFrame asks for a key frame within keyFrameEvery. It never blocks.
func (t *Track) askKeyFrame() { poke(t.ask) }

// askKeyFrameNow asks for one at once: somebody began to watch.
func (t *Track) askKeyFrameNow() { poke(t.urgent) }

// poke puts a token into a channel of one slot, if it is empty.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// keepKeyFrames calls send for the wishes of subscribers until the track is
// closed: at most once per keyFrameEvery, and at once for a new subscriber. A
// wish in the pause between is kept until its end.
func (t *Track) keepKeyFrames(send func()) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	<-pause.C
	for {
		select {
		case <-t.done:
			return
		case <-t.ask:
		case <-t.urgent:
		}
		for again := true; again; {
			send()
			pause.Reset(keyFrameEvery)
			select {
			case <-t.done:
				return
			case <-pause.C:
				again = false
			case <-t.urgent:
			}
		}
	}
}

// sendPLI asks the publisher for a key frame.
func (t *Track) sendPLI() {
	t.plis.Add(1)
	t.owner.hub.totals.plis.Add(1)
	t.leg.writeRTCP(&rtcp.PictureLossIndication{MediaSSRC: t.ssrc})
}

// close ends the goroutines of the track; its reader ends with the next packet
// or with the leg.
func (t *Track) close() { t.once.Do(func() { close(t.done) }) }

func isTimeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}

// isClosed tells the end of a stream from trouble with one packet of it.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed)
}
