package storetest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringdown/meeting"
	"ringdown/store"
)

const (
	races  = 1000
	racers = 8
)

// race calls run with 0 to racers-1 at the same time and returns how many calls
// returned nil. Any other error than lost fails the test.
func race(t *testing.T, lost error, run func(i int) error) int {
	t.Helper()
	var wins atomic.Int64
	var all sync.WaitGroup
	start := make(chan struct{})
	for i := range racers {
		all.Go(func() {
			<-start
			err := run(i)
			if err == nil {
				wins.Add(1)
			} else if !errors.Is(err, lost) {
				t.Error(err)
			}
		})
	}
	close(start)
	all.Wait()
	return int(wins.Load())
}

func saveRaces(t *testing.T, e Engine) {
	s := e.Open(t)
	c := create(t, s, newMeeting(1))
	for n := range races {
		change := next(c, meeting.KindMessage)
		wins := race(t, meeting.ErrStale, func(i int) error {
			mine := change
			mine.Meeting.Topic = fmt.Sprint(n, " ", i)
			return s.Meetings().Save(t.Context(), mine)
		})
		if wins != 1 {
			t.Fatalf("race %d has %d winners", n, wins)
		}
		c = change
	}
	m := must[meeting.Meeting](t)(s.Meetings().ByID(t.Context(), c.Meeting.ID))
	equal(t, m.Version, races+1)
	if !strings.HasPrefix(m.Topic, fmt.Sprint(races-1, " ")) {
		t.Errorf("the last winner is not stored: %s", m.Topic)
	}
}

func keyRaces(t *testing.T, e Engine) {
	s := e.Open(t)
	for n := range 50 {
		wins := race(t, meeting.ErrTaken, func(i int) error {
			c := full(n*racers + i)
			c.Key.Key = fmt.Sprint("key", n)
			// Everybody brings both refs of another race, in either order.
			c.Refs = []meeting.Ref{{Vendor: "v", Key: fmt.Sprint(n, i%2)}, {Vendor: "v", Key: fmt.Sprint(n, 1-i%2)}}
			return s.Meetings().Create(t.Context(), c)
		})
		if wins != 1 {
			t.Fatalf("race %d has %d winners", n, wins)
		}
		k := must[meeting.Key](t)(s.Meetings().KeyOf(t.Context(), "site:shop", fmt.Sprint("key", n), t0()))
		must[meeting.Meeting](t)(s.Meetings().ByID(t.Context(), k.Meeting))
	}
	equal(t, len(must[[]meeting.Meeting](t)(s.Meetings().List(t.Context(), meeting.Filter{}))), 50)
}

// committed: from the moment Save returns every reader sees it, and meanwhile
// meeting and log always fit each other.
func committed(t *testing.T, e Engine) {
	s := e.Open(t)
	c := create(t, s, newMeeting(1))
	id := c.Meeting.ID
	var seen atomic.Int64
	seen.Store(1)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				least := seen.Load()
				m, err := s.Meetings().ByID(t.Context(), id)
				if err != nil || m.Version < least || m.Seq != m.Version {
					t.Errorf("read version %d with seq %d (%v) when %d was committed", m.Version, m.Seq, err, least)
					return
				}
				evs, err := s.Meetings().Events(t.Context(), id, 0, 1000)
				if err != nil || int64(len(evs)) < m.Seq {
					t.Errorf("read %d events (%v) of a meeting with seq %d", len(evs), err, m.Seq)
					return
				}
			}
		})
	}
	for range 100 {
		c = save(t, s, next(c, meeting.KindMessage))
		seen.Store(c.Meeting.Version)
	}
	close(stop)
	readers.Wait()
}

func restart(t *testing.T, e Engine) {
	cfg := e.Fresh(t)
	s := OpenAt(t, cfg)
	c := create(t, s, full(1))
	ok(t, s.AddSigningKey(t.Context(), store.Key{ID: "k", Secret: make([]byte, 32), CreatedAt: t0()}))
	ok(t, s.Meetings().Seen(t.Context(), []meeting.Presence{{Meeting: c.Meeting.ID, Participant: "par_1", Until: t0()}}))
	relayed(t, s, perMeeting)
	held := claim(t, s, t0())
	equal(t, len(held), 1)
	ok(t, s.Ping(t.Context()))

	if !e.Shared {
		_, err := store.Open(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "another ringdown (process ") || !strings.Contains(err.Error(), cfg.DataDir) {
			t.Fatalf("a second store on the same folder: %v", err)
		}
	}
	ok(t, s.Close())
	if s.Ping(t.Context()) == nil {
		t.Error("a closed store answers")
	}

	s = OpenAt(t, cfg)
	wants(t, s, c)
	equal(t, len(must[[]store.Key](t)(s.SigningKeys(t.Context()))), 1)
	equal(t, len(must[[]meeting.Presence](t)(s.Meetings().Absent(t.Context(), t0(), 1))), 1)
	now := t0()
	if e.Shared {
		now = after(time.Minute) // another node may live and hold the lease
	}
	again := claim(t, s, now)
	equal(t, again, held)
}

func signingKeys(t *testing.T, e Engine) {
	s := e.Open(t)
	race(t, nil, func(i int) error {
		return s.AddSigningKey(t.Context(), store.Key{ID: "same", Secret: []byte(strings.Repeat(fmt.Sprint(i), 32)), CreatedAt: after(time.Duration(i))})
	})
	keys := must[[]store.Key](t)(s.SigningKeys(t.Context()))
	equal(t, len(keys), 1)

	older := store.Key{ID: "old", Secret: []byte("\x00\xff old"), CreatedAt: after(-time.Hour), RetiredAt: after(time.Hour)}
	ok(t, s.AddSigningKey(t.Context(), older))
	ok(t, s.AddSigningKey(t.Context(), store.Key{ID: "old", Secret: []byte("late"), CreatedAt: t0()}))
	equal(t, must[[]store.Key](t)(s.SigningKeys(t.Context())), []store.Key{older, keys[0]})
	if text := fmt.Sprintf("%v %+v %#v %s", older, older, older, older); strings.Contains(text, "xff") || strings.Contains(text, "255") {
		t.Errorf("a key prints its secret: %s", text)
	}
}

// quietErrors breaks statements in several ways: no stored value may be in the
// text of what comes back.
func quietErrors(t *testing.T, e Engine) {
	s := e.Open(t)
	const canary = "canary"
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	orphan := newMeeting(1)
	orphan.Meeting.ID, orphan.Meeting.Topic = canary, canary // its event belongs to no meeting
	twice := newMeeting(2)
	twice.Meeting.Topic = canary
	twice.Events = append(twice.Events, twice.Events[0])
	broken := newMeeting(3)
	broken.Meeting.Code = canary + "\x00\xff"
	for name, err := range map[string]error{
		"cancelled":      s.Meetings().Create(cut, orphan),
		"foreign key":    s.Meetings().Create(t.Context(), orphan),
		"unique":         s.Meetings().Create(t.Context(), twice),
		"not text":       s.Meetings().Create(t.Context(), broken),
		"not text, read": second(s.Meetings().ByCode(t.Context(), canary+"\x00\xff")),
	} {
		if err == nil {
			if !strings.HasPrefix(name, "not text") { // SQLite takes it; the door does not
				t.Errorf("%s: no error", name)
			}
		} else if strings.Contains(err.Error(), canary) {
			t.Errorf("%s: the error quotes a value: %v", name, err)
		}
	}
	if err := s.Meetings().Create(cut, orphan); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := s.Meetings().ByID(t.Context(), "mtg_000002"); !errors.Is(err, meeting.ErrNoRow) {
		t.Errorf("a refused change left its meeting: %v", err)
	}
}
