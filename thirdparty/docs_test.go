package thirdparty_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"ringdown/thirdparty"
)

const manual = "../docs/integrations/xucmgt.md"

// What the manual shows is taken, and it names every key and every word for what
// proves nothing.
func TestTheManualIsRight(t *testing.T) {
	b, err := os.ReadFile(manual)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	samples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(samples) < 3 {
		t.Fatalf("%d samples", len(samples))
	}
	for i, s := range samples {
		var file struct {
			Connectors struct {
				Thirdparty thirdparty.Config `yaml:"thirdparty"`
			} `yaml:"connectors"`
		}
		filled := strings.ReplaceAll(s[1], "<the secret>", pathSecret)
		if err := yaml.UnmarshalWithOptions([]byte(filled), &file, yaml.Strict()); err != nil {
			t.Errorf("sample %d: %v", i, err)
		}
		if err := file.Connectors.Thirdparty.Validate(); err != nil {
			t.Errorf("sample %d: %v", i, err)
		}
		if w := file.Connectors.Thirdparty.Warnings(); len(w) > 0 {
			t.Errorf("sample %d: %v", i, w)
		}
	}
	for _, key := range keys(reflect.TypeFor[thirdparty.Config]()) {
		if !strings.Contains(text, key+":") && !strings.Contains(text, "`"+key+"`") {
			t.Errorf("it does not name %s", key)
		}
	}
	for _, word := range []string{"no_proof", "secret_wrong", "token_missing", "token_refused", "token_unchecked", "login_other"} {
		if !strings.Contains(text, "`"+word+"`") {
			t.Errorf("it does not explain %s", word)
		}
	}
}

// keys are the yaml names of a type, all levels.
func keys(t reflect.Type) (all []string) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	for f := range t.Fields() {
		all = append(append(all, f.Tag.Get("yaml")), keys(f.Type)...)
	}
	return all
}
