// Package app puts the house together: it opens the rooms in order, hands each
// what it needs, runs them, and stops them in reverse under one deadline. It
// holds the list of vendors and the glue between meetings and media; it decides
// nothing itself.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"ringdown/access"
	"ringdown/api"
	"ringdown/blob"
	"ringdown/config"
	"ringdown/connectors"
	"ringdown/customer"
	"ringdown/egress"
	"ringdown/httpd"
	"ringdown/media"
	"ringdown/media/signal"
	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/store"
	"ringdown/web"
)

// App is the whole daemon as a value: New, Run, Addr. Tests start it on port 0.
type App struct {
	cfg    config.Config
	log    *slog.Logger
	public *httpd.Server
	admin  *httpd.Server // nil if not served
	store  *store.Store
	hub    *media.Hub
	health *httpd.Health
	site   *httpd.Site
	parts  []part
	facts  Facts
	undo   []func() // what New opened, in order
}

// Facts is what the start banner tells.
type Facts struct {
	Version  string   `json:"version"`
	URL      string   `json:"url"`
	Demo     bool     `json:"demo"`
	Database string   `json:"database"`
	Listen   string   `json:"listen"`
	Admin    string   `json:"admin,omitempty"`
	Media    []string `json:"media"` // addresses that clients are told to send to
	Inbox    string   `json:"inbox,omitempty"`
	Phones   string   `json:"phones,omitempty"` // the emulated agent app
	KeyFile  string   `json:"admin_key_file"`
	Pages    bool     `json:"pages"` // whether the binary holds them
}

// New opens everything: the store, with its migrations, the media sockets, the
// listeners. Nothing is served before Run. After an error nothing stays open.
func New(ctx context.Context, cfg config.Config, version string, log *slog.Logger) (*App, error) {
	return open(ctx, cfg, version, log, time.Now)
}

// open is New with a wall clock.
//
//nolint:contextcheck // ctx bounds the opening; what is opened lives until Run ends
func open(ctx context.Context, cfg config.Config, version string, log *slog.Logger, wall func() time.Time) (a *App, err error) {
	a = &App{cfg: cfg, log: log}
	defer func() {
		if err != nil {
			a.close()
			a = nil
		}
	}()
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))

	if err := os.MkdirAll(cfg.DataDir, 0o700); err != nil {
		return a, fmt.Errorf("data_dir: %w", err)
	}
	late := &lateHandler{}
	if err := a.listen(late, registry); err != nil {
		return a, err
	}
	public := a.publicURL()

	a.store, err = store.Open(ctx, store.Config{Database: cfg.Database.Reveal(), DataDir: cfg.DataDir}, log.With("part", "store"))
	if err != nil {
		return a, err
	}
	a.undo = append(a.undo, func() { _ = a.store.Close() })
	began := time.Now()
	clock, err := openClock(ctx, wall, func() time.Duration { return time.Since(began) }, a.store, log.With("part", "clock"))
	if err != nil {
		return a, err
	}
	keys, err := rootKeys(ctx, a.store, clock.Now)
	if err != nil {
		return a, err
	}
	keyFile, always, err := adminKey(cfg.DataDir)
	if err != nil {
		return a, err
	}
	if a.hub, err = media.Open(cfg.Media, log.With("part", "media"), time.Now); err != nil {
		return a, err
	}
	a.undo = append(a.undo, func() { _ = a.hub.Close(context.Background()) })
	registry.MustRegister(mediaMetrics{a.hub})

	var inbox, phoneDesk string
	if cfg.Demo {
		if inbox, err = a.openDesk(ctx, public); err != nil {
			return a, err
		}
	}
	if cfg.Demo && cfg.Connectors.Thirdparty == nil {
		if phoneDesk, err = a.openPhones(ctx, public); err != nil {
			return a, err
		}
	}
	policy := meeting.Policy{Sites: a.cfg.Sites, Queues: a.cfg.Queues, Channels: a.channels()}
	meetings := meeting.New(a.store.Meetings(), policy, clock.Now, log.With("part", "meeting"))
	links := access.Links{Keys: keys, PublicURL: public}
	exit, err := egress.New(cfg.Egress, egress.Deps{Metrics: registry, Own: a.ownAddresses})
	if err != nil {
		return a, err
	}
	a.undo = append(a.undo, exit.Close)
	phones := meeting.NewPhones(a.store.Phones(), clock.Now, log.With("part", "phones"))
	journal := connectors.NewBook(entries{a.store}, log.With("part", "journal"))
	customers, err := customer.NewDirectory(a.cfg.Customers, a.store.Customers(), func(allow string) (customer.Doer, error) {
		return exit.Client(egress.Options{Connector: "customers", Allow: []string{allow}, LookupRetries: 1})
	}, clock.Now, log.With("part", "customers"))
	if err != nil {
		return a, err
	}
	var vendors []connectors.Connector
	vendors, err = a.vendors(connectors.Deps{
		Preview: func(channel, language, agent, link string) (connectors.Preview, bool) {
			for _, v := range vendors { // all of them, by the time somebody asks
				if w, ok := v.(connectors.Writer); ok {
					if p, own := w.Preview(channel, language, agent, link); own {
						return p, true
					}
				}
			}
			return connectors.Preview{}, false
		},
		Meetings: meetings, Links: links, Phones: phones, Customers: customers, Journal: journal, Bindings: a.store,
		PublicURL: public, Now: clock.Now, Log: log,
		Egress: func(o egress.Options) (connectors.Doer, error) { return exit.Client(o) },
	})
	if err != nil {
		return a, err
	}
	box, err := newOutbox(a.store, a.cfg.Outbox, vendors, registry, clock.Now, log)
	if err != nil {
		return a, err
	}
	folder, err := blob.OpenFolder(filepath.Join(cfg.DataDir, "files"))
	if err != nil {
		return a, err
	}
	rest, err := api.New(meetings, keys, api.Config{
		PublicURL: public, Files: blob.NewIntake(folder), Deliveries: a.store.Outbox(), Keys: apiKeys{a.store}, Journal: journal, Logins: a.store,
	}, clock.Now, log.With("part", "api"))
	if err != nil {
		return a, err
	}
	a.facts = Facts{
		Version: version, URL: public, Demo: cfg.Demo, Database: engineOf(cfg), Listen: a.public.Addr().String(),
		Inbox: inbox, Phones: phoneDesk, KeyFile: keyFile,
	}
	for _, ap := range a.hub.Addresses() {
		a.facts.Media = append(a.facts.Media, ap.String())
	}
	if a.admin != nil {
		a.facts.Admin = a.admin.Addr().String()
	}
	pages, err := a.pages(meetings)
	if err != nil {
		return a, err
	}
	a.facts.Pages = pages.Built()
	rooms := &rooms{hub: a.hub, meetings: meetings, keys: keys, log: log.With("part", "media")}
	sockets, err := signal.New(a.hub, rooms, signal.Config{AllowOrigin: sameOrigin(public)}, log.With("part", "signal"))
	if err != nil {
		return a, err
	}
	a.health = httpd.NewHealth(log, httpd.Check{Name: "store", Run: a.store.Ping})
	if err := a.mount(late, registry, vendors, meetings, keys, always, public, clock.Now, rest, pages, sockets); err != nil {
		return a, err
	}
	late.onDrain = func(ctx context.Context) {
		a.health.Drain()
		a.hub.Drain()
		rest.Close()
		_ = sockets.Close(ctx) // what is left is cut with the server
	}
	a.parts = append(a.parts,
		part{"time", clock.Run},
		part{"media", rooms.Run},
		part{"clock", meeting.NewClock(meetings).Run},
		part{"outbox", box.Run},
		part{"phones", phones.Run},
		part{"journal", journal.Run},
		part{"customers", customers.Run},
		part{"files", blob.NewSweeper(folder, sentIn(meetings), time.Now, log.With("part", "files")).Run},
	)
	for _, v := range vendors {
		if r, ok := v.(connectors.Runner); ok {
			a.parts = append(a.parts, part{v.Name(), r.Run})
		}
	}
	if a.admin != nil {
		a.parts = append(a.parts, part{"admin", a.admin.Run})
	}
	a.parts = append(a.parts, part{"public", a.public.Run})
	return a, nil
}

// listen opens the addresses; what is served comes later.
func (a *App) listen(late *lateHandler, registry *prometheus.Registry) (err error) {
	a.public, err = httpd.Listen(httpd.ServerOptions{
		Name: "public", Listen: a.cfg.Listen, TLS: a.cfg.TLS, DrainTimeout: a.cfg.DrainTimeout, Log: a.log,
		OnDrain: []func(context.Context){late.drain},
	}, late)
	if err != nil {
		return fmt.Errorf("listen (RINGDOWN_LISTEN): choose another address: %w", err)
	}
	a.undo = append(a.undo, func() { _ = a.public.Close() })
	if a.cfg.AdminListen == "" {
		return nil
	}
	a.admin, err = httpd.Listen(httpd.ServerOptions{
		Name: "admin", Listen: a.cfg.AdminListen, DrainTimeout: a.cfg.DrainTimeout, WriteTimeout: httpd.AdminWriteTimeout, Log: a.log,
	}, httpd.AdminHandler(registry))
	if err != nil {
		return fmt.Errorf("admin_listen (RINGDOWN_ADMIN_LISTEN): choose another address: %w", err)
	}
	a.undo = append(a.undo, func() { _ = a.admin.Close() })
	return nil
}

// publicURL is public_url; the demo's follows the port it got.
func (a *App) publicURL() string {
	public := strings.TrimSuffix(a.cfg.PublicURL, "/")
	if u, err := url.Parse(public); err == nil && a.cfg.Demo && public == httpd.DefaultConfig().PublicURL {
		if ap, err := netip.ParseAddrPort(a.public.Addr().String()); err == nil {
			return fmt.Sprintf("%s://%s:%d", u.Scheme, u.Hostname(), ap.Port())
		}
	}
	return public
}

func (a *App) mount(late *lateHandler, registry *prometheus.Registry, vendors []connectors.Connector, meetings *meeting.Service,
	keys *access.Keys, always []access.APIKey, public string, now func() time.Time, rest *api.API, pages *web.Pages, sockets http.Handler,
) error {
	own := httpd.Surface{Name: "own", CORS: httpd.CORS{Allow: rest.AllowOrigin}}
	own.Routes = append(own.Routes, rest.Routes()...)
	own.Routes = append(own.Routes, pages.Routes()...)
	own.Routes = append(own.Routes, a.health.Routes()...)
	own.Routes = append(own.Routes, signalRoute(sockets))
	for _, v := range vendors {
		if o, ok := v.(connectors.Owner); ok {
			own.Routes = append(own.Routes, o.OwnRoutes()...)
		}
	}
	surfaces := []httpd.Surface{own}
	for _, v := range vendors {
		if s := v.Surface(); len(s.Routes) > 0 {
			surfaces = append(surfaces, s)
		}
	}
	deps := httpd.Deps{
		Authorizer: access.NewAuthorizer(keys, meetings.Policy(), public, always, apiKeys{a.store}, now), Log: a.log, Metrics: registry, Now: time.Now,
		TrustedProxies: a.cfg.TrustedProxies,
	}
	if a.cfg.Demo {
		deps.Hosts = httpd.LocalHosts(public)
	}
	site, err := httpd.NewSite(deps, surfaces...)
	if err != nil {
		return err
	}
	a.site, late.handler = site, site
	return nil
}

// Run serves until ctx ends, then stops: no new HTTP, sockets and rooms closed,
// deliveries in flight finished, the database closed. An error of one part stops
// all.
func (a *App) Run(ctx context.Context) error {
	defer a.close()
	a.log.InfoContext(ctx, "ready", "url", a.facts.URL, "listen", a.facts.Listen, "database", a.facts.Database, "media", a.facts.Media, "demo", a.facts.Demo)
	err := runParts(ctx, a.parts)
	a.log.InfoContext(ctx, "stopped")
	return err
}

// Facts returns what the start banner tells.
func (a *App) Facts() Facts { return a.facts }

// Doors lists every mounted route.
func (a *App) Doors() []httpd.Door { return a.site.Doors() }

// close undoes what New opened, in reverse.
func (a *App) close() {
	for _, undo := range slices.Backward(a.undo) {
		undo()
	}
	a.undo = nil
}

// ownAddresses are those that no request of ours may lead to.
func (a *App) ownAddresses() []netip.AddrPort {
	var own []netip.AddrPort
	for _, s := range []*httpd.Server{a.public, a.admin} {
		if s == nil {
			continue
		}
		if ap, err := netip.ParseAddrPort(s.Addr().String()); err == nil {
			own = append(own, ap)
		}
	}
	return append(own, a.hub.Addresses()...)
}

// lateHandler is a handler that is known only after its address.
type lateHandler struct {
	handler http.Handler
	onDrain func(context.Context)
}

func (l *lateHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) { l.handler.ServeHTTP(w, r) }

func (l *lateHandler) drain(ctx context.Context) { l.onDrain(ctx) }

// sameOrigin admits pages of the address they were loaded from, and of the
// public one behind a proxy that changes Host.
func sameOrigin(public string) func(origin, host string) bool {
	return func(origin, host string) bool {
		u, err := url.Parse(origin)
		return origin == public || err == nil && u.Host == host
	}
}

func newOutbox(s *store.Store, cfg outbox.Config, vendors []connectors.Connector, registry prometheus.Registerer, now func() time.Time, log *slog.Logger) (*outbox.Outbox, error) {
	o := outbox.Options{
		Store: s.Outbox(), Config: cfg, Deliverers: map[string]outbox.Deliverer{}, Now: now, Log: log.With("part", "outbox"), Metrics: registry,
	}
	for _, v := range vendors {
		if t, ok := v.(outbox.Translator); ok {
			o.Translators = append(o.Translators, t)
		}
		if d, ok := v.(outbox.Deliverer); ok {
			o.Deliverers[v.Name()] = d
		}
	}
	return outbox.New(o)
}

// engineOf names the database without its address, which may hold a password.
func engineOf(cfg config.Config) string {
	if cfg.Database != "" {
		return "PostgreSQL"
	}
	return "SQLite in " + cfg.DataDir
}

var errPartEnded = errors.New("ended by itself")
