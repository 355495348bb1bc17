package outbox_test

import (
	"encoding/json"
	"strings"
	"testing"

	"ringdown/outbox"
)

func TestBodiesAreShownWithoutTheirSecrets(t *testing.T) {
	for _, tc := range []struct{ name, body, want string }{
		{"a link in a text", `{"body":"Ring!\nhttps://video.example/ring/inv_1#S3CRET-x_9 now"}`, `{"body":"Ring!\nhttps://video.example/ring/inv_1#*** now"}`},
		{"a link of its own", `{"externalUrl":"https://v.example/m/abc#S3CRET"}`, `{"externalUrl":"https://v.example/m/abc#***"}`},
		{"deep inside", `{"data":{"links":[{"agent":"/room/inv_2#S3CRET"}]}}`, `{"data":{"links":[{"agent":"/room/inv_2#***"}]}}`},
		{"telling members", `{"secret":"S3CRET","Access_Token":{"a":"S3CRET"},"n":12345678901234567890}`, `{"Access_Token":"***","n":12345678901234567890,"secret":"***"}`},
		{"in markdown", `{"body":"[open](https://v.example/m/abc#S3CRET)"}`, `{"body":"[open](https://v.example/m/abc#***)"}`},
		{"a query", `{"url":"https://v.example/x?a=1&token=S3CRET&b=2"}`, `{"url":"https://v.example/x?a=1\u0026token=***\u0026b=2"}`},
		{"a text", `see https://v.example/m/abc#S3CRET.`, `"see https://v.example/m/abc#***"`},
		{"a form", `url=https%3A%2F%2Fv.example%2Fm%2Fabc%23S3CRET&x=1`, `"url=https%3A%2F%2Fv.example%2Fm%2Fabc%23***\u0026x=1"`},
		{"two values", `{"a":"x/#S3CRET"} {"b":1}`, `"{\"a\":\"x/#***\"} {\"b\":1}"`},
		{"no link", `{"body":"order #12 costs 3/4 of #1"}`, `{"body":"order #12 costs 3/4 of #1"}`},
		{"no text", "\xff\x00", `null`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := json.Marshal(outbox.Masked([]byte(tc.body)))
			if err != nil || string(got) != tc.want || strings.Contains(string(got), "S3CRET") {
				t.Errorf("got %s, %v, want %s", got, err, tc.want)
			}
		})
	}
}

func FuzzMasked(f *testing.F) {
	f.Add([]byte(`{"body":"https://v.example/m/abc#S3CRET"}`))
	f.Add([]byte(`[1,{"token":null}]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := json.Marshal(outbox.Masked(body)); err != nil {
			t.Error(err)
		}
	})
}
