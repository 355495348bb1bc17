package api

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
)

type newMeeting struct {
	Queue       string            `json:"queue"`
	Topic       string            `json:"topic"`
	Language    string            `json:"language"`
	Visitor     meeting.Person    `json:"visitor"`
	Fields      map[string]string `json:"fields"`
	Metadata    map[string]string `json:"metadata"`
	Page        meeting.Page      `json:"page"`
	RedirectURL string            `json:"redirect_url"`
	Ring        string            `json:"ring"`
}

const (
	mapKeys  = 32
	mapBytes = 4 << 10
)

func (n newMeeting) check() error {
	var c httpd.Checks
	text := func(pointer, s string, most int) {
		c.Unless(utf8.RuneCountInString(s) <= most, pointer, "must be at most %d characters", most)
	}
	text("/queue", n.Queue, 64)
	text("/topic", n.Topic, 200)
	text("/visitor/name", n.Visitor.Name, 100)
	text("/visitor/email", n.Visitor.Email, 254)
	text("/visitor/phone", n.Visitor.Phone, 32)
	text("/visitor/external_id", n.Visitor.ExternalID, 100)
	text("/page/url", n.Page.URL, 2000)
	text("/page/title", n.Page.Title, 300)
	text("/redirect_url", n.RedirectURL, 2000)
	c.Unless(n.Language == "" || slices.Contains(meeting.Languages(), n.Language), "/language", "must be en, fr or it")
	c.Unless(n.Ring == "" || n.Ring == "now" || n.Ring == "ready", "/ring", "must be ready or now")
	for pointer, m := range map[string]map[string]string{"/fields": n.Fields, "/metadata": n.Metadata} {
		size := 0
		for k, v := range m {
			size += len(k) + len(v)
			text(pointer+"/"+escapePointer(k), v, 2000)
		}
		c.Unless(len(m) <= mapKeys, pointer, "must have at most %d keys", mapKeys)
		c.Unless(size <= mapBytes, pointer, "must be at most %d bytes in all", mapBytes)
	}
	return c.Err()
}

func escapePointer(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(s)
}

func (a *API) createMeeting(c *gin.Context) error {
	ctx := c.Request.Context()
	var in newMeeting
	if err := httpd.DecodeJSON(c.Request, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	caller := httpd.Caller(ctx)
	r := meeting.Request{
		Queue: in.Queue, Topic: in.Topic, Language: in.Language, Visitor: in.Visitor, Fields: in.Fields, Metadata: in.Metadata,
		Page: in.Page, RedirectURL: in.RedirectURL, RingNow: in.Ring == "now",
	}
	policy := a.meetings.Policy()
	owner := "key:" + caller.ID
	if caller.Kind == httpd.KindSite {
		s, _ := policy.Site(caller.Site)
		owner = "site:" + s.ID
		r.Site, r.Queue, r.Language = &s, cmp.Or(in.Queue, s.Queue), cmp.Or(in.Language, s.Language)
		if r.Queue != s.Queue && !slices.Contains(s.Queues, r.Queue) {
			return fault.NewInvalid("/queue", "is not a queue of this site")
		}
		if !s.PageToAgent {
			r.Page = meeting.Page{}
		}
		if err := required(s.Fields, in); err != nil {
			return err
		}
	} else if r.Queue == "" && len(policy.Queues) == 1 {
		r.Queue = policy.Queues[0].Name
	}
	r.Language = cmp.Or(r.Language, "en")
	var err error
	if r.Key, err = idempotencyKey(c, owner, in); err != nil {
		return err
	}
	m, made, err := a.meetings.Request(ctx, r)
	if err != nil {
		return err
	}
	w := a.meeting(m, caller)
	w.Links = &wireLinks{Visitor: a.links.Visitor(m)}
	if caller.Kind == httpd.KindAPIKey {
		w.Links.Agent = a.links.Agent(m)
	}
	status := http.StatusOK
	if made {
		status = http.StatusCreated
		c.Header("Location", "/v1/meetings/"+string(m.ID))
	}
	c.JSON(status, w)
	return nil
}

// required holds a site's form against what came.
func required(fields []meeting.FormField, in newMeeting) error {
	var c httpd.Checks
	for _, f := range fields {
		if !f.Required {
			continue
		}
		pointer, value := "/fields/"+f.Name, in.Fields[f.Name]
		switch f.Name {
		case "name":
			pointer, value = "/visitor/name", in.Visitor.Name
		case "email":
			pointer, value = "/visitor/email", in.Visitor.Email
		case "phone":
			pointer, value = "/visitor/phone", in.Visitor.Phone
		case "topic":
			pointer, value = "/topic", in.Topic
		}
		c.Unless(strings.TrimSpace(value) != "", pointer, "is required by this site")
		c.Unless(f.Type != "consent" || value == "yes", pointer, "must be \"yes\": this site needs the consent")
	}
	return c.Err()
}

// idempotencyKey reads the header; the hash is over the decoded body, so that
// white space and order do not matter.
func idempotencyKey(c *gin.Context, owner string, in any) (*meeting.Key, error) {
	key, err := keyHeader(c)
	if err != nil || key == "" {
		return nil, err
	}
	b, err := json.Marshal(in)
	if err != nil {
		return nil, fmt.Errorf("hash the body: %w", err)
	}
	sum := sha256.Sum256(b)
	return &meeting.Key{Owner: owner, Key: key, Hash: hex.EncodeToString(sum[:])}, nil
}

func keyHeader(c *gin.Context) (string, error) {
	const name = "Idempotency-Key"
	key, err := httpd.Header(c.Request, name)
	if err != nil {
		return "", err
	}
	if _, sent := c.Request.Header[name]; sent && (key == "" || len(key) > 200) {
		return "", fault.NewInvalid("header:"+name, "must be 1 to 200 bytes")
	}
	return key, nil
}

func (a *API) listMeetings(c *gin.Context) error {
	if err := knownQuery(c, "state", "queue", "reference", "limit", "cursor"); err != nil {
		return err
	}
	f := meeting.Filter{State: meeting.State(c.Query("state")), Queue: c.Query("queue"), Before: meeting.ID(c.Query("cursor")), Limit: 50}
	states := []meeting.State{"", meeting.Planned, meeting.Requested, meeting.Active, meeting.Ended}
	var checks httpd.Checks
	checks.Unless(slices.Contains(states, f.State), "query:state", "must be planned, requested, active or ended")
	checks.Unless(len(f.Queue) <= 64, "query:queue", "must be at most 64 characters")
	checks.Unless(len(f.Before) <= 64, "query:cursor", "must be the next of an earlier page")
	if raw, sent := c.GetQuery("reference"); sent {
		prefix, ok := meeting.PrefixOf(raw)
		checks.Unless(ok, "query:reference", "must be like C-7F3K2")
		f.CodePrefix = prefix
	}
	if raw, sent := c.GetQuery("limit"); sent {
		n, err := strconv.Atoi(raw)
		checks.Unless(err == nil && n >= 1 && n <= 200, "query:limit", "must be a whole number from 1 to 200")
		f.Limit = n
	}
	if err := checks.Err(); err != nil {
		return err
	}
	f.Limit++ // one more tells whether there is a next page
	ms, err := a.meetings.List(c.Request.Context(), f)
	if err != nil {
		return err
	}
	next := ""
	if len(ms) == f.Limit {
		ms = ms[:len(ms)-1]
		next = string(ms[len(ms)-1].ID)
	}
	p := httpd.Caller(c.Request.Context())
	out := make([]wireMeeting, len(ms))
	for i, m := range ms {
		out[i] = a.meeting(m, p)
	}
	c.JSON(http.StatusOK, gin.H{"meetings": out, "next": next})
	return nil
}

// knownQuery refuses NUL bytes and unknown query members, naming a near one.
func knownQuery(c *gin.Context, known ...string) error {
	var checks httpd.Checks
	for name, values := range c.Request.URL.Query() {
		if !slices.Contains(known, name) {
			hint := ""
			if near := httpd.Nearest(name, known); near != "" {
				hint = "; did you mean " + near + "?"
			}
			checks.Unless(false, "query:"+name, "is not known%s", hint)
			continue
		}
		for _, v := range values {
			if err := httpd.CheckText("query:"+name, v); err != nil {
				return err
			}
		}
		checks.Unless(len(values) == 1, "query:"+name, "must be given once")
	}
	return checks.Err()
}

var refRE = regexp.MustCompile(`^[A-Za-z0-9_]{4,40}$`)

func checkRef(pointer, ref string) error {
	if err := httpd.CheckText(pointer, ref); err != nil {
		return err
	}
	if !refRE.MatchString(ref) {
		return fault.NewInvalid(pointer, "must be a meeting's id (\"mtg_…\") or code")
	}
	return nil
}

func (a *API) getMeeting(c *gin.Context) error {
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	return a.answer(c, m, p)
}

func (a *API) answer(c *gin.Context, m meeting.Meeting, p httpd.Principal) error {
	c.JSON(http.StatusOK, a.meeting(m, p))
	return nil
}

func (a *API) listEvents(c *gin.Context) error {
	after, err := afterOf(c)
	if err != nil {
		return err
	}
	m, p, err := a.find(c)
	if err != nil {
		return err
	}
	es, err := a.meetings.Events(c.Request.Context(), m.ID, after, 1000)
	if err != nil {
		return err
	}
	out := make([]wireEvent, len(es))
	for i, e := range es {
		out[i] = wireEvent{ID: e.ID, Seq: e.Seq, Kind: e.Kind, At: e.At, Participant: e.Participant, Meeting: a.meeting(e.Snapshot, p)}
		if e.Message != nil {
			msg := message(*e.Message, "")
			out[i].Message = &msg
		}
		if e.Note != nil {
			n := note(*e.Note, "")
			out[i].Note = &n
		}
	}
	c.JSON(http.StatusOK, gin.H{"events": out})
	return nil
}

func afterOf(c *gin.Context) (int64, error) {
	if err := knownQuery(c, "after"); err != nil {
		return 0, err
	}
	raw, sent := c.GetQuery("after")
	if !sent {
		return 0, nil
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || n < 0 {
		return 0, fault.NewInvalid("query:after", "must be a whole number from 0")
	}
	return n, nil
}

func (a *API) getButton(c *gin.Context) error {
	s, _ := a.meetings.Policy().Site(httpd.Caller(c.Request.Context()).Site)
	if err := knownQuery(c, "queue"); err != nil {
		return err
	}
	name := cmp.Or(c.Query("queue"), s.Queue)
	if name != s.Queue && !slices.Contains(s.Queues, name) {
		return fault.NewInvalid("query:queue", "is not a queue of this site")
	}
	q, _ := a.meetings.Policy().Queue(name)
	fields := make([]meeting.FormField, len(s.Fields))
	for i, f := range s.Fields {
		f.Type = cmp.Or(f.Type, "text")
		fields[i] = f
	}
	c.JSON(http.StatusOK, gin.H{
		"site": s.ID, "name": s.Name, "brand": s.Brand, "privacy": s.Privacy, "language": cmp.Or(s.Language, "en"),
		"languages": meeting.Languages(), "page_to_agent": s.PageToAgent, "open": len(q.Desks) > 0, "fields": fields,
	})
	return nil
}
