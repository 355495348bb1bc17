// Package hostile is a receiver of HTTP requests for tests of whatever sends
// them: each of its paths answers properly, or as badly as a receiver can, and
// that can change while it runs. A ledger says what came.
//
// It knows no room of the house; only tests and the programs that measure use
// it. Start starts its goroutines, Close ends them all.
package hostile

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Entry is one request, written down before it is answered.
type Entry struct {
	N         int       // from 1, over all paths
	At        time.Time // when its last byte was read
	Method    string
	Path      string
	ID        string // header webhook-id
	Timestamp string // header webhook-timestamp
	Signature string // header webhook-signature
	Event     string // the body's data.id, "evt_…"
	Meeting   string // the body's data.meeting.id
	Seq       int64  // the body's data.seq; 0: none
	Hash      string // of the body: SHA-256 in hex
	Status    int    // what it is answered with; 0: no answer

	// With Keep only.
	Header http.Header
	Body   []byte
}

// Receiver is the server. Safe for concurrent use.
type Receiver struct {
	keep  bool
	cert  tls.Certificate
	doors [2]door // plain, TLS

	mu          sync.Mutex
	behaviours  map[string]Behaviour
	ledger      []Entry
	connections int
	arrived     chan struct{} // closed and made anew at each entry
}

// door is one listener. It keeps its port for as long as the Receiver lives.
type door struct {
	address string
	server  *http.Server
	served  chan struct{} // closed when Serve has returned
}

// Options say what a Receiver does from its start.
type Options struct {
	// Keep makes the ledger hold whole headers and bodies.
	Keep bool
}

// Start opens a Receiver on two free ports of 127.0.0.1.
func Start(o Options) (*Receiver, error) {
	cert, err := selfSigned()
	if err != nil {
		return nil, fmt.Errorf("hostile receiver: %w", err)
	}
	r := &Receiver{
		keep: o.Keep, cert: cert, doors: [2]door{{address: "127.0.0.1:0"}, {address: "127.0.0.1:0"}},
		behaviours: map[string]Behaviour{}, arrived: make(chan struct{}),
	}
	return r, r.Up()
}

// URL is where it listens: "http://127.0.0.1:4711". Add a path.
func (r *Receiver) URL() string { return "http://" + r.doors[0].address }

// BadTLSURL is an https address whose certificate nobody has signed.
func (r *Receiver) BadTLSURL() string { return "https://" + r.doors[1].address }

// Set makes a path behave so from the next request on; path "" stands for all
// that have nothing of their own.
func (r *Receiver) Set(path string, b Behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.behaviours[path] = b
}

// Ledger gives a copy of all requests so far, in the order they came.
func (r *Receiver) Ledger() []Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ledger)
}

// Connections is how many connections were opened, with or without a request.
func (r *Receiver) Connections() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.connections
}

// Wait returns the ledger once enough says so, which is asked at every new
// entry; enough must not keep it. The error is ctx's.
func (r *Receiver) Wait(ctx context.Context, enough func([]Entry) bool) ([]Entry, error) {
	for {
		r.mu.Lock()
		all, arrived := slices.Clip(r.ledger), r.arrived // entries never change
		r.mu.Unlock()
		if enough(all) {
			return slices.Clone(all), nil
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return slices.Clone(all), context.Cause(ctx)
		}
	}
}

// Down closes the listeners and every connection: who comes now is refused. The
// ledger stays.
func (r *Receiver) Down() {
	for i := range r.doors {
		d := &r.doors[i]
		if d.server == nil {
			continue
		}
		_ = d.server.Close()
		<-d.served
		d.server = nil
	}
}

// Up listens again, on the same ports. Down and Up are called by one goroutine.
func (r *Receiver) Up() error {
	for i := range r.doors {
		d := &r.doors[i]
		if d.server != nil {
			continue
		}
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", d.address)
		if err != nil {
			r.Down()
			return fmt.Errorf("hostile receiver: %w", err)
		}
		d.address, d.served = l.Addr().String(), make(chan struct{})
		d.server = &http.Server{
			Handler: http.HandlerFunc(r.take), ConnState: r.count, ReadHeaderTimeout: 10 * time.Second,
			TLSConfig: &tls.Config{Certificates: []tls.Certificate{r.cert}, MinVersion: tls.VersionTLS12},
			ErrorLog:  slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // of handshakes that fail, as they should
		}
		d.server.Protocols = new(http.Protocols)
		d.server.Protocols.SetHTTP1(true) // HTTP/2 gives no connection to tear
		serve := d.server.Serve
		if i == 1 {
			serve = func(l net.Listener) error { return d.server.ServeTLS(l, "", "") }
		}
		go func() {
			defer close(d.served)
			_ = serve(l) // always http.ErrServerClosed
		}()
	}
	return nil
}

// Close ends it.
func (r *Receiver) Close() { r.Down() }

func (r *Receiver) count(_ net.Conn, s http.ConnState) {
	if s == http.StateNew {
		r.mu.Lock()
		r.connections++
		r.mu.Unlock()
	}
}

// take reads a request, writes it down and behaves.
func (r *Receiver) take(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(io.LimitReader(req.Body, 32<<20))
	if err != nil {
		return // it did not arrive
	}
	r.note(req, body).on(w, req)
}

func (r *Receiver) note(req *http.Request, body []byte) Behaviour {
	var doc struct {
		Data struct {
			ID      string
			Seq     int64
			Meeting struct{ ID string }
		}
	}
	_ = json.Unmarshal(body, &doc) // of others' bodies we know the hash
	hash := sha256.Sum256(body)
	e := Entry{
		At: time.Now(), Method: req.Method, Path: req.URL.Path,
		ID: req.Header.Get("Webhook-Id"), Timestamp: req.Header.Get("Webhook-Timestamp"), Signature: req.Header.Get("Webhook-Signature"),
		Event: doc.Data.ID, Meeting: doc.Data.Meeting.ID, Seq: doc.Data.Seq, Hash: hex.EncodeToString(hash[:]),
	}
	if r.keep {
		e.Header, e.Body = req.Header.Clone(), body
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.behaviour(e.Path)
	e.N, e.Status = len(r.ledger)+1, b.answers()
	r.ledger = append(r.ledger, e)
	close(r.arrived)
	r.arrived = make(chan struct{})
	return b
}

// behaviour is what the path does now. mu is held.
func (r *Receiver) behaviour(path string) Behaviour {
	if _, own := r.behaviours[path]; !own {
		path = ""
	}
	b := r.behaviours[path]
	switch {
	case b.times == 1:
		r.behaviours[path] = Behaviour{}
	case b.times > 1:
		left := b
		left.times--
		r.behaviours[path] = left
	}
	return b
}

// selfSigned makes a certificate for 127.0.0.1 in the name of nobody.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "nobody"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
