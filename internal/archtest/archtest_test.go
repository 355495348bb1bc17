package archtest

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestHouse(t *testing.T) {
	broken, err := Check(os.DirFS("../.."), House())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range broken {
		t.Error(b)
	}
}

func TestCheck(t *testing.T) {
	for _, tc := range []struct {
		name, file, src string
		want            string // a part of the one sentence; "" for none
	}{
		{"down is fine", "outbox/a.go", `import "ringdown/meeting"`, ""},
		{"up is not", "meeting/a.go", `import "ringdown/outbox"`, "imports point down"},
		{"one floor does not see itself", "httpd/a.go", `import "ringdown/access"`, "floor 2"},
		{"named exceptions below", "httpd/a.go", `import "ringdown/meeting"`, "httpd must never see meeting"},
		{"the ground sees nothing", "fault/a.go", `import "ringdown/meeting"`, "may see nothing"},
		{"the core knows no HTTP", "meeting/a.go", `import "net/http"`, "must never see net/http"},
		{"nor anything below net/http", "meeting/a.go", `import "net/http/httptest"`, "must never see net/http"},
		{"but what only looks like it", "meeting/a.go", `import "net/httpx"`, ""},
		{"the core knows no SQL", "meeting/a.go", `import "database/sql"`, "must never see database/sql"},
		{"the core knows no media library", "meeting/a.go", `import "github.com/pion/webrtc/v4"`, "must never see github.com/pion"},
		{"media knows no gin", "media/a.go", `import "github.com/gin-gonic/gin"`, "must never see"},
		{"media knows no metrics", "media/a.go", `import "github.com/prometheus/client_golang/prometheus"`, "must never see"},
		{"media knows no meeting", "media/a.go", `import "ringdown/meeting"`, "floor 1"},
		{"signal sees media", "media/signal/a.go", `import "ringdown/media"`, ""},
		{"signal knows no meeting", "media/signal/a.go", `import "ringdown/meeting"`, "must never see meeting"},
		{"the API does not see media", "api/a.go", `import "ringdown/media"`, "only"},
		{"the API does not see the store", "api/a.go", `import "ringdown/store"`, "api must never see store"},
		{"a vendor sees the contract", "connectors/xcally/a.go", `import "ringdown/connectors"`, ""},
		{"a vendor does not see another", "connectors/xcally/a.go", `import "ringdown/connectors/mail"`, "floor 6"},
		{"a vendor does not see the store", "connectors/xcally/a.go", `import "ringdown/store"`, "must never see store"},
		{"a stand-in sees httpd", "emulate/xcally/a.go", `import "ringdown/httpd"`, ""},
		{"a stand-in does not see its vendor", "emulate/xcally/a.go", `import "ringdown/connectors/xcally"`, "may see fault, httpd, schemas"},
		{"a stand-in does not see the core", "emulate/xcally/a.go", `import "ringdown/meeting"`, "may see fault, httpd, schemas"},
		{"pages know the way in only", "web/a.go", `import "ringdown/api"`, "may see fault, httpd"},
		{"access satisfies httpd's port", "access/a.go", `import "ringdown/httpd"`, ""},
		{"access writes no handlers", "access/a.go", `import "github.com/gin-gonic/gin"`, "must never see"},
		{"app sees config", "app/a.go", `import "ringdown/config"`, ""},
		{"cmd sees config", "cmd/ringdown/a.go", `import "ringdown/config"`, ""},
		{"nobody else sees config", "api/a.go", `import "ringdown/config"`, "only app, cmd/ringdown"},
		{"config sees everybody's Config", "config/a.go", `import "ringdown/connectors/xcally"`, ""},
		{"media's too", "config/a.go", `import "ringdown/media"`, ""},
		{"config does not see app", "config/a.go", `import "ringdown/app"`, "floor 7"},
		{"product code uses no test package", "app/a.go", `import "ringdown/store/storetest"`, "only tests"},
		{"a test package sees its room", "media/signal/signaltest/a.go", `import "ringdown/media/signal"`, ""},
		{"a test package sees what its room sees", "store/storetest/a.go", `import "ringdown/outbox"`, ""},
		{"and no more", "store/storetest/a.go", `import "ringdown/media"`, "only"},
		{"tests are free", "meeting/a_test.go", `import "net/http"`, ""},
		{"kin-openapi is for tests", "api/a.go", `import "github.com/getkin/kin-openapi/openapi3"`, "for tests only"},
		{"and may be there", "api/a_test.go", `import "github.com/getkin/kin-openapi/openapi3"`, ""},
		{"invopop is for generation", "config/a.go", `import "github.com/invopop/jsonschema"`, "go generate only"},
		{"a library has its owner", "api/a.go", `import "github.com/rs/cors"`, "belongs to httpd"},
		{"an unknown room", "misc/a.go", ``, "add it to internal/archtest/rooms.go"},
		{"an unknown room below a known one", "httpd/inner/a.go", ``, "add it to internal/archtest/rooms.go"},
		{"an import of an unknown room", "app/a.go", `import "ringdown/misc"`, "no known room"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			house := fstest.MapFS{tc.file: {Data: []byte("package a\n" + tc.src + "\n")}}
			broken, err := Check(house, House())
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tc.want == "" && len(broken) > 0:
				t.Errorf("got %q, want nothing", broken)
			case tc.want != "" && (len(broken) != 1 || !strings.Contains(broken[0], tc.want)):
				t.Errorf("got %q, want one sentence with %q", broken, tc.want)
			}
		})
	}
}

func TestCheckReadsOnlyTheHouse(t *testing.T) {
	house := fstest.MapFS{
		"x/a.go":                {Data: []byte("package a\n")},
		"tools/go.mod":          {Data: []byte("module tools\n")},
		"tools/a.go":            {Data: []byte("package a\n")},
		"api/testdata/a.go":     {Data: []byte("package a\n")},
		"e2e/node_modules/a.go": {Data: []byte("package a\n")},
		".ci/a.go":              {Data: []byte("package a\n")},
		"config/schema.go":      {Data: []byte("//go:build ignore\n\npackage main\n\nimport \"github.com/invopop/jsonschema\"\n")},
	}
	broken, err := Check(house, House())
	if err != nil || len(broken) > 0 {
		t.Errorf("got %q and %v, want nothing", broken, err)
	}
	house["api/bad.go"] = &fstest.MapFile{Data: []byte("packag a\n")}
	if _, err := Check(house, House()); err == nil {
		t.Error("a file that is not Go went unnoticed")
	}
}
