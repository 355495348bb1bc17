package httpd

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"ringdown/fault"
)

func TestConfig(t *testing.T) {
	if err := DefaultConfig().Validate(); err != nil {
		t.Errorf("the defaults are wrong: %v", err)
	}
	for _, tc := range []struct{ name, yaml, want string }{
		{"free port", "listen: 127.0.0.1:0\nadmin_listen: 127.0.0.1:0", ""},
		{"no admin", `admin_listen: ""`, ""},
		{"all set", "tls: {mode: files, cert_file: a, key_file: b}\ntrusted_proxies: [10.0.0.0/8, '::1']\ndrain_timeout: 3s", ""},
		{"no port", "listen: 127.0.0.1", "listen: "},
		{"bad port", "listen: 127.0.0.1:http9", "listen: "},
		{"same address", "admin_listen: 127.0.0.1:8080", "admin_listen: must differ"},
		{"no scheme", "public_url: video.example.com", "public_url: "},
		{"a path", "public_url: https://video.example.com/video", "public_url: "},
		{"files without files", "tls: {mode: files}", "tls.key_file: is needed"},
		{"files without mode", "tls: {cert_file: a}", "tls.mode: must be files"},
		{"unknown mode", "tls: {mode: magic}", `not "magic"`},
		{"bad proxy", "trusted_proxies: [proxy.local]", "trusted_proxies[0]: "},
		{"no time to drain", "drain_timeout: 0s", "drain_timeout: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := DefaultConfig()
			if err := yaml.UnmarshalWithOptions([]byte(tc.yaml), &c, yaml.Strict()); err != nil {
				t.Fatal(err)
			}
			err := c.Validate()
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// TestErrorsDocument holds the codes of fault, the table in kindOf and
// docs/errors.md together.
func TestErrorsDocument(t *testing.T) {
	doc, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string][2]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (\\d+) \\| ([^|]+) \\| [^|]+ \\|$").FindAllStringSubmatch(string(doc), -1) {
		if _, twice := lines[m[1]]; twice {
			t.Errorf("docs/errors.md has %s twice", m[1])
		}
		lines[m[1]] = [2]string{m[2], m[3]}
	}
	codes := codesOfFault(t)
	dull := kindOf(fault.Internal)
	for _, code := range codes {
		k := kindOf(fault.Code(code))
		if code != string(fault.Internal) && k == dull {
			t.Errorf("kindOf does not know %s", code)
		}
		if want := [2]string{strconv.Itoa(k.status), k.title}; lines[code] != want {
			t.Errorf("docs/errors.md says %q of %s, the table %q", lines[code], code, want)
		}
		delete(lines, code)
	}
	for code := range lines {
		t.Errorf("docs/errors.md has %s, which is no code", code)
	}
	if len(codes) < 20 {
		t.Errorf("only %d codes were found", len(codes))
	}
}

func codesOfFault(t *testing.T) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "../fault/fault.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); ok && id.Name == "Code" {
			for _, v := range spec.Values {
				if lit, ok := v.(*ast.BasicLit); ok {
					code, err := strconv.Unquote(lit.Value)
					if err != nil {
						t.Fatal(err)
					}
					codes = append(codes, code)
				}
			}
		}
		return true
	})
	return codes
}
