package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
)

type meetingCmd struct {
	List     meetingList     `cmd:"" help:"Meetings, newest first."`
	Show     meetingShow     `cmd:"" help:"One meeting: who is in it, its log, its invitations, what was sent of it."`
	Messages meetingMessages `cmd:"" help:"The chat of a meeting."`
	Watch    meetingWatch    `cmd:"" help:"A meeting's log as it grows, until the meeting is over."`
	Create   meetingCreate   `cmd:"" help:"Make a meeting and print its links."`
	End      meetingEnd      `cmd:"" help:"End a meeting for everybody."`
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

// Run prints the meeting and all that belongs to it.
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
	parts := map[string]json.RawMessage{"meeting": one}
	for name, from := range map[string]string{
		"events": path + "/events", "invitations": path + "/invitations", "deliveries": "/v1/deliveries?after=0&limit=200&meeting=" + url.QueryEscape(id),
	} {
		var of map[string]json.RawMessage
		b, err := m.call(c, http.MethodGet, from, nil)
		if err == nil {
			err = json.Unmarshal(b, &of)
		}
		if err != nil && name != "invitations" { // a daemon without them says so
			return err
		}
		if list, there := of[name]; there {
			parts[name] = list
		}
	}
	if m.JSON {
		return c.print(parts)
	}
	return showMeeting(c.out, parts)
}

func showMeeting(out io.Writer, parts map[string]json.RawMessage) error {
	var r struct {
		row
		EndedBy      string `json:"ended_by"`
		Reason       string `json:"reason"`
		Site         struct{ Name string }
		Topic        string
		Participants []struct {
			ID, Role, Name, Reason string
			Here                   bool
			JoinedAt               time.Time `json:"joined_at"`
			LeftAt                 time.Time `json:"left_at"`
		}
	}
	var events []loggedEvent
	var invitations []struct {
		ID, Role, Name, State string
		ExpiresAt             time.Time `json:"expires_at"`
	}
	var deliveries []deliveryRow
	for name, to := range map[string]any{"meeting": &r, "events": &events, "invitations": &invitations, "deliveries": &deliveries} {
		if b, there := parts[name]; there {
			if err := json.Unmarshal(b, to); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s  %s  queue %s  %s\n", r.Reference, r.state(), r.Queue, r.ID)
	for _, line := range [][2]string{{"Site", r.Site.Name}, {"Topic", r.Topic}, {"Ended by", r.EndedBy}, {"Reason", r.Reason}} {
		if line[1] != "" {
			fmt.Fprintf(w, "%s: %s\n", line[0], line[1])
		}
	}
	fmt.Fprintf(w, "\nPEOPLE\tNAME\tJOINED\tLEFT\tID\n")
	for _, p := range r.Participants {
		left := strings.TrimSpace(clock(p.LeftAt) + " " + p.Reason)
		if p.Here {
			left = "is here"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", p.Role, p.Name, clock(p.JoinedAt), left, p.ID)
	}
	if len(invitations) > 0 {
		fmt.Fprintf(w, "\nINVITED\tNAME\tSTATE\tUNTIL\tID\n")
		for _, i := range invitations {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", i.Role, i.Name, i.State, clock(i.ExpiresAt), i.ID)
		}
	}
	fmt.Fprintf(w, "\nLOG\tAT\tEVENT\n")
	for _, e := range events {
		e.print(w)
	}
	fmt.Fprintf(w, "\nSENT TO\tSTATE\tEVENT\tATTEMPTS\tID\n")
	for _, d := range deliveries {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\n", d.Target, d.state(), d.Kind, d.Attempts, d.ID)
	}
	return w.Flush()
}

// clock is a time of day here; nothing for none.
func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.TimeOnly)
}

// loggedEvent is a line of a meeting's log.
type loggedEvent struct {
	Seq         int
	Kind        string
	At          time.Time `json:"occurred_at"`
	Participant string
}

func (e loggedEvent) print(w io.Writer) {
	fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%d\t%s\t%s  %s", e.Seq, e.At.Local().Format("15:04:05.000"), e.Kind, e.Participant), " "))
}

type meetingMessages struct {
	remote
	Meeting string `arg:"" help:"The meeting's id, code or reference (C-7F3K2)."`
}

// Help gives the example.
func (meetingMessages) Help() string { return "Example:\n  ringdown meeting messages C-7F3K2" }

// Run prints the chat.
func (m *meetingMessages) Run(c *console) error {
	id, err := m.find(c, m.Meeting)
	if err != nil {
		return err
	}
	b, err := m.call(c, http.MethodGet, "/v1/meetings/"+url.PathEscape(id)+"/messages", nil)
	if err != nil {
		return err
	}
	if m.JSON {
		return c.raw(b)
	}
	var page struct {
		Messages []struct {
			At                    time.Time
			Role, Name, Via, Text string
			File                  struct{ Name string }
		}
	}
	if err := json.Unmarshal(b, &page); err != nil {
		return err
	}
	for _, m := range page.Messages {
		who := strings.TrimSpace(m.Role + " " + m.Name)
		if m.Via != "" {
			who += " (" + m.Via + ")"
		}
		text := m.Text
		if m.File.Name != "" {
			text = strings.TrimSpace("[" + m.File.Name + "] " + text)
		}
		if _, err := fmt.Fprintf(c.out, "%s  %s: %s\n", clock(m.At), who, strings.ReplaceAll(text, "\n", "\n  ")); err != nil {
			return err
		}
	}
	return nil
}

type meetingWatch struct {
	remote
	Meeting string        `arg:"" help:"The meeting's id, code or reference (C-7F3K2)."`
	Every   time.Duration `default:"1s" help:"How often to look."`
}

// Help gives the example.
func (meetingWatch) Help() string { return "Example:\n  ringdown meeting watch C-7F3K2" }

// Run prints events as they come.
func (m *meetingWatch) Run(c *console) error {
	id, err := m.find(c, m.Meeting)
	if err != nil {
		return err
	}
	path := "/v1/meetings/" + url.PathEscape(id) + "/events"
	for after := 0; ; {
		b, err := m.call(c, http.MethodGet, fmt.Sprintf("%s?after=%d", path, after), nil)
		if err != nil {
			return err
		}
		var page struct{ Events []json.RawMessage }
		if err := json.Unmarshal(b, &page); err != nil {
			return err
		}
		over := false
		for _, raw := range page.Events {
			var e loggedEvent
			if err := json.Unmarshal(raw, &e); err != nil {
				return err
			}
			after, over = e.Seq, over || e.Kind == "meeting.ended"
			if m.JSON {
				if err := c.line(raw); err != nil {
					return err
				}
			} else {
				e.print(c.out)
			}
		}
		if over || !c.sleep(max(m.Every, soonest)) {
			return nil
		}
	}
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
