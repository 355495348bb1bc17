// Package schemas holds the JSON Schemas of what we exchange with others, one
// folder per vendor: accept for what comes in, emit for what we send or answer.
// They are draft-07 files, embedded, compiled once, and refer to nothing
// outside of themselves.
//
// The package refuses to know what the documents mean, and starts no goroutine.
package schemas

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/xeipuuv/gojsonschema"

	"ringdown/fault"
)

//go:generate go run gen.go

//go:embed */*.json
var files embed.FS

// Files returns the schema files, for tests that walk them.
func Files() embed.FS { return files }

// Schema checks documents. Safe for concurrent use.
type Schema struct {
	name     string
	compiled *gojsonschema.Schema
}

// Load compiles one file: "xcally/reply.accept.json".
func Load(name string) (*Schema, error) {
	text, err := files.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	compiled, err := gojsonschema.NewSchema(gojsonschema.NewBytesLoader(text))
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	return &Schema{name, compiled}, nil
}

// Decode reads exactly one JSON document, with numbers as json.Number. The error
// is a fault BadRequest fit for outsiders.
func Decode(body []byte) (any, error) {
	if bytes.IndexByte(body, 0) >= 0 {
		return nil, fault.New(fault.BadRequest, "the body holds a NUL byte")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return nil, fault.New(fault.BadRequest, "the body must be one JSON document").Because(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.BadRequest, "there is something after the JSON document")
	}
	return doc, nil
}

// Check checks a document from Decode. The error is a fault Invalid that names
// each wrong field by its JSON pointer and repeats no value.
func (s *Schema) Check(doc any) error {
	res, err := s.compiled.Validate(gojsonschema.NewRawLoader(doc))
	if err != nil {
		return fault.New(fault.BadRequest, "the body cannot be checked").Because(fmt.Errorf("schema %s: %w", s.name, err))
	}
	if res.Valid() {
		return nil
	}
	var fields []fault.Field
	for _, e := range res.Errors() {
		f := fault.Field{Pointer: pointer(e), Detail: detail(e)}
		if !slices.Contains(fields, f) {
			fields = append(fields, f)
		}
	}
	slices.SortFunc(fields, func(a, b fault.Field) int { return strings.Compare(a.Pointer+a.Detail, b.Pointer+b.Detail) })
	f := fault.NewInvalid(fields[0].Pointer, "%s", fields[0].Detail)
	f.Fields = fields
	return f
}

// pointer is the JSON pointer of the field an error is about. The library names
// the parent of a missing one.
func pointer(e gojsonschema.ResultError) string {
	const sep = "\x00"
	path := strings.Split(e.Context().String(sep), sep)[1:] // after "(root)"
	switch e.Type() {
	case "required", "additional_property_not_allowed":
		path = append(path, fmt.Sprint(e.Details()["property"]))
	}
	var b strings.Builder
	for _, p := range path {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p))
	}
	return b.String()
}

func detail(e gojsonschema.ResultError) string {
	d := e.Details()
	switch e.Type() {
	case "required":
		return "is missing"
	case "invalid_type":
		return fmt.Sprintf("must be %v, not %v", d["expected"], d["given"])
	case "string_gte":
		return fmt.Sprintf("must have at least %v characters", d["min"])
	case "string_lte":
		return fmt.Sprintf("must have at most %v characters", d["max"])
	case "enum":
		return fmt.Sprintf("must be one of %v", d["allowed"])
	case "additional_property_not_allowed":
		return "is not known here"
	}
	return "does not fit the schema (" + e.Type() + ")"
}
