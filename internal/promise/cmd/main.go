// Command cmd runs the tests of promises, one promise after the other and each
// three times, and prints one table with the medians. Arguments narrow it to
// some ids. It runs in the folder of the house and wants the machine for itself:
//
//	$ scripts/promises D7 D8
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ringdown/internal/promise"
)

func main() {
	runs := flag.Int("runs", 3, "how often each is run; the median counts")
	limit := flag.Duration("timeout", 20*time.Minute, "of one run")
	verbose := flag.Bool("v", false, "print what the tests print")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	r := runner{runs: *runs, limit: *limit, verbose: *verbose, built: map[string]string{}}
	kept, err := r.all(ctx, flag.Args())
	r.clean()
	stop()
	if err == nil && !kept {
		err = errors.New("not all promises are kept")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "promises:", err)
		os.Exit(1)
	}
}

type runner struct {
	runs    int
	limit   time.Duration
	verbose bool
	dir     string
	built   map[string]string // test program by folder
}

func (r *runner) all(ctx context.Context, wanted []string) (bool, error) {
	var err error
	if r.dir, err = os.MkdirTemp("", "ringdown-promises-"); err != nil {
		return false, err
	}
	tests, err := promise.Tests(os.DirFS("."))
	if err != nil {
		return false, err
	}
	table := promise.Table()
	for _, id := range wanted {
		if !slices.ContainsFunc(table, func(p promise.Promise) bool { return p.ID == id }) {
			return false, fmt.Errorf("there is no promise %q", id)
		}
	}
	table = slices.DeleteFunc(table, func(p promise.Promise) bool { return len(wanted) > 0 && !slices.Contains(wanted, p.ID) })
	for _, p := range table { // nothing compiles while something is measured
		for _, folder := range tests[p.ID] {
			if err := r.build(ctx, folder); err != nil {
				return false, err
			}
		}
	}
	var lines []promise.Line
	for _, p := range table {
		fmt.Fprintf(os.Stderr, "%s …\n", p.ID)
		var runs []promise.Run
		for range r.runs {
			if len(tests[p.ID]) == 0 {
				break
			}
			var output strings.Builder
			for _, folder := range tests[p.ID] {
				output.WriteString(r.run(ctx, p.ID, folder))
			}
			if ctx.Err() != nil {
				return false, errors.New("interrupted")
			}
			runs = append(runs, promise.Read(p.ID, output.String()))
		}
		lines = append(lines, promise.Judge(p, runs)...)
	}
	return promise.Print(os.Stdout, lines)
}

func (r *runner) clean() { _ = os.RemoveAll(r.dir) }

// build makes the test program of a folder, without the race detector: it is
// measured.
func (r *runner) build(ctx context.Context, folder string) error {
	if r.built[folder] != "" {
		return nil
	}
	program := filepath.Join(r.dir, strings.ReplaceAll(folder, "/", "-")+".test")
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "./"+folder)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build the tests of %s: %w", folder, err)
	}
	r.built[folder] = program
	return nil
}

// run runs the tests of a promise once and returns what they print. A bad end
// shows in that.
func (r *runner) run(ctx context.Context, id, folder string) string {
	cmd := exec.CommandContext(ctx, r.built[folder], "-test.run", "^Test"+id+"_", "-test.v", "-test.count", "1", "-test.timeout", r.limit.String())
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "RINGDOWN_PROMISES=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	text := out.String()
	if err != nil && !strings.Contains(text, "--- FAIL") {
		text += fmt.Sprintf("\n--- FAIL: %s (%v)\n", folder, err)
	}
	if r.verbose || err != nil {
		fmt.Fprintln(os.Stderr, text)
	}
	return text
}
