package signal

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

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
	waiting int                      // of them, those that have not joined
	budgets map[string]*rate.Limiter // of messages, by who sends them
	running sync.WaitGroup           // added to under mu while not closing
}

// New checks its arguments and starts nothing.
func New(hub *media.Hub, v Verifier, cfg Config, log *slog.Logger) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("signal: %w", err)
	}
	return &Server{hub: hub, verify: v, cfg: cfg.withDefaults(), log: log, conns: map[*conn]struct{}{}, budgets: map[string]*rate.Limiter{}}, nil
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

// enter takes a connection in. Those that have not said who they are have places
// of their own, so that they cannot take those of callers.
func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.waiting >= s.cfg.MaxWaiting || len(s.conns)-s.waiting >= s.cfg.MaxConnections {
		return false
	}
	s.conns[c] = struct{}{}
	s.waiting++
	s.running.Add(1)
	return true
}

// joined moves a connection from those that wait, and returns what its
// participant may still send: a new socket does not bring a new budget, and costs
// some of it. nil: it is spent.
func (s *Server) joined(c *conn, g media.Grant) *rate.Limiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	who := string(g.Room) + "/" + string(g.Participant)
	budget := s.budgets[who]
	if budget == nil {
		budget = rate.NewLimiter(messagesPerSecond, messagesBurst)
		s.budgets[who] = budget
	}
	if !budget.AllowN(time.Now(), helloCost) {
		return nil
	}
	c.in = true
	s.waiting--
	return budget
}

func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if !c.in {
		s.waiting--
	}
	for who, budget := range s.budgets { // whoever has been quiet needs no memory
		if budget.Tokens() >= messagesBurst {
			delete(s.budgets, who)
		}
	}
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
