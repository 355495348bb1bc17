package app_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"ringdown/internal/impair"
	"ringdown/internal/leak"
	"ringdown/store/storetest"
)

// pictures makes calls one after the other on lines in these conditions and
// returns how long each took from the agent's click to both pictures. look, if
// not nil, sees every call while both see each other.
func pictures(t *testing.T, name string, c impair.Conditions, before, look func(s *scene)) []time.Duration {
	h := start(t, storetest.Engines()[0])
	h.manyAddresses()
	var took []time.Duration
	for i := range calls() {
		func() {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			var senders sync.WaitGroup
			stop := make(chan struct{})
			s := h.scene(t, uint64(i), c)
			if before != nil {
				before(s)
			}
			took = append(took, s.accept(ctx, t, &senders, stop))
			if look != nil {
				look(s)
			}
			close(stop)
			senders.Wait()
			s.end(t)
		}()
	}
	t.Logf("%s: %v", name, took)
	return took
}

// TestM1_a_quick_picture_after_accept times the first picture on a good line and
// on a long one that loses. The seeds of the lines are the numbers of the calls.
func TestM1_a_quick_picture_after_accept(t *testing.T) {
	leak.Check(t)
	throughRelay := func(s *scene) {
		for _, p := range []*caller{s.visitor, s.agent} {
			if p.line.udp.Counts(impair.Down).Packets == 0 {
				t.Errorf("no picture of the %s passed its line", p.name)
			}
		}
	}
	t.Run("on a good line", func(t *testing.T) {
		took := pictures(t, "a good line", impair.Conditions{}, nil, throughRelay)
		figure(t, "M1", "picture", took, time.Second)
	})
	t.Run("at 150 ms round trip and 3 % loss", func(t *testing.T) {
		took := pictures(t, "150 ms, 3 %", impair.Conditions{Delay: 75 * time.Millisecond, Loss: 0.03}, nil, throughRelay)
		figure(t, "M1", "picture at 150 ms and 3 % loss", took, 2500*time.Millisecond)
	})
}

// TestM7_works_without_UDP blocks UDP and has sound and pictures come by TCP.
func TestM7_works_without_UDP(t *testing.T) {
	leak.Check(t)
	took := pictures(t, "no UDP", impair.Conditions{}, func(s *scene) {
		for _, p := range []*caller{s.visitor, s.agent} {
			p.line.udp.Block(true)
		}
	}, func(s *scene) {
		for _, p := range []*caller{s.visitor, s.agent} {
			if n := p.line.udp.Counts(impair.Down).Delivered; n != 0 {
				t.Errorf("%d datagrams passed a line without UDP", n)
			}
			if p.line.tcp.Counts(impair.Down).Packets == 0 {
				t.Errorf("nothing of the %s's call came by TCP", p.name)
			}
		}
	})
	figure(t, "M7", "joined without UDP", took, 4*time.Second)
}
