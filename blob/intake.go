package blob

import (
	"bytes"
	"context"
	"io"
	"runtime"
)

// Clean is a file as it may be kept.
type Clean struct {
	Bytes         []byte
	Width, Height int // pixels, pictures only

	kind kind
}

// Type is the media type, by the bytes themselves.
func (c Clean) Type() string { return c.kind.mime }

// Name is given with an ending that belongs to the type; empty becomes "file".
func (c Clean) Name(given string) string { return c.kind.name(given) }

// CleanBytes tells what b is and makes it harmless: a picture is drawn anew, the
// rest stays as it is. It is pure. Errors are faults: file_refused, with the
// member reason, or too_large.
func CleanBytes(b []byte) (Clean, error) {
	if len(b) > LimitBytes {
		return Clean{}, tooLarge()
	}
	k, err := sniff(b)
	if err != nil {
		return Clean{}, err
	}
	if k.endings == nil { // a picture: its new form says what it is
		return redraw(b, k.mime)
	}
	return Clean{Bytes: b, kind: k}, nil
}

// Kept is what became of a file that was taken in.
type Kept struct {
	Name, Type    string
	Size          int64
	Width, Height int
}

// Intake takes files in: to the disk first, then one or two at a time into
// memory to be looked at, then into the store. Safe for concurrent use.
type Intake struct {
	Store
	folder *Folder
	clean  chan struct{} // one for each file that is being looked at
}

// NewIntake makes an Intake that keeps files in folder. On a machine with few
// cores one file is looked at at a time, else two: calls go first.
func NewIntake(folder *Folder) *Intake {
	return &Intake{Store: folder, folder: folder, clean: make(chan struct{}, max(1, min(2, runtime.GOMAXPROCS(0)/2)))}
}

// Take reads r to its end and keeps what it holds under k, cleaned. given is the
// sender's name for it. Errors are faults (see CleanBytes, Store.Put) or those
// of r and ctx; then nothing is kept.
func (i *Intake) Take(ctx context.Context, k Key, given string, r io.Reader) (Kept, error) {
	if err := k.check(); err != nil {
		return Kept{}, err
	}
	s, err := i.folder.spool()
	if err != nil {
		return Kept{}, err
	}
	defer s.close()
	size, err := s.fill(ctx, r)
	if err != nil {
		return Kept{}, err
	}
	select {
	case i.clean <- struct{}{}:
		defer func() { <-i.clean }()
	case <-ctx.Done():
		return Kept{}, context.Cause(ctx)
	}
	b := make([]byte, size)
	if _, err := s.file.ReadAt(b, 0); err != nil && size > 0 {
		return Kept{}, cannotKeep(err)
	}
	c, err := CleanBytes(b)
	if err != nil {
		return Kept{}, err
	}
	if err := i.Put(ctx, k, bytes.NewReader(c.Bytes)); err != nil {
		return Kept{}, err
	}
	return Kept{Name: c.Name(given), Type: c.Type(), Size: int64(len(c.Bytes)), Width: c.Width, Height: c.Height}, nil
}

// fill writes r to the spool and tells its size.
func (s *spool) fill(ctx context.Context, r io.Reader) (int64, error) {
	n, err := io.Copy(s.file, io.LimitReader(&source{ctx: ctx, r: r}, LimitBytes+1))
	if err != nil {
		return 0, told(err)
	}
	if n > LimitBytes {
		return 0, tooLarge()
	}
	return n, nil
}
