package signal_test

import (
	"net/netip"
	"testing"
	"time"

	"ringdown/internal/impair"
	"ringdown/internal/leak"
	"ringdown/media/signal/signaltest"
)

// relays are a bad network before the media port of a node.
func relays(t *testing.T, n *node) (udp *impair.UDP, tcp *impair.TCP, via func(string, netip.AddrPort) (netip.AddrPort, bool)) {
	t.Helper()
	server := n.hub.Addresses()[0].String()
	udp, err := impair.NewUDP(t.Context(), server, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(udp.Close)
	tcp, err = impair.NewTCP(t.Context(), server, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tcp.Close)
	return udp, tcp, func(network string, _ netip.AddrPort) (netip.AddrPort, bool) {
		if network == "udp" {
			return udp.Addr(), true
		}
		return tcp.Addr(), true
	}
}

// A relay before the media port is the only way to it: what it carries arrives,
// what it cuts does not.
func TestARelayIsTheOnlyWay(t *testing.T) {
	leak.Check(t)
	for _, tc := range []struct {
		network string
		tcpOnly bool
	}{{"udp", false}, {"tcp", true}} {
		t.Run(tc.network, func(t *testing.T) {
			n := start(t)
			udp, tcp, via := relays(t, n)
			counts := func() int64 {
				if tc.tcpOnly {
					return tcp.Counts(impair.Down).Packets
				}
				return udp.Counts(impair.Down).Packets
			}
			opts := signaltest.Options{Via: via, TCPOnly: tc.tcpOnly}
			a, b := n.dial(may("r", "a"), opts), n.dial(may("r", "b"), opts)
			out := publish(t, a, camera)[0]
			stop := flow(t, out, 900)
			got := received(t, b, "a", "camera")
			if err := got.WaitPackets(in(t), 50); err != nil {
				t.Fatal(err)
			}
			if c := counts(); c < 50 {
				t.Errorf("%d packets came down through the relay", c)
			}
			stop()
			frames := func(n int) {
				pace := time.NewTicker(5 * time.Millisecond)
				defer pace.Stop()
				for range n {
					if _, err := out.Frame(900); err != nil {
						t.Fatal(err)
					}
					<-pace.C
				}
			}
			udp.Block(true)
			tcp.Block(true)
			frames(20) // what had passed the relay arrives meanwhile
			frozen := len(got.Packets())
			frames(20)
			if now := len(got.Packets()); now != frozen {
				t.Errorf("%d packets passed a cut", now-frozen)
			}
			udp.Block(false)
			tcp.Block(false)
			flow(t, out, 900)
			if err := got.WaitPackets(in(t), frozen+20); err != nil {
				t.Error(err)
			}
		})
	}
}
