package customer

import (
	"context"
	"errors"
	"time"
)

// Source is one place that knows customers. Errors: ErrNone, or what kept it from
// answering. Safe for concurrent use.
type Source interface {
	Name() string
	ByPhone(ctx context.Context, n Phone) (Record, error)
	ByEmail(ctx context.Context, mail string) (Record, error)
	ByExternalID(ctx context.Context, id string) (Record, error)
	// Search returns at most limit records, in any order.
	Search(ctx context.Context, typed string, limit int) ([]Record, error)
	// Run keeps it up to date, until ctx ends.
	Run(ctx context.Context) error
}

// ErrNone is a source's answer that it knows nobody like that.
var ErrNone = errors.New("no such customer")

// Store keeps our own records and the contacts. Safe for concurrent use.
type Store interface {
	AddCustomer(ctx context.Context, r Record, words string) error
	// Customer and the three below return a record or ErrNone.
	Customer(ctx context.Context, id string) (Record, error)
	CustomerByPhone(ctx context.Context, n Phone) (Record, error)
	CustomerByEmail(ctx context.Context, mail string) (Record, error)
	CustomerByExternalID(ctx context.Context, id string) (Record, error)
	// SearchCustomers returns records whose words hold all of these, the newest
	// first, at most limit.
	SearchCustomers(ctx context.Context, words []string, limit int) ([]Record, error)
	// PutContact inserts or replaces a contact by its ID.
	PutContact(ctx context.Context, c Contact) error
	// Contacts are those with the number or of the record, newest first.
	Contacts(ctx context.Context, n Phone, record string, limit int) ([]Contact, error)
	// PruneContacts removes those before a time and returns how many.
	PruneContacts(ctx context.Context, before time.Time) (int64, error)
}
