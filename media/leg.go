package media

import (
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// answerWithin is how long a client may take to answer an offer of ours.
const answerWithin = 15 * time.Second

// LegID names a leg within its peer.
type LegID string

// Direction says which way the media of a leg goes, seen from the client.
type Direction string

// The directions of legs.
const (
	Publish   Direction = "publish"   // the client sends
	Subscribe Direction = "subscribe" // we send
)

// LegSpec describes one leg of a peer.
type LegSpec struct {
	ID        LegID
	Direction Direction
	WeOffer   bool // we make the offers; otherwise the client does
}

// Declared says what the client sends in one media section.
type Declared struct {
	Mid    string
	Kind   Kind
	Source Source
	Muted  bool
}

// leg is one PeerConnection of a peer. Only the peer's loop touches it, but for
// the parts that are said to be shared.
type leg struct {
	spec LegSpec
	peer *Peer

	pc     *webrtc.PeerConnection                // nil until the first description
	shared atomic.Pointer[webrtc.PeerConnection] // pc again, for writeRTCP
	socket atomic.Pointer[socket]                // where packets leave, nil on TCP; for flush

	offers    int         // the number of the last offer, whoever made it
	awaiting  bool        // our offer has no answer yet
	stale     bool        // something changed meanwhile
	renew     bool        // the next offer has new addresses
	deadline  *time.Timer // of the answer
	connected bool
	dead      bool // it was connected, and its path is gone

	told  Event            // our last offer, to be told again to a new connection
	found []CandidateFound // our candidates, with it

	tracks map[string]*Track        // publish: by mid
	subs   map[*Track]*subscription // subscribe
	idle   map[string]Kind          // subscribe: sections that carry nothing, by mid

	reserved map[Kind]*subscription // subscribe: sections that wait for their first track
}

func newLeg(p *Peer, spec LegSpec) *leg {
	return &leg{
		spec: spec, peer: p,
		tracks: map[string]*Track{}, subs: map[*Track]*subscription{}, idle: map[string]Kind{}, reserved: map[Kind]*subscription{},
	}
}

// open makes the PeerConnection. Its callbacks come from goroutines of pion and
// only leave a notice for the loop.
func (l *leg) open() error {
	if l.pc != nil {
		return nil
	}
	pc, err := l.peer.hub.engine.connection(l.spec.Direction)
	if err != nil {
		return err
	}
	notice := func(f func()) {
		l.peer.notice(func() {
			if l.pc == pc { // else the leg was reset meanwhile
				f()
			}
		})
	}
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		found := CandidateFound{Leg: l.spec.ID}
		if c != nil {
			init := c.ToJSON()
			found.Candidate = &init
		}
		notice(func() {
			if n := len(l.found); n > 0 && l.found[n-1].Candidate == nil {
				l.found = nil // a new round of gathering
			}
			l.found = append(l.found, found)
			l.peer.sink.Tell(found)
		})
	})
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) { notice(func() { l.state(s) }) })
	pc.OnTrack(func(t *webrtc.TrackRemote, r *webrtc.RTPReceiver) { notice(func() { l.arrived(t, r) }) })
	pc.SCTP().Transport().ICETransport().OnSelectedCandidatePairChange(func(pair *webrtc.ICECandidatePair) {
		var s *socket
		if ip, err := netip.ParseAddr(pair.Local.Address); err == nil && pair.Local.Protocol == webrtc.ICEProtocolUDP {
			s = l.peer.hub.engine.sockets.at(ip)
		}
		l.socket.Store(s)
	})
	l.pc = pc
	l.shared.Store(pc)
	return nil
}

func (l *leg) state(s webrtc.PeerConnectionState) {
	switch s {
	case webrtc.PeerConnectionStateConnected:
		back := l.dead
		l.connected, l.dead = true, false
		l.activate()
		if back {
			l.wantKeyFrames()
		}
		l.peer.weigh()
	case webrtc.PeerConnectionStateDisconnected, webrtc.PeerConnectionStateFailed:
		l.dead = true // an offer with new addresses may bring it back
		l.peer.weigh()
	case webrtc.PeerConnectionStateClosed:
		// The client closed its side and may offer a new one.
		if !l.spec.WeOffer {
			l.reset()
		}
	case webrtc.PeerConnectionStateNew, webrtc.PeerConnectionStateConnecting, webrtc.PeerConnectionStateUnknown:
	}
}

// flush ends a burst to this leg. Shared: called by readers of tracks.
func (l *leg) flush() {
	if s := l.socket.Load(); s != nil {
		_ = s.Flush()
	}
}

// writeRTCP sends to the client of the leg. Shared.
func (l *leg) writeRTCP(p rtcp.Packet) {
	if pc := l.shared.Load(); pc != nil {
		_ = pc.WriteRTCP([]rtcp.Packet{p}) // lost like any packet
	}
}

// theirOffer answers an offer of the client.
func (l *leg) theirOffer(id int, text string, declared []Declared) *Refused {
	if l.spec.WeOffer {
		return refuse(NotAllowed, "on the leg %q the server makes the offers", l.spec.ID)
	}
	if id <= l.offers {
		return refuse(OutOfOrder, "offer %d came after offer %d", id, l.offers)
	}
	l.offers = id
	sections, err := parseSDP(text)
	if err != nil {
		return refuse(BadSDP, "%v", err)
	}
	if r := l.check(sections, declared); r != nil {
		return r
	}
	if err := l.open(); err != nil {
		l.peer.log.Error("leg not opened", "err", err)
		return refuse(BadSDP, "no connection could be made")
	}
	answer, err := l.answer(text)
	if err != nil {
		l.peer.log.Debug("offer refused", "leg", l.spec.ID, "err", err)
		l.reset()
		return refuse(BadSDP, "the offer could not be used")
	}
	l.peer.sink.Tell(AnswerMade{Leg: l.spec.ID, ID: id, SDP: answer, Tracks: l.offered()})
	// An answer that is lost is not told again: the client offers anew.
	l.declare(declared)
	l.activate()
	return nil
}

func (l *leg) answer(offer string) (string, error) {
	if err := l.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: offer}); err != nil {
		return "", err
	}
	if l.spec.Direction == Subscribe {
		l.follow(l.peer.hub.others(l.peer))
	}
	answer, err := l.pc.CreateAnswer(nil)
	if err != nil {
		return "", err
	}
	return answer.SDP, l.pc.SetLocalDescription(answer)
}

// offer makes an offer of ours, with new addresses if they are wanted. The
// caller knows that none is out.
func (l *leg) offer() error {
	offer, err := l.pc.CreateOffer(&webrtc.OfferOptions{ICERestart: l.renew})
	if err != nil {
		return err
	}
	// Candidates are found from here on; they are told after the offer,
	// because they reach the loop as notices.
	if err := l.pc.SetLocalDescription(offer); err != nil {
		return err
	}
	l.offers++
	l.awaiting, l.stale, l.renew = true, false, false
	l.told = OfferMade{Leg: l.spec.ID, ID: l.offers, SDP: offer.SDP, Tracks: l.offered()}
	l.expectAnswer()
	l.peer.sink.Tell(l.told)
	return nil
}

// expectAnswer gives the client time to answer the offer that is out.
func (l *leg) expectAnswer() {
	if l.deadline != nil {
		l.deadline.Stop()
	}
	id := l.offers
	l.deadline = time.AfterFunc(l.peer.hub.answerWithin, func() {
		l.peer.notice(func() {
			if l.awaiting && l.offers == id && !l.peer.detached {
				l.peer.End(Network)
			}
		})
	})
}

// restart offers with new addresses.
func (l *leg) restart() *Refused {
	if !l.spec.WeOffer {
		return refuse(NotAllowed, "on the leg %q the client makes the offers: offer with new addresses", l.spec.ID)
	}
	if l.pc == nil {
		return nil // there is nothing yet that could be dead
	}
	l.renew = true
	if l.awaiting {
		l.stale = true
		return nil
	}
	if err := l.offer(); err != nil {
		l.peer.log.Error("no offer could be made", "err", err)
		l.peer.End(Unknown)
	}
	return nil
}

// repeat tells a new connection what an older one may have missed: an offer that
// has no answer, and our candidates.
func (l *leg) repeat() {
	if l.awaiting {
		l.expectAnswer()
		l.peer.sink.Tell(l.told)
	}
	for _, found := range l.found {
		l.peer.sink.Tell(found)
	}
}

// wantKeyFrames asks the publishers of all that the leg sends for a new picture.
func (l *leg) wantKeyFrames() {
	for t, s := range l.subs {
		if s.active && t.kind == Video {
			t.askKeyFrameNow()
		}
	}
}

// theirAnswer takes the answer to our offer.
func (l *leg) theirAnswer(id int, text string, declared []Declared) *Refused {
	if !l.spec.WeOffer {
		return refuse(NotAllowed, "on the leg %q the client makes the offers", l.spec.ID)
	}
	if !l.awaiting || id != l.offers {
		return refuse(OutOfOrder, "answer %d does not belong to an open offer", id)
	}
	sections, err := parseSDP(text)
	if err != nil {
		return refuse(BadSDP, "%v", err)
	}
	if r := l.check(sections, declared); r != nil {
		return r
	}
	if err := l.pc.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: text}); err != nil {
		l.peer.log.Debug("answer refused", "leg", l.spec.ID, "err", err)
		return refuse(BadSDP, "the answer could not be used")
	}
	l.awaiting = false
	l.deadline.Stop()
	l.declare(declared)
	for _, s := range l.subs {
		if i := slices.IndexFunc(sections, func(m section) bool { return m.mid == s.mid }); i < 0 || !sections[i].receives() {
			s.supported = false
		}
	}
	l.settle()
	l.activate()
	if l.stale {
		l.refresh()
	}
	if l.renew && !l.awaiting {
		if r := l.restart(); r != nil {
			return r
		}
	}
	return nil
}

// openToReceive makes the first offer of a publish leg of ours: one section of
// each kind that the grant allows.
func (l *leg) openToReceive() error {
	if err := l.open(); err != nil {
		return err
	}
	for _, k := range []Kind{Audio, Video} {
		if !l.peer.grant.allows(k) {
			continue
		}
		_, err := l.pc.AddTransceiverFromKind(codecType(k), webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err != nil {
			return err
		}
	}
	return l.offer()
}

// candidate checks a candidate of the client. We need none: the lite side of
// ICE learns addresses from the checks it gets, and sends to no other.
func (l *leg) candidate(c *webrtc.ICECandidateInit) *Refused {
	if c == nil || c.Candidate == "" {
		return nil
	}
	if _, err := ice.UnmarshalCandidate(c.Candidate); err != nil {
		return refuse(BadCandidate, "the candidate is not readable")
	}
	return nil
}

// reset closes the PeerConnection and what it carried; the next offer opens a
// new one.
func (l *leg) reset() {
	if l.pc == nil {
		return
	}
	l.declare(nil)
	l.close()
	l.connected, l.awaiting, l.stale, l.renew, l.dead = false, false, false, false, false
	l.found = nil
	clear(l.reserved)
	l.peer.weigh()
	clear(l.idle)
}

// close ends all that runs on the leg and waits for pion's part of it.
func (l *leg) close() {
	if l.deadline != nil {
		l.deadline.Stop()
	}
	for t, s := range l.subs {
		t.remove(s)
	}
	clear(l.subs)
	for _, t := range l.tracks {
		t.close()
	}
	clear(l.tracks)
	if pc := l.pc; pc != nil {
		l.pc = nil
		l.shared.Store(nil)
		l.socket.Store(nil)
		if err := pc.GracefulClose(); err != nil {
			l.peer.log.Debug("leg not closed cleanly", "leg", l.spec.ID, "err", err)
		}
	}
}

func refuse(code RefusalCode, format string, args ...any) *Refused {
	return &Refused{Code: code, Detail: fmt.Sprintf(format, args...)}
}
