package media

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// departuresKept bounds how many departures a snapshot remembers.
const departuresKept = 256

// Snapshot is the truth of one moment: who is in which room, what flows, and
// who left lately. Presence is read from here and reconciled; [Hub.Changed] is
// only a nudge.
type Snapshot struct {
	Rooms      []RoomSnapshot
	Departures []Departure // the latest, oldest first
	Draining   bool
	Totals     Totals
}

// RoomSnapshot is one room with at least one participant.
type RoomSnapshot struct {
	ID           RoomID
	Since        time.Time
	Participants []ParticipantSnapshot // in the order in which they came
}

// ParticipantSnapshot is one member of a room.
type ParticipantSnapshot struct {
	ID     ParticipantID
	Role   string
	Since  time.Time // of the first of the peers that took this place in a row
	Away   bool      // reconnecting
	Tracks []TrackSnapshot
}

// TrackSnapshot is one published track.
type TrackSnapshot struct {
	TrackInfo
	Live        bool   // packets have come
	Codec       string // "VP8", …; empty until live
	Packets     uint64 // received
	Bytes       uint64
	KeyFrames   uint64 // asked of the publisher
	Subscribers int
}

// Departure says that a participant left a room, and why. Number counts all
// departures of this hub from 1.
type Departure struct {
	Number      uint64
	Room        RoomID
	Participant ParticipantID
	Reason      Reason
	At          time.Time
}

// Totals count since the hub was opened, but for the first three.
type Totals struct {
	Rooms, Peers, Tracks   int // now
	PacketsIn, BytesIn     uint64
	PacketsOut, BytesOut   uint64
	KeyFramesAsked         uint64 // of publishers
	RetransmissionsAskedBy uint64 // packets that subscribers asked for again
}

// totals are the counters behind Totals.
type totals struct {
	packetsIn, bytesIn, packetsOut, bytesOut, plis, nacks atomic.Uint64
}

func (t *totals) received(packets, bytes uint64) {
	t.packetsIn.Add(packets)
	t.bytesIn.Add(bytes)
}

func (t *totals) sent(packets, bytes uint64) {
	t.packetsOut.Add(packets)
	t.bytesOut.Add(bytes)
}

// Changed has a token after presence changed: somebody came or left, or a track
// was published, muted or withdrawn. Read a snapshot then.
func (h *Hub) Changed() <-chan struct{} { return h.changed }

// Snapshot returns the state of this moment.
func (h *Hub) Snapshot() Snapshot {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Snapshot{
		Departures: slices.Clone(h.departures),
		Draining:   h.draining,
		Totals: Totals{
			Rooms: len(h.rooms), Peers: h.peers,
			PacketsIn: h.totals.packetsIn.Load(), BytesIn: h.totals.bytesIn.Load(),
			PacketsOut: h.totals.packetsOut.Load(), BytesOut: h.totals.bytesOut.Load(),
			KeyFramesAsked: h.totals.plis.Load(), RetransmissionsAskedBy: h.totals.nacks.Load(),
		},
	}
	for id, r := range h.rooms {
		rs := RoomSnapshot{ID: id, Since: r.since}
		for _, p := range r.sorted() {
			ps := ParticipantSnapshot{ID: p.grant.Participant, Role: p.grant.Role, Since: p.since, Away: p.away}
			for _, t := range sortedTracks(p) {
				ps.Tracks = append(ps.Tracks, t.snapshot())
			}
			s.Totals.Tracks += len(ps.Tracks)
			rs.Participants = append(rs.Participants, ps)
		}
		s.Rooms = append(s.Rooms, rs)
	}
	slices.SortFunc(s.Rooms, func(a, b RoomSnapshot) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return s
}

// snapshot describes a track; Hub.mu is held.
func (t *Track) snapshot() TrackSnapshot {
	s := TrackSnapshot{
		TrackInfo: t.info(), Live: t.live,
		Packets: t.packets.Load(), Bytes: t.bytes.Load(), KeyFrames: t.plis.Load(),
		Subscribers: len(*t.subs.Load()),
	}
	if t.live {
		_, s.Codec, _ = strings.Cut(t.codec.MimeType, "/")
	}
	return s
}

// depart remembers a departure; mu is held.
func (h *Hub) depart(d Departure) {
	h.departed++
	d.Number = h.departed
	h.departures = append(h.departures, d)
	if extra := len(h.departures) - departuresKept; extra > 0 {
		h.departures = slices.Delete(h.departures, 0, extra)
	}
}
