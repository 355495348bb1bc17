package webhook

import (
	"context"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"ringdown/internal/hostile"
	"ringdown/internal/leak"
	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/secret"
	"ringdown/store"
	"ringdown/store/storetest"
)

// town is the connector with everything it lives among: a store on disk, the
// core, the outbox and the way out.
type town struct {
	*testing.T
	meetings *meeting.Service
	outbox   outbox.Store
	in       *hostile.Receiver
}

// onBoth runs a test on each engine. endpoints gets the receiver's address.
func onBoth(t *testing.T, rule meeting.RingRule, endpoints func(url string) []Endpoint, test func(*town)) {
	for _, engine := range storetest.Engines() {
		t.Run(engine.Name, func(t *testing.T) { test(newTown(t, engine.Open(t), rule, endpoints)) })
	}
}

func newTown(t *testing.T, db *store.Store, rule meeting.RingRule, endpoints func(url string) []Endpoint) *town {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	policy := meeting.Policy{Queues: []meeting.Queue{{Name: "advice", Ring: rule}}}
	n := &town{T: t, meetings: meeting.New(db.Meetings(), policy, time.Now, quiet), outbox: db.Outbox(), in: receiver(t)}
	r := newRig(t, nil, endpoints(n.in.URL())...)
	r.Connector.now = time.Now
	box, err := outbox.New(outbox.Options{
		Store: db.Outbox(), Translators: []outbox.Translator{r.Connector}, Deliverers: map[string]outbox.Deliverer{Name: r.Connector},
		Now: time.Now, Log: quiet, Metrics: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var parts errgroup.Group
	for _, run := range []func(context.Context) error{box.Run, meeting.NewClock(n.meetings).Run} {
		parts.Go(func() error { return run(ctx) })
	}
	t.Cleanup(func() { // before the store closes
		cancel()
		if err := parts.Wait(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func (n *town) call() meeting.Meeting {
	n.Helper()
	m, _, err := n.meetings.Request(n.Context(), meeting.Request{Queue: "advice", Language: "en", RingNow: true, Visitor: meeting.Person{Name: "Mina Rossi"}})
	if err != nil {
		n.Fatal(err)
	}
	return m
}

// came waits until as many requests have come to a path, and gives them.
func (n *town) came(path string, count int) []hostile.Entry {
	n.Helper()
	ctx, cancel := context.WithTimeout(n.Context(), 20*time.Second)
	defer cancel()
	of := func(all []hostile.Entry) []hostile.Entry {
		return slices.DeleteFunc(slices.Clone(all), func(e hostile.Entry) bool { return e.Path != path })
	}
	all, err := n.in.Wait(ctx, func(all []hostile.Entry) bool { return len(of(all)) >= count })
	if err != nil {
		n.Fatalf("%d of %d came to %s: %v", len(of(all)), count, path, err)
	}
	return of(all)
}

// settled waits until nothing of a target is pending, and gives its deliveries,
// oldest first.
func (n *town) settled(target string, count int) []outbox.Delivery {
	n.Helper()
	t := time.NewTicker(5 * time.Millisecond) // nothing tells when an attempt is stored
	defer t.Stop()
	for until := time.After(20 * time.Second); ; {
		all, err := n.outbox.List(n.Context(), outbox.Filter{Target: target, Limit: 200})
		if err != nil {
			n.Fatal(err)
		}
		if len(all) >= count && !slices.ContainsFunc(all, func(d outbox.Delivery) bool { return d.State == outbox.Pending }) {
			slices.Reverse(all)
			return all
		}
		select {
		case <-t.C:
		case <-until:
			n.Fatalf("%s has %+v", target, all)
		}
	}
}

// whole is a call from the click to its end: six events.
func (n *town) whole() meeting.Meeting {
	n.Helper()
	m := n.call() // created, requested, ring.started
	if _, err := n.meetings.Post(n.Context(), m.ID, meeting.Message{From: m.TheVisitor().ID, Role: meeting.Visitor, Text: "hello"}); err != nil {
		n.Fatal(err)
	}
	if _, err := n.meetings.Accept(n.Context(), m.ID, meeting.Agent{Key: "a1", Name: "Anna"}); err != nil {
		n.Fatal(err)
	}
	m, err := n.meetings.End(n.Context(), m.ID, meeting.Visitor)
	if err != nil {
		n.Fatal(err)
	}
	return m
}

func TestAWholeCallIsToldInOrderSignedAndOnce(t *testing.T) {
	leak.Check(t)
	const events = 6
	onBoth(t, meeting.RingRule{}, func(url string) []Endpoint {
		good, rolling, gone := at("good", url+"/good"), at("rolling", url+"/rolling"), at("gone", url+"/gone")
		good.Events, rolling.Events, gone.Events = []string{"*"}, []string{"*"}, []string{"*"}
		rolling.Secrets = []secret.Secret{key2, key1}
		return []Endpoint{good, rolling, gone}
	}, func(n *town) {
		n.in.Set("/gone", hostile.Status(410))
		m := n.whole()
		ids := map[string]bool{}
		for _, name := range []string{"good", "rolling"} {
			deliveries := n.settled("webhook/"+name, events)
			for i, e := range n.came("/"+name, events) {
				d := deliveries[i]
				if e.Seq != int64(i+1) || e.Meeting != string(m.ID) || e.Event != string(d.Event) || e.ID != d.Public || d.State != outbox.Delivered {
					n.Errorf("%s, event %d: %+v of %+v", name, i+1, e, d)
				}
				if !verify(n.T, key1, e) || verify(n.T, key2, e) != (name == "rolling") {
					n.Errorf("%s, event %d: signed %q", name, i+1, e.Signature)
				}
				ids[e.ID] = true
			}
		}
		if len(ids) != 2*events || len(n.came("/good", events)) != events {
			n.Errorf("%d ids of %d deliveries", len(ids), 2*events)
		}
		for _, d := range n.settled("webhook/gone", events) { // D4: 410 stops
			if d.State != outbox.Failed || d.Reason != "gone" || d.Attempts != 1 {
				n.Errorf("gone: %+v", d)
			}
		}
	})
}

func TestD3_a_second_attempt_is_recognised(t *testing.T) {
	leak.Check(t)
	onBoth(t, meeting.RingRule{}, func(url string) []Endpoint {
		e := at("crm", url+"/hook")
		e.Events = []string{"ring.started"} // it is tried again after a second
		return []Endpoint{e}
	}, func(n *town) {
		n.in.Set("/hook", hostile.Reset().Times(1))
		n.call()
		got := n.came("/hook", 2)
		first, second := got[0], got[1]
		if first.ID != second.ID || first.Seq != 3 || second.Seq != 3 || first.Hash != second.Hash ||
			first.Timestamp == second.Timestamp || first.Signature == second.Signature || !verify(n.T, key1, first) || !verify(n.T, key1, second) {
			n.Errorf("got\n%+v\n%+v", first, second)
		}
		d := n.settled("webhook/crm", 1)[0]
		if d.State != outbox.Delivered || d.Attempts != 2 || d.Public != first.ID {
			n.Errorf("got %+v", d)
		}
		attempts, err := n.outbox.Attempts(n.Context(), d.ID)
		if err != nil || len(attempts) != 2 || attempts[0].Reason != "reset_after_send" || attempts[1].Verdict != outbox.OK {
			n.Errorf("attempts %+v, %v", attempts, err)
		}
	})
}

func TestD6_a_ring_is_fresh_or_not_sent(t *testing.T) {
	leak.Check(t)
	rule := meeting.RingRule{Window: 700 * time.Millisecond, Rounds: 1, Wait: 700 * time.Millisecond}
	onBoth(t, rule, func(url string) []Endpoint {
		e := at("crm", url+"/hook")
		e.Events = []string{"ring.started", "meeting.missed", "meeting.ended"}
		return []Endpoint{e}
	}, func(n *town) {
		n.in.Set("/hook", hostile.Status(500).Times(1))
		n.call()
		var told []int64
		for _, e := range n.came("/hook", 3) {
			told = append(told, e.Seq)
		}
		if !slices.Equal(told, []int64{3, 4, 5}) { // the ring once, refused; then that it was missed, and its end
			n.Errorf("told of %v", told)
		}
		if all := n.settled("webhook/crm", 3); all[0].State != outbox.Expired || all[1].State != outbox.Delivered || all[2].State != outbox.Delivered {
			n.Errorf("got %+v", all)
		}
	})
}
