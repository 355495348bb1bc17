package blob

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringdown/fault"
)

var lamp = Key{"mtg_01JAAAAAAAAAAAAAAAAAAAAAAA", "fil_01JBBBBBBBBBBBBBBBBBBBBBBB"}

func openFolder(t *testing.T) *Folder {
	t.Helper()
	f, err := OpenFolder(filepath.Join(t.TempDir(), "files"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func read(t *testing.T, f Store, k Key) string {
	t.Helper()
	r, err := f.Get(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// left lists everything in the folder.
func left(t *testing.T, f *Folder) (names []string) {
	t.Helper()
	if err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, d.Name())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return names
}

func TestFolderKeepsAndForgets(t *testing.T) {
	f, ctx := openFolder(t), t.Context()
	if _, err := f.Get(ctx, lamp); !fault.Is(err, fault.NotFound) {
		t.Fatal(err)
	}
	if err := f.Put(ctx, lamp, strings.NewReader("bytes")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, f, lamp); got != "bytes" {
		t.Errorf("%q", got)
	}
	info, err := os.Stat(filepath.Join(f.dir, lamp.Group, lamp.ID))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	again, err := OpenFolder(f.dir) // after a restart
	if err != nil || read(t, again, lamp) != "bytes" {
		t.Error(err)
	}
	for range 2 {
		if err := f.Delete(ctx, lamp); err != nil {
			t.Fatal(err)
		}
	}
	if names := left(t, f); len(names) > 0 {
		t.Errorf("left: %v", names)
	}
}

func TestS16_names_from_outside_are_no_paths(t *testing.T) {
	f, ctx := openFolder(t), t.Context()
	for _, k := range []Key{
		{"../x", lamp.ID},
		{lamp.Group, "../../admin.key"},
		{lamp.Group, ""},
		{"", lamp.ID},
		{".spool", lamp.ID},
		{lamp.Group, "fil_a/b"},
		{lamp.Group, "fil_\x00aaaaaaaaa"},
		{lamp.Group, ".part-1"},
		{"mtg_..aaaaaaaa", lamp.ID},
	} {
		_, err := f.Get(ctx, k)
		for _, err := range []error{err, f.Put(ctx, k, strings.NewReader("x")), f.Delete(ctx, k)} {
			if !errors.Is(err, ErrKey) {
				t.Errorf("%q: %v", k, err)
			}
		}
	}
	if names := left(t, f); len(names) > 0 {
		t.Errorf("left: %v", names)
	}
}

type brokenReader struct{ err error }

func (b brokenReader) Read([]byte) (int, error) { return 0, b.err }

func TestNothingIsLeftOfWhatFails(t *testing.T) {
	f := openFolder(t)
	in := NewIntake(f)
	gone := errors.New("the sender is gone")
	if err := f.Put(t.Context(), lamp, io.MultiReader(strings.NewReader("half"), brokenReader{gone})); !errors.Is(err, gone) || fault.Is(err, fault.Unavailable) {
		t.Errorf("put: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(gone)
	for name, take := range map[string]func() (Kept, error){
		"a sender who goes": func() (Kept, error) {
			return in.Take(t.Context(), lamp, "a", io.MultiReader(strings.NewReader("half"), brokenReader{gone}))
		},
		"a request that ends": func() (Kept, error) { return in.Take(ctx, lamp, "a", strings.NewReader("whole")) },
	} {
		if _, err := take(); !errors.Is(err, gone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := in.Take(t.Context(), lamp, "a", strings.NewReader("MZ\x90\x00")); !fault.Is(err, fault.FileRefused) {
		t.Error(err)
	}
	if _, err := in.Take(t.Context(), lamp, "a", io.LimitReader(zeros{}, 1<<30)); !fault.Is(err, fault.TooLarge) {
		t.Error(err)
	}
	if names := left(t, f); len(names) > 0 {
		t.Errorf("left: %v", names)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// A disk that takes nothing more is played by a file where the folder should be.
func TestDiskThatTakesNothingIsUnavailable(t *testing.T) {
	f := openFolder(t)
	if err := os.WriteFile(filepath.Join(f.dir, lamp.Group), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Put(t.Context(), lamp, strings.NewReader("x")); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
	f.free = func(string) (uint64, error) { return reserve - 1, nil }
	if _, err := NewIntake(f).Take(t.Context(), lamp, "a", strings.NewReader("hello")); !fault.Is(err, fault.Unavailable) {
		t.Errorf("the last of the disk was taken: %v", err)
	}
	f.free = free
	if err := os.RemoveAll(f.dir); err != nil {
		t.Fatal(err)
	}
	if _, err := NewIntake(f).Take(t.Context(), lamp, "a", strings.NewReader("hello")); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}

func TestIntakeKeepsWhatIsClean(t *testing.T) {
	f := openFolder(t)
	in := NewIntake(f)
	told := withExif(jpegOf(t, drawn(64, 32)), exif(binary.BigEndian, 1))
	got, err := in.Take(t.Context(), lamp, "lamp.jpeg", bytes.NewReader(told))
	if err != nil || got.Name != "lamp.jpeg" || got.Type != "image/jpeg" || got.Width != 64 || got.Height != 32 {
		t.Fatalf("%+v, %v", got, err)
	}
	if kept := read(t, in, lamp); int64(len(kept)) != got.Size || strings.Contains(kept, "GPS") {
		t.Errorf("%d bytes of %d, or a place", len(kept), got.Size)
	}
}

// TestFewPicturesAreOpenedAtOnce: a flood waits instead of taking the machine.
func TestFewPicturesAreOpenedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := NewIntake(openFolder(t))
		for range cap(in.clean) {
			in.clean <- struct{}{} // as many as may be are being looked at
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("waited too long"))
		defer cancel()
		var flood sync.WaitGroup
		done := make(chan error, 20)
		for range cap(done) {
			flood.Go(func() {
				_, err := in.Take(ctx, lamp, "a", strings.NewReader("hello"))
				done <- err
			})
		}
		flood.Wait()
		close(done)
		for err := range done {
			if err == nil || err.Error() != "waited too long" {
				t.Errorf("was not kept waiting: %v", err)
			}
		}
	})
}

func TestSweepRemovesOrphansOnly(t *testing.T) {
	f := openFolder(t)
	now := time.Now()
	put := func(k Key, age time.Duration) {
		if err := f.Put(t.Context(), k, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(f.address(k), now.Add(-age), now.Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	other := Key{"mtg_01JCCCCCCCCCCCCCCCCCCCCCCC", "fil_01JDDDDDDDDDDDDDDDDDDDDDDD"}
	orphan := Key{lamp.Group, "fil_01JEEEEEEEEEEEEEEEEEEEEEEE"}
	young := Key{lamp.Group, "fil_01JFFFFFFFFFFFFFFFFFFFFFFF"}
	put(lamp, 48*time.Hour)
	put(orphan, 25*time.Hour)
	put(young, 23*time.Hour)
	put(other, 48*time.Hour) // of a meeting that nobody knows
	for name, age := range map[string]time.Duration{"old": 25 * time.Hour, "new": time.Minute} {
		for _, dir := range []string{f.spoolDir(), f.group(lamp)} {
			path := filepath.Join(dir, partName+name)
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, now.Add(-age), now.Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
	}
	asked, down := 0, true
	s := NewSweeper(f, func(_ context.Context, group string) (map[string]bool, bool, error) {
		asked++
		if down {
			return nil, false, errors.New("the store is down")
		}
		return map[string]bool{lamp.ID: true}, group == lamp.Group, nil
	}, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	is := func(want ...string) {
		t.Helper()
		if got := left(t, f); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("left %v, not %v", got, want)
		}
	}
	s.sweep(t.Context())
	is(partName+"new", partName+"new", lamp.ID, orphan.ID, young.ID, other.ID) // nothing is guessed
	down, asked = false, 0
	s.sweep(t.Context())
	is(partName+"new", partName+"new", lamp.ID, young.ID, other.ID)
	if asked != 2 {
		t.Errorf("asked %d times for two meetings", asked)
	}
	asked = 0
	s.sweep(t.Context())
	if asked != 0 {
		t.Errorf("asked again for what was seen")
	}
	now = now.Add(2 * time.Hour) // now the young one is old enough
	s.sweep(t.Context())
	is(partName+"new", partName+"new", lamp.ID, other.ID)
}

func TestSweeperRunsAtOnceAndEveryHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := openFolder(t)
		if err := f.Put(t.Context(), lamp, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := os.Chtimes(f.address(lamp), began, began); err != nil {
			t.Fatal(err)
		}
		s := NewSweeper(f, func(context.Context, string) (map[string]bool, bool, error) { return nil, true, nil }, time.Now, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		time.Sleep(orphanAfter - time.Minute)
		synctest.Wait()
		if len(left(t, f)) != 1 {
			t.Error("removed too soon")
		}
		time.Sleep(2 * sweepEvery)
		synctest.Wait()
		if names := left(t, f); len(names) != 0 {
			t.Errorf("left: %v", names)
		}
		cancel()
		running.Wait()
	})
}
