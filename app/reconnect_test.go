package app_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ringdown/internal/impair"
	"ringdown/internal/leak"
	"ringdown/media/signal/signaltest"
	"ringdown/store/storetest"
)

// TestM3_a_cut_heals_as_the_same_participant takes the network from the visitors
// of several calls at a time, in three ways, and times until each has resumed
// and both sides have new pictures.
func TestM3_a_cut_heals_as_the_same_participant(t *testing.T) {
	leak.Check(t)
	short := 4 * time.Second // the socket is given up after three
	if judged() {
		short = 10 * time.Second
	}
	for _, tc := range []struct {
		name  string
		cut   time.Duration
		moved bool // they come back at another address
		most  time.Duration
	}{
		{fmt.Sprintf("back after a cut of %s", short), short, false, 3 * time.Second},
		{"back at a new address", 0, true, 5 * time.Second},
		{"back at a new address after a cut that outlasts ICE", 20 * time.Second, true, 5 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if !judged() {
				t.Parallel()
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute+2*tc.cut)
			defer cancel()
			h := start(t, storetest.Engines()[0])
			h.manyAddresses()
			r := h.reconnecting(ctx, t, calls())
			for _, s := range r {
				s.visitor.line.cut(tc.cut > 0)
			}
			<-time.After(tc.cut)
			for _, s := range r {
				if tc.moved {
					s.visitor.line.move()
				}
				s.visitor.line.cut(false)
			}
			figure(t, "M3", tc.name, healed(ctx, t, r), tc.most)
			for _, s := range r {
				s.nobodyLeft(t, h)
				s.end(t)
			}
		})
	}
}

// cut ends or mends all of the line.
func (n *network) cut(cut bool) {
	n.web.Block(cut)
	n.tcp.Block(cut)
	n.udp.Block(cut)
}

// move gives the person on the line new addresses, as another network does.
func (n *network) move() {
	n.udp.Rebind()
	n.tcp.Reset()
	n.web.Reset()
}

// underWay is a call whose visitor stays connected as a page does.
type underWay struct {
	*scene
	pictures [2]*signaltest.Incoming // at the visitor's, at the agent's
	stay     func() error            // stops staying
}

// reconnecting brings calls under way.
func (h *house) reconnecting(ctx context.Context, t *testing.T, n int) []*underWay {
	t.Helper()
	all := make([]*underWay, n)
	var senders sync.WaitGroup
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop); senders.Wait() })
	for i := range all {
		u := &underWay{scene: h.scene(t, uint64(i), impair.Conditions{})}
		u.accept(ctx, t, &senders, stop)
		for k, side := range [][2]*caller{{u.visitor, u.agent}, {u.agent, u.visitor}} {
			in, err := side[0].client.Received(ctx, side[1].participant, "camera")
			if err != nil {
				t.Fatal(err)
			}
			u.pictures[k] = in
		}
		staying, end := context.WithCancel(ctx)
		done := make(chan error, 1)
		go func() {
			done <- u.visitor.client.Stay(staying, "ws"+strings.TrimPrefix(u.visitor.h.url, "http")+"/v1/signal")
		}()
		u.stay = sync.OnceValue(func() error { end(); return <-done })
		t.Cleanup(func() { _ = u.stay() })
		all[i] = u
	}
	h.eventually("all are in the logs of their calls", func() bool {
		return !slices.ContainsFunc(all, func(u *underWay) bool { return count(h.kinds(u.id), "participant.joined") != 2 })
	})
	return all
}

// healed tells how long each call took from now to be whole again.
func healed(ctx context.Context, t *testing.T, all []*underWay) []time.Duration {
	t.Helper()
	began := time.Now()
	took := make([]time.Duration, len(all))
	var wg sync.WaitGroup
	for i, u := range all {
		wg.Go(func() {
			if err := u.visitor.client.WaitResumed(ctx, 1); err != nil {
				t.Errorf("call %d: the visitor has not resumed: %v", i, err)
			}
			for _, in := range u.pictures {
				if err := in.WaitPackets(ctx, len(in.Packets())+3); err != nil {
					t.Errorf("call %d: %v", i, err)
				}
			}
			took[i] = time.Since(began)
		})
	}
	wg.Wait()
	return took
}

// nobodyLeft fails if the other side, or the meeting's log, heard of a coming or
// going.
func (u *underWay) nobodyLeft(t *testing.T, h *house) {
	t.Helper()
	if err := u.stay(); err != nil {
		t.Errorf("the visitor did not come back: %v", err)
	}
	for _, m := range u.agent.client.Messages() {
		if m.Type == "left" || m.Type == "untrack" {
			t.Errorf("the agent was told %s", m.Type)
		}
	}
	if kinds := h.kinds(u.id); count(kinds, "participant.joined") != 2 || count(kinds, "participant.left") != 0 {
		t.Error(kinds)
	}
}
