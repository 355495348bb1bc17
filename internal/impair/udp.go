package impair

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
)

// maxClients of a relay; packets of further ones are not taken.
const maxClients = 4096

// UDP is a relay of datagrams. Each client address has a socket of its own
// towards the server, as behind a NAT.
type UDP struct {
	networks
	server netip.AddrPort
	seed   uint64
	in     *net.UDPConn
	done   chan struct{}
	wg     sync.WaitGroup
	once   sync.Once

	mu      sync.Mutex // guards what follows
	clients map[netip.AddrPort]*udpClient
}

type udpClient struct {
	addr     netip.AddrPort
	up, down *pipe

	mu  sync.Mutex // guards out
	out *net.UDPConn
}

// NewUDP opens a relay to a server on a free loopback port.
func NewUDP(ctx context.Context, server string, seed uint64) (*UDP, error) {
	return ListenUDP(ctx, "127.0.0.1:0", server, seed)
}

// ListenUDP opens a relay to a server at an address of the caller's choice.
func ListenUDP(ctx context.Context, listen, server string, seed uint64) (*UDP, error) {
	to, err := netip.ParseAddrPort(server)
	if err != nil {
		return nil, err
	}
	var l net.ListenConfig
	c, err := l.ListenPacket(ctx, "udp", listen)
	if err != nil {
		return nil, err
	}
	in, _ := c.(*net.UDPConn)
	roomy(in)
	u := &UDP{server: to, seed: seed, in: in, done: make(chan struct{}), clients: map[netip.AddrPort]*udpClient{}}
	u.wg.Go(u.receive)
	return u, nil
}

// Addr is where clients reach the relay.
func (u *UDP) Addr() netip.AddrPort { return addrPort(u.in.LocalAddr()) }

// Rebind gives every client a new port towards the server, as a NAT that forgot
// does: what the server sends to the old one is lost. The new port is in use
// from the client's next packet on.
func (u *UDP) Rebind() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, c := range u.clients {
		c.mu.Lock()
		if c.out != nil {
			_ = c.out.Close()
			c.out = nil
		}
		c.mu.Unlock()
	}
}

// Close ends the relay and waits for its goroutines.
func (u *UDP) Close() {
	u.once.Do(func() {
		close(u.done)
		_ = u.in.Close()
		u.Rebind()
	})
	u.wg.Wait()
}

func (u *UDP) receive() {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := u.in.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // a client's port was unreachable once
		}
		if c := u.client(from); c != nil {
			c.up.put(append([]byte(nil), buf[:n]...))
		}
	}
}

func (u *UDP) closed() bool {
	select {
	case <-u.done:
		return true
	default:
		return false
	}
}

func (u *UDP) client(from netip.AddrPort) *udpClient {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.clients[from]
	if c != nil || len(u.clients) >= maxClients || u.closed() {
		return c
	}
	c = &udpClient{addr: from}
	n := len(u.clients)
	c.up = newPipe(&u.networks[Up], newLine(u.seed, n, Up), false, func(b []byte) bool { u.send(c, b); return true })
	c.down = newPipe(&u.networks[Down], newLine(u.seed, n, Down), false, func(b []byte) bool {
		_, _ = u.in.WriteToUDPAddrPort(b, c.addr) // a client that is gone is none of ours
		return true
	})
	u.clients[from] = c
	u.wg.Go(func() { c.up.run(u.done) })
	u.wg.Go(func() { c.down.run(u.done) })
	return c
}

// send brings a packet to the server.
func (u *UDP) send(c *udpClient, b []byte) {
	if out := u.towards(c); out != nil {
		_, _ = out.Write(b) // refused by a server that is gone: lost
	}
}

// towards returns a client's socket to the server, a new one if it has none; nil
// when the relay ends or the machine has no socket left.
func (u *UDP) towards(c *udpClient) *net.UDPConn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out != nil || u.closed() {
		return c.out
	}
	out, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(u.server))
	if err != nil {
		return nil
	}
	roomy(out)
	c.out = out
	u.wg.Go(func() { u.back(c, out) })
	return out
}

// back takes the server's packets to one port of a client until it is given up.
func (u *UDP) back(c *udpClient, out *net.UDPConn) {
	buf := make([]byte, 64<<10)
	for {
		n, err := out.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // the server's port was unreachable once
		}
		c.down.put(append([]byte(nil), buf[:n]...))
	}
}

// roomy asks for buffers that take a burst; less is no fault.
func roomy(c *net.UDPConn) {
	_ = c.SetReadBuffer(4 << 20)
	_ = c.SetWriteBuffer(4 << 20)
}

func addrPort(a net.Addr) netip.AddrPort {
	p, _ := netip.ParseAddrPort(a.String())
	return p
}
