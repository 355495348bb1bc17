package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ringdown/customer"
	"ringdown/meeting"
)

// Customers is the store as the customers' directory sees it.
func (s *Store) Customers() *Customers { return &Customers{s} }

// Customers is a customer.Store.
type Customers struct{ s *Store }

var _ customer.Store = (*Customers)(nil)

func scanDoc[T any](r scanner) (v T, err error) {
	var doc string
	if err := r.Scan(&doc); err != nil {
		return v, err
	}
	return v, json.Unmarshal([]byte(doc), &v)
}

// AddCustomer stores a record of our own; see customer.Store.
func (v *Customers) AddCustomer(ctx context.Context, r customer.Record, words string) error {
	doc, err := json.Marshal(r)
	if err != nil {
		return err
	}
	phones := make([][]any, len(r.Phones))
	for i, p := range r.Phones {
		phones[i] = []any{p, r.ID}
	}
	return v.s.change(ctx, "add customer", func(tx *sql.Tx) (bool, error) {
		_, err := insert(ctx, tx, `insert into customer (id, email, external_id, words, created_at, doc)`, ``, [][]any{
			{r.ID, r.Email, r.ExternalID, words, ms(r.AsOf), string(doc)},
		})
		if err == nil {
			_, err = insert(ctx, tx, `insert into customer_phone (number, customer)`, `on conflict do nothing`, phones)
		}
		return false, err
	})
}

func (v *Customers) one(ctx context.Context, where string, arg string) (customer.Record, error) {
	r, err := scanDoc[customer.Record](v.s.read.QueryRowContext(ctx, `select doc from customer `+where+` limit 1`, arg))
	if err = v.s.explain(ctx, "read customer", err); errors.Is(err, meeting.ErrNoRow) {
		err = customer.ErrNone
	}
	return r, err
}

// Customer finds a record by its id; see customer.Store.
func (v *Customers) Customer(ctx context.Context, id string) (customer.Record, error) {
	return v.one(ctx, `where id = $1`, id)
}

// CustomerByPhone finds the newest record with the number; see customer.Store.
func (v *Customers) CustomerByPhone(ctx context.Context, n customer.Phone) (customer.Record, error) {
	return v.one(ctx, `where id in (select customer from customer_phone where number = $1) order by id desc`, n)
}

// CustomerByEmail finds the newest record with the address; see customer.Store.
func (v *Customers) CustomerByEmail(ctx context.Context, mail string) (customer.Record, error) {
	return v.one(ctx, `where email = $1 and email <> '' order by id desc`, mail)
}

// CustomerByExternalID finds a record by the operator's id; see customer.Store.
func (v *Customers) CustomerByExternalID(ctx context.Context, id string) (customer.Record, error) {
	return v.one(ctx, `where external_id = $1 and external_id <> '' order by id desc`, id)
}

// SearchCustomers finds records by words; see customer.Store.
func (v *Customers) SearchCustomers(ctx context.Context, words []string, limit int) ([]customer.Record, error) {
	var w where
	for _, word := range words {
		w.add(true, `words like $%d escape '!'`, "%"+strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(word)+"%")
	}
	query, args := w.end(`select doc from customer`, `order by id desc`, limited(limit, 200))
	list, err := all(ctx, v.s.read, scanDoc[customer.Record], query, args...)
	return list, v.s.explain(ctx, "search customers", err)
}

// contactDoc is a contact as it is stored: some of its fields are not for pages.
type contactDoc struct {
	customer.Contact
	Number   string `json:"number,omitempty"`
	Customer string `json:"customer,omitempty"`
}

// PutContact inserts or replaces a contact; see customer.Store.
func (v *Customers) PutContact(ctx context.Context, c customer.Contact) error {
	doc, err := json.Marshal(contactDoc{c, c.Number, c.Customer})
	if err != nil {
		return err
	}
	return v.s.change(ctx, "put contact", func(tx *sql.Tx) (bool, error) {
		_, err := insert(ctx, tx, `insert into contact (id, number, customer, at, doc)`,
			`on conflict (id) do update set number = excluded.number, customer = excluded.customer, at = excluded.at, doc = excluded.doc`,
			[][]any{{c.ID, c.Number, c.Customer, ms(c.At), string(doc)}})
		return false, err
	})
}

// Contacts returns contacts, newest first; see customer.Store.
func (v *Customers) Contacts(ctx context.Context, n customer.Phone, record string, limit int) ([]customer.Contact, error) {
	if n == "" && record == "" {
		return nil, nil
	}
	docs, err := all(ctx, v.s.read, scanDoc[contactDoc], fmt.Sprintf(
		`select doc from contact where (number = $1 and number <> '') or (customer = $2 and customer <> '') order by at desc, id desc limit %d`, limited(limit, 200)), n, record)
	list := make([]customer.Contact, len(docs))
	for i, d := range docs {
		list[i] = d.Contact
		list[i].Number, list[i].Customer = d.Number, d.Customer
	}
	return list, v.s.explain(ctx, "read contacts", err)
}

// PruneContacts removes old contacts; see customer.Store.
func (v *Customers) PruneContacts(ctx context.Context, before time.Time) (n int64, err error) {
	err = v.s.change(ctx, "remove contacts", func(tx *sql.Tx) (bool, error) {
		n, err = exec(ctx, tx, `delete from contact where at < $1`, ms(before))
		return false, err
	})
	return n, err
}
