package httpd

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"ringdown/fault"
)

// ServeHTTP is the outer layer of every request: its id, its surface, the
// safety net under panics, the access log and the metrics.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := s.deps.Now()
	x := &exchange{
		id:       "req_" + ulid.MustNew(ulid.Timestamp(now), rand.Reader).String(),
		surface:  "none",
		template: "none",
		start:    now,
		answer:   &answer{ResponseWriter: w},
	}
	r = withExchange(r, x)
	w = x.answer
	w.Header().Set("X-Request-Id", x.id)
	Headers{}.set(w.Header(), r)

	defer s.account(r, x)
	write := FaultWriter(WriteProblem)
	defer func() {
		if p := recover(); p != nil {
			s.panicked(w, r, x, write, p)
		}
	}()

	if len(s.hosts) > 0 && !s.hosts[hostOf(r.Host)] {
		write(w, r, &fault.Error{
			Code: fault.BadRequest, Detail: "this service is not reached by that host name",
			Fields: []fault.Field{{Pointer: "header:Host", Detail: "must be a name this service is configured for"}},
		})
		return
	}
	m, tenant, path := s.find.route(hostOf(r.Host), r.URL.EscapedPath())
	if m == nil {
		write(w, r, fault.New(fault.NotFound, "there is nothing at this address"))
		return
	}
	x.surface, x.tenant, write = m.Name, tenant, m.Faults
	if isPreflight(r) {
		x.template = "preflight"
	}
	m.handler.ServeHTTP(w, withPath(r, path))
}

func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
}

// panicked answers for a broken invariant of ours. http.ErrAbortHandler means
// that a handler wants the connection cut, and passes.
func (s *Site) panicked(w http.ResponseWriter, r *http.Request, x *exchange, write FaultWriter, p any) {
	if p == http.ErrAbortHandler { //nolint:errorlint // a sentinel of net/http, compared as it is there
		panic(p)
	}
	s.deps.Log.ErrorContext(r.Context(), "handler panicked", "request", x.id, "surface", x.surface, "route", x.template,
		"panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	if x.answer.status == 0 {
		write(w, r, fault.Of(fmt.Errorf("panic: %v", p)))
		return
	}
	panic(http.ErrAbortHandler) // half an answer is out: cut it, so that nobody takes it for whole
}

// drainLimit is how much of a body that is too large is read to its end, in bytes.
const drainLimit = 4 << 20

// end is the inner layer, of one route: headers, readable parameters, who
// calls, limits, the handler, and its error as an answer.
func (s *Site) end(m *mounted, r Route, h Handler) gin.HandlerFunc {
	limit := r.Body
	if limit == 0 {
		limit = DefaultBodyLimit
	}
	return func(c *gin.Context) {
		x := exchangeOf(c.Request.Context())
		if r.Path != "" {
			x.template = m.Prefix + r.Path
			r.Headers.set(c.Writer.Header(), c.Request)
		}
		whole := c.Request.Body
		c.Request.Body = http.MaxBytesReader(c.Writer, whole, limit)
		if err := s.pass(c, x, r, h); err != nil {
			if fault.Is(err, fault.TooLarge) {
				// Who is still sending would see a broken connection instead of the answer.
				_, _ = io.CopyN(io.Discard, whole, drainLimit)
			}
			s.fail(c, x, m, err)
		}
	}
}

func (s *Site) pass(c *gin.Context, x *exchange, r Route, h Handler) error {
	if err := readable(c); err != nil {
		return err
	}
	if r.Who != nil {
		caller, err := s.identify(c.Request, r.Who)
		if err != nil {
			return err
		}
		x.caller = caller
	}
	for _, l := range r.Limits {
		if err := l.Limiter.Allow(l.Key(c)); err != nil {
			return err
		}
	}
	return h(c)
}

func (s *Site) identify(r *http.Request, who Who) (Principal, error) {
	if kind, open := needsNobody(who); open {
		return Principal{Kind: kind}, nil
	}
	p, err := s.deps.Authorizer.Authorize(r, who)
	if err != nil {
		return Principal{}, err
	}
	if !admits(who, p) {
		return Principal{}, fault.New(fault.Forbidden, "this key or token may not do that")
	}
	return p, nil
}

// readable unescapes the path parameters and refuses, in path and query, text
// that no store of ours could keep.
func readable(c *gin.Context) error {
	for i, p := range c.Params {
		plain, err := url.PathUnescape(p.Value)
		if err != nil {
			return unreadable("path:"+p.Key, "must be percent-encoded rightly")
		}
		if err := CheckText("path:"+p.Key, plain); err != nil {
			return err
		}
		c.Params[i].Value = plain
	}
	for name, values := range c.Request.URL.Query() {
		for _, v := range append(values, name) {
			if err := CheckText("query:"+shown(name), v); err != nil {
				return err
			}
		}
	}
	return nil
}

// fail writes err in the shape of the surface and logs what is ours to mend.
func (s *Site) fail(c *gin.Context, x *exchange, m *mounted, err error) {
	var big *http.MaxBytesError
	if errors.As(err, &big) && !fault.Is(err, fault.TooLarge) {
		err = tooLarge(big.Limit)
	}
	f := fault.Of(err)
	gone := errors.Is(err, context.Canceled) && c.Request.Context().Err() != nil
	log := s.deps.Log.With("request", x.id, "surface", x.surface, "route", x.template)
	switch {
	case gone:
	case f.Code == fault.Internal:
		log.ErrorContext(c.Request.Context(), "request failed", "err", err)
	case f.Code == fault.Unavailable:
		log.WarnContext(c.Request.Context(), "request refused", "err", err)
	}
	if x.answer.status != 0 {
		if !gone && f.Code != fault.Internal {
			log.WarnContext(c.Request.Context(), "error after the answer began", "err", err)
		}
		return
	}
	if f.Code == fault.Unauthorized {
		c.Writer.Header().Set("WWW-Authenticate", "Bearer")
	}
	m.Faults(c.Writer, c.Request, f)
}

// account writes the access log and the metrics. Never the path, the query,
// headers or bodies: only the template.
func (s *Site) account(r *http.Request, x *exchange) {
	took := s.deps.Now().Sub(x.start)
	status := x.answer.status
	if status == 0 {
		status = http.StatusOK
	}
	s.meter.observe(x, method(r.Method), status, took)
	level := slog.LevelInfo
	if strings.HasPrefix(x.template, "/static/") && status < 400 {
		level = slog.LevelDebug // a page loads many
	}
	s.deps.Log.LogAttrs(r.Context(), level, "request",
		slog.String("request", x.id), slog.String("surface", x.surface), slog.String("method", method(r.Method)),
		slog.String("route", x.template), slog.Int("status", status), slog.Float64("took_ms", float64(took.Microseconds())/1000))
}

// method gives the request's method if it is one we know, else "other".
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	}
	return "other"
}

// answer remembers the status of what goes out.
type answer struct {
	http.ResponseWriter
	status   int
	hijacked bool
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	return a.ResponseWriter.Write(p)
}

// Flush sends what is there; gin asks for it by this name.
func (a *answer) Flush() {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	_ = http.NewResponseController(a.ResponseWriter).Flush()
}

// Hijack hands the connection over, for WebSockets.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(a.ResponseWriter).Hijack()
	if err == nil {
		a.hijacked = true
		if a.status == 0 {
			a.status = http.StatusSwitchingProtocols
		}
	}
	return conn, rw, err
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
