package connectortest

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"ringdown/connectors"
	"ringdown/customer"
	"ringdown/fault"
	"ringdown/meeting"
)

// PhoneStore is a meeting.PhoneStore in memory. The zero value is empty.
type PhoneStore struct {
	mu    sync.Mutex
	calls map[meeting.PhoneCallID]meeting.PhoneCall
	hang  bool
}

var _ meeting.PhoneStore = (*PhoneStore)(nil)

// Hang makes every call wait for the end of its context.
func (s *PhoneStore) Hang(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hang = on
}

func (s *PhoneStore) do(ctx context.Context, f func() error) error {
	s.mu.Lock()
	hang := s.hang
	s.mu.Unlock()
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.calls == nil {
		s.calls = map[meeting.PhoneCallID]meeting.PhoneCall{}
	}
	return f()
}

// PutPhoneCalls is meeting.PhoneStore.
func (s *PhoneStore) PutPhoneCalls(ctx context.Context, cs []meeting.PhoneCall) error {
	return s.do(ctx, func() error {
		for _, c := range cs {
			if old, ok := s.calls[c.ID]; ok {
				v := old.Version + 1
				c = old.Rung(c)
				c.Version = v
			} else {
				c.Version = 1
			}
			s.calls[c.ID] = c
		}
		return nil
	})
}

// PhoneCall is meeting.PhoneStore.
func (s *PhoneStore) PhoneCall(ctx context.Context, id meeting.PhoneCallID) (c meeting.PhoneCall, err error) {
	return c, s.do(ctx, func() error {
		var ok bool
		if c, ok = s.calls[id]; !ok {
			return meeting.ErrNoRow
		}
		return nil
	})
}

// SavePhoneCall is meeting.PhoneStore.
func (s *PhoneStore) SavePhoneCall(ctx context.Context, c meeting.PhoneCall) error {
	return s.do(ctx, func() error {
		if s.calls[c.ID].Version != c.Version-1 {
			return meeting.ErrStale
		}
		s.calls[c.ID] = c
		return nil
	})
}

func (s *PhoneStore) list(ctx context.Context, fits func(meeting.PhoneCall) bool) (cs []meeting.PhoneCall, err error) {
	return cs, s.do(ctx, func() error {
		for _, c := range s.calls {
			if fits(c) {
				cs = append(cs, c)
			}
		}
		slices.SortFunc(cs, func(a, b meeting.PhoneCall) int {
			return cmp.Or(b.RungAt.Compare(a.RungAt), cmp.Compare(a.ID, b.ID))
		})
		return nil
	})
}

// PhoneCallsOf is meeting.PhoneStore.
func (s *PhoneStore) PhoneCallsOf(ctx context.Context, desk string, agent meeting.AgentKey, since time.Time, limit int) ([]meeting.PhoneCall, error) {
	cs, err := s.list(ctx, func(c meeting.PhoneCall) bool {
		return c.Desk == desk && c.Agent.Key == agent && !c.RungAt.Before(since)
	})
	return cs[:min(len(cs), limit)], err
}

// PhoneCallsWith is meeting.PhoneStore.
func (s *PhoneStore) PhoneCallsWith(ctx context.Context, desk, ref string) ([]meeting.PhoneCall, error) {
	cs, err := s.list(ctx, func(c meeting.PhoneCall) bool { return ref != "" && c.Desk == desk && c.Ref == ref })
	slices.Reverse(cs)
	return cs, err
}

// PrunePhoneCalls is meeting.PhoneStore.
func (s *PhoneStore) PrunePhoneCalls(ctx context.Context, now time.Time) (n int64, err error) {
	return n, s.do(ctx, func() error {
		for id, c := range s.calls {
			if !now.Before(c.ExpiresAt) {
				delete(s.calls, id)
				n++
			}
		}
		return nil
	})
}

// Customers is a connectors.Customers that knows what was put into it. The zero
// value is empty; every number with a plus is one.
type Customers struct {
	mu       sync.Mutex
	Records  []customer.Record
	contacts []customer.Contact
	// Asked counts look-ups.
	Asked int
	// Panic makes Number panic.
	Panic bool
}

var _ connectors.Customers = (*Customers)(nil)

func (c *Customers) find(fits func(customer.Record) bool) (customer.Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Asked++
	if i := slices.IndexFunc(c.Records, fits); i >= 0 {
		return c.Records[i], nil
	}
	return customer.Record{}, fault.New(fault.NotFound, "no customer is known by that")
}

// Number is connectors.Customers, in France.
func (c *Customers) Number(raw string) customer.Phone {
	if c.Panic {
		panic("a broken invariant")
	}
	return customer.Number(raw, "FR")
}

// ByID is connectors.Customers.
func (c *Customers) ByID(_ context.Context, id string) (customer.Record, error) {
	return c.find(func(r customer.Record) bool { return r.ID == id })
}

// ByPhone is connectors.Customers.
func (c *Customers) ByPhone(_ context.Context, n customer.Phone) (customer.Record, error) {
	return c.find(func(r customer.Record) bool { return slices.Contains(r.Phones, n) })
}

// ByEmail is connectors.Customers.
func (c *Customers) ByEmail(_ context.Context, mail string) (customer.Record, error) {
	return c.find(func(r customer.Record) bool { return r.Email == mail })
}

// ByExternalID is connectors.Customers.
func (c *Customers) ByExternalID(_ context.Context, id string) (customer.Record, error) {
	return c.find(func(r customer.Record) bool { return r.ExternalID == id })
}

// Search is connectors.Customers, by a part of the name.
func (c *Customers) Search(_ context.Context, words string, limit int) (found []customer.Record, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Asked++
	for _, r := range c.Records {
		if strings.Contains(r.Name, words) && len(found) < limit {
			found = append(found, r)
		}
	}
	return found, nil
}

// Create is connectors.Customers.
func (c *Customers) Create(_ context.Context, r customer.Record) (customer.Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.ID, r.Source = "cus_1", "ringdown"
	c.Records = append(c.Records, r)
	return r, nil
}

// Contacts is connectors.Customers.
func (c *Customers) Contacts(_ context.Context, n customer.Phone, record string, _ int) (found []customer.Contact, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Asked++
	for _, one := range slices.Backward(c.contacts) {
		if n != "" && one.Number == n || record != "" && one.Customer == record {
			found = append(found, one)
		}
	}
	return found, nil
}

// Note is connectors.Customers.
func (c *Customers) Note(_ context.Context, one customer.Contact) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.contacts = append(slices.DeleteFunc(c.contacts, func(o customer.Contact) bool { return o.ID == one.ID }), one)
	return nil
}

// Configured is connectors.Customers.
func (c *Customers) Configured() bool { return true }

// Journal is a connectors.Journal that keeps everything.
type Journal struct {
	mu      sync.Mutex
	entries []connectors.Entry
}

// Note is connectors.Journal.
func (j *Journal) Note(e connectors.Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
}

// Entries are all, oldest first.
func (j *Journal) Entries() []connectors.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

// Bindings is a connectors.Bindings in memory.
type Bindings struct {
	mu  sync.Mutex
	all map[string]string
}

// BindLogin is connectors.Bindings.
func (b *Bindings) BindLogin(_ context.Context, desk, user, login string) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.all == nil {
		b.all = map[string]string{}
	}
	if b.all[desk+user] == "" {
		b.all[desk+user] = login
	}
	return b.all[desk+user], nil
}
