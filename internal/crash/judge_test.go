package crash_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"ringdown/internal/hostile"
)

// hookSecret signs what the endpoints get: a constant of this test.
const hookSecret = "whsec_Y3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2gtY3Jhc2g="

// fresh is how old a timestamp may be when it arrives on a busy machine.
const fresh = 10 * time.Second

// judge tells what is wrong with a request: its number, the age of its timestamp
// or its signature; "" if nothing is. Standard Webhooks, "Verifying webhooks".
func judge(e hostile.Entry, byID map[string]event) string {
	if known, ok := byID[e.Event]; ok && known.Seq != e.Seq {
		return fmt.Sprintf("%s has the number %d, its event %d", e.ID, e.Seq, known.Seq)
	}
	at, err := strconv.ParseInt(e.Timestamp, 10, 64)
	if age := e.At.Sub(time.Unix(at, 0)); err != nil || age < -time.Second || age > fresh {
		return fmt.Sprintf("%s has the timestamp %q, %s old", e.ID, e.Timestamp, age)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(hookSecret, "whsec_"))
	if err != nil {
		return err.Error()
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", e.ID, e.Timestamp, e.Body)
	if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); !slices.Contains(strings.Fields(e.Signature), want) {
		return e.ID + " is signed wrongly"
	}
	return ""
}

func TestTheJudgeSees(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	good := hostile.Entry{
		At: at, ID: "dlv_1", Timestamp: "1800000000", Event: "evt_1", Seq: 3, Body: []byte("{}"),
		Signature: "v1,RIGHT",
	}
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(hookSecret, "whsec_"))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("dlv_1.1800000000.{}"))
	good.Signature = "v1,x v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	known := map[string]event{"evt_1": {ID: "evt_1", Seq: 3}}
	if why := judge(good, known); why != "" {
		t.Errorf("a good one: %s", why)
	}
	for name, spoil := range map[string]func(*hostile.Entry){
		"number":    func(e *hostile.Entry) { e.Seq = 4 },
		"old":       func(e *hostile.Entry) { e.At = at.Add(time.Minute) },
		"body":      func(e *hostile.Entry) { e.Body = []byte("{ }") },
		"signature": func(e *hostile.Entry) { e.Signature = "v1,x" },
	} {
		bad := good
		spoil(&bad)
		if judge(bad, known) == "" {
			t.Errorf("%s: nothing was seen", name)
		}
	}
}
