package app_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"ringdown/internal/leak"
)

// canary is in every note of these tests: whoever must not read notes must
// never receive it.
const canary = "canary-of-the-note"

func (p person) notes() []string {
	p.h.t.Helper()
	list, _ := p.must("GET", "/notes", nil).get("notes").([]any)
	var texts []string
	for _, n := range list {
		n, _ := n.(map[string]any)
		text, _ := n["text"].(string)
		texts = append(texts, text)
	}
	return texts
}

func (p person) write(text string) answer {
	p.h.t.Helper()
	return p.must("PUT", "/notes/mine", map[string]string{"text": text})
}

func TestNotes(t *testing.T) {
	leak.Check(t)
	onBoth(t, func(t *testing.T, h *house) {
		made := h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{"ring": "now"})
		id := made.text("id")
		marie := h.redeem(made.text("links.agent"), "device-of-marie-1234")
		paul := h.redeem(made.text("links.agent"), "device-of-paul-12345")
		if a := marie.do("PUT", "/notes/mine", map[string]string{"text": canary}); a.status != 409 {
			t.Fatalf("before the call is hers: %s", a)
		}
		marie.must("POST", "/accept", map[string]string{"name": "Marie"})
		if a := paul.do("GET", "/notes", nil); a.status != 409 || a.text("code") != "ring_taken" {
			t.Fatalf("an agent who has not won: %s", a)
		}
		claire := h.redeem(marie.must("POST", "/invitations", map[string]string{"role": "agent", "name": "Claire"}).text("link"), "")

		marie.write("one")
		if a := marie.write("two"); a.text("notes") != "" || !slices.Equal(marie.notes(), []string{"two"}) {
			t.Fatal(a)
		}
		marie.write("two") // changes nothing
		claire.write("three")
		if got := claire.notes(); !slices.Equal(got, []string{"two", "three"}) {
			t.Fatal(got)
		}
		first, _ := claire.must("GET", "/notes", nil).get("notes").([]any)
		if n, _ := first[0].(map[string]any); n["mine"] != false || n["name"] != "Marie" {
			t.Fatal(first)
		}
		claire.write("")
		if got := h.must(200, "GET", "/v1/meetings/"+id+"/notes", bearer(h.key), nil); strings.Contains(got.String(), "three") || !strings.Contains(got.String(), "two") {
			t.Fatal(got)
		}
		if a := marie.do("PUT", "/notes/mine", map[string]string{"text": strings.Repeat("x", 8193)}); a.status != 422 {
			t.Fatal(a)
		}
		marie.write(strings.Repeat("é", 4096))
		if n := count(h.kinds(id), "note.saved"); n != 5 {
			t.Fatalf("%d notes are in the log", n)
		}
		marie.must("POST", "/end", nil)
		marie.write("after the end")
		if got := marie.notes(); !slices.Equal(got, []string{"after the end"}) {
			t.Fatal(got)
		}
		log := h.must(200, "GET", "/v1/meetings/"+id+"/events", bearer(h.key), nil)
		if !strings.Contains(log.String(), "after the end") {
			t.Fatalf("the log does not hold the note: %s", log)
		}
	})
}

// TestNotesAreNotForVisitors collects every byte that the sessions of a visitor
// and of a guest get from every route and from the stream while agents write.
func TestNotesAreNotForVisitors(t *testing.T) {
	leak.Check(t)
	onBoth(t, func(t *testing.T, h *house) {
		h.manyAddresses()
		made := h.button(map[string]any{"ring": "now"})
		if made.status != 201 {
			t.Fatal(made)
		}
		visitor := h.redeem(made.text("links.visitor"), "")
		var link string
		h.eventually("the desk has the link", func() bool {
			_, texts := desk{h}.messages()
			if len(texts) > 0 {
				link = ringLink.FindString(texts[0])
			}
			return link != ""
		})
		marie := h.redeem(link, "device-of-marie-1234")
		marie.must("POST", "/accept", map[string]string{"name": "Marie"})
		guestLink := marie.must("POST", "/invitations", map[string]string{"role": "visitor"}).text("link")
		guest := h.redeem(guestLink, "")

		agentPage := h.follow(t, hello(marie.token))
		pages := []*follower{h.follow(t, hello(visitor.token)), h.follow(t, hello(guest.token))}
		var got bytes.Buffer
		for _, f := range pages {
			f.record(&got)
		}
		marie.write(canary + " 1")
		agentPage.until("her own note", func(m told) bool { return m.Type == "notes" && len(m.Notes) == 1 && m.Notes[0].Text == canary+" 1" })
		marie.write(canary + " 2")
		marie.must("POST", "/messages", map[string]string{"text": "last words"})
		for _, f := range pages {
			f.until("what was said after the note", func(m told) bool { return m.Type == "message" && m.Message.Text == "last words" })
		}

		asked := 0
		for _, p := range []person{visitor, guest} {
			for _, d := range h.app.Doors() { // every route that is mounted, with this session
				path := strings.NewReplacer(
					":meeting", p.meeting, ":invitation", "inv_00000000", ":code", made.text("code"), ":id", made.text("code"),
				).Replace(d.Template)
				if strings.HasSuffix(path, "/leave") {
					continue // it would end the call; see below
				}
				var body any
				if d.Method != "GET" && d.Method != "DELETE" && d.Method != "HEAD" {
					body = map[string]string{"text": "x"}
				}
				a := h.do(d.Method, path, bearer(p.token), body)
				asked++
				got.WriteString(a.String())
				for k, v := range a.header {
					got.WriteString(k + strings.Join(v, ""))
				}
				if strings.Contains(path, "/notes") && a.status != 403 {
					t.Errorf("%s %s: %s", d.Method, path, a)
				}
			}
		}
		marie.write(canary + " 3")
		marie.must("POST", "/end", nil)
		marie.write(canary + " 4")
		for _, f := range pages {
			f.until("the end", func(m told) bool { return m.Type == "meeting" && m.Meeting.State == "ended" })
		}
		p := h.redeem(made.text("links.visitor"), "") // the link again, as a reload does
		got.WriteString(p.must("GET", "", nil).String() + p.must("GET", "/messages", nil).String() + p.must("POST", "/leave", nil).String())
		if asked < 40 || got.Len() < 10_000 {
			t.Fatalf("only %d answers and %d bytes were looked at", asked, got.Len())
		}
		if bytes.Contains(got.Bytes(), []byte(canary)) {
			t.Fatal("a visitor was sent a note")
		}
		if n := strings.Count(h.must(200, "GET", "/v1/meetings/"+visitor.meeting+"/events", bearer(h.key), nil).String(), canary); n != 4 {
			t.Fatalf("the notes are %d times in the log, not 4", n)
		}
		h.eventually("the desk has the end", func() bool {
			_, texts := desk{h}.messages()
			return strings.Contains(strings.Join(texts, "\n"), "is over")
		})
		if _, texts := (desk{h}).messages(); strings.Contains(strings.Join(texts, "\n"), canary) {
			t.Fatal("the desk was sent a note")
		}
		if strings.Contains(h.log.String(), canary) {
			t.Fatal("a note is in the log")
		}
	})
}

// record keeps all that the page is sent from now on.
func (f *follower) record(to *bytes.Buffer) { f.all = to }
