// Package fault holds the errors that cross a border of the house: from the
// core to an edge, and from an edge to the outside. An Error has a stable code,
// a sentence fit for outsiders and a private cause that only the log sees.
// The package knows nothing of HTTP, vendors or storage.
package fault

import (
	"errors"
	"fmt"
)

// Code is a stable word for one kind of failure. Codes are never reused and
// each has a line in docs/errors.md.
type Code string

// The codes of the core. An edge maps them to its own shape.
const (
	Internal        Code = "internal"          // a bug or a broken machine of ours; the sentence says nothing more
	Unavailable     Code = "unavailable"       // cannot be stored or served now; try again
	BadRequest      Code = "bad_request"       // not readable: not JSON, a second value, a NUL byte
	Invalid         Code = "invalid"           // readable, but a field is wrong; see Fields
	TooLarge        Code = "too_large"         // the body is over the limit
	Unauthorized    Code = "unauthorized"      // no key or token, or one that is not valid
	Forbidden       Code = "forbidden"         // a valid key or token that may not do this
	OriginRefused   Code = "origin_refused"    // the page's origin is not listed for this site
	NotFound        Code = "not_found"         // nothing by that id or path
	MethodRefused   Code = "method_refused"    // the path exists, the method does not
	Conflict        Code = "conflict"          // the state does not allow it
	KeyReused       Code = "idempotency_reuse" // the same Idempotency-Key with another body
	TooMany         Code = "too_many"          // a rate or a count limit
	RingTaken       Code = "ring_taken"        // another agent won the ring
	RingOver        Code = "ring_over"         // nobody can take this ring any more
	MeetingEnded    Code = "meeting_ended"     // the meeting is over
	MeetingFull     Code = "meeting_full"      // all places are taken
	LinkExpired     Code = "link_expired"      // the link's time is over
	LinkRevoked     Code = "link_revoked"      // somebody withdrew the link
	RedirectRefused Code = "redirect_refused"  // a redirect address that is not allowed
	FileRefused     Code = "file_refused"      // a file of a kind that is not taken, or one that cannot be read
	FilesFull       Code = "files_full"        // a meeting holds as many files, or bytes of them, as it may
)

// Field is one wrong field of a request.
type Field struct {
	Pointer string // JSON pointer into the body, or "header:Name", "query:name"
	Detail  string // what is wrong and what would be right
}

// Error is a failure that a caller may act on.
type Error struct {
	Code   Code
	Detail string            // one sentence for outsiders; no secrets, no personal data
	Fields []Field           // only with Invalid and BadRequest
	Data   map[string]string // public extra members, e.g. "taken_by"; never secrets
	cause  error
}

// New makes an Error; format and args give the public sentence.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Detail: fmt.Sprintf(format, args...)}
}

// NewInvalid makes an Invalid error about one field.
func NewInvalid(pointer, format string, args ...any) *Error {
	d := fmt.Sprintf(format, args...)
	return &Error{Code: Invalid, Detail: pointer + ": " + d, Fields: []Field{{Pointer: pointer, Detail: d}}}
}

// Because returns a copy that carries a private cause.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// With returns a copy with one public member more.
func (e *Error) With(key, value string) *Error {
	c := *e
	c.Data = map[string]string{key: value}
	for k, v := range e.Data {
		if k != key {
			c.Data[k] = v
		}
	}
	return &c
}

func (e *Error) Error() string {
	if e.cause != nil {
		return string(e.Code) + ": " + e.Detail + ": " + e.cause.Error()
	}
	return string(e.Code) + ": " + e.Detail
}

func (e *Error) Unwrap() error { return e.cause }

// Of returns the Error inside err. Any other error comes back as Internal with
// err as its cause, so that nothing private is shown by accident. Of(nil) is nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return New(Internal, "something went wrong on our side").Because(err)
}

// Is tells whether err carries the code.
func Is(err error, code Code) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Code == code
}
