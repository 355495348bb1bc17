package signal_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"ringdown/internal/leak"
	"ringdown/media"
	"ringdown/media/signal"
	"ringdown/media/signal/signaltest"
)

// raw is a bare connection on which a test says what it likes.
type raw struct {
	t  *testing.T
	ws *websocket.Conn
}

func (n *node) raw() raw {
	n.t.Helper()
	ws, err := signaltest.Open(in(n.t), n.url, "")
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = ws.CloseNow() })
	return raw{n.t, ws}
}

func (r raw) say(text string) {
	r.t.Helper()
	if err := r.ws.Write(in(r.t), websocket.MessageText, []byte(text)); err != nil {
		r.t.Fatal(err)
	}
}

// hear returns the next message that is no ping and does not belong to the offer
// that every client gets.
func (r raw) hear() signaltest.Message {
	r.t.Helper()
	for {
		_, data, err := r.ws.Read(in(r.t))
		if err != nil {
			r.t.Fatal(err)
		}
		var m signaltest.Message
		if err := json.Unmarshal(data, &m); err != nil {
			r.t.Fatal(err)
		}
		if m.Type != "ping" && m.Leg != "subscribe" {
			return m
		}
	}
}

func (r raw) closed() websocket.StatusCode {
	r.t.Helper()
	for {
		if _, _, err := r.ws.Read(in(r.t)); err != nil {
			return websocket.CloseStatus(err)
		}
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

func TestHandshake(t *testing.T) {
	leak.Check(t)
	full := func(mc *media.Config, _ *signal.Config) { mc.MaxPeersPerRoom, mc.MaxPeers = 1, 2 }
	n := start(t, full)
	n.dial(may("full", "a"))
	hello := func(versions, token string) string {
		return `{"type":"hello","versions":` + versions + `,"token":` + quote(token) + `}`
	}
	for _, tc := range []struct{ name, say, want string }{
		{"the version it shares", hello("[7,1]", may("r", "a")), "welcome"},
		{"no common version", hello("[2,3]", may("r", "a")), "no_common_version"},
		{"no versions", `{"type":"hello","token":"x"}`, "bad_message"},
		{"versions of the wrong type", hello(`["1"]`, "x"), "bad_message"},
		{"no token", `{"type":"hello","versions":[1]}`, "bad_message"},
		{"a bad token", hello("[1]", "nonsense"), "bad_token"},
		{"an ended meeting", hello("[1]", "over"), "bye"},
		{"a verifier that is down", hello("[1]", "down"), "internal"},
		{"a token that names nobody", hello("[1]", "{}"), "internal"},
		{"a full room", hello("[1]", may("full", "b")), "room_full"},
		{"something else first", `{"type":"leave"}`, "out_of_order"},
		{"not JSON", `hello`, "bad_message"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n.t = t
			r := n.raw()
			r.say(tc.say)
			m := r.hear()
			switch tc.want {
			case "welcome":
				if m.Type != "welcome" || m.Version != 1 || m.Room != "r" || m.Me != "a" || m.PingMS != 1000 || m.Resume == "" || m.Resumed ||
					m.Limits.Tracks != 4 || m.Limits.VideoBitrate != 1_500_000 {
					t.Errorf("welcomed with %+v", m)
				}
				r.say(`{"type":"leave"}`)
				if m := r.hear(); m.Type != "bye" || m.Reason != "left" {
					t.Errorf("%+v", m)
				}
				if code := r.closed(); code != websocket.StatusNormalClosure {
					t.Errorf("closed with %d", code)
				}
			case "bye":
				if m.Type != "bye" || m.Reason != "ended" {
					t.Errorf("%+v", m)
				}
			default:
				if m.Type != "error" || m.Code != tc.want || !m.Fatal || m.Detail == "" {
					t.Errorf("got %s %s fatal=%v %q, want %s", m.Type, m.Code, m.Fatal, m.Detail, tc.want)
				}
				if code := r.closed(); code != websocket.StatusPolicyViolation {
					t.Errorf("closed with %d", code)
				}
			}
		})
	}
	n.t = t
	n.dial(may("second", "a"))
	var refused *signaltest.RefusedError
	if _, err := signaltest.Dial(in(t), n.url, may("third", "a")); !errors.As(err, &refused) || refused.Message.Code != "server_full" {
		t.Errorf("a third peer on a node for two: %v", err)
	}
	n.hub.Drain()
	if _, err := signaltest.Dial(in(t), n.url, may("r", "a")); !errors.As(err, &refused) || refused.Message.Code != "draining" {
		t.Errorf("a peer for a node that drains: %v", err)
	}
	for _, secret := range []string{"nonsense", "Name of", "PublishAudio"} {
		if strings.Contains(n.log.String(), secret) {
			t.Errorf("the log has %q:\n%s", secret, n.log)
		}
	}
}

func TestUpgradeIsRefused(t *testing.T) {
	leak.Check(t)
	n := start(t)
	dial := func(origin, protocol string) int {
		o := &websocket.DialOptions{HTTPHeader: http.Header{}}
		if origin != "" {
			o.HTTPHeader.Set("Origin", origin)
		}
		if protocol != "" {
			o.Subprotocols = []string{protocol}
		}
		ws, res, err := websocket.Dial(in(t), n.url, o)
		if err == nil {
			_ = ws.CloseNow()
		}
		return res.StatusCode
	}
	for _, tc := range []struct {
		name, origin, protocol string
		want                   int
	}{
		{"own origin", "http" + strings.TrimPrefix(n.url, "ws"), signal.Subprotocol, 101},
		{"no origin: not a browser", "", signal.Subprotocol, 101},
		{"another origin", "https://evil.example", signal.Subprotocol, 403},
		{"the null origin", "null", signal.Subprotocol, 403},
		{"no subprotocol", "", "", 400},
		{"another subprotocol", "", "chat", 400},
	} {
		if got := dial(tc.origin, tc.protocol); got != tc.want {
			t.Errorf("%s: status %d, want %d", tc.name, got, tc.want)
		}
	}
}

func TestHelloHasToComeInTime(t *testing.T) {
	leak.Check(t)
	n := start(t, func(_ *media.Config, c *signal.Config) { c.HelloTimeout = 50 * time.Millisecond })
	n.raw().closed() // or the test times out
}

func TestBadMessages(t *testing.T) {
	leak.Check(t)
	n := start(t)
	r := n.raw()
	r.say(`{"type":"hello","versions":[1],"token":` + quote(token(media.Grant{Room: "r", Participant: "a", PublishVideo: true})) + `}`)
	if m := r.hear(); m.Type != "welcome" {
		t.Fatalf("%+v", m)
	}
	section := func(kind, mid, direction string) string {
		return "m=" + kind + " 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:" + mid + "\r\na=" + direction + "\r\na=rtpmap:96 VP8/90000\r\n"
	}
	sdp := func(sections ...string) string {
		return quote("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" + strings.Join(sections, ""))
	}
	offer := func(id, sdp, tracks string) string {
		return `{"type":"offer","leg":"publish","id":` + id + `,"sdp":` + sdp + `,"tracks":` + tracks + `}`
	}
	camera := `{"mid":"0","kind":"video","source":"camera"}`
	video := sdp(section("video", "0", "sendonly"))
	for _, tc := range []struct{ name, say, code, detail string }{
		{"not JSON", `{"type":`, "bad_message", "JSON"},
		{"empty", ` `, "bad_message", "object"},
		{"an array", `[]`, "bad_message", "object"},
		{"two values", `{"type":"leave"}{}`, "bad_message", "JSON"},
		{"no type", `{}`, "bad_message", "type"},
		{"type of the wrong type", `{"type":1}`, "bad_message", "type"},
		{"unknown type", `{"type":"dance"}`, "unknown_type", ""},
		{"invalid UTF-8", "{\"type\":\"\xff\"}", "bad_message", "UTF-8"},
		{"a second hello", `{"type":"hello","versions":[1],"token":"x"}`, "out_of_order", ""},
		{"offer without a leg", `{"type":"offer","id":1,"sdp":""}`, "bad_message", "leg"},
		{"offer without an id", `{"type":"offer","leg":"publish","sdp":""}`, "bad_message", "id"},
		{"offer without an sdp", `{"type":"offer","leg":"publish","id":1}`, "bad_message", "sdp"},
		{"id of the wrong type", offer(`"1"`, video, "[]"), "bad_message", "id"},
		{"id of zero", offer("0", video, "[]"), "bad_message", "id"},
		{"tracks of the wrong type", offer("1", video, `{}`), "bad_message", "tracks"},
		{"a track without a mid", offer("1", video, `[{"kind":"video","source":"camera"}]`), "bad_message", "tracks[0].mid"},
		{"a leg that is none", `{"type":"offer","leg":"sideways","id":1,"sdp":"","tracks":[]}`, "bad_message", "leg"},
		{"an offer on the server's leg", `{"type":"offer","leg":"subscribe","id":1,"sdp":` + video + `}`, "not_allowed", ""},
		{"an sdp that is none", offer("1", `"v=1"`, "[]"), "bad_sdp", ""},
		{"an sdp without sections", offer("2", sdp(), "[]"), "bad_sdp", ""},
		{"an sdp with data", offer("3", sdp("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\n"), "[]"), "bad_sdp", "application"},
		{"an sdp without a mid", offer("4", sdp("m=video 9 UDP/TLS/RTP/SAVPF 96\r\n"), "[]"), "bad_sdp", "mid"},
		{"an sdp without credentials", offer("5", video, "["+camera+"]"), "bad_sdp", ""},
		{"an id again", offer("5", video, "["+camera+"]"), "out_of_order", ""},
		{"a section that is not declared", offer("6", video, "[]"), "bad_message", "declared"},
		{"a track without a section", offer("7", sdp(section("video", "1", "sendonly")), "["+camera+"]"), "bad_message", `"0"`},
		{"a track of a section that does not send", offer("8", sdp(section("video", "0", "inactive")), "["+camera+"]"), "bad_message", `"0"`},
		{"a source that is none", offer("9", video, `[{"mid":"0","kind":"video","source":"tv"}]`), "bad_message", "tv"},
		{"a kind that is not the source's", offer("10", video, `[{"mid":"0","kind":"audio","source":"camera"}]`), "bad_message", "camera"},
		{"a kind that is not the section's", offer("11", sdp(section("audio", "0", "sendonly")), "["+camera+"]"), "bad_message", "audio"},
		{"a source twice", offer("12", sdp(section("video", "0", "sendonly"), section("video", "1", "sendonly")),
			"["+camera+`,{"mid":"1","kind":"video","source":"camera"}]`), "bad_message", "twice"},
		{"what the token does not allow", offer("13", sdp(section("audio", "0", "sendonly")), `[{"mid":"0","kind":"audio","source":"microphone"}]`), "not_allowed", "audio"},
		{"too many tracks", offer("14", video, "["+camera+strings.Repeat(","+camera, 4)+"]"), "too_many_tracks", "4"},
		{"an answer to nothing", `{"type":"answer","leg":"subscribe","id":7,"sdp":` + video + `}`, "out_of_order", ""},
		{"an answer on the client's leg", `{"type":"answer","leg":"publish","id":1,"sdp":` + video + `}`, "not_allowed", ""},
		{"candidate missing", `{"type":"candidate","leg":"publish"}`, "bad_message", "candidate"},
		{"candidate of the wrong type", `{"type":"candidate","leg":"publish","candidate":"x"}`, "bad_message", "candidate"},
		{"candidate with a wrong member", `{"type":"candidate","leg":"publish","candidate":{"candidate":1}}`, "bad_message", "candidate"},
		{"candidate that is none", `{"type":"candidate","leg":"publish","candidate":{"candidate":"candidate:nonsense"}}`, "bad_candidate", ""},
		{"track without a source", `{"type":"track","muted":true}`, "bad_message", "source"},
		{"track without muted", `{"type":"track","source":"camera"}`, "bad_message", "muted"},
		{"muting nothing", `{"type":"track","source":"camera","muted":true}`, "not_allowed", ""},
		{"pong without at", `{"type":"pong"}`, "bad_message", "at"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r.t = t
			r.say(tc.say)
			m := r.hear()
			if m.Type != "error" || m.Code != tc.code || m.Fatal || !strings.Contains(m.Detail, tc.detail) || m.Detail == "" {
				t.Errorf("got %s %s fatal=%v %q, want %s with %q", m.Type, m.Code, m.Fatal, m.Detail, tc.code, tc.detail)
			}
		})
	}
	t.Run("binary", func(t *testing.T) {
		r.t = t
		if err := r.ws.Write(in(t), websocket.MessageBinary, []byte(`{"type":"leave"}`)); err != nil {
			t.Fatal(err)
		}
		if m := r.hear(); m.Code != "bad_message" {
			t.Errorf("%+v", m)
		}
	})
	// The connection has survived it all, and goes on.
	r.t = t
	r.say(`{"type":"candidate","leg":"publish","candidate":null}`)
	r.say(`{"type":"pong","at":1,"unknown":"member"}`)
	r.say(`{"type":"leave"}`)
	if m := r.hear(); m.Type != "bye" {
		t.Errorf("%+v", m)
	}
}

func TestMessageThatIsTooLarge(t *testing.T) {
	leak.Check(t)
	n := start(t)
	r := n.raw()
	_ = r.ws.Write(in(t), websocket.MessageText, make([]byte, 300<<10)) // may fail half way
	if code := r.closed(); code != websocket.StatusMessageTooBig && code != -1 {
		t.Errorf("closed with %d", code)
	}
}

// A client that floods is cut; the call of the others goes on.
func TestFlood(t *testing.T) {
	leak.Check(t)
	n := start(t)
	a, b := n.dial(may("r", "a")), n.dial(may("r", "b"))
	flow(t, publish(t, a, camera)[0], 2500)
	got := received(t, b, "a", "camera")

	c := n.dial(may("r", "c"))
	go func() {
		for c.Send([]byte(`{"type":"pong","at":1}`)) == nil {
		}
	}()
	m := await(t, c, func(m signaltest.Message) bool { return m.Type == "error" })
	if m.Code != "flood" || !m.Fatal {
		t.Errorf("%+v", m)
	}
	if m := await(t, b, func(m signaltest.Message) bool { return m.Type == "left" }); m.Participant() != "c" || m.Reason != "overload" {
		t.Errorf("%+v", m)
	}
	if err := got.WaitPackets(in(t), len(got.Packets())+30); err != nil {
		t.Fatal(err)
	}
}

func TestDuplicateTakesThePlace(t *testing.T) {
	leak.Check(t)
	n := start(t)
	a, b := n.dial(may("r", "a")), n.dial(may("r", "b"))
	flow(t, publish(t, a, camera)[0], 2500)
	received(t, b, "a", "camera")
	again := n.dial(may("r", "a"))
	if m := await(t, a, func(m signaltest.Message) bool { return m.Type == "bye" }); m.Reason != "duplicate" {
		t.Errorf("bye with %q", m.Reason)
	}
	if code, err := a.Ended(in(t)); err != nil || code != websocket.StatusNormalClosure {
		t.Errorf("closed with %d: %v", code, err)
	}
	await(t, b, func(m signaltest.Message) bool { return m.Type == "untrack" && m.Participant() == "a" })
	flow(t, publish(t, again, mic)[0], 120)
	received(t, b, "a", "microphone")
	for _, m := range b.Messages() {
		if m.Type == "left" || m.Type == "joined" {
			t.Errorf("b was told %s of %s: the person never left", m.Type, m.Participant())
		}
	}
	if s := n.hub.Snapshot(); len(s.Rooms[0].Participants) != 2 || len(s.Departures) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestEndsWithAReason(t *testing.T) {
	leak.Check(t)
	for _, tc := range []struct {
		name   string
		end    func(n *node)
		reason string
	}{
		{"the room is closed", func(n *node) { n.hub.CloseRoom("r", media.Ended) }, "ended"},
		{"kicked", func(n *node) {
			if !n.hub.Kick("r", "a", media.Kicked) || n.hub.Kick("r", "nobody", media.Kicked) {
				n.t.Error("kick found the wrong one")
			}
		}, "kicked"},
		{"the hub stops", func(n *node) { _ = n.hub.Close(in(n.t)) }, "server_restart"},
		{"the signalling stops", func(n *node) { _ = n.sig.Close(in(n.t)) }, "server_restart"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n := start(t)
			a := n.dial(may("r", "a"))
			flow(t, publish(t, a, camera)[0], 1000)
			tc.end(n)
			if m := await(t, a, func(m signaltest.Message) bool { return m.Type == "bye" }); m.Reason != tc.reason {
				t.Errorf("bye with %q", m.Reason)
			}
			if code, err := a.Ended(in(t)); err != nil || code != websocket.StatusNormalClosure {
				t.Errorf("closed with %d: %v", code, err)
			}
		})
	}
}

// A socket that dies without leave, and one that stays silent, are away at once;
// when they do not come back they have left with the reason network.
func TestM3_who_does_not_come_back_has_left_with_network(t *testing.T) {
	leak.Check(t)
	n := start(t, func(m *media.Config, c *signal.Config) { c.Ping, m.Reconnect = 50*time.Millisecond, time.Second })
	b := n.dial(may("r", "b"))
	n.dial(may("r", "drops")).Drop()
	n.dial(may("r", "silent"), signaltest.Options{NoPong: true})
	for _, who := range []string{"drops", "silent"} {
		await(t, b, func(m signaltest.Message) bool { return m.Type == "away" && m.Participant() == who && m.Away })
		m := await(t, b, func(m signaltest.Message) bool { return m.Type == "left" && m.Participant() == who })
		if m.Reason != "network" {
			t.Errorf("%s left with %q", who, m.Reason)
		}
	}
	// b, who answers, stays.
	await(t, b, func(m signaltest.Message) bool { return m.Type == "ping" })
	if s := n.hub.Snapshot(); len(s.Rooms) != 1 || len(s.Rooms[0].Participants) != 1 || len(s.Departures) != 2 {
		t.Errorf("%+v", s)
	}
}

func TestSnapshotAndChanges(t *testing.T) {
	leak.Check(t)
	n := start(t)
	drain := func() {
		select {
		case <-n.hub.Changed():
		case <-in(t).Done():
			t.Fatal("no change was told")
		}
	}
	a := n.dial(may("r", "a"))
	drain()
	publish(t, a, camera)
	drain()
	s := n.hub.Snapshot()
	if len(s.Rooms) != 1 || s.Rooms[0].ID != "r" || len(s.Rooms[0].Participants) != 1 ||
		s.Rooms[0].Participants[0].ID != "a" || s.Rooms[0].Participants[0].Tracks[0].Source != media.Camera {
		t.Errorf("%+v", s)
	}
	if err := a.Leave(in(t)); err != nil {
		t.Fatal(err)
	}
	drain()
	s = n.hub.Snapshot()
	if len(s.Rooms) != 0 || s.Totals.Peers != 0 || len(s.Departures) != 1 || s.Departures[0].Reason != media.LeftByChoice ||
		s.Departures[0].Participant != "a" || s.Departures[0].Number != 1 {
		t.Errorf("%+v", s)
	}
}

func TestNewChecksItsConfiguration(t *testing.T) {
	leak.Check(t)
	if _, err := signal.New(nil, tokens{}, signal.Config{}, nil); err == nil || !strings.Contains(err.Error(), "AllowOrigin") {
		t.Errorf("a configuration without AllowOrigin: %v", err)
	}
}
