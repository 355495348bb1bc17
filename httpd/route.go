package httpd

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"ringdown/fault"
)

// Handler serves one request. An error it returns is written as the surface
// writes its faults (problem+json on ours); it must not be returned after a
// part of the answer is out. Who calls is in Caller(c.Request.Context()).
type Handler func(c *gin.Context) error

// DefaultBodyLimit is the limit of a request body in bytes for a route that
// sets none.
const DefaultBodyLimit int64 = 64 << 10

// Route is one door: a method and a path, who may come in, and what happens.
type Route struct {
	// Method is an HTTP method. A GET route answers HEAD too.
	Method string
	// Path is the template below the surface's Prefix, in gin's writing:
	// "/v1/meetings/:id", "/static/*file".
	Path string
	// Who may call. A route without it does not start.
	Who Who
	// Handler does the work.
	Handler Handler
	// Body limits the request body in bytes; 0 means DefaultBodyLimit.
	Body int64
	// Limits are asked in order, after the caller is known and before Handler.
	Limits []Limit
	// Headers sets what the answer tells browsers; the zero value suits an API.
	Headers Headers
}

// FaultWriter writes a failure in the shape of a surface. It sets status,
// headers and body; the answer's security headers and X-Request-Id are set.
type FaultWriter func(w http.ResponseWriter, r *http.Request, f *fault.Error)

// Surface is a set of routes that belongs together and shows one face: ours, or
// that of one vendor. Each has its own router, its own CORS and its own 404.
//
// A surface claims addresses: everything below Prefix, and Paths. One that
// claims none of them, on any host, is our own: it gets what nobody else
// claims, and there is at most one. One that names Hosts but no address has
// these hosts whole.
type Surface struct {
	// Name is a word for log and metrics, unique.
	Name string
	// Hosts limits the surface to these host names (without port); none means
	// every host. A claim for the request's host goes before one for every host.
	Hosts []string
	// Prefix is put before every route's path, and everything below it is
	// claimed: "/xcally". Empty for none.
	Prefix string
	// Tenants are names under which every claim is repeated, with the name cut
	// off before routing: with "acme", /acme/api/… is /api/… and Tenant gives "acme".
	Tenants []string
	// Paths are further claims: an exact path ("/token") or a subtree, with a
	// final slash ("/api/v2/").
	Paths []string
	// Tidy forgives doubled slashes and one at the end.
	Tidy bool
	// CORS says which pages elsewhere may read the answers; the zero value: none.
	CORS CORS
	// NotFound answers what no route takes. Nil means the fault not_found.
	NotFound Handler
	// Faults writes failures. Nil means WriteProblem.
	Faults FaultWriter
	// Routes are the doors.
	Routes []Route
}

// CORS says which origins may read a surface's answers. It is no authorisation:
// requests from other origins reach the handlers too, their pages only cannot
// read the answer.
type CORS struct {
	// Any lets every page read, by "*" and never with credentials.
	Any bool
	// Allow judges one origin ("https://shop.example"); "null" never gets here.
	// The request is there for its path and query. Ignored with Any; nil: nobody.
	Allow func(r *http.Request, origin string) bool
	// Credentials lets the pages send cookies. Not with Any.
	Credentials bool
	// PrivateNetwork answers the further preflight that browsers send before a
	// public page reaches an address on a private network.
	PrivateNetwork bool
	// Expose lists answer headers that pages may read besides the usual ones.
	Expose []string
}

// Door describes a mounted route, for tables and tests that walk all of them.
type Door struct {
	Surface  string
	Method   string
	Template string // with the surface's prefix, without a tenant
	Who      Who
}
