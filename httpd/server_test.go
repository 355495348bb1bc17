package httpd

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"ringdown/internal/leak"
)

// running is a server whose Run is under way.
type running struct {
	*Server
	stop func()
	done chan error
}

func start(t *testing.T, o ServerOptions, h http.Handler) *running {
	t.Helper()
	o.Name, o.Listen = "test", "127.0.0.1:0"
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = 20 * time.Second
	}
	s, err := Listen(o, h)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	r := &running{Server: s, stop: stop, done: make(chan error, 1)}
	go func() { r.done <- s.Run(ctx) }()
	t.Cleanup(stop)
	return r
}

func client(t *testing.T, config *tls.Config) *http.Client {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func fetch(t *testing.T, c *http.Client, url string) (*http.Response, string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}

func TestServerDrains(t *testing.T) {
	leak.Check(t)
	entered, release := make(chan struct{}), make(chan struct{})
	health := NewHealth(slog.New(slog.DiscardHandler))
	site := newBench(t, nil, Surface{Name: "own", Routes: append(health.Routes(),
		get("/v1/slow", func(c *gin.Context) error {
			close(entered)
			<-release
			c.String(http.StatusOK, "whole")
			return nil
		}))}).site
	drained := make(chan int, 1)
	s := start(t, ServerOptions{OnDrain: []func(context.Context){
		func(context.Context) { health.Drain() },
		func(context.Context) { status, _ := ask(t, site); drained <- status },
	}}, site)
	base := "http://" + s.Addr().String()
	hc := client(t, nil)
	if resp, _, err := fetch(t, hc, base+"/readyz"); err != nil || resp.StatusCode != 200 {
		t.Fatalf("got %v %v", resp, err)
	}
	type result struct {
		body string
		err  error
	}
	slow := make(chan result, 1)
	go func() {
		_, body, err := fetch(t, client(t, nil), base+"/v1/slow")
		slow <- result{body, err}
	}()
	<-entered
	s.stop()
	if status := <-drained; status != 503 {
		t.Errorf("ready while draining: %d", status)
	}
	select {
	case err := <-s.done:
		t.Fatalf("Run did not wait for the request: %v", err)
	default:
	}
	close(release)
	if r := <-slow; r.err != nil || r.body != "whole" {
		t.Errorf("the request under way got %+v", r)
	}
	if err := <-s.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}

func TestServerWaitsForWebSockets(t *testing.T) {
	leak.Check(t)
	closing, last := make(chan struct{}), make(chan struct{})
	site := newBench(t, nil, Surface{Name: "own", Routes: []Route{get("/v1/signal", func(c *gin.Context) error {
		ws, err := websocket.Accept(c.Writer, c.Request, nil)
		if err != nil {
			return err
		}
		<-closing
		err = ws.Close(websocket.StatusNormalClosure, "")
		<-last // the handler has more to do once its socket is gone
		return err
	})}}).site
	s := start(t, ServerOptions{OnDrain: []func(context.Context){func(context.Context) { close(closing) }}}, site)
	ws, resp, err := websocket.Dial(t.Context(), "ws://"+s.Addr().String()+"/v1/signal", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("X-Request-Id") == "" {
		t.Error("no request id on the handshake")
	}
	s.stop()
	if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("got %v", err)
	}
	select {
	case err := <-s.done:
		t.Fatalf("Run did not wait for the socket's handler: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	close(last)
	if err := <-s.done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestServerCutsWhatDoesNotEnd(t *testing.T) {
	entered := make(chan struct{})
	s := start(t, ServerOptions{DrainTimeout: 50 * time.Millisecond}, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}))
	failed := make(chan error, 1)
	go func() {
		_, _, err := fetch(t, client(t, nil), "http://"+s.Addr().String())
		failed <- err
	}()
	<-entered
	s.stop()
	if err := <-s.done; err == nil || !strings.Contains(err.Error(), "cut 1 requests") {
		t.Errorf("Run: %v", err)
	}
	if err := <-failed; err == nil {
		t.Error("the cut request succeeded")
	}
}

func TestServerTLSFiles(t *testing.T) {
	cert, key, roots := certificate(t)
	s := start(t, ServerOptions{TLS: TLS{Mode: TLSFiles, CertFile: cert, KeyFile: key}},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	url := "https://" + s.Addr().String()
	if _, body, err := fetch(t, client(t, &tls.Config{RootCAs: roots}), url); err != nil || body != "HTTP/2.0" {
		t.Errorf("got %q %v", body, err)
	}
	h1 := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
	t.Cleanup(h1.CloseIdleConnections)
	if _, body, err := fetch(t, &http.Client{Transport: h1}, url); err != nil || body != "HTTP/1.1" {
		t.Errorf("got %q %v", body, err)
	}
	if _, _, err := fetch(t, client(t, nil), url); err == nil {
		t.Error("a client that does not know the certificate took it")
	}
	old := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if _, _, err := fetch(t, client(t, old), url); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestListenRefuses(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	h := http.NotFoundHandler()
	s, err := Listen(ServerOptions{Listen: "127.0.0.1:0", Log: log, DrainTimeout: time.Second}, h)
	if err != nil {
		t.Fatal(err)
	}
	taken := s.Addr().String()
	if _, err := Listen(ServerOptions{Listen: taken, Log: log, DrainTimeout: time.Second}, h); err == nil || !strings.Contains(err.Error(), taken) {
		t.Errorf("a taken address: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Listen(ServerOptions{
		Listen: "127.0.0.1:0", Log: log, DrainTimeout: time.Second, TLS: TLS{Mode: TLSFiles, CertFile: "/no/cert.pem", KeyFile: "/no/key.pem"},
	}, h); err == nil || !strings.Contains(err.Error(), "/no/cert.pem") {
		t.Errorf("a missing certificate: %v", err)
	}
}

func TestAdminHandler(t *testing.T) {
	reg := prometheus.NewRegistry()
	if _, err := newMeter(reg); err != nil {
		t.Fatal(err)
	}
	up := prometheus.NewGauge(prometheus.GaugeOpts{Name: "ringdown_up"})
	reg.MustRegister(up)
	s := start(t, ServerOptions{WriteTimeout: AdminWriteTimeout}, AdminHandler(reg))
	base := "http://" + s.Addr().String()
	hc := client(t, nil)
	for path, want := range map[string]string{
		"/metrics": "ringdown_up 0", "/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile",
	} {
		resp, body, err := fetch(t, hc, base+path)
		if err != nil || resp.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %v %v", path, resp, err)
		}
	}
	if resp, _, err := fetch(t, hc, base+"/v1/meetings"); err != nil || resp.StatusCode != 404 {
		t.Errorf("got %v %v", resp, err)
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Errorf("Run: %v", err)
	}
}

// certificate makes one for 127.0.0.1, in files, and the pool that trusts it.
func certificate(t *testing.T) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for file, data := range map[string][]byte{certFile: public, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(public)
	return certFile, keyFile, roots
}
