package webhook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringdown/connectors/connectortest"
	"ringdown/fault"
	"ringdown/meeting"
	"ringdown/schemas"
)

// coreKinds reads the kinds out of the core's source.
func coreKinds(t *testing.T) []meeting.Kind {
	t.Helper()
	files, err := filepath.Glob("../../meeting/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []meeting.Kind
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if of, ok := spec.Type.(*ast.Ident); ok && of.Name == "Kind" {
				for _, v := range spec.Values {
					word, err := strconv.Unquote(v.(*ast.BasicLit).Value)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, meeting.Kind(word))
				}
			}
			return true
		})
	}
	slices.Sort(all)
	return all
}

// story is one event of each kind, as receivers may get them.
func story() []meeting.Event {
	start := time.Date(2026, 11, 24, 9, 30, 0, 0, time.UTC)
	after := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	m := meeting.Meeting{
		ID: "mtg_01KATQZ6M80000000000000001", Code: "7f3k2mnpqr", State: meeting.Planned, Site: "shop", Queue: "advice", Topic: "Onda pendant lamp", Language: "it",
		Visitor: meeting.Person{Name: "Mina Rossi", Email: "mina@example.org"}, Fields: map[string]string{"order": "A-4711"}, Metadata: map[string]string{"customer": "C-881"},
		Page: meeting.Page{URL: "https://www.example.org/lamps/onda", Title: "Onda"}, RedirectURL: "https://www.example.org/thanks",
		Desks: []string{"xcally/main"}, AgentInvitation: "inv_01KATQZ6M80000000000000002", VisitorInvitation: "inv_01KATQZ6M80000000000000003",
		Participants: []meeting.Participant{{ID: "par_01KATQZ6M80000000000000004", Role: meeting.Visitor, Name: "Mina Rossi"}}, CreatedAt: start,
	}
	var all []meeting.Event
	add := func(kind meeting.Kind, at time.Time, ev meeting.Event) {
		m.Seq++
		ev.ID, ev.Kind, ev.Meeting, ev.Seq, ev.At = meeting.EventID(fmt.Sprintf("evt_01KATQZ6M8000000000000001%d", len(all)%10)), kind, m.ID, m.Seq, at
		ev.Snapshot = m
		ev.Snapshot.Participants = slices.Clone(m.Participants)
		if m.Ring != nil {
			r := *m.Ring
			ev.Snapshot.Ring = &r
		}
		all = append(all, ev)
	}
	add(meeting.KindCreated, start, meeting.Event{})
	m.State, m.RequestedAt = meeting.Requested, after(12.5)
	m.Ring = &meeting.Ring{Round: 1, Rounds: 2, Window: time.Minute, StartedAt: after(12.5), RoundEnds: after(72.5), Until: after(132.5)}
	add(meeting.KindRequested, after(12.5), meeting.Event{})
	add(meeting.KindRing, after(12.5), meeting.Event{})
	no := meeting.Decline{Agent: meeting.Agent{Key: "link:canary-of-luca", Name: "Luca"}, Reason: "busy", At: after(20)}
	m.Ring.Declines = append(m.Ring.Declines, no)
	add(meeting.KindDeclined, after(20), meeting.Event{Decline: &no})
	m.State, m.AnsweredAt, m.Ring.Winner = meeting.Active, after(25), &meeting.Agent{Key: "link:canary-of-marie", Name: "Marie"}
	m.Participants = append(m.Participants, meeting.Participant{ID: "par_01KATQZ6M80000000000000005", Role: meeting.AgentR, Name: "Marie", Agent: "link:canary-of-marie"})
	add(meeting.KindAnswered, after(25), meeting.Event{Participant: "par_01KATQZ6M80000000000000005"})
	m.Participants[0].JoinedAt, m.Participants[1].JoinedAt = after(26), after(27.25)
	add(meeting.KindJoined, after(27.25), meeting.Event{Participant: "par_01KATQZ6M80000000000000005"})
	m.Participants = append(m.Participants, meeting.Participant{ID: "par_01KATQZ6M80000000000000006", Role: meeting.Visitor, Name: "Paolo Rossi", Invited: true})
	add(meeting.KindInvited, after(40), meeting.Event{Participant: "par_01KATQZ6M80000000000000006"})
	add(meeting.KindMessage, after(60), meeting.Event{Participant: m.Participants[0].ID, Message: &meeting.Message{
		ID: "msg_01KATQZ6M80000000000000007", Meeting: m.ID, Seq: m.Seq + 1, From: m.Participants[0].ID, Role: meeting.Visitor, Name: "Mina Rossi",
		Text: "This is where it should hang: <kitchen> & more.", At: after(60), Key: "canary-key",
		File: &meeting.File{ID: "fil_01KATQZ6M80000000000000008", Name: "kitchen.jpg", Type: "image/jpeg", Size: 184223, Width: 1600, Height: 1200},
	}})
	m.Participants[0].LeftAt, m.Participants[0].Reason = after(289.4), meeting.ReasonLeft
	add(meeting.KindLeft, after(289.4), meeting.Event{Participant: m.Participants[0].ID})
	m.State, m.Outcome, m.EndedBy, m.Reason, m.EndedAt = meeting.Ended, meeting.Completed, meeting.Visitor, meeting.ReasonLeft, after(289.4)
	m.Participants[1].LeftAt, m.Participants[1].Reason = after(289.4), meeting.ReasonEnded
	add(meeting.KindEnded, after(289.4), meeting.Event{})
	add(meeting.KindNote, after(301), meeting.Event{Participant: m.Participants[1].ID, Note: &meeting.Note{Author: "link:canary-of-marie", Name: "Marie", Text: "Wants the 60 cm one; call back on Friday.", At: after(301)}})

	// Another meeting, which nobody took.
	m.State, m.Outcome, m.EndedBy, m.Reason = meeting.Ended, meeting.Missed, "", meeting.ReasonNoAnswer
	m.AnsweredAt, m.EndedAt, m.Seq = time.Time{}, after(132.5), 4
	m.Ring = &meeting.Ring{Round: 2, Rounds: 2, Window: time.Minute, StartedAt: after(12.5), RoundEnds: after(132.5), Until: after(132.5)}
	m.Participants = m.Participants[:1]
	m.Participants[0].JoinedAt, m.Participants[0].LeftAt, m.Participants[0].Reason = time.Time{}, time.Time{}, ""
	add(meeting.KindMissed, after(132.5), meeting.Event{})

	// A third one, which an agent opened: nobody was rung.
	m.State, m.Outcome, m.EndedBy, m.Reason, m.AnsweredAt, m.EndedAt, m.RequestedAt, m.Ring, m.Seq = meeting.Active, "", "", "", start, time.Time{}, time.Time{}, nil, 2
	m.Participants = append(m.Participants, meeting.Participant{ID: "par_01KATQZ6M80000000000000005", Role: meeting.AgentR, Name: "Marie", Agent: "desk:12"})
	add(meeting.KindDispatched, after(20), meeting.Event{Dispatch: &meeting.Dispatch{
		ID: "dsp_01KATQZ6M80000000000000006", Meeting: m.ID, Invitation: m.VisitorInvitation, Channel: meeting.SMS, To: "canary-of-the-number", Language: "it",
		State: meeting.DispatchQueued, CreatedAt: after(20), ChangedAt: after(20),
	}})
	return all
}

// all is an endpoint that hears of everything.
func all(name string) Endpoint {
	e := at(name, "https://crm.example/")
	e.Events = []string{"*"}
	return e
}

// sample is where the sample of a kind is kept.
func sample(k meeting.Kind) string { return filepath.Join("testdata", "samples", string(k)+".json") }

func TestEveryKindOfTheCoreIsInTheCatalogue(t *testing.T) {
	want := coreKinds(t)
	if len(want) < 12 {
		t.Fatalf("the core's source names %v", want)
	}
	ours := slices.Sorted(slices.Values(kinds()))
	if !slices.Equal(ours, want) {
		t.Errorf("the catalogue has\n%v, the core\n%v", ours, want)
	}
	var told, kept []meeting.Kind
	for _, ev := range story() {
		told = append(told, ev.Kind)
	}
	slices.Sort(told)
	if !slices.Equal(told, want) {
		t.Errorf("there are samples of\n%v, kinds\n%v", told, want)
	}
	for folder, ending := range map[string]string{"testdata/samples": ".json", "../../schemas/webhook": ".emit.json"} {
		files, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		kept = kept[:0]
		for _, f := range files {
			kept = append(kept, meeting.Kind(strings.TrimSuffix(f.Name(), ending)))
		}
		if slices.Sort(kept); !slices.Equal(kept, want) {
			t.Errorf("%s has\n%v, the core\n%v", folder, kept, want)
		}
	}
}

func TestSamplesAreWhatIsSent(t *testing.T) {
	r := newRig(t, nil, all("crm"))
	for _, ev := range story() {
		t.Run(string(ev.Kind), func(t *testing.T) {
			drafts, err := r.Draft(ev)
			if err != nil || len(drafts) != 1 {
				t.Fatalf("%d drafts, %v", len(drafts), err)
			}
			var b bytes.Buffer
			if err := json.Indent(&b, drafts[0].Body, "", "  "); err != nil {
				t.Fatal(err)
			}
			b.WriteByte('\n')
			if *update {
				if err := os.WriteFile(sample(ev.Kind), b.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(sample(ev.Kind))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b.Bytes(), want) {
				t.Errorf("got\n%s\nwant\n%s", &b, want)
			}
			for _, inside := range []string{"canary", "inv_", "redirect", "thanks", "xcally", "link:"} {
				if bytes.Contains(want, []byte(inside)) {
					t.Errorf("it tells %q", inside)
				}
			}
		})
	}
}

func TestEverythingDraftedFitsItsSchemaAndNothingElseIsSaid(t *testing.T) {
	r := newRig(t, nil, all("crm"))
	for _, ev := range append(connectortest.Events("xcally/main"), story()...) {
		drafts, err := r.Draft(ev)
		if err != nil || len(drafts) != 1 {
			t.Fatalf("%s: %d drafts, %v", ev.Kind, len(drafts), err)
		}
		doc, err := schemas.Decode(drafts[0].Body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := fs.ReadFile(schemas.Files(), "webhook/"+string(ev.Kind)+".emit.json")
		if err != nil {
			t.Fatal(err)
		}
		var root map[string]any
		if err := json.Unmarshal(text, &root); err != nil {
			t.Fatal(err)
		}
		unsaid(t, string(ev.Kind), root, root, doc)
		d := drafts[0]
		if d.Target != "webhook/crm" || d.Dest != "webhook/crm/"+string(ev.Meeting) {
			t.Errorf("%s: to %s, in the order of %s", ev.Kind, d.Target, d.Dest)
		}
		if (ev.Kind == meeting.KindRing) != (!d.ExpiresAt.IsZero() && d.ExpiresAt.Equal(ev.Snapshot.Ring.RoundEnds)) {
			t.Errorf("%s: expires %v", ev.Kind, d.ExpiresAt)
		}
	}
}

// unsaid fails for every member of doc that the schema does not name.
func unsaid(t *testing.T, at string, root, schema map[string]any, doc any) {
	t.Helper()
	if ref, ok := schema["$ref"].(string); ok {
		schema = root["definitions"].(map[string]any)[strings.TrimPrefix(ref, "#/definitions/")].(map[string]any)
	}
	if parts, ok := schema["allOf"].([]any); ok {
		unsaid(t, at, root, parts[0].(map[string]any), doc) // the second one narrows it
		return
	}
	switch doc := doc.(type) {
	case map[string]any:
		known, _ := schema["properties"].(map[string]any)
		for name, v := range doc {
			if of, ok := known[name].(map[string]any); ok {
				unsaid(t, at+"."+name, root, of, v)
			} else if _, free := schema["additionalProperties"].(map[string]any); !free {
				t.Errorf("%s.%s is in no schema", at, name)
			}
		}
	case []any:
		for i, v := range doc {
			unsaid(t, fmt.Sprintf("%s[%d]", at, i), root, schema["items"].(map[string]any), v)
		}
	}
}

func TestABrokenEventIsRefused(t *testing.T) {
	broken := func(from meeting.Kind, change func(doc, data, m map[string]any)) (*schemas.Schema, any) {
		s, err := schemas.Load("webhook/" + string(from) + ".emit.json")
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(sample(from))
		if err != nil {
			t.Fatal(err)
		}
		doc, err := schemas.Decode(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(doc); err != nil {
			t.Fatalf("the sample: %v", err)
		}
		top := doc.(map[string]any)
		data := top["data"].(map[string]any)
		change(top, data, data["meeting"].(map[string]any))
		return s, doc
	}
	for _, k := range kinds() {
		for name, tc := range map[string]struct {
			change  func(doc, data, m map[string]any)
			pointer string
		}{
			"another type":    {func(doc, _, _ map[string]any) { doc["type"] = "meeting.strange" }, "/type"},
			"no time":         {func(doc, _, _ map[string]any) { delete(doc, "timestamp") }, "/timestamp"},
			"a local time":    {func(doc, _, _ map[string]any) { doc["timestamp"] = "2026-11-24T10:30:00+01:00" }, "/timestamp"},
			"no id":           {func(_, data, _ map[string]any) { delete(data, "id") }, "/data/id"},
			"seq zero":        {func(_, data, _ map[string]any) { data["seq"] = json.Number("0") }, "/data/seq"},
			"no meeting":      {func(_, data, _ map[string]any) { delete(data, "meeting") }, "/data/meeting"},
			"a strange state": {func(_, _, m map[string]any) { m["state"] = "paused" }, "/data/meeting/state"},
			"a foreign id":    {func(_, _, m map[string]any) { m["id"] = "inv_1" }, "/data/meeting/id"},
		} {
			s, doc := broken(k, tc.change)
			f := fault.Of(s.Check(doc))
			if f == nil || !slices.ContainsFunc(f.Fields, func(f fault.Field) bool { return f.Pointer == tc.pointer }) {
				t.Errorf("%s with %s: %v", k, name, f)
			}
		}
	}
	for k, member := range map[meeting.Kind]string{
		meeting.KindMessage: "message", meeting.KindNote: "note", meeting.KindDeclined: "decline", meeting.KindJoined: "participant", meeting.KindDispatched: "dispatch",
	} {
		s, doc := broken(k, func(_, data, _ map[string]any) { delete(data, member) })
		if s.Check(doc) == nil {
			t.Errorf("%s without %s is taken", k, member)
		}
	}
	for k, member := range map[meeting.Kind]string{meeting.KindEnded: "outcome", meeting.KindRing: "ring", meeting.KindAnswered: "answered_at", meeting.KindMissed: "ended_at"} {
		s, doc := broken(k, func(_, _, m map[string]any) { delete(m, member) })
		if s.Check(doc) == nil {
			t.Errorf("%s without %s is taken", k, member)
		}
	}

	// And so is one that the core would make by mistake.
	ev := story()[0]
	ev.Snapshot.State = "paused"
	drafts, err := newRig(t, nil, all("crm")).Draft(ev)
	if len(drafts) != 0 || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "/data/meeting/state") {
		t.Errorf("drafted %v, %v", drafts, err)
	}
}

func TestWhoIsTold(t *testing.T) {
	events := func(p ...string) func(*Endpoint) { return func(e *Endpoint) { e.Events = p } }
	for _, tc := range []struct {
		name string
		set  func(*Endpoint)
		want string
	}{
		{"everybody by default", func(*Endpoint) {}, "meeting.answered meeting.created meeting.ended meeting.missed meeting.requested ring.declined ring.started"},
		{"one kind", events("note.saved"), "note.saved"},
		{"a group and a kind of it", events("participant.*", "participant.left", "message.created"), "message.created participant.invited participant.joined participant.left"},
		{"its queue", func(e *Endpoint) { e.Events, e.Queues = []string{"note.saved"}, []string{"loans", "advice"} }, "note.saved"},
		{"another queue", func(e *Endpoint) { e.Events, e.Queues = []string{"*"}, []string{"loans"} }, ""},
		{"its site", func(e *Endpoint) { e.Events, e.Sites = []string{"note.saved"}, []string{"shop"} }, "note.saved"},
		{"another site", func(e *Endpoint) { e.Events, e.Sites, e.Queues = []string{"*"}, []string{"blog"}, []string{"advice"} }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := at("crm", "https://crm.example/")
			tc.set(&e)
			r := newRig(t, nil, e)
			var got []string
			for _, ev := range story() {
				drafts, err := r.Draft(ev)
				if err != nil {
					t.Fatal(err)
				}
				for range drafts {
					got = append(got, string(ev.Kind))
				}
			}
			slices.Sort(got)
			if strings.Join(got, " ") != tc.want {
				t.Errorf("it is told of %v", got)
			}
		})
	}
	t.Run("each endpoint in an order of its own", func(t *testing.T) {
		drafts, err := newRig(t, nil, all("crm"), all("lake")).Draft(story()[0])
		if err != nil || len(drafts) != 2 || drafts[0].Dest == drafts[1].Dest || !bytes.Equal(drafts[0].Body, drafts[1].Body) {
			t.Errorf("drafted %v, %v", drafts, err)
		}
	})
}

// BenchmarkDraft is an event for twenty endpoints: rendered and checked once.
func BenchmarkDraft(b *testing.B) {
	var endpoints []Endpoint
	for i := range 20 {
		endpoints = append(endpoints, all(fmt.Sprint("e", i)))
	}
	c, err := New(Config{Endpoints: endpoints}, connectortest.Deps(slog.New(slog.DiscardHandler), nil, nil))
	if err != nil {
		b.Fatal(err)
	}
	events := story()
	for b.Loop() {
		for _, ev := range events {
			if drafts, err := c.Draft(ev); err != nil || len(drafts) != 20 {
				b.Fatal(len(drafts), err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(events)), "µs/event")
}
