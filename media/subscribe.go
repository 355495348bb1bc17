package media

import (
	"slices"
	"strings"

	"github.com/pion/webrtc/v4"
)

// refresh brings a subscribe leg up to what the others publish now. While an
// offer is out it waits for the answer; a leg on which the client offers waits
// for the next offer, but lets go of tracks that are gone.
func (l *leg) refresh() {
	if l.spec.Direction != Subscribe {
		return
	}
	if l.awaiting {
		l.stale = true
		return
	}
	l.stale = false
	want := l.peer.hub.others(l.peer)
	if !l.spec.WeOffer {
		for t, s := range l.subs {
			if !slices.Contains(want, t) {
				l.drop(s)
			}
		}
		return
	}
	first := l.pc == nil
	if err := l.open(); err != nil {
		l.peer.log.Error("leg not opened", "err", err)
		l.peer.End(Unknown)
		return
	}
	changed := l.follow(want)
	if first {
		changed = l.reserve()
	}
	if !changed {
		return
	}
	if err := l.offer(); err != nil {
		l.peer.log.Error("no offer could be made", "err", err)
		l.peer.End(Unknown)
	}
}

// reserve makes a media section of each kind that has none, so that the leg
// connects before there is anything to send: the first track of the kind then
// needs no description, and the client only has to be told whose it is. It
// returns true: there is something to offer.
func (l *leg) reserve() bool {
	for _, k := range []Kind{Audio, Video} {
		kind := codecType(k)
		if slices.ContainsFunc(l.pc.GetTransceivers(), func(tr *webrtc.RTPTransceiver) bool { return tr.Kind() == kind }) {
			continue
		}
		// The codec decides how the section resends, so only tracks of the codec
		// that nearly everybody sends fit in.
		free := &subscription{leg: l, track: &Track{number: l.peer.hub.number(), owner: l.peer, kind: k, codec: usualCodec(k)}}
		tr, err := l.pc.AddTransceiverFromTrack(free, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err != nil {
			l.peer.log.Debug("no section reserved", "kind", k, "err", err)
			continue
		}
		free.sender, l.reserved[k] = tr.Sender(), free
	}
	return true
}

// follow subscribes to the tracks wanted and to no other, as far as there is
// room on the leg. It tells whether anything changed.
func (l *leg) follow(want []*Track) bool {
	changed := false
	for t, s := range l.subs {
		if !slices.Contains(want, t) {
			l.drop(s)
			changed = true
		}
	}
	for _, t := range want {
		if l.subs[t] == nil && l.attach(t) {
			changed = true
		}
	}
	return changed
}

// attach adds a subscription to the PeerConnection, in a media section that is
// free if there is one, so that descriptions do not grow with every change.
func (l *leg) attach(t *Track) bool {
	s := &subscription{leg: l, track: t}
	kind := codecType(t.kind)
	var err error
	free := l.reserved[t.kind]
	switch {
	case free != nil && free.supported && sameCodec(free.codec.RTPCodecCapability, t.codec.RTPCodecCapability):
		delete(l.reserved, t.kind)
		s.sender, s.negotiated = free.sender, true
		err = s.sender.ReplaceTrack(s)
	case l.takeIdle(t.kind):
		s.sender, err = l.pc.AddTrack(s)
	case l.spec.WeOffer:
		var tr *webrtc.RTPTransceiver
		tr, err = l.pc.AddTransceiverFromTrack(s, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		if err == nil {
			s.sender = tr.Sender()
		}
	case slices.ContainsFunc(l.pc.GetTransceivers(), func(tr *webrtc.RTPTransceiver) bool {
		return tr.Kind() == kind && tr.Sender() == nil && tr.Direction() == webrtc.RTPTransceiverDirectionSendonly
	}):
		s.sender, err = l.pc.AddTrack(s)
	default:
		return false // the client's offer has no section left
	}
	if err != nil {
		l.peer.log.Error("track not attached", "err", err)
		return false
	}
	l.subs[t] = s
	l.peer.spawn("read feedback", s.readRTCP)
	l.activate()
	return true
}

// takeIdle takes one free media section of a kind out of the list.
func (l *leg) takeIdle(k Kind) bool {
	for mid, kind := range l.idle {
		if kind == k {
			delete(l.idle, mid)
			return true
		}
	}
	return false
}

// settle lists the media sections that carry nothing after an answer.
func (l *leg) settle() {
	clear(l.idle)
	if l.spec.Direction != Subscribe {
		return
	}
	for _, tr := range l.pc.GetTransceivers() {
		if tr.Sender() == nil && tr.Mid() != "" && tr.Direction() == webrtc.RTPTransceiverDirectionInactive {
			l.idle[tr.Mid()] = Kind(tr.Kind().String())
		}
	}
}

// drop ends a subscription.
func (l *leg) drop(s *subscription) {
	s.track.remove(s)
	delete(l.subs, s.track)
	if err := l.pc.RemoveTrack(s.sender); err != nil {
		l.peer.log.Debug("track not removed", "err", err)
	}
}

// activate lets packets flow to the subscriptions that are negotiated, once
// the leg is connected.
func (l *leg) activate() {
	if !l.connected {
		return
	}
	for _, s := range l.subs {
		if s.active || s.out == nil || l.awaiting && !s.negotiated {
			continue
		}
		s.active = true
		if !s.supported {
			l.peer.log.Info("track skipped: the subscriber does not take its codec",
				"participant", l.peer.grant.Participant, "source", s.track.source, "codec", s.track.codec.MimeType)
			continue
		}
		s.track.add(s)
		if s.track.kind == Video {
			s.track.askKeyFrameNow()
		}
	}
}

// offered lists the live media sections of a subscribe leg.
func (l *leg) offered() []OfferedTrack {
	var out []OfferedTrack
	for t, s := range l.subs {
		if s.active && !s.supported {
			continue
		}
		for _, tr := range l.pc.GetTransceivers() {
			if tr.Sender() == s.sender {
				s.mid = tr.Mid()
			}
		}
		out = append(out, OfferedTrack{Mid: s.mid, Participant: t.owner.grant.Participant, Track: l.peer.hub.infoOf(t)})
	}
	slices.SortFunc(out, func(a, b OfferedTrack) int { return strings.Compare(a.Mid, b.Mid) })
	return out
}
