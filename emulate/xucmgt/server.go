package xucmgt

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

//go:embed page
var page embed.FS

// Config says where the stand-in is.
type Config struct {
	// Listen is a loopback address; "127.0.0.1:8082".
	Listen string
	// URL is the installation's THIRD_PARTY_URL; empty: the page asks for it.
	URL string
}

// Server is one XiVO installation: the agent app and XUC. Its methods may be
// called at any time by anybody.
type Server struct {
	cfg Config
	log *slog.Logger
	key []byte // signs tokens
	now func() time.Time

	mu       sync.Mutex
	listener net.Listener
}

// New checks the configuration. Nothing is opened before Listen or Run.
func New(cfg Config, log *slog.Logger) (*Server, error) {
	host, _, err := net.SplitHostPort(cfg.Listen)
	if ip := net.ParseIP(host); err != nil || host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, errors.New("emulated xucmgt: listen must be a loopback address, as 127.0.0.1:8082")
	}
	if u, err := url.Parse(cfg.URL); cfg.URL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("emulated xucmgt: url must be an http or https address, as http://localhost:8080/thirdparty/xucmgt")
	}
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return &Server{cfg: cfg, log: log, key: key, now: time.Now}, nil
}

// Listen opens the listener, so that URL is known before Run. Run does it by
// itself when it was not done, and closes it in the end.
func (s *Server) Listen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("emulated xucmgt: %w", err)
	}
	s.listener = l
	return nil
}

// URL is where the agent app is, and XUC; empty before Listen or Run.
func (s *Server) URL() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	return "http://" + s.listener.Addr().String()
}

// SetURL changes THIRD_PARTY_URL.
func (s *Server) SetURL(to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.URL = to
}

// Run serves until ctx ends. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(ctx); err != nil {
		return err
	}
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	done := make(chan error, 1)
	go func() { done <- server.Serve(s.listener) }()
	select {
	case err := <-done:
		return fmt.Errorf("emulated xucmgt: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		_ = server.Close()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("emulated xucmgt: %w", err)
	}
	return nil
}

// contentPolicy lets the page show and ask whatever a rule names. AngularJS
// makes functions of text and writes a style of its own where it stands in for
// the page's own way of posting.
const contentPolicy = "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src *; frame-src *; base-uri 'none'; form-action 'none'"

func (s *Server) handler() http.Handler {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic("emulate/xucmgt: page is not embedded: " + err.Error())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /xuc/api/2.0/auth/login", s.login)
	mux.HandleFunc("GET /xuc/api/2.0/auth/check", s.check)
	mux.HandleFunc("GET /config", func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		to := s.cfg.URL
		s.mu.Unlock()
		answer(w, http.StatusOK, map[string]string{"url": to})
	})
	static := http.FileServerFS(files)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", contentPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		static.ServeHTTP(w, r)
	})
	return mux
}
