package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"ringdown/internal/leak"
	"ringdown/secret"
)

func TestMain(m *testing.M) { leak.Main(m) }

const canary = "canary-7f3k2"

type config struct {
	Key   secret.Secret                   `json:"key" yaml:"key"`
	List  []secret.Secret                 `json:"list" yaml:"list"`
	ByKey map[secret.Secret]secret.Secret `json:"-" yaml:"-"`
}

func TestNothingShowsASecret(t *testing.T) {
	s := secret.Secret(canary)
	c := config{Key: s, List: []secret.Secret{s}, ByKey: map[secret.Secret]secret.Secret{s: s}}
	var out bytes.Buffer
	for _, verb := range []string{"%s", "%v", "%+v", "%#v", "%q", "%x", "%X", "%d", "%10s", "%T"} {
		fmt.Fprintf(&out, verb+" "+verb+" "+verb+"\n", s, c, &c)
	}
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).Info("m", "s", s, "c", c, "p", &c, "e", fmt.Errorf("with %v", s))
	}
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	y, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(y)
	if strings.Contains(out.String(), canary) || strings.Contains(out.String(), fmt.Sprintf("%x", canary)) {
		t.Errorf("it is in there:\n%s", &out)
	}
	if n := strings.Count(out.String(), "<secret>"); n < 20 {
		t.Errorf("the mask stands only %d times:\n%s", n, &out)
	}
}

func TestSecretIsReadLikeAString(t *testing.T) {
	var a, b config
	if err := yaml.Unmarshal([]byte("key: "+canary), &a); err != nil || a.Key.Reveal() != canary {
		t.Errorf("yaml: %q, %v", a.Key.Reveal(), err)
	}
	if err := json.Unmarshal([]byte(`{"key":"`+canary+`"}`), &b); err != nil || b.Key.Reveal() != canary {
		t.Errorf("json: %q, %v", b.Key.Reveal(), err)
	}
	if got := fmt.Sprint(secret.Secret("")); got != "" {
		t.Errorf("an absent secret prints as %q", got)
	}
}

func TestEqual(t *testing.T) {
	s := secret.Secret(canary)
	if !s.Equal(canary) || s.Equal(canary[1:]) || s.Equal("") || secret.Secret("").Equal("") {
		t.Error("wrong")
	}
}

func TestOr(t *testing.T) {
	full, empty := filepath.Join(t.TempDir(), "full"), filepath.Join(t.TempDir(), "empty")
	for name, text := range map[string]string{full: " " + canary + "\n", empty: "\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name        string
		itself      secret.Secret
		file, want  string
		wantErrWith string
	}{
		{"itself", canary, "", canary, ""},
		{"neither", "", "", "", ""},
		{"from a file", "", full, canary, ""},
		{"both", "x", full, "", "keep one"},
		{"empty file", "", empty, "", "is empty"},
		{"no file", "", full + "x", "", "no such file"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.itself.Or(tc.file)
			if got.Reveal() != tc.want || (err == nil) != (tc.wantErrWith == "") || err != nil && !strings.Contains(err.Error(), tc.wantErrWith) {
				t.Errorf("got %q, %v", got.Reveal(), err)
			}
		})
	}
}
