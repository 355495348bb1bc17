package leak

import (
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) { Main(m) }

// recorder is a test that a leak fails.
type recorder struct {
	testing.TB
	cleanups []func()
	failed   []string
}

func (r *recorder) Helper()           {}
func (r *recorder) Failed() bool      { return false }
func (r *recorder) Skipped() bool     { return false }
func (r *recorder) Cleanup(do func()) { r.cleanups = append(r.cleanups, do) }
func (r *recorder) Errorf(format string, args ...any) {
	for _, a := range args {
		if err, ok := a.(error); ok {
			format += " " + err.Error()
		}
	}
	r.failed = append(r.failed, format)
}

func (r *recorder) end() {
	for _, do := range slices.Backward(r.cleanups) {
		do()
	}
}

func TestNothingLeftIsFine(t *testing.T) {
	r := &recorder{TB: t}
	Check(r)
	Calls(r, func() (int, int) { return 0, 0 })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.Cleanup(func() { l.Close() })
	done := make(chan struct{})
	go func() { <-done }()
	time.AfterFunc(20*time.Millisecond, func() { close(done) }) // ends a moment after the test
	r.end()
	if len(r.failed) > 0 {
		t.Error(r.failed)
	}
}

func TestWhatIsLeftIsNamed(t *testing.T) {
	t.Run("a file", func(t *testing.T) {
		before := now()
		f, err := os.Open("leak.go")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if len(files()) == 0 {
			t.Skip("this system does not tell open files")
		}
		if err := before.settle(30 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "leak.go") {
			t.Error(err)
		}
	})
	t.Run("a goroutine", func(t *testing.T) {
		before := now()
		stop := make(chan struct{})
		defer close(stop)
		go stays(stop)
		if err := before.settle(30 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "leak.stays") {
			t.Error(err)
		}
	})
	t.Run("a call", func(t *testing.T) {
		r := &recorder{TB: t}
		calls(r, 30*time.Millisecond, func() (int, int) { return 1, 2 })
		r.end()
		if len(r.failed) != 1 {
			t.Error(r.failed)
		}
	})
}

func stays(stop <-chan struct{}) { <-stop }
