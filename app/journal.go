package app

import (
	"context"
	"encoding/json"

	"ringdown/connectors"
	"ringdown/store"
)

// entries keeps the journal of desks in the store.
type entries struct{ store *store.Store }

var _ connectors.JournalStore = entries{}

// AppendEntries implements connectors.JournalStore.
func (e entries) AppendEntries(ctx context.Context, es []connectors.Entry) error {
	rows := make([]store.JournalRow, len(es))
	for i, one := range es {
		doc, err := json.Marshal(one)
		if err != nil {
			return err
		}
		rows[i] = store.JournalRow{Desk: one.Desk, Kind: one.Kind, At: one.At, Doc: string(doc)}
	}
	return e.store.AppendJournal(ctx, rows)
}

// LastEntries implements connectors.JournalStore.
func (e entries) LastEntries(ctx context.Context, desk, kind string, limit int) ([]connectors.Entry, error) {
	rows, err := e.store.Journal(ctx, desk, kind, limit)
	if err != nil {
		return nil, err
	}
	es := make([]connectors.Entry, len(rows))
	for i, r := range rows {
		if err := json.Unmarshal([]byte(r.Doc), &es[i]); err != nil {
			return nil, err
		}
	}
	return es, nil
}
