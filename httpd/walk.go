package httpd

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringdown/fault"
)

const (
	maxDepth  = 64 // levels of a JSON body
	maxFaults = 20 // wrong fields told at once
)

// walker goes through valid JSON and the Go type it is meant for side by side,
// and notes what does not fit. It keeps no tree: memory is bounded by the body.
type walker struct {
	data       []byte
	dec        *json.Decoder
	path       []string // unescaped members and indexes down to here
	unreadable []fault.Field
	invalid    []fault.Field
}

func (w *walker) pointer() string {
	var b strings.Builder
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for _, p := range w.path {
		b.WriteByte('/')
		b.WriteString(escape.Replace(shown(p)))
	}
	return b.String()
}

func (w *walker) wrong(format string, args ...any) {
	if len(w.invalid) < maxFaults {
		w.invalid = append(w.invalid, fault.Field{Pointer: w.pointer(), Detail: fmt.Sprintf(format, args...)})
	}
}

// text notes a string that cannot be kept; raw is how it stood in the body.
func (w *walker) text(raw []byte, s string) bool {
	detail := textFault(string(raw))
	if detail == "" {
		detail = textFault(s)
	}
	if detail != "" && len(w.unreadable) < maxFaults {
		w.unreadable = append(w.unreadable, fault.Field{Pointer: w.pointer(), Detail: detail})
	}
	return detail == ""
}

// ahead gives where the next token begins.
func (w *walker) ahead() int {
	start := int(w.dec.InputOffset())
	for start < len(w.data) && strings.IndexByte(" \t\r\n,:", w.data[start]) >= 0 {
		start++
	}
	return start
}

// next reads a token and gives where its text begins.
func (w *walker) next() (json.Token, int, error) {
	start := w.ahead()
	t, err := w.dec.Token()
	if err != nil {
		return nil, 0, notJSON(err)
	}
	return t, start, nil
}

// value checks the next value against t; a nil t takes anything.
func (w *walker) value(t reflect.Type) error {
	if len(w.path) > maxDepth {
		return fault.New(fault.BadRequest, "the body is nested deeper than %d levels", maxDepth)
	}
	nullable := false
	for t != nil && t.Kind() == reflect.Pointer && !decodesItself(t) {
		t, nullable = t.Elem(), true
	}
	if t != nil && decodesItself(t) {
		return w.own(t, nullable)
	}
	if t != nil && t.Kind() == reflect.Interface {
		t = nil
	}
	token, start, err := w.next()
	if err != nil {
		return err
	}
	switch v := token.(type) {
	case json.Delim:
		if v == '{' {
			return w.object(t)
		}
		return w.list(t)
	case string:
		if w.text(w.data[start:w.dec.InputOffset()], v) && t != nil {
			w.str(t, v)
		}
	case json.Number:
		w.number(t, v.String())
	case bool:
		if t != nil && t.Kind() != reflect.Bool {
			w.wrong("must be %s", wanted(t))
		}
	case nil:
		if t != nil && !nullable {
			w.wrong("must be %s, not null", wanted(t))
		}
	}
	return nil
}

func (w *walker) object(t reflect.Type) error {
	known, element := map[string]reflect.Type(nil), reflect.Type(nil)
	switch {
	case t == nil:
	case t.Kind() == reflect.Struct:
		known = members(t)
	case t.Kind() == reflect.Map:
		element = t.Elem()
	default:
		w.wrong("must be %s", wanted(t))
	}
	seen := map[string]bool{}
	for w.dec.More() {
		token, start, err := w.next()
		if err != nil {
			return err
		}
		name, _ := token.(string)
		raw := w.data[start:w.dec.InputOffset()]
		w.path = append(w.path, name)
		inner := element
		if w.text(raw, name) {
			if seen[name] {
				w.wrong("is given twice")
			}
			seen[name] = true
			if known != nil {
				var ok bool
				if inner, ok = known[name]; !ok {
					w.unknown(name, known)
				}
			}
		}
		if err := w.value(inner); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
	}
	_, _, err := w.next() // the closing brace
	return err
}

func (w *walker) unknown(name string, known map[string]reflect.Type) {
	if near := Nearest(name, slices.Collect(maps.Keys(known))); near != "" {
		w.wrong("is not known; did you mean %q?", near)
		return
	}
	w.wrong("is not known")
}

func (w *walker) list(t reflect.Type) error {
	var element reflect.Type
	switch {
	case t == nil:
	case t.Kind() == reflect.Slice && t.Elem().Kind() != reflect.Uint8, t.Kind() == reflect.Array:
		element = t.Elem()
	default:
		w.wrong("must be %s", wanted(t))
	}
	for i := 0; w.dec.More(); i++ {
		w.path = append(w.path, strconv.Itoa(i))
		if err := w.value(element); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
	}
	_, _, err := w.next() // the closing bracket
	return err
}

func (w *walker) str(t reflect.Type, s string) {
	switch {
	case t.Kind() == reflect.String && t != reflect.TypeFor[json.Number]():
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
		if _, err := base64.StdEncoding.DecodeString(s); err != nil {
			w.wrong("must be %s", wanted(t))
		}
	default:
		w.wrong("must be %s", wanted(t))
	}
}

func (w *walker) number(t reflect.Type, text string) {
	if t == nil || t == reflect.TypeFor[json.Number]() {
		return
	}
	var err error
	switch t.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		_, err = strconv.ParseInt(text, 10, t.Bits())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		_, err = strconv.ParseUint(text, 10, t.Bits())
	case reflect.Float32, reflect.Float64:
		_, err = strconv.ParseFloat(text, t.Bits())
	default:
		err = errors.New("no number")
	}
	if errors.Is(err, strconv.ErrRange) {
		w.wrong("is out of range")
	} else if err != nil {
		w.wrong("must be %s", wanted(t))
	}
}

// own checks a value whose type decodes itself, by letting it.
func (w *walker) own(t reflect.Type, nullable bool) error {
	noted := len(w.unreadable)
	start := w.ahead()
	if err := w.value(nil); err != nil {
		return err
	}
	raw := w.data[start:w.dec.InputOffset()]
	null := string(raw) == "null"
	if len(w.unreadable) > noted || t == reflect.TypeFor[json.RawMessage]() || null && nullable {
		return nil
	}
	if null {
		w.wrong("must not be null")
		return nil
	}
	err := json.Unmarshal(raw, reflect.New(t).Interface())
	var f *fault.Error
	switch {
	case err == nil:
	case errors.As(err, &f):
		w.wrong("%s", f.Detail)
	case t == reflect.TypeFor[time.Time]():
		w.wrong("must be a time such as 2026-11-21T08:00:00Z")
	default:
		w.wrong("does not have the right form")
	}
	return nil
}

func decodesItself(t reflect.Type) bool {
	if t.Kind() == reflect.Interface {
		return false
	}
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// wanted says what a Go type takes, in words of JSON.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		if t == reflect.TypeFor[json.Number]() {
			return "a number"
		}
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return "a whole number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, zero or more"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
			return "a string in base64"
		}
		return "a list"
	default:
		return "an object"
	}
}

// members gives the JSON names of a struct's fields, those of embedded structs
// included.
func members(t reflect.Type) map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		inner := f.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		switch {
		case name == "-":
		case f.Anonymous && name == "" && inner.Kind() == reflect.Struct:
			for n, ft := range members(inner) {
				if _, nearer := all[n]; !nearer {
					all[n] = ft
				}
			}
		case !f.IsExported():
		case name == "":
			all[f.Name] = f.Type
		default:
			all[name] = f.Type
		}
	}
	return all
}

// Nearest gives the known name that a mistyped one was probably meant to be, or "".
func Nearest(name string, known []string) string {
	if len(name) > 64 {
		return ""
	}
	slices.Sort(known)
	best, least := "", len(name)/3+1
	for _, k := range known {
		if strings.EqualFold(k, name) {
			return k
		}
		if d := distance(name, k); d <= least && (best == "" || d < least) {
			best, least = k, d
		}
	}
	return best
}

// distance counts the edits between two short words; two letters swapped are one.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
