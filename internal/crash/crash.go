// Package crash runs a daemon as a child process that a test kills and starts
// again on the same data. What the daemon is, the test says; its tests here run
// the whole of ours, kill it at random moments under load, and compare what was
// acknowledged with what was delivered. Only tests import it.
package crash

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Daemon is a child process with one life after another. One goroutine uses it.
type Daemon struct {
	// Command makes the next life's process; its standard input and output are
	// Start's. The child writes one line of JSON to its standard output when it can
	// be reached, and should end when its standard input does: then nobody is left
	// to stop it.
	Command func() *exec.Cmd

	cmd   *exec.Cmd
	input io.Closer
	wg    sync.WaitGroup
}

// Start begins a life and decodes the child's line into facts.
func (d *Daemon) Start(ctx context.Context, facts any) error {
	cmd := d.Command()
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	d.cmd, d.input = cmd, in
	lines := make(chan error, 1)
	d.wg.Go(func() {
		r := bufio.NewReader(out)
		line, err := r.ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, facts)
		}
		lines <- err
		_, _ = io.Copy(io.Discard, r) // what it prints later
	})
	select {
	case err = <-lines:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		d.Kill()
		return fmt.Errorf("the daemon does not start: %w", err)
	}
	return nil
}

// Kill ends the life at once, as a crash does, and waits until nothing of the
// process is left. It does nothing without one.
func (d *Daemon) Kill() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Kill()
	_ = d.end() // "signal: killed"
}

// Stop asks politely and waits up to patience; the error tells a bad end.
func (d *Daemon) Stop(patience time.Duration) error {
	if d.cmd == nil {
		return nil
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(err, d.end())
	}
	process := d.cmd.Process
	late := time.AfterFunc(patience, func() { _ = process.Kill() })
	defer late.Stop()
	return d.end()
}

func (d *Daemon) end() error {
	d.input.Close()
	d.wg.Wait() // before Wait, which closes the pipe
	err := d.cmd.Wait()
	d.cmd = nil
	return err
}
