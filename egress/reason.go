package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
)

// Reason is a stable word for why a request got no answer. The list is closed.
type Reason string

// The reasons. Only TimeoutAfterSend, Reset and TooLarge leave open whether the
// other side acted on the request; see Error.Sent.
const (
	DNS               Reason = "dns"                 // the name has no address
	Refused           Reason = "refused"             // nobody listens there, or no way leads there
	TLS               Reason = "tls"                 // no secure connection: certificate or handshake
	Blocked           Reason = "blocked"             // the guard does not allow the address
	TimeoutBeforeSend Reason = "timeout_before_send" // time ran out before the request was out
	TimeoutAfterSend  Reason = "timeout_after_send"  // time ran out waiting for the answer or in it
	Reset             Reason = "reset"               // the connection broke, or what came back is not HTTP
	TooLarge          Reason = "too_large"           // the answer is over the limit
	Cancelled         Reason = "cancelled"           // the caller's context ended
	BadURL            Reason = "bad_url"             // not an http or https address
)

// Error is a request without a usable answer. Its text names the host and never
// the path, the query or a header.
type Error struct {
	Reason Reason
	Host   string
	// Sent tells that the whole request went out: the other side may have acted
	// on it although we do not know. False is sure: it did not get all of it.
	Sent  bool
	cause error
}

func (e *Error) Error() string {
	s := "request to " + e.Host + ": " + string(e.Reason)
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.cause }

// ReasonOf gives the reason inside err, or "" if there is none.
func ReasonOf(err error) Reason {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Reason
	}
	return ""
}

// progress is how far a request came; net/http notes it from its own goroutines.
type progress struct {
	sent  atomic.Bool // all of it went out
	noTLS atomic.Bool // the handshake failed
}

func (p *progress) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(w httptrace.WroteRequestInfo) {
			if w.Err == nil {
				p.sent.Store(true)
			}
		},
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err != nil {
				p.noTLS.Store(true)
			}
		},
	})
}

// reason judges an error of net/http. ours is the context with our own limit,
// caller the one the request came with.
func (p *progress) reason(caller, ours context.Context, err error) Reason {
	_, dns := errors.AsType[*net.DNSError](err)
	op, atDial := errors.AsType[*net.OpError](err)
	timeout, ok := errors.AsType[net.Error](err)
	late := ours.Err() != nil || ok && timeout.Timeout()
	switch {
	case errors.Is(err, errBlocked):
		return Blocked
	case errors.Is(caller.Err(), context.Canceled):
		return Cancelled
	case late && p.sent.Load():
		return TimeoutAfterSend
	case late:
		return TimeoutBeforeSend
	case dns:
		return DNS
	case p.noTLS.Load(), errors.Is(err, http.ErrSchemeMismatch):
		return TLS
	case atDial && op.Op == "dial":
		return Refused
	}
	return Reset
}

// bare drops the wrapper of net/http that repeats the whole URL.
func bare(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}
