package media

import (
	"slices"

	"ringdown/fault"
)

// RoomID names a room.
type RoomID string

// ParticipantID names a participant, unique within a room.
type ParticipantID string

// Grant says who joins which room and what they may publish. The caller of
// [Hub.Join] has checked it; media believes it.
type Grant struct {
	Room         RoomID
	Participant  ParticipantID
	Role         string // a word of the core ("visitor", "agent", …), passed on as it is
	Name         string // the display name the others see; may be empty
	PublishAudio bool
	PublishVideo bool
}

func (g Grant) validate() error {
	if g.Room == "" || g.Participant == "" {
		return fault.New(fault.Invalid, "a grant names a room and a participant")
	}
	return nil
}

func (g Grant) allows(k Kind) bool {
	if k == Audio {
		return g.PublishAudio
	}
	return g.PublishVideo
}

// Kind is the kind of a track.
type Kind string

// The kinds of tracks.
const (
	Audio Kind = "audio"
	Video Kind = "video"
)

// Source says what a track shows; a peer has at most one track per source.
type Source string

// The sources of tracks.
const (
	Microphone  Source = "microphone"
	Camera      Source = "camera"
	Screen      Source = "screen"
	ScreenAudio Source = "screen_audio"
)

// Kind returns the kind a source has, "" for a source that is not one.
func (s Source) Kind() Kind {
	switch s {
	case Microphone, ScreenAudio:
		return Audio
	case Camera, Screen:
		return Video
	default:
		return ""
	}
}

// Reason says why a peer left or was ended.
type Reason string

// The reasons why a peer is gone.
const (
	LeftByChoice  Reason = "left"
	Ended         Reason = "ended"          // the room was closed
	Network       Reason = "network"        // its signalling or its media path is dead
	ServerRestart Reason = "server_restart" // this node stops
	Kicked        Reason = "kicked"
	Duplicate     Reason = "duplicate" // the same participant joined again
	Expired       Reason = "expired"   // its permission ran out
	Overload      Reason = "overload"  // it did not keep up, or sent too much
	Unknown       Reason = "unknown"   // a fault of ours
)

// Participant is one member of a room as the others see it.
type Participant struct {
	ID      ParticipantID
	Role    string
	Name    string
	Away    bool // reconnecting; the place is kept
	Quality Quality
	Tracks  []TrackInfo
}

// ResumeID lets a new connection of a participant take over the peer of the old
// one, with its legs. It is a secret of 130 random bits, as good as the grant of
// that peer and for as long as the peer lives.
type ResumeID string

// Quality is what a client says of its own connection. The zero value: it has
// not said anything.
type Quality struct {
	Word string // "good", "fair" or "weak"
	Side string // the direction that is the worse one: "upload" or "download"
}

func (q Quality) valid() bool {
	return slices.Contains([]string{"good", "fair", "weak"}, q.Word) && slices.Contains([]string{"upload", "download"}, q.Side)
}

// TrackInfo is one published track as the others see it.
type TrackInfo struct {
	Source Source
	Kind   Kind
	Muted  bool // it is published, but its owner sends nothing now
}
