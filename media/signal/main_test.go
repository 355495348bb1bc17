package signal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"ringdown/fault"
	"ringdown/internal/leak"
	"ringdown/media"
	"ringdown/media/signal"
	"ringdown/media/signal/signaltest"
)

func TestMain(m *testing.M) { leak.Main(m) }

// tokens is a verifier whose tokens are the grants themselves.
type tokens struct{}

func (tokens) VerifyMedia(_ context.Context, token string) (media.Grant, error) {
	var g media.Grant
	switch {
	case token == "over":
		return g, fault.New(fault.MeetingEnded, "the meeting is over")
	case token == "down":
		return g, fault.New(fault.Unavailable, "no store")
	case json.Unmarshal([]byte(token), &g) != nil:
		return g, fault.New(fault.Unauthorized, "not a token")
	}
	return g, nil
}

func token(g media.Grant) string {
	b, _ := json.Marshal(g)
	return string(b)
}

// may grants everything.
func may(room, who string) string {
	return token(media.Grant{
		Room: media.RoomID(room), Participant: media.ParticipantID(who), Role: "visitor", Name: "Name of " + who,
		PublishAudio: true, PublishVideo: true,
	})
}

// node is a hub with its signalling.
type node struct {
	t   *testing.T
	hub *media.Hub
	sig *signal.Server
	url string
	log *logBook
}

// logBook keeps all that is logged, debug too.
type logBook struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func mediaConfig() media.Config {
	c := media.Defaults()
	c.Port, c.Addresses = 0, []string{"127.0.0.1"}
	return c
}

func start(t *testing.T, change ...func(*media.Config, *signal.Config)) *node {
	t.Helper()
	mc := mediaConfig()
	sc := signal.Config{AllowOrigin: func(origin, host string) bool { return origin == "http://"+host }}
	for _, f := range change {
		f(&mc, &sc)
	}
	book := &logBook{}
	log := slog.New(slog.NewTextHandler(book, &slog.HandlerOptions{Level: slog.LevelInfo}))
	hub, err := media.Open(mc, log, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := signal.New(hub, tokens{}, sc, log)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(sig)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := sig.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := hub.Close(ctx); err != nil {
			t.Error(err)
		}
		web.Close()
		if t.Failed() {
			t.Log(book.String())
		}
	})
	return &node{t: t, hub: hub, sig: sig, url: "ws" + strings.TrimPrefix(web.URL, "http"), log: book}
}

// in bounds what a test waits for.
func in(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (n *node) dial(token string, opts ...signaltest.Options) *signaltest.Client {
	n.t.Helper()
	c, err := signaltest.Dial(in(n.t), n.url, token, opts...)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(c.Close)
	return c
}

func publish(t *testing.T, c *signaltest.Client, tracks ...signaltest.Track) []*signaltest.Outgoing {
	t.Helper()
	out, err := c.Publish(in(t), tracks...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func await(t *testing.T, c *signaltest.Client, ok func(signaltest.Message) bool) signaltest.Message {
	t.Helper()
	m, err := c.Wait(in(t), ok)
	if err != nil {
		for _, m := range c.Messages() {
			t.Logf("had %s %s %s %s %s", m.Type, m.Code, m.Detail, m.Reason, m.Source)
		}
		t.Fatal(err)
	}
	return m
}

// flow sends frames on a track until stop is called; it is how a publisher
// behaves, so that its first packets are there before anybody subscribes.
func flow(t *testing.T, o *signaltest.Outgoing, bytes int) (stop func()) {
	t.Helper()
	quit := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
				if _, err := o.Frame(bytes); err != nil {
					return
				}
			}
		}
	})
	stop = sync.OnceFunc(func() { close(quit); wg.Wait() })
	t.Cleanup(stop)
	return stop
}

func received(t *testing.T, c *signaltest.Client, who, source string) *signaltest.Incoming {
	t.Helper()
	in, err := c.Received(in(t), who, source)
	if err != nil {
		for _, m := range c.Messages() {
			t.Logf("had %s %s %s %s %s", m.Type, m.Code, m.Detail, m.Reason, m.Source)
		}
		t.Fatal(err)
	}
	return in
}
