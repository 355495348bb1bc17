package crash_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringdown/app"
	"ringdown/internal/crash"
	"ringdown/store"
	"ringdown/store/storetest"
)

// startLimit bounds a start on a busy machine.
const startLimit = 30 * time.Second

// house is the daemon with its data and its door, over all its lives.
type house struct {
	t      testing.TB
	data   store.Config
	daemon crash.Daemon
	url    atomic.Pointer[string] // of the life that is, or the last one
	key    string
	log    lockedBuffer
	client *http.Client
	from   atomic.Int64
	ready  time.Time // when the latest life could be reached
}

// open makes the configuration and starts the first life. connectors is the
// YAML of that section.
func open(t testing.TB, e storetest.Engine, connectors string) *house {
	t.Helper()
	h := &house{t: t, data: e.Fresh(t)}
	if h.data.DataDir == "" {
		h.data.DataDir = t.TempDir()
	}
	h.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: h.dial}}
	file := filepath.Join(t.TempDir(), "ringdown.yaml")
	text := fmt.Sprintf(`listen: 127.0.0.1:0
public_url: http://ringdown.test
admin_listen: ""
data_dir: %q
database: %q
media: {port: 0, addresses: [127.0.0.1]}
queues:
  - {name: desk, ring: {window: 5m, wait: 10m}}
  - {name: short, ring: {window: 1s, rounds: 1, wait: 1s}}
connectors:
%s`, h.data.DataDir, h.data.Database, connectors)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	h.daemon.Command = func() *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childConfig+"="+file)
		cmd.Stderr = &h.log
		return cmd
	}
	h.start()
	t.Cleanup(h.daemon.Kill)
	key, err := os.ReadFile(filepath.Join(h.data.DataDir, app.AdminKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	h.key = strings.TrimSpace(string(key))
	return h
}

// start begins the next life and waits until it answers.
func (h *house) start() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), startLimit)
	defer cancel()
	var facts app.Facts
	if err := h.daemon.Start(ctx, &facts); err != nil {
		h.t.Fatalf("%v\n%s", err, h.log.String())
	}
	url := "http://" + facts.Listen
	h.url.Store(&url)
	h.call(ctx, "GET", "/readyz", "", "", nil)
	h.ready = time.Now()
}

// dial comes from another loopback address each time, so that limits per
// address are not in the way.
func (h *house) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	n := h.from.Add(1)
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, byte(n>>16&0x7f), byte(n>>8), byte(1+n%250))}}
	return d.DialContext(ctx, network, addr)
}

// answer is what came back.
type answer struct {
	status int
	body   map[string]any
	raw    []byte
}

func (a answer) text(path string) string {
	var v any = a.body
	for k := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	s, _ := v.(string)
	return s
}

// call asks until an answer comes that is no 5xx, over the lives of the daemon,
// as a client does who wants it done. The zero answer means that ctx has ended.
func (h *house) call(ctx context.Context, method, path, token, once string, body any) answer {
	sent, err := json.Marshal(body)
	if err != nil {
		h.t.Error(err)
		return answer{}
	}
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if a, err := h.try(ctx, method, path, token, once, sent); err == nil && a.status < 500 {
			return a
		}
		select {
		case <-ctx.Done():
			return answer{}
		case <-again.C:
		}
	}
}

func (h *house) try(ctx context.Context, method, path, token, once string, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, *h.url.Load()+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if method != "GET" {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if once != "" {
		req.Header.Set("Idempotency-Key", once)
	}
	res, err := h.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	a := answer{status: res.StatusCode}
	if a.raw, err = io.ReadAll(res.Body); err == nil && len(a.raw) > 0 && a.raw[0] == '{' {
		err = json.Unmarshal(a.raw, &a.body)
	}
	return a, err
}

// redeem opens a link and returns the session.
func (h *house) redeem(ctx context.Context, link, device string) (token string) {
	path, secret, _ := strings.Cut(link, "#")
	body := map[string]string{"id": path[strings.LastIndex(path, "/")+1:], "secret": secret}
	if device != "" {
		body["device"] = device
	}
	a := h.call(ctx, "POST", "/v1/links/redeem", "", "", body)
	if a.status != 200 && ctx.Err() == nil {
		h.t.Errorf("redeem: %d %s", a.status, a.raw)
	}
	return a.text("token")
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
