package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"ringdown/httpd"
	"ringdown/meeting"
)

type wireNote struct {
	Name string    `json:"name"`
	Text string    `json:"text"`
	At   time.Time `json:"at"`
	Mine bool      `json:"mine"`
}

func note(n meeting.Note, me meeting.AgentKey) wireNote {
	return wireNote{Name: n.Name, Text: n.Text, At: n.At, Mine: me != "" && n.Author == me}
}

// notesFor returns the notes as the caller sees them: an agent who is a member,
// or the holder of an API key. The route or the stream keeps visitors out.
func (a *API) notesFor(ctx context.Context, id meeting.ID, p httpd.Principal) ([]wireNote, error) {
	ns, err := a.meetings.Notes(ctx, id)
	if err != nil {
		return nil, err
	}
	me := meeting.AgentKey("")
	if p.Kind == httpd.KindSession {
		me = meeting.AgentKey(p.ID)
	}
	out := make([]wireNote, len(ns))
	for i, n := range ns {
		out[i] = note(n, me)
	}
	return out, nil
}

func (a *API) listNotes(c *gin.Context) error {
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	var id meeting.ParticipantID
	if p.Kind == httpd.KindSession {
		if id, err = member(m, p); err != nil {
			return err
		}
	}
	return a.answerNotes(c, m, id, p)
}

func (a *API) saveNote(c *gin.Context) error {
	var in struct {
		Text *string `json:"text"`
	}
	if err := httpd.DecodeJSON(c.Request, &in); err != nil {
		return err
	}
	var checks httpd.Checks
	checks.Unless(in.Text != nil, "/text", "must be there; empty takes the note back")
	checks.Unless(in.Text == nil || len(*in.Text) <= meeting.NoteLimit, "/text", "must be at most %d bytes", meeting.NoteLimit)
	if err := checks.Err(); err != nil {
		return err
	}
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	id, err := member(m, p)
	if err != nil {
		return err
	}
	me, _ := m.Participant(id)
	n := meeting.Note{Author: me.Agent, Name: me.Name, Text: *in.Text}
	if err := a.meetings.SaveNote(c.Request.Context(), m.ID, n); err != nil {
		return err
	}
	return a.answerNotes(c, m, id, p)
}

// answerNotes answers with the notes as the caller sees them; id is theirs, ""
// for an API key.
func (a *API) answerNotes(c *gin.Context, m meeting.Meeting, id meeting.ParticipantID, p httpd.Principal) error {
	notes, err := a.notesFor(c.Request.Context(), m.ID, p)
	if err != nil {
		return err
	}
	if m.Left(id) { // what the others wrote since is not theirs to read
		notes = slices.DeleteFunc(notes, func(n wireNote) bool { return !n.Mine })
	}
	c.JSON(http.StatusOK, gin.H{"notes": notes})
	return nil
}

// tellNotes sends the notes to an agent who is a member: at once and whenever
// they have changed. A visitor is sent none, whatever the stream knows.
func (s *stream) tellNotes(ctx context.Context, m meeting.Meeting) bool {
	if meeting.Role(s.who.Role) != meeting.AgentR || s.notes != nil && s.notesAt == m.Seq {
		return true
	}
	notes, err := s.api.notesFor(ctx, m.ID, s.who)
	if err != nil {
		return false
	}
	b, err := json.Marshal(notes)
	if err != nil {
		return false
	}
	if !bytes.Equal(b, s.notes) && s.send(ctx, gin.H{"type": "notes", "notes": json.RawMessage(b)}) != nil {
		return false
	}
	s.notes, s.notesAt = b, m.Seq
	return true
}
