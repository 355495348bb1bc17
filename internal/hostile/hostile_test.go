package hostile_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ringdown/internal/hostile"
	"ringdown/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func start(t *testing.T, o hostile.Options) (*hostile.Receiver, *http.Client) {
	t.Helper()
	r, err := hostile.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	t.Cleanup(func() { tr.CloseIdleConnections(); r.Close() })
	return r, &http.Client{
		Transport: tr, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

const body = `{"type":"meeting.ended","data":{"id":"evt_7","seq":7,"meeting":{"id":"mtg_1"}}}`

func post(ctx context.Context, c *http.Client, url string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("webhook-id", "dlv_1")
	req.Header.Set("webhook-timestamp", "1614265330")
	req.Header.Set("webhook-signature", "v1,x")
	return c.Do(req)
}

func TestEveryBehaviour(t *testing.T) {
	leak.Check(t)
	r, c := start(t, hostile.Options{})
	for _, tc := range []struct {
		name   string
		b      hostile.Behaviour
		status int // as the sender and the ledger see it
		header string
		value  string
		read   string // what goes wrong while the body is read
	}{
		{name: "nothing said", status: 204},
		{name: "status", b: hostile.Status(500), status: 500},
		{name: "gone", b: hostile.Status(410), status: 410},
		{name: "redirect", b: hostile.Redirect("http://elsewhere.example/"), status: 302, header: "Location", value: "http://elsewhere.example/"},
		{name: "too many", b: hostile.TooMany("120"), status: 429, header: "Retry-After", value: "120"},
		{name: "unavailable", b: hostile.Unavailable("soon"), status: 503, header: "Retry-After", value: "soon"},
		{name: "late", b: hostile.Status(202).After(time.Millisecond), status: 202},
		{name: "cut", b: hostile.Cut(), status: 200, read: "unexpected EOF"},
		{name: "drip", b: hostile.Drip(), status: 200, read: "context canceled"},
		{name: "huge", b: hostile.Huge(), status: 200, read: "context canceled"},
		{name: "reset", b: hostile.Reset()},
		{name: "nonsense", b: hostile.Nonsense()},
		{name: "hang", b: hostile.Hang()},
		{name: "hang after a while", b: hostile.Status(200).After(time.Hour), status: 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r.Set("/here", tc.b)
			before := len(r.Ledger())
			if strings.HasPrefix(tc.name, "hang") { // gone once it has arrived
				go func() {
					_, _ = r.Wait(ctx, func(all []hostile.Entry) bool { return len(all) > before })
					cancel()
				}()
			}
			resp, err := post(ctx, c, r.URL()+"/here")
			all := r.Ledger()
			if len(all) != before+1 || all[before].Status != tc.status {
				t.Fatalf("the ledger has %+v", all[before:])
			}
			switch {
			case strings.HasPrefix(tc.name, "hang"):
				if !errors.Is(err, context.Canceled) {
					t.Errorf("it answered: %v", err)
				}
				return
			case tc.status == 0:
				if err == nil {
					t.Errorf("it answered %d", resp.StatusCode)
				}
				if tc.name == "reset" && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("no reset: %v", err)
				}
				return
			case err != nil:
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != tc.status || resp.Header.Get(tc.header) != tc.value {
				t.Errorf("got %d, %v", resp.StatusCode, resp.Header)
			}
			if tc.read == "context canceled" { // it does not end by itself
				if _, err := io.ReadFull(resp.Body, make([]byte, 3)); err != nil {
					t.Error(err)
				}
				cancel()
			}
			if _, err := io.Copy(io.Discard, resp.Body); fmt.Sprint(err) != tc.read && (err != nil || tc.read != "") {
				t.Errorf("the body ends with %v", err)
			}
		})
	}
}

func TestItBehavesByPathAndForATime(t *testing.T) {
	leak.Check(t)
	r, c := start(t, hostile.Options{})
	r.Set("", hostile.Status(200))
	r.Set("/a", hostile.Status(500).Times(2))
	var got []int
	for _, path := range []string{"/a", "/b", "/a", "/a", "/b"} {
		resp, err := post(t.Context(), c, r.URL()+path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		got = append(got, resp.StatusCode)
	}
	if fmt.Sprint(got) != "[500 200 500 204 200]" {
		t.Errorf("got %v", got)
	}
}

func TestTheLedgerNamesWhatCame(t *testing.T) {
	leak.Check(t)
	r, c := start(t, hostile.Options{Keep: true})
	resp, err := post(t.Context(), c, r.URL()+"/hook?token=1")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	e := r.Ledger()[0]
	if e.N != 1 || e.Method != "POST" || e.Path != "/hook" || e.ID != "dlv_1" || e.Timestamp != "1614265330" || e.Signature != "v1,x" ||
		e.Event != "evt_7" || e.Meeting != "mtg_1" || e.Seq != 7 || e.Status != 204 || time.Since(e.At) > time.Minute || len(e.Hash) != 64 ||
		string(e.Body) != body || e.Header.Get("Webhook-Id") != "dlv_1" {
		t.Errorf("got %+v", e)
	}
}

func TestTheLedgerMissesNobody(t *testing.T) {
	leak.Check(t)
	r, c := start(t, hostile.Options{})
	const n = 200
	var senders sync.WaitGroup
	for range n {
		senders.Go(func() {
			if resp, err := post(t.Context(), c, r.URL()+"/"); err != nil {
				t.Error(err)
			} else {
				resp.Body.Close()
			}
		})
	}
	all, err := r.Wait(t.Context(), func(all []hostile.Entry) bool { return len(all) >= n })
	senders.Wait()
	if err != nil || len(all) != n || all[n-1].N != n || r.Connections() == 0 {
		t.Errorf("%d entries, %d connections, %v", len(all), r.Connections(), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if all, err := r.Wait(ctx, func([]hostile.Entry) bool { return false }); len(all) != n || !errors.Is(err, context.Canceled) {
		t.Errorf("%d entries, %v", len(all), err)
	}
}

func TestDownAndUpAgain(t *testing.T) {
	leak.Check(t)
	r, c := start(t, hostile.Options{})
	at := r.URL()
	if resp, err := post(t.Context(), c, at); err != nil {
		t.Fatal(err)
	} else {
		resp.Body.Close()
	}
	r.Down()
	c.CloseIdleConnections() // the next one is a new one
	if _, err := post(t.Context(), c, at); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("down, it says %v", err)
	}
	if err := r.Up(); err != nil {
		t.Fatal(err)
	}
	resp, err := post(t.Context(), c, at)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := len(r.Ledger()); got != 2 || r.URL() != at {
		t.Errorf("%d entries at %s", got, r.URL())
	}
}

func TestNobodyTrustsItsCertificate(t *testing.T) {
	leak.Check(t)
	r, c := start(t, hostile.Options{})
	_, err := post(t.Context(), c, r.BadTLSURL())
	if err == nil || !strings.Contains(err.Error(), "certificate") || r.Connections() == 0 || len(r.Ledger()) != 0 {
		t.Errorf("got %v, %d requests", err, len(r.Ledger()))
	}
}
