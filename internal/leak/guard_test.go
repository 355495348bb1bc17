package leak

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// opens are calls that make a test an integration test: they start something
// that has to end again.
var opens = []string{
	"app.New", "store.Open", "storetest.Open", "storetest.OpenAt", "storetest.Run", "e.Open", "media.Open", "signaltest.Dial", "signaltest.Open",
	"httptest.NewServer", "httptest.NewTLSServer", "httptest.NewUnstartedServer", "httpd.Listen",
	"net.Listen", "net.ListenPacket", "net.ListenUDP", "net.Dial", "exec.Command", "exec.CommandContext",
	"hostile.Start", "impair.NewUDP", "impair.NewTCP", "impair.ListenUDP", "impair.ListenTCP",
}

// Every test that opens something, itself or through functions of its package,
// calls leak.Check, and its package's TestMain is Main.
func TestEveryIntegrationTestIsChecked(t *testing.T) {
	missing, err := unchecked(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range missing {
		t.Error(m)
	}
}

func TestTheGuardSees(t *testing.T) {
	for _, tc := range []struct{ name, src, want string }{
		{"a test that opens nothing", `func TestA(t *testing.T) {}`, ""},
		{"a test that opens", `func TestA(t *testing.T) { net.Listen("tcp", "") }`, "TestA"},
		{"one that opens through a helper", `func start() { app.New() }; func TestA(t *testing.T) { t.Run("", func(t *testing.T) { start() }) }`, "TestA"},
		{"one through a method", `func (h *h) start() { app.New() }; func TestA(t *testing.T) { x.start() }`, "TestA"},
		{"one that checks", `func TestMain(m *testing.M) { leak.Main(m) }; func TestA(t *testing.T) { leak.Check(t); net.Listen("tcp", "") }`, ""},
		{"one whose helper checks", `func TestMain(m *testing.M) { leak.Main(m) }; func onBoth() { leak.Check(t); app.New() }; func TestA(t *testing.T) { onBoth() }`, ""},
		{"a package without Main", `func TestA(t *testing.T) { leak.Check(t); net.Listen("tcp", "") }`, "TestMain"},
		{"another way of checking", `func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }`, "goleak"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			missing, err := unchecked(fstest.MapFS{"room/a_test.go": {Data: []byte("package room\n" + tc.src + "\n")}})
			if err != nil {
				t.Fatal(err)
			}
			if tc.want == "" && len(missing) > 0 || tc.want != "" && !strings.Contains(strings.Join(missing, "\n"), tc.want) {
				t.Errorf("got %q, want %q", missing, tc.want)
			}
		})
	}
}

// callees of a function: names of its package, and pairs like "net.Listen".
type callees map[string]bool

// unchecked gives a sentence for every test without its check.
func unchecked(house fs.FS) ([]string, error) {
	packages := map[string]map[string]callees{} // folder, function, what it calls
	err := fs.WalkDir(house, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := path.Base(name); d.IsDir() && name != "." && (base[0] == '.' || base == "testdata" || base == "node_modules" || name == "internal/leak") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(house, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if packages[dir] == nil {
			packages[dir] = map[string]callees{}
		}
		for _, decl := range f.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok {
				into := packages[dir][fn.Name.Name]
				if into == nil {
					into = callees{}
					packages[dir][fn.Name.Name] = into
				}
				collect(fn, into)
			}
		}
		return nil
	})
	var missing []string
	for dir, functions := range packages {
		needed := false
		for name := range functions {
			if !strings.HasPrefix(name, "Test") || name == "TestMain" {
				continue
			}
			all := reach(functions, name)
			opening := slices.IndexFunc(opens, func(o string) bool { return all[o] })
			needed = needed || opening >= 0
			if opening >= 0 && !all["leak.Check"] {
				missing = append(missing, fmt.Sprintf("%s: %s calls %s and not leak.Check", dir, name, opens[opening]))
			}
		}
		main := functions["TestMain"]
		if needed && !main["leak.Main"] {
			missing = append(missing, dir+": TestMain does not call leak.Main")
		}
		if main["goleak.VerifyTestMain"] {
			missing = append(missing, dir+": TestMain uses goleak, not leak.Main")
		}
	}
	slices.Sort(missing)
	return missing, err
}

func collect(fn *ast.FuncDecl, into callees) {
	ast.Inspect(fn, func(n ast.Node) bool {
		switch x := n.(type) {
		case *ast.SelectorExpr:
			if of, ok := x.X.(*ast.Ident); ok {
				into[of.Name+"."+x.Sel.Name] = true
			}
			into[x.Sel.Name] = true
		case *ast.Ident:
			into[x.Name] = true
		}
		return true
	})
}

// reach is all that a function calls, through functions of its package too.
func reach(functions map[string]callees, name string) callees {
	all, todo, seen := callees{}, []string{name}, map[string]bool{name: true}
	for len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		for c := range functions[next] {
			all[c] = true
			if _, ours := functions[c]; ours && !seen[c] && !strings.HasPrefix(c, "Test") {
				seen[c] = true
				todo = append(todo, c)
			}
		}
	}
	return all
}
