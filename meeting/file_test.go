package meeting

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ringdown/fault"
)

func TestS16_file_names_are_for_people_only(t *testing.T) {
	for _, tc := range []struct{ name, raw, want string }{
		{"plain", "Onda lamp.jpg", "Onda lamp.jpg"},
		{"letters of others", "Überblick 表.pdf", "Überblick 表.pdf"},
		{"a path", "../../etc/passwd", "passwd"},
		{"a path of Windows", `C:\fakepath\lamp.jpg`, "lamp.jpg"},
		{"a folder", "docs/", ""},
		{"dots", "...", ""},
		{"a hidden file", ".htaccess", "htaccess"},
		{"an ending that Windows drops", "a.exe. ", "a.exe"},
		{"an ending turned around", "invoice\u202egpj.exe", "invoicegpj.exe"},
		{"lines", "a\r\nSet-Cookie: x\x00\u2028.txt", "a Set-Cookie: x .txt"},
		{"nothing that shows", "\u200b\u2060\x07", ""},
		{"bytes that are no text", "a\xff\xfe.txt", "a.txt"},
		{"long", strings.Repeat("é", 300) + ".pdf", strings.Repeat("é", 196) + ".pdf"},
		{"all ending", "a." + strings.Repeat("b", 300), "a." + strings.Repeat("b", 198)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := FileName(tc.raw)
			if got != tc.want {
				t.Errorf("%q", got)
			}
			if again := FileName(got); again != got || !utf8.ValidString(got) {
				t.Errorf("and then %q", again)
			}
		})
	}
}

func file(size int64) *File {
	return &File{ID: NewFileID(), Name: "a.pdf", Type: "application/pdf", Size: size}
}

func TestS16_a_meeting_takes_so_many_files_and_bytes(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000).UTC()
	m, _ := create(Meeting{ID: "mtg_1", Code: "abcdefghjk", Participants: []Participant{{ID: "par_v", Role: Visitor}}}, now)
	send := func(m Meeting, size int64) (Meeting, error) {
		m, ev, err := say(m, Message{From: "par_v", Role: Visitor, File: file(size)}, now)
		if err == nil && (len(ev) != 1 || ev[0].Message.File == nil || ev[0].Snapshot.Files != m.Files) {
			t.Fatalf("%+v", ev)
		}
		return m, err
	}
	var err error
	many := m
	for range FilesLimit {
		if many, err = send(many, 10); err != nil {
			t.Fatal(err)
		}
	}
	if many.FileBytes != 10*FilesLimit || m.Files != 0 {
		t.Errorf("%d bytes, before %d files", many.FileBytes, m.Files)
	}
	if _, err = send(many, 10); !fault.Is(err, fault.FilesFull) || fault.Of(err).Data["limit"] != "files" {
		t.Error(err)
	}
	if _, _, err = say(many, Message{Text: "words go on"}, now); err != nil {
		t.Error(err)
	}
	full, err := send(m, FileBytesLimit-1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = send(full, 2); !fault.Is(err, fault.FilesFull) || fault.Of(err).Data["limit"] != "bytes" {
		t.Error(err)
	}
	if _, err = send(full, 1); err != nil {
		t.Error(err)
	}
	over, _ := endAll(m, Visitor, ReasonEnded, now)
	if err := over.TakesFile(1); !fault.Is(err, fault.RingOver) {
		t.Error(err)
	}
}

func TestMessagesSayOneThingAtLeast(t *testing.T) {
	for name, msg := range map[string]Message{
		"nothing":                 {},
		"too much":                {Text: strings.Repeat("x", textLimit+1), File: file(1)},
		"a file without an id":    {File: &File{Name: "a", Type: "b", Size: 1}},
		"a file without a name":   {File: &File{ID: "fil_1", Name: "\u200b", Type: "b", Size: 1}},
		"a file without a type":   {File: &File{ID: "fil_1", Name: "a", Size: 1}},
		"a file without any byte": {File: &File{ID: "fil_1", Name: "a", Type: "b"}},
	} {
		if err := msg.checkBody(); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	given := file(1)
	given.Name = "x/../a\u202e.pdf"
	msg := Message{File: given}
	if err := msg.checkBody(); err != nil || msg.File.Name != "a.pdf" || given.Name == "a.pdf" {
		t.Errorf("%v, %q, the caller's %q", err, msg.File.Name, given.Name)
	}
}

func TestOneKeyIsOneMessage(t *testing.T) {
	a, b := file(3), file(3)
	larger := file(4)
	for _, tc := range []struct {
		name string
		x, y Message
		want bool
	}{
		{"the same words", Message{Text: "a"}, Message{Text: "a"}, true},
		{"other words", Message{Text: "a"}, Message{Text: "b"}, false},
		{"the same file, sent again", Message{File: a}, Message{File: b}, true},
		{"another file", Message{File: a}, Message{File: larger}, false},
		{"words and a file", Message{Text: "a"}, Message{Text: "a", File: a}, false},
	} {
		if got := tc.x.same(tc.y); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}
