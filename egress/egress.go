package egress

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
	"github.com/prometheus/client_golang/prometheus"
)

// Config says how requests leave the house.
type Config struct {
	// Timeout is for one request in all, from the name's look-up to the last
	// byte of the answer. Default 15s.
	Timeout time.Duration `yaml:"timeout"`
	// MaxResponseBytes limits the body of an answer. Default 1048576 (1 MiB).
	MaxResponseBytes int64 `yaml:"max_response_bytes"`
	// CAFile holds further certificates to trust, PEM; for desks with a
	// certificate of their own. Empty: the system's only.
	CAFile string `yaml:"ca_file"`
	// AllowNetworks opens private networks (10.1.0.0/16) to addresses that come
	// from the API or from payloads. An address written in this file is allowed
	// anyway, with exactly its host and port. Default none.
	AllowNetworks []string `yaml:"allow_networks"`
}

// DefaultConfig gives what holds where the file says nothing.
func DefaultConfig() Config { return Config{Timeout: 15 * time.Second, MaxResponseBytes: 1 << 20} }

// Validate tells everything that is wrong, each with its key.
func (c Config) Validate() error {
	var all []error
	if c.Timeout <= 0 {
		all = append(all, errors.New("timeout: must be above zero, such as 15s"))
	}
	if c.MaxResponseBytes <= 0 {
		all = append(all, errors.New("max_response_bytes: must be above zero"))
	}
	for i, n := range c.AllowNetworks {
		if _, err := netip.ParsePrefix(n); err != nil {
			all = append(all, fmt.Errorf("allow_networks[%d]: %q must be a network such as 10.1.0.0/16", i, n))
		}
	}
	return errors.Join(all...)
}

// Deps is what an Exit needs from the house.
type Deps struct {
	Metrics prometheus.Registerer
	// Own lists the addresses our own listeners have, asked at every connect;
	// no request of ours may lead there.
	Own func() []netip.AddrPort
	// Resolver looks names up; nil means the system's.
	Resolver *net.Resolver
}

// Exit makes the Clients of a house.
type Exit struct {
	cfg      Config
	deps     Deps
	roots    *x509.CertPool
	networks []netip.Prefix
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec

	mu      sync.Mutex
	clients []*Client
}

// New checks the configuration and reads the CA file.
func New(cfg Config, deps Deps) (*Exit, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("egress: %w", err)
	}
	if deps.Metrics == nil {
		return nil, errors.New("egress: needs metrics")
	}
	e := &Exit{cfg: cfg, deps: deps}
	for _, n := range cfg.AllowNetworks {
		e.networks = append(e.networks, netip.MustParsePrefix(n).Masked()) // parsed by Validate
	}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("egress: ca_file: %w", err)
		}
		if e.roots, err = x509.SystemCertPool(); err != nil {
			e.roots = x509.NewCertPool()
		}
		if !e.roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("egress: ca_file: %s holds no PEM certificate", cfg.CAFile)
		}
	}
	e.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "ringdown_egress_requests_total",
		Help: "Outgoing requests by connector and result: a status class, or the reason why there was no answer.",
	}, []string{"connector", "result"})
	e.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "ringdown_egress_request_seconds",
		Help:    "Time of an outgoing request in all.",
		Buckets: []float64{0.025, 0.1, 0.3, 1, 5, 15},
	}, []string{"connector"})
	return e, errors.Join(deps.Metrics.Register(e.requests), deps.Metrics.Register(e.seconds))
}

// Options are what one Client has of its own.
type Options struct {
	// Connector is the label of the metrics: a word from the list of connectors.
	Connector string
	// Allow lists the URLs the configuration file writes for this connector.
	// Exactly their hosts with their ports may be private addresses.
	Allow []string
	// LookupRetries is how often a GET or HEAD is tried again at once; 0 or 1.
	LookupRetries int
	// Timeout and MaxResponseBytes replace the Config's when above zero.
	Timeout          time.Duration
	MaxResponseBytes int64
	// ClipResponse cuts the body of a longer answer at MaxResponseBytes instead of
	// giving TooLarge: for whoever goes by the status alone.
	ClipResponse bool
}

// Client sends requests for one connector. Many goroutines may use it.
type Client struct {
	host      *Exit
	o         Options
	transport *http.Transport
	http      *retryablehttp.Client
}

// Client makes a Client; the error names a URL that is not one.
func (e *Exit) Client(o Options) (*Client, error) {
	if o.Connector == "" || o.LookupRetries < 0 || o.LookupRetries > 1 {
		return nil, errors.New("egress: a client needs a connector's name, and retries look-ups at most once")
	}
	if o.Timeout <= 0 {
		o.Timeout = e.cfg.Timeout
	}
	if o.MaxResponseBytes <= 0 {
		o.MaxResponseBytes = e.cfg.MaxResponseBytes
	}
	g := &guard{pairs: map[string]bool{}, networks: e.networks, own: e.deps.Own}
	for _, raw := range o.Allow {
		p, err := pair(raw)
		if err != nil {
			return nil, fmt.Errorf("egress: %s: %w", o.Connector, err)
		}
		g.pairs[p] = true
	}
	c := &Client{host: e, o: o}
	c.transport = &http.Transport{
		Proxy: nil, // a proxy would connect where the guard does not look
		DialContext: func(ctx context.Context, network, hostport string) (net.Conn, error) {
			d := net.Dialer{Resolver: e.deps.Resolver, Control: g.refuse(hostport), Timeout: 10 * time.Second}
			return d.DialContext(ctx, network, hostport)
		},
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: e.roots},
		TLSHandshakeTimeout:    10 * time.Second,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
	}
	c.http = &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport:     c.transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Logger:       nil,
		RetryMax:     o.LookupRetries,
		RetryWaitMin: 100 * time.Millisecond,
		RetryWaitMax: 500 * time.Millisecond,
		Backoff:      retryablehttp.DefaultBackoff,
		CheckRetry:   again,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	e.mu.Lock()
	e.clients = append(e.clients, c)
	e.mu.Unlock()
	return c, nil
}

type lookupKey struct{}

// again is the retry policy: a look-up whose connection failed, or that met a
// gateway without its server. Everything else is the outbox's to try again.
func again(ctx context.Context, resp *http.Response, err error) (bool, error) {
	broken := err != nil && !errors.Is(err, errBlocked)
	gateway := err == nil && slices.Contains([]int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, resp.StatusCode)
	return ctx.Err() == nil && ctx.Value(lookupKey{}) != nil && (broken || gateway), nil
}

// Close lets go of idle connections, of all Clients.
func (e *Exit) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.clients {
		c.transport.CloseIdleConnections()
	}
}

// Do sends the request and reads the whole answer, whose body is then in memory.
// Any status is an answer, a redirect too. The error is an *Error, always.
func (c *Client) Do(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := c.do(req)
	result := ""
	if err != nil {
		result = string(ReasonOf(err))
	} else {
		result = fmt.Sprintf("%dxx", resp.StatusCode/100)
	}
	c.host.requests.WithLabelValues(c.o.Connector, result).Inc()
	c.host.seconds.WithLabelValues(c.o.Connector).Observe(time.Since(began).Seconds())
	return resp, err
}

func (c *Client) do(req *http.Request) (*http.Response, error) {
	host := req.URL.Hostname()
	if _, err := pair(req.URL.String()); err != nil || req.URL.User != nil {
		return nil, &Error{Reason: BadURL, Host: host}
	}
	caller := req.Context()
	ours, cancel := context.WithTimeout(caller, c.o.Timeout)
	defer cancel()
	far := &progress{}
	ctx := far.trace(ours)
	if req.Method == http.MethodGet || req.Method == http.MethodHead || req.Method == "" {
		ctx = context.WithValue(ctx, lookupKey{}, true)
	}
	fail := func(err error) error {
		return &Error{Reason: far.reason(caller, ours, err), Host: host, Sent: far.sent.Load(), cause: bare(err)}
	}
	out, err := retryablehttp.FromRequest(req.Clone(ctx))
	if err != nil {
		return nil, fail(err)
	}
	if out.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", "Ringdown")
	}
	resp, err := c.http.Do(out)
	if err != nil {
		if resp != nil {
			_ = resp.Body.Close()
		}
		return nil, fail(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.o.MaxResponseBytes+1))
	if err != nil {
		return nil, fail(err)
	}
	if int64(len(body)) > c.o.MaxResponseBytes {
		if !c.o.ClipResponse {
			return nil, &Error{Reason: TooLarge, Host: host, Sent: true, cause: fmt.Errorf("more than %d bytes", c.o.MaxResponseBytes)}
		}
		body = body[:c.o.MaxResponseBytes]
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	resp.Request = req
	return resp, nil
}
