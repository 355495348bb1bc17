package httpd

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"ringdown/fault"
)

// DecodeJSON reads the body of a request into v, strictly: the content type is
// JSON, there is exactly one value, every member is known by its exact name and
// given once, every type fits, and no string holds a NUL character or bytes
// that are not UTF-8. null is for pointers only.
//
// What cannot be read is the fault bad_request, a body over the route's limit
// too_large; what can be read but does not fit is invalid, and names up to 20
// fields at once by JSON pointer. v is a non-nil pointer; after an error its
// content is of no use.
func DecodeJSON(r *http.Request, v any) error {
	if !isJSON(r.Header.Get("Content-Type")) {
		return unreadable("header:Content-Type", "must be application/json")
	}
	body, err := io.ReadAll(r.Body)
	if big, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(big.Limit).Because(err)
	}
	if err != nil {
		return fault.New(fault.BadRequest, "the body could not be read to its end").Because(err)
	}
	return UnmarshalJSON(body, v)
}

// isJSON takes application/json and kinds of it, such as application/merge-patch+json.
func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	special := strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
	return kind == "application/json" || special
}

// UnmarshalJSON is DecodeJSON for bytes that are at hand, such as a WebSocket
// message.
func UnmarshalJSON(body []byte, v any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return fault.New(fault.BadRequest, "the body is empty; JSON is expected")
	}
	// A raw NUL in a string is no JSON; escaped it is, and its field can be named.
	body = bytes.ReplaceAll(body, []byte{0}, []byte(`\u0000`))
	dec := json.NewDecoder(bytes.NewReader(body))
	var one json.RawMessage
	if err := dec.Decode(&one); err != nil {
		return notJSON(err)
	}
	if rest := bytes.TrimSpace(body[dec.InputOffset():]); len(rest) > 0 {
		return fault.New(fault.BadRequest, "the body goes on after its JSON value; send exactly one")
	}
	target := reflect.TypeOf(v)
	if target == nil || target.Kind() != reflect.Pointer {
		return errors.New("decode json: the target must be a pointer")
	}
	w := &walker{data: one, dec: json.NewDecoder(bytes.NewReader(one))}
	w.dec.UseNumber()
	if err := w.value(target.Elem()); err != nil {
		return err
	}
	if len(w.unreadable) > 0 {
		return wrong(fault.BadRequest, w.unreadable)
	}
	if len(w.invalid) > 0 {
		return wrong(fault.Invalid, w.invalid)
	}
	if err := json.Unmarshal(one, v); err != nil {
		return fault.New(fault.Invalid, "the body does not have the expected form").Because(err)
	}
	return nil
}

func notJSON(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fault.New(fault.BadRequest, "the body is not JSON: it ends too early").Because(err)
	case errors.As(err, &syntax):
		return fault.New(fault.BadRequest, "the body is not JSON: wrong at byte %d", syntax.Offset).Because(err)
	}
	return fault.New(fault.BadRequest, "the body is not JSON").Because(err)
}
