package media

import (
	"slices"

	"github.com/pion/webrtc/v4"
)

// check compares what a client declares with what its description says: each
// section that sends is declared once, and nothing else is.
func (l *leg) check(sections []section, declared []Declared) *Refused {
	if l.spec.Direction != Publish {
		if len(declared) > 0 {
			return refuse(BadRequest, "tracks: nothing is published on the leg %q", l.spec.ID)
		}
		return nil
	}
	if limit := l.peer.hub.cfg.MaxTracks; len(declared) > limit {
		return refuse(TooManyTracks, "%d tracks are declared, at most %d are taken", len(declared), limit)
	}
	sending := 0
	for _, m := range sections {
		if m.sends() {
			sending++
		}
	}
	seen := map[Source]string{}
	for _, d := range declared {
		i := slices.IndexFunc(sections, func(m section) bool { return m.mid == d.Mid })
		switch {
		case d.Source.Kind() == "":
			return refuse(BadRequest, "tracks: %q is not a source", d.Source)
		case d.Source.Kind() != d.Kind:
			return refuse(BadRequest, "tracks: the source %s is not %s", d.Source, d.Kind)
		case seen[d.Source] != "":
			return refuse(BadRequest, "tracks: the source %s is declared twice", d.Source)
		case i < 0 || !sections[i].sends():
			return refuse(BadRequest, "tracks: no media section %q sends", d.Mid)
		case sections[i].kind != d.Kind:
			return refuse(BadRequest, "tracks: the media section %q is %s", d.Mid, sections[i].kind)
		case !l.peer.grant.allows(d.Kind):
			return refuse(NotAllowed, "%s may not be published", d.Kind)
		}
		if t := l.tracks[d.Mid]; t != nil && t.source != d.Source {
			return refuse(BadRequest, "tracks: the media section %q carries %s; withdraw it first", d.Mid, t.source)
		}
		seen[d.Source] = d.Mid
	}
	if sending != len(declared) {
		return refuse(BadRequest, "tracks: %d media sections send, %d are declared", sending, len(declared))
	}
	return nil
}

// declare makes the published tracks what the client declares now.
func (l *leg) declare(declared []Declared) {
	for mid, t := range l.tracks {
		if !slices.ContainsFunc(declared, func(d Declared) bool { return d.Mid == mid }) {
			delete(l.tracks, mid)
			t.close()
			l.peer.hub.withdraw(l.peer, t)
		}
	}
	for _, d := range declared {
		if t := l.tracks[d.Mid]; t != nil {
			l.peer.hub.mute(l.peer, d.Source, d.Muted)
			continue
		}
		t := newTrack(l.peer.hub.number(), l.peer, l, d)
		l.tracks[d.Mid] = t
		l.peer.hub.publish(l.peer, t)
	}
}

// arrived starts a track: its first packet is here, so its codec is known.
func (l *leg) arrived(remote *webrtc.TrackRemote, r *webrtc.RTPReceiver) {
	tr := r.RTPTransceiver()
	if l.spec.Direction != Publish || tr == nil {
		return
	}
	t := l.tracks[tr.Mid()]
	if t == nil || t.ssrc != 0 {
		return // withdrawn meanwhile, or a second stream of one section
	}
	t.codec, t.ssrc = remote.Codec(), uint32(remote.SSRC())
	for _, e := range r.GetParameters().HeaderExtensions {
		if e.URI == audioLevelURI {
			t.levelID = uint8(e.ID)
		}
	}
	p := l.peer
	p.spawn("read a track", func() { t.read(remote) })
	p.spawn("read reports", func() { t.readRTCP(r) })
	if t.kind == Video {
		p.spawn("keep key frames", func() { t.keepKeyFrames(t.sendPLI) })
	}
	p.hub.goLive(t)
}
