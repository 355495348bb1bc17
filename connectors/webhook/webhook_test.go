package webhook

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"

	"ringdown/connectors"
	"ringdown/connectors/connectortest"
	"ringdown/egress"
	"ringdown/internal/hostile"
	"ringdown/internal/leak"
	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/secret"
)

func TestMain(m *testing.M) { leak.Main(m) }

var update = flag.Bool("update", false, "rewrite the samples")

const (
	key1 = "whsec_Y2FuYXJ5IG51bWJlciBvbmUgb2YgMjQgYnl0ZXMu" // 30 bytes
	key2 = "whsec_Y2FuYXJ5IG51bWJlciB0d28gb2YgMjQgYnl0ZXMu"
)

func TestConnector(t *testing.T) {
	const token, header = "canaryTokenOfTheURL", "Bearer canaryOfTheHeader"
	connectortest.Run(t, connectortest.Options{
		New: func(d connectors.Deps) (connectors.Connector, error) {
			return New(Config{Endpoints: []Endpoint{{
				Name: "main", URL: "https://crm.example/hook?token=" + token, Secrets: []secret.Secret{key1, key2}, Events: []string{"*"},
				Headers: map[string]secret.Secret{"Authorization": header},
			}}}, d)
		},
		Secrets: []string{token, header, key1[6:], key2[6:]}, Insists: true,
	})
}

// rig is a connector that reaches its receivers through the real way out.
type rig struct {
	*Connector
	log bytes.Buffer
	now time.Time
}

func newRig(t *testing.T, own func() []netip.AddrPort, endpoints ...Endpoint) *rig {
	t.Helper()
	cfg := egress.DefaultConfig()
	noName := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("there is no name server")
	}}
	exit, err := egress.New(cfg, egress.Deps{Metrics: prometheus.NewRegistry(), Own: own, Resolver: noName})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(exit.Close)
	r := &rig{now: connectortest.Start}
	r.Connector, err = New(Config{Endpoints: endpoints}, connectors.Deps{
		Log: slog.New(slog.NewJSONHandler(&r.log, nil)), Now: func() time.Time { return r.now },
		Egress: func(o egress.Options) (connectors.Doer, error) { return exit.Client(o) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func receiver(t *testing.T) *hostile.Receiver {
	t.Helper()
	r, err := hostile.Start(hostile.Options{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// at is an endpoint with nothing but what it needs.
func at(name, url string) Endpoint {
	return Endpoint{Name: name, URL: secret.Secret(url), Secrets: []secret.Secret{key1}}
}

func delivery(target string) outbox.Delivery {
	return outbox.Delivery{
		ID: 1, Public: "dlv_1", Target: target, Dest: target + "/mtg_1", Meeting: "mtg_1", Kind: meeting.KindEnded, CreatedAt: connectortest.Start,
		Body: []byte(`{"type":"meeting.ended","data":{"id":"evt_7","seq":7,"meeting":{"id":"mtg_1"}}}`),
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	dir := t.TempDir()
	three := filepath.Join(dir, "three")
	if err := os.WriteFile(three, []byte(key1+"\n"+key2+"\n"+key1+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := fmt.Sprintf("secrets: [%s]", key1)
	for _, tc := range []struct {
		name, endpoint string
		want           []string
	}{
		{"nothing", "{}", []string{"endpoints[0].name: must be lower-case", "endpoints[0].url: is needed", "endpoints[0].secrets: one is needed"}},
		{"a name for people", "{name: Our CRM, url: 'https://a.example/', " + good + "}", []string{"endpoints[0].name: must be lower-case"}},
		{"no whole URL", "{name: crm, url: crm.example/hook?canary, " + good + "}", []string{"endpoints[0] (crm).url: must be a whole address"}},
		{"another scheme", "{name: crm, url: 'ftp://canary.example/', " + good + "}", []string{"url: must be a whole address"}},
		{"a password in the URL", "{name: crm, url: 'https://u:canary@crm.example/', " + good + "}", []string{"url: must not hold a user and password; set an Authorization header"}},
		{"a fragment", "{name: crm, url: 'https://crm.example/#canary', " + good + "}", []string{"url: must not hold a \"#\""}},
		{"URL twice", "{name: crm, url: 'https://crm.example/', url_file: /nowhere, " + good + "}", []string{"url: is given both"}},
		{"URL of no file", "{name: crm, url_file: /nowhere/url, " + good + "}", []string{"url: open /nowhere/url"}},
		{"a secret without its prefix", "{name: crm, url: 'https://a.example/', secrets: [canary]}", []string{"secrets[0]: must be whsec_ and base64; `echo whsec_$(openssl"}},
		{"a secret that is no base64", "{name: crm, url: 'https://a.example/', secrets: [whsec_canary-]}", []string{"secrets[0]: must be whsec_ and base64"}},
		{"a secret of 23 bytes", "{name: crm, url: 'https://a.example/', secrets: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=]}", []string{"secrets[0]: holds 23 bytes and must hold 24 to 64"}},
		{"a secret of 65 bytes", "{name: crm, url: 'https://a.example/', secrets: [" + key1 + ", whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ=]}", []string{"secrets[1]: holds 65 bytes"}},
		{"three secrets", "{name: crm, url: 'https://a.example/', secrets: [" + key1 + ", " + key2 + ", " + key1 + "]}", []string{"secrets: one is needed, or two"}},
		{"three secrets in a file", "{name: crm, url: 'https://a.example/', secrets_file: " + three + "}", []string{"secrets: one is needed, or two"}},
		{"one secret twice", "{name: crm, url: 'https://a.example/', secrets: [" + key1 + ", " + key1 + "]}", []string{"secrets[1]: is the same as the first"}},
		{"secrets here and there", "{name: crm, url: 'https://a.example/', " + good + ", secrets_file: " + three + "}", []string{"secrets: are given both"}},
		{"secrets of no file", "{name: crm, url: 'https://a.example/', secrets_file: /nowhere/s}", []string{"secrets_file: open /nowhere/s"}},
		{"an event mistyped", "{name: crm, url: 'https://a.example/', " + good + ", events: [meeting.anwsered, '*']}", []string{`events[0]: there is no event "meeting.anwsered"; did you mean meeting.answered?`}},
		{"a group mistyped", "{name: crm, url: 'https://a.example/', " + good + ", events: [meetings.*]}", []string{`events[0]: there is no event "meetings.*"; did you mean meeting.*?`}},
		{"no such event at all", "{name: crm, url: 'https://a.example/', " + good + ", events: [everything you have]}", []string{`there is no event "everything you have"; there is *, link.*, link.dispatched, meeting.*, meeting.answered,`}},
		{"half a group", "{name: crm, url: 'https://a.example/', " + good + ", events: ['meet*']}", []string{`there is no event "meet*"`}},
		{"our header", "{name: crm, url: 'https://a.example/', " + good + ", headers: {webhook-id: canary}}", []string{"headers.webhook-id: is set by us"}},
		{"any of our prefix", "{name: crm, url: 'https://a.example/', " + good + ", headers: {WEBHOOK-Attempt: canary}}", []string{"headers.WEBHOOK-Attempt: is set by us"}},
		{"Host", "{name: crm, url: 'https://a.example/', " + good + ", headers: {host: canary.example}}", []string{"headers.host: is set by us"}},
		{"Content-Type", "{name: crm, url: 'https://a.example/', " + good + ", headers: {content-type: text/canary}}", []string{"headers.content-type: is set by us"}},
		{"a header that is none", "{name: crm, url: 'https://a.example/', " + good + ", headers: {'X Y': canary}}", []string{"headers.X Y: is no name of a header"}},
		{"a header with another inside", "{name: crm, url: 'https://a.example/', " + good + ", headers: {X-Y: \"a\\r\\nHost: canary\"}}", []string{"headers.X-Y: must be printable text on one line"}},
		{"a header twice", "{name: crm, url: 'https://a.example/', " + good + ", headers: {x-y: canary, X-Y: canary}}", []string{"headers.x-y: is given twice"}},
		{"a name twice", "{name: crm, url: 'https://a.example/', " + good + "}\n  - {name: crm, url: 'https://b.example/', " + good + "}", []string{"endpoints[1] (crm).name: used by another endpoint"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c Config
			if err := yaml.UnmarshalWithOptions([]byte("endpoints:\n  - "+tc.endpoint+"\n"), &c, yaml.Strict()); err != nil {
				t.Fatal(err)
			}
			err := c.Validate()
			if err == nil {
				t.Fatal("taken")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q is not said in:\n%v", want, err)
				}
			}
			if n := len(strings.Split(err.Error(), "\n")); n != len(tc.want) {
				t.Errorf("%d faults and not %d:\n%v", n, len(tc.want), err)
			}
			if strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "Y2FuYXJ5") {
				t.Errorf("a secret shows in %v", err)
			}
		})
	}
	if err := (Config{}).Validate(); err == nil || !strings.HasPrefix(err.Error(), "endpoints: at least one is needed") {
		t.Errorf("no endpoint: %v", err)
	}
}

func TestConfigKnowsQueuesAndSites(t *testing.T) {
	c := Config{Endpoints: []Endpoint{{Queues: []string{"advice", "loands"}, Sites: []string{"shop", "blog"}}}}
	err := c.Unknown([]string{"advice", "loans"}, nil)
	want := "endpoints[0].queues[1]: there is no queue \"loands\"; did you mean loans?\n" +
		"endpoints[0].sites[0]: there is no site \"shop\"\nendpoints[0].sites[1]: there is no site \"blog\""
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	if err := c.Unknown([]string{"advice", "loands"}, []string{"blog", "shop"}); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestConfigShowsNoSecret(t *testing.T) {
	e := at("crm", "https://crm.example/?canary")
	e.Headers = map[string]secret.Secret{"Authorization": "canary"}
	text, err := yaml.Marshal(Config{Endpoints: []Endpoint{e}})
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{string(text), fmt.Sprintf("%+v", e), fmt.Sprintf("%#v", e)} {
		if strings.Contains(out, "canary") || strings.Contains(out, key1[6:]) {
			t.Errorf("a secret shows in %s", out)
		}
	}
}

func TestSecretsFromFiles(t *testing.T) {
	leak.Check(t)
	dir := t.TempDir()
	in := receiver(t)
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	r := newRig(t, nil, Endpoint{Name: "crm", URLFile: write("url", in.URL()+"/hook\n"), SecretsFile: write("secrets", key1+"\n"+key2+"\n")})
	if got := r.Deliver(t.Context(), delivery("webhook/crm")); got.Verdict != outbox.OK {
		t.Fatalf("got %+v", got)
	}
	if e := in.Ledger()[0]; e.Path != "/hook" || len(strings.Fields(e.Signature)) != 2 {
		t.Errorf("got %+v", e)
	}
}
