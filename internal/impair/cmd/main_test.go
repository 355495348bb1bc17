package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"testing"

	"ringdown/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// The command obeys, refuses what it does not know, and ends with its input.
func TestCommand(t *testing.T) {
	leak.Check(t)
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	addr := server.LocalAddr().String()

	in, commands := io.Pipe()
	answers, out := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(t.Context(), []string{"-seed", "7", "-udp", addr, "-tcp", addr}, in, out)
		out.Close()
	}()
	lines := bufio.NewScanner(answers)
	next := func() (m map[string]any) {
		t.Helper()
		if !lines.Scan() {
			t.Fatal("no answer")
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			t.Fatal(err)
		}
		return m
	}
	hello := next()
	relays, _ := hello["relays"].([]any)
	if hello["seed"] != 7.0 || len(relays) != 2 {
		t.Fatal(hello)
	}
	udp, _ := relays[0].(map[string]any)
	address, _ := udp["address"].(string)
	if udp["kind"] != "udp" || udp["server"] != addr || address == "" {
		t.Fatal(udp)
	}
	for _, tc := range []struct {
		command string
		ok      bool
	}{
		{`{"block":true}`, true},
		{`{"block":false,"loss":0.03,"delay_ms":75,"jitter_ms":5,"kbit_per_second":500,"queue_bytes":1000}`, true},
		{`{"kind":"udp","direction":"down","reorder":0.1,"duplicate":0.1}`, true},
		{`{"rebind":true,"reset":true}`, true},
		{`{"loss":2}`, false},
		{`{"bloc":true}`, false},
		{`{"direction":"left"}`, false},
		{`{"server":"127.0.0.1:1","block":true}`, false},
		{`nonsense`, false},
		{`{"loss":0,"delay_ms":0,"jitter_ms":0,"kbit_per_second":0}`, true},
	} {
		if _, err := io.WriteString(commands, tc.command+"\n"); err != nil {
			t.Fatal(err)
		}
		if a := next(); a["ok"] != tc.ok || (a["error"] == nil) != tc.ok {
			t.Errorf("%s: %v", tc.command, a)
		}
	}
	c, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 10)
	if n, _, err := server.ReadFrom(b); err != nil || string(b[:n]) != "hello" {
		t.Fatal(n, err)
	}
	if _, err := io.WriteString(commands, `{"kind":"udp","counts":true}`+"\n"); err != nil {
		t.Fatal(err)
	}
	counts, _ := next()["counts"].([]any)
	if len(counts) != 1 {
		t.Fatal(counts)
	}
	one, _ := counts[0].(map[string]any)
	if up, _ := one["up"].(map[string]any); up["packets"] != 1.0 || up["bytes"] != 5.0 {
		t.Error(one)
	}
	commands.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestCommandNeedsAServer(t *testing.T) {
	if err := run(t.Context(), nil, nil, io.Discard); err == nil {
		t.Error("it runs without a server")
	}
}
