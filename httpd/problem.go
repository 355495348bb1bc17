package httpd

import (
	"encoding/json"
	"net/http"
	"strconv"

	"ringdown/fault"
)

// problemBase is where the type URIs of problems live; the code follows.
const problemBase = "https://ringdown.dev/errors/"

// RetryAfter is the member of a fault's Data that says in whole seconds when to
// try again; a Retry-After header goes with it.
const RetryAfter = "retry_after"

// kind is what belongs to a code and not to a case.
type kind struct {
	status int
	title  string
}

// kindOf is the one table from code to status and title; docs/errors.md tells
// the same, and a test holds them together.
func kindOf(code fault.Code) kind {
	switch code {
	case fault.Internal:
		return kind{http.StatusInternalServerError, "Something went wrong on our side"}
	case fault.Unavailable:
		return kind{http.StatusServiceUnavailable, "Not possible at the moment"}
	case fault.BadRequest:
		return kind{http.StatusBadRequest, "The request cannot be read"}
	case fault.Invalid:
		return kind{http.StatusUnprocessableEntity, "A field is wrong"}
	case fault.TooLarge:
		return kind{http.StatusRequestEntityTooLarge, "The body is too large"}
	case fault.Unauthorized:
		return kind{http.StatusUnauthorized, "A valid key or token is needed"}
	case fault.Forbidden:
		return kind{http.StatusForbidden, "This key or token may not do that"}
	case fault.OriginRefused:
		return kind{http.StatusForbidden, "The page's origin is not listed"}
	case fault.NotFound:
		return kind{http.StatusNotFound, "There is nothing here"}
	case fault.MethodRefused:
		return kind{http.StatusMethodNotAllowed, "The method is not allowed here"}
	case fault.Conflict:
		return kind{http.StatusConflict, "The state does not allow it"}
	case fault.KeyReused:
		return kind{http.StatusUnprocessableEntity, "The idempotency key was used for another request"}
	case fault.TooMany:
		return kind{http.StatusTooManyRequests, "Too many requests"}
	case fault.RingTaken:
		return kind{http.StatusConflict, "Another agent took the call"}
	case fault.RingOver:
		return kind{http.StatusGone, "The ring is over"}
	case fault.MeetingEnded:
		return kind{http.StatusGone, "The meeting is over"}
	case fault.MeetingFull:
		return kind{http.StatusConflict, "The meeting is full"}
	case fault.LinkExpired:
		return kind{http.StatusGone, "The link has expired"}
	case fault.LinkRevoked:
		return kind{http.StatusGone, "The link was withdrawn"}
	case fault.RedirectRefused:
		return kind{http.StatusUnprocessableEntity, "The redirect address is not allowed"}
	case fault.FileRefused:
		return kind{http.StatusUnsupportedMediaType, "This file is not taken"}
	case fault.FilesFull:
		return kind{http.StatusConflict, "No more files fit into this meeting"}
	}
	return kind{http.StatusInternalServerError, "Something went wrong on our side"}
}

// Status gives the HTTP status of a code, for surfaces that write faults in a
// shape of their own.
func Status(code fault.Code) int { return kindOf(code).status }

type problemField struct {
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// Problem gives the members of the problem document (RFC 9457) of a fault. The
// public members of its Data stand beside them and replace none of them.
func Problem(f *fault.Error, requestID string) map[string]any {
	k := kindOf(f.Code)
	doc := map[string]any{}
	for name, value := range f.Data {
		doc[name] = value
	}
	doc["type"] = problemBase + string(f.Code)
	doc["title"] = k.title
	doc["status"] = k.status
	doc["detail"] = f.Detail
	doc["instance"] = requestID
	doc["code"] = string(f.Code)
	delete(doc, "errors")
	if len(f.Fields) > 0 {
		list := make([]problemField, len(f.Fields))
		for i, field := range f.Fields {
			list[i] = problemField(field)
		}
		doc["errors"] = list
	}
	return doc
}

// WriteProblem writes a fault as application/problem+json. A fault that carries
// RetryAfter gets the header too.
func WriteProblem(w http.ResponseWriter, r *http.Request, f *fault.Error) {
	body, err := json.Marshal(Problem(f, RequestID(r.Context())))
	if err != nil { // strings, ints and slices of strings always marshal
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Del("Content-Length")
	h.Del("ETag")
	if s, err := strconv.Atoi(f.Data[RetryAfter]); err == nil && s >= 0 {
		h.Set("Retry-After", strconv.Itoa(s))
	}
	w.WriteHeader(kindOf(f.Code).status)
	_, _ = w.Write(append(body, '\n'))
}
