package xcally

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"ringdown/fault"
)

// Server is one emulated Motion server. Its methods may be called at any time
// by anybody.
type Server struct {
	cfg      Config
	log      *slog.Logger
	state    *state
	client   *http.Client
	pages    fs.FS
	hasPages bool

	mu       sync.Mutex // never held together with state.mu
	listener net.Listener
	replies  map[int]string // Reply URL by account
	troubles map[int]Trouble
}

// New checks the configuration. Nothing is opened before Listen or Run.
func New(cfg Config, log *slog.Logger) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("emulated xcally: %w", err)
	}
	s := &Server{
		cfg: cfg, log: log, state: newState(cfg), client: newReplyClient(cfg), pages: builtPages(),
		replies: map[int]string{}, troubles: map[int]Trouble{},
	}
	s.hasPages = hasIndex(s.pages)
	for _, a := range cfg.Accounts {
		s.replies[a.ID] = a.ReplyURL
	}
	return s, nil
}

// Listen opens the listener, so that Addr and the Receive URLs are known before
// Run. Run does it by itself when it was not done, and closes it in the end.
func (s *Server) Listen(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener != nil {
		return nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Listen)
	if err != nil {
		return fmt.Errorf("emulated xcally: %w", err)
	}
	s.listener = l
	return nil
}

// Addr is the address listened on; empty before Listen or Run.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

// URL is where the inbox is; empty before Listen or Run.
func (s *Server) URL() string {
	addr := s.Addr()
	if addr == "" {
		return ""
	}
	return "http://" + addr
}

// ReceiveURL is the account's Receive URL with its key, as its settings show
// it; empty before Listen or Run, or for an unknown account.
func (s *Server) ReceiveURL(account int) string {
	a, err := s.account(strconv.Itoa(account))
	if err != nil || s.Addr() == "" {
		return ""
	}
	return s.URL() + receivePath(a)
}

func receivePath(a Account) string {
	path := "/api/openchannel/accounts/" + strconv.Itoa(a.ID) + "/notify"
	switch {
	case a.RequireKey && a.Token != "":
		return path + "?token=" + url.QueryEscape(a.Token)
	case a.RequireKey:
		return path + "?apikey=" + url.QueryEscape(a.APIKey)
	}
	return path
}

// SetReplyURL changes where an account's replies go; empty turns them off.
func (s *Server) SetReplyURL(account int, replyURL string) error {
	if _, err := s.account(strconv.Itoa(account)); err != nil {
		return err
	}
	if err := checkReplyURL(replyURL); err != nil {
		return fault.NewInvalid("reply_url", "%s", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies[account] = replyURL
	return nil
}

func (s *Server) replyURL(account int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replies[account]
}

func (s *Server) agent(id int) (Agent, bool) {
	i := slices.IndexFunc(s.cfg.Agents, func(a Agent) bool { return a.ID == id })
	if i < 0 {
		return Agent{}, false
	}
	return s.cfg.Agents[i], true
}

// Run serves until ctx ends. It may be called once.
func (s *Server) Run(ctx context.Context) error {
	if err := s.Listen(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	srv := &http.Server{
		Handler:           s.handler(),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	var senders sync.WaitGroup
	for _, a := range s.cfg.Accounts {
		senders.Go(func() { s.sender(ctx, a) })
	}
	served := make(chan struct{})
	var servedErr error // written before served is closed
	go func() {
		defer close(served)
		servedErr = srv.Serve(s.listener)
	}()
	s.log.InfoContext(ctx, "emulated XCALLY Motion is listening", "address", s.Addr())

	var err error
	select {
	case <-ctx.Done():
		grace, done := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer done()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close() // the grace is over; what is left is cut
		}
		<-served
	case <-served:
		err = fmt.Errorf("emulated xcally: %w", servedErr)
	}
	cancel()
	senders.Wait()
	s.client.CloseIdleConnections()
	return err
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	on := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { s.answer(w, h(w, r)) })
	}
	// A Receive URL of V2 and V3, and of V1.
	on("POST /api/openchannel/accounts/{id}/notify", s.receive)
	on("POST /api/openchannel/accounts/{id}/receive", s.receive)

	rest := func(pattern string, h func(http.ResponseWriter, *http.Request) error) {
		on(pattern, func(w http.ResponseWriter, r *http.Request) error {
			if err := s.mayREST(r); err != nil {
				return err
			}
			return h(w, r)
		})
	}
	rest("GET /api/openchannel/interactions", s.listInteractions)
	rest("GET /api/openchannel/interactions/{id}", s.getInteraction)
	rest("PUT /api/openchannel/interactions/{id}", s.putInteraction)
	rest("POST /api/openchannel/interactions/{id}/tags", s.setTags)
	rest("GET /api/openchannel/interactions/{id}/messages", s.listMessages)
	rest("POST /api/openchannel/messages", s.postMessage)
	rest("GET /api/rpc/agents", s.listAgents)

	// What only the stand-in has.
	on("GET /emulator/settings", s.settings)
	on("GET /emulator/events", s.events)
	on("POST /emulator/interactions/{id}/accept", s.acceptInteraction)
	on("POST /emulator/trouble", s.makeTrouble)

	on("GET /{$}", s.page)
	on("GET /static/{file}", s.asset)
	on("/", func(http.ResponseWriter, *http.Request) error { return fault.New(fault.NotFound, "not found") })
	return s.guard(mux)
}

// guard lets only our own names and our own pages in: a web page elsewhere
// must not be able to act here because a browser happens to reach this port.
func (s *Server) guard(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	protection.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.answer(w, fault.New(fault.OriginRefused, "requests of other origins are refused"))
	}))
	next = protection.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !s.knownHost(r.Host) {
			s.answer(w, fault.New(fault.Forbidden, "the server is not called by this name"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) knownHost(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	return loopback(host) || slices.ContainsFunc(s.cfg.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// mayREST asks for an API key when an account does. The inbox has none and says
// who it is by a header that no page of another origin can send.
func (s *Server) mayREST(r *http.Request) error {
	if r.Header.Get("X-Emulator-Page") == "inbox" {
		return nil
	}
	var refused error
	for _, a := range s.cfg.Accounts {
		err := checkKey(a, r, false)
		if err == nil && a.RequireKey {
			return nil
		}
		if err != nil {
			refused = err
		}
	}
	return refused
}

func (s *Server) settings(w http.ResponseWriter, _ *http.Request) error {
	type row struct {
		ID         int    `json:"id"`
		Name       string `json:"name"`
		MapKey     string `json:"mapKey"`
		ReceiveURL string `json:"receiveUrl"` // path and key; the page puts its own origin before it
		Replies    bool   `json:"replies"`    // a Reply URL is set
	}
	rows := make([]row, 0, len(s.cfg.Accounts))
	for _, a := range s.cfg.Accounts {
		rows = append(rows, row{a.ID, a.Name, a.MapKey, receivePath(a), s.replyURL(a.ID) != ""})
	}
	s.mu.Lock()
	troubles := maps.Clone(s.troubles)
	s.mu.Unlock()
	maps.DeleteFunc(troubles, func(_ int, t Trouble) bool { return t.Times == 0 })
	return writeJSON(w, http.StatusOK, map[string]any{"accounts": rows, "agents": s.cfg.Agents, "troubles": troubles})
}

func (s *Server) acceptInteraction(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r)
	if err != nil {
		return err
	}
	var body struct {
		UserID int `json:"UserId"`
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	if _, ok := s.agent(body.UserID); !ok {
		return foreignKey("UserId")
	}
	i, err := s.state.accept(id, body.UserID)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, i)
}

func (s *Server) makeTrouble(w http.ResponseWriter, r *http.Request) error {
	var body struct {
		Trouble
		Account    int `json:"account"`
		RetryAfter int `json:"retryAfter"` // seconds
	}
	if err := readJSON(w, r, &body); err != nil {
		return err
	}
	if body.RetryAfter < 0 || body.RetryAfter > 3600 {
		return fault.NewInvalid("retryAfter", "want 0 to 3600 seconds")
	}
	body.Trouble.RetryAfter = time.Duration(body.RetryAfter) * time.Second
	if err := s.Trouble(body.Account, body.Trouble); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// answer writes an error in Motion's shape: JSON with a message.
func (s *Server) answer(w http.ResponseWriter, err error) {
	if err == nil || errors.Is(err, errAnswered) {
		return
	}
	e := fault.Of(err)
	status := statusOf(e.Code)
	if status == http.StatusInternalServerError {
		s.log.Debug("answered an error", "error", e)
	}
	body := map[string]string{"message": e.Detail}
	maps.Copy(body, e.Data)
	_ = writeJSON(w, status, body) // the caller may have gone; nothing is left to tell it
}

// statusOf knows the codes this package uses; any other is a bug of ours.
func statusOf(c fault.Code) int {
	status, ok := map[fault.Code]int{
		fault.BadRequest:    http.StatusBadRequest,
		fault.Invalid:       http.StatusBadRequest,
		fault.Unauthorized:  http.StatusUnauthorized,
		fault.Forbidden:     http.StatusForbidden,
		fault.OriginRefused: http.StatusForbidden,
		fault.NotFound:      http.StatusNotFound,
		fault.Conflict:      http.StatusConflict,
		fault.RingTaken:     http.StatusConflict,
		fault.TooLarge:      http.StatusRequestEntityTooLarge,
		fault.TooMany:       http.StatusServiceUnavailable,
	}[c]
	if !ok {
		return http.StatusInternalServerError
	}
	return status
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the caller may have gone
	return nil
}
