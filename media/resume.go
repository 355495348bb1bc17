package media

import "time"

// nobody is the sink of a peer whose connection is gone.
type nobody struct{}

func (nobody) Tell(Event) {}

// Resumable tells whose peer the word belongs to, if there still is one.
func (h *Hub) Resumable(id ResumeID) (Grant, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.resumable[id]
	if p == nil {
		return Grant{}, false
	}
	return p.grant, true
}

// Resume lets a new connection take over the peer of an older one, with its legs
// and its tracks: the others notice nothing, or that somebody is back. The older
// sink, if there still is one, is ended with [Duplicate]. The new sink's first
// event is a [Welcome] that says Resumed. The word of the older welcome is the
// permission; nil: there is nothing to take over, and [Hub.Join] is the way.
func (h *Hub) Resume(id ResumeID, sink Sink) *Peer {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.resumable[id]
	if p == nil || h.draining {
		return nil
	}
	select {
	case <-p.stop:
		return nil
	default:
	}
	older := p.next
	p.next = sink
	p.notice(func() {
		if older != nil {
			older.Tell(Bye{Reason: Duplicate})
		}
		p.attach()
	})
	return p
}

// Detach says that the connection behind a sink is gone. The peer keeps its
// place and its media for a while; see [Hub.Resume]. A sink that was replaced
// meanwhile changes nothing.
func (p *Peer) Detach(s Sink) {
	p.notice(func() {
		if p.sink == s {
			p.sink, p.detached = nobody{}, true
			p.weigh()
		}
	})
}

// attach gives the peer to the connection that waits for it.
func (p *Peer) attach() {
	p.hub.mu.Lock()
	next := p.next
	p.next = nil
	var w Welcome
	if r := p.hub.rooms[p.grant.Room]; r != nil {
		w = p.hub.welcome(p, r)
	}
	p.hub.mu.Unlock()
	if next == nil {
		return
	}
	p.sink.Tell(Bye{Reason: Duplicate})
	p.sink, p.detached = next, false
	w.Resumed = true
	p.sink.Tell(w)
	for _, l := range p.legs {
		l.repeat()
	}
	p.weigh()
}

// weigh decides whether the peer is away: its connection is gone, or the path of
// a leg is dead. Who is away for too long is ended.
func (p *Peer) weigh() {
	away := p.detached
	for _, l := range p.legs {
		away = away || l.dead
	}
	switch {
	case away && p.gone == nil:
		p.gone = time.AfterFunc(p.hub.cfg.Reconnect, func() { p.End(Network) })
	case !away && p.gone != nil:
		p.gone.Stop()
		p.gone = nil
	default:
		return
	}
	p.hub.away(p, away)
}

// away shows that a peer is reconnecting, or back.
func (h *Hub) away(p *Peer, away bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.member(p) || p.away == away {
		return
	}
	p.away = away
	h.tellOthers(p, Away{Participant: p.grant.Participant, Away: away})
}

// report shows how a client finds its connection.
func (h *Hub) report(p *Peer, q Quality) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.member(p) || p.quality == q {
		return
	}
	p.quality = q
	h.tellOthers(p, QualityChanged{Participant: p.grant.Participant, Quality: q})
}
