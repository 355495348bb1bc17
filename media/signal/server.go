package signal

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/coder/websocket"

	"ringdown/media"
)

// Subprotocol is what clients name in Sec-WebSocket-Protocol.
const Subprotocol = "ringdown.signal"

// version is the only version of the protocol so far.
const version = 1

// maxMessageBytes bounds one message of a client.
const maxMessageBytes = 256 << 10

// Verifier turns a media token into a grant. Its errors: fault.MeetingEnded for
// a meeting that is over, fault.Unavailable when it cannot tell now, anything
// else means that the token is not good.
type Verifier interface {
	VerifyMedia(ctx context.Context, token string) (media.Grant, error)
}

// Server takes the WebSockets of clients.
type Server struct {
	hub    *media.Hub
	verify Verifier
	cfg    Config
	log    *slog.Logger

	mu      sync.Mutex // guards what follows
	closing bool
	conns   map[*conn]struct{}
	running sync.WaitGroup // added to under mu while not closing
}

// New checks its arguments and starts nothing.
func New(hub *media.Hub, v Verifier, cfg Config, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("signal: %w", err)
	}
	return &Server{hub: hub, verify: v, cfg: cfg.withDefaults(), log: log, conns: map[*conn]struct{}{}}, nil
}

// ServeHTTP upgrades a request and serves the connection until it ends.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if o := r.Header.Get("Origin"); o != "" && !s.cfg.AllowOrigin(o, r.Host) {
		http.Error(w, "this origin may not connect", http.StatusForbidden)
		return
	}
	if !offersSubprotocol(r.Header) {
		http.Error(w, "the subprotocol "+Subprotocol+" is needed", http.StatusBadRequest)
		return
	}
	c := &conn{server: s, log: s.log, out: make(chan outgoing, outgoingQueue), quit: make(chan struct{})}
	if !s.enter(c) {
		http.Error(w, "no more connections are taken", http.StatusServiceUnavailable)
		return
	}
	defer s.leave(c)
	// The origin is checked above, by rules that the library does not know.
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{Subprotocol}, InsecureSkipVerify: true,
	})
	if err != nil {
		return // Accept has answered
	}
	ws.SetReadLimit(maxMessageBytes)
	c.ws = ws
	// The request's context ends with ServeHTTP; a server that stops ends us by Close.
	c.serve(context.WithoutCancel(r.Context()))
}

func offersSubprotocol(h http.Header) bool {
	for _, line := range h.Values("Sec-WebSocket-Protocol") {
		for p := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(p) == Subprotocol {
				return true
			}
		}
	}
	return false
}

func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || len(s.conns) >= s.cfg.MaxConnections {
		return false
	}
	s.conns[c] = struct{}{}
	s.running.Add(1)
	return true
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.running.Done()
}

// Close says bye to all clients (http.Server.Shutdown does not know them),
// refuses new ones, and waits until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closing = true
	for c := range s.conns {
		c.goAway()
	}
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("signal: connections still closing: %w", ctx.Err())
	}
}
