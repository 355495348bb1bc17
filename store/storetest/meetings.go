package storetest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/store"
)

// full is a change that carries one of everything.
func full(n int) meeting.Change {
	c := newMeeting(n)
	m := &c.Meeting
	m.Desks, m.Fields = []string{"xcally/main"}, map[string]string{"topic": "l'été"}
	m.Ring = &meeting.Ring{
		Round: 1, Rounds: 2, Window: 30 * time.Second, StartedAt: t0(), RoundEnds: t0(), Until: t0(), Winner: &meeting.Agent{Key: "a", Name: "Ada"},
	}
	c.Messages = []meeting.Message{{
		ID: meeting.MessageID("msg_" + m.ID), Meeting: m.ID, Seq: 1, Role: meeting.Visitor, Text: "ciao", At: t0(), Key: "k1",
	}}
	c.Refs = []meeting.Ref{{Vendor: "v", Key: "b" + string(m.ID)}, {Vendor: "v", Key: "a" + string(m.ID)}}
	c.Invitations = []meeting.Invitation{{
		ID: meeting.InvitationID("inv_" + m.ID), Meeting: m.ID, Role: meeting.AgentR, Participant: "par_1", Generation: 2,
		CreatedAt: t0(), ExpiresAt: after(time.Hour), OpenedAt: after(time.Second),
	}}
	c.Notes = []meeting.Note{{Author: "link:a", Name: "Ada", Text: "wants it by Friday", At: t0()}}
	c.Key = &meeting.Key{Owner: "site:shop", Key: "key" + string(m.ID), Hash: "h", Meeting: m.ID, Expires: after(time.Hour)}
	return log(c)
}

// wants checks that everything of c can be read back.
func wants(t testing.TB, s *store.Store, c meeting.Change) {
	t.Helper()
	v, ctx, m := s.Meetings(), t.Context(), c.Meeting
	equal(t, must[meeting.Meeting](t)(v.ByID(ctx, m.ID)), m)
	equal(t, must[meeting.Meeting](t)(v.ByCode(ctx, m.Code)), m)
	for _, r := range c.Refs {
		equal(t, must[meeting.Meeting](t)(v.ByRef(ctx, r)), m)
	}
	equal(t, must[[]meeting.Ref](t)(v.RefsOf(ctx, m.ID)), []meeting.Ref{c.Refs[1], c.Refs[0]})
	equal(t, must[[]meeting.Message](t)(v.Messages(ctx, m.ID, 0, 10)), c.Messages)
	equal(t, must[[]meeting.Event](t)(v.Events(ctx, m.ID, 0, 10)), c.Events)
	equal(t, must[meeting.Invitation](t)(v.Invitation(ctx, c.Invitations[0].ID)), c.Invitations[0])
	equal(t, must[[]meeting.Invitation](t)(v.Invitations(ctx, m.ID)), c.Invitations)
	equal(t, must[[]meeting.Note](t)(v.Notes(ctx, m.ID)), c.Notes)
	equal(t, must[meeting.Key](t)(v.KeyOf(ctx, c.Key.Owner, c.Key.Key, t0())), *c.Key)
}

func wholeChange(t *testing.T, e Engine) {
	s := e.Open(t)
	c := create(t, s, full(1))
	wants(t, s, c)

	next := next(c, meeting.KindRequested, meeting.KindRing)
	next.Meeting.State, next.Meeting.Due = meeting.Requested, after(time.Hour)
	next.Invitations = c.Invitations
	next.Invitations[0].Generation, next.Invitations[0].RevokedAt = 3, after(time.Minute)
	next = log(next)
	save(t, s, next)
	equal(t, must[meeting.Meeting](t)(s.Meetings().ByID(t.Context(), c.Meeting.ID)), next.Meeting)
	equal(t, must[meeting.Invitation](t)(s.Meetings().Invitation(t.Context(), c.Invitations[0].ID)), next.Invitations[0])
	equal(t, must[[]meeting.Event](t)(s.Meetings().Events(t.Context(), c.Meeting.ID, 0, 10)), append(c.Events, next.Events...))

	for what, err := range map[string]error{
		"id":         second(s.Meetings().ByID(t.Context(), "mtg_none")),
		"code":       second(s.Meetings().ByCode(t.Context(), "none")),
		"ref":        second(s.Meetings().ByRef(t.Context(), meeting.Ref{Vendor: "w", Key: c.Refs[0].Key})),
		"invitation": second(s.Meetings().Invitation(t.Context(), "inv_none")),
		"key":        second(s.Meetings().KeyOf(t.Context(), "site:other", c.Key.Key, t0())),
	} {
		if !errors.Is(err, meeting.ErrNoRow) {
			t.Errorf("an unknown %s: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func staleChange(t *testing.T, e Engine) {
	s := e.Open(t)
	c := create(t, s, newMeeting(1))
	won := save(t, s, next(c, meeting.KindRequested))
	lost := next(c, meeting.KindEnded)
	lost.Messages = full(1).Messages
	for name, c := range map[string]meeting.Change{"behind": lost, "ahead": next(next(won)), "unknown": newMeeting(2)} {
		if err := s.Meetings().Save(t.Context(), c); !errors.Is(err, meeting.ErrStale) {
			t.Errorf("%s: %v", name, err)
		}
	}
	equal(t, must[meeting.Meeting](t)(s.Meetings().ByID(t.Context(), c.Meeting.ID)), won.Meeting)
	equal(t, len(must[[]meeting.Event](t)(s.Meetings().Events(t.Context(), c.Meeting.ID, 0, 10))), 2)
	equal(t, len(must[[]meeting.Message](t)(s.Meetings().Messages(t.Context(), c.Meeting.ID, 0, 10))), 0)
}

func takenKeys(t *testing.T, e Engine) {
	s := e.Open(t)
	old := create(t, s, full(1))
	for name, spoil := range map[string]func(*meeting.Change){
		"id":      func(c *meeting.Change) { c.Meeting.ID = old.Meeting.ID },
		"code":    func(c *meeting.Change) { c.Meeting.Code = old.Meeting.Code },
		"ref":     func(c *meeting.Change) { c.Refs[0] = old.Refs[1] },
		"key":     func(c *meeting.Change) { c.Key.Key = old.Key.Key },
		"message": func(c *meeting.Change) { c.Messages[0].ID = old.Messages[0].ID },
	} {
		c := full(2)
		spoil(&c)
		if err := s.Meetings().Create(t.Context(), c); !errors.Is(err, meeting.ErrTaken) {
			t.Errorf("create with a taken %s: %v", name, err)
		}
		if _, err := s.Meetings().ByID(t.Context(), "mtg_000002"); !errors.Is(err, meeting.ErrNoRow) {
			t.Fatalf("create with a taken %s wrote a meeting", name)
		}
	}

	// A message key is taken only in its meeting, and no key is never taken.
	c := create(t, s, full(2))
	c = next(c, meeting.KindMessage)
	c.Messages = []meeting.Message{{ID: "msg_new", Meeting: c.Meeting.ID, Seq: 2, Text: "again", At: t0(), Key: "k1"}}
	if err := s.Meetings().Save(t.Context(), c); !errors.Is(err, meeting.ErrTaken) {
		t.Errorf("save with a taken message key: %v", err)
	}
	for i, id := range []meeting.MessageID{"msg_x", "msg_y"} {
		c.Messages[0].ID, c.Messages[0].Key, c.Messages[0].Seq = id, "", int64(2+i)
		save(t, s, c)
		c = next(c, meeting.KindMessage)
		c.Messages = []meeting.Message{{Meeting: c.Meeting.ID, Text: "again", At: t0()}}
	}
	equal(t, len(must[[]meeting.Message](t)(s.Meetings().Messages(t.Context(), c.Meeting.ID, 0, 0))), 3)
}

func lists(t *testing.T, e Engine) {
	s := e.Open(t)
	for n := range 6 {
		c := newMeeting(n)
		if n%2 == 1 {
			c.Meeting.State = meeting.Active
		}
		if n > 3 {
			c.Meeting.Queue = "Service"
		}
		create(t, s, log(c))
	}
	for _, c := range []struct {
		filter meeting.Filter
		want   string
	}{
		{meeting.Filter{}, "[5 4 3 2 1 0]"},
		{meeting.Filter{Limit: 2}, "[5 4]"},
		{meeting.Filter{Limit: 2, Before: "mtg_000004"}, "[3 2]"},
		{meeting.Filter{State: meeting.Active}, "[5 3 1]"},
		{meeting.Filter{Queue: "Service"}, "[5 4]"},
		{meeting.Filter{Queue: "service"}, "[]"},
		{meeting.Filter{Queue: "sales", State: meeting.Active, Before: "mtg_000003"}, "[1]"},
	} {
		got := []string{}
		for _, m := range must[[]meeting.Meeting](t)(s.Meetings().List(t.Context(), c.filter)) {
			got = append(got, strings.TrimPrefix(string(m.ID), "mtg_00000"))
			equal(t, m.Version, 1)
		}
		if fmt.Sprint(got) != c.want {
			t.Errorf("%+v: got %v, want %s", c.filter, got, c.want)
		}
	}
}

func readOn(t *testing.T, e Engine) {
	s := e.Open(t)
	c := create(t, s, newMeeting(1))
	for range 5 {
		c = next(c, meeting.KindMessage)
		c.Messages = []meeting.Message{{
			ID: meeting.MessageID(fmt.Sprint("msg_", 9-c.Meeting.Seq)), Meeting: c.Meeting.ID, Seq: c.Meeting.Seq, Text: "…", At: t0(),
		}}
		save(t, s, c)
	}
	seqs := func(after int64, limit int) string {
		var got []int64
		for _, e := range must[[]meeting.Event](t)(s.Meetings().Events(t.Context(), c.Meeting.ID, after, limit)) {
			got = append(got, e.Seq)
		}
		for _, m := range must[[]meeting.Message](t)(s.Meetings().Messages(t.Context(), c.Meeting.ID, after, limit)) {
			got = append(got, -m.Seq)
		}
		return fmt.Sprint(got)
	}
	equal(t, seqs(0, 3), "[1 2 3 -2 -3 -4]")
	equal(t, seqs(4, 3), "[5 6 -5 -6]")
	equal(t, seqs(6, 3), "[]")
}

func expiredKey(t *testing.T, e Engine) {
	s := e.Open(t)
	first := create(t, s, full(1))
	key := *first.Key

	late := full(2)
	late.Key = &meeting.Key{Owner: key.Owner, Key: key.Key, Hash: "h2", Meeting: late.Meeting.ID, Expires: after(3 * time.Hour)}
	late.Events[0].At = after(time.Hour - time.Millisecond)
	if err := s.Meetings().Create(t.Context(), late); !errors.Is(err, meeting.ErrTaken) {
		t.Fatalf("a key that holds: %v", err)
	}
	if _, err := s.Meetings().KeyOf(t.Context(), key.Owner, key.Key, key.Expires); !errors.Is(err, meeting.ErrNoRow) {
		t.Fatalf("an expired key: %v", err)
	}
	late.Events[0].At = after(time.Hour)
	create(t, s, late)
	equal(t, must[meeting.Key](t)(s.Meetings().KeyOf(t.Context(), key.Owner, key.Key, after(time.Hour))), *late.Key)

	create(t, s, full(3))
	equal(t, must[int64](t)(s.Meetings().Prune(t.Context(), after(2*time.Hour))), 1)
	equal(t, must[int64](t)(s.Meetings().Prune(t.Context(), after(2*time.Hour))), 0)
	must[meeting.Key](t)(s.Meetings().KeyOf(t.Context(), key.Owner, key.Key, t0()))
}

func due(t *testing.T, e Engine) {
	s := e.Open(t)
	for n, d := range []time.Duration{3 * time.Second, time.Second, 2 * time.Second, 9 * time.Second, 8 * time.Second} {
		c := newMeeting(n)
		c.Meeting.Due = after(d)
		create(t, s, log(c))
	}
	over := newMeeting(5)
	over.Meeting.State, over.Meeting.Due = meeting.Ended, time.Time{}
	create(t, s, log(over))

	for _, c := range []struct {
		at    time.Duration
		limit int
		want  string
		next  time.Duration
	}{
		{0, 10, "[]", time.Second},
		{2 * time.Second, 10, "[mtg_000001 mtg_000002]", 3 * time.Second},
		{3 * time.Second, 2, "[mtg_000001 mtg_000002]", 8 * time.Second},
		{time.Hour, 10, "[mtg_000001 mtg_000002 mtg_000000 mtg_000004 mtg_000003]", 0},
	} {
		ids, next, err := s.Meetings().Due(t.Context(), after(c.at), c.limit)
		ok(t, err)
		equal(t, fmt.Sprint(ids), c.want)
		if c.next == 0 {
			equal(t, next, time.Time{})
		} else {
			equal(t, next, after(c.next))
		}
	}
}

func presence(t *testing.T, e Engine) {
	v, ctx := e.Open(t).Meetings(), t.Context()
	p := func(m meeting.ID, who meeting.ParticipantID, d time.Duration) meeting.Presence {
		return meeting.Presence{Meeting: m, Participant: who, Until: after(d)}
	}
	ok(t, v.Seen(ctx, nil))
	ok(t, v.Seen(ctx, []meeting.Presence{p("m1", "a", 1), p("m1", "b", 2e9), p("m2", "a", 3e9), p("m1", "a", 1e9), p("m3", "c", 9e9)}))
	ok(t, v.Seen(ctx, []meeting.Presence{p("m2", "a", 4e9)}))
	equal(t, len(must[[]meeting.Presence](t)(v.Absent(ctx, t0(), 10))), 0)
	equal(t, must[[]meeting.Presence](t)(v.Absent(ctx, after(2*time.Second), 1)), []meeting.Presence{p("m1", "a", 1e9)})
	equal(t, must[[]meeting.Presence](t)(v.Absent(ctx, after(2*time.Second), 9)), []meeting.Presence{p("m1", "b", 2e9)})

	ok(t, v.Renew(ctx, after(6*time.Second)))
	equal(t, len(must[[]meeting.Presence](t)(v.Absent(ctx, after(5*time.Second), 9))), 0)
	equal(t, must[[]meeting.Presence](t)(v.Absent(ctx, after(6*time.Second), 9)), []meeting.Presence{p("m2", "a", 6e9)})

	ok(t, v.Seen(ctx, []meeting.Presence{p("m1", "a", 1e9), p("m1", "b", 1e9), p("m2", "a", 1e9), p("m2", "b", 1e9)}))
	ok(t, v.Forget(ctx, "m1", ""))
	ok(t, v.Forget(ctx, "m2", "a"))
	ok(t, v.Forget(ctx, "m3", "nobody"))
	equal(t, must[[]meeting.Presence](t)(v.Absent(ctx, after(time.Hour), 9)), []meeting.Presence{p("m2", "b", 1e9), p("m3", "c", 9e9)})
}

// notes: one of each author, those taken back are gone.
func notes(t *testing.T, e Engine) {
	s := e.Open(t)
	c := create(t, s, newMeeting(1))
	other := create(t, s, full(2))
	put := func(ns ...meeting.Note) {
		c = next(c, meeting.KindNote)
		c.Notes = ns
		save(t, s, c)
	}
	note := func(author meeting.AgentKey, text string, d time.Duration) meeting.Note {
		return meeting.Note{Author: author, Name: "N " + string(author), Text: text, At: after(d)}
	}
	texts := func() string {
		var all []string
		for _, n := range must[[]meeting.Note](t)(s.Meetings().Notes(t.Context(), c.Meeting.ID)) {
			all = append(all, string(n.Author)+"="+n.Text)
		}
		return strings.Join(all, " ")
	}
	equal(t, texts(), "")
	put(note("b", "1", 1e9), note("a", "2", 1e9))
	put(note("c", "3", 2e9))
	equal(t, texts(), "a=2 b=1 c=3")
	put(note("a", "4", 3e9))
	put(note("b", "", 4e9))
	equal(t, texts(), "c=3 a=4")
	put(note("b", "5", 5e9))
	equal(t, texts(), "c=3 a=4 b=5")

	stale := next(c, meeting.KindNote)
	stale.Meeting.Version++
	stale.Notes = []meeting.Note{note("a", "lost", 6e9)}
	if err := s.Meetings().Save(t.Context(), stale); !errors.Is(err, meeting.ErrStale) {
		t.Fatal(err)
	}
	equal(t, texts(), "c=3 a=4 b=5")
	equal(t, must[[]meeting.Note](t)(s.Meetings().Notes(t.Context(), other.Meeting.ID)), other.Notes)
}

// invitations of a meeting come in the order of their ids.
func invitations(t *testing.T, e Engine) {
	s := e.Open(t)
	create(t, s, full(2))
	c := newMeeting(1)
	for _, id := range []meeting.InvitationID{"inv_c", "inv_a", "inv_b"} {
		c.Invitations = append(c.Invitations, meeting.Invitation{ID: id, Meeting: c.Meeting.ID, Role: meeting.Visitor, CreatedAt: t0(), ExpiresAt: after(time.Hour)})
	}
	create(t, s, c)
	got := must[[]meeting.Invitation](t)(s.Meetings().Invitations(t.Context(), c.Meeting.ID))
	equal(t, got, []meeting.Invitation{c.Invitations[1], c.Invitations[2], c.Invitations[0]})
	equal(t, len(must[[]meeting.Invitation](t)(s.Meetings().Invitations(t.Context(), "mtg_none"))), 0)
}

// resume: after a mark, meetings to which nobody came back end, and in active
// ones those who are missing get time.
func resume(t *testing.T, e Engine) {
	s := e.Open(t)
	v, ctx := s.Meetings(), t.Context()
	for n, state := range []meeting.State{meeting.Active, meeting.Active, meeting.Requested, meeting.Requested} {
		c := newMeeting(n)
		c.Meeting.State = state
		create(t, s, log(c))
	}
	p := func(m int, who meeting.ParticipantID, d time.Duration) meeting.Presence {
		return meeting.Presence{Meeting: meeting.ID(fmt.Sprintf("mtg_%06d", m)), Participant: who, Until: after(d)}
	}
	ok(t, v.Seen(ctx, []meeting.Presence{p(0, "a", 90e9), p(0, "b", 1e9), p(1, "a", 1e9), p(1, "b", 90e9), p(2, "a", 1e9), p(3, "a", 1e9)}))
	mark := after(20 * time.Second)
	ok(t, v.Mark(ctx, mark))
	equal(t, len(must[[]meeting.Presence](t)(v.Absent(ctx, after(19*time.Second), 9))), 0)
	ok(t, v.Seen(ctx, []meeting.Presence{p(1, "b", 63e9), p(3, "a", 23e9)}))
	ok(t, v.Resume(ctx, mark, after(8*time.Second), after(60*time.Second)))
	equal(t, must[[]meeting.Presence](t)(v.Absent(ctx, after(8*time.Second), 2)), []meeting.Presence{p(0, "a", 8e9), p(0, "b", 8e9)})
	equal(t, must[[]meeting.Presence](t)(v.Absent(ctx, after(8*time.Second), 9)), []meeting.Presence{p(2, "a", 8e9)})
	equal(t, must[[]meeting.Presence](t)(v.Absent(ctx, after(time.Hour), 9)), []meeting.Presence{p(3, "a", 23e9), p(1, "a", 60e9), p(1, "b", 63e9)})
}

// keptTime: the time that was written last is there, also an earlier one; and
// what waits is seen.
func keptTime(t *testing.T, e Engine) {
	s := e.Open(t)
	ctx := t.Context()
	waits := func(wantMeetings, wantDeliveries bool) {
		t.Helper()
		meetings, deliveries, err := s.Waiting(ctx)
		ok(t, err)
		equal(t, []bool{meetings, deliveries}, []bool{wantMeetings, wantDeliveries})
	}
	equal(t, must[time.Time](t)(s.Time(ctx)), time.Time{})
	for _, d := range []time.Duration{time.Hour, time.Second} {
		ok(t, s.KeepTime(ctx, after(d)))
		equal(t, must[time.Time](t)(s.Time(ctx)), after(d))
	}
	waits(false, false)
	c := create(t, s, newMeeting(1))
	waits(true, false)
	relayed(t, s, perMeeting)
	c = next(c)
	c.Meeting.Due = time.Time{}
	save(t, s, c)
	waits(false, true)
	finish(t, s, done(claim(t, s, t0())[0], outbox.Delivered, t0()))
	waits(false, false)
}
