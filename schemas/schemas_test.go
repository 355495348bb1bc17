package schemas_test

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/xeipuuv/gojsonschema"

	"ringdown/fault"
	"ringdown/internal/leak"
	"ringdown/schemas"
)

func TestMain(m *testing.M) { leak.Main(m) }

// keywords are the words of draft-07 we use. The library passes over a word it
// does not know, so a misspelt one would check nothing.
var keywords = []string{
	"$schema", "$ref", "title", "description", "type", "enum", "const", "required", "properties", "additionalProperties",
	"definitions", "items", "minItems", "maxItems", "uniqueItems", "minLength", "maxLength", "pattern", "format",
	"minimum", "maximum", "anyOf", "oneOf", "allOf", "not",
}

var formats = []string{"date", "date-time", "email", "uri", "uri-reference"}

func TestEverySchemaIsSound(t *testing.T) {
	n := 0
	err := fs.WalkDir(schemas.Files(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		t.Run(name, func(t *testing.T) {
			if !strings.HasSuffix(name, ".accept.json") && !strings.HasSuffix(name, ".emit.json") {
				t.Error("the name must end with .accept.json or .emit.json")
			}
			text, err := fs.ReadFile(schemas.Files(), name)
			if err != nil {
				t.Fatal(err)
			}
			strict := gojsonschema.NewSchemaLoader()
			strict.Validate, strict.AutoDetect, strict.Draft = true, false, gojsonschema.Draft7
			if _, err := strict.Compile(gojsonschema.NewBytesLoader(text)); err != nil {
				t.Errorf("not a draft-07 schema: %v", err)
			}
			var doc map[string]any
			if err := json.Unmarshal(text, &doc); err != nil {
				t.Fatal(err)
			}
			if doc["$schema"] != "http://json-schema.org/draft-07/schema#" {
				t.Errorf("$schema is %v", doc["$schema"])
			}
			lint(t, "", doc)
			if _, err := schemas.Load(name); err != nil {
				t.Error(err)
			}
		})
		return nil
	})
	if err != nil || n == 0 {
		t.Fatalf("%d schemas, %v", n, err)
	}
}

// lint walks one schema object.
func lint(t *testing.T, at string, schema map[string]any) {
	for word, v := range schema {
		here := at + "/" + word
		switch {
		case !slices.Contains(keywords, word):
			t.Errorf("%s: unknown keyword", here)
		case word == "$ref" && !strings.HasPrefix(v.(string), "#/"):
			t.Errorf("%s: leads outside", here)
		case word == "format" && !slices.Contains(formats, v.(string)):
			t.Errorf("%s: unknown format", here)
		case word == "pattern" && strings.Contains(v.(string), "(?="):
			t.Errorf("%s: look-ahead", here)
		case word == "properties" || word == "definitions":
			for name, sub := range v.(map[string]any) {
				if sub, ok := sub.(map[string]any); ok {
					lint(t, here+"/"+name, sub)
				}
			}
		}
		switch v := v.(type) {
		case map[string]any:
			if word == "items" || word == "not" || word == "additionalProperties" {
				lint(t, here, v)
			}
		case []any:
			for _, sub := range v {
				if sub, ok := sub.(map[string]any); ok {
					lint(t, here, sub)
				}
			}
		}
	}
}

func TestCheckNamesTheField(t *testing.T) {
	s, err := schemas.Load("xcally/reply.accept.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, doc, pointer, detail string }{
		{"missing", `{"a/b~c":1}`, "/body", "is missing"},
		{"wrong type", `{"body":7}`, "/body", "must be string, not integer"},
		{"deeper", `{"body":"b","Interaction":{"id":{"canary":1}}}`, "/Interaction/id", "must be"},
		{"not an object", `[]`, "", "must be object, not array"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			doc, err := schemas.Decode([]byte(tc.doc))
			if err != nil {
				t.Fatal(err)
			}
			f := fault.Of(s.Check(doc))
			if f == nil || f.Code != fault.Invalid || f.Fields[0].Pointer != tc.pointer || !strings.HasPrefix(f.Fields[0].Detail, tc.detail) {
				t.Errorf("got %v", f)
			}
		})
	}
}

func TestDecodeWantsExactlyOneDocument(t *testing.T) {
	for _, bad := range []string{"", "{", `{"a":1}{}`, `{"a":1} x`, "{\"a\":\"\x00\"}", "null null"} {
		if doc, err := schemas.Decode([]byte(bad)); !fault.Is(err, fault.BadRequest) {
			t.Errorf("%q gave %v, %v", bad, doc, err)
		}
	}
	doc, err := schemas.Decode([]byte(" {\"id\":12345678901234567890}\n"))
	if err != nil || doc.(map[string]any)["id"] != json.Number("12345678901234567890") {
		t.Errorf("got %v, %v", doc, err)
	}
}

func TestLoadNamesWhatIsMissing(t *testing.T) {
	if _, err := schemas.Load("xcally/none.json"); err == nil || !strings.Contains(err.Error(), "xcally/none.json") {
		t.Errorf("got %v", err)
	}
}
