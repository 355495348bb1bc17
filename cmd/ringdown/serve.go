package main

import (
	"fmt"
	"log/slog"
	"strings"
	"text/tabwriter"

	"ringdown/app"
	"ringdown/config"
)

type configFlag struct {
	Config string `short:"c" env:"RINGDOWN_CONFIG" placeholder:"FILE" help:"The configuration file; none: the demo."`
}

type serveCmd struct {
	configFlag
	JSON bool `name:"json" help:"Print the start banner as one line of JSON."`
}

// Help gives the example.
func (serveCmd) Help() string {
	return "Example:\n  ringdown serve --config /etc/ringdown/ringdown.yaml\n\nEvery key of the file is also an environment variable: media.port is RINGDOWN_MEDIA_PORT."
}

// Run serves until a signal.
func (s *serveCmd) Run(c *console) error {
	cfg, err := config.Load(s.Config, c.environ)
	if err != nil {
		return fmt.Errorf("the configuration is not right:\n%w", err)
	}
	a, err := app.New(c.ctx, cfg, version, logger(c, cfg.Log))
	if err != nil {
		return err
	}
	if err := banner(c, a.Facts(), s.JSON); err != nil {
		return err
	}
	return a.Run(c.ctx)
}

// logger writes to stderr: stdout has the banner.
func logger(c *console, l config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(l.Level)) // checked by config
	o := &slog.HandlerOptions{Level: level}
	if l.Format == "text" {
		return slog.New(slog.NewTextHandler(c.err, o))
	}
	return slog.New(slog.NewJSONHandler(c.err, o))
}

func banner(c *console, f app.Facts, asJSON bool) error {
	if asJSON {
		return c.print(f)
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	line := func(name, value string) { fmt.Fprintf(w, "  %s\t%s\n", name, value) }
	fmt.Fprintf(w, "\nRingdown %s\n\n", f.Version)
	line("Pages and API", f.URL+"  (listening on "+f.Listen+")")
	line("Media", strings.Join(f.Media, ", ")+"  udp and tcp")
	line("Database", f.Database)
	if f.Admin != "" {
		line("Metrics", "http://"+f.Admin+"/metrics")
	}
	line("Admin API key", f.KeyFile)
	if f.Inbox != "" {
		line("Emulated inbox", f.Inbox)
	}
	if f.Phones != "" {
		line("Emulated phones", f.Phones)
	}
	switch {
	case !f.Pages:
		fmt.Fprintf(w, "\nThis binary was built without pages: run \"make build\" first.\n")
	case f.Demo:
		fmt.Fprintf(w, "\nThe demo is ready. Open  %s\n", f.URL)
	}
	fmt.Fprintln(w)
	return w.Flush()
}

type checkCmd struct {
	configFlag
	JSON bool `name:"json" help:"Print JSON: ok, the faults and the warnings."`
}

// Help gives the example.
func (checkCmd) Help() string { return "Example:\n  ringdown check --config ringdown.yaml" }

// Run reads and checks without starting anything.
func (k *checkCmd) Run(c *console) error {
	cfg, err := config.Load(k.Config, c.environ)
	if k.JSON {
		faults := []string{}
		if err != nil {
			faults = strings.Split(err.Error(), "\n")
		}
		if e := c.print(map[string]any{"ok": err == nil, "faults": faults, "warnings": append([]string{}, cfg.Warnings()...)}); e != nil {
			return e
		}
		if err != nil {
			return errSaid
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("the configuration is not right:\n%w", err)
	}
	for _, w := range cfg.Warnings() {
		fmt.Fprintln(c.err, "ringdown: warning:", w)
	}
	what := "good"
	if cfg.Demo {
		what = "good: the demo"
	}
	_, err = fmt.Fprintf(c.out, "%s, %d sites, %d queues\n", what, len(cfg.Sites), len(cfg.Queues))
	return err
}
