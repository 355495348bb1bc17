package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"ringdown/fault"
)

// Key names kept bytes. Both parts are ids of ours ("mtg_…", "fil_…"); a name
// from outside never becomes a part of a path.
type Key struct {
	Group string // what the file belongs to; one folder each
	ID    string
}

var idRE = regexp.MustCompile(`^[a-z]{3}_[0-9A-Za-z]{8,40}$`)

// ErrKey is a key that is made of anything but ids: a bug of the caller.
var ErrKey = errors.New("blob: a key must be two ids")

func (k Key) check() error {
	if !idRE.MatchString(k.Group) || !idRE.MatchString(k.ID) {
		return ErrKey
	}
	return nil
}

// Store keeps bytes. Safe for concurrent use.
type Store interface {
	// Put keeps all of r under a key that was not used before: durably, or not at
	// all. It is the fault unavailable if the disk is full or broken.
	Put(ctx context.Context, k Key, r io.Reader) error
	// Get opens what was kept, for the caller to close; the fault not_found if
	// there is nothing.
	Get(ctx context.Context, k Key) (io.ReadSeekCloser, error)
	// Delete removes what was kept; nothing there is no error.
	Delete(ctx context.Context, k Key) error
}

// Folder is a Store in a local folder: <dir>/<group>/<id>, readable by the owner
// only.
type Folder struct {
	dir  string
	free func(dir string) (uint64, error) // bytes
}

var _ Store = (*Folder)(nil)

// OpenFolder makes the folder if it is not there.
func OpenFolder(dir string) (*Folder, error) {
	f := &Folder{dir: dir, free: free}
	if err := os.MkdirAll(f.spoolDir(), 0o700); err != nil {
		return nil, fmt.Errorf("files: %w", err)
	}
	return f, nil
}

const (
	spoolName = ".spool" // uploads on their way; no group has such a name
	partName  = ".part-" // begins the name of a file that is being written

	// reserve is what uploads leave free on the disk, in bytes: the database is
	// often there too, and calls need it.
	reserve = 512 << 20
)

var errReserve = errors.New("the disk is nearly full")

func (f *Folder) spoolDir() string     { return filepath.Join(f.dir, spoolName) }
func (f *Folder) group(k Key) string   { return filepath.Join(f.dir, k.Group) }
func (f *Folder) address(k Key) string { return filepath.Join(f.dir, k.Group, k.ID) }

// Put writes under another name, syncs, and renames; see Store.
func (f *Folder) Put(ctx context.Context, k Key, r io.Reader) error {
	if err := k.check(); err != nil {
		return err
	}
	return told(f.put(k, &source{ctx: ctx, r: r}))
}

// told is the error for a caller: that of the bytes' source, or a disk that
// cannot keep them.
func told(err error) error {
	if err == nil {
		return nil
	}
	if of, ok := errors.AsType[*sourceError](err); ok {
		return of.err
	}
	return cannotKeep(err)
}

func cannotKeep(err error) error {
	return fault.New(fault.Unavailable, "the file cannot be stored right now; try again later").Because(fmt.Errorf("files: %w", err))
}

func (f *Folder) put(k Key, r io.Reader) (err error) {
	made := false
	switch err := os.Mkdir(f.group(k), 0o700); {
	case err == nil:
		made = true
	case !errors.Is(err, fs.ErrExist):
		return err
	}
	part, err := os.CreateTemp(f.group(k), partName) // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = part.Close()
			_ = os.Remove(part.Name())
		}
	}()
	if _, err := io.Copy(part, r); err != nil {
		return err
	}
	if err := part.Sync(); err != nil {
		return err
	}
	if err := part.Close(); err != nil {
		return err
	}
	if err := os.Rename(part.Name(), f.address(k)); err != nil {
		return err
	}
	if err := syncDir(f.group(k)); err != nil {
		return err
	}
	if made {
		return syncDir(f.dir)
	}
	return nil
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Get opens what was kept; see Store.
func (f *Folder) Get(_ context.Context, k Key) (io.ReadSeekCloser, error) {
	if err := k.check(); err != nil {
		return nil, err
	}
	file, err := os.Open(f.address(k))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "this file is not kept any more")
	}
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the file cannot be read right now; try again later").Because(fmt.Errorf("files: %w", err))
	}
	return file, nil
}

// Delete removes what was kept; see Store.
func (f *Folder) Delete(_ context.Context, k Key) error {
	if err := k.check(); err != nil {
		return err
	}
	if err := os.Remove(f.address(k)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cannotKeep(err)
	}
	return nil
}

// spool is an unnamed upload on its way. It belongs to one goroutine.
type spool struct{ file *os.File }

// spool makes an empty one; close removes it.
func (f *Folder) spool() (*spool, error) {
	left, err := f.free(f.dir)
	if err == nil && left < reserve {
		err = errReserve
	}
	if err != nil {
		return nil, cannotKeep(err)
	}
	file, err := os.CreateTemp(f.spoolDir(), partName)
	if err != nil {
		return nil, cannotKeep(err)
	}
	return &spool{file}, nil
}

func (s *spool) close() {
	_ = s.file.Close()
	_ = os.Remove(s.file.Name())
}

// source tells its own errors from those of the disk, and ends with its ctx.
type source struct {
	ctx context.Context //nolint:containedctx // of the one call that reads from it
	r   io.Reader
}

type sourceError struct{ err error }

func (e *sourceError) Error() string { return e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, &sourceError{context.Cause(s.ctx)}
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		err = &sourceError{err}
	}
	return n, err
}
