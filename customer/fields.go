package customer

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
)

const (
	valueLimit  = 300 // characters of one value
	extraLimit  = 30  // further lines of one record
	phonesLimit = 10
)

// record makes a Record of what get finds; ok is false without an id.
func (f Fields) record(source, region string, asOf time.Time, get func(where string) []string) (r Record, ok bool) {
	first := func(where string) string {
		if where == "" {
			return ""
		}
		for _, v := range get(where) {
			if v = visible(v); v != "" {
				return v
			}
		}
		return ""
	}
	r = Record{
		ExternalID: first(f.ExternalID), Name: first(f.Name), Company: first(f.Company), Email: strings.ToLower(first(f.Email)),
		Language: strings.ToLower(first(f.Language)), Source: source, AsOf: asOf.UTC().Truncate(time.Millisecond),
	}
	if r.ExternalID == "" {
		return r, false
	}
	r.ID = source + ":" + r.ExternalID
	if !slices.Contains([]string{"en", "fr", "it"}, r.Language) {
		r.Language = ""
	}
	for where := range strings.SplitSeq(f.Phones, ",") {
		if where = strings.TrimSpace(where); where == "" {
			continue
		}
		for _, raw := range get(where) {
			if n := Number(raw, region); n != "" && !slices.Contains(r.Phones, n) && len(r.Phones) < phonesLimit {
				r.Phones = append(r.Phones, n)
			}
		}
	}
	for _, label := range slices.Sorted(maps.Keys(f.Extra)) {
		if v := first(f.Extra[label]); v != "" && len(r.Fields) < extraLimit {
			r.Fields = append(r.Fields, Field{label, v})
		}
	}
	for _, label := range slices.Sorted(maps.Keys(f.Links)) {
		r.Links = append(r.Links, Link{label, strings.ReplaceAll(f.Links[label], "{external_id}", url.PathEscape(r.ExternalID))})
	}
	return r, true
}

// visible is v as one line of characters that show, not too long.
func visible(v string) string {
	v = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Co), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, v)
	rs := []rune(strings.Join(strings.Fields(v), " "))
	if len(rs) > valueLimit {
		rs = append(rs[:valueLimit-1], '…')
	}
	return string(rs)
}

// dig follows a path ("contact.phones[*].number") into a JSON document and
// returns the scalars at its end, as text.
func dig(doc any, path string) []string {
	var out []string
	for _, v := range walk(doc, path) {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case json.Number:
			out = append(out, v.String())
		case bool:
			out = append(out, fmt.Sprint(v))
		case []any:
			for _, one := range v {
				out = append(out, dig(one, "")...)
			}
		}
	}
	return out
}

// walk returns the values at the end of a path.
func walk(doc any, path string) []any {
	at := []any{doc}
	for step := range strings.SplitSeq(path, ".") {
		if step == "" {
			continue
		}
		name, list := strings.CutSuffix(step, "[*]")
		var next []any
		for _, v := range at {
			if name != "" {
				m, ok := v.(map[string]any)
				if !ok {
					continue
				}
				if v, ok = m[name]; !ok {
					continue
				}
			}
			if l, ok := v.([]any); ok && list {
				next = append(next, l...)
			} else {
				next = append(next, v)
			}
		}
		at = next
	}
	return at
}

// records are the documents at list, or the one that is there.
func records(doc any, list string) []any {
	var out []any
	for _, v := range walk(doc, list) {
		if l, ok := v.([]any); ok {
			out = append(out, l...)
		} else if v != nil {
			out = append(out, v)
		}
	}
	return out
}
