package httpd

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/cors"

	"ringdown/fault"
)

// Deps is what a Site needs from the house.
type Deps struct {
	Authorizer Authorizer
	Log        *slog.Logger
	Metrics    prometheus.Registerer
	Now        func() time.Time
	// TrustedProxies are addresses or networks whose X-Forwarded-For is
	// believed; none by default.
	TrustedProxies []string
	// Hosts, if any, are the only Host names served, without port; see LocalHosts.
	Hosts []string
}

// Site is all surfaces behind one http.Handler.
type Site struct {
	deps    Deps
	find    *dispatcher
	mounted []*mounted
	hosts   map[string]bool
	meter   *meter
}

// mounted is a surface with its own router inside its own CORS.
type mounted struct {
	Surface
	handler http.Handler
}

// NewSite mounts the surfaces. It refuses, with words that name the culprit,
// a route without Who, two that clash, and one that could never be reached.
func NewSite(deps Deps, surfaces ...Surface) (*Site, error) {
	if deps.Authorizer == nil || deps.Log == nil || deps.Metrics == nil || deps.Now == nil {
		return nil, errors.New("httpd: a site needs an authorizer, a log, metrics and a clock")
	}
	gin.SetMode(gin.ReleaseMode) // gin's own state: else it prints every route
	s := &Site{deps: deps, hosts: map[string]bool{}}
	for _, h := range deps.Hosts {
		s.hosts[hostOf(h)] = true
	}
	for _, surface := range surfaces {
		m, err := s.mount(surface)
		if err != nil {
			return nil, fmt.Errorf("httpd: surface %q: %w", surface.Name, err)
		}
		if slices.ContainsFunc(s.mounted, func(o *mounted) bool { return o.Name == m.Name }) {
			return nil, fmt.Errorf("httpd: two surfaces are named %q", m.Name)
		}
		s.mounted = append(s.mounted, m)
	}
	var err error
	if s.find, err = newDispatcher(s.mounted); err != nil {
		return nil, fmt.Errorf("httpd: %w", err)
	}
	if s.meter, err = newMeter(deps.Metrics); err != nil {
		return nil, fmt.Errorf("httpd: metrics: %w", err)
	}
	return s, nil
}

// Doors lists every route, sorted, for route tables and tests.
func (s *Site) Doors() []Door {
	var all []Door
	for _, m := range s.mounted {
		for _, r := range m.Routes {
			all = append(all, Door{Surface: m.Name, Method: r.Method, Template: m.Prefix + r.Path, Who: r.Who})
		}
	}
	slices.SortFunc(all, func(a, b Door) int {
		return cmp.Or(cmp.Compare(a.Surface, b.Surface), cmp.Compare(a.Template, b.Template), cmp.Compare(a.Method, b.Method))
	})
	return all
}

func (s *Site) mount(surface Surface) (m *mounted, err error) {
	if err := surface.check(); err != nil {
		return nil, err
	}
	if surface.Faults == nil {
		surface.Faults = WriteProblem
	}
	m = &mounted{Surface: surface}

	engine := gin.New()
	engine.RedirectTrailingSlash = false
	engine.RedirectFixedPath = false
	engine.HandleMethodNotAllowed = true
	engine.UseRawPath = true
	engine.UnescapePathValues = false // gin's way turns "+" into a blank; see readable
	if err := engine.SetTrustedProxies(s.deps.TrustedProxies); err != nil {
		return nil, fmt.Errorf("trusted proxies: %w", err)
	}
	engine.NoRoute(s.end(m, Route{}, cmpHandler(surface.NotFound, func(*gin.Context) error {
		return fault.New(fault.NotFound, "there is nothing at this address")
	})))
	engine.NoMethod(s.end(m, Route{}, func(c *gin.Context) error {
		return fault.New(fault.MethodRefused, "this address takes %s, not %s", c.Writer.Header().Get("Allow"), method(c.Request.Method))
	}))

	defer func() { // gin tells clashes of templates by panics
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("%v", p)
		}
	}()
	methods := map[string]bool{}
	for _, r := range surface.Routes {
		heads := slices.ContainsFunc(surface.Routes, func(o Route) bool {
			return o.Method == http.MethodHead && o.Path == r.Path
		})
		engine.Handle(r.Method, m.Prefix+r.Path, s.end(m, r, r.Handler))
		methods[r.Method] = true
		if r.Method == http.MethodGet && !heads {
			engine.Handle(http.MethodHead, m.Prefix+r.Path, s.end(m, r, r.Handler))
			methods[http.MethodHead] = true
		}
	}
	m.handler = surface.CORS.wrap(engine, methods)
	return m, nil
}

func cmpHandler(h, otherwise Handler) Handler {
	if h != nil {
		return h
	}
	return otherwise
}

// check refuses a surface that is put together wrongly.
func (s Surface) check() error {
	if s.Name == "" {
		return errors.New("a surface needs a name")
	}
	if s.Prefix != "" && (!strings.HasPrefix(s.Prefix, "/") || strings.HasSuffix(s.Prefix, "/")) {
		return fmt.Errorf("the prefix %q must begin with a slash and not end with one", s.Prefix)
	}
	for _, p := range s.Paths {
		if !strings.HasPrefix(p, "/") || strings.ContainsAny(p, ":*") {
			return fmt.Errorf("the claim %q must be a plain path", p)
		}
	}
	for _, t := range s.Tenants {
		if t == "" || t != url.PathEscape(t) || strings.Trim(t, ".") == "" {
			return fmt.Errorf("the tenant %q must be one plain path segment", t)
		}
	}
	if len(s.Tenants) > 0 && s.Prefix == "" && len(s.Paths) == 0 {
		return errors.New("tenants need a prefix or paths to stand before")
	}
	if s.CORS.Any && s.CORS.Credentials {
		return errors.New("CORS for every origin cannot carry credentials")
	}
	for _, r := range s.Routes {
		if err := r.check(); err != nil {
			return fmt.Errorf("route %s %s: %w", r.Method, s.Prefix+r.Path, err)
		}
	}
	return nil
}

func (r Route) check() error {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
	default:
		return errors.New("the method is not one we serve")
	}
	if !strings.HasPrefix(r.Path, "/") {
		return errors.New("the path must begin with a slash")
	}
	if r.Handler == nil {
		return errors.New("has no handler")
	}
	if r.Body < 0 {
		return errors.New("the body limit is below zero")
	}
	for _, l := range r.Limits {
		if l.Limiter == nil || l.Key == nil {
			return errors.New("a limit needs a limiter and a key")
		}
	}
	return checkWho(r.Who)
}

// wrap puts rs/cors around the whole router: on a group of routes it would
// never see a preflight.
func (c CORS) wrap(next http.Handler, methods map[string]bool) http.Handler {
	if !c.Any && c.Allow == nil {
		return next
	}
	options := cors.Options{
		AllowedHeaders:   []string{"*"}, // a list refuses what other clients send
		AllowCredentials: c.Credentials,
		ExposedHeaders:   append([]string{"X-Request-Id", "Retry-After"}, c.Expose...),
		MaxAge:           600,

		AllowPrivateNetwork: c.PrivateNetwork,
	}
	for m := range methods {
		options.AllowedMethods = append(options.AllowedMethods, m)
	}
	if c.Any {
		options.AllowedOrigins = []string{"*"}
	} else {
		options.AllowOriginVaryRequestFunc = func(r *http.Request, origin string) (bool, []string) {
			return origin != "" && origin != "null" && c.Allow(r, origin), nil
		}
	}
	return cors.New(options).Handler(next)
}
