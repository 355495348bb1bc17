package impair

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// segmentBytes of a stream pass as one.
const segmentBytes = 1400

// TCP is a relay of connections. While it is blocked they stay open on both
// sides and no byte passes, as when a cable is cut; the kernel still takes new
// ones, and they hang too. An end of one side reaches the other like a byte.
type TCP struct {
	networks
	server netip.AddrPort
	seed   uint64
	in     *net.TCPListener
	ctx    context.Context //nolint:containedctx // of the dials, ended by Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu    sync.Mutex // guards what follows
	links map[*tcpLink]struct{}
	count int
}

// tcpLink is one connection through the relay.
type tcpLink struct {
	client *net.TCPConn
	done   chan struct{} // closed by reset

	mu     sync.Mutex // guards what follows
	server *net.TCPConn
	over   bool
}

// NewTCP opens a relay to a server on a free loopback port.
func NewTCP(ctx context.Context, server string, seed uint64) (*TCP, error) {
	return ListenTCP(ctx, "127.0.0.1:0", server, seed)
}

// ListenTCP opens a relay to a server at an address of the caller's choice.
func ListenTCP(ctx context.Context, listen, server string, seed uint64) (*TCP, error) {
	to, err := netip.ParseAddrPort(server)
	if err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", listen)
	if err != nil {
		return nil, err
	}
	in, _ := l.(*net.TCPListener)
	t := &TCP{server: to, seed: seed, in: in, links: map[*tcpLink]struct{}{}}
	t.ctx, t.cancel = context.WithCancel(context.WithoutCancel(ctx))
	t.wg.Go(t.accept)
	return t, nil
}

// Addr is where clients reach the relay.
func (t *TCP) Addr() netip.AddrPort { return addrPort(t.in.Addr()) }

// Open is how many connections there are.
func (t *TCP) Open() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.links)
}

// Reset ends every connection at once with a reset on both sides.
func (t *TCP) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for l := range t.links {
		l.reset()
	}
}

// Close ends the relay and its connections and waits for its goroutines.
func (t *TCP) Close() {
	t.cancel()
	_ = t.in.Close()
	t.Reset()
	t.wg.Wait()
}

func (t *TCP) accept() {
	for {
		c, err := t.in.AcceptTCP()
		if err != nil {
			if t.ctx.Err() != nil {
				return
			}
			continue
		}
		l := &tcpLink{client: c, done: make(chan struct{})}
		t.mu.Lock()
		n := t.count
		t.count++
		t.links[l] = struct{}{}
		t.mu.Unlock()
		if t.ctx.Err() != nil { // Close has been through the links before this one
			l.reset()
		}
		t.wg.Go(func() { t.carry(l, n) })
	}
}

// carry takes one connection from its begin to its end.
func (t *TCP) carry(l *tcpLink, n int) {
	defer func() {
		l.reset() // closed already when all is well
		t.mu.Lock()
		delete(t.links, l)
		t.mu.Unlock()
	}()
	up := newPipe(&t.networks[Up], newLine(t.seed, n, Up), true, nil)
	down := newPipe(&t.networks[Down], newLine(t.seed, n, Down), true, nil)
	if !up.ready(l.done) {
		return
	}
	var d net.Dialer
	c, err := d.DialContext(t.ctx, "tcp", t.server.String())
	if err != nil {
		return
	}
	server, _ := c.(*net.TCPConn)
	l.mu.Lock()
	l.server = server
	over := l.over
	l.mu.Unlock()
	if over { // reset while it was dialled
		_ = server.Close()
		return
	}
	if !t.greet(l) {
		_ = server.Close()
		return
	}
	var g sync.WaitGroup
	g.Go(func() { l.half(up, l.client, server) })
	g.Go(func() { l.half(down, server, l.client) })
	g.Wait()
	_ = l.client.Close()
	_ = server.Close()
}

// greet waits as long as the handshake of a connection would have taken: the
// kernel made it with us, at once. False if the connection is reset meanwhile.
func (t *TCP) greet(l *tcpLink) bool {
	up, _ := t.networks[Up].conditions()
	down, _ := t.networks[Down].conditions()
	trip := time.NewTimer(up.Delay + down.Delay)
	defer trip.Stop()
	select {
	case <-trip.C:
		return true
	case <-l.done:
		return false
	}
}

// half carries one direction until it ends.
func (l *tcpLink) half(p *pipe, from, to *net.TCPConn) {
	var broken bool // the reader's until it has ended
	p.deliver = func(b []byte) bool {
		_, err := to.Write(b)
		return err == nil
	}
	var g sync.WaitGroup
	g.Go(func() {
		defer p.end()
		for p.ready(l.done) {
			b := make([]byte, segmentBytes)
			n, err := from.Read(b)
			if n > 0 {
				p.put(b[:n])
			}
			if err != nil {
				broken = !errors.Is(err, io.EOF)
				return
			}
		}
	})
	if !p.run(l.done) {
		l.reset() // nobody hears it
	}
	g.Wait()
	if broken {
		l.reset() // as the one side did, after what it said before
	}
	_ = to.CloseWrite()
}

// reset ends the connection on both sides at once.
func (l *tcpLink) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	l.over = true
	close(l.done)
	for _, c := range []*net.TCPConn{l.client, l.server} {
		if c != nil {
			_ = c.SetLinger(0)
			_ = c.Close()
		}
	}
}
