// Package archtest keeps the floors of the house true: imports only point down,
// and some rooms must never see some others. It owns the table and the checker;
// its test runs the checker over the module. It knows no room from inside and
// starts no goroutines. A new room gets its line in rooms.go.
package archtest

import (
	"cmp"
	"fmt"
	"go/build/constraint"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Room is a package, or with a final "/*" every package right below a folder,
// and what it may import. Tests in a room may import what they need.
type Room struct {
	Path  string
	Floor int // a room sees the floors below its own
	// Only, if not nil, are the only rooms it sees; on its own floor too.
	Only []string
	// Beside are rooms of its own floor that it sees all the same.
	Beside []string
	// Never are rooms it does not see although they are below.
	Never []string
	// NeverPackages are import paths of others it does not see, with all below.
	NeverPackages []string
	// SeenBy, if not nil, are the only rooms that see it.
	SeenBy []string
}

// Owner says that only some rooms import a package of others and all below it.
type Owner struct {
	Package string
	Rooms   []string // none: tests only
	// Generators lets files that are built by "go generate" alone import it.
	Generators bool
}

// Rules is the table of a house.
type Rules struct {
	Module string
	Rooms  []Room
	Owners []Owner
	Skip   []string // folders that are no part of the house
}

// Check reads every Go file below fsys that is not a test and gives a sentence
// for each import that breaks the rules and each package without a room.
func Check(fsys fs.FS, rules Rules) ([]string, error) {
	var broken []string
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return rules.enter(fsys, name)
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		found, err := rules.file(fsys, name)
		broken = append(broken, found...)
		return err
	})
	slices.Sort(broken)
	return slices.Compact(broken), err
}

// enter skips what the go command skips, and other modules.
func (r Rules) enter(fsys fs.FS, dir string) error {
	if dir == "." {
		return nil
	}
	base := path.Base(dir)
	if base[0] == '.' || base[0] == '_' || base == "testdata" || base == "node_modules" || slices.Contains(r.Skip, dir) {
		return fs.SkipDir
	}
	if _, err := fs.Stat(fsys, path.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func (r Rules) file(fsys fs.FS, name string) ([]string, error) {
	src, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return nil, err
	}
	generator := builtByGenerate(src)
	here := path.Dir(name)
	room, known := r.room(here)
	if !known && !generator {
		return []string{fmt.Sprintf("%s is no known room: add it to internal/archtest/rooms.go with its floor and what it must never see", here)}, nil
	}
	var broken []string
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		why := ""
		if to, inside := strings.CutPrefix(imported, r.Module+"/"); inside && !generator {
			why = r.inside(room, here, to)
		} else if !inside {
			why = r.outside(room, here, imported, generator)
		}
		if why != "" {
			broken = append(broken, fmt.Sprintf("%s imports %s: %s", name, imported, why))
		}
	}
	return broken, nil
}

// inside judges an import of one room by another; "" is fine.
func (r Rules) inside(room Room, here, to string) string {
	target, known := r.room(to)
	if !known {
		return "that is no known room; add it to internal/archtest/rooms.go"
	}
	parent := helpedBy(here)
	if helpedBy(to) != "" && parent == "" {
		return "only tests use a test package"
	}
	if parent != "" { // a test package sees its room, and what that sees
		if to == parent {
			return ""
		}
		if of, ok := r.room(parent); ok {
			room = of
		}
	}
	switch {
	case target.SeenBy != nil && !matches(target.SeenBy, here):
		return fmt.Sprintf("only %s may see %s", list(target.SeenBy), target.Path)
	case room.Only != nil && !matches(room.Only, to):
		return fmt.Sprintf("%s may see %s of the house", room.Path, list(room.Only))
	case room.Only != nil:
		return ""
	case matches(room.Never, to):
		return fmt.Sprintf("%s must never see %s", room.Path, target.Path)
	case target.Floor > room.Floor:
		return fmt.Sprintf("imports point down, and %s is on floor %d above floor %d", target.Path, target.Floor, room.Floor)
	case target.Floor == room.Floor && target.SeenBy == nil && !matches(room.Beside, to):
		return fmt.Sprintf("both are on floor %d, and rooms of one floor do not see each other", room.Floor)
	}
	return ""
}

// outside judges an import of the standard library or of others.
func (r Rules) outside(room Room, here, imported string, generator bool) string {
	for _, never := range room.NeverPackages {
		if below(imported, never) {
			return fmt.Sprintf("%s must never see %s", room.Path, never)
		}
	}
	for _, o := range r.Owners {
		if !below(imported, o.Package) || matches(o.Rooms, here) || generator && o.Generators {
			continue
		}
		switch {
		case len(o.Rooms) > 0:
			return fmt.Sprintf("%s belongs to %s", o.Package, list(o.Rooms))
		case o.Generators:
			return fmt.Sprintf("%s is for go generate only (a file with //go:build ignore)", o.Package)
		}
		return fmt.Sprintf("%s is for tests only", o.Package)
	}
	return ""
}

// room finds the line of a folder; an exact one goes before a pattern.
func (r Rules) room(dir string) (Room, bool) {
	var found []Room
	for _, room := range r.Rooms {
		if matches([]string{room.Path}, dir) {
			found = append(found, room)
		}
	}
	if len(found) == 0 {
		return Room{}, false
	}
	return slices.MaxFunc(found, func(a, b Room) int {
		return cmp.Compare(exactness(a.Path), exactness(b.Path))
	}), true
}

func exactness(pattern string) int {
	if strings.HasSuffix(pattern, "/*") {
		return 0
	}
	return 1
}

// helpedBy gives the room a test package belongs to: storetest helps store,
// store/storetest too. "" for any other package.
func helpedBy(dir string) string {
	base := path.Base(dir)
	of, ok := strings.CutSuffix(base, "test")
	if !ok || of == "" || dir == "internal/archtest" {
		return ""
	}
	return path.Dir(dir)
}

func matches(patterns []string, dir string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		if folder, all := strings.CutSuffix(p, "/*"); all {
			return path.Dir(dir) == folder
		}
		return p == dir
	})
}

func below(imported, pkg string) bool {
	return imported == pkg || strings.HasPrefix(imported, pkg+"/")
}

func list(rooms []string) string {
	if len(rooms) == 0 {
		return "nothing"
	}
	return strings.Join(rooms, ", ")
}

// builtByGenerate tells whether a file has "//go:build ignore", as programs run
// by go generate do.
func builtByGenerate(src []byte) bool {
	for line := range strings.Lines(string(src)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "package ") {
			return false
		}
		if !constraint.IsGoBuild(line) {
			continue
		}
		x, err := constraint.Parse(line)
		return err == nil && !x.Eval(func(tag string) bool { return tag != "ignore" })
	}
	return false
}
