package httpd

import (
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"ringdown/fault"
)

// CheckText refuses text that PostgreSQL could not keep: a NUL byte, or bytes
// that are not UTF-8. pointer names where the text stood: a JSON pointer,
// "query:name", "header:Name" or "path:name".
func CheckText(pointer, text string) error {
	if detail := textFault(text); detail != "" {
		return unreadable(pointer, detail)
	}
	return nil
}

// Header gives a request header that is fit to be stored, or the fault that
// names it.
func Header(r *http.Request, name string) (string, error) {
	v := r.Header.Get(name)
	return v, CheckText("header:"+name, v)
}

func textFault(text string) string {
	if !utf8.ValidString(text) {
		return "must be UTF-8"
	}
	if strings.ContainsRune(text, 0) {
		return "must not hold a NUL character"
	}
	return ""
}

func unreadable(pointer, detail string) *fault.Error {
	return &fault.Error{
		Code: fault.BadRequest, Detail: named(pointer) + " " + detail,
		Fields: []fault.Field{{Pointer: pointer, Detail: detail}},
	}
}

func tooLarge(limit int64) *fault.Error {
	return fault.New(fault.TooLarge, "the body may have at most %d bytes", limit)
}

// named turns a pointer into words; the empty JSON pointer is the whole body.
func named(pointer string) string {
	if pointer == "" {
		return "the body"
	}
	return pointer
}

// shown makes a name that a client chose fit for a sentence: short, printable.
func shown(name string) string {
	const most = 64
	var b strings.Builder
	for i, r := range strings.ToValidUTF8(name, "\uFFFD") {
		if i >= most {
			b.WriteRune('…')
			break
		}
		if !unicode.IsPrint(r) {
			r = '\uFFFD'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Checks collects what is wrong with a request, so that a caller learns all of
// it at once. The zero value is ready.
type Checks struct{ fields []fault.Field }

// Unless notes a wrong field if ok is false. pointer is a JSON pointer
// ("/visitor/name"), "query:name" or "header:Name"; format and args continue
// the sentence that begins with it: "must be …".
func (c *Checks) Unless(ok bool, pointer, format string, args ...any) {
	if !ok {
		c.fields = append(c.fields, fault.Field{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
	}
}

// Err gives the fault invalid with every noted field, or nil.
func (c *Checks) Err() error {
	if len(c.fields) == 0 {
		return nil
	}
	return wrong(fault.Invalid, c.fields)
}

// wrong makes one fault of several fields; its sentence tells them all.
func wrong(code fault.Code, fields []fault.Field) *fault.Error {
	said := make([]string, len(fields))
	for i, f := range fields {
		said[i] = named(f.Pointer) + " " + f.Detail
	}
	return &fault.Error{Code: code, Detail: strings.Join(said, "; "), Fields: fields}
}
