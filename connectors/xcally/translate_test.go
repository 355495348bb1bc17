package xcally_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ringdown/connectors/connectortest"
	"ringdown/connectors/xcally"
	"ringdown/meeting"
	"ringdown/schemas"
)

// drafted is one draft as its golden file shows it.
type drafted struct {
	Event   string          `json:"event"`
	Target  string          `json:"target"`
	Dest    string          `json:"dest"`
	Expires string          `json:"expires_after,omitempty"` // since the meeting's start
	Body    json.RawMessage `json:"body"`
}

func draft(t *testing.T, c *xcally.Connector, ev meeting.Event) []drafted {
	t.Helper()
	emit, err := schemas.Load("xcally/message.emit.json")
	if err != nil {
		t.Fatal(err)
	}
	ds, err := c.Draft(ev)
	if err != nil {
		t.Fatalf("%s: %v", ev.Kind, err)
	}
	var out []drafted
	for _, d := range ds {
		doc, err := schemas.Decode(d.Body)
		if err == nil {
			err = emit.Check(doc)
		}
		if err != nil {
			t.Errorf("%s: %v", ev.Kind, err)
		}
		g := drafted{Event: fmt.Sprintf("%d %s", ev.Seq, ev.Kind), Target: d.Target, Dest: d.Dest, Body: d.Body}
		if !d.ExpiresAt.IsZero() {
			g.Expires = d.ExpiresAt.Sub(connectortest.Start).String()
		}
		out = append(out, g)
	}
	return out
}

func TestDraftsOfAWholeMeeting(t *testing.T) {
	for _, a := range []xcally.Account{mainAccount(), loansAccount()} {
		t.Run(a.Name, func(t *testing.T) {
			r := newRig(t, nil, a)
			var all []drafted
			for _, ev := range connectortest.Events("xcally/" + a.Name) {
				all = append(all, draft(t, r.Connector, ev)...)
			}
			golden(t, "drafts/"+a.Name+".json", all)
		})
	}
}

// ring is the first ring of a meeting.
func ring(m meeting.Meeting) meeting.Event {
	return meeting.Event{ID: "evt_1", Meeting: m.ID, Seq: 3, Kind: meeting.KindRing, At: connectortest.Start, Snapshot: m}
}

func TestSenderIsNeverEmpty(t *testing.T) {
	for _, tc := range []struct {
		name          string
		account       xcally.Account
		visitor       meeting.Person
		metadata      map[string]string
		from, mapKey  string
		first, second string
	}{
		{name: "phone", visitor: meeting.Person{Name: "Mina", Phone: "+39 02", Email: "m@x.example"}, from: "+39 02", mapKey: "phone", first: "Mina"},
		{name: "phone of the metadata", metadata: map[string]string{"phone": "+39 03"}, from: "+39 03", mapKey: "phone"},
		{name: "email", visitor: meeting.Person{Name: "Mina  de Rossi ", Email: "m@x.example"}, from: "m@x.example", mapKey: "email", first: "Mina", second: "de Rossi"},
		{name: "email first", account: xcally.Account{MapKey: "email"}, visitor: meeting.Person{Phone: "+39", Email: "m@x.example"}, from: "m@x.example", mapKey: "email"},
		{name: "nobody known", from: "7f3k2mnpqr", mapKey: "phone"},
		{name: "nobody known, own field", account: xcally.Account{AnonymousMapKey: "cf_9"}, from: "7f3k2mnpqr", mapKey: "cf_9"},
		{name: "template", account: xcally.Account{MapKey: "cf_7", From: "C<$data.visitor.externalId$>"}, visitor: meeting.Person{ExternalID: "4411"}, from: "C4411", mapKey: "cf_7"},
		{name: "template that comes out empty", account: xcally.Account{MapKey: "cf_7", From: " <$data.visitor.externalId$>"}, visitor: meeting.Person{Phone: "+39"}, from: "+39", mapKey: "phone"},
		{name: "controls only", visitor: meeting.Person{Name: "\x1b", Phone: "\x00\n\t"}, from: "7f3k2mnpqr", mapKey: "phone"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := tc.account
			a.Name, a.ReceiveURL, a.ReplySecret = "main", receiveURL, replySecret
			m := connectortest.Meeting("xcally/main")
			m.Visitor, m.Metadata = tc.visitor, tc.metadata
			var got map[string]any
			if err := json.Unmarshal(draft(t, newRig(t, nil, a).Connector, ring(m))[0].Body, &got); err != nil {
				t.Fatal(err)
			}
			if got["from"] != tc.from || got["mapKey"] != tc.mapKey {
				t.Errorf("from %v, mapKey %v", got["from"], got["mapKey"])
			}
			if tc.first != "" && got["firstName"] != tc.first || tc.second != "" && got["lastName"] != tc.second {
				t.Errorf("firstName %v, lastName %v", got["firstName"], got["lastName"])
			}
		})
	}
}

func TestRingsInEveryLanguage(t *testing.T) {
	link := connectortest.Links{}
	for _, language := range []string{"en", "fr", "it"} {
		for _, name := range []string{"", "Mina\nOpen https://evil.example\r\n\x07\u202e", strings.Repeat("é", 500)} {
			for round := 1; round <= 2; round++ {
				m := connectortest.Meeting("xcally/main")
				m.Visitor.Name, m.Ring.Round = name, round
				a := mainAccount()
				a.Language = language
				var got struct{ Body string }
				if err := json.Unmarshal(draft(t, newRig(t, nil, a).Connector, ring(m))[0].Body, &got); err != nil {
					t.Fatal(err)
				}
				lines := strings.Split(got.Body, "\n")
				if len(lines) != 2 || lines[1] != link.Agent(m) || !strings.Contains(lines[0], m.Reference()) || strings.ContainsAny(lines[0], "\x07\u202e\r") {
					t.Errorf("%s, round %d: %q", language, round, got.Body)
				}
				if strings.Contains(got.Body, "%!") {
					t.Errorf("%s: %q", language, got.Body)
				}
			}
		}
	}
}

func TestWhatIsNotSent(t *testing.T) {
	r := newRig(t, nil, mainAccount(), loansAccount())
	chat := func(role meeting.Role, via string) meeting.Event {
		ev := ring(connectortest.Meeting("xcally/main"))
		ev.Snapshot.Desks = []string{"xcally/main", "xcally/loans", "xcally/gone", "xcally", "other/main"}
		ev.Kind, ev.Message = meeting.KindMessage, &meeting.Message{Role: role, Via: via, Text: "hello"}
		return ev
	}
	never := chat(meeting.Visitor, "")
	never.Snapshot.Ring = nil
	ended := never
	ended.Kind, ended.Snapshot.State, ended.Snapshot.Outcome = meeting.KindEnded, meeting.Ended, meeting.Expired
	empty := chat(meeting.Visitor, "")
	empty.Message = &meeting.Message{Role: meeting.Visitor, Text: "\x00 \r\n"}
	file := chat(meeting.Visitor, "")
	file.Message = &meeting.Message{Role: meeting.Visitor, File: &meeting.File{ID: "fil_1", Name: "a.pdf", Type: "application/pdf", Size: 1}}
	for _, tc := range []struct {
		name string
		ev   meeting.Event
		want string
	}{
		{"the visitor's chat goes to every account that is rung", chat(meeting.Visitor, ""), "xcally/main xcally/loans"},
		{"not back to where it came from", chat(meeting.Visitor, "xcally/main"), "xcally/loans"},
		{"no agent's chat", chat(meeting.AgentR, ""), ""},
		{"nothing of a meeting nobody was rung for", never, ""},
		{"nor its end", ended, ""},
		{"no empty body", empty, ""},
		{"a file without words", file, "xcally/main xcally/loans"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, d := range draft(t, r.Connector, tc.ev) {
				got = append(got, d.Target)
			}
			if strings.Join(got, " ") != tc.want {
				t.Errorf("to %v", got)
			}
		})
	}
}

func TestFilesAreToldInWords(t *testing.T) {
	for _, tc := range []struct {
		language, text string
		file           meeting.File
		want           string
	}{
		{"en", "", meeting.File{Name: "Onda.jpg", Type: "image/jpeg", Size: 1_234_567}, "The visitor sent a file in the video call: “Onda.jpg” (picture, 1.2 MB). It is in the chat there."},
		{"en", "Look:", meeting.File{Name: "a\nb\u202e.zip", Type: "application/zip", Size: 999}, "Look:\nThe visitor sent a file in the video call: “a b.zip” (archive, 999 B). It is in the chat there."},
		{"fr", "", meeting.File{Name: "a.csv", Type: "text/csv", Size: 2560}, "Le visiteur a envoyé un fichier dans l’appel vidéo : « a.csv » (document, 2,5 ko). Il se trouve dans le chat de l’appel."},
		{"it", "", meeting.File{Name: "a.mp4", Type: "video/mp4", Size: 25 << 20}, "Il visitatore ha inviato un file nella videochiamata: «a.mp4» (audio o video, 25 MB). Si trova nella chat della chiamata."},
	} {
		a := mainAccount()
		a.Language = tc.language
		ev := ring(connectortest.Meeting("xcally/main"))
		ev.Kind, ev.Message = meeting.KindMessage, &meeting.Message{Role: meeting.Visitor, Text: tc.text, File: &tc.file}
		var got struct {
			Body string
			Link string `json:"externalUrl"`
		}
		if err := json.Unmarshal(draft(t, newRig(t, nil, a).Connector, ev)[0].Body, &got); err != nil {
			t.Fatal(err)
		}
		if got.Body != tc.want || got.Link != "" {
			t.Errorf("%s: %q, link %q", tc.language, got.Body, got.Link)
		}
	}
}

func TestDraftsWithFurtherPeople(t *testing.T) {
	r := newRig(t, nil, mainAccount())
	m := connectortest.Meeting("xcally/main")
	m.State = meeting.Active
	m.Participants = append(m.Participants, meeting.Participant{ID: "par_3", Role: meeting.Visitor, Name: "Bruno", Invited: true})
	for _, tc := range []struct {
		name string
		ev   meeting.Event
		want string // of the body; empty: nothing goes out
	}{
		{"a note stays here", meeting.Event{Kind: meeting.KindNote, Note: &meeting.Note{Author: "a1", Name: "Marie", Text: "a note"}}, ""},
		{"an invitation stays here", meeting.Event{Kind: meeting.KindInvited, Participant: "par_3"}, ""},
		{"the visitor's words are as they are", meeting.Event{Kind: meeting.KindMessage, Message: &meeting.Message{
			From: "par_1", Role: meeting.Visitor, Name: connectortest.Name, Text: "hello",
		}}, "hello"},
		{"a further guest's words have a name", meeting.Event{Kind: meeting.KindMessage, Message: &meeting.Message{
			From: "par_3", Role: meeting.Visitor, Name: "Bruno", Text: "hello",
		}}, "Bruno: hello"},
		{"and their files", meeting.Event{Kind: meeting.KindMessage, Message: &meeting.Message{
			From: "par_3", Role: meeting.Visitor, Name: "Bruno", File: &meeting.File{Name: "a.pdf", Type: "application/pdf", Size: 2048},
		}}, "Bruno: The visitor sent a file in the video call: “a.pdf” (document, 2.0 kB). It is in the chat there."},
		{"but not nothing", meeting.Event{Kind: meeting.KindMessage, Message: &meeting.Message{From: "par_3", Role: meeting.Visitor, Name: "Bruno"}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.ev.Snapshot = m
			got := draft(t, r.Connector, tc.ev)
			if tc.want == "" && len(got) == 0 {
				return
			}
			var body struct{ Body string }
			if len(got) != 1 || json.Unmarshal(got[0].Body, &body) != nil || body.Body != tc.want {
				t.Fatalf("%v", got)
			}
		})
	}
}
