package httpd

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ringdown/fault"
)

// upper is a type that decodes itself and has words for what is wrong.
type upper string

func (u *upper) UnmarshalText(text []byte) error {
	if string(text) != strings.ToUpper(string(text)) {
		return fault.New(fault.Invalid, "must be in capitals")
	}
	*u = upper(text)
	return nil
}

type inner struct {
	Kept string `json:"kept"`
}

type sample1 struct {
	inner
	Name    string            `json:"name"`
	Age     int8              `json:"age"`
	Places  uint              `json:"places"`
	Share   float32           `json:"share"`
	Open    bool              `json:"open"`
	At      *time.Time        `json:"at"`
	Code    upper             `json:"code"`
	Visitor *visitor          `json:"visitor"`
	List    []visitor         `json:"list"`
	Fields  map[string]string `json:"fields"`
	Any     any               `json:"any"`
	Raw     json.RawMessage   `json:"raw"`
	Bytes   []byte            `json:"bytes"`
	Secret  string            `json:"-"`
	hidden  string            //nolint:unused // a name that must stay unknown
}

type visitor struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

func TestUnmarshalJSON(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		code       fault.Code
		want       []string // "pointer detail" of each field, or the sentence
	}{
		{"empty", ``, fault.BadRequest, []string{"the body is empty; JSON is expected"}},
		{"blank", " \n", fault.BadRequest, []string{"the body is empty; JSON is expected"}},
		{"no JSON", `hello`, fault.BadRequest, []string{"the body is not JSON: wrong at byte 1"}},
		{"cut", `{"name":"a`, fault.BadRequest, []string{"the body is not JSON: it ends too early"}},
		{"second value", `{"name":"a"}{"name":"b"}`, fault.BadRequest, []string{"the body goes on after its JSON value; send exactly one"}},
		{"trailing garbage", `{"name":"a"} x`, fault.BadRequest, []string{"the body goes on after its JSON value; send exactly one"}},
		{"a NUL after the value", "{}\x00", fault.BadRequest, []string{"the body goes on after its JSON value; send exactly one"}},
		{"a list", `[1]`, fault.Invalid, []string{" must be an object"}},
		{"a string", `"a"`, fault.Invalid, []string{" must be an object"}},
		{"null", `null`, fault.Invalid, []string{" must be an object, not null"}},
		{"escaped NUL", `{"visitor":{"name":"a\u0000b"}}`, fault.BadRequest, []string{"/visitor/name must not hold a NUL character"}},
		{"raw NUL", "{\"visitor\":{\"name\":\"a\x00b\"}}", fault.BadRequest, []string{"/visitor/name must not hold a NUL character"}},
		{"raw NUL between", "{\x00}", fault.BadRequest, []string{"the body is not JSON: wrong at byte 2"}},
		{"bad UTF-8", "{\"list\":[{},{\"email\":\"\xff\"}]}", fault.BadRequest, []string{"/list/1/email must be UTF-8"}},
		{"bad UTF-8 in a map", "{\"fields\":{\"a\":\"\xc3\"}}", fault.BadRequest, []string{"/fields/a must be UTF-8"}},
		{"NUL in a free value", `{"any":{"x":["\u0000"]}}`, fault.BadRequest, []string{"/any/x/0 must not hold a NUL character"}},
		{"NUL in a raw value", `{"raw":{"x":"\u0000"}}`, fault.BadRequest, []string{"/raw/x must not hold a NUL character"}},
		{"NUL in a name", `{"fields":{"a\u0000":"b"}}`, fault.BadRequest, []string{"/fields/a\uFFFD must not hold a NUL character"}},
		{"NUL in a type that decodes itself", `{"code":"\u0000"}`, fault.BadRequest, []string{"/code must not hold a NUL character"}},
		{"unreadable goes before invalid", `{"age":"x","name":"\u0000"}`, fault.BadRequest, []string{"/name must not hold a NUL character"}},
		{"unknown, near", `{"visitor":{"nmae":"a"}}`, fault.Invalid, []string{`/visitor/nmae is not known; did you mean "name"?`}},
		{"unknown, other case", `{"Name":"a"}`, fault.Invalid, []string{`/Name is not known; did you mean "name"?`}},
		{"unknown, far", `{"telephone":"a"}`, fault.Invalid, []string{`/telephone is not known`}},
		{"unknown with a slash", `{"a/b~c":{"x":1}}`, fault.Invalid, []string{`/a~1b~0c is not known`}},
		{"the Go name of a hidden field", `{"Secret":"a","hidden":"b"}`, fault.Invalid, []string{"/Secret is not known", "/hidden is not known"}},
		{"twice", `{"name":"a","name":"b"}`, fault.Invalid, []string{"/name is given twice"}},
		{"wrong types", `{"name":1,"age":"1","places":-1,"share":true,"open":"yes"}`, fault.Invalid, []string{
			"/name must be a string", "/age must be a whole number", "/places must be a whole number, zero or more",
			"/share must be a number", "/open must be true or false",
		}},
		{"deep wrong types", `{"visitor":[],"list":{},"fields":{"a":1},"bytes":[1]}`, fault.Invalid, []string{
			"/visitor must be an object", "/list must be a list", "/fields/a must be a string", "/bytes must be a string in base64",
		}},
		{"in a list", `{"list":[{"name":"a"},{"name":2}]}`, fault.Invalid, []string{"/list/1/name must be a string"}},
		{"fraction", `{"age":1.5}`, fault.Invalid, []string{"/age must be a whole number"}},
		{"range", `{"age":128,"share":1e99}`, fault.Invalid, []string{"/age is out of range", "/share is out of range"}},
		{"null for text", `{"name":null}`, fault.Invalid, []string{"/name must be a string, not null"}},
		{"null for a list", `{"list":null}`, fault.Invalid, []string{"/list must be a list, not null"}},
		{"null for a type that decodes itself", `{"code":null}`, fault.Invalid, []string{"/code must not be null"}},
		{"time", `{"at":"tomorrow"}`, fault.Invalid, []string{"/at must be a time such as 2026-11-21T08:00:00Z"}},
		{"own words", `{"code":"abc"}`, fault.Invalid, []string{"/code must be in capitals"}},
		{"base64", `{"bytes":"*"}`, fault.Invalid, []string{"/bytes must be a string in base64"}},
		{"too deep", `{"any":` + strings.Repeat("[", 100) + strings.Repeat("]", 100) + `}`, fault.BadRequest, []string{"the body is nested deeper than 64 levels"}},
		{"far too deep", strings.Repeat("[", 50_000), fault.BadRequest, []string{"the body is not JSON: wrong at byte 10001"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var v sample1
			err := UnmarshalJSON([]byte(tc.body), &v)
			var f *fault.Error
			if !errors.As(err, &f) {
				t.Fatalf("got %v", err)
			}
			got := []string{f.Detail}
			if len(f.Fields) > 0 {
				got = nil
				for _, field := range f.Fields {
					got = append(got, field.Pointer+" "+field.Detail)
				}
			}
			if f.Code != tc.code || !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %s %q, want %s %q", f.Code, got, tc.code, tc.want)
			}
			if !utf8.ValidString(f.Detail) {
				t.Errorf("detail %q", f.Detail)
			}
		})
	}
}

func TestUnmarshalJSONTakes(t *testing.T) {
	var v sample1
	body := `{"kept":"k","name":"été \u00e9","age":-128,"places":3,"share":0.5,"open":true,"at":"2026-11-21T08:00:00Z","code":"AB",
		"visitor":{"name":"Anna","email":""},"list":[{"name":"a"}],"fields":{"x":"y"},"any":[1,null,{"a":{}}],"raw":{"a": [1]},"bytes":"AQI="}`
	if err := UnmarshalJSON([]byte(body), &v); err != nil {
		t.Fatal(err)
	}
	var want sample1
	if err := json.Unmarshal([]byte(body), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(v, want) || v.Kept != "k" || v.Visitor.Name != "Anna" || string(v.Raw) != `{"a": [1]}` {
		t.Errorf("got %+v", v)
	}
	for _, body := range []string{`{}`, `{"visitor":null,"at":null,"any":null,"raw":null}`, " {} \n"} {
		if err := UnmarshalJSON([]byte(body), &v); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
	var list []int
	if err := UnmarshalJSON([]byte(`[1,2]`), &list); err != nil || len(list) != 2 {
		t.Errorf("a list: %v %v", list, err)
	}
	if err := UnmarshalJSON([]byte(`{}`), nil); fault.Of(err).Code != fault.Internal {
		t.Errorf("no target: %v", err)
	}
}

func TestUnmarshalJSONTellsAtMostTwenty(t *testing.T) {
	var v sample1
	err := UnmarshalJSON([]byte(`{"list":[`+strings.Repeat(`{"name":1},`, 500)+`{}]}`), &v)
	if f := fault.Of(err); len(f.Fields) != maxFaults {
		t.Errorf("%d fields", len(f.Fields))
	}
}

func TestChecks(t *testing.T) {
	var none Checks
	none.Unless(true, "/a", "must be b")
	if err := none.Err(); err != nil {
		t.Errorf("got %v", err)
	}
	var c Checks
	c.Unless(false, "/name", "must have at most %d characters", 80)
	c.Unless(false, "header:Idempotency-Key", "must not be empty")
	f := fault.Of(c.Err())
	if f.Code != fault.Invalid || len(f.Fields) != 2 ||
		f.Detail != "/name must have at most 80 characters; header:Idempotency-Key must not be empty" {
		t.Errorf("got %+v", f)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"name", "email", "queue", "redirect_url"}
	for name, want := range map[string]string{
		"nmae": "name", "e-mail": "email", "EMAIL": "email", "redirect_uri": "redirect_url", "x": "", "telephone": "",
		strings.Repeat("n", 10_000): "",
	} {
		if got := Nearest(name, known); got != want {
			t.Errorf("%.20s: got %q, want %q", name, got, want)
		}
	}
}

func FuzzUnmarshalJSON(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `{"name":"a","age":1}`, `{"name":"\u0000"}`, "{\"name\":\"\xff\"}", `{"list":[{"name":1}]}`, `[[[]]]`, `{"any":{"a":[1e400]}}`,
		`{"at":"2026-11-21T08:00:00Z","code":"AB","bytes":"AQI="}`, `{"name":"a"}{}`, "\x00", `{"name":"\ud800"}`, `{"age":1e1}`, `{"raw":[1,"x"]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var v sample1
		err := UnmarshalJSON(body, &v)
		if err != nil {
			var fe *fault.Error
			if !errors.As(err, &fe) || fe.Code != fault.BadRequest && fe.Code != fault.Invalid {
				t.Fatalf("%v", err)
			}
			if len(fe.Detail) > 20_000 || !utf8.ValidString(fe.Detail) || strings.ContainsRune(fe.Detail, 0) {
				t.Fatalf("detail %q", fe.Detail)
			}
			return
		}
		var plain sample1
		if err := json.Unmarshal(body, &plain); err != nil {
			t.Fatalf("taken, but encoding/json says %v", err)
		}
		if !reflect.DeepEqual(v, plain) {
			t.Fatalf("%+v is not %+v", v, plain)
		}
		out, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if !utf8.Valid(out) || strings.Contains(string(out), `\u0000`) && !strings.Contains(string(body), `\\u0000`) {
			t.Fatalf("bad text came through: %q", out)
		}
	})
}
