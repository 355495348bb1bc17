package httpd

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// reserved are the subtrees and paths of ours that no other surface may claim
// on every host, nor a tenant be named after.
func reserved() []string {
	return []string{
		"/v1/", "/static/", "/demo/", "/console/", "/m/", "/ring/", "/room/", "/call/", "/whip/", "/whep/",
		"/.well-known/", "/docs/",
	}
}

// claim is an exact path or, with a final slash, a subtree.
type claim struct {
	surface *mounted
	tenant  string
}

// table holds the claims of one host, or of every host.
type table struct {
	exact map[string]claim
	trees map[string]claim // keys end with a slash
	whole *mounted         // the surface that has the rest; nil if none
}

func newTable() *table { return &table{exact: map[string]claim{}, trees: map[string]claim{}} }

// find looks for an exact path, then for the longest subtree. A subtree also
// takes its own name without the final slash.
func (t *table) find(path string) (claim, bool) {
	if c, ok := t.exact[path]; ok {
		return c, true
	}
	for p := path + "/"; p != ""; p = p[:strings.LastIndexByte(p[:len(p)-1], '/')+1] {
		if c, ok := t.trees[p]; ok {
			return c, true
		}
	}
	return claim{}, false
}

// dispatcher finds the surface of a request: by host, then exact path, then
// longest subtree, else our own.
type dispatcher struct {
	hosts map[string]*table
	every *table
}

// route gives the surface, the tenant and the path to route there, escaped as
// it came. The surface is nil when nobody serves the address.
func (d *dispatcher) route(host, path string) (*mounted, string, string) {
	tidied := tidy(path)
	for _, t := range []*table{d.hosts[host], d.every} {
		if t == nil {
			continue
		}
		c, ok := t.find(path)
		if !ok && tidied != path {
			// Only a surface that forgives may be found by the tidied path.
			if c, ok = t.find(tidied); ok && !c.surface.Tidy {
				ok = false
			}
		}
		if !ok {
			if t.whole == nil {
				continue
			}
			c = claim{surface: t.whole}
		}
		if c.surface.Tidy {
			path = tidied
		}
		if c.tenant != "" {
			if path = strings.TrimPrefix(path, "/"+c.tenant); path == "" {
				path = "/"
			}
		}
		return c.surface, c.tenant, path
	}
	return nil, "", path
}

// tidy folds doubled slashes and cuts one at the end.
func tidy(path string) string {
	var b strings.Builder
	b.Grow(len(path))
	for i := range len(path) {
		if path[i] == '/' && i > 0 && path[i-1] == '/' {
			continue
		}
		b.WriteByte(path[i])
	}
	out := b.String()
	if len(out) > 1 {
		out = strings.TrimSuffix(out, "/")
	}
	return out
}

// withPath gives a copy of the request whose URL has the escaped path. RawPath
// is always set, so that the router matches what the dispatcher matched.
func withPath(r *http.Request, escaped string) *http.Request {
	plain, err := url.PathUnescape(escaped)
	if err != nil { // the server parsed the same text before
		plain = escaped
	}
	u := *r.URL
	u.Path, u.RawPath = plain, escaped
	c := *r
	c.URL = &u
	return &c
}

// hostOf gives a Host header without port, brackets and case.
func hostOf(hostport string) string {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
}

// newDispatcher sorts the surfaces' claims; two for the same address are an
// error that names both.
func newDispatcher(surfaces []*mounted) (*dispatcher, error) {
	d := &dispatcher{hosts: map[string]*table{}, every: newTable()}
	for _, m := range surfaces {
		if len(m.Hosts) == 0 {
			if err := m.claimIn(d.every, "every host", reserved()); err != nil {
				return nil, err
			}
		}
		for _, host := range m.Hosts {
			host = hostOf(host)
			if d.hosts[host] == nil {
				d.hosts[host] = newTable()
			}
			if err := m.claimIn(d.hosts[host], host, nil); err != nil {
				return nil, err
			}
		}
	}
	return d, d.reach(surfaces)
}

// claims lists what a surface claims without tenants; none means the whole host.
func (m *mounted) claims() []string {
	all := slices.Clone(m.Paths)
	if m.Prefix != "" {
		all = append(all, m.Prefix+"/")
	}
	return all
}

func (m *mounted) claimIn(t *table, where string, ours []string) error {
	all := m.claims()
	if len(all) == 0 {
		if t.whole != nil {
			return fmt.Errorf("surfaces %q and %q both claim the whole of %s", t.whole.Name, m.Name, where)
		}
		t.whole = m
		return nil
	}
	for _, path := range all {
		for _, tenant := range append([]string{""}, m.Tenants...) {
			full := path
			if tenant != "" {
				full = "/" + tenant + path
			}
			for _, mine := range ours {
				if strings.HasPrefix(full+"/", mine) || full == "/" {
					return fmt.Errorf("surface %q claims %s, which is reserved: %s", m.Name, full, mine)
				}
			}
			of := t.exact
			if strings.HasSuffix(full, "/") {
				of = t.trees
			}
			if other, taken := of[full]; taken {
				return fmt.Errorf("surfaces %q and %q both claim %s on %s", other.surface.Name, m.Name, full, where)
			}
			of[full] = claim{surface: m, tenant: tenant}
		}
	}
	return nil
}

// reach makes sure that every route can be reached: the dispatcher must bring a
// request for it to its own surface.
func (d *dispatcher) reach(surfaces []*mounted) error {
	for _, m := range surfaces {
		hosts := m.Hosts
		if len(hosts) == 0 {
			hosts = []string{""} // no such host: the table of every host
		}
		for _, r := range m.Routes {
			path := sample(m.Prefix + r.Path)
			for _, host := range hosts {
				got, _, _ := d.route(hostOf(host), path)
				switch got {
				case m:
				case nil:
					return fmt.Errorf("surface %q: %s %s lies outside of what the surface claims", m.Name, r.Method, m.Prefix+r.Path)
				default:
					return fmt.Errorf("surface %q: %s %s is out of reach: surface %q claims that address",
						m.Name, r.Method, m.Prefix+r.Path, got.Name)
				}
			}
		}
	}
	return nil
}

// sample fills the parameters of a template with something nobody claims.
func sample(template string) string {
	parts := strings.Split(template, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, ":") || strings.HasPrefix(p, "*") {
			parts[i] = "~"
		}
	}
	return strings.Join(parts, "/")
}
