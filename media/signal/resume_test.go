package signal_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"ringdown/internal/leak"
	"ringdown/media"
	"ringdown/media/signal"
	"ringdown/media/signal/signaltest"
)

// call is two people who see each other.
func call(t *testing.T, n *node) (a, b *signaltest.Client, toA, toB *signaltest.Incoming) {
	t.Helper()
	a, b = n.dial(may("r", "a")), n.dial(may("r", "b"))
	flow(t, publish(t, a, camera)[0], 2500)
	flow(t, publish(t, b, camera)[0], 2500)
	return a, b, received(t, a, "b", "camera"), received(t, b, "a", "camera")
}

func more(t *testing.T, tracks ...*signaltest.Incoming) {
	t.Helper()
	for _, in1 := range tracks {
		if err := in1.WaitPackets(in(t), len(in1.Packets())+20); err != nil {
			t.Fatal(err)
		}
	}
}

func awayIs(who string, away bool) func(signaltest.Message) bool {
	return func(m signaltest.Message) bool { return m.Type == "away" && m.Participant() == who && m.Away == away }
}

// stayed fails if anybody was told that somebody came, left or withdrew a track.
func stayed(t *testing.T, n *node, c *signaltest.Client, who string) {
	t.Helper()
	for _, m := range c.Messages() {
		if (m.Type == "left" || m.Type == "joined" || m.Type == "untrack") && m.Participant() == who {
			t.Errorf("%s of %s was told: the person never left", m.Type, who)
		}
	}
	if s := n.hub.Snapshot(); len(s.Departures) != 0 || len(s.Rooms[0].Participants) != 2 {
		t.Errorf("%+v", s)
	}
}

// While the socket of one side is gone, pictures go on both ways; a new socket
// takes over what is there.
func TestLostSocketIsReplaced(t *testing.T) {
	leak.Check(t)
	n := start(t)
	a, b, toA, toB := call(t, n)
	a.Drop()
	await(t, b, awayIs("a", true))
	more(t, toA, toB)
	if err := a.Resume(in(t), n.url); err != nil {
		t.Fatal(err)
	}
	if w := a.Welcome; !w.Resumed || len(w.Participants) != 1 || w.Participants[0].ID != "b" || len(w.Participants[0].Tracks) != 1 {
		t.Errorf("welcome %+v", w)
	}
	await(t, b, awayIs("a", false))
	more(t, toA, toB)
	stayed(t, n, b, "a")
}

// A socket that the server still believes in is told that another has its place.
func TestNewSocketReplacesAnOpenOne(t *testing.T) {
	leak.Check(t)
	n := start(t, func(_ *media.Config, c *signal.Config) { c.Ping = time.Minute })
	a, b, toA, toB := call(t, n)
	if err := a.Resume(in(t), n.url); err != nil || !a.Welcome.Resumed {
		t.Fatalf("%v, resumed %v", err, a.Welcome.Resumed)
	}
	more(t, toA, toB)
	stayed(t, n, b, "a")
}

// New addresses for both legs: the pictures go on, on the same tracks.
func TestRestartFindsNewAddresses(t *testing.T) {
	leak.Check(t)
	n := start(t)
	a, b, toA, toB := call(t, n)
	for range 3 {
		a.Drop()
		if err := a.Resume(in(t), n.url); err != nil || !a.Welcome.Resumed {
			t.Fatalf("%v, resumed %v", err, a.Welcome.Resumed)
		}
		if err := a.Restart(in(t)); err != nil {
			t.Fatal(err)
		}
		more(t, toA, toB)
	}
	stayed(t, n, b, "a")
}

// What others publish while somebody is away is offered when they are back.
func TestOffersWaitForTheNewSocket(t *testing.T) {
	leak.Check(t)
	n := start(t)
	a, b, toA, toB := call(t, n)
	a.Drop()
	await(t, b, awayIs("a", true))
	flow(t, publish(t, b, mic)[0], 120)
	if err := a.Resume(in(t), n.url); err != nil {
		t.Fatal(err)
	}
	more(t, received(t, a, "b", "microphone"), toA, toB)
	stayed(t, n, b, "a")
}

// Only the right word takes a place over, and only while there is one; joining
// anew instead ends the old connection as a duplicate.
func TestResumeNeedsTheRightWord(t *testing.T) {
	leak.Check(t)
	n := start(t)
	a, b, _, _ := call(t, n)
	right := a.Welcome.Resume
	gone := func(word string) {
		t.Helper()
		a.Welcome.Resume = word
		var refused *signaltest.RefusedError
		if err := a.Resume(in(t), n.url); !errors.As(err, &refused) || refused.Message.Code != "gone" {
			t.Errorf("resumed with %q: %v", word, err)
		}
	}
	gone("another")
	n.dial(may("r", "a"))
	await(t, b, func(m signaltest.Message) bool { return m.Type == "untrack" && m.Participant() == "a" })
	gone(right)
}

func TestQualityIsToldToTheOthers(t *testing.T) {
	leak.Check(t)
	n := start(t)
	a, b := n.dial(may("r", "a")), n.dial(may("r", "b"))
	say := func(word, side string) {
		if err := a.Send(map[string]any{"type": "quality", "word": word, "side": side}); err != nil {
			t.Fatal(err)
		}
	}
	say("awful", "upload")
	await(t, a, func(m signaltest.Message) bool { return m.Type == "error" && m.Code == "bad_message" })
	say("weak", "upload")
	m := await(t, b, func(m signaltest.Message) bool { return m.Type == "quality" })
	if m.Participant() != "a" || m.Word != "weak" || m.Side != "upload" {
		t.Errorf("%+v", m)
	}
	c := n.dial(may("r", "c"))
	if q := c.Welcome.Participants[0].Quality; q == nil || q.Word != "weak" {
		t.Errorf("a newcomer reads %+v", c.Welcome.Participants)
	}
}

// The loudest voice is the one that speaks; a silent room has none.
func TestSpeakers(t *testing.T) {
	leak.Check(t)
	n := start(t)
	a, b := n.dial(may("r", "a")), n.dial(may("r", "b"))
	voice := publish(t, a, mic)[0]
	other := publish(t, b, mic)[0]
	flow(t, voice, 120)
	flow(t, other, 120)
	active := func(who string) func(signaltest.Message) bool {
		return func(m signaltest.Message) bool { return m.Type == "speakers" && m.Active == who && len(m.Levels) > 0 }
	}
	voice.Speak(100)
	m := await(t, b, active("a"))
	if m.Levels["a"] != 100 {
		t.Errorf("levels %v", m.Levels)
	}
	other.Speak(112)
	await(t, a, active("b"))
	voice.Speak(20)
	if err := b.Send(map[string]any{"type": "track", "source": "microphone", "muted": true}); err != nil {
		t.Fatal(err)
	}
	if err := a.Until(in(t), func(all []signaltest.Message) bool {
		for _, m := range slices.Backward(all) {
			if m.Type == "speakers" {
				return m.Active == ""
			}
		}
		return false
	}); err != nil {
		t.Errorf("somebody still speaks in a silent room: %v", err)
	}
}

// Who sends far more than was asked of them is ended; the others go on.
func TestM9_flood_of_media_hurts_its_sender_only(t *testing.T) {
	leak.Check(t)
	n := start(t, func(c *media.Config, _ *signal.Config) { c.VideoBitrateBPS = 50_000 })
	flood, good, see := n.dial(may("r", "flood")), n.dial(may("r", "good")), n.dial(may("r", "see"))
	flow(t, publish(t, good, mic)[0], 120)
	sound := received(t, see, "good", "microphone")
	flow(t, publish(t, flood, camera)[0], 20_000) // 8 Mbit/s where 200 kbit/s are the most
	m := await(t, see, func(m signaltest.Message) bool { return m.Type == "left" && m.Participant() == "flood" })
	if m.Reason != "overload" {
		t.Errorf("left with %q", m.Reason)
	}
	more(t, sound)
}

// A viewer whose TCP connection stands still does not hold up the publisher or
// another viewer.
func TestM9_viewer_that_stalls_hurts_nobody(t *testing.T) {
	leak.Check(t)
	n := start(t)
	_, tcp, via := relays(t, n)
	a, good := n.dial(may("r", "a")), n.dial(may("r", "good"))
	stalled := n.dial(may("r", "stalled"), signaltest.Options{Via: via, TCPOnly: true})
	flow(t, publish(t, a, camera)[0], 10_000)
	more(t, received(t, stalled, "a", "camera"))
	picture := received(t, good, "a", "camera")
	tcp.Block(true)
	began := time.Now()
	const frames = 100 // of 20 ms
	before := len(picture.Packets())
	if err := picture.WaitPackets(in(t), before+frames*9); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("two seconds of pictures took the other viewer %s", took)
	}
}

// A new socket brings no new budget: who floods by reconnecting is refused, and
// nobody else is cut for it.
func TestM9_reconnecting_is_no_way_to_flood(t *testing.T) {
	leak.Check(t)
	n := start(t)
	a, b := n.dial(may("r", "a")), n.dial(may("r", "b"))
	var refused *signaltest.RefusedError
	for range 50 {
		for i := range 200 {
			word := []string{"good", "weak"}[i%2]
			if a.Send(map[string]any{"type": "quality", "word": word, "side": "upload"}) != nil {
				break
			}
		}
		if err := a.Resume(in(t), n.url); errors.As(err, &refused) {
			break
		}
	}
	if refused == nil {
		t.Fatal("never refused")
	}
	// It depends on who is faster: the new socket is one too many, its participant
	// is gone already, or is being sent away while the socket takes it over.
	m := refused.Message
	if m.Code != "flood" && m.Code != "gone" && (m.Type != "bye" || m.Reason != "overload") {
		t.Fatalf("refused with %+v", refused)
	}
	if err := b.Send(map[string]any{"type": "quality", "word": "good", "side": "upload"}); err != nil {
		t.Errorf("the other side was cut: %v", err)
	}
	await(t, b, func(m signaltest.Message) bool { return m.Type == "ping" })
	for _, m := range b.Messages() {
		if m.Type == "bye" {
			t.Errorf("the other side was sent away: %s", m.Reason)
		}
	}
}

// Those who never say hello have places of their own.
func TestSilentSocketsTakeNoPlaceOfCallers(t *testing.T) {
	leak.Check(t)
	n := start(t, func(_ *media.Config, c *signal.Config) { c.MaxWaiting, c.HelloTimeout = 3, time.Second })
	a := n.dial(may("r", "a"))
	for range 3 {
		ws, err := signaltest.Open(in(t), n.url, "")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = ws.CloseNow() }()
	}
	if ws, err := signaltest.Open(in(t), n.url, ""); err == nil {
		_ = ws.CloseNow()
		t.Error("more may wait than there are places")
	}
	await(t, a, func(m signaltest.Message) bool { return m.Type == "ping" })
	for { // their time is over after a second
		c, err := signaltest.Dial(in(t), n.url, may("r", "b"))
		if err == nil {
			c.Close()
			return
		}
		if in(t).Err() != nil {
			t.Fatal(err)
		}
	}
}
