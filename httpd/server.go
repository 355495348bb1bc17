package httpd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// ServerOptions is what one server needs.
type ServerOptions struct {
	Name         string // for the log: "public", "admin"
	Listen       string // host:port; port 0 takes a free one
	TLS          TLS
	DrainTimeout time.Duration // how long Run waits for requests once its ctx is done
	WriteTimeout time.Duration // 0 means 30 s
	Log          *slog.Logger
	// OnDrain run in order when the server begins to stop, before it stops
	// accepting: Health.Drain, closing the WebSockets (the server then waits for
	// their handlers). They must return soon; ctx ends with DrainTimeout.
	OnDrain []func(ctx context.Context)
}

// lastWords is how long handlers have to return once they were cut.
const lastWords = time.Second

// Server listens on one address and serves one handler over HTTP/1.1 and, with
// TLS, HTTP/2.
type Server struct {
	o        ServerOptions
	listener net.Listener
	http     *http.Server
	busy     *busy
	cut      context.CancelFunc
}

// Listen opens the address and reads the certificate. Nothing is served before
// Run, but a connection made in between waits.
func Listen(o ServerOptions, h http.Handler) (*Server, error) {
	if o.Log == nil || h == nil || o.DrainTimeout <= 0 {
		return nil, errors.New("httpd: a server needs a handler, a log and a drain timeout")
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 30 * time.Second
	}
	base, cut := context.WithCancel(context.Background())
	s := &Server{o: o, busy: newBusy(h), cut: cut}
	s.http = &http.Server{
		Handler:           s.busy,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      o.WriteTimeout,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug), // bad handshakes of strangers
		BaseContext:       func(net.Listener) context.Context { return base },
		Protocols:         new(http.Protocols),
	}
	s.http.Protocols.SetHTTP1(true)
	s.http.Protocols.SetHTTP2(true)
	if o.TLS.Mode == TLSFiles {
		cert, err := tls.LoadX509KeyPair(o.TLS.CertFile, o.TLS.KeyFile)
		if err != nil {
			cut()
			return nil, fmt.Errorf("tls: %w", err)
		}
		s.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	}
	var err error
	if s.listener, err = new(net.ListenConfig).Listen(base, "tcp", o.Listen); err != nil {
		cut()
		return nil, err // it says "listen tcp" and the address
	}
	return s, nil
}

// Addr is the address the server listens on, with the real port.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Close gives the address back if Run was never called.
func (s *Server) Close() error {
	s.cut()
	return s.listener.Close()
}

// Run serves until ctx ends, then drains: OnDrain, no new connections, wait for
// every handler, WebSockets' too. What is not done after DrainTimeout is cut,
// which is an error; so is a listener that breaks. Run is called once.
func (s *Server) Run(ctx context.Context) error {
	defer s.cut()
	served := make(chan error, 1)
	go func() {
		if s.http.TLSConfig != nil {
			served <- s.http.ServeTLS(s.listener, "", "")
			return
		}
		served <- s.http.Serve(s.listener)
	}()
	select {
	case err := <-served:
		return fmt.Errorf("serve %s: %w", s.o.Name, err)
	case <-ctx.Done():
	}

	began := time.Now()
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.o.DrainTimeout)
	defer cancel()
	for _, f := range s.o.OnDrain {
		f(grace)
	}
	err := s.http.Shutdown(grace)
	if broke := <-served; !errors.Is(broke, http.ErrServerClosed) {
		err = errors.Join(err, broke)
	}
	if err == nil {
		err = s.busy.wait(grace)
	}
	if err != nil {
		left := s.busy.count()
		_ = s.http.Close() // first the connections, so that no cut answer looks whole
		s.cut()            // then the contexts, WebSockets' too
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
		defer cancel()
		_ = s.busy.wait(last)
		return fmt.Errorf("drain %s: cut %d requests after %s: %w", s.o.Name, left, s.o.DrainTimeout, err)
	}
	s.o.Log.InfoContext(ctx, "server drained", "server", s.o.Name, "took_ms", time.Since(began).Milliseconds())
	return nil
}

// busy counts the handlers that run. http.Server does not wait for those that
// took their connection over; this does.
type busy struct {
	next http.Handler
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n falls to 0 while somebody waits; nil otherwise
}

func newBusy(next http.Handler) *busy { return &busy{next: next} }

func (b *busy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.add(1)
	defer b.add(-1)
	b.next.ServeHTTP(w, r)
}

func (b *busy) add(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n += n; b.n == 0 && b.idle != nil {
		close(b.idle)
		b.idle = nil
	}
}

func (b *busy) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.n
}

func (b *busy) wait(ctx context.Context) error {
	b.mu.Lock()
	if b.n == 0 {
		b.mu.Unlock()
		return nil
	}
	if b.idle == nil {
		b.idle = make(chan struct{})
	}
	idle := b.idle
	b.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// AdminWriteTimeout suits AdminHandler: a profile may take minutes.
const AdminWriteTimeout = 5 * time.Minute

// AdminHandler serves /metrics and /debug/pprof, for a private address.
func AdminHandler(g prometheus.Gatherer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}
