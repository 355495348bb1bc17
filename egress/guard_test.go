package egress

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"ringdown/internal/leak"
)

// inside lists addresses that lead to this machine, its neighbours or nowhere.
func inside() []string {
	return []string{
		"0.0.0.0", "0.0.0.1", "0.255.255.255", "10.0.0.0", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255",
		"127.0.0.1", "127.0.0.2", "127.1.2.3", "127.255.255.255", "169.254.0.1", "169.254.169.254", "169.254.170.2", "169.254.170.23",
		"169.254.255.255", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.0.1",
		"192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "224.0.0.251", "239.255.255.250",
		"240.0.0.1", "255.255.255.254", "255.255.255.255", "168.63.129.16",
		"::", "::1", "::2", "::127.0.0.1", "::10.0.0.1", "::ffff:0.0.0.0", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
		"::ffff:192.168.0.1", "::ffff:100.64.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254",
		"64:ff9b:1::1", "64:ff9b:1:ffff::10.0.0.1", "100::1", "100:0:0:1::1", "2001::1", "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:20::1",
		"2001:db8::1", "2001:db8:ffff::1", "2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::", "3fff::1", "4000::1", "5f00::1", "8000::1",
		"fc00::1", "fd00::1", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fdff:ffff::1", "fe80::1", "fe80::1%25lo", "febf::1", "fec0::1",
		"ff01::1", "ff02::1", "ff05::2", "ff0e::1", "ffff::1",
	}
}

func TestS1NoAddressInside(t *testing.T) {
	leak.Check(t)
	s, connects := receiver(t, func(http.ResponseWriter, *http.Request) {})
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, DefaultConfig(), Deps{}, Options{})
	if n := len(inside()); n < 80 {
		t.Fatalf("only %d addresses", n)
	}
	for _, a := range inside() {
		host := a
		if strings.Contains(a, ":") {
			host = "[" + a + "]"
		}
		for _, scheme := range []string{"http", "https"} {
			if _, _, err := b.send(t, http.MethodGet, scheme+"://"+host+":"+port+"/", ""); ReasonOf(err) != Blocked {
				t.Errorf("%s %s: %v", scheme, a, err)
			}
		}
	}
	if _, _, err := b.send(t, http.MethodGet, "http://localhost:"+port, ""); ReasonOf(err) != Blocked {
		t.Errorf("localhost: %v", err)
	}
	if n := connects.Load(); n != 0 {
		t.Errorf("%d connections came through", n)
	}
}

func TestGuardLetsPublicAddressesThrough(t *testing.T) {
	g := &guard{}
	for _, a := range []string{
		"1.1.1.1", "9.255.255.255", "11.0.0.1", "93.184.216.34", "100.63.255.255", "100.128.0.1", "172.15.0.1", "172.32.0.1", "192.167.0.1",
		"223.255.255.255", "2606:4700::1111", "2a00:1450::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1",
	} {
		if err := g.judge("some.example:443", netip.AddrPortFrom(netip.MustParseAddr(a), 443).String()); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
}

func TestS1NamesAreJudgedWhenConnecting(t *testing.T) {
	leak.Check(t)
	s, connects := receiver(t, func(http.ResponseWriter, *http.Request) {})
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	dns := fakeDNS(func(name string) []string {
		switch {
		case name != "rebind.example":
			return []string{"127.0.0.1"}
		case asked.Add(1) <= 2: // the first look-up asks for A and AAAA
			return []string{"93.184.216.34"}
		}
		return []string{"127.0.0.1", "::1"}
	})
	first, err := dns.LookupHost(t.Context(), "rebind.example")
	if err != nil || len(first) == 0 || first[0] != "93.184.216.34" {
		t.Fatalf("the name's first face: %v %v", first, err)
	}
	b := newBench(t, DefaultConfig(), Deps{Resolver: dns}, Options{})
	for _, host := range []string{"rebind.example", "inside.example", "metadata.google.internal"} {
		if _, _, err := b.send(t, http.MethodGet, "http://"+host+":"+port+"/", ""); ReasonOf(err) != Blocked {
			t.Errorf("%s: %v", host, err)
		}
	}
	if n := connects.Load(); n != 0 {
		t.Errorf("%d connections came through", n)
	}
}

func TestS1RedirectsAreResults(t *testing.T) {
	leak.Check(t)
	target, connects := receiver(t, func(http.ResponseWriter, *http.Request) {})
	for _, status := range []int{301, 302, 303, 307, 308} {
		s, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, target.URL, status) })
		b := newBench(t, DefaultConfig(), Deps{}, Options{Allow: []string{s.URL, target.URL}})
		resp, _, err := b.send(t, http.MethodGet, s.URL, "")
		if err != nil || resp.StatusCode != status || resp.Header.Get("Location") != target.URL {
			t.Errorf("%d: got %v %v", status, resp, err)
		}
		if all := metrics(t, b.metrics); !strings.Contains(all, `value:"3xx"`) {
			t.Errorf("metrics %s", all)
		}
	}
	if n := connects.Load(); n != 0 {
		t.Errorf("%d connections followed", n)
	}
}

func TestS1TheConfigurationOpensExactlyItsOwn(t *testing.T) {
	leak.Check(t)
	s, _ := receiver(t, func(http.ResponseWriter, *http.Request) {})
	other, connects := receiver(t, func(http.ResponseWriter, *http.Request) {})
	dns := fakeDNS(func(string) []string { return []string{"127.0.0.1"} })
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, DefaultConfig(), Deps{Resolver: dns}, Options{Allow: []string{s.URL + "/path?q", "http://Desk.example:" + port}})
	for url, want := range map[string]Reason{
		s.URL + "/elsewhere":                "",
		"http://desk.example:" + port:       "",
		"http://DESK.example:" + port + "/": "",
		"http://other.example:" + port:      Blocked, // the same place by another name
		"http://127.0.0.2:" + port:          Blocked,
		other.URL:                           Blocked, // the same host, another port
	} {
		if _, _, err := b.send(t, http.MethodGet, url, ""); ReasonOf(err) != want || err != nil != (want != "") {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	if n := connects.Load(); n != 0 {
		t.Errorf("%d connections to the other", n)
	}

	cfg := DefaultConfig()
	cfg.AllowNetworks = []string{"127.0.0.1/8"}
	wide := newBench(t, cfg, Deps{}, Options{})
	if _, _, err := wide.send(t, http.MethodGet, other.URL, ""); err != nil {
		t.Errorf("an opened network: %v", err)
	}
}

func TestS1MetadataAndOwnListenersNever(t *testing.T) {
	leak.Check(t)
	own, connects := receiver(t, func(http.ResponseWriter, *http.Request) {})
	at := netip.MustParseAddrPort(own.Listener.Addr().String())
	cfg := DefaultConfig()
	cfg.AllowNetworks = []string{"0.0.0.0/0", "::/0"}
	for name, listener := range map[string]netip.AddrPort{
		"by its address":     at,
		"on every interface": netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port()),
		"on every one, IPv6": netip.AddrPortFrom(netip.IPv6Unspecified(), at.Port()),
	} {
		b := newBench(t, cfg, Deps{Own: func() []netip.AddrPort { return []netip.AddrPort{listener} }}, Options{Allow: []string{own.URL}})
		for _, host := range []string{"127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"} {
			if _, _, err := b.send(t, http.MethodGet, fmt.Sprintf("http://%s:%d/", host, at.Port()), ""); ReasonOf(err) != Blocked {
				t.Errorf("own listener %s as %s: %v", name, host, err)
			}
		}
	}
	if n := connects.Load(); n != 0 {
		t.Errorf("%d connections to ourselves", n)
	}
	for _, a := range []string{
		"169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192", "168.63.129.16", "[fd00:ec2::254]", "[fd20:ce::254]",
		"[::ffff:169.254.169.254]", "[64:ff9b::169.254.169.254]",
	} {
		url := "http://" + a + "/latest"
		b := newBench(t, cfg, Deps{}, Options{Allow: []string{url}})
		if _, _, err := b.send(t, http.MethodGet, url, ""); ReasonOf(err) != Blocked {
			t.Errorf("%s: %v", a, err)
		}
	}
}
