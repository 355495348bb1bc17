package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"ringdown/meeting"
	"ringdown/store"
)

// ringsUnderSaves: while agents write to their phone calls, the same calls ring
// again, many in one batch. No batch fails, nothing of either side is lost.
func ringsUnderSaves(t *testing.T, e Engine) {
	const calls, times = 20, 15
	cfg := e.Fresh(t)
	a := OpenAt(t, cfg)
	b := a
	if e.Shared {
		b = OpenAt(t, cfg)
	}
	batch := func(n int) (cs []meeting.PhoneCall) {
		for i := range calls {
			cs = append(cs, phoneCall(fmt.Sprintf("phc_%02d", (i+n)%calls), "a1", "", after(time.Duration(n)*time.Second)))
		}
		return cs
	}
	ok(t, a.Phones().PutPhoneCalls(t.Context(), batch(0)))
	var all sync.WaitGroup
	for _, s := range []*store.Store{a, b} {
		all.Go(func() {
			for n := range times {
				if err := s.Phones().PutPhoneCalls(t.Context(), batch(n+1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, c := range batch(0) {
		all.Go(func() {
			for saved := 0; saved < times; {
				c, err := b.Phones().PhoneCall(t.Context(), c.ID)
				if err != nil {
					t.Error(err)
					return
				}
				c.Version++
				c.Note += "."
				switch err := b.Phones().SavePhoneCall(t.Context(), c); {
				case err == nil:
					saved++
				case !errors.Is(err, meeting.ErrStale):
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	for _, c := range batch(times) {
		got := must[meeting.PhoneCall](t)(a.Phones().PhoneCall(t.Context(), c.ID))
		if len(got.Note) != times || !got.RungAt.Equal(c.RungAt) || got.Version <= times {
			t.Errorf("%s: %d notes, rang at %s, version %d", c.ID, len(got.Note), got.RungAt, got.Version)
		}
	}
}

// ringsInOneBatch: of several rings of one call the latest counts, whatever their
// order.
func ringsInOneBatch(t *testing.T, e Engine) {
	s := e.Open(t).Phones()
	first, last := phoneCall("phc_1", "a1", "", t0()), phoneCall("phc_1", "a1", "", after(time.Second))
	last.Trust = meeting.Trust{Why: "no_proof"}
	ok(t, s.PutPhoneCalls(t.Context(), nil))
	ok(t, s.PutPhoneCalls(t.Context(), []meeting.PhoneCall{last, first}))
	last.Version = 1
	equal(t, must[meeting.PhoneCall](t)(s.PhoneCall(t.Context(), "phc_1")), last)
}

// manyEnded: thousands of phone calls that ended are removed in one go, the
// others stay.
func manyEnded(t *testing.T, e Engine) {
	s := e.Open(t).Phones()
	var cs []meeting.PhoneCall
	for i := range 2500 {
		cs = append(cs, phoneCall(fmt.Sprint("phc_", i), "a1", "", after(time.Duration(i)*time.Second)))
	}
	ok(t, s.PutPhoneCalls(t.Context(), cs))
	equal(t, must[int64](t)(s.PrunePhoneCalls(t.Context(), after(24*time.Hour+2399*time.Second))), 2400)
	equal(t, len(must[[]meeting.PhoneCall](t)(s.PhoneCallsOf(t.Context(), "phone/one", "a1", t0(), 1000))), 100)
}

// journalsOfSeveral: each desk has its own thousand lines, however many another
// one writes.
func journalsOfSeveral(t *testing.T, e Engine) {
	s := e.Open(t)
	for n := range 15 {
		var rows []store.JournalRow
		for i := range 100 {
			at := after(time.Duration(n*100+i) * time.Second)
			rows = append(rows, store.JournalRow{Desk: "phone/one", Kind: "request", At: at, Doc: `{}`})
			for range 4 {
				rows = append(rows, store.JournalRow{Desk: "phone/two", Kind: "refused", At: at, Doc: `{}`})
			}
		}
		ok(t, s.AppendJournal(t.Context(), rows))
	}
	for _, desk := range []string{"phone/one", "phone/two"} {
		equal(t, len(must[[]store.JournalRow](t)(s.Journal(t.Context(), desk, "", 2000))), 1000)
	}
	equal(t, must[[]store.JournalRow](t)(s.Journal(t.Context(), "phone/one", "", 1))[0].At, after(1499*time.Second))
}

// loginRaces: of eight logins for one user one is tied, and everybody reads which,
// until it is forgotten.
func loginRaces(t *testing.T, e Engine) {
	s := e.Open(t)
	var all sync.WaitGroup
	bound := make([]string, 8)
	for i := range bound {
		all.Go(func() {
			var err error
			if bound[i], err = s.BindLogin(t.Context(), "phone/one", "12", fmt.Sprint("login", i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, b := range bound {
		if b == "" || b != bound[0] {
			t.Errorf("tied: %v", bound)
		}
	}
	ok(t, s.ForgetLogin(t.Context(), "phone/one", "12"))
	for _, who := range [][2]string{{"phone/one", "12"}, {"phone/two", "12"}} {
		if err := s.ForgetLogin(t.Context(), who[0], who[1]); !errors.Is(err, meeting.ErrNoRow) {
			t.Error(err)
		}
	}
	equal(t, must[string](t)(s.BindLogin(t.Context(), "phone/one", "12", "ada")), "ada")
}
