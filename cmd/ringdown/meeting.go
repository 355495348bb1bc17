package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

type meetingCmd struct {
	List   meetingList   `cmd:"" help:"Meetings, newest first."`
	Show   meetingShow   `cmd:"" help:"One meeting with its log."`
	Create meetingCreate `cmd:"" help:"Make a meeting and print its links."`
	End    meetingEnd    `cmd:"" help:"End a meeting for everybody."`
}

// remote is a running daemon.
type remote struct {
	URL     string `env:"RINGDOWN_URL" default:"http://localhost:8080" help:"Address of the daemon."`
	Key     string `env:"RINGDOWN_API_KEY" hidden:"" help:"The API key itself; better in a file."`
	KeyFile string `name:"key-file" env:"RINGDOWN_API_KEY_FILE" placeholder:"FILE" help:"File with the API key; default the admin.key of the data folder here."`
	JSON    bool   `name:"json" help:"Print the API's JSON."`
}

// key finds the API key: given, in a file, or where a daemon in this folder keeps it.
func (r remote) key() (key, from string, err error) {
	if r.Key != "" {
		return r.Key, "RINGDOWN_API_KEY", nil
	}
	files := []string{r.KeyFile}
	if r.KeyFile == "" {
		files = []string{"data/admin.key", "data/demo/admin.key"}
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil {
			return strings.TrimSpace(string(b)), f, nil
		}
		if r.KeyFile != "" {
			return "", "", err
		}
	}
	return "", "", errors.New("no API key: name the data folder's admin.key with --key-file")
}

// call sends one request and gives the answer's JSON.
func (r remote) call(c *console, method, path string, body any) (json.RawMessage, error) {
	key, from, err := r.key()
	if err != nil {
		return nil, err
	}
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(c.ctx, method, strings.TrimSuffix(r.URL, "/")+path, in)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{Timeout: 30 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the daemon at %s does not answer: %w", r.URL, err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 300 {
		var p struct{ Code, Detail string }
		if res.StatusCode == http.StatusUnauthorized {
			return nil, fmt.Errorf("the daemon at %s does not know the key from %s", r.URL, from)
		}
		if json.Unmarshal(b, &p) == nil && p.Detail != "" {
			return nil, fmt.Errorf("%s (%s)", p.Detail, p.Code)
		}
		return nil, fmt.Errorf("the daemon answered %s", res.Status)
	}
	return b, nil
}

// find turns a reference that people read out ("C-7F3K2") into the meeting's id;
// anything else is an id or a code already.
func (r remote) find(c *console, meeting string) (string, error) {
	if !strings.HasPrefix(strings.ToUpper(meeting), "C-") {
		return meeting, nil
	}
	b, err := r.call(c, http.MethodGet, "/v1/meetings?"+url.Values{"reference": {meeting}}.Encode(), nil)
	if err != nil {
		return "", err
	}
	var page struct{ Meetings []row }
	if err := json.Unmarshal(b, &page); err != nil {
		return "", err
	}
	switch len(page.Meetings) {
	case 0:
		return "", fmt.Errorf("no meeting has the reference %s", meeting)
	case 1:
		return page.Meetings[0].ID, nil
	}
	ids := make([]string, len(page.Meetings))
	for i, m := range page.Meetings {
		ids[i] = m.ID
	}
	return "", fmt.Errorf("%s is the reference of several meetings: %s", meeting, strings.Join(ids, ", "))
}

// raw prints the API's answer as it came, indented.
func (c *console) raw(b json.RawMessage) error {
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.out, out.String())
	return err
}

// row is what the tables show of a meeting.
type row struct {
	ID        string    `json:"id"`
	Reference string    `json:"reference"`
	State     string    `json:"state"`
	Outcome   string    `json:"outcome"`
	Queue     string    `json:"queue"`
	CreatedAt time.Time `json:"created_at"`
	Length    int       `json:"length_seconds"`
	Links     struct {
		Visitor string `json:"visitor"`
		Agent   string `json:"agent"`
	} `json:"links"`
}

func (r row) state() string { return strings.TrimSuffix(r.State+" "+r.Outcome, " ") }

type meetingList struct {
	remote
	State string `enum:",planned,requested,active,ended" default:"" help:"Only those in this state: planned, requested, active, ended."`
	Queue string `help:"Only those of this queue."`
	Limit int    `default:"50" help:"How many at the most, 1 to 200."`
}

// Help gives the example.
func (meetingList) Help() string {
	return "Example:\n  ringdown meeting list --state active --key-file data/admin.key"
}

// Run prints the table.
func (m *meetingList) Run(c *console) error {
	q := url.Values{"limit": {fmt.Sprint(m.Limit)}}
	if m.State != "" {
		q.Set("state", m.State)
	}
	if m.Queue != "" {
		q.Set("queue", m.Queue)
	}
	b, err := m.call(c, http.MethodGet, "/v1/meetings?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	if m.JSON {
		return c.raw(b)
	}
	var page struct{ Meetings []row }
	if err := json.Unmarshal(b, &page); err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REFERENCE\tSTATE\tQUEUE\tMADE\tLENGTH\tID")
	for _, r := range page.Meetings {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", r.Reference, r.state(), r.Queue, r.CreatedAt.Local().Format(time.DateTime), time.Duration(r.Length)*time.Second, r.ID)
	}
	return w.Flush()
}

type meetingShow struct {
	remote
	Meeting string `arg:"" help:"The meeting's id, code or reference (C-7F3K2)."`
}

// Help gives the example.
func (meetingShow) Help() string { return "Example:\n  ringdown meeting show mtg_01J9ZQ" }

// Run prints the meeting and its log.
func (m *meetingShow) Run(c *console) error {
	id, err := m.find(c, m.Meeting)
	if err != nil {
		return err
	}
	path := "/v1/meetings/" + url.PathEscape(id)
	one, err := m.call(c, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	log, err := m.call(c, http.MethodGet, path+"/events", nil)
	if err != nil {
		return err
	}
	if m.JSON {
		var events struct {
			Events json.RawMessage `json:"events"`
		}
		if err := json.Unmarshal(log, &events); err != nil {
			return err
		}
		return c.print(map[string]json.RawMessage{"meeting": one, "events": events.Events})
	}
	var r row
	if err := json.Unmarshal(one, &r); err != nil {
		return err
	}
	var l struct {
		Events []struct {
			Seq  int
			Kind string
			At   time.Time `json:"occurred_at"`
		}
	}
	if err := json.Unmarshal(log, &l); err != nil {
		return err
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s  %s  queue %s  %s\n", r.Reference, r.state(), r.Queue, r.ID)
	for _, e := range l.Events {
		fmt.Fprintf(w, "%d\t%s\t%s\n", e.Seq, e.At.Local().Format("15:04:05.000"), e.Kind)
	}
	return w.Flush()
}

type meetingCreate struct {
	remote
	Queue string `help:"Whom to ring; may be left out when there is one queue."`
	Topic string `help:"What it is about."`
	Name  string `help:"The visitor's name."`
	Ring  string `enum:"ready,now" default:"ready" help:"Ring when the visitor is ready, or now."`
}

// Help gives the example.
func (meetingCreate) Help() string {
	return "Example:\n  ringdown meeting create --queue advice --topic \"Lamp\" --ring now"
}

// Run makes it and prints the links; they hold secrets.
func (m *meetingCreate) Run(c *console) error {
	b, err := m.call(c, http.MethodPost, "/v1/meetings", map[string]any{
		"queue": m.Queue, "topic": m.Topic, "visitor": map[string]string{"name": m.Name}, "ring": m.Ring,
	})
	if err != nil {
		return err
	}
	if m.JSON {
		return c.raw(b)
	}
	var r row
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s  %s\nVisitor  %s\nAgents   %s\n", r.Reference, r.ID, r.Links.Visitor, r.Links.Agent)
	return err
}

type meetingEnd struct {
	remote
	Meeting string `arg:"" help:"The meeting's id, code or reference (C-7F3K2)."`
}

// Help gives the example.
func (meetingEnd) Help() string { return "Example:\n  ringdown meeting end mtg_01J9ZQ" }

// Run ends it.
func (m *meetingEnd) Run(c *console) error {
	id, err := m.find(c, m.Meeting)
	if err != nil {
		return err
	}
	b, err := m.call(c, http.MethodPost, "/v1/meetings/"+url.PathEscape(id)+"/end", nil)
	if err != nil {
		return err
	}
	if m.JSON {
		return c.raw(b)
	}
	var r row
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	_, err = fmt.Fprintf(c.out, "%s  %s\n", r.Reference, r.state())
	return err
}
