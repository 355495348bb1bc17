package config_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"ringdown/config"
	"ringdown/customer"
)

const example = "../config.example.yaml"

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ringdown.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestExample(t *testing.T) {
	c, err := config.Load(example, nil)
	if err != nil {
		t.Fatal(err)
	}
	// What the manual shows for a key that has a default is that default.
	d := config.Default()
	d.PublicURL = c.PublicURL
	c2 := c
	c2.Sites, c2.Queues, c2.Connectors, c2.Customers = nil, nil, config.Connectors{}, customer.Config{}
	c2.TrustedProxies, c2.Egress.AllowNetworks = nil, nil
	if !reflect.DeepEqual(c2, d) {
		t.Errorf("the example differs from the defaults:\n%+v\n%+v", c2, d)
	}

	t.Run("names every key", func(t *testing.T) {
		b, err := os.ReadFile(example)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys(reflect.TypeFor[config.Config]()) {
			if !strings.Contains(string(b), key+":") {
				t.Errorf("the manual does not show %s", key)
			}
		}
	})
	t.Run("shows no secret when printed", func(t *testing.T) {
		j, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, out := range []string{fmt.Sprintf("%v", c), fmt.Sprintf("%+v", c.Connectors.XCALLY), fmt.Sprintf("%#v", *c.Connectors.XCALLY), fmt.Sprintf("%#v", *c.Connectors.Webhook), string(j)} {
			if strings.Contains(out, "change-me-change-me") || strings.Contains(out, "token=") || strings.Contains(out, "Y2hhbmdl") || strings.Contains(out, "/hooks/") {
				t.Errorf("a secret shows in %s", out)
			}
		}
	})
}

// keys are the yaml names of a type, all levels.
func keys(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var all []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "-" {
			continue
		}
		if name != "" {
			all = append(all, name)
		}
		all = append(all, keys(f.Type)...)
	}
	return all
}

func TestLoad(t *testing.T) {
	for _, tc := range []struct {
		name, file string
		environ    []string
		want       []string // in the error, all of them
	}{
		{
			"an unknown key has its place and the nearest name", "listen: 127.0.0.1:0\npublic_ulr: http://x\n", nil,
			[]string{":2:1: public_ulr: is not a key here; did you mean public_url?"},
		},
		{"below a section too", "media:\n  prot: 1\n", nil, []string{":2:3: media.prot: is not a key here; did you mean port?"}},
		{
			"all faults at once", "listne: x\nmedia:\n  port: many\nsites:\n  - nmae: x\n", nil,
			[]string{"listne", "listen?", ":3:3: media.port: must be a whole number", ":5:5: sites[0].nmae"},
		},
		{
			"what cannot be read and what is wrong, together", "drain_timeout: 10\nlog: {level: loud}\nqueues: [{name: Q}]\nlitsen: x\n", nil,
			[]string{"drain_timeout: needs a unit", "log.level: must be", "queues[0].name", "did you mean listen?"},
		},
		{"a doubled key", "listen: 127.0.0.1:1\nlisten: 127.0.0.1:2\n", nil, []string{"listen"}},
		{"a duration needs a unit", "drain_timeout: 10\n", nil, []string{":1:1: drain_timeout: needs a unit, like 30s"}},
		{"not YAML", "listen: [\n", nil, []string{"is not YAML"}},
		{"a list where a text belongs", "listen: [a]\n", nil, []string{"listen: must be text"}},
		{"a text where a list belongs", "sites: shop\n", nil, []string{"sites: must be a list"}},
		{"two documents", "listen: 127.0.0.1:1\n---\nlisten: 127.0.0.1:2\n", nil, []string{"one document"}},
		{
			"a fault of a room has its place", "queues:\n  - name: a\n    ring: {window: 1h}\n", nil,
			[]string{":3:12: queues[0].ring.window: 1h0m0s must be between 1s and 30m"},
		},
		{
			"a site without its queue", "sites:\n  - {id: a, key: pk_abcdef, origins: [https://a.example], queue: b}\n", nil,
			[]string{`sites[0].queue: there is no queue "b"`},
		},
		{
			"an origin with a path", "queues: [{name: q}]\nsites:\n  - {id: a, key: pk_abcdef, origins: ['https://a.example/x'], queue: q}\n", nil,
			[]string{"sites[0].origins[0]", "scheme and host only"},
		},
		{
			"a desk nobody configured", "queues: [{name: q, desks: [xcally/main]}]\n", nil,
			[]string{`queues[0].desks[0]: there is no desk "xcally/main"`},
		},
		{
			"a desk's account", "connectors:\n  xcally:\n    accounts:\n      - name: main\n        reply_secret: short\n", nil,
			[]string{":5:9: connectors.xcally.accounts[0].reply_secret", "receive_url"},
		},
		{
			"a webhook's event, secret and queue",
			"queues: [{name: loans}]\nconnectors:\n  webhook:\n    endpoints:\n      - name: crm\n        url: https://crm.example/\n        secrets: [short]\n        events: [meeting.anwsered]\n        queues: [loand]\n", nil,
			[]string{
				":7:19: connectors.webhook.endpoints[0].secrets[0]: must be whsec_ and base64", "connectors.webhook.endpoints[0].events[0]", "did you mean meeting.answered?",
				`:9:18: connectors.webhook.endpoints[0].queues[0]: there is no queue "loand"; did you mean loans?`,
			},
		},
		{"tls without a certificate", "tls:\n  mode: files\n", nil, []string{"tls.cert_file: is needed when tls.mode is files", "tls.key_file"}},
		{"another database", "database: mysql://x\n", nil, []string{"database: must be a postgres:// URL"}},
		{"the environment, unknown", "listen: 127.0.0.1:1\n", []string{"RINGDOWN_LISTNE=x"}, []string{"RINGDOWN_LISTNE: there is no such key"}},
		{
			"the environment, of the wrong kind", "listen: 127.0.0.1:1\n",
			[]string{"RINGDOWN_MEDIA_PORT=many"},
			[]string{"environment RINGDOWN_MEDIA_PORT: media.port: must be a whole number"},
		},
		{"the demo on another address", "", []string{"RINGDOWN_LISTEN=0.0.0.0:8080"}, []string{"loopback", "--config"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			name := ""
			if tc.file != "" {
				name = write(t, tc.file)
			}
			_, err := config.Load(name, tc.environ)
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range tc.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not in:\n%v", w, err)
				}
			}
		})
	}

	t.Run("a file that is missing", func(t *testing.T) {
		_, err := config.Load(filepath.Join(t.TempDir(), "no.yaml"), nil)
		if err == nil || !strings.Contains(err.Error(), "there is no such file") {
			t.Fatal(err)
		}
	})
	t.Run("the demo", func(t *testing.T) {
		c, err := config.Load("", []string{"RINGDOWN_DATA_DIR=/x", "HOME=/y"})
		if err != nil || !c.Demo || c.DataDir != "/x/demo" || len(c.Sites) != 1 {
			t.Fatalf("%+v, %v", c, err)
		}
	})
	t.Run("the environment over the file", func(t *testing.T) {
		c, err := config.Load(write(t, "media: {port: 1}\nlisten: 127.0.0.1:1\n"), []string{
			"RINGDOWN_MEDIA_PORT=7000", "RINGDOWN_TLS_MODE=off", "RINGDOWN_DRAIN_TIMEOUT=3s", "RINGDOWN_MEDIA_ADDRESSES=[auto, 192.0.2.1]",
			"RINGDOWN_QUEUES=[{name: q}]", "RINGDOWN_TEST_POSTGRES=x",
		})
		if err != nil || c.Media.Port != 7000 || c.DrainTimeout != 3*time.Second || len(c.Media.Addresses) != 2 || len(c.Queues) != 1 {
			t.Fatalf("%+v, %v", c, err)
		}
	})
	t.Run("a secret from a file", func(t *testing.T) {
		c, err := config.Load(write(t, "database_file: "+write(t, "postgres://u:p@h/d\n")+"\n"), nil)
		if err != nil || c.Database.Reveal() != "postgres://u:p@h/d" {
			t.Fatalf("%v, %v", c, err)
		}
	})
}

func FuzzLoad(f *testing.F) {
	b, err := os.ReadFile(example)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(b))
	f.Add("a: &x {b: *x}\n")
	f.Add("sites: [{fields: [{label: {en: 1}}]}]\n")
	f.Fuzz(func(t *testing.T, text string) {
		name := write(t, text)
		_, _ = config.Load(name, nil) // no panic, no hang
	})
}

func TestWarnings(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("connectors:\n  thirdparty: {}\n  sms: {preset: brevo, from: x, key: change-me-change-me}\nqueues:\n  - {name: advice}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(c.Warnings(), "\n")
	for _, want := range []string{"connectors.thirdparty.secret: is not set, so every ring is untrusted", "queues[0].desks: nobody is rung", "connectors.sms.key: is the example's"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not said in\n%s", want, got)
		}
	}
	if w := config.Default().Warnings(); len(w) != 0 {
		t.Error(w)
	}
}
