package xcally_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"ringdown/connectors/connectortest"
	"ringdown/meeting"
)

const replyURL = "/xcally/main/reply/" + replySecret

// office fills a rig: one meeting under way with its interaction and a message
// of the visitor, two that are over, one of another account.
func office(t *testing.T, r *rig) {
	t.Helper()
	m := connectortest.Meeting("xcally/main")
	over, before, other := m, m, m
	over.ID, over.State, over.Outcome, over.Visitor = "mtg_over", meeting.Ended, meeting.Completed, meeting.Person{Phone: "+33155000001"}
	before.ID, before.State, before.Outcome = "mtg_before", meeting.Ended, meeting.Missed
	other.ID, other.Desks, other.Visitor = "mtg_other", []string{"xcally/loans"}, meeting.Person{Phone: "+33155000002"}
	for _, m := range []meeting.Meeting{before, m, over, other} {
		r.meetings.Put(m)
	}
	ref := meeting.Ref{Vendor: "xcally", Key: "main:interaction:311"}
	if err := r.meetings.AddRef(t.Context(), m.ID, ref); err != nil {
		t.Fatal(err)
	}
	if _, err := r.meetings.Post(t.Context(), m.ID, meeting.Message{Role: meeting.Visitor, Text: "My card does not work"}); err != nil {
		t.Fatal(err)
	}
}

// posted is what a reply came to, as its golden file shows it.
type posted struct {
	Status int               `json:"status"`
	Answer json.RawMessage   `json:"answer"`
	Chat   map[string][]line `json:"chat,omitempty"`
}

type line struct {
	Role meeting.Role `json:"role"`
	Name string       `json:"name,omitempty"`
	Via  string       `json:"via"`
	Text string       `json:"text"`
	Key  string       `json:"key,omitempty"`
}

func (r *rig) chat(t *testing.T) map[string][]line {
	t.Helper()
	out := map[string][]line{}
	for _, id := range []meeting.ID{"mtg_01JD7F3K2M", "mtg_over", "mtg_before", "mtg_other"} {
		said, err := r.meetings.Messages(t.Context(), id, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, msg := range said {
			if msg.Via != "" {
				out[string(id)] = append(out[string(id)], line{msg.Role, msg.Name, msg.Via, msg.Text, msg.Key})
			}
		}
	}
	return out
}

func TestRepliesBecomeMessages(t *testing.T) {
	files, err := filepath.Glob("testdata/replies/*.json")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, unknown := range []string{"accept", "refuse"} {
			if unknown == "refuse" && name != "unknown" && name != "ended" && name != "other_account" {
				continue
			}
			t.Run(name+"/"+unknown, func(t *testing.T) {
				a := mainAccount()
				a.UnknownReply = unknown
				r := newRig(t, nil, a, loansAccount())
				office(t, r)
				var got posted
				status, answer := r.post(t, replyURL, string(body))
				got.Status, got.Answer, got.Chat = status, json.RawMessage(answer), r.chat(t)
				golden(t, "posted/"+name+"."+unknown+".json", got)
				for _, canary := range append(connectortest.Canaries(), replySecret, "One more thing", "Who is there", "+33155") {
					if strings.Contains(r.log.String(), canary) {
						t.Errorf("the log shows %q: %s", canary, r.log)
					}
				}
				if strings.Contains(answer, "canary") {
					t.Errorf("the answer repeats the body: %s", answer)
				}
			})
		}
	}
}

func TestReplyURLIsSecret(t *testing.T) {
	r := newRig(t, nil, mainAccount(), loansAccount())
	office(t, r)
	body := `{"body":"hello","Interaction":{"threadId":"mtg_01JD7F3K2M"}}`
	first := ""
	for _, path := range []string{
		"/xcally/main/reply/" + replySecret + "b", "/xcally/main/reply/" + strings.ToLower(replySecret), "/xcally/loans/reply/" + replySecret,
		"/xcally/nobody/reply/" + replySecret, "/xcally/main/reply/x", "/xcally/nobody/reply/%00",
	} {
		status, answer := r.post(t, path, body)
		if strings.HasSuffix(path, "%00") {
			if status < 400 || status > 499 {
				t.Errorf("%s: %d %s", path, status, answer)
			}
			continue
		}
		if first == "" {
			first = answer
		}
		if status != 404 || answer != first {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	if status, answer := r.post(t, "/xcally/main/elsewhere", body); status != 404 || !strings.HasPrefix(answer, `{"message":"`) {
		t.Errorf("%d %s", status, answer)
	}
	if len(r.chat(t)) != 0 {
		t.Errorf("somebody came in: %v", r.chat(t))
	}
}

func TestTheSameReplyTwiceIsOneMessage(t *testing.T) {
	r := newRig(t, nil, mainAccount())
	office(t, r)
	for _, text := range []string{"hello", "hello", "hello, edited"} {
		status, answer := r.post(t, replyURL, fmt.Sprintf(`{"id":1,"body":%q,"UserId":14,"Interaction":{"threadId":"mtg_01JD7F3K2M"}}`, text))
		if status != 200 {
			t.Errorf("%d %s", status, answer)
		}
	}
	if got := r.chat(t)["mtg_01JD7F3K2M"]; len(got) != 1 || got[0].Text != "hello" {
		t.Errorf("the chat: %v", got)
	}
}

func TestALongReplyBecomesSeveralMessages(t *testing.T) {
	r := newRig(t, nil, mainAccount())
	office(t, r)
	long := strings.TrimSpace(strings.Repeat("così è la vita ", 2000)) // about 34 kB
	for range 2 {
		if status, answer := r.post(t, replyURL, fmt.Sprintf(`{"id":1,"body":%q,"UserId":14,"Interaction":{"threadId":"mtg_01JD7F3K2M"}}`, long)); status != 200 {
			t.Fatalf("%d %s", status, answer)
		}
	}
	var all []string
	for _, l := range r.chat(t)["mtg_01JD7F3K2M"] {
		if len(l.Text) > 4000 || !utf8.ValidString(l.Text) {
			t.Errorf("a message of %d bytes", len(l.Text))
		}
		all = append(all, l.Text)
	}
	if strings.Join(all, " ") != long {
		t.Errorf("%d messages do not make the whole", len(all))
	}
	if status, answer := r.post(t, replyURL, `{"body":"`+strings.Repeat("x", 300<<10)+`"}`); status != 413 || !strings.HasPrefix(answer, `{"message":`) {
		t.Errorf("%d %s", status, answer)
	}
}

func TestTwoCallsOfOneVisitorAreNotMixedUp(t *testing.T) {
	r := newRig(t, nil, mainAccount())
	office(t, r)
	second := connectortest.Meeting("xcally/main")
	second.ID = "mtg_over" // takes the place of the one that is over
	r.meetings.Put(second)
	status, answer := r.post(t, replyURL, `{"body":"for which one?","Contact":{"phone":"+390212345678"}}`)
	if status != 200 || !strings.Contains(answer, "ignored") || len(r.chat(t)) != 0 {
		t.Errorf("%d %s, %v", status, answer, r.chat(t))
	}
	if status, _ := r.post(t, replyURL, `{"body":"for this one","Interaction":{"threadId":"mtg_over"},"Contact":{"phone":"+390212345678"}}`); status != 200 || len(r.chat(t)["mtg_over"]) != 1 {
		t.Errorf("%v", r.chat(t))
	}
}

func TestReplyWhileTheStoreIsAway(t *testing.T) {
	r := newRig(t, nil, mainAccount())
	office(t, r)
	r.meetings.Break(errors.New("disk full: canary"))
	status, answer := r.post(t, replyURL, `{"body":"hello","Interaction":{"threadId":"mtg_01JD7F3K2M"}}`)
	if status != 500 || strings.Contains(answer, "canary") || !strings.HasPrefix(answer, `{"message":`) {
		t.Errorf("%d %s", status, answer)
	}
}

func FuzzReply(f *testing.F) {
	files, err := filepath.Glob("testdata/replies/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r := newRig(t, nil, mainAccount())
		office(t, r)
		status, answer := r.post(t, replyURL, string(body))
		if status != 200 && (status < 400 || status > 499) {
			t.Errorf("%d %s", status, answer)
		}
		if !json.Valid([]byte(answer)) {
			t.Errorf("not JSON: %s", answer)
		}
		for _, lines := range r.chat(t) {
			for _, l := range lines {
				if l.Text == "" || !utf8.ValidString(l.Text+l.Name+l.Key) || bytes.ContainsRune([]byte(l.Text+l.Name+l.Key), 0) ||
					strings.Contains(l.Text, connectortest.AgentSecret) {
					t.Errorf("the chat has %q", l)
				}
			}
		}
	})
}
