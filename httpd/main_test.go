package httpd

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"ringdown/fault"
	"ringdown/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// keys is an Authorizer that knows two bearer tokens.
type keys struct{}

func (keys) Authorize(r *http.Request, _ Who) (Principal, error) {
	switch r.Header.Get("Authorization") {
	case "Bearer admin":
		return Principal{Kind: KindAPIKey, ID: "key_1", Role: "admin"}, nil
	case "Bearer visitor":
		return Principal{Kind: KindSession, ID: "par_1", Role: "visitor", Meeting: "mtg_1", Name: "Anna"}, nil
	}
	return Principal{}, fault.New(fault.Unauthorized, "this needs a key")
}

type bench struct {
	*httptest.Server
	site    *Site
	log     *syncBuffer
	metrics *prometheus.Registry
}

func newBench(t *testing.T, change func(*Deps), surfaces ...Surface) *bench {
	t.Helper()
	b := &bench{log: &syncBuffer{}, metrics: prometheus.NewRegistry()}
	deps := Deps{
		Authorizer: keys{}, Log: slog.New(slog.NewJSONHandler(b.log, nil)), Metrics: b.metrics, Now: time.Now,
	}
	if change != nil {
		change(&deps)
	}
	var err error
	if b.site, err = NewSite(deps, surfaces...); err != nil {
		t.Fatal(err)
	}
	b.Server = httptest.NewServer(b.site)
	t.Cleanup(b.Close)
	return b
}

// do sends a request; headers come in pairs.
func (b *bench) do(t *testing.T, method, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, b.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			req.Host = headers[i+1]
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.Client().Transport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

type problem struct {
	Type, Title, Detail, Instance, Code string
	Status                              int
	Errors                              []problemField
	TakenBy                             string `json:"taken_by"`
}

// problem demands a problem document that fits its own status and request id.
func problemOf(t *testing.T, resp *http.Response, body string) problem {
	t.Helper()
	var p problem
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Fatalf("%d %q: %v", resp.StatusCode, body, err)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/problem+json" {
		t.Errorf("content type %q", got)
	}
	if p.Status != resp.StatusCode || p.Type != "https://ringdown.dev/errors/"+p.Code || p.Title == "" || p.Detail == "" {
		t.Errorf("status %d with %+v", resp.StatusCode, p)
	}
	if id := resp.Header.Get("X-Request-Id"); p.Instance != id || !strings.HasPrefix(id, "req_") || len(id) != 30 {
		t.Errorf("instance %q, request id %q", p.Instance, id)
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("a fault may be stored: %q", got)
	}
	return p
}

func get(path string, h Handler) Route {
	return Route{Method: http.MethodGet, Path: path, Who: Anyone, Handler: h}
}

// says answers with a word.
func says(word string) Handler {
	return func(c *gin.Context) error {
		c.String(http.StatusOK, word)
		return nil
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
