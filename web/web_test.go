package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"ringdown/httpd"
	"ringdown/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// frames lets one shop frame the meetings whose code begins with SHOP.
type frames struct{}

func (frames) FrameAncestors(_ context.Context, code string) []string {
	if strings.HasPrefix(code, "SHOP") {
		return []string{"https://shop.example", "https://www.shop.example"}
	}
	return nil
}

// nobody is for routes that ask no one: being asked is the failure.
type nobody struct{}

func (nobody) Authorize(*http.Request, httpd.Who) (httpd.Principal, error) {
	return httpd.Principal{}, errors.New("a page asked who calls")
}

var long = strings.Repeat("/* a line that compresses well */\n", 50)

func built() fstest.MapFS {
	dist := fstest.MapFS{
		".gitkeep":    {},
		"look.css":    {Data: []byte(long)},
		"favicon.svg": {Data: []byte("<svg/>")},
		"button.js":   {Data: []byte(long + "button")},
		"visit.js":    {Data: []byte(long + "visit")},
	}
	for _, name := range []string{"index", "home", "shop", "docs", "call", "visit", "agent"} {
		dist[name+".html"] = &fstest.MapFile{Data: []byte("<!doctype html><title>" + name + "</title>")}
	}
	return dist
}

func serve(t *testing.T, config Config, dist fs.FS) http.Handler {
	t.Helper()
	if config.PublicURL == "" {
		config.PublicURL = "http://localhost:8080"
	}
	pages, err := newPages(config, frames{}, dist)
	if err != nil {
		t.Fatal(err)
	}
	site, err := httpd.NewSite(httpd.Deps{
		Authorizer: nobody{}, Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Now: time.Now,
	}, httpd.Surface{Name: "own", Routes: pages.Routes()})
	if err != nil {
		t.Fatal(err)
	}
	return site
}

func ask(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host = "localhost:8080"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// policy splits a Content-Security-Policy into directive → sources.
func policy(t *testing.T, w *httptest.ResponseRecorder) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for directive := range strings.SplitSeq(w.Header().Get("Content-Security-Policy"), ";") {
		words := strings.Fields(directive)
		if len(words) == 0 {
			t.Fatalf("the policy has an empty directive: %q", w.Header().Get("Content-Security-Policy"))
		}
		all[words[0]] = words[1:]
	}
	return all
}

func demo() Demo {
	return Demo{Version: "test", Shop: "/demo/shop", Inbox: "http://localhost:1/", Pages: "http://localhost:8080"}
}

func TestPages(t *testing.T) {
	h := serve(t, Config{Demo: demo, Connect: []string{"wss://node2.example"}}, built())
	for _, tc := range []struct{ path, title string }{
		{"/", "index"},
		{"/m/SHOP1", "visit"},
		{"/m/unknown", "visit"},
		{"/ring/inv_1", "agent"},
		{"/room/inv_1", "agent"},
		{"/call/pk_demo_shop", "call"},
		{"/docs/", "docs"},
		{"/demo/shop", "shop"},
	} {
		t.Run(tc.path, func(t *testing.T) {
			w := ask(h, http.MethodGet, tc.path)
			if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<title>"+tc.title+"</title>") {
				t.Fatalf("got %d %q, want the shell %s", w.Code, w.Body, tc.title)
			}
			for name, want := range map[string]string{
				"Content-Type":           "text/html; charset=utf-8",
				"Cache-Control":          "no-cache",
				"X-Content-Type-Options": "nosniff",
				"Referrer-Policy":        "no-referrer",
			} {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			csp := policy(t, w)
			for directive, want := range map[string][]string{
				"default-src": {"'none'"},
				"script-src":  {"'self'"},
				"style-src":   {"'self'"},
				"img-src":     {"'self'", "data:", "blob:"},
				"connect-src": {"'self'", "ws://localhost:8080", "wss://node2.example"},
				"base-uri":    {"'none'"},
			} {
				if !slices.Equal(csp[directive], want) {
					t.Errorf("%s is %q, want %q", directive, csp[directive], want)
				}
			}
			if !slices.Contains(csp["media-src"], "blob:") {
				t.Errorf("media-src is %q and has no blob:", csp["media-src"])
			}
			framers := []string{"'none'"}
			if tc.path == "/m/SHOP1" {
				framers = []string{"https://shop.example", "https://www.shop.example"}
			}
			if !slices.Equal(csp["frame-ancestors"], framers) {
				t.Errorf("frame-ancestors is %q, want %q", csp["frame-ancestors"], framers)
			}
			if got := w.Header().Get("Permissions-Policy"); !strings.Contains(got, "camera=(self), microphone=(self)") {
				t.Errorf("Permissions-Policy is %q", got)
			}
			if got := w.Header().Get("Strict-Transport-Security"); got != "" {
				t.Errorf("an http address promises https: %q", got)
			}

			head := ask(h, http.MethodHead, tc.path)
			if head.Code != http.StatusOK || head.Body.Len() != 0 || head.Header().Get("ETag") != w.Header().Get("ETag") {
				t.Errorf("HEAD gives %d, %d bytes, ETag %q", head.Code, head.Body.Len(), head.Header().Get("ETag"))
			}
		})
	}
}

func TestDemo_is_not_there_outside_the_demo(t *testing.T) {
	h := serve(t, Config{}, built())
	if w := ask(h, http.MethodGet, "/"); !strings.Contains(w.Body.String(), "<title>home</title>") {
		t.Errorf("/ gives %q, want the plain start page", w.Body)
	}
	for _, path := range []string{"/demo/shop", "/demo/state"} {
		if w := ask(h, http.MethodGet, path); w.Code != http.StatusNotFound {
			t.Errorf("%s gives %d, want 404", path, w.Code)
		}
	}
}

func TestDemo_state(t *testing.T) {
	h := serve(t, Config{Demo: demo}, built())
	w := ask(h, http.MethodGet, "/demo/state")
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got["shop"] != "/demo/shop" || got["inbox"] != "http://localhost:1/" || got["version"] != "test" {
		t.Errorf("got %v", got)
	}
	if media, ok := got["media"].([]any); !ok || len(media) != 0 {
		t.Errorf("media is %v, want an empty list", got["media"])
	}
	if cache := w.Header().Get("Cache-Control"); cache != "no-store" {
		t.Errorf("Cache-Control is %q", cache)
	}
}

func TestButton_may_be_loaded_by_any_page(t *testing.T) {
	w := ask(serve(t, Config{}, built()), http.MethodGet, "/button.js", "Origin", "https://shop.example")
	for name, want := range map[string]string{
		"Content-Type":                 "text/javascript; charset=utf-8",
		"Access-Control-Allow-Origin":  "*",
		"Cross-Origin-Resource-Policy": "cross-origin",
		"Cache-Control":                "public, max-age=300",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if w.Code != http.StatusOK || w.Header().Get("ETag") == "" {
		t.Errorf("got %d with ETag %q", w.Code, w.Header().Get("ETag"))
	}
}

func TestHTTPS_is_remembered(t *testing.T) {
	h := serve(t, Config{PublicURL: "https://calls.example"}, built())
	for _, path := range []string{"/", "/m/SHOP1", "/static/look.css", "/button.js"} {
		if got := ask(h, http.MethodGet, path).Header().Get("Strict-Transport-Security"); got != "max-age=31536000" {
			t.Errorf("%s: Strict-Transport-Security is %q", path, got)
		}
	}
	if got := policy(t, ask(h, http.MethodGet, "/"))["connect-src"]; !slices.Equal(got, []string{"'self'", "wss://calls.example"}) {
		t.Errorf("connect-src is %q", got)
	}
}

func TestStatic(t *testing.T) {
	h := serve(t, Config{}, built())

	t.Run("asks again each time without the hash", func(t *testing.T) {
		w := ask(h, http.MethodGet, "/static/look.css?v=old")
		if got := w.Header().Get("Cache-Control"); got != "no-cache" {
			t.Errorf("Cache-Control is %q", got)
		}
	})
	t.Run("is kept for good with the hash", func(t *testing.T) {
		hash := strings.Trim(ask(h, http.MethodGet, "/static/look.css").Header().Get("ETag"), `"`)
		w := ask(h, http.MethodGet, "/static/look.css?v="+hash)
		if got := w.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
			t.Errorf("Cache-Control is %q", got)
		}
	})
	t.Run("is not sent twice", func(t *testing.T) {
		tag := ask(h, http.MethodGet, "/static/look.css").Header().Get("ETag")
		w := ask(h, http.MethodGet, "/static/look.css", "If-None-Match", tag)
		if w.Code != http.StatusNotModified || w.Body.Len() != 0 {
			t.Errorf("got %d with %d bytes, want 304", w.Code, w.Body.Len())
		}
	})
	t.Run("is compressed for who takes it", func(t *testing.T) {
		plain := ask(h, http.MethodGet, "/static/look.css", "Accept-Encoding", "br, gzip;q=0")
		packed := ask(h, http.MethodGet, "/static/look.css", "Accept-Encoding", "br, gzip")
		if plain.Header().Get("Content-Encoding") != "" || packed.Header().Get("Content-Encoding") != "gzip" {
			t.Fatalf("codings are %q and %q", plain.Header().Get("Content-Encoding"), packed.Header().Get("Content-Encoding"))
		}
		if plain.Header().Get("ETag") == packed.Header().Get("ETag") {
			t.Error("both forms have one ETag")
		}
		if got := packed.Header().Get("Vary"); got != "Accept-Encoding" {
			t.Errorf("Vary is %q", got)
		}
		r, err := gzip.NewReader(packed.Body)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != long || plain.Body.String() != long {
			t.Errorf("the content differs (%v)", err)
		}
	})
	t.Run("has no shells and nothing outside", func(t *testing.T) {
		for _, path := range []string{"/static/index.html", "/static/.gitkeep", "/static/", "/static/..%2fweb.go", "/static/none.js"} {
			if w := ask(h, http.MethodGet, path); w.Code != http.StatusNotFound {
				t.Errorf("%s gives %d, want 404", path, w.Code)
			}
		}
	})
}

func TestWithout_pages_the_binary_says_so(t *testing.T) {
	h := serve(t, Config{Demo: demo}, fstest.MapFS{".gitkeep": {}})
	for _, path := range []string{"/", "/m/SHOP1", "/docs/", "/button.js"} {
		w := ask(h, http.MethodGet, path)
		if w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), "go generate ./web") {
			t.Errorf("%s gives %d %q", path, w.Code, w.Body)
		}
		if got := w.Header().Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control is %q", path, got)
		}
	}
}

func TestNew_refuses(t *testing.T) {
	if _, err := New(Config{PublicURL: "calls.example"}, frames{}); err == nil {
		t.Error("took an address without a scheme")
	}
	if _, err := New(Config{PublicURL: "https://calls.example"}, nil); err == nil {
		t.Error("took no Frames")
	}
	if _, err := newPages(Config{PublicURL: "https://calls.example"}, frames{}, fstest.MapFS{"a.exe": {}}); err == nil {
		t.Error("took a file of no known type")
	}
}

// TestEmbedded asks for every file this binary holds.
func TestEmbedded(t *testing.T) {
	dist, err := fs.Sub(embedded, "dist")
	if err != nil {
		t.Fatal(err)
	}
	h := serve(t, Config{Demo: demo}, dist)
	seen := 0
	err = fs.WalkDir(dist, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == ".gitkeep" {
			return err
		}
		seen++
		content, err := fs.ReadFile(dist, name)
		if err != nil {
			return err
		}
		if path.Ext(name) == ".html" {
			checkShell(t, h, name, content)
			return nil
		}
		w := ask(h, http.MethodGet, "/static/"+name)
		if w.Code != http.StatusOK || !bytes.Equal(w.Body.Bytes(), content) {
			t.Errorf("%s: got %d and %d bytes of %d", name, w.Code, w.Body.Len(), len(content))
		}
		if got := w.Header().Get("Content-Type"); got != contentType(name) {
			t.Errorf("%s: Content-Type is %q", name, got)
		}
		for header, want := range map[string]string{"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Skip("built without pages: go generate ./web")
	}
}

// checkShell looks for what the pages' policy would block, and for files that
// are not there.
func checkShell(t *testing.T, h http.Handler, name string, shell []byte) {
	t.Helper()
	text := string(shell)
	for _, never := range []string{"<style", " style=", "javascript:", " onclick=", " onload="} {
		if strings.Contains(text, never) {
			t.Errorf("%s has %q, which the policy of pages blocks", name, never)
		}
	}
	for _, tag := range []string{"<script", "<link"} {
		for rest := text; ; {
			_, after, found := strings.Cut(rest, tag)
			if !found {
				break
			}
			rest = after
			head, _, _ := strings.Cut(after, ">")
			address := ""
			for _, attribute := range []string{`src="`, `href="`} {
				if _, value, ok := strings.Cut(head, attribute); ok {
					address, _, _ = strings.Cut(value, `"`)
				}
			}
			if !strings.HasPrefix(address, "/static/") && address != "/button.js" {
				t.Errorf("%s: %s loads %q, which is none of ours", name, tag, address)
				continue
			}
			w := ask(h, http.MethodGet, address)
			if w.Code != http.StatusOK {
				t.Errorf("%s: %s gives %d", name, address, w.Code)
			}
			if strings.Contains(address, "?v=") && !strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
				t.Errorf("%s: %s is not the hash of the file", name, address)
			}
		}
	}
}

// The demo is at home under one name; by another it leads there.
func TestDemoLeadsHome(t *testing.T) {
	h := serve(t, Config{Demo: func() Demo { return Demo{} }}, built())
	r := httptest.NewRequest(http.MethodGet, "/demo/shop?lang=fr", nil)
	r.Host = "127.0.0.1:8080"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusTemporaryRedirect || w.Header().Get("Location") != "http://localhost:8080/demo/shop?lang=fr" {
		t.Fatalf("%d to %q", w.Code, w.Header().Get("Location"))
	}
}
