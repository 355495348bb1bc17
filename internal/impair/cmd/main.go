// Command cmd is the impairment relay for tests that are not written in Go. It
// opens a relay for every server it is given, prints one line of JSON with their
// addresses, and then obeys lines of JSON on its standard input, each answered
// with a line, until that ends:
//
//	$ go run ./internal/impair/cmd -udp 127.0.0.1:7882 -tcp 127.0.0.1:8080
//	{"seed":1,"relays":[{"kind":"udp","server":"127.0.0.1:7882","address":"127.0.0.1:41234"},…]}
//	{"block":true}
//	{"ok":true}
//
// A command's members: server, kind and direction ("up", "down") narrow it to
// some relays or one way; loss, reorder, duplicate (shares of the packets),
// delay_ms, jitter_ms, kbit_per_second, queue_bytes and block change the
// conditions that are named and leave the others; rebind gives every client of a
// UDP relay a new port, reset ends every connection of a TCP relay, counts adds
// the counts to the answer.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"

	"ringdown/internal/impair"
)

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "impair:", err)
		os.Exit(1)
	}
}

type relay interface {
	Change(impair.Direction, func(*impair.Conditions)) error
	Counts(impair.Direction) impair.Counts
	Addr() netip.AddrPort
	Close()
}

type opened struct {
	Kind    string `json:"kind"`
	Server  string `json:"server"`
	Address string `json:"address"`
	relay   relay
}

type command struct {
	Kind      string `json:"kind"`
	Server    string `json:"server"`
	Direction string `json:"direction"`

	Loss          *float64 `json:"loss"`
	Reorder       *float64 `json:"reorder"`
	Duplicate     *float64 `json:"duplicate"`
	DelayMS       *int     `json:"delay_ms"`
	JitterMS      *int     `json:"jitter_ms"`
	KbitPerSecond *int     `json:"kbit_per_second"`
	QueueBytes    *int     `json:"queue_bytes"`
	Block         *bool    `json:"block"`

	Rebind bool `json:"rebind"`
	Reset  bool `json:"reset"`
	Counts bool `json:"counts"`
}

type counted struct {
	Kind   string        `json:"kind"`
	Server string        `json:"server"`
	Up     impair.Counts `json:"up"`
	Down   impair.Counts `json:"down"`
}

type reply struct {
	OK     bool      `json:"ok"`
	Error  string    `json:"error,omitempty"`
	Counts []counted `json:"counts,omitempty"`
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	var relays []opened
	defer func() {
		for _, r := range relays {
			r.relay.Close()
		}
	}()
	flags := flag.NewFlagSet("impair", flag.ContinueOnError)
	seed := flags.Uint64("seed", 1, "of every decision")
	listen := flags.String("listen", "127.0.0.1:0", "where the relays listen; port 0 is a free one each")
	var wanted []opened
	for _, kind := range []string{"udp", "tcp"} {
		flags.Func(kind, "address of a server; may be given more than once", func(server string) error {
			wanted = append(wanted, opened{Kind: kind, Server: server})
			return nil
		})
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if len(wanted) == 0 {
		return errors.New("give at least one -udp or -tcp address")
	}
	for _, w := range wanted {
		var err error
		if w.Kind == "udp" {
			w.relay, err = impair.ListenUDP(ctx, *listen, w.Server, *seed)
		} else {
			w.relay, err = impair.ListenTCP(ctx, *listen, w.Server, *seed)
		}
		if err != nil {
			return err
		}
		w.Address = w.relay.Addr().String()
		relays = append(relays, w)
	}
	answers := json.NewEncoder(out)
	if err := answers.Encode(map[string]any{"seed": *seed, "relays": relays}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		r, err := obey(relays, lines.Bytes())
		if err != nil {
			r.Error = err.Error()
		}
		r.OK = err == nil
		if err := answers.Encode(r); err != nil {
			return err
		}
	}
	return lines.Err()
}

func obey(relays []opened, line []byte) (reply, error) {
	var c command
	strict := json.NewDecoder(bytes.NewReader(line))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&c); err != nil {
		return reply{}, err
	}
	ways := []impair.Direction{impair.Up, impair.Down}
	switch c.Direction {
	case "":
	case "up", "down":
		ways = ways[:1]
		if c.Direction == "down" {
			ways[0] = impair.Down
		}
	default:
		return reply{}, fmt.Errorf("a direction is up or down, not %q", c.Direction)
	}
	var answer reply
	found := false
	for _, r := range relays {
		if (c.Kind != "" && c.Kind != r.Kind) || (c.Server != "" && c.Server != r.Server) {
			continue
		}
		found = true
		for _, way := range ways {
			if err := r.relay.Change(way, c.apply); err != nil {
				return reply{}, err
			}
		}
		if u, ok := r.relay.(*impair.UDP); ok && c.Rebind {
			u.Rebind()
		}
		if t, ok := r.relay.(*impair.TCP); ok && c.Reset {
			t.Reset()
		}
		if c.Counts {
			answer.Counts = append(answer.Counts, counted{r.Kind, r.Server, r.relay.Counts(impair.Up), r.relay.Counts(impair.Down)})
		}
	}
	if !found {
		return reply{}, fmt.Errorf("there is no relay for %q %q", c.Kind, c.Server)
	}
	return answer, nil
}

// apply changes the conditions that the command names.
func (c command) apply(to *impair.Conditions) {
	set(&to.Loss, c.Loss)
	set(&to.Reorder, c.Reorder)
	set(&to.Duplicate, c.Duplicate)
	set(&to.QueueBytes, c.QueueBytes)
	set(&to.Block, c.Block)
	if c.DelayMS != nil {
		to.Delay = time.Duration(*c.DelayMS) * time.Millisecond
	}
	if c.JitterMS != nil {
		to.Jitter = time.Duration(*c.JitterMS) * time.Millisecond
	}
	if c.KbitPerSecond != nil {
		to.BitsPerSecond = *c.KbitPerSecond * 1000
	}
}

func set[T any](to, value *T) {
	if value != nil {
		*to = *value
	}
}
