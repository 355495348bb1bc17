package mail_test

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"ringdown/connectors/connectortest"
	"ringdown/connectors/mail"
	"ringdown/internal/leak"
	"ringdown/meeting"
	"ringdown/outbox"
)

func TestMain(m *testing.M) { leak.Main(m) }

// server speaks SMTP as far as one client needs it, and answers each command as
// told.
type server struct {
	address string
	answers map[string]string // command → answer
	mu      sync.Mutex
	letters []string
}

func serve(t *testing.T, answers map[string]string) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{address: l.Addr().String(), answers: answers}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { s.talk(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	return s
}

func (s *server) talk(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	say := func(word, otherwise string) {
		if a, ok := s.answers[word]; ok {
			otherwise = a
		}
		_, _ = io.WriteString(c, otherwise+"\r\n")
	}
	in := bufio.NewScanner(c)
	say("HELLO", "220 mail.example")
	for in.Scan() {
		word, _, _ := strings.Cut(strings.ToUpper(in.Text()), " ")
		switch word {
		case "EHLO":
			say(word, "250-mail.example\r\n250 AUTH PLAIN")
		case "DATA":
			say(word, "354 go on")
			var b strings.Builder
			for in.Scan() && in.Text() != "." {
				b.WriteString(in.Text() + "\n")
			}
			s.mu.Lock()
			s.letters = append(s.letters, b.String())
			s.mu.Unlock()
			say("END", "250 ok")
		case "*":
			say(word, "501 5.5.2 given up")
		case "QUIT":
			say(word, "221 bye")
			return
		default:
			say(word, "250 ok")
		}
	}
}

func (s *server) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.letters
}

func makeOne(t *testing.T, cfg mail.Config, meetings *connectortest.Meetings, log io.Writer) *mail.Connector {
	t.Helper()
	c, err := mail.New(cfg, connectortest.Deps(slog.New(slog.NewTextHandler(log, nil)), meetings, nil))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func body(t *testing.T, c *mail.Connector, lang string) []byte {
	t.Helper()
	for _, ev := range connectortest.Events("") {
		if ev.Kind == meeting.KindDispatched {
			ev.Dispatch.Channel, ev.Dispatch.To, ev.Dispatch.Language = meeting.Mail, "anna@canary.example", lang
			drafts, err := c.Draft(ev)
			if err != nil || len(drafts) != 1 {
				t.Fatal(drafts, err)
			}
			if again, _ := c.Draft(ev); string(again[0].Body) != string(drafts[0].Body) {
				t.Error("two drafts differ")
			}
			return drafts[0].Body
		}
	}
	return nil
}

// TestALetter: the words in both forms, the same Message-ID each time.
func TestALetter(t *testing.T) {
	leak.Check(t)
	s := serve(t, nil)
	meetings := &connectortest.Meetings{}
	c := makeOne(t, mail.Config{Server: s.address, Security: "none", From: "Vela <video@vela.example>", ReplyTo: "help@vela.example"}, meetings, io.Discard)
	for range 2 {
		if r := c.Deliver(t.Context(), outbox.Delivery{Body: body(t, c, "fr")}); r.Verdict != outbox.OK {
			t.Fatalf("%+v", r)
		}
	}
	if d := meetings.Dispatch("dsp_1"); d.State != meeting.DispatchSent {
		t.Error(d)
	}
	if len(s.got()) != 2 {
		t.Fatal(s.got())
	}
	for _, l := range s.got() {
		for _, want := range []string{"Message-ID: <dsp_1@vela.example>", "From: \"Vela\" <video@vela.example>", "Reply-To: <help@vela.example>", "To: <anna@canary.example>", "Auto-Submitted: auto-generated", "text/plain", "text/html", "#canarySecretOfTheLink1", "<a href="} {
			if !strings.Contains(strings.ReplaceAll(strings.ReplaceAll(l, "=\n", ""), "=3D", "="), want) {
				t.Errorf("%q is missing in\n%s", want, l)
			}
		}
	}
}

// TestAnswersOfTheServer: what is told of each, and whether it is tried again;
// the address is in no log.
func TestAnswersOfTheServer(t *testing.T) {
	leak.Check(t)
	for _, c := range []struct {
		name    string
		answers map[string]string
		user    string
		verdict outbox.Verdict
		reason  string
	}{
		{"unknown address", map[string]string{"RCPT": "550 5.1.1 anna@canary.example is unknown"}, "", outbox.GiveUp, "address_refused"},
		{"greylisted", map[string]string{"RCPT": "451 4.7.1 try later anna@canary.example"}, "", outbox.Retry, "server_down"},
		{"refused as a whole", map[string]string{"END": "554 5.7.1 not wanted"}, "", outbox.GiveUp, "rejected"},
		{"busy", map[string]string{"HELLO": "421 too busy"}, "", outbox.Retry, "server_down"},
		{"a wrong password", map[string]string{"AUTH": "535 5.7.8 no"}, "video", outbox.Retry, "auth"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, c.answers)
			meetings := &connectortest.Meetings{}
			var log strings.Builder
			cfg := mail.Config{Server: s.address, Security: "none", From: "video@vela.example", Timeout: 5 * time.Second}
			if c.user != "" {
				cfg.User, cfg.Password = c.user, "canary-password"
			}
			k := makeOne(t, cfg, meetings, &log)
			r := k.Deliver(t.Context(), outbox.Delivery{Body: body(t, k, "en")})
			if r.Verdict != c.verdict || r.Reason != c.reason {
				t.Errorf("%+v", r)
			}
			if d := meetings.Dispatch("dsp_1"); (r.Verdict == outbox.GiveUp) != (d.State == meeting.DispatchFailed && d.Reason == c.reason) {
				t.Error(d)
			}
			if strings.Contains(log.String(), "canary") {
				t.Error(log.String())
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		k := makeOne(t, mail.Config{Server: "127.0.0.1:1", Security: "none", From: "video@vela.example"}, &connectortest.Meetings{}, io.Discard)
		if r := k.Deliver(t.Context(), outbox.Delivery{Body: body(t, k, "en")}); r.Verdict != outbox.Retry {
			t.Errorf("%+v", r)
		}
	})
}

// TestNothingGoesInTheClear: a server that offers no encryption gets no word.
func TestNothingGoesInTheClear(t *testing.T) {
	leak.Check(t)
	for _, security := range []string{"starttls", "tls"} {
		s := serve(t, nil)
		k := makeOne(t, mail.Config{Server: s.address, Security: security, From: "video@vela.example", Timeout: time.Second}, &connectortest.Meetings{}, io.Discard)
		if r := k.Deliver(t.Context(), outbox.Delivery{Body: body(t, k, "en")}); r.Verdict != outbox.Retry {
			t.Errorf("%s: %+v", security, r)
		}
		if len(s.got()) > 0 {
			t.Errorf("%s: a letter went out in the clear", security)
		}
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	leak.Check(t)
	good := mail.Config{Server: "mail.example:587", From: "video@vela.example"}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		change func(*mail.Config)
		want   string
	}{
		{func(c *mail.Config) { c.Server = "mail.example" }, "server: must be a host and a port"},
		{func(c *mail.Config) { c.Security = "ssl" }, "security: must be starttls, tls or none"},
		{func(c *mail.Config) { c.Security = "none" }, "security: may be none for a server on this machine only"},
		{func(c *mail.Config) { c.User = "video" }, "user: give user and password, or neither"},
		{func(c *mail.Config) { c.From = "Vela" }, "from: must be an address"},
		{func(c *mail.Config) { c.ReplyTo = "x" }, "reply_to: must be an address"},
		{func(c *mail.Config) { c.Texts = map[string]string{"en": "hello"} }, "texts.en: must have {link}"},
		{func(c *mail.Config) { c.Subjects = map[string]string{"de": "x"} }, `subjects: has the language "de"`},
		{func(c *mail.Config) { c.Subjects = map[string]string{"en": "a\nBcc: b@c.example"} }, "subjects.en: must be one line"},
	} {
		cfg := good
		c.change(&cfg)
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q is not said in %v", c.want, err)
		}
	}
}
