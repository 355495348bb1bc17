package media

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/pion/ice/v4"
)

// socketBufferBytes is asked of the kernel for each UDP socket, both ways: half
// a second of two hundred 1.5 Mbit/s streams. The kernel may give less.
const socketBufferBytes = 4 << 20

// tcpQueueBytes is how much may wait for one slow client on TCP: about three
// seconds of video. What does not fit is dropped, as on any lossy path.
const tcpQueueBytes = 512 << 10

// tcpHelloTimeout bounds how long a TCP connection may stay without a STUN
// request that belongs to a leg of ours.
const tcpHelloTimeout = 5 * time.Second

// socket is one UDP socket on one local address, through which all legs reach
// that address. It is a net.PacketConn for pion, which asks it once per
// encrypted packet, synchronously, and takes the buffer back on return.
type socket struct {
	conn *net.UDPConn
}

var (
	_ net.PacketConn           = (*socket)(nil)
	_ ice.AddrPortReaderWriter = (*socket)(nil)
)

// ReadFromAddrPort reads one datagram. Errors of single datagrams (a port that
// was unreachable) are skipped: pion's mux would close the socket on any error.
func (s *socket) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(b)
		var number syscall.Errno
		if err != nil && errors.As(err, &number) && !errors.Is(err, net.ErrClosed) {
			continue
		}
		return n, from, err
	}
}

// WriteToAddrPort sends one datagram.
func (s *socket) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return s.conn.WriteToUDPAddrPort(b, to)
}

// Flush ends a burst of packets for one subscriber: what a write may have kept
// back has to leave now. Writes keep nothing back yet.
func (s *socket) Flush() error { return nil }

// ReadFrom is ReadFromAddrPort for callers without netip.
func (s *socket) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := s.ReadFromAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteTo is WriteToAddrPort for callers without netip.
func (s *socket) WriteTo(b []byte, to net.Addr) (int, error) { return s.conn.WriteTo(b, to) }

// Close closes the socket.
func (s *socket) Close() error { return s.conn.Close() }

// LocalAddr returns the address and port it is bound to.
func (s *socket) LocalAddr() net.Addr { return s.conn.LocalAddr() }

// SetDeadline sets both deadlines.
func (s *socket) SetDeadline(t time.Time) error { return s.conn.SetDeadline(t) }

// SetReadDeadline sets the deadline of reads.
func (s *socket) SetReadDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

// SetWriteDeadline sets the deadline of writes.
func (s *socket) SetWriteDeadline(t time.Time) error { return s.conn.SetWriteDeadline(t) }

// sockets are all sockets of a hub: UDP and TCP on one port number, one of each
// per local address.
type sockets struct {
	port   uint16
	udp    map[netip.Addr]*socket
	tcp    map[netip.Addr]net.Listener
	local  []netip.Addr // bound and announced
	public []netip.Addr // announced, but not ours
}

// openSockets binds what the configuration asks for. maxTCP bounds the TCP
// connections of each address.
func openSockets(cfg Config, maxTCP int, log *slog.Logger) (*sockets, error) {
	machine, err := machineAddresses()
	if err != nil {
		return nil, fmt.Errorf("list local addresses: %w", err)
	}
	s := &sockets{}
	s.choose(cfg, machine)
	if len(s.local) == 0 {
		return nil, errors.New("no local address to listen on: name one in addresses")
	}
	for _, p := range s.public {
		if s.behind(p) == (netip.Addr{}) {
			return nil, fmt.Errorf("addresses: %s is announced, but no local address of its family leads to us", p)
		}
	}
	tries := 1
	if cfg.Port == 0 {
		tries = 32 // a free UDP port may be taken in TCP
	}
	for range tries {
		if err = s.bind(cfg, maxTCP, log); err == nil {
			return s, nil
		}
	}
	return nil, err
}

// machineAddresses lists the addresses of this machine that clients could use.
func machineAddresses() ([]netip.Addr, error) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, a := range found {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		ip, ok := netip.AddrFromSlice(n.IP)
		if ip = ip.Unmap(); ok && !ip.IsLinkLocalUnicast() && !ip.IsMulticast() && !slices.Contains(out, ip) {
			out = append(out, ip)
		}
	}
	return out, nil
}

// choose sorts the configured addresses into those to bind and those to announce.
func (s *sockets) choose(cfg Config, machine []netip.Addr) {
	auto := func() {
		for _, ip := range machine {
			if (!ip.IsLoopback() || cfg.Loopback) && !slices.Contains(s.local, ip) {
				s.local = append(s.local, ip)
			}
		}
	}
	for _, a := range cfg.Addresses {
		if a == AutoAddresses {
			auto()
			continue
		}
		ip, err := netip.ParseAddr(a)
		if ip = ip.Unmap(); err != nil || slices.Contains(s.local, ip) || slices.Contains(s.public, ip) {
			continue // Validate told about the first
		}
		// The whole of 127.0.0.0/8 is local, though only one address is listed.
		if slices.Contains(machine, ip) || ip.IsLoopback() {
			s.local = append(s.local, ip)
		} else {
			s.public = append(s.public, ip)
		}
	}
	if len(s.local) == 0 {
		auto()
	}
}

// behind returns the local address that stands behind a public one: the first
// of its family, loopback last.
func (s *sockets) behind(public netip.Addr) netip.Addr {
	var loopback netip.Addr
	for _, ip := range s.local {
		switch {
		case ip.Is4() != public.Is4():
		case ip.IsLoopback():
			loopback = ip
		default:
			return ip
		}
	}
	return loopback
}

func (s *sockets) bind(cfg Config, maxTCP int, log *slog.Logger) error {
	s.port = uint16(cfg.Port)
	s.udp, s.tcp = map[netip.Addr]*socket{}, map[netip.Addr]net.Listener{}
	var lc net.ListenConfig
	for _, ip := range s.local {
		conn, err := lc.ListenPacket(context.Background(), "udp", s.hostPort(ip))
		if err != nil {
			// An address may be listed and not usable (an interface going
			// down, IPv6 still looking for duplicates); a taken port is fatal.
			if errors.Is(err, syscall.EADDRNOTAVAIL) && !slices.Contains(cfg.Addresses, ip.String()) {
				log.Warn("media address is not usable", "address", ip.String())
				continue
			}
			s.close()
			return fmt.Errorf("listen for media: %w", err)
		}
		udp, ok := conn.(*net.UDPConn)
		if !ok {
			s.close()
			return fmt.Errorf("listen for media: %T is not a UDP socket", conn)
		}
		_ = udp.SetReadBuffer(socketBufferBytes) // the kernel's limit holds
		_ = udp.SetWriteBuffer(socketBufferBytes)
		s.udp[ip] = &socket{conn: udp}
		if addr, ok := udp.LocalAddr().(*net.UDPAddr); ok {
			s.port = addr.AddrPort().Port()
		}
		l, err := lc.Listen(context.Background(), "tcp", s.hostPort(ip))
		if err != nil {
			s.close()
			return fmt.Errorf("listen for media: %w", err)
		}
		s.tcp[ip] = &tcpListener{Listener: l, limit: maxTCP, conns: map[*tcpConn]struct{}{}}
	}
	if len(s.udp) == 0 {
		return errors.New("listen for media: no local address is usable")
	}
	return nil
}

func (s *sockets) hostPort(ip netip.Addr) string {
	return net.JoinHostPort(ip.String(), strconv.Itoa(int(s.port)))
}

func (s *sockets) close() {
	for _, u := range s.udp {
		_ = u.Close()
	}
	for _, l := range s.tcp {
		_ = l.Close()
	}
}

// at returns the socket behind an announced or local address, nil if none is.
func (s *sockets) at(ip netip.Addr) *socket {
	if u, ok := s.udp[ip.Unmap()]; ok {
		return u
	}
	if slices.Contains(s.public, ip.Unmap()) {
		return s.udp[s.behind(ip.Unmap())]
	}
	return nil
}

// addresses lists what clients are told to send to.
func (s *sockets) addresses() []netip.AddrPort {
	var out []netip.AddrPort
	for _, ip := range s.local {
		if s.udp[ip] != nil {
			out = append(out, netip.AddrPortFrom(ip, s.port))
		}
	}
	for _, ip := range s.public {
		out = append(out, netip.AddrPortFrom(ip, s.port))
	}
	return out
}

// tcpListener bounds the connections it has accepted and closes them with
// itself: pion's mux would wait for those that have not said anything yet.
type tcpListener struct {
	net.Listener
	limit int

	mu     sync.Mutex // guards what follows
	conns  map[*tcpConn]struct{}
	closed bool
}

type tcpConn struct {
	net.Conn
	from *tcpListener
}

// Accept waits for a connection; those over the limit are closed at once.
func (l *tcpListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &tcpConn{conn, l}
		l.mu.Lock()
		ok := !l.closed && len(l.conns) < l.limit
		if ok {
			l.conns[c] = struct{}{}
		}
		l.mu.Unlock()
		if ok {
			return c, nil
		}
		_ = conn.Close()
	}
}

// Close closes the listener and all it has accepted.
func (l *tcpListener) Close() error {
	l.mu.Lock()
	l.closed = true
	open := l.conns
	l.conns = map[*tcpConn]struct{}{}
	l.mu.Unlock()
	for c := range open {
		_ = c.Conn.Close()
	}
	return l.Listener.Close()
}

// Close closes the connection and frees its place.
func (c *tcpConn) Close() error {
	c.from.mu.Lock()
	delete(c.from.conns, c)
	c.from.mu.Unlock()
	return c.Conn.Close()
}

// tcpMux hands pion the TCP mux of the local address it asks for. (pion's own
// multi mux would create a connection on every listener for every address.)
type tcpMux map[netip.Addr]*ice.TCPMuxDefault

var _ ice.TCPMux = tcpMux{}

// GetConnByUfrag implements ice.TCPMux.
func (m tcpMux) GetConnByUfrag(ufrag string, isIPv6 bool, local net.IP) (net.PacketConn, error) {
	ip, _ := netip.AddrFromSlice(local)
	one, ok := m[ip.Unmap()]
	if !ok {
		return nil, fmt.Errorf("no TCP listener on %s", local)
	}
	return one.GetConnByUfrag(ufrag, isIPv6, local)
}

// RemoveConnByUfrag implements ice.TCPMux.
func (m tcpMux) RemoveConnByUfrag(ufrag string) {
	for _, one := range m {
		one.RemoveConnByUfrag(ufrag)
	}
}

// Close implements io.Closer.
func (m tcpMux) Close() error {
	var errs []error
	for _, one := range m {
		errs = append(errs, one.Close())
	}
	return errors.Join(errs...)
}
