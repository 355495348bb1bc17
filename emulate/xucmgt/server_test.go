package xucmgt_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"ringdown/emulate/xucmgt"
	"ringdown/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func start(t *testing.T) string {
	t.Helper()
	s, err := xucmgt.New(xucmgt.Config{Listen: "127.0.0.1:0", URL: "http://localhost:1/thirdparty/xucmgt"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s.URL()
}

func ask(t *testing.T, method, url, token, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	_ = json.Unmarshal(raw, &v)
	return res.StatusCode, v
}

// flipped is the token with another first character of its signature.
func flipped(token string) string {
	i := strings.LastIndexByte(token, '.') + 1
	other := "A"
	if token[i] == 'A' {
		other = "B"
	}
	return token[:i] + other + token[i+1:]
}

func TestXUCKnowsItsTokens(t *testing.T) {
	leak.Check(t)
	url := start(t)
	login := func(query string) string {
		status, v := ask(t, "POST", url+"/xuc/api/2.0/auth/login"+query, "", `{"login":"abyron","password":"x"}`)
		if status != http.StatusOK || v["login"] != "abyron" || v["TTL"] != 3600.0 {
			t.Fatal(status, v)
		}
		return v["token"].(string)
	}
	good := login("")
	if status, v := ask(t, "GET", url+"/xuc/api/2.0/auth/check", good, ""); status != http.StatusOK || v["login"] != "abyron" || v["token"] == "" {
		t.Error(status, v)
	}
	for name, token := range map[string]string{"none": "", "flipped": flipped(good), "not ours": "a.b.c", "expired": login("?expired")} {
		if status, v := ask(t, "GET", url+"/xuc/api/2.0/auth/check", token, ""); status == http.StatusOK || v["error"] == nil {
			t.Errorf("%s: %d %v", name, status, v)
		}
	}
	if status, v := ask(t, "POST", url+"/xuc/api/2.0/auth/login", "", `{`); status != http.StatusBadRequest || v["error"] != "InvalidJson" {
		t.Error(status, v)
	}
}

func TestThePageIsThere(t *testing.T) {
	leak.Check(t)
	url := start(t)
	for _, path := range []string{"/", "/app.js", "/main.js", "/app.css"} {
		if status, _ := ask(t, "GET", url+path, "", ""); status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
	}
	if _, v := ask(t, "GET", url+"/config", "", ""); v["url"] != "http://localhost:1/thirdparty/xucmgt" {
		t.Error(v)
	}
}

func TestConfigNamesTheFault(t *testing.T) {
	leak.Check(t)
	for _, c := range []struct {
		cfg  xucmgt.Config
		want string
	}{
		{xucmgt.Config{Listen: "0.0.0.0:1"}, "listen must be a loopback address"}, {xucmgt.Config{Listen: "x"}, "listen"}, {xucmgt.Config{Listen: "127.0.0.1:0", URL: "/thirdparty"}, "url must be"},
	} {
		if _, err := xucmgt.New(c.cfg, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
}
