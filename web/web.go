// Package web serves the pages, the call button and the reference of the API.
// It owns the files that the front end is built to, their types, caches and
// compression, and which page lives at which address. Pages are static shells,
// the same for everybody: whatever differs between two people comes from /v1.
//
// It refuses to know meetings, sites, keys and vendors. What it must be told
// (who may frame a visitor's page, where the demo is reached) comes through
// Frames and Config. It runs no goroutine.
package web

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"ringdown/fault"
	"ringdown/httpd"
)

// Frames knows who may show a visitor's page inside a page of theirs.
type Frames interface {
	// FrameAncestors gives the origins ("https://shop.example") of the site that
	// a meeting belongs to; none for an unknown code or a meeting without a
	// site. It is asked for every load of the page, by many goroutines.
	FrameAncestors(ctx context.Context, code string) []string
}

// Config says how the pages are served.
type Config struct {
	// PublicURL is the address that people reach us by.
	PublicURL string
	// Connect lists further addresses that pages talk to, such as the signal
	// addresses of other nodes (wss://node2.example).
	Connect []string
	// Demo describes the demo, asked at each load of its start page. Nil: there
	// is no demo, and nothing below /demo/ exists.
	Demo func() Demo
	// Desk describes the page of a ringing phone. Nil: there is none.
	Desk *Desk
}

// Desk is where the page of a ringing phone lives, and who shows it.
type Desk struct {
	// Open is the page's address without its last part: "/thirdparty/open/".
	Open string
	// Sheet is the address that a sheet of the agent app opens, Test that of the page
	// on which an integrator tries the way from a browser to us.
	Sheet, Test string
	// Origins are the agent apps that may show the page, and an agent's room in
	// it. None: any may show the page, and none a
	// room in it.
	Origins []string
}

// Pages is everything that browsers load from us. It does not change.
type Pages struct {
	config  Config
	frames  Frames
	files   map[string]*file
	connect []string
	https   bool
}

// New reads the embedded files. Pages that were not built are no error: each of
// them then answers with words that say how to build them, see Built.
func New(config Config, frames Frames) (*Pages, error) {
	dist, err := fs.Sub(embedded, "dist")
	if err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	return newPages(config, frames, dist)
}

func newPages(config Config, frames Frames, dist fs.FS) (*Pages, error) {
	public, err := url.Parse(config.PublicURL)
	if err != nil || public.Host == "" || (public.Scheme != "http" && public.Scheme != "https") {
		return nil, fmt.Errorf("web: the public address %q is not an http or https address", config.PublicURL)
	}
	if frames == nil {
		return nil, fmt.Errorf("web: nobody says who may frame a visitor's page")
	}
	p := &Pages{config: config, frames: frames, https: public.Scheme == "https"}
	if p.files, err = readFiles(dist); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	// Not every browser takes 'self' for sockets.
	socket := "ws://" + public.Host
	if p.https {
		socket = "wss://" + public.Host
	}
	p.connect = append([]string{socket}, config.Connect...)
	return p, nil
}

// Built tells whether the binary holds the pages.
func (p *Pages) Built() bool { return p.files["index.html"] != nil }

// Routes are the doors to the pages; all of them are open to anyone.
func (p *Pages) Routes() []httpd.Route {
	routes := []httpd.Route{
		p.page("/m/:code", "visit", p.framedBySite),
		p.page("/ring/:id", "agent", nil),
		p.page("/room/:id", "agent", p.framedByDesk),
		p.page("/call/:site", "call", nil),
		p.page("/docs/", "docs", nil),
		p.get("/docs", httpd.Headers{}, func(c *gin.Context) error {
			c.Redirect(http.StatusPermanentRedirect, "/docs/")
			return nil
		}),
		p.get("/button.js", httpd.Headers{CrossOrigin: true, Cache: "public, max-age=300"}, p.button),
		p.get("/static/*file", httpd.Headers{Cache: revalidate}, p.static),
	}
	if d := p.config.Desk; d != nil {
		frames := d.Origins
		if len(frames) == 0 {
			frames = []string{"*"}
		}
		routes = append(routes, p.page(d.Open+":call", "phone", func(*http.Request) []string { return frames }), p.page(d.Sheet, "sheet", nil), p.page(d.Test, "phonetest", nil))
	}
	if p.config.Demo == nil {
		return append(routes, p.page("/", "home", nil))
	}
	return append(routes,
		p.atHome(p.page("/", "index", nil)),
		p.atHome(p.page("/demo/shop", "shop", nil)),
		p.get("/demo/state", httpd.Headers{}, p.demoState),
	)
}

func (p *Pages) get(path string, headers httpd.Headers, handle httpd.Handler) httpd.Route {
	return httpd.Route{Method: http.MethodGet, Path: path, Who: httpd.Anyone, Headers: headers, Handler: p.secured(handle)}
}

// page serves the shell <name>.html at a path.
func (p *Pages) page(path, name string, frames func(*http.Request) []string) httpd.Route {
	headers := httpd.Headers{Page: true, Frames: frames, Connect: p.connect, Cache: revalidate}
	return p.get(path, headers, func(c *gin.Context) error {
		shell := p.files[name+".html"]
		if shell == nil {
			return unbuilt(c)
		}
		shell.serve(c.Writer, c.Request)
		return nil
	})
}

// atHome sends whoever comes by another name of this machine to the public
// address: the demo's links, frames and sockets are all there.
func (p *Pages) atHome(route httpd.Route) httpd.Route {
	home, _ := url.Parse(p.config.PublicURL) // checked by newPages
	serve := route.Handler
	route.Handler = func(c *gin.Context) error {
		if c.Request.Host == home.Host {
			return serve(c)
		}
		to := home.JoinPath(route.Path)
		to.RawQuery = c.Request.URL.RawQuery
		c.Redirect(http.StatusTemporaryRedirect, to.String())
		return nil
	}
	return route
}

// secured tells browsers to stay with https once they came by it.
func (p *Pages) secured(next httpd.Handler) httpd.Handler {
	if !p.https {
		return next
	}
	return func(c *gin.Context) error {
		c.Header("Strict-Transport-Security", "max-age=31536000")
		return next(c)
	}
}

func (p *Pages) framedBySite(r *http.Request) []string {
	code, ok := strings.CutPrefix(r.URL.Path, "/m/")
	if !ok {
		return nil
	}
	return p.frames.FrameAncestors(r.Context(), code)
}

// framedByDesk lets the page of a ringing phone show an agent's room. Everybody
// around a page must be allowed, the agent app too.
func (p *Pages) framedByDesk(*http.Request) []string {
	if p.config.Desk == nil {
		return nil
	}
	return append([]string{"'self'"}, p.config.Desk.Origins...)
}

// button is the one script that pages elsewhere load.
func (p *Pages) button(c *gin.Context) error {
	script := p.files["button.js"]
	if script == nil {
		return unbuilt(c)
	}
	c.Header("Access-Control-Allow-Origin", "*")
	script.serve(c.Writer, c.Request)
	return nil
}

func (p *Pages) static(c *gin.Context) error {
	name := strings.TrimPrefix(c.Param("file"), "/")
	f := p.files[name]
	if f == nil || strings.HasSuffix(name, ".html") { // shells have addresses of their own
		return fault.New(fault.NotFound, "there is no such file")
	}
	if c.Query("v") == f.hash {
		c.Header("Cache-Control", "public, max-age=31536000, immutable")
	}
	f.serve(c.Writer, c.Request)
	return nil
}

func unbuilt(c *gin.Context) error {
	c.Header("Cache-Control", "no-store")
	c.String(http.StatusServiceUnavailable, "%s\n", Unbuilt)
	return nil
}
