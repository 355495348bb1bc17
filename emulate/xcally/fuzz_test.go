package xcally

import (
	"strings"
	"testing"
)

func FuzzDecodeIncoming(f *testing.F) {
	for _, seed := range []string{
		`{"from":"+390212345678","mapKey":"phone","phone":"+390212345678","firstName":"Mina","body":"Join: https://meet.example/r/8fK2","threadId":"mtg-8fK2","cf_20":"loans","customer_id":"4411"}`,
		`{"from":"x","body":".","AttachmentId":3}`, `{"from":"x","name":"Mina","to":"desk","body":"b"}`,
		`{"from":1e400,"body":true}`, `{"a":{}}`, `null`, `[]`, `{} {}`, "\x00", `{"from":"\u0000","body":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		in, err := decodeIncoming(Account{ID: 5, MapKey: "phone"}, "application/json", raw)
		if err != nil {
			return
		}
		if in.from == "" || strings.TrimSpace(in.body) == "" || !contactField(in.mapKey) {
			t.Errorf("accepted %q as %+v", raw, in)
		}
		for name := range in.contact {
			if !contactField(name) {
				t.Errorf("%q became a contact field", name)
			}
		}
	})
}
