package app_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ringdown/access"
	"ringdown/internal/leak"
)

// rung makes a meeting that rings the demo's desk and waits until the ring's
// delivery has arrived there. It returns the meeting and the delivery.
func (h *house) rung() (made, one answer) {
	h.t.Helper()
	made = h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{"ring": "now", "topic": "Lamp", "visitor": map[string]any{"name": "Anna"}})
	h.eventually("the ring is delivered", func() bool {
		list := h.deliveries("meeting=" + made.text("id") + "&state=delivered&kind=ring.started")
		if len(list) == 0 {
			return false
		}
		one = h.must(200, "GET", "/v1/deliveries/"+fmt.Sprint(list[0]["id"]), bearer(h.key), nil)
		return true
	})
	return made, one
}

func (h *house) deliveries(query string) []map[string]any {
	h.t.Helper()
	var v struct{ Deliveries []map[string]any }
	if err := json.Unmarshal(h.must(200, "GET", "/v1/deliveries?"+query, bearer(h.key), nil).raw, &v); err != nil {
		h.t.Fatal(err)
	}
	return v.Deliveries
}

func TestDeliveriesAreShownWithoutSecretsAndSentAgain(t *testing.T) {
	leak.Check(t)
	onBoth(t, func(t *testing.T, h *house) {
		made, one := h.rung()
		secret := strings.Split(made.text("links.agent"), "#")[1]
		if strings.Contains(string(one.raw), secret) || !strings.Contains(string(one.raw), "#***") {
			t.Errorf("the link's secret is not masked: %s", one)
		}
		if one.text("target") != "xcally/demo" || one.get("attempts") != 1.0 || one.text("body.firstName") != "Anna" || one.text("state") != "delivered" {
			t.Errorf("the delivery is %s", one)
		}
		id := one.text("id")

		// The list goes both ways.
		h.must(200, "POST", "/v1/meetings/"+made.text("id")+"/end", bearer(h.key), nil)
		h.eventually("the end is delivered", func() bool { return len(h.deliveries("state=delivered")) == 2 })
		falling, rising := h.deliveries("limit=1"), h.deliveries("after=0&limit=1")
		if falling[0]["kind"] != "meeting.ended" || rising[0]["id"] != id {
			t.Errorf("newest %v, oldest %v", falling[0], rising[0])
		}
		next := h.deliveries("after=" + fmt.Sprint(rising[0]["cursor"]))
		if len(next) != 1 || next[0]["id"] != falling[0]["id"] {
			t.Errorf("after the first comes %v", next)
		}
		older := h.deliveries("cursor=" + fmt.Sprint(falling[0]["cursor"]))
		if len(older) != 1 || older[0]["id"] != id {
			t.Errorf("before the last is %v", older)
		}

		// One more time, by hand: the same id.
		h.must(200, "POST", "/v1/deliveries/"+id+"/retry", bearer(h.key), nil)
		h.eventually("it was sent again", func() bool {
			return h.must(200, "GET", "/v1/deliveries/"+id, bearer(h.key), nil).get("attempts") == 2.0
		})

		// A replay: counted first, then ordered.
		since := map[string]any{"since": "2020-01-01T00:00:00Z", "kinds": []string{"meeting.ended"}, "dry_run": true}
		if a := h.must(200, "POST", "/v1/deliveries/replay", bearer(h.key), since); a.get("count") != 1.0 {
			t.Errorf("dry run: %s", a)
		}
		delete(since, "dry_run")
		h.must(202, "POST", "/v1/deliveries/replay", bearer(h.key), since)
		h.eventually("the replay has ended", func() bool {
			again := h.deliveries("kind=meeting.ended")[0]
			return again["attempts"] == 2.0 && again["replayed"] == true && again["state"] == "delivered"
		})
		if a := h.must(200, "GET", "/v1/deliveries/replay", bearer(h.key), nil); !strings.Contains(string(a.raw), `"done":1`) {
			t.Errorf("replays: %s", a)
		}

		var counts struct{ Targets []map[string]any }
		if err := json.Unmarshal(h.must(200, "GET", "/v1/deliveries/counts", bearer(h.key), nil).raw, &counts); err != nil {
			t.Fatal(err)
		}
		if len(counts.Targets) != 1 || counts.Targets[0]["produced"] != 2.0 || counts.Targets[0]["delivered"] != 2.0 || counts.Targets[0]["missing"] != 0.0 {
			t.Errorf("the ledger: %v", counts)
		}
		if strings.Contains(h.log.String(), secret) {
			t.Error("the secret is in the log")
		}
	})
}

func TestAPIKeysAreMadeOnceAndRevokedAtOnce(t *testing.T) {
	leak.Check(t)
	onBoth(t, func(t *testing.T, h *house) {
		a := h.must(201, "POST", "/v1/keys", bearer(h.key), map[string]string{"name": "shop server", "role": access.Integrator})
		key, id := a.text("key"), a.text("id")
		h.must(201, "POST", "/v1/meetings", bearer(key), map[string]any{})
		h.must(403, "GET", "/v1/keys", bearer(key), nil)
		h.must(403, "POST", "/v1/keys", bearer(key), map[string]string{"name": "x", "role": access.Admin})
		list := h.must(200, "GET", "/v1/keys", bearer(h.key), nil)
		if strings.Contains(string(list.raw), key) || !strings.Contains(string(list.raw), id) || !strings.Contains(string(list.raw), "last_used_at") {
			t.Errorf("the list: %s", list)
		}
		h.must(404, "DELETE", "/v1/keys/key_00000000", bearer(h.key), nil)
		h.must(204, "DELETE", "/v1/keys/"+id, bearer(h.key), nil)
		h.must(401, "GET", "/v1/meetings", bearer(key), nil)
		h.must(204, "DELETE", "/v1/keys/"+id, bearer(h.key), nil)
		h.must(200, "GET", "/v1/keys", bearer(h.key), nil)
		if strings.Contains(h.log.String(), key) {
			t.Error("the key is in the log")
		}
	})
}
