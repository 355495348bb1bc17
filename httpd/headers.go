package httpd

import (
	"net/http"
	"strings"
)

// Headers says what a route's answers tell browsers about framing, scripts,
// devices and caches. The zero value suits an API: nothing may be loaded, nobody
// may frame it, nothing is stored. A fault is never stored, whatever the route says.
type Headers struct {
	// Page is for HTML of ours: scripts, styles, pictures and connections from
	// our own origin only, none of them inline; camera, microphone and screen
	// for itself.
	Page bool
	// Frames gives the origins that may frame the page, for this request. Nil or
	// an empty answer: nobody.
	Frames func(r *http.Request) []string
	// Connect lists further sources for connect-src of a page, such as the
	// signal addresses of other nodes.
	Connect []string
	// Sandbox is for bytes of others: if a browser ever shows them, it is as a
	// stranger's page without scripts. Not with Page.
	Sandbox bool
	// CrossOrigin lets pages elsewhere load the answer as a script or picture.
	CrossOrigin bool
	// Cache is the Cache-Control value; empty means "no-store".
	Cache string
}

const (
	apiPolicy  = "default-src 'none'; base-uri 'none'; form-action 'none'"
	pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
		"media-src 'self' blob: mediastream:; font-src 'self'; worker-src 'self'; manifest-src 'self'; " +
		"frame-src 'self'; base-uri 'none'; form-action 'self'"
	noDevices   = "camera=(), microphone=(), display-capture=(), geolocation=(), payment=(), usb=()"
	pageDevices = "camera=(self), microphone=(self), display-capture=(self), autoplay=(self), " +
		"fullscreen=(self), geolocation=(), payment=(), usb=()"
)

func (h Headers) set(to http.Header, r *http.Request) {
	to.Set("X-Content-Type-Options", "nosniff")
	to.Set("Referrer-Policy", "no-referrer")
	policy, devices := apiPolicy, noDevices
	if h.Page {
		policy, devices = pagePolicy+"; connect-src "+strings.Join(append([]string{"'self'"}, h.Connect...), " "), pageDevices
	}
	if h.Sandbox {
		policy += "; sandbox"
	}
	ancestors := "'none'"
	if h.Frames != nil {
		if who := h.Frames(r); len(who) > 0 {
			ancestors = strings.Join(who, " ")
		}
	}
	to.Set("Content-Security-Policy", policy+"; frame-ancestors "+ancestors)
	to.Set("Permissions-Policy", devices)
	to.Set("Cross-Origin-Resource-Policy", "same-origin")
	if h.CrossOrigin {
		to.Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	to.Set("Cache-Control", "no-store")
	if h.Cache != "" {
		to.Set("Cache-Control", h.Cache)
	}
}
