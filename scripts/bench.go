//go:build ignore

// Command bench measures what a newcomer notices of bin/ringdown and judges it:
// how soon the demo is ready, what it holds in memory while nobody calls, and
// how large the program and the call button are. Three runs, the median counts.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	binary = "bin/ringdown"
	button = "web/dist/button.js"
	runs   = 3
	settle = 5 * time.Second // idle before memory is read
)

type figure struct {
	name  string
	unit  string
	value float64
	limit float64
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	figures, err := measure(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	missed := 0
	for _, f := range figures {
		verdict := "ok"
		if f.value > f.limit {
			verdict, missed = "MISSED", missed+1
		}
		fmt.Printf("%-24s %8.1f %-4s at most %6.0f   %s\n", f.name, f.value, f.unit, f.limit, verdict)
	}
	if missed > 0 {
		log.Fatalf("%d of %d figures missed", missed, len(figures))
	}
}

func measure(ctx context.Context) ([]figure, error) {
	program, err := os.Stat(binary)
	if err != nil {
		return nil, err
	}
	script, err := gzipped(button)
	if err != nil {
		return nil, err
	}
	var ready, memory []float64
	for range runs {
		r, m, err := start(ctx)
		if err != nil {
			return nil, err
		}
		ready, memory = append(ready, r), append(memory, m)
	}
	return []figure{
		{"ready", "ms", median(ready), 1000},
		{"idle memory", "MiB", median(memory), 60},
		{"binary", "MB", float64(program.Size()) / 1e6, 45},
		{"button.js, gzipped", "kB", float64(script) / 1e3, 15},
	}, nil
}

// start runs the demo on free ports in an empty folder and gives milliseconds
// to the first good /readyz and MiB of resident memory after a while.
func start(ctx context.Context) (readyMs, memoryMiB float64, err error) {
	dir, err := os.MkdirTemp("", "ringdown-bench")
	if err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	var ports [3]string
	for i := range ports {
		if ports[i], err = freePort(); err != nil {
			return 0, 0, err
		}
	}
	path, err := filepath.Abs(binary)
	if err != nil {
		return 0, 0, err
	}
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, path, "serve")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &output, &output
	cmd.Env = append(os.Environ(),
		"RINGDOWN_LISTEN=127.0.0.1:"+ports[0], "RINGDOWN_PUBLIC_URL=http://localhost:"+ports[0],
		"RINGDOWN_ADMIN_LISTEN=127.0.0.1:"+ports[1], "RINGDOWN_MEDIA_PORT="+ports[2], "RINGDOWN_DATA_DIR="+dir)
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // gone already: Wait tells
		if ended := cmd.Wait(); ended != nil && err == nil {
			err = fmt.Errorf("the daemon ended badly: %w\n%s", ended, output.Bytes())
		}
	}()
	for !answers(ctx, "http://localhost:"+ports[0]+"/readyz") {
		if time.Since(began) > 20*time.Second {
			return 0, 0, errors.New("not ready after 20 s")
		}
		time.Sleep(5 * time.Millisecond)
	}
	readyMs = float64(time.Since(began).Microseconds()) / 1000
	time.Sleep(settle)
	memoryMiB, err = resident(cmd.Process.Pid)
	return readyMs, memoryMiB, err
}

func answers(ctx context.Context, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// resident reads /proc, or asks ps where there is none.
func resident(pid int) (float64, error) {
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)); err == nil {
		for line := range strings.Lines(string(status)) {
			if kib, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				n, err := strconv.ParseFloat(strings.Fields(kib)[0], 64)
				return n / 1024, err
			}
		}
	}
	out, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return 0, fmt.Errorf("memory of %d: %w", pid, err)
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return n / 1024, err
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

func gzipped(name string) (int, error) {
	content, err := os.ReadFile(name)
	if err != nil {
		return 0, err
	}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return 0, err
	}
	if _, err := w.Write(content); err != nil {
		return 0, err
	}
	if err := w.Close(); err != nil {
		return 0, err
	}
	return b.Len(), nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}
