package xcally

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"ringdown/fault"
)

// The REST calls integrators use around a conversation, with Motion's names.
// They ask for a key when any account does; the inbox page is let through by
// being on our own origin.

func (s *Server) listInteractions(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	account, err := number(q.Get("OpenchannelAccountId"), 0)
	if err != nil {
		return fault.NewInvalid("OpenchannelAccountId", "want a number")
	}
	var created struct {
		From time.Time `json:"$gte"`
		To   time.Time `json:"$lte"`
	}
	if c := q.Get("createdAt"); c != "" && json.Unmarshal([]byte(c), &created) != nil {
		return fault.NewInvalid("createdAt", `want {"$gte":…,"$lte":…} in ISO 8601`)
	}
	limit, err1 := number(q.Get("limit"), 100)
	offset, err2 := number(q.Get("offset"), 0)
	if err1 != nil || err2 != nil || limit < 0 || offset < 0 {
		return fault.New(fault.Invalid, "limit and offset must be numbers from 0")
	}
	all := s.state.list(func(i Interaction) bool {
		return (account == 0 || i.AccountID == account) && !i.CreatedAt.Before(created.From) &&
			(created.To.IsZero() || !i.CreatedAt.After(created.To))
	})
	rows := all[min(offset, len(all)):]
	rows = rows[:min(limit, len(rows))]
	return writeJSON(w, http.StatusOK, map[string]any{"count": len(all), "rows": rows})
}

func number(s string, otherwise int) (int, error) {
	if s == "" {
		return otherwise, nil
	}
	return strconv.Atoi(s)
}

func (s *Server) getInteraction(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	i, err := s.state.interaction(id)
	if err != nil {
		return err
	}
	if r.URL.Query().Get("includeAll") != "true" {
		return writeJSON(w, http.StatusOK, i)
	}
	tags := make([]map[string]string, 0, len(i.Emulator.Tags))
	for _, t := range i.Emulator.Tags {
		tags = append(tags, map[string]string{"id": t})
	}
	return writeJSON(w, http.StatusOK, struct {
		Interaction
		Tags []map[string]string `json:"Tags"`
	}{i, tags})
}

func (s *Server) putInteraction(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	var body struct {
		Closed      *bool           `json:"closed"`
		Disposition *string         `json:"disposition"`
		UserID      json.RawMessage `json:"UserId"`
		QueueID     json.RawMessage `json:"queueId"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	p := patch{closed: body.Closed, disposition: body.Disposition}
	if p.user, err = refMember("UserId", body.UserID); err != nil {
		return err
	}
	if p.queue, err = refMember("queueId", body.QueueID); err != nil {
		return err
	}
	if p.user != nil && *p.user != 0 {
		if _, ok := s.agent(int(*p.user)); !ok {
			return foreignKey("UserId")
		}
	}
	i, err := s.state.update(id, p)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, i)
}

// refMember reads an id that may be a number, text or null, or is not there.
func refMember(name string, raw json.RawMessage) (*Ref, error) {
	if raw == nil {
		return nil, nil //nolint:nilnil // nil says "leave it as it is"
	}
	var r Ref
	if string(raw) == "null" {
		return &r, nil
	}
	n, err := strconv.Atoi(unquoted(raw))
	if err != nil || n < 0 {
		return nil, fault.NewInvalid(name, "want an id or null")
	}
	r = Ref(n)
	return &r, nil
}

func unquoted(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

func (s *Server) setTags(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	var body struct {
		IDs []json.RawMessage `json:"ids"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	tags := make([]string, 0, len(body.IDs))
	for _, t := range body.IDs {
		ref, err := refMember("ids", t)
		if err != nil || ref == nil || *ref == 0 {
			return fault.NewInvalid("ids", "want ids")
		}
		tags = append(tags, strconv.Itoa(int(*ref)))
	}
	i, err := s.state.update(id, patch{tags: tags})
	if fault.Is(err, fault.NotFound) {
		return foreignKey("OpenchannelInteractionId")
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, i)
}

// foreignKey is the 500 a real server gives for an id that points nowhere.
func foreignKey(column string) error {
	return fault.New(fault.Internal, "Cannot add or update a child row: a foreign key constraint fails (%s)", column)
}

func (s *Server) listMessages(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	rows, err := s.state.messages(id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"count": len(rows), "rows": rows})
}

func (s *Server) postMessage(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Body          string          `json:"body"`
		AccountID     json.RawMessage `json:"OpenchannelAccountId"`
		InteractionID json.RawMessage `json:"OpenchannelInteractionId"`
		UserID        json.RawMessage `json:"UserId"`
		Direction     Direction       `json:"direction"`
		Secret        bool            `json:"secret"`
		AttachmentID  json.RawMessage `json:"AttachmentId"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	interaction, err := refMember("OpenchannelInteractionId", body.InteractionID)
	if err != nil {
		return err
	}
	user, err := refMember("UserId", body.UserID)
	if err != nil {
		return err
	}
	attachment, err := refMember("AttachmentId", body.AttachmentID)
	switch {
	case err != nil:
		return err
	case attachment != nil && *attachment != 0:
		return foreignKey("AttachmentId")
	case body.Body == "":
		return fault.NewInvalid("body", "is required and must not be empty")
	case body.Direction != "" && body.Direction != Out:
		return fault.NewInvalid("direction", "only out can be posted here")
	case interaction == nil || *interaction == 0:
		return fault.NewInvalid("OpenchannelInteractionId", "is required")
	}
	m := Message{Body: body.Body, Secret: body.Secret}
	if user != nil && *user != 0 {
		if _, ok := s.agent(int(*user)); !ok {
			return foreignKey("UserId")
		}
		m.UserID = *user
	}
	m, err = s.state.outgoing(int(*interaction), m)
	if fault.Is(err, fault.NotFound) {
		return foreignKey("OpenchannelInteractionId")
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, m)
}

func (s *Server) listAgents(w http.ResponseWriter, _ *http.Request) error {
	rows := make([]map[string]any, 0, len(s.cfg.Agents))
	for _, a := range s.cfg.Agents {
		rows = append(rows, map[string]any{
			"id": a.ID, "name": a.Name, "fullname": a.FullName, "openchannelStatus": "idle", "pause": false,
		})
	}
	return writeJSON(w, http.StatusOK, map[string]any{"count": len(rows), "rows": rows})
}

func pathID(r *http.Request) (int, error) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return 0, fault.New(fault.NotFound, "an id is a number")
	}
	return id, nil
}

func readJSON(w http.ResponseWriter, r *http.Request, into any) error {
	raw, err := readBody(w, r)
	if err != nil {
		return err
	}
	return decodeJSON(r.Header.Get("Content-Type"), raw, into)
}
