package outbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Mask stands where a secret was.
const Mask = "***"

// secrets are the places in a text where a secret stands, each behind its first
// group: a link's part behind "#" (also as it is escaped in a form), and the
// values of telling query members.
func secrets() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`((?:://|/)[^\s"'<>#]*#)[^\s"'<>)\]]+`),
		regexp.MustCompile(`((?i:%2f)[^\s"'<>#&]*(?i:%23))[^\s"'<>&]+`),
		regexp.MustCompile(`((?i)[?&;](?:[a-z_-]*(?:token|secret|password|signature)|key|sig)=)[^\s"'<>&#]+`),
	}
}

// Masked is a body as it may be shown: JSON as JSON, anything else as text, what
// is no text as nil. Hidden are what is behind "#" in links, query members that
// are called like secrets, and JSON members whose names hold "secret", "token",
// "password" or "authorization", whatever they hold.
func Masked(body []byte) any {
	m := masker(secrets())
	if !utf8.Valid(body) {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err == nil {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return m.value(v)
		}
	}
	return m.text(string(body))
}

type masker []*regexp.Regexp

func (m masker) text(s string) string {
	for _, re := range m {
		s = re.ReplaceAllString(s, "${1}"+Mask)
	}
	return s
}

func (m masker) value(v any) any {
	switch v := v.(type) {
	case string:
		return m.text(v)
	case []any:
		for i := range v {
			v[i] = m.value(v[i])
		}
	case map[string]any:
		for k := range v {
			if telling(k) {
				v[k] = Mask
			} else {
				v[k] = m.value(v[k])
			}
		}
	}
	return v
}

// telling tells whether a member's name says that its value is a secret.
func telling(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"secret", "token", "password", "authorization"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
