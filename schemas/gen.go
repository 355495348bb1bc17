//go:build ignore

// Gen writes webhook/<kind>.emit.json: one whole schema per kind of event, so
// that a receiver needs one file and follows no reference. What they share is
// here. A test of connectors/webhook compares the kinds with the core's.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
)

// kind is one kind of event, and what its documents have beyond the rest.
type kind struct {
	name, when string
	data       []string // members of data it always has
	meeting    []string // members of the meeting it always has
	ended      bool     // the meeting is over in it
}

func kinds() []kind {
	over := []string{"outcome", "ended_at"}
	return []kind{
		{name: "meeting.created", when: "A meeting exists; nobody is rung yet."},
		{name: "meeting.requested", when: "The visitor asks for somebody; ring.started follows.", meeting: []string{"ring", "requested_at"}},
		{name: "ring.started", when: "A round of the ring began. Not sent when the round is over: a ring is fresh or not sent.", meeting: []string{"ring", "requested_at"}},
		{name: "ring.declined", when: "One agent said no; others may still take it.", data: []string{"decline"}, meeting: []string{"ring", "requested_at"}},
		{name: "meeting.answered", when: "One agent took the meeting, or opened it: nobody was rung then.", data: []string{"participant"}, meeting: []string{"answered_at"}},
		{name: "meeting.missed", when: "Nobody took it in time; meeting.ended follows.", meeting: append(over, "ring", "requested_at"), ended: true},
		{name: "meeting.ended", when: "It is over, for whatever reason: see outcome.", meeting: over, ended: true},
		{name: "participant.invited", when: "A further person was asked in.", data: []string{"participant"}},
		{name: "participant.joined", when: "Somebody entered the room.", data: []string{"participant"}},
		{name: "participant.left", when: "Somebody left the room.", data: []string{"participant"}},
		{name: "message.created", when: "A line or a file in the chat.", data: []string{"message"}},
		{name: "link.dispatched", when: "A link was given to a channel to be sent to somebody; whom is not told.", data: []string{"dispatch"}},
		{name: "note.saved", when: "An agent saved their note; an empty text takes it back.", data: []string{"note"}},
	}
}

const shared = `{
  "time": { "type": "string", "format": "date-time", "pattern": "Z$", "description": "RFC 3339, UTC" },
  "role": { "enum": ["visitor", "agent", "observer", "device"] },
  "texts": { "type": "object", "additionalProperties": { "type": "string" } },
  "participant_id": { "type": "string", "pattern": "^par_" },
  "meeting": {
    "type": "object",
    "description": "The meeting right after the event, in the words of the API",
    "required": ["id", "code", "reference", "seq", "state", "site", "queue", "language", "visitor", "participants", "created_at"],
    "properties": {
      "id": { "type": "string", "pattern": "^mtg_" },
      "code": { "type": "string", "minLength": 1, "description": "of the visitor's address; no secret" },
      "reference": { "type": "string", "minLength": 1, "description": "the word people say: C-7F3K2" },
      "seq": { "type": "integer", "minimum": 1 },
      "state": { "enum": ["planned", "requested", "active", "ended"] },
      "outcome": { "enum": ["completed", "missed", "cancelled", "declined", "expired", "failed"] },
      "ended_by": { "$ref": "#/definitions/role" },
      "reason": { "type": "string" },
      "site": { "type": "object", "properties": { "id": { "type": "string" } } },
      "queue": { "type": "string" },
      "topic": { "type": "string" },
      "language": { "type": "string" },
      "visitor": {
        "type": "object",
        "description": "what they told about themselves",
        "properties": {
          "name": { "type": "string" },
          "email": { "type": "string" },
          "phone": { "type": "string" },
          "external_id": { "type": "string" }
        }
      },
      "fields": { "$ref": "#/definitions/texts" },
      "metadata": { "$ref": "#/definitions/texts" },
      "page": { "type": "object", "properties": { "url": { "type": "string" }, "title": { "type": "string" } } },
      "ring": {
        "type": "object",
        "required": ["round", "rounds", "started_at", "round_ends_at", "until", "declines"],
        "properties": {
          "round": { "type": "integer", "minimum": 1 },
          "rounds": { "type": "integer", "minimum": 1 },
          "started_at": { "$ref": "#/definitions/time" },
          "round_ends_at": { "$ref": "#/definitions/time" },
          "until": { "$ref": "#/definitions/time" },
          "taken_by": { "type": "string", "description": "the agent's name" },
          "declines": { "type": "integer", "minimum": 0 }
        }
      },
      "participants": { "type": "array", "items": { "$ref": "#/definitions/participant" } },
      "created_at": { "$ref": "#/definitions/time" },
      "requested_at": { "$ref": "#/definitions/time" },
      "answered_at": { "$ref": "#/definitions/time" },
      "ended_at": { "$ref": "#/definitions/time" },
      "length_seconds": { "type": "integer", "minimum": 1, "description": "from answer to end, whole seconds" }
    }
  },
  "participant": {
    "type": "object",
    "required": ["id", "role", "here"],
    "properties": {
      "id": { "$ref": "#/definitions/participant_id" },
      "role": { "$ref": "#/definitions/role" },
      "name": { "type": "string" },
      "invited": { "type": "boolean", "description": "a further person who was asked in" },
      "here": { "type": "boolean" },
      "joined_at": { "$ref": "#/definitions/time" },
      "left_at": { "$ref": "#/definitions/time" },
      "reason": { "type": "string", "description": "why they left" }
    }
  },
  "message": {
    "type": "object",
    "required": ["id", "seq", "role", "text", "at"],
    "properties": {
      "id": { "type": "string", "pattern": "^msg_" },
      "seq": { "type": "integer", "minimum": 1, "description": "the order of the chat" },
      "from": { "$ref": "#/definitions/participant_id" },
      "role": { "$ref": "#/definitions/role" },
      "name": { "type": "string" },
      "via": { "type": "string", "description": "the desk it came through" },
      "text": { "type": "string", "description": "may be empty beside a file" },
      "at": { "$ref": "#/definitions/time" },
      "file": {
        "type": "object",
        "required": ["id", "name", "type", "size"],
        "properties": {
          "id": { "type": "string", "pattern": "^fil_" },
          "name": { "type": "string" },
          "type": { "type": "string", "description": "media type, by the file's own bytes" },
          "size": { "type": "integer", "minimum": 0, "description": "bytes" },
          "width": { "type": "integer", "minimum": 1, "description": "pixels" },
          "height": { "type": "integer", "minimum": 1, "description": "pixels" }
        }
      }
    }
  },
  "decline": {
    "type": "object",
    "required": ["name", "at"],
    "properties": {
      "name": { "type": "string", "description": "of the agent" },
      "reason": { "enum": ["busy", "break", "not_mine", "no_camera", "other"] },
      "at": { "$ref": "#/definitions/time" }
    }
  },
  "note": {
    "type": "object",
    "required": ["name", "text", "at"],
    "properties": {
      "name": { "type": "string", "description": "of the agent" },
      "text": { "type": "string", "description": "empty: taken back" },
      "at": { "$ref": "#/definitions/time" }
    }
  },
  "dispatch": {
    "type": "object",
    "required": ["id", "channel"],
    "properties": {
      "id": { "type": "string", "pattern": "^dsp_" },
      "channel": { "enum": ["sms", "mail"] },
      "language": { "enum": ["en", "fr", "it"] }
    }
  }
}`

// ref is a reference to a definition.
func ref(name string) map[string]any { return map[string]any{"$ref": "#/definitions/" + name} }

func (k kind) schema() any {
	needs := map[string]any{}
	if len(k.meeting) > 0 {
		needs["required"] = k.meeting
	}
	if k.ended {
		needs["properties"] = map[string]any{"state": map[string]any{"const": "ended"}}
	}
	meeting := any(ref("meeting"))
	if len(needs) > 0 {
		meeting = map[string]any{"allOf": []any{meeting, needs}}
	}
	data := map[string]any{
		"id":          map[string]any{"type": "string", "pattern": "^evt_", "description": "of the event; the same for every receiver"},
		"seq":         map[string]any{"type": "integer", "minimum": 1, "description": "the meeting's events are numbered from 1 without a gap"},
		"meeting":     meeting,
		"participant": ref("participant_id"),
		"message":     ref("message"),
		"decline":     ref("decline"),
		"note":        ref("note"),
		"dispatch":    ref("dispatch"),
	}
	for _, one := range []string{"message", "decline", "note", "dispatch"} { // of one kind only
		if !slices.Contains(k.data, one) {
			delete(data, one)
		}
	}
	return struct {
		Draft       string          `json:"$schema"`
		Title       string          `json:"title"`
		Description string          `json:"description"`
		Type        string          `json:"type"`
		Required    []string        `json:"required"`
		Properties  any             `json:"properties"`
		Definitions json.RawMessage `json:"definitions"`
	}{
		Draft: "http://json-schema.org/draft-07/schema#", Title: "Webhook event " + k.name,
		Description: k.when + " Members that are not named here may be added: pass over them.", Type: "object",
		Required: []string{"type", "timestamp", "data"},
		Properties: map[string]any{
			"type":      map[string]any{"const": k.name},
			"timestamp": ref("time"),
			"data": map[string]any{
				"type": "object", "required": append([]string{"id", "seq", "meeting"}, k.data...), "properties": data,
			},
		},
		Definitions: json.RawMessage(shared),
	}
}

func main() {
	for _, k := range kinds() {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		err := enc.Encode(k.schema())
		if err == nil {
			err = os.WriteFile("webhook/"+k.name+".emit.json", b.Bytes(), 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
