package xcally_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"ringdown/connectors"
	"ringdown/connectors/connectortest"
	"ringdown/connectors/xcally"
	"ringdown/egress"
	"ringdown/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	replySecret = "canaryReplySecret0123456789"
	receiveKey  = "canaryReceiveKey42"
	receiveURL  = "https://motion.example/api/openchannel/accounts/5/notify?apikey=" + receiveKey
)

// main is an account with nothing but what it needs.
func mainAccount() xcally.Account {
	return xcally.Account{Name: "main", ReceiveURL: receiveURL, ReplySecret: replySecret}
}

// loans is an account with every setting.
func loansAccount() xcally.Account {
	return xcally.Account{
		Name: "loans", ReceiveURL: receiveURL, ReplySecret: replySecret + "b", MapKey: "cf_7", AnonymousMapKey: "cf_9",
		From: "<$data.metadata.customer_id$>", Language: "fr", UnknownReply: "refuse",
		Body: "Visio <$ data.topic $> (<$data.fields.product$>)\n<$data.link$>\nsur <$data.page.url$>",
		Fields: map[string]string{
			"cf_20": "<$data.metadata.segment$>", "round": "<$data.round$>", "nothing": "<$data.metadata.none$>",
			"all": "<$data.metadata$>", "phone": "<$data.visitor.phone$>", "mixed": "<$data.queue$>/<$data.round$>",
		},
	}
}

func factory(accounts ...xcally.Account) connectors.Factory {
	return func(d connectors.Deps) (connectors.Connector, error) {
		return xcally.New(xcally.Config{Accounts: accounts}, d)
	}
}

func TestConnector(t *testing.T) {
	for _, a := range []xcally.Account{mainAccount(), loansAccount()} {
		t.Run(a.Name, func(t *testing.T) {
			connectortest.Run(t, connectortest.Options{
				New: factory(a), Desk: "xcally/" + a.Name, Secrets: []string{receiveKey, replySecret},
			})
		})
	}
}

// rig is a connector behind its HTTP surface.
type rig struct {
	*xcally.Connector
	meetings *connectortest.Meetings
	site     http.Handler
	log      *bytes.Buffer
}

func newRig(t *testing.T, do connectortest.DoerFunc, accounts ...xcally.Account) *rig {
	t.Helper()
	r := &rig{meetings: &connectortest.Meetings{}, log: &bytes.Buffer{}}
	log := slog.New(slog.NewJSONHandler(r.log, nil))
	if do == nil {
		do = func(*http.Request) (*http.Response, error) {
			return nil, &egress.Error{Reason: egress.Refused, Host: "motion.example"}
		}
	}
	c, err := xcally.New(xcally.Config{Accounts: accounts}, connectortest.Deps(log, r.meetings, do))
	if err != nil {
		t.Fatal(err)
	}
	r.Connector, r.site = c, connectortest.Site(t, c.Surface())
	return r
}

// post sends a body to a Reply URL and returns status and answer.
func (r *rig) post(t *testing.T, path, body string) (int, string) {
	t.Helper()
	w := httptest.NewRecorder()
	r.site.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(body)))
	return w.Code, strings.TrimSpace(w.Body.String())
}

// golden compares got, as indented JSON, with a file.
func golden(t *testing.T, name string, got any) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(got); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, &b, want)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	text := `
accounts:
  - name: Main Desk
    receive_url: motion.example/notify?apikey=canary1
    reply_secret: short
    map_key: shoe_size
    from: "<$data.visitor.phone"
    body: "Join <$data.link$> now"
    fields: {threadId: x, cf_20: "<$metadata.long$>"}
    language: de
    unknown_reply: maybe
  - name: twice
    receive_url: https://user:canary2@motion.example/notify
    receive_url_file: /nowhere
    reply_secret: abcdefghijklmnopqrstuvwxyz
  - name: twice
    receive_url: https://motion.example/notify
    reply_secret_file: /nowhere/reply
`
	var c xcally.Config
	if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	err := c.Validate()
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{
		"accounts[0] (Main Desk).name: must be", "receive_url: must be a whole address", "reply_secret: must be 20", "map_key: \"shoe_size\"",
		"from: a placeholder is opened", "body: needs <$data.link$> on a line of its own", "fields.threadId: is filled by us",
		"fields.cf_20: the placeholder <$metadata.long$> must name a value below data", "language: must be en, fr or it", "unknown_reply: must be accept or refuse",
		"accounts[1] (twice).receive_url: is given both", "accounts[2] (twice).reply_secret: open /nowhere/reply", "accounts[2] (twice).name: used by another",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said", want)
		}
	}
	if strings.Contains(err.Error(), "canary") {
		t.Error("a secret is repeated")
	}
	if t.Failed() {
		t.Log(err)
	}
	if err := (xcally.Config{}).Validate(); err == nil || !strings.Contains(err.Error(), "leave the section out") {
		t.Errorf("no accounts: %v", err)
	}
}

func TestConfigReadsSecretsFromFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"url": receiveURL + "\n", "secret": replySecret + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var sent string
	r := newRig(t, func(req *http.Request) (*http.Response, error) {
		sent = req.URL.String()
		return nil, &egress.Error{Reason: egress.Refused}
	}, xcally.Account{Name: "main", ReceiveURLFile: filepath.Join(dir, "url"), ReplySecretFile: filepath.Join(dir, "secret")})
	r.Deliver(t.Context(), delivery("xcally/main"))
	if sent != receiveURL {
		t.Errorf("posted to %q", sent)
	}
	r.meetings.Put(connectortest.Meeting("xcally/main"))
	if status, answer := r.post(t, "/xcally/main/reply/"+replySecret, `{"body":"hello","Interaction":{"threadId":"mtg_01JD7F3K2M"}}`); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
}

func TestDesks(t *testing.T) {
	got := xcally.Config{Accounts: []xcally.Account{mainAccount(), loansAccount()}}.Desks()
	if strings.Join(got, " ") != "xcally/main xcally/loans" {
		t.Errorf("got %v", got)
	}
}
