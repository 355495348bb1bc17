package xcally

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// clean makes text fit for a message: valid UTF-8, line ends as \n, no other
// control characters and none that turn the direction of writing, no blanks
// around it.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\r', r == '\u2028', r == '\u2029':
			return '\n'
		case r == '\t':
			return ' '
		case unicode.IsControl(r), r >= '\u202A' && r <= '\u202E', r >= '\u2066' && r <= '\u2069':
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(s)
}

// oneLine is clean without line ends.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(clean(s), func(r rune) bool { return r == '\n' }), " ")
}

// clip shortens s to at most n characters.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// parts cuts s into pieces of at most n bytes, at line ends or blanks where it
// can. n is at least utf8.UTFMax.
func parts(s string, n int) []string {
	var all []string
	for len(s) > n {
		cut := n
		for !utf8.RuneStart(s[cut]) {
			cut--
		}
		if at := strings.LastIndexAny(s[:cut], "\n "); at > n/2 {
			cut = at
		}
		all = append(all, strings.TrimSpace(s[:cut]))
		s = strings.TrimSpace(s[cut:])
	}
	return append(all, s)
}
