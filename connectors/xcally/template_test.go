package xcally

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func sample() map[string]any {
	return map[string]any{
		"id": "mtg_1", "round": 2, "yes": true, "price": json.Number("1.50"), "none": nil,
		"visitor":  map[string]any{"name": `Mina "Mi" <b>&`, "lines": "a\r\nb\x07"},
		"metadata": map[string]string{"long": "9.19", "": "empty", "data": "inside", "trap": "<$data.id$>"},
		"list":     []any{"zero", map[string]any{"k": "v"}},
	}
}

func TestTemplates(t *testing.T) {
	for _, tc := range []struct {
		template string
		want     any
	}{
		{"", ""},
		{"plain", "plain"},
		{"<$data.id$>", "mtg_1"},
		{"<$ data.metadata.long $>", "9.19"},
		{"a <$data.id$> b <$data.round$>", "a mtg_1 b 2"},
		{"<$data.id$><$data.id$>", "mtg_1mtg_1"},
		{"<$data.round$>", 2},
		{"<$data.yes$>", true},
		{"<$data.price$>", json.Number("1.50")},
		{" <$data.yes$>", " true"},
		{"<$data.nowhere$>", ""},
		{"<$data.id.deeper$>", ""},
		{"<$data.none$>", ""},
		{"<$data.metadata.nowhere$>", ""},
		{"<$data.metadata.data$>", "inside"},
		{"<$data.list[0]$>", "zero"},
		{"<$data.list.1.k$>", "v"},
		{"<$data.list[7]$>", ""},
		{"<$data.list[-1]$>", ""},
		{"<$data.list[1]$>", `{"k":"v"}`},
		{"<$data.visitor.name$>", `Mina "Mi" <b>&`},
		{"<$data.visitor.lines$>", "a b"},
		{"<$data.metadata.trap$>", "<$data.id$>"}, // values are not templates
		{"$> <data.id>", "$> <data.id>"},
	} {
		t.Run(tc.template, func(t *testing.T) {
			p, err := parseTemplate(tc.template)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.render(sample()); got != tc.want {
				t.Errorf("got %#v, want %#v", got, tc.want)
			}
		})
	}
	for _, bad := range []string{"<$", "<$data.id", "<$$>", "<$data$>", "<$.$>", "<$meta.id$>", "a <$data.id$> <$ b"} {
		if _, err := parseTemplate(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestLengths(t *testing.T) {
	for s, want := range map[int]string{0: "0 s", 59: "59 s", 60: "1 min 0 s", 252: "4 min 12 s", 3600: "1 h 0 min", 7384: "2 h 3 min"} {
		if got := length(time.Duration(s) * time.Second); got != want {
			t.Errorf("%d s is %q", s, got)
		}
	}
}

func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{"<$data.id$>", "a <$data.list[0]$> b", "<$data.metadata.$>", "<$", "<$data..id$>", "\xff<$data.\xff$>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parseTemplate(s)
		if err != nil {
			return
		}
		data := sample()
		got := p.text(data)
		if len(p) <= 1 && !strings.Contains(s, opens) && got != s {
			t.Errorf("%q became %q", s, got)
		}
		if utf8.ValidString(s) && !utf8.ValidString(got) {
			t.Errorf("%q became invalid", s)
		}
		if _, err := json.Marshal(p.render(data)); err != nil {
			t.Errorf("%q cannot be sent: %v", s, err)
		}
	})
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"a\r\nb", "\x00", "\u202eabc", "é\xff", strings.Repeat("é ", 30)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if clean(got) != got || !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\r\x1b\u202e") {
			t.Errorf("%q became %q", s, got)
		}
		joined := ""
		for _, p := range parts(got, 16) {
			if len(p) > 16 || !utf8.ValidString(p) {
				t.Errorf("part %q of %q", p, got)
			}
			joined += p
		}
		strip := func(s string) string { return strings.NewReplacer(" ", "", "\n", "").Replace(s) }
		if strings.Join(strings.Fields(joined), "") != strings.Join(strings.Fields(got), "") && strip(joined) != strip(got) {
			t.Errorf("%q lost something: %q", got, joined)
		}
	})
}
