// Package egress is the way out: every HTTP request of ours to others goes
// through a Client of it. It owns the time limit, the size limit, the guard
// that judges an address at the moment of connecting, the rule that redirects
// are results and not followed, and the words for what went wrong.
//
// It refuses to know vendors, and it does not deliver durably: a Client tries
// once (a look-up may try again once), the outbox tries again later.
//
// It starts no goroutines of its own; those of net/http end with the request,
// or with Exit.Close.
package egress
