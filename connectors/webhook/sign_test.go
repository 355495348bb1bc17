package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"ringdown/internal/hostile"
	"ringdown/internal/leak"
	"ringdown/outbox"
	"ringdown/secret"
)

func mustKey(t *testing.T, s secret.Secret) []byte {
	t.Helper()
	key, err := decodeSecret(s)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// verify is how a receiver looks at a request with one secret, written from the
// specification and not from sign.
func verify(t *testing.T, s secret.Secret, e hostile.Entry) bool {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s.Reveal(), "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte(e.ID + "." + e.Timestamp + "." + string(e.Body)))
	for one := range strings.SplitSeq(e.Signature, " ") {
		version, signature, _ := strings.Cut(one, ",")
		got, err := base64.StdEncoding.DecodeString(signature)
		if version == "v1" && err == nil && hmac.Equal(got, mac.Sum(nil)) {
			return true
		}
	}
	return false
}

func TestD10_public_test_vectors(t *testing.T) {
	// The first is the specification's own, https://www.standardwebhooks.com, read
	// 2026-11; the second was made with OpenSSL.
	key := mustKey(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	at := time.Unix(1614265330, 0)
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	if got := sign([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232314}`)); got != want {
		t.Errorf("got %s", got)
	}
	const ours = "v1,JHmWr29uZBcuT2qnufAVPMGJqmN1ynSmy6A0RC25SEg="
	if got := sign([][]byte{mustKey(t, key1)}, "dlv_01KAHX", time.Unix(1795253400, 0), []byte(`{"text":"Grüße, 📹"}`)); got != ours {
		t.Errorf("got %s", got)
	}
	for _, other := range []string{
		sign([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJel", at, []byte(`{"test": 2432232314}`)),
		sign([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", at.Add(time.Second), []byte(`{"test": 2432232314}`)),
		sign([][]byte{key}, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232315}`)),
		sign([][]byte{mustKey(t, key1)}, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, []byte(`{"test": 2432232314}`)),
	} {
		if other == want {
			t.Error("another id, time, body or key gives the same signature")
		}
	}
}

func TestD10_both_keys_sign_while_one_is_exchanged(t *testing.T) {
	leak.Check(t)
	in := receiver(t)
	old, both, fresh := at("old", in.URL()), at("both", in.URL()), at("fresh", in.URL())
	both.Secrets = []secret.Secret{key2, key1}
	fresh.Secrets = []secret.Secret{key2}
	r := newRig(t, nil, old, both, fresh)
	for _, tc := range []struct {
		endpoint  string
		by1, by2  bool
		signature int
	}{{"old", true, false, 1}, {"both", true, true, 2}, {"fresh", false, true, 1}} {
		if got := r.Deliver(t.Context(), delivery("webhook/"+tc.endpoint)); got.Verdict != outbox.OK {
			t.Fatalf("%s: %+v", tc.endpoint, got)
		}
		all := in.Ledger()
		e := all[len(all)-1]
		if verify(t, key1, e) != tc.by1 || verify(t, key2, e) != tc.by2 || len(strings.Split(e.Signature, " ")) != tc.signature {
			t.Errorf("%s: signed %q", tc.endpoint, e.Signature)
		}
		e.Body = append([]byte(nil), e.Body...)
		e.Body[3] ^= 1
		if verify(t, key1, e) || verify(t, key2, e) {
			t.Errorf("%s: a changed body is believed", tc.endpoint)
		}
	}
}

func TestD3_attempts_have_one_id_and_times_and_signatures_of_their_own(t *testing.T) {
	leak.Check(t)
	in := receiver(t)
	in.Set("", hostile.Status(500).Times(2))
	r := newRig(t, nil, at("crm", in.URL()))
	d := delivery("webhook/crm")
	for _, want := range []outbox.Verdict{outbox.Retry, outbox.Retry, outbox.OK} {
		if got := r.Deliver(t.Context(), d); got.Verdict != want {
			t.Fatalf("got %+v", got)
		}
		r.now = r.now.Add(5 * time.Second)
		d.Attempts++
	}
	seen := map[string]bool{}
	for i, e := range in.Ledger() {
		if e.ID != "dlv_1" || e.Seq != 7 || e.Event != "evt_7" || e.Hash != in.Ledger()[0].Hash || !verify(t, key1, e) {
			t.Errorf("attempt %d: %+v", i+1, e)
		}
		seen[e.Timestamp], seen[e.Signature] = true, true
	}
	if len(seen) != 6 {
		t.Errorf("times and signatures repeat: %v", seen)
	}
}
