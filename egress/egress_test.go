package egress

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/dns/dnsmessage"

	"ringdown/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

type bench struct {
	*Client
	exit    *Exit
	metrics *prometheus.Registry
}

// newBench makes a client that may reach the given URLs.
func newBench(t *testing.T, cfg Config, deps Deps, o Options) *bench {
	t.Helper()
	b := &bench{metrics: prometheus.NewRegistry()}
	deps.Metrics = b.metrics
	var err error
	if b.exit, err = New(cfg, deps); err != nil {
		t.Fatal(err)
	}
	o.Connector = "xcally"
	if b.Client, err = b.exit.Client(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.exit.Close)
	return b
}

func (b *bench) send(t *testing.T, method, url, body string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text), nil
}

// receiver is a server that counts its connections.
func receiver(t *testing.T, h http.HandlerFunc) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var connects atomic.Int32
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connects.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s, &connects
}

func TestDo(t *testing.T) {
	leak.Check(t)
	s, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.URL.RequestURI(), r.UserAgent(), body)
	})
	b := newBench(t, DefaultConfig(), Deps{}, Options{Allow: []string{s.URL}})
	resp, body, err := b.send(t, http.MethodPost, s.URL+"/a?b=c", "hello")
	if err != nil || resp.StatusCode != 202 || body != "POST /a?b=c Ringdown hello" {
		t.Errorf("got %v %q %v", resp, body, err)
	}
}

// fakeDNS resolves every name by a function, through the real resolver's code.
func fakeDNS(answer func(name string) []string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		go func() { // ends when the resolver closes its end
			defer server.Close()
			var size [2]byte
			for {
				if _, err := io.ReadFull(server, size[:]); err != nil {
					return
				}
				query := make([]byte, int(size[0])<<8|int(size[1]))
				if _, err := io.ReadFull(server, query); err != nil {
					return
				}
				reply := dnsReply(query, answer)
				if _, err := server.Write(append([]byte{byte(len(reply) >> 8), byte(len(reply))}, reply...)); err != nil {
					return
				}
			}
		}()
		return client, nil
	}}
}

func dnsReply(query []byte, answer func(string) []string) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		panic(err)
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	q := m.Questions[0]
	addresses := answer(strings.TrimSuffix(q.Name.String(), "."))
	if addresses == nil {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, a := range addresses {
		ip := netip.MustParseAddr(a)
		h := dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 0}
		switch {
		case ip.Is4() && q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: ip.As4()}})
		case ip.Is6() && q.Type == dnsmessage.TypeAAAA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AAAAResource{AAAA: ip.As16()}})
		}
	}
	out, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return out
}

func TestReasons(t *testing.T) {
	leak.Check(t)
	release := make(chan struct{})
	hang, _ := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	drip, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "begin")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	cut, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	})
	odd, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "220 mail.example ESMTP\r\n")
			_ = conn.Close()
		}
	})
	huge, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 101)) })
	exact, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 100)) })
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = nil
	secure.StartTLS()
	t.Cleanup(secure.Close)
	mute, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mute.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()

	dns := fakeDNS(func(string) []string { return nil })
	for _, tc := range []struct {
		name, url string
		want      Reason
		sent      bool
	}{
		{"unknown name", "http://nowhere.example/canary", DNS, false},
		{"nobody listens", "http://" + closed.Addr().String() + "/canary", Refused, false},
		{"unknown certificate", secure.URL + "/canary", TLS, false},
		{"http where https was meant", "https://" + hang.Listener.Addr().String() + "/canary", TLS, false},
		{"not allowed", "http://10.0.0.1/canary", Blocked, false},
		{"handshake never ends", "https://" + mute.Addr().String() + "/canary", TimeoutBeforeSend, false},
		{"answer never comes", hang.URL + "/canary", TimeoutAfterSend, true},
		{"answer never ends", drip.URL + "/canary", TimeoutAfterSend, true},
		{"cut after the request", cut.URL + "/canary", Reset, true},
		{"not HTTP", odd.URL + "/canary", Reset, true},
		{"one byte too many", huge.URL + "/canary", TooLarge, true},
		{"just fits", exact.URL + "/canary", "", false},
		{"another scheme", "ftp://127.0.0.1/canary", BadURL, false},
		{"no host", "http:///canary", BadURL, false},
		{"a password in it", "http://user:canary@127.0.0.1/", BadURL, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := DefaultConfig()
			cfg.MaxResponseBytes = 100
			o := Options{Timeout: 150 * time.Millisecond}
			if tc.want != Blocked && tc.want != BadURL {
				o.Allow = []string{tc.url}
			}
			if tc.want != TimeoutBeforeSend && tc.want != TimeoutAfterSend {
				o.Timeout = 10 * time.Second
			}
			b := newBench(t, cfg, Deps{Resolver: dns}, o)
			_, _, err := b.send(t, http.MethodPost, tc.url, "canary")
			if tc.want == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			var e *Error
			if !errors.As(err, &e) || e.Reason != tc.want || e.Sent != tc.sent || ReasonOf(err) != tc.want {
				t.Errorf("got %v (sent %v), want %s (sent %v)", err, e != nil && e.Sent, tc.want, tc.sent)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("the error tells too much: %v", err)
			}
			all := metrics(t, b.metrics)
			if !strings.Contains(all, `value:"`+string(tc.want)+`"`) || strings.Contains(all, "canary") {
				t.Errorf("metrics %s", all)
			}
		})
	}
	close(release)
}

func TestALongAnswerIsCutWhereOnlyTheStatusCounts(t *testing.T) {
	leak.Check(t)
	s, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, strings.Repeat("x", 1<<20))
	})
	b := newBench(t, DefaultConfig(), Deps{}, Options{Allow: []string{s.URL}, MaxResponseBytes: 100, ClipResponse: true})
	resp, body, err := b.send(t, http.MethodPost, s.URL, "")
	if err != nil || resp.StatusCode != http.StatusAccepted || body != strings.Repeat("x", 100) {
		t.Errorf("got %v, %d bytes, %v", resp, len(body), err)
	}
}

func metrics(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := ""
	for _, f := range families {
		all += f.String()
	}
	return all
}

func TestCancelledByTheCaller(t *testing.T) {
	leak.Check(t)
	entered := make(chan struct{})
	s, _ := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})
	b := newBench(t, DefaultConfig(), Deps{}, Options{Allow: []string{s.URL}})
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-entered
		cancel()
	}()
	resp, err := b.Do(req)
	if err == nil {
		resp.Body.Close()
	}
	if ReasonOf(err) != Cancelled || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestLookupsAreTriedOnceMore(t *testing.T) {
	leak.Check(t)
	for _, tc := range []struct {
		name, method    string
		retries, status int
		tries           int32
	}{
		{"a look-up at a busy gateway", http.MethodGet, 1, 503, 2},
		{"a look-up that is answered", http.MethodGet, 1, 404, 1},
		{"a server's own fault", http.MethodGet, 1, 500, 1},
		{"without leave", http.MethodGet, 0, 503, 1},
		{"a delivery", http.MethodPost, 1, 503, 1},
		{"a look-up whose connection breaks", http.MethodGet, 1, 0, 2},
		{"a delivery whose connection breaks", http.MethodPost, 1, 0, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var tries atomic.Int32
			s, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				tries.Add(1)
				if tc.status == 0 {
					conn, _, err := http.NewResponseController(w).Hijack()
					if err == nil {
						_ = conn.Close()
					}
					return
				}
				w.WriteHeader(tc.status)
			})
			b := newBench(t, DefaultConfig(), Deps{}, Options{Allow: []string{s.URL}, LookupRetries: tc.retries})
			resp, _, err := b.send(t, tc.method, s.URL, "")
			if tc.status == 0 && ReasonOf(err) != Reset || tc.status != 0 && (err != nil || resp.StatusCode != tc.status) {
				t.Errorf("got %v %v", resp, err)
			}
			if tries.Load() != tc.tries {
				t.Errorf("%d tries, want %d", tries.Load(), tc.tries)
			}
		})
	}
}

func TestCAFile(t *testing.T) {
	leak.Check(t)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") }))
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := DefaultConfig()
	cfg.CAFile = file
	b := newBench(t, cfg, Deps{}, Options{Allow: []string{s.URL}})
	if _, body, err := b.send(t, http.MethodGet, s.URL, ""); err != nil || body != "ok" {
		t.Errorf("got %q %v", body, err)
	}
	for name, content := range map[string]string{"missing": "", "no.pem": "hello"} {
		cfg.CAFile = filepath.Join(t.TempDir(), name)
		if content != "" {
			if err := os.WriteFile(cfg.CAFile, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := New(cfg, Deps{Metrics: prometheus.NewRegistry()}); err == nil || !strings.Contains(err.Error(), "ca_file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := Config{AllowNetworks: []string{"10.0.0.0/8", "home"}}.Validate()
	for _, want := range []string{"timeout: ", "max_response_bytes: ", "allow_networks[1]: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell %s", err, want)
		}
	}
	exit, err := New(DefaultConfig(), Deps{Metrics: prometheus.NewRegistry()})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{}, {Connector: "a", LookupRetries: 2}, {Connector: "a", Allow: []string{"desk.example"}}} {
		if _, err := exit.Client(o); err == nil {
			t.Errorf("%+v makes a client", o)
		}
	}
}
