package xcally

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"ringdown/fault"
)

// bodyLimit caps every request body, in bytes.
const bodyLimit = 64 << 10

// receive answers a Receive URL.
func (s *Server) receive(w http.ResponseWriter, r *http.Request) error {
	// The account comes first, then the key, then the body: a caller with a wrong
	// key learns nothing about its payload.
	account, err := s.account(r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := checkKey(account, r, true); err != nil {
		return err
	}
	raw, err := readBody(w, r)
	if err != nil {
		return err
	}
	trouble, troubled := s.nextTrouble(account.ID)
	if troubled && !trouble.AfterStoring {
		return s.play(w, r, trouble)
	}
	in, err := decodeIncoming(account, r.Header.Get("Content-Type"), raw)
	if err != nil {
		return err
	}
	id := s.state.receive(in)
	if troubled {
		return s.play(w, r, trouble)
	}
	return writeAnswer(w, account.Answer, id)
}

func (s *Server) account(id string) (Account, error) {
	n, err := strconv.Atoi(id)
	if err == nil {
		if i := slices.IndexFunc(s.cfg.Accounts, func(a Account) bool { return a.ID == n }); i >= 0 {
			return s.cfg.Accounts[i], nil
		}
	}
	return Account{}, fault.New(fault.NotFound, "OpenChannel account not found")
}

// checkKey wants the account's API key or, on the Receive URL, its token.
func checkKey(a Account, r *http.Request, token bool) error {
	if !a.RequireKey {
		return nil
	}
	q := r.URL.Query()
	key, tok := q.Get("apikey"), q.Get("token")
	switch {
	case same(key, a.APIKey), token && same(tok, a.Token):
		return nil
	case key == "" && tok == "":
		return fault.New(fault.Unauthorized, "an apikey or a token is needed")
	case key != "":
		return fault.New(fault.Unauthorized, "the apikey is not valid")
	}
	return fault.New(fault.Forbidden, "the token is not valid here")
}

func same(given, want string) bool {
	return want != "" && subtle.ConstantTimeCompare([]byte(given), []byte(want)) == 1
}

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodyLimit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, fault.New(fault.TooLarge, "request entity too large: at most %d bytes", bodyLimit)
	case err != nil:
		return nil, fault.New(fault.BadRequest, "the body could not be read").Because(err)
	}
	return raw, nil
}

// decodeJSON reads exactly one JSON object of the right content type.
func decodeJSON(contentType string, raw []byte, into any) error {
	if mt, _, err := mime.ParseMediaType(contentType); err != nil || mt != "application/json" {
		return fault.New(fault.BadRequest, "the content type must be application/json")
	}
	dec := json.NewDecoder(strings.NewReader(string(raw)))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		return fault.New(fault.BadRequest, "the body is not the JSON object that is expected here").Because(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.New(fault.BadRequest, "one JSON object is expected, and nothing after it")
	}
	return nil
}

// decodeIncoming checks a message and sorts its keys: those of the message,
// fields of the contact, custom fields, and the rest, which are flow variables.
func decodeIncoming(a Account, contentType string, raw []byte) (incoming, error) {
	var body map[string]any
	if err := decodeJSON(contentType, raw, &body); err != nil {
		return incoming{}, err
	}
	in := incoming{account: a, mapKey: a.MapKey, contact: map[string]string{}, variables: map[string]string{}}
	for key, v := range body {
		if v == nil {
			continue
		}
		if key == "AttachmentId" {
			// Nothing can be uploaded here, so no id exists: a real server then
			// answers with its database's words.
			return incoming{}, fault.New(fault.Internal, "insert or update on table \"open_messages\" violates foreign key constraint \"AttachmentId\"")
		}
		value, ok := plain(v)
		if !ok {
			return incoming{}, fault.NewInvalid(key, "want text, not an object or a list")
		}
		switch {
		case key == "from":
			in.from = strings.TrimSpace(value)
		case key == "body":
			in.body = value
		case key == "mapKey":
			in.mapKey = value
		case key == "threadId":
			in.threadID = value
		case key == "externalUrl":
			in.external = value
		case key == "name": // V1: one name instead of two
			if _, ok := in.contact["firstName"]; !ok {
				in.contact["firstName"] = value
			}
		case customField(key):
			in.contact[key], in.variables[key] = value, value
		case contactField(key):
			in.contact[key] = value
		default:
			in.variables[key] = value
		}
	}
	switch {
	case in.from == "":
		return incoming{}, fault.NewInvalid("from", "is required and must not be empty")
	case strings.TrimSpace(in.body) == "":
		return incoming{}, fault.NewInvalid("body", "is required and must not be empty")
	case !contactField(in.mapKey):
		return incoming{}, fault.NewInvalid("mapKey", "is no contact field")
	}
	return in, nil
}

// plain gives the text of a JSON string, number or truth value.
func plain(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

func writeAnswer(w http.ResponseWriter, shape Answer, id int) error {
	var answer any
	switch shape {
	case AnswerEmpty:
		w.WriteHeader(http.StatusOK)
		return nil
	case AnswerTop:
		answer = map[string]any{"id": id}
	case AnswerTopString:
		answer = map[string]any{"id": strconv.Itoa(id)}
	case AnswerInteractionString:
		answer = map[string]any{"interaction": map[string]any{"id": strconv.Itoa(id)}}
	default:
		answer = map[string]any{"interaction": map[string]any{"id": id}}
	}
	return writeJSON(w, http.StatusOK, answer)
}
