package connectors_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringdown/connectors"
)

// shelf is a JournalStore whose disk can break and hang.
type shelf struct {
	mu      sync.Mutex
	entries []connectors.Entry
	broken  error
	hangs   chan struct{} // writes wait for it
	once    bool          // only the next one does
	writes  int
}

func (s *shelf) AppendEntries(ctx context.Context, es []connectors.Entry) error {
	s.mu.Lock()
	hangs := s.hangs
	if s.once {
		s.hangs = nil
	}
	s.mu.Unlock()
	if hangs != nil {
		select {
		case <-hangs:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken == nil {
		s.writes++
		s.entries = append(s.entries, es...)
	}
	return s.broken
}

func (s *shelf) LastEntries(_ context.Context, desk, kind string, limit int) (out []connectors.Entry, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range slices.Backward(s.entries) {
		if len(out) < limit && (desk == "" || e.Desk == desk) && (kind == "" || e.Kind == kind) {
			out = append(out, e)
		}
	}
	return out, nil
}

func (s *shelf) set(f func(*shelf)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func note(n int) connectors.Entry {
	return connectors.Entry{Desk: "phone/one", Kind: "request", Call: fmt.Sprint(n), Caller: "06…12"}
}

// calls are the calls of entries, oldest first.
func calls(es []connectors.Entry) (out []string) {
	for _, e := range slices.Backward(es) {
		out = append(out, e.Call)
	}
	return out
}

func numbers(from, to int) (out []string) {
	for n := from; n < to; n++ {
		out = append(out, fmt.Sprint(n))
	}
	return out
}

// withBook runs a story in a time of its own, with Run beside it.
func withBook(t *testing.T, story func(t *testing.T, b *connectors.Book, s *shelf, log *bytes.Buffer, stop func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, log := &shelf{}, &bytes.Buffer{}
		b := connectors.NewBook(s, slog.New(slog.NewTextHandler(log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- b.Run(ctx) }()
		stop := sync.OnceFunc(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		defer stop()
		story(t, b, s, log, stop)
	})
}

func TestTheJournalWritesTogetherAndIsReadAtOnce(t *testing.T) {
	withBook(t, func(t *testing.T, b *connectors.Book, s *shelf, _ *bytes.Buffer, _ func()) {
		b.Note(note(0))
		synctest.Wait() // Run writes it and then collects
		for n := range 100 {
			b.Note(note(n + 1))
		}
		synctest.Wait()
		if len(s.entries) != 1 {
			t.Errorf("%d written before their time", len(s.entries))
		}
		got, err := b.Last(t.Context(), "phone/one", "", 200)
		if err != nil || !slices.Equal(calls(got), numbers(0, 101)) {
			t.Errorf("read %v, %v", calls(got), err)
		}
		b.Note(note(101))
		time.Sleep(time.Second)
		synctest.Wait()
		if s.writes != 3 || len(s.entries) != 102 {
			t.Errorf("%d entries in %d writes", len(s.entries), s.writes)
		}
	})
}

// Who reads while others are being written waits for them and finds them in
// their order.
func TestTheJournalIsReadWhileItIsWritten(t *testing.T) {
	withBook(t, func(t *testing.T, b *connectors.Book, s *shelf, _ *bytes.Buffer, _ func()) {
		hangs := make(chan struct{})
		s.set(func(s *shelf) { s.hangs, s.once = hangs, true })
		b.Note(note(0))
		synctest.Wait() // on its way
		b.Note(note(1))
		before := time.Now()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := b.Last(short, "", "", 9); !errors.Is(err, context.DeadlineExceeded) || time.Since(before) != time.Second {
			t.Errorf("a store that hangs held a reader for %v: %v", time.Since(before), err)
		}
		time.AfterFunc(time.Second, func() { close(hangs) })
		if got, err := b.Last(t.Context(), "", "", 9); err != nil || !slices.Equal(calls(got), numbers(0, 2)) {
			t.Errorf("read %v, %v", calls(got), err)
		}
	})
}

func TestAFullJournalLosesTheOldestAndNeverBlocks(t *testing.T) {
	withBook(t, func(t *testing.T, b *connectors.Book, s *shelf, log *bytes.Buffer, _ func()) {
		s.set(func(s *shelf) { s.broken = errors.New("disk full") })
		before := time.Now()
		for n := range 10_000 {
			b.Note(note(n))
		}
		if took := time.Since(before); took > 0 {
			t.Errorf("it took %v", took)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := strings.Count(log.String(), "cannot be written"); n < 2 || n > 15 {
			t.Errorf("%d lines in the log in a minute", n)
		}
		if _, err := b.Last(t.Context(), "", "", 9); err == nil {
			t.Error("a journal that cannot be written is read as if it were whole")
		}
		s.set(func(s *shelf) { s.broken = nil })
		time.Sleep(10 * time.Second) // nobody notes anything any more
		synctest.Wait()
		kept := len(s.entries)
		if kept < 1000 || kept > 2000 || !slices.Equal(calls(reversed(s.entries)), numbers(10_000-kept, 10_000)) {
			t.Errorf("%d are kept", kept)
		}
	})
}

func reversed(es []connectors.Entry) []connectors.Entry {
	es = slices.Clone(es)
	slices.Reverse(es)
	return es
}

func TestAStopWritesTheJournalsRest(t *testing.T) {
	withBook(t, func(t *testing.T, b *connectors.Book, s *shelf, log *bytes.Buffer, stop func()) {
		for n := range 50 {
			b.Note(note(n))
			synctest.Wait()
		}
		stop()
		if !slices.Equal(calls(reversed(s.entries)), numbers(0, 50)) || log.Len() > 0 {
			t.Errorf("%d of 50 written: %s", len(s.entries), log)
		}
	})
	withBook(t, func(t *testing.T, b *connectors.Book, s *shelf, log *bytes.Buffer, stop func()) {
		s.set(func(s *shelf) { s.hangs = make(chan struct{}) })
		b.Note(note(0))
		synctest.Wait()
		before := time.Now()
		stop()
		if took := time.Since(before); took != 3*time.Second || !strings.Contains(log.String(), "lost") {
			t.Errorf("a store that hangs held the stop for %v: %s", took, log)
		}
	})
}
