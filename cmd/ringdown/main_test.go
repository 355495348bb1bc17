package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ringdown/app"
	"ringdown/config"
	"ringdown/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// daemon is a running demo and the command line beside it.
type daemon struct {
	t    *testing.T
	url  string
	file string // with the admin key
}

func startDaemon(t *testing.T) daemon {
	t.Helper()
	c, err := config.Load("", []string{
		"RINGDOWN_LISTEN=127.0.0.1:0", "RINGDOWN_ADMIN_LISTEN=", "RINGDOWN_MEDIA_PORT=0", "RINGDOWN_DATA_DIR=" + t.TempDir(),
		"RINGDOWN_MEDIA_ADDRESSES=[127.0.0.1]",
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := app.New(t.Context(), c, "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
		if tr, ok := http.DefaultTransport.(*http.Transport); ok {
			tr.CloseIdleConnections()
		}
	})
	return daemon{t, a.Facts().URL, filepath.Join(c.DataDir, app.AdminKeyFile)}
}

// do runs a command and returns what it wrote, and its exit code.
func (d daemon) do(args ...string) (out, errs string, code int) {
	d.t.Helper()
	var o, e bytes.Buffer
	code = run(append(args, "--url", d.url, "--key-file", d.file), &o, &e, nil)
	return o.String(), e.String(), code
}

func (d daemon) must(args ...string) string {
	d.t.Helper()
	out, errs, code := d.do(args...)
	if code != 0 {
		d.t.Fatalf("%v: exit %d, %s", args, code, errs)
	}
	return out
}

func (d daemon) json(to any, args ...string) {
	d.t.Helper()
	if err := json.Unmarshal([]byte(d.must(append(args, "--json")...)), to); err != nil {
		d.t.Fatalf("%v: %v", args, err)
	}
}

// eventually looks until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(20 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

func contains(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q:\n%s", what, w, text)
		}
	}
}

func TestACallIsFollowedFromTheCommandLine(t *testing.T) {
	leak.Check(t)
	d := startDaemon(t)
	var made struct{ ID, Reference string }
	d.json(&made, "meeting", "create", "--topic", "Lamp", "--name", "Anna", "--ring", "now")
	var sent struct{ Deliveries []deliveryRow }
	eventually(t, "the ring is delivered", func() bool {
		d.json(&sent, "delivery", "list", "--state", "delivered", "--meeting", made.Reference)
		return len(sent.Deliveries) == 1
	})
	one := sent.Deliveries[0]
	contains(t, "the list", d.must("delivery", "list", "--since", "1h"), "xcally/demo", "ring.started", "delivered", one.ID)
	shown := d.must("delivery", "show", one.ID)
	contains(t, "the delivery", shown, one.ID, "ATTEMPT", "ok", "#***", "Anna")
	contains(t, "the meeting", d.must("meeting", "show", made.Reference), made.ID, "Topic: Lamp", "visitor", "Anna", "ring.started", "xcally/demo", one.ID)

	contains(t, "a retry", d.must("delivery", "retry", one.ID), one.ID)
	eventually(t, "it was sent again", func() bool {
		var r deliveryRow
		d.json(&r, "delivery", "show", one.ID)
		return r.Attempts == 2 && r.State == "delivered"
	})

	out, errs, code := d.do("delivery", "replay", "--since", "1h")
	if code == 0 || !strings.Contains(out, "would be sent again") || !strings.Contains(errs, "--yes") {
		t.Errorf("a replay without --yes: exit %d, %s, %s", code, out, errs)
	}
	contains(t, "a dry run", d.must("delivery", "replay", "--since", "1h", "--state", "failed", "--dry-run"), "would be sent again: 0")
	contains(t, "the end", d.must("meeting", "end", made.ID), "ended")
	contains(t, "watching an ended one", d.must("meeting", "watch", made.ID), "meeting.created", "meeting.ended")
	if out := d.must("meeting", "messages", made.ID); out != "" {
		t.Errorf("a chat without messages: %s", out)
	}
	eventually(t, "the end is delivered", func() bool {
		d.json(&sent, "delivery", "list", "--kind", "meeting.ended", "--state", "delivered")
		return len(sent.Deliveries) == 1
	})
	contains(t, "a replay", d.must("delivery", "replay", "--since", "1h", "--kind", "meeting.ended", "--yes"), "rpl_", "being sent again: 1")
	eventually(t, "the replay is done", func() bool {
		var r deliveryRow
		d.json(&r, "delivery", "show", sent.Deliveries[0].ID)
		return r.Attempts == 2 && r.Replayed && r.State == "delivered"
	})
	contains(t, "the ledger", d.must("delivery", "counts"), "PRODUCED", "xcally/demo")

	if _, errs, code := d.do("delivery", "show", "dlv_nothing"); code != 1 || !strings.Contains(errs, "not_found") {
		t.Errorf("an unknown delivery: exit %d, %s", code, errs)
	}
	if _, errs, code := d.do("delivery", "list", "--since", "yesterday"); code != 1 || !strings.Contains(errs, "neither") {
		t.Errorf("no time: exit %d, %s", code, errs)
	}
}

func TestTailTellsWhatComes(t *testing.T) {
	leak.Check(t)
	d := startDaemon(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	var all sync.WaitGroup
	tail := &deliveryTail{remote: remote{URL: d.url, KeyFile: d.file, JSON: true}, Lines: 10, Every: 20 * time.Millisecond}
	all.Go(func() {
		if err := tail.Run(&console{ctx: ctx, out: w}); err != nil {
			t.Error(err)
		}
		_ = w.Close()
	})
	d.must("meeting", "create", "--ring", "now")
	var got deliveryRow
	for dec := json.NewDecoder(r); got.State != "delivered"; {
		if err := dec.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.Kind != "ring.started" {
			t.Errorf("tail tells of %s", got.Kind)
		}
	}
	cancel()
	_, _ = io.Copy(io.Discard, r)
	all.Wait()
}

func TestKeysAreManagedFromTheCommandLine(t *testing.T) {
	leak.Check(t)
	d := startDaemon(t)
	var made struct{ ID, Key string }
	d.json(&made, "key", "create", "Shop server")
	contains(t, "the list", d.must("key", "list"), "Shop server", "integrator", made.ID)
	out, errs, code := d.do("key", "create", "Second", "--role", "admin")
	if code != 0 || !strings.HasPrefix(out, "rk_") || strings.Contains(errs, "rk_") || !strings.Contains(errs, "key_") {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	second := remote{URL: d.url, Key: made.Key}
	if _, err := second.call(&console{ctx: t.Context()}, http.MethodGet, "/v1/meetings", nil); err != nil {
		t.Error(err)
	}
	contains(t, "a revocation", d.must("key", "revoke", made.ID), made.ID, "revoked")
	if _, err := second.call(&console{ctx: t.Context()}, http.MethodGet, "/v1/meetings", nil); err == nil {
		t.Error("a revoked key works")
	}
}

func TestCheckWarnsOfRingsThatProveNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		section string
		warned  bool
	}{
		"no proof":             {"{origins: [https://xuc.example]}", true},
		"a secret":             {"{secret: secret-of-the-phones-1234}", false},
		"networks":             {"{origins: [https://xuc.example], networks: [10.0.0.0/8]}", false},
		"tokens":               {"{token: {policy: if-present, xuc: https://xuc.example}}", false},
		"an address of tokens": {"{token: {xuc: https://xuc.example}}", true},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "ringdown.yaml")
			if err := os.WriteFile(file, []byte("connectors:\n  thirdparty: "+tc.section+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			if code := run([]string{"check", "--config", file}, &out, &errs, nil); code != 0 {
				t.Fatalf("exit %d: %s", code, &errs)
			}
			const words = "connectors.thirdparty.secret: is not set, so every ring is untrusted"
			if got := strings.Contains(errs.String(), words); got != tc.warned {
				t.Errorf("warned: %t\n%s", got, &errs)
			}
			out.Reset()
			var said struct {
				OK       bool
				Warnings []string
			}
			if code := run([]string{"check", "--json", "--config", file}, &out, &errs, nil); code != 0 {
				t.Fatalf("exit %d", code)
			}
			if err := json.Unmarshal(out.Bytes(), &said); err != nil || !said.OK || said.Warnings == nil || (len(said.Warnings) == 1) != tc.warned {
				t.Errorf("%v %s", err, &out)
			}
		})
	}
}

// TestEveryCommandShowsAnExample walks the whole command line.
func TestEveryCommandShowsAnExample(t *testing.T) {
	for _, args := range []string{
		"serve", "check", "version", "emulate xcally", "meeting list", "meeting show", "meeting messages", "meeting watch", "meeting create", "meeting end",
		"delivery list", "delivery show", "delivery retry", "delivery replay", "delivery tail", "delivery counts", "key list", "key create", "key revoke",
	} {
		var out, errs bytes.Buffer
		if code := run(append(strings.Fields(args), "--help"), &out, &errs, nil); code != 0 {
			t.Errorf("%s --help: exit %d", args, code)
		}
		contains(t, args+" --help", out.String(), "Example:", "ringdown "+args, "--json")
	}
}
