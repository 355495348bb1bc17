package crash_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"ringdown/app"
	"ringdown/config"
	"ringdown/internal/leak"
)

// childConfig names the configuration file of a child: then this program is the
// daemon and no test.
const childConfig = "RINGDOWN_CRASH_CHILD"

func TestMain(m *testing.M) {
	if file := os.Getenv(childConfig); file != "" {
		if err := daemon(file); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	leak.Main(m)
}

// daemon is what `ringdown serve --json` does.
func daemon(file string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ctx, orphaned := context.WithCancel(ctx) // not stop: it would give the signal back to the system
	defer orphaned()
	go func() { // whoever started us is gone
		_, _ = io.Copy(io.Discard, os.Stdin)
		orphaned()
	}()
	c, err := config.Load(file, nil)
	if err != nil {
		return err
	}
	a, err := app.New(ctx, c, "crash", slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(a.Facts()); err != nil {
		return err
	}
	return a.Run(ctx)
}
