package httpd

import (
	"context"
	"net/http"
	"time"
)

type exchangeKey struct{}

// exchange is what the layers of one request tell each other. It belongs to the
// request's goroutine.
type exchange struct {
	id       string // req_…
	surface  string
	template string
	tenant   string
	caller   Principal
	start    time.Time
	answer   *answer
}

func exchangeOf(ctx context.Context) *exchange {
	x, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok {
		return &exchange{}
	}
	return x
}

func withExchange(r *http.Request, x *exchange) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
}

// RequestID gives the id of the request, "req_…", or "" outside of one.
func RequestID(ctx context.Context) string { return exchangeOf(ctx).id }

// Caller gives who sent the request, as the route's Who found out.
func Caller(ctx context.Context) Principal { return exchangeOf(ctx).caller }

// Tenant gives the tenant whose name stood before the path, or "".
func Tenant(ctx context.Context) string { return exchangeOf(ctx).tenant }
