package media

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"ringdown/fault"
)

// Hub holds all rooms of this node.
type Hub struct {
	cfg    Config
	log    *slog.Logger
	now    func() time.Time
	engine *engine
	totals totals

	answerWithin time.Duration // how long an offer of ours waits

	changed chan struct{} // one slot

	mu         sync.Mutex // guards what follows
	rooms      map[RoomID]*room
	resumable  map[ResumeID]*Peer // all members of all rooms
	peers      int                // of all rooms
	last       uint64
	draining   bool
	departures []Departure
	departed   uint64
	running    sync.WaitGroup // loops of peers; added to under mu while not draining
}

type room struct {
	since   time.Time
	members map[ParticipantID]*Peer
	voices  voices
}

// Open opens the sockets and starts to listen; Close ends it.
func Open(cfg Config, log *slog.Logger, now func() time.Time) (*Hub, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	// Two legs for each peer, and as many on their way in or out.
	s, err := openSockets(cfg, 4*cfg.MaxPeers, log)
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	e, err := newEngine(s, log, now)
	if err != nil {
		return nil, fmt.Errorf("media: %w", err)
	}
	return &Hub{
		cfg: cfg, log: log, now: now, engine: e, answerWithin: answerWithin,
		changed: make(chan struct{}, 1), rooms: map[RoomID]*room{}, resumable: map[ResumeID]*Peer{},
	}, nil
}

// Addresses lists what clients are told to send to, for the start banner.
func (h *Hub) Addresses() []netip.AddrPort { return h.engine.sockets.addresses() }

// Join lets a participant into a room with the legs named. An older peer of the
// same participant in that room is ended with [Duplicate]; the others see its
// tracks go, but not the person. Errors: fault.MeetingFull for a full room,
// fault.TooMany for a full node, fault.Unavailable while draining.
func (h *Hub) Join(ctx context.Context, g Grant, sink Sink, legs ...LegSpec) (*Peer, error) {
	if err := errors.Join(ctx.Err(), g.validate()); err != nil {
		return nil, err
	}
	p := &Peer{
		hub: h, grant: g, sink: sink, resume: ResumeID(rand.Text()),
		log:      h.log.With("room", g.Room),
		requests: make(chan func(), requestQueue), notices: make(chan func(), noticeQueue),
		outdated: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
		tracks: map[Source]*Track{},
	}
	for _, spec := range legs {
		p.legs = append(p.legs, newLeg(p, spec))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	r, older, err := h.admit(g)
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = &room{since: h.now(), members: map[ParticipantID]*Peer{}}
		h.rooms[g.Room] = r
	}
	h.last++
	p.number, p.since = h.last, h.now()
	if older != nil {
		p.since = older.since
		h.takeOut(r, older, nil)
	}
	for _, other := range r.sorted() {
		if older == nil {
			other.tell(Joined{p.participant()})
		}
	}
	welcome := h.welcome(p, r)
	if older != nil {
		older.End(Duplicate)
	}
	r.members[g.Participant] = p
	h.resumable[p.resume] = p
	h.peers++
	h.running.Go(func() { p.run(welcome) })
	poke(h.changed)
	return p, nil
}

// welcome is the first event of a connection; mu is held.
func (h *Hub) welcome(p *Peer, r *room) Welcome {
	w := Welcome{Grant: p.grant, Resume: p.resume, Limits: Limits{Tracks: h.cfg.MaxTracks, VideoBitrateBPS: h.cfg.VideoBitrateBPS}}
	for _, other := range r.sorted() {
		if other != p {
			w.Present = append(w.Present, other.participant())
		}
	}
	return w
}

// admit decides whether there is room; mu is held.
func (h *Hub) admit(g Grant) (r *room, older *Peer, err error) {
	if h.draining {
		return nil, nil, fault.New(fault.Unavailable, "this node is stopping; join again")
	}
	if r = h.rooms[g.Room]; r != nil {
		if older = r.members[g.Participant]; older != nil {
			return r, older, nil
		}
		if n := len(r.members); n >= h.cfg.MaxPeersPerRoom {
			return nil, nil, fault.New(fault.MeetingFull, "%d of %d places are taken", n, h.cfg.MaxPeersPerRoom)
		}
	}
	if h.peers >= h.cfg.MaxPeers || (r == nil && len(h.rooms) >= h.cfg.MaxRooms) {
		return nil, nil, fault.New(fault.TooMany, "this node carries no more calls")
	}
	return r, nil, nil
}

// takeOut takes a member out of its room and tells the others; mu is held. A
// nil departure means that the person stays (another peer takes the place), so
// that only the tracks go.
func (h *Hub) takeOut(r *room, p *Peer, gone *Departure) {
	delete(r.members, p.grant.Participant)
	delete(h.resumable, p.resume)
	h.peers--
	for _, other := range r.members {
		if gone != nil {
			other.tell(Left{Participant: p.grant.Participant, Reason: gone.Reason})
		} else {
			for _, t := range sortedTracks(p) {
				other.tell(TrackGone{Participant: p.grant.Participant, Source: t.source})
			}
			if p.away {
				other.tell(Away{Participant: p.grant.Participant})
			}
		}
		poke(other.outdated)
	}
	clear(p.tracks)
	r.listen(h.now())
	if gone != nil {
		h.depart(*gone)
	}
	poke(h.changed)
}

// remove takes an ended peer out, unless another has its place already. It
// returns the sink of a connection that wanted to take the peer over, or nil.
func (h *Hub) remove(p *Peer) Sink {
	h.mu.Lock()
	defer h.mu.Unlock()
	late := p.next
	p.next = nil
	r := h.rooms[p.grant.Room]
	if r == nil || r.members[p.grant.Participant] != p {
		return late
	}
	h.takeOut(r, p, &Departure{Room: p.grant.Room, Participant: p.grant.Participant, Reason: p.reason, At: h.now()})
	if len(r.members) == 0 {
		delete(h.rooms, p.grant.Room)
	}
	return late
}

func (h *Hub) number() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last++
	return h.last
}

// member tells whether the peer is still in its room; mu is held.
func (h *Hub) member(p *Peer) bool {
	r := h.rooms[p.grant.Room]
	return r != nil && r.members[p.grant.Participant] == p
}

// tellOthers tells everybody else in the peer's room; mu is held.
func (h *Hub) tellOthers(p *Peer, e Event) {
	for _, other := range h.rooms[p.grant.Room].members {
		if other != p {
			other.tell(e)
		}
	}
	poke(h.changed)
}

// publish shows a new track to the others.
func (h *Hub) publish(p *Peer, t *Track) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.member(p) {
		return
	}
	p.tracks[t.source] = t
	h.tellOthers(p, TrackChanged{Participant: p.grant.Participant, Track: t.info()})
}

// withdraw takes a track away again.
func (h *Hub) withdraw(p *Peer, t *Track) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.member(p) || p.tracks[t.source] != t {
		return
	}
	delete(p.tracks, t.source)
	h.tellOthers(p, TrackGone{Participant: p.grant.Participant, Source: t.source})
	h.rooms[p.grant.Room].listen(h.now())
	h.outdateOthers(p)
}

// goLive lets the others subscribe to a track.
func (h *Hub) goLive(t *Track) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.member(t.owner) {
		t.live = true
		h.outdateOthers(t.owner)
	}
}

func (h *Hub) outdateOthers(p *Peer) {
	for _, other := range h.rooms[p.grant.Room].members {
		if other != p {
			poke(other.outdated)
		}
	}
}

// mute sets the state of a track; false if it is not published.
func (h *Hub) mute(p *Peer, s Source, muted bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := p.tracks[s]
	if t == nil || !h.member(p) {
		return false
	}
	if t.muted != muted {
		t.muted = muted
		h.rooms[p.grant.Room].listen(h.now())
		h.tellOthers(p, TrackChanged{Participant: p.grant.Participant, Track: t.info()})
	}
	return true
}

func (h *Hub) infoOf(t *Track) TrackInfo {
	h.mu.Lock()
	defer h.mu.Unlock()
	return t.info()
}

// others lists the live tracks of everybody else in the room, in a stable order.
func (h *Hub) others(p *Peer) []*Track {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.member(p) {
		return nil
	}
	var out []*Track
	for _, other := range h.rooms[p.grant.Room].sorted() {
		if other == p {
			continue
		}
		for _, t := range sortedTracks(other) {
			if t.live {
				out = append(out, t)
			}
		}
	}
	return out
}

// sorted lists the members in the order in which they came; mu is held.
func (r *room) sorted() []*Peer {
	out := make([]*Peer, 0, len(r.members))
	for _, p := range r.members {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *Peer) int { return cmp.Compare(a.number, b.number) })
	return out
}

// sortedTracks lists the tracks of a peer in the order in which they came; mu
// is held.
func sortedTracks(p *Peer) []*Track {
	out := make([]*Track, 0, len(p.tracks))
	for _, t := range p.tracks {
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b *Track) int { return cmp.Compare(a.number, b.number) })
	return out
}

// participant describes a peer to the others; mu is held.
func (p *Peer) participant() Participant {
	out := Participant{ID: p.grant.Participant, Role: p.grant.Role, Name: p.grant.Name, Away: p.away, Quality: p.quality}
	for _, t := range sortedTracks(p) {
		out.Tracks = append(out.Tracks, t.info())
	}
	return out
}

// CloseRoom ends everybody in a room.
func (h *Hub) CloseRoom(id RoomID, reason Reason) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.rooms[id]; r != nil {
		for _, p := range r.members {
			p.End(reason)
		}
	}
}

// Kick ends one participant's peer; false if there is none.
func (h *Hub) Kick(id RoomID, participant ParticipantID, reason Reason) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.rooms[id]; r != nil {
		if p := r.members[participant]; p != nil {
			p.End(reason)
			return true
		}
	}
	return false
}

// Drain refuses new joins from now on; calls go on.
func (h *Hub) Drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

// Close ends all peers with [ServerRestart], waits for them until ctx ends, and
// closes the sockets.
func (h *Hub) Close(ctx context.Context) error {
	h.Drain()
	h.mu.Lock()
	for _, r := range h.rooms {
		for _, p := range r.members {
			p.End(ServerRestart)
		}
	}
	h.mu.Unlock()
	defer h.engine.close()
	ended := make(chan struct{})
	go func() {
		h.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("media: peers still closing: %w", ctx.Err())
	}
}
