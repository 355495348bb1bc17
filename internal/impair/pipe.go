package impair

import (
	"cmp"
	"container/heap"
	"sync"
	"time"
)

// pipe carries the packets of one client in one direction: its line decides,
// its queue waits, its run delivers.
type pipe struct {
	net     *network
	stream  bool
	deliver func([]byte) bool // false ends the pipe; called by run alone
	wake    chan struct{}     // holds one

	mu     sync.Mutex // guards what follows
	line   *line
	queue  parcels
	number uint64
	held   int           // bytes in queue
	room   chan struct{} // closed when bytes leave the queue, made by who waits
	ended  bool          // nothing comes in any more
}

// heldBytes a pipe holds at most, whatever the delay: datagrams beyond are lost,
// a stream is held back. 4 MiB are 3 s at 10 Mbit/s.
const heldBytes = 4 << 20

type parcel struct {
	due    time.Time
	number uint64
	data   []byte
}

// parcels are a heap, the next one first.
type parcels []parcel

func (p parcels) Len() int { return len(p) }
func (p parcels) Less(i, j int) bool {
	return cmp.Or(p[i].due.Compare(p[j].due), cmp.Compare(p[i].number, p[j].number)) < 0
}
func (p parcels) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p *parcels) Push(x any)   { *p = append(*p, x.(parcel)) } //nolint:forcetypeassert // ours alone
func (p *parcels) Pop() any {
	last := len(*p) - 1
	x := (*p)[last]
	(*p)[last] = parcel{}
	*p = (*p)[:last]
	return x
}

func newPipe(n *network, l *line, stream bool, deliver func([]byte) bool) *pipe {
	return &pipe{net: n, line: l, stream: stream, deliver: deliver, wake: make(chan struct{}, 1)}
}

// put takes a packet; the pipe keeps data.
func (p *pipe) put(data []byte) {
	c, _ := p.net.conditions()
	count := &p.net.counts
	count.packets.Add(1)
	count.bytes.Add(int64(len(data)))
	p.mu.Lock()
	now := time.Now()
	var f fate
	if p.stream {
		f = p.line.segment(now, len(data), c)
	} else {
		f = p.line.packet(now, len(data), c)
		f.overflowed = f.overflowed || p.held+len(data) > heldBytes
	}
	if p.stream || !f.dropped() {
		p.push(f.due, data)
		if f.twice {
			p.push(f.due, data)
		}
	}
	p.mu.Unlock()
	count.note(f)
	p.nudge()
}

// push is called with mu held.
func (p *pipe) push(due time.Time, data []byte) {
	p.number++
	p.held += len(data)
	heap.Push(&p.queue, parcel{due, p.number, data})
}

func (p *pipe) nudge() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// end says that nothing comes in any more: run delivers the rest and returns.
func (p *pipe) end() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.nudge()
}

// ready waits until a stream may put more: it is neither cut nor full. False
// when done is closed.
func (p *pipe) ready(done <-chan struct{}) bool {
	for {
		c, changed := p.net.conditions()
		limit := heldBytes
		if c.BitsPerSecond > 0 {
			limit = cmp.Or(c.QueueBytes, defaultQueueBytes)
		}
		p.mu.Lock()
		if p.held < limit && !c.Block {
			p.mu.Unlock()
			return true
		}
		if p.room == nil {
			p.room = make(chan struct{})
		}
		room := p.room
		p.mu.Unlock()
		select {
		case <-room:
		case <-changed:
		case <-done:
			return false
		}
	}
}

// run delivers what is due until done is closed or the rest is out after end;
// false if deliver says that the other side is gone.
func (p *pipe) run(done <-chan struct{}) bool {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		c, changed := p.net.conditions()
		data, wait, ended := p.next(c)
		switch {
		case data != nil && c.Block: // only datagrams: they are lost on the way
			p.net.counts.blocked.Add(1)
			continue
		case data != nil:
			if !p.deliver(data) {
				return false
			}
			p.net.counts.delivered.Add(1)
			select {
			case <-done:
				return true
			default:
			}
			continue
		case ended:
			return true
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-p.wake:
		case <-changed:
		case <-done:
			return true
		}
	}
}

// next takes the packet that is due, or tells how long to wait for it.
func (p *pipe) next(c Conditions) (data []byte, wait time.Duration, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.stream && c.Block:
		return nil, time.Hour, false
	case len(p.queue) == 0:
		return nil, time.Hour, p.ended
	}
	if wait := time.Until(p.queue[0].due); wait > 0 {
		return nil, wait, false
	}
	x, _ := heap.Pop(&p.queue).(parcel)
	p.held -= len(x.data)
	if p.room != nil {
		close(p.room)
		p.room = nil
	}
	return x.data, 0, false
}
