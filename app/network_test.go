package app_test

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"ringdown/internal/impair"
	"ringdown/media/signal/signaltest"
)

// network is the line of one person: pages, signalling and media pass its
// relays, and there is no other way to the daemon.
type network struct {
	web, tcp *impair.TCP
	udp      *impair.UDP
	client   *http.Client
}

// line opens a network between a person and the daemon. The same seed treats
// packets the same.
func (h *house) line(t testing.TB, seed uint64) *network {
	t.Helper()
	f := h.app.Facts()
	var n network
	var err error
	if n.web, err = impair.NewTCP(t.Context(), f.Listen, seed); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.web.Close)
	if n.tcp, err = impair.NewTCP(t.Context(), f.Media[0], seed); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.tcp.Close)
	if n.udp, err = impair.NewUDP(t.Context(), f.Media[0], seed); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.udp.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	n.client = &http.Client{Transport: transport}
	return &n
}

// set makes all of the line so, both ways.
func (n *network) set(c impair.Conditions) {
	n.web.Set(c)
	n.tcp.Set(c)
	n.udp.Set(c)
}

// via is what signaltest needs to stay on the line.
func (n *network) via(kind string, _ netip.AddrPort) (netip.AddrPort, bool) {
	if kind == "udp" {
		return n.udp.Addr(), true
	}
	return n.tcp.Addr(), true
}

// through is the daemon as somebody on the line reaches it.
func (h *house) through(n *network) *house {
	far := *h
	far.url, far.client = "http://"+n.web.Addr().String(), n.client
	return &far
}

// caller is a person on a line of their own, and in a call once entered.
type caller struct {
	person
	line        *network
	name        string
	participant string
	client      *signaltest.Client
	out         []*signaltest.Outgoing
}

// scene is a meeting that rings, with its two people on their lines.
type scene struct {
	id             string
	visitor, agent *caller
	stream         *follower // the visitor's page
}

// scene opens the pages of both as people do: the visitor waits, the agent sees
// the ring. The conditions hold from there on.
func (h *house) scene(t *testing.T, seed uint64, c impair.Conditions) *scene {
	t.Helper()
	made := h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{"ring": "now"})
	s := &scene{id: made.text("id")}
	open := func(name, link, device string, seed uint64) *caller {
		line := h.line(t, seed)
		return &caller{person: h.through(line).redeem(link, device), line: line, name: name}
	}
	s.visitor = open("visitor", made.text("links.visitor"), "", 2*seed)
	s.agent = open("agent", made.text("links.agent"), "device-of-marie-1234", 2*seed+1)
	s.stream = s.visitor.h.follow(t, hello(s.visitor.token))
	s.stream.until("the ring", func(m told) bool { return m.Meeting.State == "requested" })
	for _, p := range []*caller{s.visitor, s.agent} {
		p.line.set(c)
	}
	return s
}

// enter joins the room, publishes sound and camera and sends until stop.
func (p *caller) enter(ctx context.Context, t *testing.T, senders *sync.WaitGroup, stop <-chan struct{}) error {
	ticket := func() (string, error) {
		room := p.do("POST", "/join", map[string]bool{"audio": true, "video": true})
		if room.status != 200 {
			return "", fmt.Errorf("join: %s", room)
		}
		p.participant = room.text("participant")
		return room.text("token"), nil
	}
	var err error
	p.client, p.out, err = signaltest.Enter(ctx, "ws"+strings.TrimPrefix(p.h.url, "http")+"/v1/signal", ticket, signaltest.Options{Via: p.line.via, Eager: true},
		signaltest.Track{Source: "microphone"}, signaltest.Track{Source: "camera"})
	if err != nil {
		return fmt.Errorf("%s goes in: %w", p.name, err)
	}
	senders.Go(func() { send(t, p.out, stop) })
	return nil
}

// accept has the agent take the call and both go in, and returns how long it
// took from the click to the later of the two first pictures.
func (s *scene) accept(ctx context.Context, t *testing.T, senders *sync.WaitGroup, stop <-chan struct{}) time.Duration {
	t.Helper()
	began := time.Now()
	var g errgroup.Group
	inside := make(chan struct{})
	g.Go(func() error {
		defer close(inside)
		if a := s.agent.do("POST", "/accept", map[string]string{"name": "Marie"}); a.status != 200 {
			return fmt.Errorf("accept: %s", a)
		}
		return s.agent.enter(ctx, t, senders, stop)
	})
	g.Go(func() error {
		s.stream.until("the answer", func(m told) bool { return m.Meeting.State == "active" })
		return s.visitor.enter(ctx, t, senders, stop)
	})
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, side := range [][2]*caller{{s.visitor, s.agent}, {s.agent, s.visitor}} {
		g.Go(func() error {
			_, err := side[0].client.Received(ctx, side[1].participant, "camera")
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

// end ends the call for both and closes what they had.
func (s *scene) end(t *testing.T) {
	t.Helper()
	for _, p := range []*caller{s.visitor, s.agent} {
		p.line.set(impair.Conditions{})
	}
	s.agent.must("POST", "/end", nil)
	s.visitor.client.Close()
	s.agent.client.Close()
	_ = s.stream.ws.CloseNow()
}

// figure is promised for the 95th percentile.
func figure(t *testing.T, id, what string, took []time.Duration, most time.Duration) {
	t.Helper()
	promised(t, id, what+" p95", p95(took), most)
}

// calls is the size of a measurement: few, unless promises are judged.
func calls() int {
	if judged() {
		return 20
	}
	return 3
}

// p95 is the nearest rank of 95 in 100.
func p95(of []time.Duration) time.Duration {
	s := slices.Sorted(slices.Values(of))
	return s[(len(s)*95+99)/100-1]
}
