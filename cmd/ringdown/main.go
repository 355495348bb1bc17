// Command ringdown is the daemon and its command line: flags, signals, exit
// codes. Exit codes: 0 done, 1 it failed, 2 the command line was wrong.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// version is set by the build.
var version = "dev"

type cli struct {
	Serve    serveCmd    `cmd:"" help:"Run the daemon; without a configuration file, the demo."`
	Check    checkCmd    `cmd:"" help:"Read the configuration and say everything that is wrong with it."`
	Emulate  emulateCmd  `cmd:"" help:"Run a stand-in of a desk, to try things without one."`
	Meeting  meetingCmd  `cmd:"" help:"Look at the meetings of a running daemon, make and end them."`
	Delivery deliveryCmd `cmd:"" help:"Look at what is sent to desks and other targets, send it again."`
	Key      keyCmd      `cmd:"" help:"Make, list and revoke API keys of a running daemon."`
	Version  versionCmd  `cmd:"" help:"Print the version."`
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr, os.Environ()))
}

// console is where a command writes, and what it was started with.
type console struct {
	ctx     context.Context //nolint:containedctx // one command's life is the process's
	out     io.Writer
	err     io.Writer
	environ []string
}

func run(args []string, out, errs io.Writer, environ []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exited := -1
	parser, err := kong.New(&cli{},
		kong.Name("ringdown"),
		kong.Description("Joins the people on your website to the people in your contact centre, by video."),
		kong.Writers(out, errs),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.UsageOnError(),
	)
	if err != nil {
		fmt.Fprintln(errs, "ringdown:", err)
		return 1
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if exited >= 0 { // --help has printed
		return exited
	}
	if err != nil {
		fmt.Fprintf(errs, "ringdown: %v\nTry: ringdown --help\n", err)
		return 2
	}
	if err := k.Run(&console{ctx: ctx, out: out, err: errs, environ: environ}); err != nil {
		if !errors.Is(err, errSaid) {
			fmt.Fprintf(errs, "ringdown: %s\n", strings.ReplaceAll(err.Error(), "\n", "\n  "))
		}
		return 1
	}
	return 0
}

// errSaid is a failure that the command has printed itself.
var errSaid = errors.New("said")

// print writes v as indented JSON.
func (c *console) print(v any) error {
	e := json.NewEncoder(c.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

type versionCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Help gives the example.
func (versionCmd) Help() string { return "Example:\n  ringdown version --json" }

// Run prints the version.
func (v *versionCmd) Run(c *console) error {
	if v.JSON {
		return c.print(map[string]string{"version": version})
	}
	_, err := fmt.Fprintln(c.out, "ringdown", version)
	return err
}
