// Package leak tells when a test leaves something behind: goroutines, open files
// and sockets, or calls. Every integration test starts with Check, every package
// that has some hands its TestMain to Main, and a test of this package looks that
// none forgets it. Only tests import it.
package leak

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience bounds the wait for what ends by itself a moment later.
const patience = 5 * time.Second

// Check notes which goroutines run and which files are open, and after the test
// and all its later cleanups waits until no others do, at most 5 s. So it comes
// first in a test; one that runs beside others cannot use it.
func Check(t testing.TB) {
	t.Helper()
	before := now()
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() {
			return // what failed may have left anything
		}
		if err := before.settle(patience); err != nil {
			t.Errorf("the test left something behind: %v", err)
		}
	})
}

// Calls looks after the test whether all calls are over: open tells how many
// rooms and people the server has. It comes after the start of the server, whose
// own cleanup then comes later, and waits as Check does.
func Calls(t testing.TB, open func() (rooms, peers int)) {
	t.Helper()
	calls(t, patience, open)
}

func calls(t testing.TB, d time.Duration, open func() (rooms, peers int)) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() {
			return
		}
		var rooms, peers int
		if !poll(d, func() bool {
			rooms, peers = open()
			return rooms == 0 && peers == 0
		}) {
			t.Errorf("the test left %d rooms with %d people behind", rooms, peers)
		}
	})
}

// Main runs the tests of a package and fails if any of them left something
// behind. It does not return.
func Main(m *testing.M) {
	before := now()
	code := m.Run()
	if code == 0 {
		if err := before.settle(patience); err != nil {
			fmt.Fprintln(os.Stderr, "the tests left something behind:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// state is what runs and what is open.
type state struct {
	goroutines goleak.Option // those that run
	files      map[string]int
}

func now() state {
	warm()
	return state{goleak.IgnoreCurrent(), files()}
}

// warm has the runtime open what it keeps for ever, its poller above all.
func warm() {
	if l, err := net.Listen("tcp", "127.0.0.1:0"); err == nil { //nolint:noctx // closed at once
		_ = l.Close()
	}
}

// settle waits until nothing is there that was not before, or says what is.
func (s state) settle(d time.Duration) error {
	var err error
	poll(d, func() bool {
		http.DefaultClient.CloseIdleConnections()
		err = errors.Join(s.more(), goleak.Find(s.goroutines))
		return err == nil
	})
	return err
}

// more names the files that are open now and were not, if there are more.
func (s state) more() error {
	was, is := 0, 0
	for _, n := range s.files {
		was += n
	}
	open := files()
	var extra []string
	for _, name := range slices.Sorted(maps.Keys(open)) {
		is += open[name]
		for range open[name] - s.files[name] {
			extra = append(extra, name)
		}
	}
	if is <= was {
		return nil
	}
	return fmt.Errorf("%d open files, %d before; new ones: %s", is, was, strings.Join(extra, ", "))
}

// files counts the open files of this process by what they are; none where the
// system does not tell.
func files() map[string]int {
	open := map[string]int{}
	const dir = "/proc/self/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return open
	}
	for _, e := range entries {
		name, err := os.Readlink(filepath.Join(dir, e.Name()))
		if err == nil && !strings.HasSuffix(name, "/fd") { // gone again: the one that lists
			open[name]++
		}
	}
	return open
}

// poll asks until ok or the time is over; false then.
func poll(d time.Duration, ok func() bool) bool {
	limit := time.Now().Add(d)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(limit) {
			return false
		}
		<-tick.C
	}
	return true
}
