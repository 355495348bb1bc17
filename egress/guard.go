package egress

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
)

// errBlocked is inside every error of a connection the guard refused.
var errBlocked = errors.New("address not allowed")

// guard judges the address of every connection after the name was resolved, so
// that a name which changes its mind between check and use gains nothing.
type guard struct {
	pairs    map[string]bool // host:port written in the configuration file
	networks []netip.Prefix  // private networks the configuration file opens
	own      func() []netip.AddrPort
}

// judge looks at the address a dial to host:port is about to connect to.
func (g *guard) judge(hostport, address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s is no address", errBlocked, hostport)
	}
	a := plain(to.Addr())
	if metadata(a) {
		return fmt.Errorf("%w: a machine's metadata", errBlocked)
	}
	if g.isOwn(netip.AddrPortFrom(a, to.Port())) {
		return fmt.Errorf("%w: our own listener", errBlocked)
	}
	if g.pairs[hostport] || public(a) {
		return nil
	}
	for _, n := range g.networks {
		if n.Contains(a) {
			return nil
		}
	}
	return fmt.Errorf("%w: not a public address", errBlocked)
}

// isOwn tells whether one of our listeners would answer there.
func (g *guard) isOwn(to netip.AddrPort) bool {
	if g.own == nil {
		return false
	}
	for _, l := range g.own() {
		if l.Port() != to.Port() {
			continue
		}
		at := plain(l.Addr())
		if at == to.Addr() || at.IsUnspecified() && ofThisMachine(to.Addr()) || to.Addr().IsUnspecified() {
			return true
		}
	}
	return false
}

func ofThisMachine(a netip.Addr) bool {
	if a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	mine, err := net.InterfaceAddrs()
	if err != nil {
		return true // better one refusal too many
	}
	for _, m := range mine {
		if p, err := netip.ParsePrefix(m.String()); err == nil && p.Addr().Unmap() == a {
			return true
		}
	}
	return false
}

// plain takes the IPv4 address out of its IPv6 disguises (v4-mapped, NAT64) and
// drops the zone.
func plain(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if nat64 := netip.MustParsePrefix("64:ff9b::/96"); nat64.Contains(a) {
		b := a.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}

// metadata tells the addresses at which clouds hand their machines' secrets
// out. Nothing opens them.
func metadata(a netip.Addr) bool {
	switch a.String() {
	case "169.254.169.254", // AWS, Azure, Google and most others
		"169.254.170.2", "169.254.170.23", // AWS containers
		"fd00:ec2::254", "fd00:ec2::23", // AWS over IPv6
		"fd20:ce::254",    // Google over IPv6
		"100.100.100.200", // Alibaba
		"192.0.0.192",     // Oracle
		"168.63.129.16":   // Azure's host
		return true
	}
	return false
}

// special lists the blocks of the IANA special-purpose registries (RFC 6890 and
// its updates, read 2026-11) that are not reachable for everybody. IPv6 outside
// of 2000::/3 is not public anyway.
func special() []netip.Prefix {
	blocks := []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
		"192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
		"224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	}
	all := make([]netip.Prefix, len(blocks))
	for i, b := range blocks {
		all[i] = netip.MustParsePrefix(b)
	}
	return all
}

func public(a netip.Addr) bool {
	if a.Is6() && !netip.MustParsePrefix("2000::/3").Contains(a) {
		return false
	}
	for _, p := range special() {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// pair gives the host:port a URL leads to, as the dialer will ask for it.
func pair(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "", errors.New("must be an address such as https://desk.example.com/path")
	}
	return hostport(u), nil
}

func hostport(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
		if u.Scheme == "http" {
			port = "80"
		}
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// refuse is a net.Dialer's Control for one dial.
func (g *guard) refuse(hostport string) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error { return g.judge(strings.ToLower(hostport), address) }
}
