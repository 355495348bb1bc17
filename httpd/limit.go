package httpd

import (
	"container/list"
	"math"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"ringdown/fault"
)

// Limiter limits how often something may happen per key. It remembers a bounded
// number of keys; when full it forgets the one not seen for longest, which is a
// full bucket again if it comes back.
type Limiter struct {
	every time.Duration
	burst int
	keys  int
	now   func() time.Time

	mu    sync.Mutex
	order *list.List // front: seen last; values are *bucket
	byKey map[string]*list.Element
}

type bucket struct {
	key    string
	tokens *rate.Limiter
}

// NewLimiter allows burst events at once per key and then one each every. It
// remembers up to keys keys (some 200 bytes each); 0 means 10 000.
func NewLimiter(every time.Duration, burst, keys int, now func() time.Time) *Limiter {
	if every <= 0 || burst <= 0 {
		panic("httpd: a limiter needs an interval and a burst above zero")
	}
	if keys <= 0 {
		keys = 10_000
	}
	return &Limiter{every: every, burst: burst, keys: keys, now: now, order: list.New(), byKey: map[string]*list.Element{}}
}

// Allow spends one event of the key, or returns the fault too_many that says
// when to try again.
func (l *Limiter) Allow(key string) error {
	now := l.now()
	l.mu.Lock()
	e, ok := l.byKey[key]
	if ok {
		l.order.MoveToFront(e)
	} else {
		if l.order.Len() >= l.keys {
			oldest := l.order.Back()
			delete(l.byKey, l.order.Remove(oldest).(*bucket).key) //nolint:forcetypeassert // the list holds buckets only
		}
		e = l.order.PushFront(&bucket{key: key, tokens: rate.NewLimiter(rate.Every(l.every), l.burst)})
		l.byKey[key] = e
	}
	b := e.Value.(*bucket) //nolint:forcetypeassert // the list holds buckets only
	l.mu.Unlock()

	// A reservation tells the wait; one that must wait is given back.
	r := b.tokens.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	r.CancelAt(now)
	seconds := int(math.Ceil(wait.Seconds()))
	return fault.New(fault.TooMany, "too many requests; try again in %d s", seconds).
		With(RetryAfter, strconv.Itoa(seconds))
}

// Limit is a limiter on a route and the key it counts by.
type Limit struct {
	Limiter *Limiter
	Key     func(c *gin.Context) string
}

// PerIP counts by the client's address; IPv6 by its /64, which is what one
// customer of a provider usually has.
func PerIP(l *Limiter) Limit {
	return Limit{Limiter: l, Key: func(c *gin.Context) string { return AddressKey(c.ClientIP()) }}
}

// PerCaller counts by who calls; by address where that is nobody in particular.
func PerCaller(l *Limiter) Limit {
	return Limit{Limiter: l, Key: func(c *gin.Context) string {
		p := Caller(c.Request.Context())
		if p.ID == "" {
			return AddressKey(c.ClientIP())
		}
		return string(p.Kind) + ":" + p.ID
	}}
}

// AddressKey folds an IP address to what limits count by: IPv4 whole, IPv6 by /64.
func AddressKey(ip string) string {
	a, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a.String()
	}
	return p.String()
}
