package config

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"ringdown/httpd"
)

// decoder walks a YAML document beside the type it is for. The library's own
// strict mode stops at the first fault; this names them all.
type decoder struct {
	name   string            // of the file
	places map[string]string // "sites[0].key" → "ringdown.yaml:12:5"
	wrong  map[string]bool   // paths with a fault
	unread bool              // the file is not YAML: there is nothing to check
	faults []error
}

func (d *decoder) fault(path, words string) {
	at := ""
	for p := path; p != ""; p = parentOf(p) { // the nearest place that the file has
		if place, ok := d.places[p]; ok {
			at = place + ": "
			break
		}
	}
	d.wrong[path] = true
	d.faults = append(d.faults, errors.New(at+path+": "+words))
}

// follows tells whether a fault at path, or at a part or the whole of it, has
// been told: what could not be read is not judged a second time.
func (d *decoder) follows(path string) bool {
	for told := range d.wrong {
		if told == path || parentOf(told) == path || strings.HasPrefix(path, told+".") || strings.HasPrefix(path, told+"[") {
			return true
		}
	}
	return false
}

func parentOf(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}

// namedRE is the name that a room adds to an index: "accounts[0] (main)".
var namedRE = regexp.MustCompile(`\] \([^)]*\)`)

// check notes every fault of a room's Validate below prefix.
func (d *decoder) check(prefix string, err error) {
	if err == nil {
		return
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok { // the shape of errors.Join is meant
		for _, e := range many.Unwrap() {
			d.check(prefix, e)
		}
		return
	}
	path, words, ok := strings.Cut(err.Error(), ": ")
	path = namedRE.ReplaceAllString(path, "]")
	if !ok || strings.Contains(path, " ") {
		path, words = "", err.Error()
	}
	if prefix != "" {
		path = strings.TrimSuffix(prefix+"."+path, ".")
	}
	if path == "" {
		d.faults = append(d.faults, err)
		return
	}
	if !d.follows(path) {
		d.fault(path, words)
	}
}

func (d *decoder) file(name string, b []byte, into *Config) {
	d.name = name
	f, err := parser.ParseBytes(b, 0)
	if err != nil {
		d.unread = true
		d.faults = append(d.faults, fmt.Errorf("%s: is not YAML: %s", name, yaml.FormatError(err, false, true)))
		return
	}
	if len(f.Docs) > 1 {
		d.faults = append(d.faults, fmt.Errorf("%s: must hold one document", name))
		return
	}
	if len(f.Docs) == 1 && f.Docs[0].Body != nil {
		d.node("", f.Docs[0].Body, reflect.ValueOf(into).Elem())
	}
}

func (d *decoder) note(path string, n ast.Node) {
	if p := n.GetToken().Position; d.name != "" && p != nil {
		d.places[path] = fmt.Sprintf("%s:%d:%d", d.name, p.Line, p.Column)
	}
}

// node decodes n into v, which is at path.
func (d *decoder) node(path string, n ast.Node, v reflect.Value) {
	switch t := n.(type) {
	case *ast.AnchorNode:
		d.node(path, t.Value, v)
		return
	case *ast.AliasNode, *ast.MergeKeyNode:
		d.fault(path, "aliases are not taken; write it out")
		return
	case *ast.NullNode:
		return // "key:" with nothing keeps the default
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	switch {
	case v.Kind() == reflect.Struct:
		d.mapping(path, n, func(key string, value ast.Node) {
			field, ok := fieldOf(v, key)
			if !ok {
				words := "is not a key here"
				if near := httpd.Nearest(key, keysOf(v.Type())); near != "" {
					words += "; did you mean " + near + "?"
				}
				d.fault(join(path, key), words)
				return
			}
			d.node(join(path, key), value, field)
		})
	case v.Kind() == reflect.Slice:
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			d.fault(path, "must be a list")
			return
		}
		out := reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values))
		for i, e := range seq.Values {
			at := fmt.Sprintf("%s[%d]", path, i)
			d.note(at, e)
			d.node(at, e, out.Index(i))
		}
		v.Set(out)
	case v.Kind() == reflect.Map:
		out := reflect.MakeMap(v.Type())
		d.mapping(path, n, func(key string, value ast.Node) {
			e := reflect.New(v.Type().Elem()).Elem()
			d.node(join(path, key), value, e)
			out.SetMapIndex(reflect.ValueOf(key).Convert(v.Type().Key()), e)
		})
		v.Set(out)
	default:
		d.leaf(path, n, v)
	}
}

// mapping calls each for every key of n, once.
func (d *decoder) mapping(path string, n ast.Node, each func(string, ast.Node)) {
	var values []*ast.MappingValueNode
	switch t := n.(type) {
	case *ast.MappingNode:
		values = t.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{t}
	default:
		if path == "" {
			path = "the file"
		}
		d.fault(path, "must be keys and values")
		return
	}
	seen := map[string]bool{}
	for _, kv := range values {
		key := kv.Key.GetToken().Value
		d.note(join(path, key), kv.Key)
		if seen[key] {
			d.fault(join(path, key), "is there twice")
			continue
		}
		seen[key] = true
		each(key, kv.Value)
	}
}

func (d *decoder) leaf(path string, n ast.Node, v reflect.Value) {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode, *ast.SequenceNode:
		d.fault(path, "must be "+shapeOf(v.Type())+", not a list or keys")
		return
	}
	_, whole := n.(*ast.IntegerNode)
	if v.Type() == reflect.TypeFor[time.Duration]() && whole && n.GetToken().Value != "0" {
		d.fault(path, "needs a unit, like 30s or 5m")
		return
	}
	if v.Kind() == reflect.String { // as it is written: 0123 stays 0123
		if s, ok := n.(*ast.StringNode); ok {
			v.SetString(s.Value)
		} else if l, ok := n.(*ast.LiteralNode); ok {
			v.SetString(l.Value.Value)
		} else {
			v.SetString(n.GetToken().Value)
		}
		return
	}
	if err := yaml.NodeToValue(n, v.Addr().Interface()); err != nil {
		d.fault(path, "must be "+shapeOf(v.Type()))
	}
}

func shapeOf(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration like 30s or 5m"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		return "a whole number"
	case t.Kind() == reflect.Float32 || t.Kind() == reflect.Float64:
		return "a number"
	}
	return "text"
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// fieldOf finds the field of a struct by its yaml name, also in inlined structs.
func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	for i := range v.NumField() {
		name, inline := tagOf(v.Type().Field(i))
		if inline {
			if f, ok := fieldOf(v.Field(i), key); ok {
				return f, true
			}
		} else if name == key && name != "" {
			return v.Field(i), true
		}
	}
	return reflect.Value{}, false
}

func keysOf(t reflect.Type) []string {
	var keys []string
	for f := range t.Fields() {
		switch name, inline := tagOf(f); {
		case inline:
			keys = append(keys, keysOf(f.Type)...)
		case name != "":
			keys = append(keys, name)
		}
	}
	return keys
}

func tagOf(f reflect.StructField) (name string, inline bool) {
	name, rest, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	if name == "-" {
		name = ""
	}
	return name, strings.Contains(rest, "inline")
}

const prefix = "RINGDOWN_"

// noKey tells whether others read a name with our prefix: the command, tests.
func noKey(name string) bool {
	switch name {
	case "RINGDOWN_CONFIG", "RINGDOWN_URL", "RINGDOWN_API_KEY", "RINGDOWN_API_KEY_FILE":
		return true
	}
	return strings.HasPrefix(name, prefix+"TEST_")
}

// environment lays RINGDOWN_… over what the file said: RINGDOWN_MEDIA_PORT is
// media.port; a list or a map is one value in YAML.
func (d *decoder) environment(environ []string, into *Config) {
	d.name = ""
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, prefix) || noKey(name) {
			continue
		}
		v, path, ok := byEnvironment(reflect.ValueOf(into).Elem(), "", strings.ToLower(strings.TrimPrefix(name, prefix)))
		if !ok {
			d.faults = append(d.faults, fmt.Errorf("%s: there is no such key", name))
			continue
		}
		d.places[path] = "environment " + name
		if v.Kind() == reflect.String {
			v.SetString(value)
			continue
		}
		f, err := parser.ParseBytes([]byte(value), 0)
		if err != nil || len(f.Docs) != 1 || f.Docs[0].Body == nil {
			d.fault(path, "must be "+shapeOf(v.Type())+", as YAML")
			continue
		}
		d.node(path, f.Docs[0].Body, v)
	}
}

// byEnvironment finds the field whose path, joined by "_", is name. Sections
// that are absent are made on the way to a key that exists.
func byEnvironment(v reflect.Value, path, name string) (reflect.Value, string, bool) {
	for i := range v.NumField() {
		key, inline := tagOf(v.Type().Field(i))
		f := v.Field(i)
		if inline {
			if found, p, ok := byEnvironment(f, path, name); ok {
				return found, p, true
			}
			continue
		}
		if key == "" {
			continue
		}
		at := join(path, key)
		if key == name {
			if f.Kind() == reflect.Struct || f.Kind() == reflect.Pointer {
				continue
			}
			return f, at, true
		}
		rest, ok := strings.CutPrefix(name, key+"_")
		if !ok {
			continue
		}
		section := f
		if f.Kind() == reflect.Pointer {
			section = reflect.New(f.Type().Elem()).Elem()
			if !f.IsNil() {
				section = f.Elem()
			}
		}
		if section.Kind() != reflect.Struct {
			continue
		}
		if found, p, ok := byEnvironment(section, at, rest); ok {
			if f.Kind() == reflect.Pointer && f.IsNil() {
				f.Set(section.Addr())
			}
			return found, p, true
		}
	}
	return reflect.Value{}, "", false
}
