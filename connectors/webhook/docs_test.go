package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringdown/connectors/connectortest"
	"ringdown/internal/leak"
	"ringdown/outbox"
	"ringdown/secret"
)

const manual = "../../docs/integrations/webhook.md"

// The manual shows this function; the test below compares.

// Verify tells whether a request came from Ringdown. body is what was read,
// before any decoding.
func Verify(secret string, h http.Header, body []byte, now time.Time) bool {
	sent := h.Get("webhook-timestamp")
	at, err := strconv.ParseInt(sent, 10, 64)
	if err != nil || now.Sub(time.Unix(at, 0)).Abs() > 5*time.Minute {
		return false
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return false
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", h.Get("webhook-id"), sent, body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for one := range strings.FieldsSeq(h.Get("webhook-signature")) {
		if hmac.Equal([]byte(one), []byte(want)) {
			return true
		}
	}
	return false
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheManualShowsWhatIsTrue(t *testing.T) {
	text := read(t, manual)
	for _, k := range kinds() {
		row := "| `" + string(k) + "` | "
		_, rest, ok := strings.Cut(text, row)
		line, _, _ := strings.Cut(rest, "\n")
		byDefault := strings.HasPrefix(string(k), "meeting.") || strings.HasPrefix(string(k), "ring.")
		if !ok || strings.Count(text, row) != 1 || strings.HasSuffix(line, "| yes |") != byDefault || strings.HasSuffix(line, "| no |") == byDefault {
			t.Errorf("the catalogue does not have %s once, and rightly", k)
		}
	}
	if shown := strings.Count(text, "```json\n"+read(t, sample("meeting.answered"))+"```\n"); shown != 1 {
		t.Errorf("its sample of meeting.answered is not the one that is sent")
	}
	_, function, _ := strings.Cut(read(t, "docs_test.go"), "the test below compares.\n\n")
	function, _, _ = strings.Cut(function, "\n}\n")
	if !strings.Contains(text, "```go\n"+function+"\n}\n```\n") {
		t.Error("its Go function is not the one that is tested")
	}
}

func TestTheManualsGoFunctionVerifies(t *testing.T) {
	leak.Check(t)
	in := receiver(t)
	e := at("crm", in.URL())
	e.Secrets = []secret.Secret{key2, key1}
	if got := newRig(t, nil, e).Deliver(t.Context(), delivery("webhook/crm")); got.Verdict != outbox.OK {
		t.Fatalf("got %+v", got)
	}
	got, now := in.Ledger()[0], connectortest.Start
	if !Verify(key1, got.Header, got.Body, now) || !Verify(key2, got.Header, got.Body, now.Add(5*time.Minute)) {
		t.Error("it refuses what is ours")
	}
	other := strings.Replace(key1, "whsec_Y", "whsec_Z", 1)
	late := now.Add(5*time.Minute + time.Second)
	wrong := got.Header.Clone()
	wrong.Set("webhook-id", "dlv_2")
	if Verify(other, got.Header, got.Body, now) || Verify(key1, got.Header, got.Body, late) || Verify(key1, wrong, got.Body, now) ||
		Verify(key1, got.Header, append(got.Body, ' '), now) || Verify(key1, http.Header{}, got.Body, now) {
		t.Error("it believes what is not")
	}
}
