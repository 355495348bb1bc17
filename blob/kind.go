package blob

import (
	"bytes"
	"encoding/csv"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"ringdown/fault"
)

// LimitBytes is the most a file may have, as it comes and as it is kept.
const LimitBytes = 25 << 20

// kind is what bytes are. endings are those that a name of this kind may have;
// the first is given to one that has none of them, so that no computer takes the
// file for something else.
type kind struct {
	mime    string
	endings []string
}

// Taken is what people are told when a file is refused.
const Taken = "a picture (JPEG, PNG, GIF, WebP), a PDF, a text or CSV file, an office document (DOCX, XLSX, PPTX, ODT, ODS, ODP) without macros, " +
	"a ZIP archive without programs, sound or video (MP3, WAV, OGG, M4A, MP4, MOV, WebM); at most 25 MB"

func refuse(reason, format string, args ...any) *fault.Error {
	return fault.New(fault.FileRefused, format, args...).With("reason", reason)
}

func notTaken(what string) *fault.Error {
	return refuse("kind", "%s is not taken; send %s", what, Taken)
}

func tooLarge() *fault.Error {
	return fault.New(fault.TooLarge, "the file is too large; a file may have at most 25 MB")
}

// sniff tells what bytes are, by nothing but themselves. Anything that is not on
// the list, or looks like two things at once, is the fault file_refused.
func sniff(b []byte) (kind, error) {
	if len(b) == 0 {
		return kind{}, refuse("kind", "the file is empty; send %s", Taken)
	}
	if k, ok := pictureKind(b); ok {
		return k, nil // re-encoded: nothing else in it survives
	}
	switch {
	case bytes.HasPrefix(b, []byte("PK\x03\x04")):
		return zipKind(b)
	case bytes.HasPrefix(b, []byte("%PDF-")):
		return pdfKind(b)
	case len(b) > 12 && string(b[4:8]) == "ftyp":
		return alone(b, isoKind(string(b[8:12])))
	}
	switch t, _, _ := strings.Cut(http.DetectContentType(b), ";"); t {
	case "audio/mpeg":
		return alone(b, kind{"audio/mpeg", []string{".mp3"}})
	case "audio/wave":
		return alone(b, kind{"audio/wav", []string{".wav"}})
	case "application/ogg":
		return alone(b, kind{"audio/ogg", []string{".ogg", ".oga", ".opus", ".ogv"}})
	case "video/webm":
		return alone(b, kind{"video/webm", []string{".webm"}})
	case "text/plain":
		return textKind(b)
	case "text/html", "text/xml":
		return kind{}, notTaken("a web page or XML file")
	case "application/octet-stream":
		if mp3Frame(b) {
			return alone(b, kind{"audio/mpeg", []string{".mp3"}})
		}
		return textKind(b)
	}
	return kind{}, notTaken("this kind of file")
}

// alone refuses bytes that are kept as they are and hide something else at their
// beginning or their end.
func alone(b []byte, k kind) (kind, error) {
	switch {
	case k.mime == "":
		return kind{}, notTaken("this kind of file")
	case looksLikePage(b), endsLikeZip(b):
		return kind{}, notTaken("a file that is two things at once")
	}
	return k, nil
}

// isoKind knows the brands of the MP4 family; others (HEIC among them) are none.
func isoKind(brand string) kind {
	switch strings.TrimRight(brand, " \x00") {
	case "qt":
		return kind{"video/quicktime", []string{".mov"}}
	case "M4A", "M4B":
		return kind{"audio/mp4", []string{".m4a"}}
	case "isom", "iso2", "iso3", "iso4", "iso5", "iso6", "mp41", "mp42", "avc1", "M4V", "MSNV", "dash", "3gp4", "3gp5", "3gp6":
		return kind{"video/mp4", []string{".mp4", ".m4v", ".3gp"}}
	}
	return kind{}
}

// mp3Frame tells whether b begins with the header of a sound frame of layer III.
func mp3Frame(b []byte) bool {
	return len(b) > 4 && b[0] == 0xff && b[1]&0xe6 == 0xe2 && b[2]&0xf0 != 0xf0 && b[2]&0x0c != 0x0c
}

// pdfKind takes a document that begins where it should and has nothing behind.
func pdfKind(b []byte) (kind, error) {
	if !bytes.Contains(b[max(0, len(b)-1024):], []byte("%%EOF")) {
		return kind{}, refuse("broken", "the PDF is not complete, or something else stands behind it; save it again and send that")
	}
	return alone(b, kind{"application/pdf", []string{".pdf"}})
}

const headBytes = 1024 // as far as programs look for the beginning of something

// looksLikePage tells whether a browser that guesses might take b for a page.
func looksLikePage(b []byte) bool {
	head := bytes.ToLower(b[:min(len(b), headBytes)])
	for _, tag := range []string{"<html", "<!doctype", "<script", "<svg", "<head", "<body", "<iframe", "<?xml", "<?php"} {
		if bytes.Contains(head, []byte(tag)) {
			return true
		}
	}
	return false
}

// endsLikeZip tells whether an archive ends where b ends.
func endsLikeZip(b []byte) bool {
	const size, mostComment = 22, 65535
	tail := b[max(0, len(b)-size-mostComment):]
	for at := bytes.LastIndex(tail, []byte("PK\x05\x06")); at >= 0; at = bytes.LastIndex(tail[:at], []byte("PK\x05\x06")) {
		if len(tail)-at >= size && at+size+int(tail[at+20])+int(tail[at+21])<<8 == len(tail) {
			return true
		}
	}
	return false
}

// textKind takes what people can read: UTF-8, UTF-16 with its mark, or the old
// Windows letters; no other controls than those of lines.
func textKind(b []byte) (kind, error) {
	utf16 := bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff"))
	if !utf16 && bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\f\r", r) || r == 0x7f }) {
		return kind{}, notTaken("this kind of file")
	}
	if utf16 && len(b)%2 != 0 || !utf16 && !utf8.Valid(b) && slices.ContainsFunc([]byte("\x81\x8d\x8f\x90\x9d"), func(c byte) bool { return bytes.IndexByte(b, c) >= 0 }) {
		return kind{}, notTaken("this kind of file")
	}
	plain := b
	if utf16 { // only to look at: the letters of tags are ASCII
		plain = bytes.ReplaceAll(b[:min(len(b), 2*headBytes)], []byte{0}, nil)
	}
	if looksLikePage(plain) || endsLikeZip(b) {
		return kind{}, notTaken("a web page or XML file")
	}
	if bytes.HasPrefix(bytes.TrimPrefix(plain, []byte("\xef\xbb\xbf")), []byte("#!")) {
		return kind{}, notTaken("a program")
	}
	endings := []string{".txt", ".csv", ".tsv", ".log", ".md"}
	if table(b) {
		endings[0], endings[1] = endings[1], endings[0]
		return kind{"text/csv", endings}, nil
	}
	return kind{"text/plain", endings}, nil
}

// table tells whether the first lines of a text have the same number of columns,
// at least two.
func table(b []byte) bool {
	const look = 64 << 10
	for _, comma := range []rune{',', ';', '\t'} {
		r := csv.NewReader(bytes.NewReader(b[:min(len(b), look)]))
		r.Comma, r.ReuseRecord = comma, true
		rows := 0
		for {
			record, err := r.Read()
			if err != nil {
				if (err == io.EOF || len(b) > look) && rows > 1 {
					return true
				}
				break
			}
			if len(record) < 2 {
				break
			}
			rows++
		}
	}
	return false
}

// name is the name a file is kept under for people: given, with an ending that
// belongs to what the bytes are. An empty one becomes "file".
func (k kind) name(given string) string {
	if given == "" {
		given = "file"
	}
	if slices.Contains(k.endings, strings.ToLower(path.Ext(given))) {
		return given
	}
	return given + k.endings[0]
}
