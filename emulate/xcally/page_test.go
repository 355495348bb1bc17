package xcally_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"ringdown/emulate/xcally"
)

var hole = regexp.MustCompile(`\{\w+\}`)

// catalogue reads one language as key → every form of its sentence.
func catalogue(t *testing.T, lang string) map[string][]string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("page", "text", lang+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var sentences map[string]any
	if err := json.Unmarshal(raw, &sentences); err != nil {
		t.Fatalf("%s: %v", lang, err)
	}
	out := map[string][]string{}
	for key, s := range sentences {
		switch s := s.(type) {
		case string:
			out[key] = []string{s}
		case map[string]any:
			for _, form := range []string{"one", "other"} {
				text, _ := s[form].(string)
				out[key] = append(out[key], text)
			}
		}
	}
	return out
}

// holes are the placeholders of the last form, which is the one for many.
func holes(forms []string) []string {
	found := hole.FindAllString(forms[len(forms)-1], -1)
	slices.Sort(found)
	return slices.Compact(found)
}

func TestEveryLanguageIsComplete(t *testing.T) {
	english := catalogue(t, "en")
	for _, lang := range []string{"fr", "it"} {
		other := catalogue(t, lang)
		for key, forms := range english {
			if len(other[key]) != len(forms) {
				t.Errorf("%s: %q has %d forms, want %d", lang, key, len(other[key]), len(forms))
				continue
			}
			if !slices.Equal(holes(forms), holes(other[key])) {
				t.Errorf("%s: %q has %v, want %v", lang, key, holes(other[key]), holes(forms))
			}
			if slices.Contains(other[key], "") {
				t.Errorf("%s: %q is empty", lang, key)
			}
		}
		for key := range other {
			if _, ok := english[key]; !ok {
				t.Errorf("%s: %q is in no other language", lang, key)
			}
		}
	}
}

func TestEverySentenceIsUsed(t *testing.T) {
	files, err := filepath.Glob("page/*.ts")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var sources strings.Builder
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(raw)
	}
	// t(`place_${place}`) uses every key that begins with place_.
	var prefixes []string
	for _, m := range regexp.MustCompile("`(\\w+_)\\$\\{").FindAllStringSubmatch(sources.String(), -1) {
		prefixes = append(prefixes, m[1])
	}
	for key := range catalogue(t, "en") {
		begins := func(prefix string) bool { return strings.HasPrefix(key, prefix) }
		if !strings.Contains(sources.String(), "'"+key+"'") && !slices.ContainsFunc(prefixes, begins) {
			t.Errorf("%q is used nowhere", key)
		}
	}
}

func TestPage(t *testing.T) {
	m := start(t, xcally.Config{})
	page := m.do("GET", "/", nil)
	policy := page.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy is %q", policy)
		}
	}
	if page.status == 501 {
		if !strings.Contains(page.raw, "built without its inbox page") {
			t.Errorf("without pages: %q", page.raw)
		}
		return
	}
	if page.status != 200 || !strings.HasPrefix(page.header.Get("Content-Type"), "text/html") {
		t.Fatalf("got %d %v", page.status, page.header)
	}
	assets := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.raw, -1)
	if len(assets) < 3 {
		t.Errorf("the page names %v", assets)
	}
	for _, asset := range assets {
		if !strings.HasPrefix(asset[1], "/static/") {
			t.Errorf("%s is not ours", asset[1])
			continue
		}
		a := m.do("GET", asset[1], nil)
		kind := map[string]string{".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[filepath.Ext(strings.SplitN(asset[1], "?", 2)[0])]
		if a.status != 200 || kind == "" || !strings.HasPrefix(a.header.Get("Content-Type"), kind) || !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d %v", asset[1], a.status, a.header)
		}
	}
}

func TestThePageHasNothingInline(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("page", "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`<script[^>]*>`).FindAllString(string(raw), -1) {
		if !strings.Contains(m, "src=") {
			t.Errorf("inline script %s", m)
		}
	}
	if regexp.MustCompile(`<style|\sstyle=|\son\w+=|https?://`).Match(raw) {
		t.Error("the page has inline styles, handlers or foreign addresses")
	}
}
