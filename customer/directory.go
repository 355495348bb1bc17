package customer

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"ringdown/fault"
)

const (
	ownSource    = "ringdown"
	contactsKept = 13 * 31 * 24 * time.Hour // as long as calls are kept
	pruneEvery   = 6 * time.Hour
	searchFor    = 3 * time.Second // a source that has not answered is left out
)

// Directory knows customers from every source, and what was said with them. Our
// own records come first, then the sources in their order. Safe for concurrent
// use.
type Directory struct {
	region  string
	sources []Source
	store   Store
	now     func() time.Time
	log     *slog.Logger
}

// NewDirectory makes a Directory of a checked Config; do is how HTTP sources ask.
func NewDirectory(cfg Config, store Store, way func(allow string) (Doer, error), now func() time.Time, log *slog.Logger) (*Directory, error) {
	d := &Directory{region: cmp.Or(cfg.Region, DefaultRegion), store: store, now: now, log: log}
	for i, s := range cfg.Sources {
		var one Source
		var err error
		if s.File != nil {
			one, err = newFileSource(s, d.region, now, log.With("source", s.Name))
		} else {
			one, err = newHTTPSource(s, d.region, way, now)
		}
		if err != nil {
			return nil, fmt.Errorf("customers.sources[%d]: %w", i, err)
		}
		d.sources = append(d.sources, one)
	}
	return d, nil
}

// Configured tells whether there is any source beside our own records.
func (d *Directory) Configured() bool { return len(d.sources) > 0 }

// Number gives a number in E.164, by the configured region; "" if it is none.
func (d *Directory) Number(raw string) Phone { return Number(raw, d.region) }

// find asks our own records, then each source. A source that does not answer is
// passed over; if nobody knows and one of them did not answer, that is a fault
// Unavailable.
func (d *Directory) find(own func() (Record, error), ask func(Source) (Record, error)) (Record, error) {
	var down error
	r, err := own()
	if err == nil {
		return r, nil
	}
	if !errors.Is(err, ErrNone) {
		down = err
	}
	for _, s := range d.sources {
		r, err := ask(s)
		if err == nil {
			return r, nil
		}
		if !errors.Is(err, ErrNone) {
			down = fmt.Errorf("source %s: %w", s.Name(), err)
		}
	}
	if down != nil {
		return Record{}, fault.New(fault.Unavailable, "the customer file does not answer").Because(down)
	}
	return Record{}, fault.New(fault.NotFound, "no customer is known by that")
}

// ByPhone finds by a number in E.164.
func (d *Directory) ByPhone(ctx context.Context, n Phone) (Record, error) {
	if n == "" {
		return Record{}, fault.New(fault.NotFound, "no customer is known by that")
	}
	return d.find(func() (Record, error) { return d.store.CustomerByPhone(ctx, n) },
		func(s Source) (Record, error) { return s.ByPhone(ctx, n) })
}

// ByEmail finds by a mail address, in any case.
func (d *Directory) ByEmail(ctx context.Context, mail string) (Record, error) {
	mail = strings.ToLower(strings.TrimSpace(mail))
	return d.find(func() (Record, error) { return d.store.CustomerByEmail(ctx, mail) },
		func(s Source) (Record, error) { return s.ByEmail(ctx, mail) })
}

// ByExternalID finds by the operator's own id.
func (d *Directory) ByExternalID(ctx context.Context, id string) (Record, error) {
	id = strings.TrimSpace(id)
	return d.find(func() (Record, error) { return d.store.CustomerByExternalID(ctx, id) },
		func(s Source) (Record, error) { return s.ByExternalID(ctx, id) })
}

// ByID finds by a record's own id: "<source>:<external id>", or ours.
func (d *Directory) ByID(ctx context.Context, id string) (Record, error) {
	none := func() (Record, error) { return Record{}, ErrNone }
	source, rest, found := strings.Cut(id, ":")
	if !found {
		return d.find(func() (Record, error) { return d.store.Customer(ctx, id) }, func(Source) (Record, error) { return none() })
	}
	return d.find(none, func(s Source) (Record, error) {
		if s.Name() != source {
			return none()
		}
		return s.ByExternalID(ctx, rest)
	})
}

// Search finds records everywhere, best first. A source that does not answer in
// time is left out.
func (d *Directory) Search(ctx context.Context, typed string, limit int) ([]Record, error) {
	ctx, cancel := context.WithTimeout(ctx, searchFor)
	defer cancel()
	words := asked(typed)
	if len(words) == 0 || limit <= 0 {
		return nil, nil
	}
	parts := make([][]Record, len(d.sources)+1)
	var all sync.WaitGroup
	var ownErr error
	all.Go(func() { parts[0], ownErr = d.store.SearchCustomers(ctx, words, limit) })
	for i, s := range d.sources {
		all.Go(func() {
			found, err := s.Search(ctx, typed, limit)
			if err != nil && !errors.Is(err, ErrNone) {
				d.log.WarnContext(ctx, "a customer source cannot be searched", "source", s.Name(), "err", err)
			}
			parts[i+1] = found
		})
	}
	all.Wait()
	if ownErr != nil {
		return nil, fault.New(fault.Unavailable, "customers cannot be searched right now; try again").Because(ownErr)
	}
	found := slices.Concat(parts...)
	seen := map[string]bool{}
	found = slices.DeleteFunc(found, func(r Record) bool {
		again := seen[r.ID]
		seen[r.ID] = true
		return again
	})
	slices.SortStableFunc(found, func(a, b Record) int { return score(wordsOf(b), words) - score(wordsOf(a), words) })
	return found[:min(len(found), limit)], nil
}

// Create makes a record of our own.
func (d *Directory) Create(ctx context.Context, r Record) (Record, error) {
	if r.Name == "" && r.Company == "" {
		return r, fault.NewInvalid("/name", "must not be empty")
	}
	r.ID = "cus_" + ulid.MustNew(ulid.Timestamp(d.now()), rand.Reader).String()
	r.Source, r.AsOf, r.Stale = ownSource, d.now().UTC().Truncate(time.Millisecond), false
	r.Email = strings.ToLower(r.Email)
	if err := d.store.AddCustomer(ctx, r, wordsOf(r)); err != nil {
		return r, fault.New(fault.Unavailable, "the record cannot be stored right now; try again").Because(err)
	}
	return r, nil
}

// Contacts are the last contacts with a number, of a record, or either.
func (d *Directory) Contacts(ctx context.Context, n Phone, record string, limit int) ([]Contact, error) {
	cs, err := d.store.Contacts(ctx, n, record, limit)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "earlier contacts cannot be read right now; try again").Because(err)
	}
	return cs, nil
}

// Note keeps a contact; the same ID again replaces it.
func (d *Directory) Note(ctx context.Context, c Contact) error {
	if err := d.store.PutContact(ctx, c); err != nil {
		return fault.New(fault.Unavailable, "this cannot be stored right now; try again").Because(err)
	}
	return nil
}

// Run keeps the sources up to date and removes old contacts, until ctx ends.
func (d *Directory) Run(ctx context.Context) error {
	var all sync.WaitGroup
	for _, s := range d.sources {
		all.Go(func() {
			if err := s.Run(ctx); err != nil && ctx.Err() == nil {
				d.log.ErrorContext(ctx, "a customer source has stopped", "source", s.Name(), "err", err)
			}
		})
	}
	every := time.NewTicker(pruneEvery)
	defer every.Stop()
	for {
		if _, err := d.store.PruneContacts(ctx, d.now().Add(-contactsKept)); err != nil && ctx.Err() == nil {
			d.log.WarnContext(ctx, "old contacts cannot be removed", "err", err)
		}
		select {
		case <-ctx.Done():
			all.Wait()
			return nil
		case <-every.C:
		}
	}
}
