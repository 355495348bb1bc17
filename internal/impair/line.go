package impair

import (
	"math/rand/v2"
	"time"
)

// line decides what becomes of the packets of one client in one direction. It is
// pure but for its own state: time comes in. One goroutine at a time uses it.
type line struct {
	rng     *rand.Rand
	backlog float64 // bytes waiting before a line with a rate, at the time seen
	seen    time.Time
	last    time.Time // when the latest packet in order comes out
}

// newLine returns the line of the n-th client, counted from 0.
func newLine(seed uint64, client int, d Direction) *line {
	return &line{rng: rand.New(rand.NewPCG(seed, uint64(client)<<1|uint64(d)))} //nolint:gosec // decisions to repeat, no secrets
}

// fate is what becomes of a packet.
type fate struct {
	due                              time.Time // when it comes out
	lost, blocked, overflowed, twice bool
	late                             bool // reordered
}

// dropped tells whether nothing comes out.
func (f fate) dropped() bool { return f.lost || f.blocked || f.overflowed }

// dice draws the same four numbers for every packet, whatever the conditions, so
// that the fate of a packet does not hang on what was set before it.
func (l *line) dice() (loss, jitter, reorder, duplicate float64) {
	return l.rng.Float64(), l.rng.Float64(), l.rng.Float64(), l.rng.Float64()
}

// packet decides about a datagram.
func (l *line) packet(now time.Time, size int, c Conditions) fate {
	loss, jitter, reorder, duplicate := l.dice()
	var f fate
	switch {
	case c.Block:
		f.blocked = true
		return f
	case loss < c.Loss:
		f.lost = true
		return f
	}
	out, fits := l.rate(now, size, c, true)
	if !fits {
		f.overflowed = true
		return f
	}
	f.twice = duplicate < c.Duplicate
	f.due = out.Add(c.Delay + time.Duration(jitter*float64(c.Jitter)))
	if f.late = reorder < c.Reorder; f.late {
		by := c.ReorderBy
		if by == 0 {
			by = defaultReorderBy
		}
		f.due = f.due.Add(by)
		return f
	}
	f.due = l.inOrder(f.due)
	return f
}

// segment decides about a piece of a stream: it always comes out, in order.
func (l *line) segment(now time.Time, size int, c Conditions) fate {
	loss, jitter, _, _ := l.dice()
	out, _ := l.rate(now, size, c, false)
	f := fate{due: out.Add(c.Delay + time.Duration(jitter*float64(c.Jitter))), lost: loss < c.Loss}
	if f.lost {
		f.due = f.due.Add(retransmission + 2*c.Delay)
	}
	f.due = l.inOrder(f.due)
	return f
}

func (l *line) inOrder(due time.Time) time.Time {
	if due.Before(l.last) {
		due = l.last
	}
	l.last = due
	return due
}

// rate puts size bytes behind those that wait and returns when they are out;
// false if there is no room and full queues lose.
func (l *line) rate(now time.Time, size int, c Conditions, bounded bool) (time.Time, bool) {
	perSecond := float64(c.BitsPerSecond) / 8
	if !l.seen.IsZero() {
		l.backlog = max(0, l.backlog-now.Sub(l.seen).Seconds()*perSecond)
	}
	l.seen = now
	if c.BitsPerSecond == 0 {
		l.backlog = 0
		return now, true
	}
	room := float64(c.QueueBytes)
	if room == 0 {
		room = defaultQueueBytes
	}
	if bounded && l.backlog+float64(size) > room {
		return now, false
	}
	l.backlog += float64(size)
	return now.Add(time.Duration(l.backlog / perSecond * float64(time.Second))), true
}
