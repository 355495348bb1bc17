// Package httpd is the way in: it owns everything about incoming HTTP that is
// the same for all rooms. Rooms hand it values (Surface, Route) and never see a
// router. It finds the surface for a request, checks who calls, limits bodies
// and rates, sets the security headers, writes every failure as problem+json or
// in the surface's own shape, keeps the access log and the metrics, and runs
// the server from listening to drained.
//
// It refuses to know meetings, vendors, keys and storage: who a caller is comes
// from an Authorizer, whether the house is well comes from named checks.
//
// Goroutines: Server.Run owns those of the server and waits for them; a health
// check runs in one goroutine at a time and ends with its own time limit.
// Everything else runs in the goroutine of the request.
package httpd
