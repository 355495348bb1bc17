// Package secret holds text that must not be shown: keys, tokens, addresses
// with a key in them. Whatever prints, logs or marshals a Secret gets
// "<secret>"; only Reveal gives the text. The package knows nothing else.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

const mask = "<secret>"

// Secret is text that prints as "<secret>", or as nothing when it is empty. It
// is read from configuration like a plain string. Two places have no way to ask
// it: fmt on a struct's unexported field, and encoding/json on a map's key.
type Secret string

// Reveal returns the text.
func (s Secret) Reveal() string { return string(s) }

// Equal compares with got in a time that tells nothing about either. An empty
// secret equals nothing.
func (s Secret) Equal(got string) bool {
	want, have := sha256.Sum256([]byte(s)), sha256.Sum256([]byte(got))
	return subtle.ConstantTimeCompare(want[:], have[:]) == 1 && s != ""
}

func (s Secret) masked() string {
	if s == "" {
		return ""
	}
	return mask
}

// String gives the mask.
func (s Secret) String() string { return s.masked() }

// GoString gives the mask.
func (s Secret) GoString() string { return `"` + s.masked() + `"` }

// Format gives the mask for every verb, %x too.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		_, _ = f.Write([]byte(s.GoString()))
		return
	}
	_, _ = f.Write([]byte(s.masked()))
}

// LogValue gives the mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.masked()) }

// MarshalText gives the mask to everything that asks for text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.masked()), nil }

// MarshalJSON gives the mask.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.masked() + `"`), nil }

// MarshalYAML gives the mask.
func (s Secret) MarshalYAML() (any, error) { return s.masked(), nil }

// Or returns s, or what the file holds when s is empty and file is named. Blanks
// and line ends around the file's text are cut. Both at once is an error; so is
// a file that cannot be read or is empty.
func (s Secret) Or(file string) (Secret, error) {
	if file == "" {
		return s, nil
	}
	if s != "" {
		return "", errors.New("is given both itself and as a file; keep one")
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return "", fmt.Errorf("the file %s is empty", file)
	}
	return Secret(text), nil
}
