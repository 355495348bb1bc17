package customer

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// plain is s in small letters without accents, its words one blank apart: what a
// search compares.
func plain(s string) string {
	var b strings.Builder
	blank := true
	for _, r := range norm.NFD.String(strings.ToLower(s)) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '@' || r == '.' || r == '_':
			b.WriteRune(r)
			blank = false
		case !blank:
			b.WriteByte(' ')
			blank = true
		}
	}
	return strings.TrimSpace(b.String())
}

// wordsOf is what a record is found by.
func wordsOf(r Record) string {
	parts := []string{plain(r.Name), plain(r.Company), plain(r.Email), plain(r.ExternalID)}
	for _, p := range r.Phones {
		parts = append(parts, digits(p))
	}
	return strings.Join(parts, " ")
}

// score says how well a record fits the words of a search: 0 not at all, more is
// better. Every word must be somewhere in it.
func score(words string, asked []string) (n int) {
	for _, w := range asked {
		i := strings.Index(words, w)
		if i < 0 {
			return 0
		}
		n++
		if i == 0 || words[i-1] == ' ' {
			n += 2 // the beginning of a word
			if i+len(w) == len(words) || words[i+len(w)] == ' ' {
				n += 2 // all of it
			}
		}
	}
	return n
}

// asked splits what somebody typed into what is looked for. Digits with blanks
// between them are one number; a national number is looked for by its end.
func asked(typed string) []string {
	if d := digits(typed); len(d) >= 4 && strings.Trim(typed, "0123456789 +()./-") == "" {
		return []string{strings.TrimLeft(d, "0")}
	}
	return strings.Fields(plain(typed))
}
