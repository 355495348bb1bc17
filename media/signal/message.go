package signal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pion/webrtc/v4"

	"ringdown/media"
)

// Codes of errors, docs/protocol.md "Life and death". Those of media's refusals
// come from there.
const (
	codeBadMessage  = "bad_message"
	codeUnknownType = "unknown_type"
	codeOutOfOrder  = "out_of_order"
	codeFlood       = "flood"
	codeInternal    = "internal"
	codeNoVersion   = "no_common_version"
	codeBadToken    = "bad_token"
	codeRoomFull    = "room_full"
	codeServerFull  = "server_full"
	codeDraining    = "draining"
	codeGone        = "gone"
)

// problem is an error that a client is told of.
type problem struct{ code, detail string }

func (p *problem) Error() string { return p.code + ": " + p.detail }

func bad(format string, args ...any) error {
	return &problem{codeBadMessage, fmt.Sprintf(format, args...)}
}

// Messages of clients.
type (
	hello struct {
		Versions []int          `json:"versions"`
		Token    *string        `json:"token"`  // to join
		Resume   media.ResumeID `json:"resume"` // of an earlier welcome, instead of a token
	}
	// description is an offer or an answer.
	description struct {
		Type   string      `json:"type"`
		Leg    media.LegID `json:"leg"`
		ID     *int        `json:"id"`
		SDP    *string     `json:"sdp"`
		Tracks []declared  `json:"tracks"`
	}
	declared struct {
		Mid    *string      `json:"mid"`
		Kind   media.Kind   `json:"kind"`
		Source media.Source `json:"source"`
		Muted  bool         `json:"muted"`
	}
	candidate struct {
		Leg       media.LegID              `json:"leg"`
		Candidate *webrtc.ICECandidateInit `json:"candidate"` // nil: no more
	}
	trackState struct {
		Source media.Source `json:"source"`
		Muted  *bool        `json:"muted"`
	}
	pong struct {
		At *int64 `json:"at"`
	}
	leave   struct{}
	restart struct {
		Leg media.LegID `json:"leg"`
	}
	quality struct {
		Word string `json:"word"`
		Side string `json:"side"`
	}
)

func (d *description) declared() []media.Declared {
	var out []media.Declared
	for _, t := range d.Tracks {
		out = append(out, media.Declared{Mid: *t.Mid, Kind: t.Kind, Source: t.Source, Muted: t.Muted})
	}
	return out
}

// decode reads one message of a client. Its errors are problems to tell it.
func decode(data []byte, text bool) (any, error) {
	if !text {
		return nil, bad("messages are text, not binary")
	}
	if !utf8.Valid(data) {
		return nil, bad("the message is not valid UTF-8")
	}
	if first := bytes.TrimLeft(data, " \t\r\n"); len(first) == 0 || first[0] != '{' {
		return nil, bad("the message is not a JSON object")
	}
	var head struct {
		Type *string `json:"type"`
	}
	if err := unmarshal(data, &head); err != nil {
		return nil, err
	}
	if head.Type == nil {
		return nil, bad("type: missing")
	}
	switch *head.Type {
	case "hello":
		return decodeInto(data, &hello{}, (*hello).check)
	case "offer", "answer":
		return decodeInto(data, &description{}, (*description).check)
	case "candidate":
		return decodeCandidate(data)
	case "track":
		return decodeInto(data, &trackState{}, (*trackState).check)
	case "restart":
		return decodeInto(data, &restart{}, (*restart).check)
	case "quality":
		return decodeInto(data, &quality{}, (*quality).check)
	case "pong":
		return decodeInto(data, &pong{}, (*pong).check)
	case "leave":
		return &leave{}, nil
	default:
		return nil, &problem{codeUnknownType, "the type is not known"}
	}
}

func decodeInto[T any](data []byte, m *T, check func(*T) error) (any, error) {
	if err := unmarshal(data, m); err != nil {
		return nil, err
	}
	if err := check(m); err != nil {
		return nil, err
	}
	return m, nil
}

func unmarshal(data []byte, m any) error {
	err := json.Unmarshal(data, m)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return bad("%s: %s is of the wrong type", wrong.Field, wrong.Value)
	default:
		return bad("the message is not readable as JSON")
	}
}

// missing names the first of the fields that is absent.
func missing(fields ...field) error {
	for _, f := range fields {
		if f.absent {
			return bad("%s: missing", f.name)
		}
	}
	return nil
}

type field struct {
	name   string
	absent bool
}

func (h *hello) check() error {
	return missing(field{"versions", len(h.Versions) == 0}, field{"token", h.Token == nil && h.Resume == ""})
}

func (d *description) check() error {
	if err := missing(field{"leg", d.Leg == ""}, field{"id", d.ID == nil}, field{"sdp", d.SDP == nil}); err != nil {
		return err
	}
	if *d.ID < 1 {
		return bad("id: counts from 1")
	}
	for i, t := range d.Tracks {
		at := fmt.Sprintf("tracks[%d].", i)
		err := missing(field{at + "mid", t.Mid == nil}, field{at + "kind", t.Kind == ""}, field{at + "source", t.Source == ""})
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *trackState) check() error {
	return missing(field{"source", t.Source == ""}, field{"muted", t.Muted == nil})
}

func (r *restart) check() error { return missing(field{"leg", r.Leg == ""}) }

func (q *quality) check() error {
	return missing(field{"word", q.Word == ""}, field{"side", q.Side == ""})
}

func (p *pong) check() error { return missing(field{"at", p.At == nil}) }

// decodeCandidate tells a candidate of null from none at all.
func decodeCandidate(data []byte) (any, error) {
	var raw struct {
		Leg       media.LegID     `json:"leg"`
		Candidate json.RawMessage `json:"candidate"`
	}
	if err := unmarshal(data, &raw); err != nil {
		return nil, err
	}
	if err := missing(field{"leg", raw.Leg == ""}, field{"candidate", raw.Candidate == nil}); err != nil {
		return nil, err
	}
	m := &candidate{Leg: raw.Leg}
	if string(raw.Candidate) == "null" {
		return m, nil
	}
	if !strings.HasPrefix(string(raw.Candidate), "{") {
		return nil, bad("candidate: is neither an object nor null")
	}
	m.Candidate = &webrtc.ICECandidateInit{}
	if err := json.Unmarshal(raw.Candidate, m.Candidate); err != nil {
		return nil, bad("candidate: a member is of the wrong type")
	}
	return m, nil
}
