package signaltest

import (
	"net/netip"
	"strconv"
	"strings"
)

// theirs is an SDP of the server with the addresses that lead through the relay.
func (o Options) theirs(sdp string) string {
	if o.Via == nil {
		return sdp
	}
	return mapLines(sdp, func(line string) string {
		if c, ok := strings.CutPrefix(line, "a=candidate:"); ok {
			if c = o.candidate("candidate:" + c); c != "" {
				c = "a=" + c
			}
			return c
		}
		return line
	})
}

// ours is an SDP of the client without addresses, if there is a relay.
func (o Options) ours(sdp string) string {
	if o.Via == nil {
		return sdp
	}
	return mapLines(sdp, func(line string) string {
		if strings.HasPrefix(line, "a=candidate:") || line == "a=end-of-candidates" {
			return ""
		}
		return line
	})
}

// candidate is a candidate of the server as the client reaches it, "" if it
// does not. RFC 8839 §5.1: foundation, component, transport, priority, address,
// port, then the rest.
func (o Options) candidate(c string) string {
	f := strings.Fields(c)
	if o.Via == nil || len(f) < 8 {
		return c
	}
	port, err := strconv.ParseUint(f[5], 10, 16)
	if err != nil {
		return c
	}
	ip, err := netip.ParseAddr(f[4])
	if err != nil {
		return c
	}
	to, ok := o.Via(strings.ToLower(f[2]), netip.AddrPortFrom(ip, uint16(port)))
	if !ok {
		return ""
	}
	f[4], f[5] = to.Addr().String(), strconv.Itoa(int(to.Port()))
	return strings.Join(f, " ")
}

// mapLines changes the lines of an SDP; one that becomes empty goes.
func mapLines(sdp string, change func(string) string) string {
	var b strings.Builder
	for line := range strings.Lines(sdp) {
		if line = change(strings.TrimRight(line, "\r\n")); line != "" {
			b.WriteString(line + "\r\n")
		}
	}
	return b.String()
}
