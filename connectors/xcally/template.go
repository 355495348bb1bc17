package xcally

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Placeholders have the form of the vendor's own automations:
// <$data.metadata.KEY$>. VIDAOO guide "How to get values on XCALLY from Vidaoo
// automation", read 2026-11. They are looked up, never run.
const (
	opens  = "<$"
	closes = "$>"
)

// template is text with placeholders, parsed.
type template []piece

// piece is a text or, with a path, a placeholder.
type piece struct {
	text string
	path []string
}

// parseTemplate reads a template. An opening without its closing is an error, so
// is a path that does not begin with data.
func parseTemplate(s string) (template, error) {
	var t template
	for s != "" {
		before, rest, found := strings.Cut(s, opens)
		if before != "" {
			t = append(t, piece{text: before})
		}
		if !found {
			break
		}
		inside, after, closed := strings.Cut(rest, closes)
		if !closed {
			return nil, errors.New("a placeholder is opened by <$ and not closed by $>")
		}
		path := strings.FieldsFunc(strings.TrimSpace(inside), func(r rune) bool { return r == '.' || r == '[' || r == ']' })
		if len(path) < 2 || path[0] != "data" {
			return nil, fmt.Errorf("the placeholder %s%s%s must name a value below data, such as %sdata.visitor.name%s",
				opens, inside, closes, opens, closes)
		}
		t = append(t, piece{path: path[1:]})
		s = after
	}
	return t, nil
}

// render fills the template. A template that is one placeholder and nothing else
// keeps the value's JSON type, as long as it fits a flat body: lists and objects
// become their JSON text. An unknown path is an empty string.
func (t template) render(data map[string]any) any {
	if len(t) == 1 && t[0].path != nil {
		switch v := lookUp(data, t[0].path).(type) {
		case bool, float64, int, int64, json.Number:
			return v
		}
	}
	return t.text(data)
}

// text fills the template with text. Values bring no line ends: what a visitor
// typed must not look like a line of ours.
func (t template) text(data map[string]any) string {
	var b strings.Builder
	for _, p := range t {
		if p.path == nil {
			b.WriteString(p.text)
		} else {
			b.WriteString(oneLine(plain(lookUp(data, p.path))))
		}
	}
	return b.String()
}

// lookUp walks the path through objects, by key, and lists, by index. nil: there
// is nothing.
func lookUp(v any, path []string) any {
	for _, step := range path {
		switch at := v.(type) {
		case map[string]any:
			v = at[step]
		case map[string]string:
			s, ok := at[step]
			if !ok {
				return nil
			}
			v = s
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(at) {
				return nil
			}
			v = at[i]
		default:
			return nil
		}
	}
	return v
}

// plain is a value as text.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
