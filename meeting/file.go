package meeting

import (
	"context"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/oklog/ulid/v2"

	"ringdown/fault"
)

// What one meeting may hold, and the longest name of a file in characters.
const (
	FilesLimit     = 100
	FileBytesLimit = 500 << 20
	FileNameLimit  = 200
)

// NewFileID makes an id for a file that is about to be sent.
func NewFileID() FileID { return FileID("fil_" + ulid.Make().String()) }

// FileName is raw as it may be shown and saved: its last part, without
// characters that break lines, turn the direction of text or show nothing, and at
// most FileNameLimit characters with the ending kept. It may be empty.
func FileName(raw string) string {
	raw = raw[strings.LastIndexAny(raw, `/\`)+1:]
	name := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.C, unicode.Zl, unicode.Zp), r == utf8.RuneError:
			return -1
		}
		return r
	}, raw)
	name = strings.Trim(strings.Join(strings.Fields(name), " "), ". ")
	runes := []rune(name)
	if len(runes) <= FileNameLimit {
		return name
	}
	ending := []rune(path.Ext(name))
	if len(ending) > FileNameLimit/4 {
		ending = nil
	}
	return strings.TrimRight(string(runes[:FileNameLimit-len(ending)]), ". ") + string(ending)
}

// TakesFile tells whether one more file of size bytes may be sent; the faults are
// FilesFull and those of a meeting that is over.
func (m Meeting) TakesFile(size int64) error {
	switch {
	case m.State == Ended:
		return overFault(m)
	case m.Files >= FilesLimit:
		return fault.New(fault.FilesFull, "this meeting has its %d files; no more can be sent", FilesLimit).With("limit", "files")
	case m.FileBytes+size > FileBytesLimit:
		return fault.New(fault.FilesFull, "the files of this meeting may have %d MB in all; this one is too much", FileBytesLimit>>20).With("limit", "bytes")
	}
	return nil
}

// checkBody judges what a message says: a text, a file, or both.
func (msg *Message) checkBody() error {
	if msg.Text == "" && msg.File == nil {
		return fault.NewInvalid("/text", "must not be empty")
	}
	if len(msg.Text) > textLimit {
		return fault.NewInvalid("/text", "must be at most %d bytes", textLimit)
	}
	if msg.File == nil {
		return nil
	}
	f := *msg.File
	f.Name = FileName(f.Name)
	if f.ID == "" || f.Name == "" || f.Type == "" || f.Size <= 0 {
		return fault.NewInvalid("/file", "must have an id, a name, a type and a size")
	}
	msg.File = &f
	return nil
}

// same tells whether two messages with one key are one message.
func (msg Message) same(other Message) bool {
	if msg.Text != other.Text || (msg.File == nil) != (other.File == nil) {
		return false
	}
	if msg.File == nil {
		return true
	}
	a, b := *msg.File, *other.File
	a.ID, b.ID = "", "" // each try has its own
	return a == b
}

// Files returns every file that was sent in the meeting.
func (s *Service) Files(ctx context.Context, id ID) ([]File, error) {
	all, err := s.Messages(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, msg := range all {
		if msg.File != nil {
			files = append(files, *msg.File)
		}
	}
	return files, nil
}

// File returns one file of the meeting or a fault NotFound.
func (s *Service) File(ctx context.Context, id ID, file FileID) (File, error) {
	all, err := s.Files(ctx, id)
	if err != nil {
		return File{}, err
	}
	for _, f := range all {
		if f.ID == file {
			return f, nil
		}
	}
	return File{}, fault.New(fault.NotFound, "this meeting has no such file")
}
