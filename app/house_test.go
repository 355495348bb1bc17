package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ringdown/app"
	"ringdown/config"
	"ringdown/internal/leak"
	"ringdown/store/storetest"
)

func TestMain(m *testing.M) { leak.Main(m) }

const patience = 20 * time.Second

// house is a whole daemon with its demo, on free ports.
type house struct {
	t     testing.TB
	url   string
	inbox string
	key   string // the admin's API key
	log   *lockedBuffer
	app   *app.App
	stop  func()

	client *http.Client
}

// onBoth runs a test on a daemon with each engine.
func onBoth(t *testing.T, test func(t *testing.T, h *house)) {
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			test(t, start(t, e))
		})
	}
}

func start(t testing.TB, e storetest.Engine) *house {
	t.Helper()
	return startAt(t, t.TempDir(), e.Fresh(t).Database)
}

// startAt starts a daemon on the data of an earlier one.
func startAt(t testing.TB, dir, database string) *house {
	t.Helper()
	return startBy(t, dir, database, time.Now, nil)
}

// startBy is startAt by a wall clock, with the configuration changed.
func startBy(t testing.TB, dir, database string, wall func() time.Time, change func(*config.Config)) *house {
	t.Helper()
	c, err := config.Load("", []string{
		"RINGDOWN_LISTEN=127.0.0.1:0", "RINGDOWN_ADMIN_LISTEN=127.0.0.1:0", "RINGDOWN_MEDIA_PORT=0", "RINGDOWN_DATA_DIR=" + dir,
		"RINGDOWN_DATABASE=" + database, "RINGDOWN_MEDIA_ADDRESSES=[127.0.0.1]",
	})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, log: &lockedBuffer{}, client: http.DefaultClient}
	if change != nil {
		change(&c)
	}
	h.app, err = app.NewBy(t.Context(), c, "test", slog.New(slog.NewJSONHandler(h.log, nil)), wall)
	if err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(c.DataDir, app.AdminKeyFile))
	if err != nil {
		t.Fatal(err)
	}
	h.url, h.inbox, h.key = h.app.Facts().URL, strings.TrimSuffix(h.app.Facts().Inbox, "/"), strings.TrimSpace(string(key))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.app.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the daemon stopped with %v", err)
			}
		case <-time.After(patience):
			t.Error("the daemon does not stop")
		}
		http.DefaultClient.CloseIdleConnections()
	})
	t.Cleanup(h.stop)
	leak.Calls(t, h.open)
	t.Cleanup(h.endAll)
	return h
}

// open is how many rooms and people the daemon holds, as its operator reads it;
// none once it has stopped.
func (h *house) open() (rooms, peers int) {
	res, err := http.Get("http://" + h.app.Facts().Admin + "/metrics")
	if err != nil {
		return 0, 0
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		_, _ = fmt.Sscanf(lines.Text(), "ringdown_media_rooms %d", &rooms)
		_, _ = fmt.Sscanf(lines.Text(), "ringdown_media_peers %d", &peers)
	}
	return rooms, peers
}

// endAll ends the calls that a test left open: their rooms have to follow.
func (h *house) endAll() {
	if rooms, _ := h.open(); rooms == 0 {
		return
	}
	list, _ := h.do("GET", "/v1/meetings?state=active", bearer(h.key), nil).get("meetings").([]any)
	for _, m := range list {
		if m, ok := m.(map[string]any); ok {
			h.do("POST", fmt.Sprintf("/v1/meetings/%s/end", m["id"]), bearer(h.key), nil)
		}
	}
}

// manyAddresses makes every request come from another loopback address, so that
// limits per address are not in the way.
func (h *house) manyAddresses() {
	var count atomic.Int64
	h.client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		n := count.Add(1)
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+n/250), byte(1+n%250))}}
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			return nil, err
		}
		return d.DialContext(ctx, network, "127.0.0.1:"+port)
	}}}
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

// answer is what came back.
type answer struct {
	status int
	header http.Header
	raw    []byte
}

// get returns the value at a dotted path of the JSON answer: "ring.taken_by".
func (a answer) get(path string) any {
	var v any
	_ = json.Unmarshal(a.raw, &v)
	for k := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	return v
}

func (a answer) text(path string) string { s, _ := a.get(path).(string); return s }

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.raw) }

// with sets request headers.
type with map[string]string

func bearer(token string) with { return with{"Authorization": "Bearer " + token} }

// do sends JSON (or a string as it is) to our API, or to an absolute address.
func (h *house) do(method, path string, headers with, body any) answer {
	h.t.Helper()
	url := path
	if strings.HasPrefix(path, "/") {
		url = h.url + path
	}
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			h.t.Fatal(err)
		}
		in = bytes.NewReader(j)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, url, in)
	if err != nil {
		h.t.Fatal(err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	res, err := h.client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, raw}
}

// must is do with the status that is expected.
func (h *house) must(status int, method, path string, headers with, body any) answer {
	h.t.Helper()
	a := h.do(method, path, headers, body)
	if a.status != status {
		h.t.Fatalf("%s %s: %s", method, path, a)
	}
	return a
}

// eventually waits until ok, looking often; the daemon's own clock runs.
func (h *house) eventually(what string, ok func() bool) {
	h.t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			h.t.Fatalf("never: %s", what)
		}
		<-tick.C
	}
}

// person is somebody with a redeemed link.
type person struct {
	h       *house
	token   string
	meeting string
}

// redeem opens a link as a page does.
func (h *house) redeem(link, device string) person {
	h.t.Helper()
	path, secret, ok := strings.Cut(link, "#")
	if !ok {
		h.t.Fatalf("%q is no link", link)
	}
	body := map[string]string{"id": path[strings.LastIndex(path, "/")+1:], "secret": secret}
	if device != "" {
		body["device"] = device
	}
	a := h.must(200, "POST", "/v1/links/redeem", nil, body)
	return person{h, a.text("token"), a.text("meeting.id")}
}

func (p person) do(method, act string, body any) answer {
	p.h.t.Helper()
	return p.h.do(method, "/v1/meetings/"+p.meeting+act, bearer(p.token), body)
}

func (p person) must(method, act string, body any) answer {
	p.h.t.Helper()
	a := p.do(method, act, body)
	if a.status >= 300 {
		p.h.t.Fatalf("%s %s: %s", method, act, a)
	}
	return a
}

// button makes a meeting as the demo shop's page does.
func (h *house) button(extra map[string]any) answer {
	h.t.Helper()
	body := map[string]any{
		"topic": "Onda lamp", "visitor": map[string]any{"name": "Anna Ferri", "phone": "+390212345678"}, "fields": map[string]any{"consent": "yes"},
	}
	maps.Copy(body, extra)
	return h.do("POST", "/v1/meetings", with{"Ringdown-Site": config.DemoSiteKey, "Origin": h.url}, body)
}

// desk is the emulated inbox as its page uses it.
type desk struct{ h *house }

func (d desk) do(method, path string, body any) answer {
	d.h.t.Helper()
	return d.h.do(method, d.h.inbox+path, with{"Origin": d.h.inbox}, body)
}

// messages are the texts of the only interaction, and its id.
func (d desk) messages() (id int, texts []string) {
	d.h.t.Helper()
	rows, _ := d.do("GET", "/api/openchannel/interactions", nil).get("rows").([]any)
	if len(rows) == 0 {
		return 0, nil
	}
	row, _ := rows[0].(map[string]any)
	n, _ := row["id"].(float64)
	list, _ := d.do("GET", fmt.Sprintf("/api/openchannel/interactions/%d/messages", int(n)), nil).get("rows").([]any)
	for _, m := range list {
		if m, ok := m.(map[string]any); ok {
			s, _ := m["body"].(string)
			texts = append(texts, s)
		}
	}
	return int(n), texts
}
