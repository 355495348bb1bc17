package signal

import (
	"github.com/pion/webrtc/v4"

	"ringdown/media"
)

// ICEServer is one entry of ice_servers, as browsers take it.
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username,omitempty"`
	Credential string   `json:"credential,omitempty"`
}

// Messages of the server.
type (
	welcome struct {
		Type         string              `json:"type"`
		Version      int                 `json:"version"`
		Room         media.RoomID        `json:"room"`
		Me           media.ParticipantID `json:"me"`
		ICEServers   []ICEServer         `json:"ice_servers"`
		Participants []participant       `json:"participants"`
		Limits       limits              `json:"limits"`
		PingMS       int64               `json:"ping_ms"`
		Resume       media.ResumeID      `json:"resume"`
		Resumed      bool                `json:"resumed"`
	}
	limits struct {
		Tracks       int `json:"tracks"`
		VideoBitrate int `json:"video_bitrate"`
	}
	participant struct {
		ID      media.ParticipantID `json:"id"`
		Role    string              `json:"role"`
		Name    string              `json:"name"`
		Away    bool                `json:"away,omitempty"`
		Quality *quality            `json:"quality,omitempty"`
		Tracks  []track             `json:"tracks"`
	}
	track struct {
		Source media.Source `json:"source"`
		Kind   media.Kind   `json:"kind"`
		Muted  bool         `json:"muted"`
	}
	offerOrAnswer struct {
		Type   string         `json:"type"`
		Leg    media.LegID    `json:"leg"`
		ID     int            `json:"id"`
		SDP    string         `json:"sdp"`
		Tracks []offeredTrack `json:"tracks,omitempty"`
	}
	offeredTrack struct {
		Mid         string              `json:"mid"`
		Participant media.ParticipantID `json:"participant"`
		track
	}
	foundCandidate struct {
		Type      string                   `json:"type"`
		Leg       media.LegID              `json:"leg"`
		Candidate *webrtc.ICECandidateInit `json:"candidate"`
	}
	joinedOther struct {
		Type        string      `json:"type"`
		Participant participant `json:"participant"`
	}
	leftOther struct {
		Type        string              `json:"type"`
		Participant media.ParticipantID `json:"participant"`
		Reason      media.Reason        `json:"reason"`
	}
	awayOther struct {
		Type        string              `json:"type"`
		Participant media.ParticipantID `json:"participant"`
		Away        bool                `json:"away"`
	}
	qualityOther struct {
		Type        string              `json:"type"`
		Participant media.ParticipantID `json:"participant"`
		quality
	}
	speakers struct {
		Type   string                      `json:"type"`
		Active media.ParticipantID         `json:"active"`
		Levels map[media.ParticipantID]int `json:"levels"`
	}
	trackOther struct {
		Type        string              `json:"type"`
		Participant media.ParticipantID `json:"participant"`
		track
	}
	untrackOther struct {
		Type        string              `json:"type"`
		Participant media.ParticipantID `json:"participant"`
		Source      media.Source        `json:"source"`
	}
	ping struct {
		Type string `json:"type"`
		At   int64  `json:"at"`
	}
	bye struct {
		Type   string       `json:"type"`
		Reason media.Reason `json:"reason"`
	}
	failure struct {
		Type   string `json:"type"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
		Fatal  bool   `json:"fatal"`
	}
)

func errorMessage(err error, fatal bool) failure {
	p := asProblem(err)
	return failure{Type: "error", Code: p.code, Detail: p.detail, Fatal: fatal}
}

func welcomeMessage(e media.Welcome, cfg Config) welcome {
	m := welcome{
		Type: "welcome", Version: version, Room: e.Grant.Room, Me: e.Grant.Participant,
		ICEServers: []ICEServer{}, Participants: []participant{},
		Limits: limits{Tracks: e.Limits.Tracks, VideoBitrate: e.Limits.VideoBitrateBPS},
		PingMS: cfg.Ping.Milliseconds(), Resume: e.Resume, Resumed: e.Resumed,
	}
	if cfg.ICEServers != nil {
		m.ICEServers = append(m.ICEServers, cfg.ICEServers(e.Grant)...)
	}
	for _, p := range e.Present {
		m.Participants = append(m.Participants, participantMessage(p))
	}
	return m
}

func participantMessage(p media.Participant) participant {
	m := participant{ID: p.ID, Role: p.Role, Name: p.Name, Away: p.Away, Tracks: []track{}}
	if p.Quality != (media.Quality{}) {
		m.Quality = &quality{p.Quality.Word, p.Quality.Side}
	}
	for _, t := range p.Tracks {
		m.Tracks = append(m.Tracks, track(t))
	}
	return m
}

func offeredTracks(list []media.OfferedTrack) []offeredTrack {
	var out []offeredTrack
	for _, t := range list {
		out = append(out, offeredTrack{Mid: t.Mid, Participant: t.Participant, track: track(t.Track)})
	}
	return out
}

// eventMessage returns what a client is told of an event, nil for nothing.
func eventMessage(e media.Event) any {
	switch e := e.(type) {
	case media.Joined:
		return joinedOther{Type: "joined", Participant: participantMessage(e.Participant)}
	case media.Left:
		return leftOther{Type: "left", Participant: e.Participant, Reason: e.Reason}
	case media.Away:
		return awayOther{Type: "away", Participant: e.Participant, Away: e.Away}
	case media.QualityChanged:
		return qualityOther{Type: "quality", Participant: e.Participant, quality: quality(e.Quality)}
	case media.Speakers:
		return speakers{Type: "speakers", Active: e.Active, Levels: e.Levels}
	case media.TrackChanged:
		return trackOther{Type: "track", Participant: e.Participant, track: track(e.Track)}
	case media.TrackGone:
		return untrackOther{Type: "untrack", Participant: e.Participant, Source: e.Source}
	case media.OfferMade:
		return offerOrAnswer{Type: "offer", Leg: e.Leg, ID: e.ID, SDP: e.SDP, Tracks: offeredTracks(e.Tracks)}
	case media.AnswerMade:
		return offerOrAnswer{Type: "answer", Leg: e.Leg, ID: e.ID, SDP: e.SDP, Tracks: offeredTracks(e.Tracks)}
	case media.CandidateFound:
		return foundCandidate{Type: "candidate", Leg: e.Leg, Candidate: e.Candidate}
	case media.Refused:
		return errorMessage(&problem{string(e.Code), e.Detail}, false)
	default:
		return nil
	}
}
