// Package media is the embedded SFU: a [Hub] holds rooms, a room holds peers, a
// [Peer] owns legs (one PeerConnection each) on which it publishes tracks or
// subscribes to the tracks of the others. Packets go from the reader of a
// published track straight to its subscriptions.
//
// It knows rooms and already authorised grants. It refuses to know meetings,
// tokens, HTTP, metrics and storage: who may join is decided by the caller of
// [Hub.Join], what a peer is told goes to the [Sink] the caller hands in, and
// everybody else reads [Hub.Snapshot].
//
// # Goroutines
//
// [Open] starts the readers of the sockets. Each peer has one loop, which alone
// touches its legs and owns their negotiation; each published track has one
// reader of packets, one of RTCP and, for video, one keeper of key frames; each
// subscription has one reader of RTCP. A panic in any of them, or in a callback
// of ours, ends the peer it belongs to and nobody else. [Hub.Close] ends and
// waits for all of them.
//
// # Locks
//
// Hub.mu guards rooms, their members and what the members publish. It is held
// for moments only: never while calling pion, a socket or a sink. Track.mu
// guards the list of subscriptions of one track and is taken last.
//
// # Queues
//
// What a client asks (offers, answers) blocks its sender: 16 places. What a
// peer is told (presence, candidates, states) has 512 places, and a peer that
// lets them fill is cut with [Overload]. Packets are never queued by us: a
// subscriber that cannot take one loses it.
package media
