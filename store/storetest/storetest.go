package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/store"
)

// Run runs the whole suite on one engine, each case on a database of its own.
func Run(t *testing.T, e Engine) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, Engine)
	}{
		{"a change is stored whole", wholeChange},
		{"a stale change writes nothing", staleChange},
		{"taken keys write nothing", takenKeys},
		{"lists go from new to old", lists},
		{"messages and events are read on from a number", readOn},
		{"an expired idempotency key is free", expiredKey},
		{"meetings come due in order", due},
		{"presence", presence},
		{"resuming after a start", resume},
		{"the time is kept", keptTime},
		{"notes", notes},
		{"invitations", invitations},
		{"everything is there after a restart", restart},
		{"signing keys: the first one stays", signingKeys},
		{"API keys", apiKeys},
		{"phone calls", phones},
		{"what desks asked, and whose login is whose", desks},
		{"calls ring again while they are saved", ringsUnderSaves},
		{"several rings of one call in a batch", ringsInOneBatch},
		{"thousands of phone calls end", manyEnded},
		{"each desk has its journal", journalsOfSeveral},
		{"one of eight logins is tied", loginRaces},
		{"customers and contacts", customers},
		{"dispatches", dispatches},
		{"values stay out of errors", quietErrors},
		{"one of eight saves wins", saveRaces},
		{"one of eight requests gets the key", keyRaces},
		{"readers see what is committed", committed},

		{"relay writes each event's deliveries once", relay},
		{"a refused relay leaves the events", relayFails},
		{"heads only, and in order", heads},
		{"a lease runs out", leases},
		{"only the holder ends a lease", finishLate},
		{"deliveries expire", expire},
		{"requeue puts a delivery before its followers", requeue},
		{"next due knows what waits for what", nextDue},
		{"lists and counts of deliveries", ledger},
		{"a target at its bound is left out", roomPerTarget},
		{"a replay goes beside what happens now", replayedBeside},
		{"replayed ones leave room", replayedShare},
		{"what ended long ago is removed", prune},
		{"D5: nothing vanishes in random histories", randomHistories},
		{"wakes after commits", wakes},
		{"order per dest under concurrent writers", orderUnderWriters},

		{"several nodes deliver once and in order", severalNodes},
		{"a requeue meets claims", requeueUnderClaims},
		{"one node's lease passes to another", leaseOfTheDead},
		{"nodes start together", startTogether},
		{"wakes reach other nodes", wakesAcross},
		{"changes reach other nodes with their meeting", changesAcross},
		{"a cut listener comes back", listenerCut},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, e) })
	}
}

// t0 is when every story starts.
func t0() time.Time { return time.Date(2026, 3, 29, 0, 59, 59, 123e6, time.UTC) }

func after(d time.Duration) time.Time { return t0().Add(d) }

// newMeeting is the change that creates meeting number n of a story.
func newMeeting(n int) meeting.Change {
	id := meeting.ID(fmt.Sprintf("mtg_%06d", n))
	m := meeting.Meeting{
		ID: id, Code: meeting.Code(fmt.Sprintf("code%06d", n)), Version: 1, State: meeting.Planned, Queue: "sales",
		Visitor: meeting.Person{Name: "Zoë"}, Participants: []meeting.Participant{{ID: "par_1", Role: meeting.Visitor}},
		CreatedAt: t0(), Due: after(time.Minute),
	}
	return log(meeting.Change{Meeting: m}, meeting.KindCreated)
}

// next is the change that follows c.
func next(c meeting.Change, kinds ...meeting.Kind) meeting.Change {
	m := c.Meeting
	m.Version++
	return log(meeting.Change{Meeting: m}, kinds...)
}

func log(c meeting.Change, kinds ...meeting.Kind) meeting.Change {
	for _, k := range kinds {
		c.Meeting.Seq++
		c.Events = append(c.Events, meeting.Event{
			ID: meeting.EventID(fmt.Sprintf("evt_%s_%03d", c.Meeting.ID, c.Meeting.Seq)), Meeting: c.Meeting.ID,
			Seq: c.Meeting.Seq, Kind: k, At: t0(),
		})
	}
	for i := range c.Events {
		c.Events[i].Snapshot = c.Meeting
		c.Events[i].Snapshot.Version = 0 // is not stored with an event
	}
	return c
}

func create(t testing.TB, s *store.Store, c meeting.Change) meeting.Change {
	t.Helper()
	ok(t, s.Meetings().Create(t.Context(), c))
	return c
}

func save(t testing.TB, s *store.Store, c meeting.Change) meeting.Change {
	t.Helper()
	ok(t, s.Meetings().Save(t.Context(), c))
	return c
}

// perMeeting drafts one delivery per event, in order per meeting.
func perMeeting(ev meeting.Event) []outbox.Draft {
	return []outbox.Draft{{Target: "desk/main", Dest: "desk/main " + string(ev.Meeting), Body: []byte(fmt.Sprint(ev.Seq))}}
}

// relayed relays everything.
func relayed(t testing.TB, s *store.Store, draft func(meeting.Event) []outbox.Draft) {
	t.Helper()
	for {
		n, err := s.Outbox().Relay(t.Context(), 100, t0(), draft)
		ok(t, err)
		if n == 0 {
			return
		}
	}
}

// claim claims at a time with a lease of a minute.
func claim(t testing.TB, s *store.Store, now time.Time) []outbox.Delivery {
	t.Helper()
	list, err := s.Outbox().Claim(t.Context(), now, now.Add(time.Minute), room(100))
	ok(t, err)
	return list
}

// room is a Room that bounds only the whole.
func room(limit int) outbox.Room {
	return outbox.Room{Limit: limit, Target: 1000, Replayed: 1000}
}

// bodies are the bodies of deliveries, as "1 2 3".
func bodies(list []outbox.Delivery) string {
	var b []string
	for _, d := range list {
		b = append(b, string(d.Body))
	}
	return fmt.Sprint(b)
}

// done is an ended attempt that started at now.
func done(d outbox.Delivery, state outbox.State, now time.Time) outbox.Done {
	v := map[outbox.State]outbox.Verdict{outbox.Delivered: outbox.OK, outbox.Pending: outbox.Retry}[state]
	if v == "" {
		v = outbox.GiveUp
	}
	return outbox.Done{
		Attempt: outbox.Attempt{
			Delivery: d.ID, N: d.Attempts + 1, At: now, Took: 1500 * time.Microsecond, Verdict: v, Reason: "status_500", Status: 500,
		},
		State: state, Next: now.Add(5 * time.Second),
	}
}

func finish(t testing.TB, s *store.Store, ds ...outbox.Done) {
	t.Helper()
	ok(t, s.Outbox().Finish(t.Context(), ds))
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T any](t testing.TB, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got\n%+v\nwant\n%+v", got, want)
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		ok(t, err)
		return v
	}
}
