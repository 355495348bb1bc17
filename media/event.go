package media

import "github.com/pion/webrtc/v4"

// Sink takes what the hub tells one peer. Tell is called by the peer's loop
// only, one call at a time, in order; the first event is [Welcome] and the last
// is [Bye]. Tell must not block: a sink with a queue that is full ends its peer.
type Sink interface {
	Tell(Event)
}

// Event is one of the types below.
type Event interface{ event() }

// Welcome is the first event: the peer is in the room.
type Welcome struct {
	Grant   Grant
	Present []Participant // the others, in the order in which they came
	Limits  Limits
	Resume  ResumeID // what a new connection names to take this peer over
	Resumed bool     // this connection has taken over a peer and its legs
}

// Limits tells a client what it may send.
type Limits struct {
	Tracks          int
	VideoBitrateBPS int
}

// Joined says that somebody else came.
type Joined struct{ Participant Participant }

// Left says that somebody else is gone, with all of their tracks.
type Left struct {
	Participant ParticipantID
	Reason      Reason
}

// Away says that somebody else is reconnecting, or is back. Their place and
// their tracks are kept meanwhile.
type Away struct {
	Participant ParticipantID
	Away        bool
}

// QualityChanged says how somebody else's connection is, by their own word.
type QualityChanged struct {
	Participant ParticipantID
	Quality     Quality
}

// Speakers says who speaks.
type Speakers struct {
	Active ParticipantID         // the loudest voice; empty: nobody speaks
	Levels map[ParticipantID]int // of every microphone that is on, 0 (silence) to 127
}

// TrackChanged says that somebody else publishes a track, or muted or unmuted it.
type TrackChanged struct {
	Participant ParticipantID
	Track       TrackInfo
}

// TrackGone says that somebody else withdrew a track.
type TrackGone struct {
	Participant ParticipantID
	Source      Source
}

// OfferMade carries an offer of ours; [Peer.Answer] with the same leg and ID is
// awaited. Candidates of a leg are told after its first description only.
type OfferMade struct {
	Leg    LegID
	ID     int
	SDP    string
	Tracks []OfferedTrack // the live media sections of a subscribe leg
}

// OfferedTrack says whose track a media section of an offer of ours carries.
type OfferedTrack struct {
	Mid         string
	Participant ParticipantID
	Track       TrackInfo
}

// AnswerMade answers the offer that [Peer.Offer] brought.
type AnswerMade struct {
	Leg    LegID
	ID     int
	SDP    string
	Tracks []OfferedTrack // the live media sections of a subscribe leg
}

// CandidateFound carries a candidate of ours; nil says that there are no more.
type CandidateFound struct {
	Leg       LegID
	Candidate *webrtc.ICECandidateInit
}

// Refused says that a request of the client could not be done; the peer goes on.
type Refused struct {
	Code   RefusalCode
	Detail string // one sentence for the client
}

// RefusalCode is a stable word for why a request was refused.
type RefusalCode string

// Why a request was refused.
const (
	BadRequest    RefusalCode = "bad_message"
	BadSDP        RefusalCode = "bad_sdp"
	BadCandidate  RefusalCode = "bad_candidate"
	NotAllowed    RefusalCode = "not_allowed"
	TooManyTracks RefusalCode = "too_many_tracks"
	OutOfOrder    RefusalCode = "out_of_order"
)

// Bye is the last event: the peer is out of the room.
type Bye struct{ Reason Reason }

func (Welcome) event()        {}
func (Joined) event()         {}
func (Left) event()           {}
func (Away) event()           {}
func (QualityChanged) event() {}
func (Speakers) event()       {}
func (TrackChanged) event()   {}
func (TrackGone) event()      {}
func (OfferMade) event()      {}
func (AnswerMade) event()     {}
func (CandidateFound) event() {}
func (Refused) event()        {}
func (Bye) event()            {}
