package app_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
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

// judged tells whether figures are judged now: alone on the machine, with as
// many calls as the promise says.
func judged() bool { return os.Getenv("RINGDOWN_PROMISES") != "" }

// figure prints a figure of a promise, and judges it if it is to be judged.
func figure(t *testing.T, id, what string, took []time.Duration, limit time.Duration) {
	t.Helper()
	slices.Sort(took)
	p95 := took[min(len(took)-1, len(took)*95/100)]
	fmt.Printf("promise %s %s p95 %d ms (at most %d ms)\n", id, what, p95.Milliseconds(), limit.Milliseconds())
	if judged() && p95 > limit {
		t.Errorf("%s: p95 is %s of %d, at most %s", what, p95, len(took), limit)
	}
}

// badNetwork is what some people's packets go through.
type badNetwork struct {
	udp *impair.UDP // media
	tcp *impair.TCP // pages, API and signalling
}

// pair is a call: the visitor is behind the bad network, the agent is not.
type pair struct {
	id             string
	visitor, agent *signaltest.Client
	toAgent, back  *signaltest.Incoming
}

// network puts relays before a daemon.
func (h *house) network() badNetwork {
	h.t.Helper()
	must := func(err error) {
		if err != nil {
			h.t.Fatal(err)
		}
	}
	var n badNetwork
	var err error
	n.udp, err = impair.NewUDP(context.Background(), h.app.Facts().Media[0], 1)
	must(err)
	h.t.Cleanup(n.udp.Close)
	n.tcp, err = impair.NewTCP(context.Background(), h.app.Facts().Listen, 1)
	must(err)
	h.t.Cleanup(n.tcp.Close)
	return n
}

// calls brings n pairs of people together who see each other.
func (h *house) calls(ctx context.Context, n int, net badNetwork) []*pair {
	h.t.Helper()
	h.manyAddresses()
	far := "ws://" + net.tcp.Addr().String() + "/v1/signal"
	via := signaltest.Options{Via: func(network string, _ netip.AddrPort) (netip.AddrPort, bool) {
		return net.udp.Addr(), network == "udp"
	}}
	pairs := make([]*pair, n)
	stop := make(chan struct{})
	var running sync.WaitGroup
	h.t.Cleanup(func() { close(stop); running.Wait() })
	for i := range pairs {
		made := h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{"queue": "advice", "ring": "now"})
		visitor := h.redeem(made.text("links.visitor"), "")
		agent := h.redeem(made.text("links.agent"), fmt.Sprintf("device-of-agent-%04d", i))
		agent.must("POST", "/accept", map[string]string{"name": "Marie"})
		p := &pair{id: made.text("id")}
		join := func(who person, url string, o signaltest.Options) (*signaltest.Client, string) {
			room := who.must("POST", "/join", map[string]bool{"audio": true, "video": true})
			c, err := signaltest.Dial(ctx, url, room.text("token"), o)
			if err != nil {
				h.t.Fatal(err)
			}
			h.t.Cleanup(c.Close)
			out, err := c.Publish(ctx, signaltest.Track{Source: "microphone"}, signaltest.Track{Source: "camera"})
			if err != nil {
				h.t.Fatal(err)
			}
			running.Go(func() { send(h.t, out, stop) })
			return c, room.text("participant")
		}
		var vid, aid string
		p.visitor, vid = join(visitor, far, via)
		p.agent, aid = join(agent, strings.Replace(h.url, "http", "ws", 1)+"/v1/signal", signaltest.Options{})
		for _, side := range []struct {
			at   **signaltest.Incoming
			c    *signaltest.Client
			from string
		}{{&p.toAgent, p.agent, vid}, {&p.back, p.visitor, aid}} {
			in, err := side.c.Received(ctx, side.from, "camera")
			if err != nil {
				h.t.Fatal(err)
			}
			*side.at = in
		}
		staying, end := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- p.visitor.Stay(staying, far) }()
		h.t.Cleanup(func() {
			end()
			if err := <-done; err != nil {
				h.t.Errorf("the visitor did not come back: %v", err)
			}
		})
		pairs[i] = p
	}
	return pairs
}

// healed waits until every visitor has resumed and both sides of each call have
// new pictures, and tells how long each call took from now.
func (h *house) healed(ctx context.Context, pairs []*pair) []time.Duration {
	h.t.Helper()
	began := time.Now()
	took := make([]time.Duration, len(pairs))
	var all sync.WaitGroup
	for i, p := range pairs {
		all.Go(func() {
			if err := p.visitor.WaitResumed(ctx, 1); err != nil {
				h.t.Errorf("call %d: not resumed: %v", i, err)
			}
			for _, in := range []*signaltest.Incoming{p.toAgent, p.back} {
				if err := in.WaitPackets(ctx, len(in.Packets())+3); err != nil {
					h.t.Errorf("call %d: %v", i, err)
				}
			}
			took[i] = time.Since(began)
		})
	}
	all.Wait()
	return took
}

// nobodyLeft fails if any other side, or a meeting's log, heard of a coming or
// going.
func (h *house) nobodyLeft(pairs []*pair) {
	h.t.Helper()
	for i, p := range pairs {
		for _, m := range p.agent.Messages() {
			if m.Type == "left" || m.Type == "untrack" {
				h.t.Errorf("call %d: the agent was told %s", i, m.Type)
			}
		}
		kinds := h.kinds(p.id)
		if count(kinds, "participant.joined") != 2 || count(kinds, "participant.left") != 0 {
			h.t.Errorf("call %d: %v", i, kinds)
		}
	}
}

func TestM3_a_cut_heals_as_the_same_participant(t *testing.T) {
	leak.Check(t)
	n, cut := 2, 4*time.Second // long enough for the socket to be given up
	if judged() {
		n, cut = 10, 10*time.Second
	}
	for _, tc := range []struct {
		name  string
		cut   func(*testing.T, badNetwork)
		limit time.Duration
	}{
		{fmt.Sprintf("back after a cut of %s", cut), func(t *testing.T, net badNetwork) {
			net.udp.Block(true)
			net.tcp.Block(true)
			<-time.After(cut)
			net.udp.Block(false)
			net.tcp.Block(false)
		}, 3 * time.Second},
		{"back at a new address", func(_ *testing.T, net badNetwork) {
			net.udp.Rebind()
			net.tcp.Reset()
		}, 5 * time.Second},
		{"back after a cut that outlasts ICE", func(t *testing.T, net badNetwork) {
			net.udp.Block(true)
			net.tcp.Block(true)
			<-time.After(20 * time.Second)
			net.udp.Rebind()
			net.tcp.Reset()
			net.udp.Block(false)
			net.tcp.Block(false)
		}, 5 * time.Second},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if !judged() {
				t.Parallel()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			h := start(t, storetest.Engines()[0])
			net := h.network()
			pairs := h.calls(ctx, n, net)
			h.eventually("all are in their meetings", func() bool {
				return !slices.ContainsFunc(pairs, func(p *pair) bool { return count(h.kinds(p.id), "participant.joined") != 2 })
			})
			tc.cut(t, net)
			figure(t, "M3", tc.name, h.healed(ctx, pairs), tc.limit)
			h.nobodyLeft(pairs)
		})
	}
}
