package signal

import (
	"encoding/json"
	"errors"
	"testing"
)

// FuzzDecode: whatever a client sends, decode either gives one of our messages
// or a problem with a code, and what it gives survives a round trip.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		`{"type":"hello","versions":[1],"token":"t"}`,
		`{"type":"offer","leg":"publish","id":1,"sdp":"v=0","tracks":[{"mid":"0","kind":"audio","source":"microphone","muted":false}]}`,
		`{"type":"answer","leg":"subscribe","id":1,"sdp":"v=0"}`,
		`{"type":"candidate","leg":"publish","candidate":{"candidate":"candidate:1 1 udp 1 127.0.0.1 1 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"u"}}`,
		`{"type":"candidate","leg":"publish","candidate":null}`,
		`{"type":"track","source":"camera","muted":true}`,
		`{"type":"pong","at":1732000000000}`,
		`{"type":"leave"}`,
		`{"type":"dance"}`, `{"type":1}`, `[]`, `{}`, ``, `nul`, "{\"type\":\"\xff\"}", `{"type":"offer","id":1e999}`,
	} {
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, text bool) {
		m, err := decode(data, text)
		if err != nil {
			var p *problem
			if !errors.As(err, &p) || p.code == "" || p.detail == "" || m != nil {
				t.Fatalf("%v with %v", err, m)
			}
			return
		}
		if d, ok := m.(*description); ok {
			d.declared()
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(data, &members); err != nil {
			t.Fatalf("accepted what is no object: %v", err)
		}
		again, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decode(again, true); err != nil {
			t.Fatalf("%s is refused the second time: %v", again, err)
		}
	})
}
