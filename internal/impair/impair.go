// Package impair is a bad network for tests: relays that stand between peers and
// a server on the same machine and lose, delay, reorder, double, slow down or
// cut what passes, or give a client a new address. It owns the sockets of its
// relays and knows nothing of what they carry. Every decision about the n-th
// packet of the n-th client follows from the seed, so a run can be repeated;
// only the time at which a packet arrives is the machine's.
//
// A relay starts when it is made and its Close waits for its goroutines, as a
// httptest.Server does. All methods may be called at any time from anywhere.
package impair

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Direction is a way through a relay.
type Direction int

// The ways through a relay.
const (
	Up   Direction = iota // from the clients to the server
	Down                  // from the server to the clients
)

func (d Direction) String() string { return [...]string{"up", "down"}[d] }

// Conditions are what a network does to one direction. The zero value is a
// perfect one. Each client has a line of its own: a rate is not shared.
type Conditions struct {
	// Loss, Reorder and Duplicate are shares of the packets, 0 to 1. In a stream
	// of bytes nothing is lost: a lost segment comes one retransmission later
	// (200 ms and two delays), and what follows waits for it; the others do not
	// apply.
	Loss, Reorder, Duplicate float64
	// Delay is added to every packet. Jitter is at most added on top, evenly
	// spread; it keeps the order, as queues do.
	Delay, Jitter time.Duration
	// ReorderBy is how much later a reordered packet comes, so that others
	// overtake it; 0 means 10 ms.
	ReorderBy time.Duration
	// BitsPerSecond is the rate of the line; 0 is no limit.
	BitsPerSecond int
	// QueueBytes are held before a line with a rate; what does not fit is lost
	// (a stream is held back instead). 0 means 64 KiB.
	QueueBytes int
	// Block cuts the line. Packets on their way are lost; a stream stands still
	// and goes on afterwards.
	Block bool
}

const (
	defaultReorderBy  = 10 * time.Millisecond
	defaultQueueBytes = 64 << 10
	retransmission    = 200 * time.Millisecond // Linux's shortest
)

func (c Conditions) validate() error {
	for _, share := range []float64{c.Loss, c.Reorder, c.Duplicate} {
		if share < 0 || share > 1 || share != share {
			return fmt.Errorf("a share of the packets is 0 to 1, not %v", share)
		}
	}
	if c.Delay < 0 || c.Jitter < 0 || c.ReorderBy < 0 || c.BitsPerSecond < 0 || c.QueueBytes < 0 {
		return fmt.Errorf("conditions are not negative: %+v", c)
	}
	return nil
}

// Counts tell what became of the packets of one direction, of all clients. In a
// stream a packet is a segment of at most 1400 bytes.
type Counts struct {
	Packets    int64 `json:"packets"`    // that came in
	Bytes      int64 `json:"bytes"`      // of them
	Delivered  int64 `json:"delivered"`  // that went out, doubles included
	Lost       int64 `json:"lost"`       // by Loss; in a stream: sent again
	Blocked    int64 `json:"blocked"`    // lost in a cut
	Overflowed int64 `json:"overflowed"` // did not fit into the queue
	Duplicated int64 `json:"duplicated"`
	Reordered  int64 `json:"reordered"`
}

type counters struct {
	packets, bytes, delivered, lost, blocked, overflowed, duplicated, reordered atomic.Int64
}

func (c *counters) read() Counts {
	return Counts{
		Packets: c.packets.Load(), Bytes: c.bytes.Load(), Delivered: c.delivered.Load(), Lost: c.lost.Load(),
		Blocked: c.blocked.Load(), Overflowed: c.overflowed.Load(), Duplicated: c.duplicated.Load(), Reordered: c.reordered.Load(),
	}
}

// note counts what became of a packet.
func (c *counters) note(f fate) {
	add := func(n *atomic.Int64, is bool) {
		if is {
			n.Add(1)
		}
	}
	add(&c.lost, f.lost)
	add(&c.blocked, f.blocked)
	add(&c.overflowed, f.overflowed)
	add(&c.duplicated, f.twice && !f.overflowed)
	add(&c.reordered, f.late && !f.overflowed)
}

// network is the state of one direction of a relay.
type network struct {
	counts counters

	mu      sync.Mutex // guards what follows
	now     Conditions
	changed chan struct{} // closed with every change
}

// conditions returns what holds, and what is closed when that changes.
func (n *network) conditions() (Conditions, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.changed == nil {
		n.changed = make(chan struct{})
	}
	return n.now, n.changed
}

func (n *network) change(do func(*Conditions)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	next := n.now
	do(&next)
	if err := next.validate(); err != nil {
		return err
	}
	n.now = next
	if n.changed != nil {
		close(n.changed)
		n.changed = nil
	}
	return nil
}

// networks are both directions; relays embed them.
type networks [2]network

// Change edits the conditions of one direction from now on. Conditions that
// cannot be are refused and change nothing.
func (n *networks) Change(d Direction, do func(*Conditions)) error { return n[d].change(do) }

// Set makes the conditions of both directions those of c. It panics on shares
// and sizes that cannot be: they are constants of a test.
func (n *networks) Set(c Conditions) {
	for d := range n {
		if err := n[d].change(func(now *Conditions) { *now = c }); err != nil {
			panic(err)
		}
	}
}

// Block cuts both directions, or ends the cut, and keeps the other conditions.
func (n *networks) Block(cut bool) {
	for d := range n {
		_ = n[d].change(func(c *Conditions) { c.Block = cut }) // what held before still does
	}
}

// Counts returns what became of the packets of one direction.
func (n *networks) Counts(d Direction) Counts { return n[d].counts.read() }
