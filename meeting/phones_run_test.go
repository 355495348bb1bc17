package meeting

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringdown/fault"
)

// phoneRows is a PhoneStore whose disk can break and hang.
type phoneRows struct {
	mu      sync.Mutex
	kept    gapStore
	batches []int         // sizes of those that were written
	broken  error         // of every write
	hangs   chan struct{} // writes wait for it
	pruned  []time.Time
}

func (s *phoneRows) set(f func(*phoneRows)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *phoneRows) PutPhoneCalls(ctx context.Context, cs []PhoneCall) error {
	s.mu.Lock()
	hangs := s.hangs
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
	if s.broken != nil {
		return s.broken
	}
	s.batches = append(s.batches, len(cs))
	return s.kept.PutPhoneCalls(ctx, cs)
}

func (s *phoneRows) PhoneCall(ctx context.Context, id PhoneCallID) (PhoneCall, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept.PhoneCall(ctx, id)
}

func (s *phoneRows) SavePhoneCall(ctx context.Context, c PhoneCall) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	if s.kept.rows[c.ID].Version != c.Version-1 {
		return ErrStale
	}
	return s.kept.SavePhoneCall(ctx, c)
}

func (s *phoneRows) PhoneCallsOf(ctx context.Context, desk string, agent AgentKey, since time.Time, n int) ([]PhoneCall, error) {
	s.mu.Lock()
	hangs := s.hangs
	s.mu.Unlock()
	if hangs != nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept.PhoneCallsOf(ctx, desk, agent, since, n)
}

func (s *phoneRows) PhoneCallsWith(ctx context.Context, desk, ref string) ([]PhoneCall, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept.PhoneCallsWith(ctx, desk, ref)
}

func (s *phoneRows) PrunePhoneCalls(_ context.Context, now time.Time) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pruned = append(s.pruned, now)
	return 0, nil
}

func (s *phoneRows) written() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.kept.rows)
}

// withPhones runs a story in a time of its own, with Run beside it. stop ends Run
// and waits for it.
func withPhones(t *testing.T, story func(t *testing.T, p *Phones, s *phoneRows, log *bytes.Buffer, stop func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &phoneRows{kept: gapStore{rows: map[PhoneCallID]PhoneCall{}, gap: func() {}}}
		var log bytes.Buffer
		p := NewPhones(s, time.Now, slog.New(slog.NewTextHandler(&log, nil)))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- p.Run(ctx) }()
		stop := sync.OnceFunc(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		defer stop()
		synctest.Wait()
		story(t, p, s, &log, stop)
	})
}

func ringOf(n int) PhoneCall {
	return PhoneCall{ID: PhoneCallID(fmt.Sprint("phc_", n)), Desk: "d/x", Ref: fmt.Sprint("r", n), Agent: Agent{Key: "a"}, Caller: "0612345678"}
}

func TestARingIsReadableAtOnceAndWrittenInBatches(t *testing.T) {
	withPhones(t, func(t *testing.T, p *Phones, s *phoneRows, _ *bytes.Buffer, _ func()) {
		p.Ring(ringOf(0))
		synctest.Wait()
		if s.written() != 1 { // who rings alone does not wait for others
			t.Error("the first ring is not written")
		}
		for n := range 500 {
			before := time.Now()
			c := p.Ring(ringOf(n))
			if got, err := p.ByID(t.Context(), c.ID); err != nil || !got.RungAt.Equal(c.RungAt) || time.Since(before) > 0 {
				t.Fatalf("%d: %+v, %v", n, got, err)
			}
		}
		if got := p.Of(t.Context(), "d/x", "a", time.Hour); len(got) != phonesShown {
			t.Errorf("its agent has %d calls", len(got))
		}
		if got, err := p.With(t.Context(), "d/x", "r7"); err != nil || len(got) != 1 {
			t.Errorf("%d with the ref, %v", len(got), err)
		}
		if s.written() != 1 {
			t.Error("the others did not wait for each other")
		}
		time.Sleep(phoneEvery)
		synctest.Wait()
		if got := fmt.Sprint(s.batches); s.written() != 500 || got != "[1 200 200 100]" {
			t.Errorf("%d written in batches of %s", s.written(), got)
		}
	})
}

func TestRingsOutliveAStoreThatFails(t *testing.T) {
	withPhones(t, func(t *testing.T, p *Phones, s *phoneRows, log *bytes.Buffer, _ func()) {
		s.set(func(s *phoneRows) { s.broken = errors.New("disk full") })
		for n := range 300 {
			p.Ring(ringOf(n))
		}
		time.Sleep(10 * phoneAgain)
		synctest.Wait()
		if got, err := p.ByID(t.Context(), "phc_7"); err != nil || got.Caller == "" {
			t.Errorf("it is not remembered: %v", err)
		}
		if _, err := p.Change(t.Context(), "phc_7", noted("x")); !fault.Is(err, fault.Unavailable) {
			t.Errorf("a change that cannot be kept is answered %v", err)
		}
		if n := strings.Count(log.String(), "trying again"); n < 8 || n > 12 {
			t.Errorf("%d lines in the log in 10 s", n)
		}
		s.set(func(s *phoneRows) { s.broken = nil })
		time.Sleep(phoneAgain)
		synctest.Wait()
		if s.written() != 300 {
			t.Errorf("%d of 300 written once the store is back", s.written())
		}
		if strings.Contains(log.String(), "0612345678") {
			t.Error("the log names the caller")
		}
	})
}

func TestAStopWritesTheRest(t *testing.T) {
	withPhones(t, func(t *testing.T, p *Phones, s *phoneRows, _ *bytes.Buffer, stop func()) {
		for n := range 450 {
			p.Ring(ringOf(n))
		}
		stop()
		if s.written() != 450 {
			t.Errorf("%d of 450 written", s.written())
		}
	})
	withPhones(t, func(t *testing.T, p *Phones, s *phoneRows, log *bytes.Buffer, stop func()) {
		s.set(func(s *phoneRows) { s.hangs = make(chan struct{}) })
		p.Ring(ringOf(1))
		before := time.Now()
		stop()
		if took := time.Since(before); took != phoneLast || !strings.Contains(log.String(), "are lost") {
			t.Errorf("a store that hangs held the stop for %v: %s", took, log)
		}
	})
}

func TestTooManyRingsLoseTheNewOnesAndSaySo(t *testing.T) {
	withPhones(t, func(t *testing.T, p *Phones, s *phoneRows, log *bytes.Buffer, _ func()) {
		s.set(func(s *phoneRows) { s.broken = errors.New("disk full") })
		for n := range phoneWaiting + 70 {
			p.Ring(ringOf(n))
		}
		again := p.Ring(ringOf(3)) // one that is remembered rings on
		if _, err := p.ByID(t.Context(), PhoneCallID(fmt.Sprint("phc_", phoneWaiting))); !fault.Is(err, fault.NotFound) {
			t.Errorf("there was room: %v", err)
		}
		if got, err := p.ByID(t.Context(), "phc_3"); err != nil || !got.RungAt.Equal(again.RungAt) {
			t.Errorf("%+v, %v", got, err)
		}
		s.set(func(s *phoneRows) { s.broken = nil })
		time.Sleep(2 * phoneAgain)
		synctest.Wait()
		if s.written() != phoneWaiting || strings.Count(log.String(), "lost=") != 1 || !strings.Contains(log.String(), "lost=70") {
			t.Errorf("%d written; %s", s.written(), log)
		}
		p.Ring(ringOf(-1))
		time.Sleep(phoneEvery)
		synctest.Wait()
		if s.written() != phoneWaiting+1 {
			t.Error("there is no room afterwards")
		}
	})
}

func TestTwoRingsWithinAMillisecondAreTwo(t *testing.T) {
	withPhones(t, func(t *testing.T, p *Phones, s *phoneRows, _ *bytes.Buffer, _ func()) {
		hangs := make(chan struct{})
		s.set(func(s *phoneRows) { s.hangs = hangs })
		c := ringOf(1)
		c.Trust.Pending = true
		p.Ring(c)
		synctest.Wait() // it is on its way to the disk
		c.Trust = Trust{Why: "unknown"}
		p.Ring(c)
		s.set(func(s *phoneRows) { s.hangs = nil })
		close(hangs)
		time.Sleep(time.Second)
		synctest.Wait()
		if got, err := s.PhoneCall(t.Context(), c.ID); err != nil || got.Trust != c.Trust {
			t.Errorf("stored %+v, %v", got.Trust, err)
		}
	})
}

func TestAPhoneNeverWaitsForTheStore(t *testing.T) {
	withPhones(t, func(t *testing.T, p *Phones, s *phoneRows, _ *bytes.Buffer, _ func()) {
		s.set(func(s *phoneRows) { s.hangs = make(chan struct{}) })
		p.Ring(ringOf(1))
		synctest.Wait()
		before := time.Now()
		p.Ring(ringOf(2))
		if took := time.Since(before); took > 0 {
			t.Errorf("a ring took %v", took)
		}
		if got := p.Of(t.Context(), "d/x", "a", time.Hour); len(got) != 2 || time.Since(before) > phoneLook {
			t.Errorf("%d calls after %v", len(got), time.Since(before))
		}
		s.set(func(s *phoneRows) { close(s.hangs); s.hangs = nil })
	})
}

// A call that comes back after Done, a transfer perhaps, begins anew: its page
// was finished and is not open until it shows itself. What was written stays.
func TestARingAfterDoneBeginsAnew(t *testing.T) {
	withPhones(t, func(t *testing.T, p *Phones, _ *phoneRows, _ *bytes.Buffer, _ func()) {
		p.Ring(ringOf(1))
		change := func(step func(*PhoneCall, time.Time)) PhoneCall {
			t.Helper()
			time.Sleep(time.Second)
			c, err := p.Change(t.Context(), "phc_1", func(c PhoneCall, now time.Time) (PhoneCall, error) { step(&c, now); return c, nil })
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		seen := func(c *PhoneCall, now time.Time) { c.OpenedAt, c.SeenAt = now, now }
		if c := change(seen); !c.Open(time.Now()) || c.Done() {
			t.Error("its page is open")
		}
		if c := change(func(c *PhoneCall, now time.Time) { c.Note, c.DoneAt = "lamp", now }); c.Open(time.Now()) || !c.Done() {
			t.Error("its page is finished")
		}
		for _, wait := range []time.Duration{time.Second, phoneEvery} { // in memory, and written
			time.Sleep(wait)
			p.Ring(ringOf(1))
			c, err := p.ByID(t.Context(), "phc_1")
			if err != nil || c.Done() || c.Open(time.Now()) || c.Note != "lamp" {
				t.Errorf("done %v, open %v, %v", c.Done(), c.Open(time.Now()), err)
			}
			synctest.Wait()
		}
		if c := change(seen); !c.Open(time.Now()) {
			t.Error("its page is open again")
		}
		time.Sleep(paneSilence)
		if c, _ := p.ByID(t.Context(), "phc_1"); c.Open(time.Now()) {
			t.Error("a page that is silent is not open")
		}
	})
}

func TestOldPhoneCallsAreRemovedFromTheStartOn(t *testing.T) {
	withPhones(t, func(t *testing.T, _ *Phones, s *phoneRows, _ *bytes.Buffer, _ func()) {
		time.Sleep(25 * time.Minute)
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.pruned) != 3 || time.Since(s.pruned[0]) != 25*time.Minute {
			t.Errorf("removed at %v", s.pruned)
		}
	})
}

func noted(text string) func(PhoneCall, time.Time) (PhoneCall, error) {
	return func(c PhoneCall, _ time.Time) (PhoneCall, error) {
		c.Note += text
		return c, nil
	}
}
