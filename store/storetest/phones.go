package storetest

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"ringdown/customer"
	"ringdown/meeting"
	"ringdown/store"
)

func phoneCall(id, agent, ref string, rung time.Time) meeting.PhoneCall {
	return meeting.PhoneCall{
		ID: meeting.PhoneCallID(id), Desk: "phone/one", Ref: ref, Agent: meeting.Agent{Key: meeting.AgentKey(agent), Name: "Ada"},
		Caller: "06", Number: "+33600000000", Data: map[string]string{"USR_A": "b"}, RungAt: rung, OpenBy: rung.Add(time.Minute), ExpiresAt: rung.Add(24 * time.Hour),
		Trust: meeting.Trust{By: "secret"}, Decision: meeting.Decision{Action: "open", Event: "e"},
	}
}

// phones: a ring again changes what a ring says, and nothing that an agent wrote.
func phones(t *testing.T, e Engine) {
	cfg := e.Fresh(t)
	s := OpenAt(t, cfg).Phones()
	one, two := phoneCall("phc_1", "a1", "r1", t0()), phoneCall("phc_2", "a2", "r1", after(time.Second))
	ok(t, s.PutPhoneCalls(t.Context(), []meeting.PhoneCall{one, two}))
	one.Version, two.Version = 1, 1
	equal(t, must[meeting.PhoneCall](t)(s.PhoneCall(t.Context(), "phc_1")), one)
	if _, err := s.PhoneCall(t.Context(), "phc_9"); !errors.Is(err, meeting.ErrNoRow) {
		t.Error(err)
	}
	one.Version, one.Note, one.OpenedAt = 2, "hello", after(time.Second)
	ok(t, s.SavePhoneCall(t.Context(), one))
	if err := s.SavePhoneCall(t.Context(), one); !errors.Is(err, meeting.ErrStale) {
		t.Error(err)
	}
	again := phoneCall("phc_1", "a1", "r1", after(time.Minute))
	again.Trust = meeting.Trust{Why: "no_proof"}
	ok(t, s.PutPhoneCalls(t.Context(), []meeting.PhoneCall{again, phoneCall("phc_3", "a1", "", after(2*time.Minute)), phoneCall("phc_2", "a2", "r1", t0())}))
	one.Version, one.RungAt, one.OpenBy, one.ExpiresAt, one.Trust = 3, again.RungAt, again.OpenBy, again.ExpiresAt, again.Trust
	equal(t, must[meeting.PhoneCall](t)(s.PhoneCall(t.Context(), "phc_1")), one)
	equal(t, must[meeting.PhoneCall](t)(s.PhoneCall(t.Context(), "phc_2")), two) // an older ring changes nothing

	ids := func(cs []meeting.PhoneCall, err error) (out []meeting.PhoneCallID) {
		ok(t, err)
		for _, c := range cs {
			out = append(out, c.ID)
		}
		return out
	}
	equal(t, ids(s.PhoneCallsOf(t.Context(), "phone/one", "a1", t0(), 9)), []meeting.PhoneCallID{"phc_3", "phc_1"})
	equal(t, ids(s.PhoneCallsOf(t.Context(), "phone/one", "a1", after(90*time.Second), 9)), []meeting.PhoneCallID{"phc_3"})
	equal(t, ids(s.PhoneCallsOf(t.Context(), "phone/two", "a1", t0(), 9)), nil)
	equal(t, ids(s.PhoneCallsWith(t.Context(), "phone/one", "r1")), []meeting.PhoneCallID{"phc_2", "phc_1"})
	equal(t, ids(s.PhoneCallsWith(t.Context(), "phone/one", "")), nil)
	equal(t, must[int64](t)(s.PrunePhoneCalls(t.Context(), after(24*time.Hour+time.Second))), 1)

	var all sync.WaitGroup
	for n := range 8 { // the same rings at the same time, each once
		all.Go(func() {
			var batch []meeting.PhoneCall
			for i := range 50 {
				batch = append(batch, phoneCall(fmt.Sprint("phc_r", (i*7+n)%50), "a9", "", after(time.Duration(n)*time.Second)))
			}
			if err := s.PutPhoneCalls(t.Context(), batch); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got := must[[]meeting.PhoneCall](t)(s.PhoneCallsOf(t.Context(), "phone/one", "a9", t0(), 100))
	equal(t, len(got), 50)
	for _, c := range got {
		if !c.RungAt.Equal(after(7 * time.Second)) {
			t.Errorf("%s rang last at %s", c.ID, c.RungAt)
		}
	}
}

// desks: the journal forgets the oldest, the first login stays.
func desks(t *testing.T, e Engine) {
	s := OpenAt(t, e.Fresh(t))
	var rows []store.JournalRow
	for i := range 1100 {
		rows = append(rows, store.JournalRow{Desk: "phone/one", Kind: []string{"request", "refused"}[i%2], At: after(time.Duration(i) * time.Second), Doc: fmt.Sprint(`{"n":`, i, `}`)})
	}
	ok(t, s.AppendJournal(t.Context(), rows[:550]))
	ok(t, s.AppendJournal(t.Context(), rows[550:]))
	got := must[[]store.JournalRow](t)(s.Journal(t.Context(), "phone/one", "", 200))
	equal(t, got[:2], []store.JournalRow{rows[1099], rows[1098]})
	equal(t, must[[]store.JournalRow](t)(s.Journal(t.Context(), "", "refused", 1)), rows[1099:])
	equal(t, len(must[[]store.JournalRow](t)(s.Journal(t.Context(), "phone/two", "", 5))), 0)

	equal(t, must[string](t)(s.BindLogin(t.Context(), "phone/one", "12", "ada")), "ada")
	equal(t, must[string](t)(s.BindLogin(t.Context(), "phone/one", "12", "mallory")), "ada")
	equal(t, must[string](t)(s.BindLogin(t.Context(), "phone/two", "12", "bob")), "bob")
}

// customers: records are found by each of their keys and by words, contacts by
// number and record.
func customers(t *testing.T, e Engine) {
	s := OpenAt(t, e.Fresh(t)).Customers()
	r := customer.Record{ID: "cus_1", Name: "Zoé_ 100%", Email: "zoe@example.org", ExternalID: "47", Phones: []string{"+33600000001", "+33600000002"}, Source: "ringdown", AsOf: t0()}
	other := customer.Record{ID: "cus_2", Name: "Zoltan", Phones: []string{"+33600000002"}, Source: "ringdown", AsOf: after(time.Second)}
	ok(t, s.AddCustomer(t.Context(), r, "zoe_ 100% zoe@example.org 33600000001"))
	ok(t, s.AddCustomer(t.Context(), other, "zoltan 33600000002"))
	get := must[customer.Record](t)
	equal(t, get(s.Customer(t.Context(), "cus_1")), r)
	equal(t, get(s.CustomerByPhone(t.Context(), "+33600000001")), r)
	equal(t, get(s.CustomerByPhone(t.Context(), "+33600000002")), other) // the newest
	equal(t, get(s.CustomerByEmail(t.Context(), "zoe@example.org")), r)
	equal(t, get(s.CustomerByExternalID(t.Context(), "47")), r)
	for _, err := range []error{second(s.Customer(t.Context(), "x")), second(s.CustomerByEmail(t.Context(), "")), second(s.CustomerByExternalID(t.Context(), ""))} {
		if !errors.Is(err, customer.ErrNone) {
			t.Error(err)
		}
	}
	list := must[[]customer.Record](t)
	equal(t, list(s.SearchCustomers(t.Context(), []string{"zo"}, 9)), []customer.Record{other, r})
	equal(t, list(s.SearchCustomers(t.Context(), []string{"0%"}, 9)), []customer.Record{r})
	equal(t, list(s.SearchCustomers(t.Context(), []string{"e_"}, 9)), []customer.Record{r})
	equal(t, len(list(s.SearchCustomers(t.Context(), []string{"zo", "nobody"}, 9))), 0)

	c := customer.Contact{ID: "phc_1", Number: "+33600000001", Kind: "call", At: t0(), Agent: "Ada", Note: "first"}
	ok(t, s.PutContact(t.Context(), c))
	c.Note, c.Customer, c.Due = "second", "cus_1", after(time.Hour)
	ok(t, s.PutContact(t.Context(), c))
	later := customer.Contact{ID: "phc_2", Customer: "cus_1", Kind: "video", At: after(time.Minute), Length: time.Minute}
	ok(t, s.PutContact(t.Context(), later))
	contacts := must[[]customer.Contact](t)
	equal(t, contacts(s.Contacts(t.Context(), "+33600000001", "", 9)), []customer.Contact{c})
	equal(t, contacts(s.Contacts(t.Context(), "", "cus_1", 9)), []customer.Contact{later, c})
	equal(t, contacts(s.Contacts(t.Context(), "+33600000001", "cus_1", 1)), []customer.Contact{later})
	equal(t, len(contacts(s.Contacts(t.Context(), "", "", 9))), 0)
	equal(t, must[int64](t)(s.PruneContacts(t.Context(), after(time.Second))), 1)
}

// dispatches are stored with their meeting's change, replaced by id, and counted.
func dispatches(t *testing.T, e Engine) {
	s := OpenAt(t, e.Fresh(t)).Meetings()
	c := newMeeting(1)
	d := meeting.Dispatch{ID: "dsp_1", Meeting: c.Meeting.ID, Invitation: "inv_1", Channel: meeting.SMS, To: "+33600000001", By: "a1", State: meeting.DispatchQueued, CreatedAt: t0(), ChangedAt: t0()}
	c.Dispatches = []meeting.Dispatch{d}
	ok(t, s.Create(t.Context(), c))
	equal(t, must[meeting.Dispatch](t)(s.Dispatch(t.Context(), "dsp_1")), d)
	then := next(c)
	two := d
	two.ID, two.To, two.CreatedAt = "dsp_2", "+33600000002", after(time.Minute)
	d.State, d.SentAt = meeting.DispatchSent, after(time.Second)
	then.Dispatches = []meeting.Dispatch{d, two}
	ok(t, s.Save(t.Context(), then))
	equal(t, must[[]meeting.Dispatch](t)(s.Dispatches(t.Context(), c.Meeting.ID)), []meeting.Dispatch{d, two})
	limited := next(then)
	three := two
	three.ID = "dsp_3"
	limited.Dispatches = []meeting.Dispatch{three}
	limited.Limit = &meeting.DispatchLimit{By: "a1", To: "+33600000002", Since: t0(), PerAgent: 2, PerAddress: 3}
	if err, over := errors.AsType[meeting.OverLimitError](s.Save(t.Context(), limited)); !over || err.Address || err.N != 2 || !err.First.Equal(t0()) {
		t.Errorf("%+v %t", err, over)
	}
	limited.Limit.PerAgent, limited.Limit.PerAddress = 3, 1
	if err, over := errors.AsType[meeting.OverLimitError](s.Save(t.Context(), limited)); !over || !err.Address {
		t.Errorf("%+v %t", err, over)
	}
	for _, w := range []struct {
		f     meeting.DispatchFilter
		n     int
		first time.Time
	}{
		{meeting.DispatchFilter{By: "a1"}, 2, t0()},
		{meeting.DispatchFilter{By: "a1", Since: after(time.Second)}, 1, after(time.Minute)},
		{meeting.DispatchFilter{To: "+33600000001"}, 1, t0()},
		{meeting.DispatchFilter{Meeting: c.Meeting.ID}, 2, t0()},
		{meeting.DispatchFilter{By: "a2"}, 0, time.Time{}},
	} {
		n, first, err := s.CountDispatches(t.Context(), w.f)
		if ok(t, err); n != w.n || !first.Equal(w.first) {
			t.Errorf("%+v: %d from %s", w.f, n, first)
		}
	}
}
