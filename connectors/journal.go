package connectors

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Journal keeps the last requests of desks, for whoever sets one up: what came,
// what was decided and why, what was refused. Note never blocks and never fails;
// a journal that is full loses the oldest.
type Journal interface {
	Note(e Entry)
}

// Entry is one request. It names nobody: numbers are masked ("06…12"), names and
// variables are left out.
type Entry struct {
	At       time.Time     `json:"at"`
	Desk     string        `json:"desk"`              // "connector/account"
	Kind     string        `json:"kind"`              // "request", "refused", "preflight"
	Call     string        `json:"call,omitempty"`    // id of the phone call
	Agent    string        `json:"agent,omitempty"`   // the desk's id of the agent
	Caller   string        `json:"caller,omitempty"`  // masked
	Queue    string        `json:"queue,omitempty"`   // its name
	Origin   string        `json:"origin,omitempty"`  // of the page that asked
	Action   string        `json:"action,omitempty"`  // what was answered
	Rule     string        `json:"rule,omitempty"`    // which rule decided it
	Trust    string        `json:"trust,omitempty"`   // what proved it, or why nothing did
	Problem  string        `json:"problem,omitempty"` // what was wrong, with the field and the repair
	Took     time.Duration `json:"took"`
	Repeated bool          `json:"repeated,omitempty"` // the same call of the same agent again
}

// JournalStore keeps entries. Safe for concurrent use.
type JournalStore interface {
	// AppendEntries adds entries and forgets the oldest.
	AppendEntries(ctx context.Context, es []Entry) error
	// LastEntries returns the latest, newest first, at most limit. Empty words do not
	// narrow.
	LastEntries(ctx context.Context, desk, kind string, limit int) ([]Entry, error)
}

const (
	journalWaiting = 2000 // entries that are not written yet, at most
	journalEvery   = 500 * time.Millisecond
	journalAgain   = 5 * time.Second // before those that could not be written are tried again
	journalLast    = 3 * time.Second // for the last ones when we stop
)

// Book is a Journal that writes to a store a moment later, many entries at a
// time. Safe for concurrent use.
type Book struct {
	store JournalStore
	log   *slog.Logger

	mu      sync.Mutex
	waiting []Entry
	wake    chan struct{} // one slot
	writing chan struct{} // one slot: entries reach the store in their order
}

// NewBook makes a Book; Run writes.
func NewBook(store JournalStore, log *slog.Logger) *Book {
	return &Book{store: store, log: log, wake: make(chan struct{}, 1), writing: make(chan struct{}, 1)}
}

// Note implements Journal.
func (b *Book) Note(e Entry) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.waiting) >= journalWaiting {
		b.waiting = append(b.waiting[:0], b.waiting[journalWaiting/2:]...)
	}
	b.waiting = append(b.waiting, e)
	b.nudge()
}

func (b *Book) nudge() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Last returns the latest entries, newest first, those too that are not written
// yet.
func (b *Book) Last(ctx context.Context, desk, kind string, limit int) ([]Entry, error) {
	if err := b.flush(ctx); err != nil {
		return nil, err
	}
	return b.store.LastEntries(ctx, desk, kind, limit)
}

// Run writes what was noted, until ctx ends and all is written.
func (b *Book) Run(ctx context.Context) error {
	every := time.NewTimer(0)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), journalLast)
			defer cancel()
			if err := b.flush(last); err != nil {
				b.log.WarnContext(last, "the journal's last entries are lost", "err", err)
			}
			return nil
		case <-b.wake:
		}
		pause := journalEvery // what comes meanwhile goes out together
		if err := b.flush(ctx); err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "the journal cannot be written; trying again", "err", err)
			pause = journalAgain
			b.nudge()
		}
		every.Reset(pause)
		select {
		case <-ctx.Done():
		case <-every.C:
		}
	}
}

// flush writes what waits. Who comes while another one writes waits for it.
func (b *Book) flush(ctx context.Context) error {
	select {
	case b.writing <- struct{}{}:
		defer func() { <-b.writing }()
	case <-ctx.Done():
		return ctx.Err()
	}
	b.mu.Lock()
	batch := b.waiting
	b.waiting = nil
	b.mu.Unlock()
	if len(batch) == 0 {
		return nil
	}
	err := b.store.AppendEntries(ctx, batch)
	if err != nil {
		b.mu.Lock()
		b.waiting = append(batch, b.waiting...)
		b.waiting = b.waiting[max(0, len(b.waiting)-journalWaiting):]
		b.mu.Unlock()
	}
	return err
}
