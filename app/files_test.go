package app_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"

	"ringdown/internal/leak"
	"ringdown/store/storetest"
)

const guidePDF = "%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"

// send sends a file; headers may name a key.
func (p person) send(name, bytes string, headers with) answer {
	p.h.t.Helper()
	all := bearer(p.token)
	maps.Copy(all, headers)
	return p.h.do("POST", "/v1/meetings/"+p.meeting+"/files?name="+name, all, bytes)
}

// photo is a JPEG with a place in its EXIF and a page behind it.
func photo(t *testing.T) string {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 80, 60))
	for i := range img.Pix {
		img.Pix[i] = byte(i)
	}
	img.Set(0, 0, color.White)
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	exif := "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00GPSLatitude 45.4642"
	head := binary.BigEndian.AppendUint16([]byte("\xff\xd8\xff\xe1"), uint16(len(exif)+2))
	return string(head) + exif + b.String()[2:] + "<script>alert(1)</script>"
}

// kept are the paths of all kept files.
func (h *house) kept(dir string) (paths []string) {
	h.t.Helper()
	if err := filepath.WalkDir(filepath.Join(dir, "demo", "files"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			paths = append(paths, path)
		}
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	return paths
}

// TestS16_files_go_both_ways sends a picture and a document through the whole
// daemon and looks at what comes out, for whom, and with which headers.
func TestS16_files_go_both_ways(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			dir := t.TempDir()
			database := e.Fresh(t).Database
			h := startAt(t, dir, database)
			_, visitor, agent := h.call("Anna")
			events, unfollow := follow(t, h, agent.token)

			sent := visitor.send("..%2F..%2Fmy%20lamp%E2%80%AE.gif", photo(t), nil)
			if sent.status != 201 || sent.text("file.name") != "my lamp.gif.jpg" || sent.text("file.type") != "image/jpeg" || sent.get("file.width") != 80.0 || sent.text("text") != "" {
				t.Fatal(sent)
			}
			id := sent.text("file.id")
			told := events("message", func(m map[string]any) bool { return m["file"] != nil })
			if f, _ := told["file"].(map[string]any); f["id"] != id || told["mine"] != false {
				t.Errorf("the agent is told %v", told)
			}
			unfollow()
			d := desk{h}
			h.eventually("the desk reads of the file", func() bool {
				_, texts := d.messages()
				return slices.ContainsFunc(texts, func(s string) bool {
					return strings.Contains(s, "“my lamp.gif.jpg” (picture,") && !strings.Contains(s, "http")
				})
			})

			got := agent.must("GET", "/files/"+id, nil)
			if _, err := jpeg.Decode(bytes.NewReader(got.raw)); err != nil || bytes.Contains(got.raw, []byte("GPS")) || bytes.Contains(got.raw, []byte("script")) {
				t.Errorf("the picture was not drawn anew: %v", err)
			}
			for name, want := range map[string]string{
				"Content-Type": "image/jpeg", "X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store",
				"Cross-Origin-Resource-Policy": "same-origin", "Content-Disposition": `attachment; filename="file.jpg"; filename*=UTF-8''my%20lamp.gif.jpg`,
				"Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; sandbox; frame-ancestors 'none'",
			} {
				if got.header.Get(name) != want {
					t.Errorf("%s is %q", name, got.header.Get(name))
				}
			}

			guide := agent.send("Guide%20d%E2%80%99entretien.pdf", guidePDF, nil)
			if guide.status != 201 || guide.text("file.type") != "application/pdf" || guide.text("name") != "Marie" {
				t.Fatal(guide)
			}
			path := "/v1/meetings/" + visitor.meeting + "/files/" + guide.text("file.id")
			if whole := h.must(200, "GET", path, bearer(visitor.token), nil); string(whole.raw) != guidePDF {
				t.Error("the document was changed")
			}
			part := h.must(206, "GET", path, with{"Authorization": "Bearer " + h.key, "Range": "bytes=0-7"}, nil)
			if string(part.raw) != "%PDF-1.7" || !strings.Contains(part.header.Get("Content-Security-Policy"), "sandbox") {
				t.Errorf("a part is %q", part.raw)
			}
			if head := h.must(200, "HEAD", path, bearer(agent.token), nil); len(head.raw) != 0 || head.header.Get("Content-Length") != strconv.Itoa(len(guidePDF)) {
				t.Error(head.header)
			}

			// Who may not.
			_, stranger, _ := h.call("Anna")
			late := h.redeem(h.must(201, "POST", "/v1/meetings", bearer(h.key), map[string]any{"ring": "now"}).text("links.agent"), "device-of-paul-12345")
			for name, a := range map[string]answer{
				"nobody":                    h.do("GET", path, nil, nil),
				"another meeting's visitor": h.do("GET", path, bearer(stranger.token), nil),
				"through another meeting":   h.do("GET", "/v1/meetings/"+stranger.meeting+"/files/"+id, bearer(stranger.token), nil),
				"a site key":                h.do("GET", path, with{"Ringdown-Site": "pk_demo_shop", "Origin": h.url}, nil),
				"a file that never was":     visitor.do("GET", "/files/fil_01JAAAAAAAAAAAAAAAAAAAAAAA", nil),
				"a path":                    visitor.do("GET", "/files/..%2F..%2Fadmin.key", nil),
				"an agent who did not win":  late.send("a.txt", "hello", nil),
			} {
				want := map[string]int{"nobody": 401, "a site key": 403, "a path": 422, "an agent who did not win": 409}[name]
				if want == 0 {
					want = 404
				}
				if a.status != want {
					t.Errorf("%s: %s", name, a)
				}
			}
			if files := h.kept(dir); len(files) != 2 {
				t.Errorf("kept: %v", files)
			}
			for _, canary := range []string{"lamp", "Guide", "entretien", "GPS", visitor.token} {
				if strings.Contains(h.log.String(), canary) {
					t.Errorf("%q is in the log", canary)
				}
			}

			// After a restart everything is there, for a meeting that is over too.
			visitor.must("POST", "/leave", nil)
			if a := agent.send("a.txt", "hello", nil); a.status != 410 || a.text("code") != "meeting_ended" {
				t.Errorf("after the end: %s", a)
			}
			h.stop()
			h = startAt(t, dir, database)
			if whole := h.must(200, "GET", path, bearer(visitor.token), nil); string(whole.raw) != guidePDF {
				t.Error("after a restart the document is another")
			}
		})
	}
}

// follow reads the event stream; the function it gives waits for one event and
// gives its content.
func follow(t *testing.T, h *house, token string) (next func(kind string, ok func(map[string]any) bool) map[string]any, stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	ws, _, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(h.url, "http")+"/v1/events", &websocket.DialOptions{Subprotocols: []string{"ringdown.events"}})
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(1 << 20)
	stop = func() { ws.CloseNow() }
	t.Cleanup(stop)
	if err := wsjson.Write(ctx, ws, map[string]string{"type": "hello", "token": token}); err != nil {
		t.Fatal(err)
	}
	return func(kind string, ok func(map[string]any) bool) map[string]any {
		t.Helper()
		for {
			var m map[string]any
			if err := wsjson.Read(ctx, ws, &m); err != nil {
				t.Fatalf("no %s came: %v", kind, err)
			}
			if content, _ := m[kind].(map[string]any); m["type"] == kind && ok(content) {
				return content
			}
		}
	}, stop
}

func TestS16_what_is_not_taken_leaves_nothing(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			dir := t.TempDir()
			h := startAt(t, dir, e.Fresh(t).Database)
			_, visitor, _ := h.call("Anna")
			var archive bytes.Buffer
			z := zip.NewWriter(&archive)
			if _, err := z.Create("Invoice.exe"); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			var bomb bytes.Buffer
			if err := png.Encode(&bomb, image.NewNRGBA(image.Rect(0, 0, 2, 2))); err != nil {
				t.Fatal(err)
			}
			for _, tc := range []struct{ name, bytes, reason string }{
				{"a page", "<html><script>alert(1)</script>", "kind"},
				{"a drawing that can run", `<svg xmlns="http://www.w3.org/2000/svg"/>`, "kind"},
				{"a program", "MZ\x90\x00\x03", "kind"},
				{"a program in an archive", archive.String(), "kind"},
				{"a document with an archive behind it", guidePDF + archive.String(), "kind"},
				{"half a picture", bomb.String()[:40], "broken"},
				{"nothing", "", "kind"},
			} {
				a := visitor.send("x.png", tc.bytes, nil)
				if a.status != 415 || a.text("code") != "file_refused" || a.text("reason") != tc.reason || a.header.Get("Content-Type") != "application/problem+json" {
					t.Errorf("%s: %s", tc.name, a)
				}
			}
			// Of a length that nobody told, so that it is found when it has come.
			const limit = 25 << 20
			large := func(size int64) answer {
				req, err := http.NewRequestWithContext(t.Context(), "POST", h.url+"/v1/meetings/"+visitor.meeting+"/files?name=big.txt", io.LimitReader(letters{}, size))
				if err != nil {
					t.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+visitor.token)
				res, err := h.client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				raw, err := io.ReadAll(res.Body)
				if err != nil {
					t.Fatal(err)
				}
				return answer{res.StatusCode, res.Header, raw}
			}
			for _, size := range []int64{limit + 1, limit + 3<<20} {
				if a := large(size); a.status != 413 || !strings.Contains(a.text("detail"), "25 MB") {
					t.Errorf("%d bytes: %s", size, a)
				}
			}
			if files := h.kept(dir); len(files) != 0 {
				t.Errorf("left: %v", files)
			}
			if a := large(limit); a.status != 201 || a.get("file.size") != float64(limit) {
				t.Errorf("the largest that may be: %s", a)
			}
		})
	}
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	return len(p), nil
}

func TestTheSameFileTwiceIsOneMessage(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			dir := t.TempDir()
			h := startAt(t, dir, e.Fresh(t).Database)
			_, visitor, agent := h.call("Anna")
			key := with{"Idempotency-Key": "f1"}
			first, second := visitor.send("a.jpg", photo(t), key), visitor.send("a.jpg", photo(t), key)
			if first.status != 201 || second.status != 201 || first.text("id") != second.text("id") || first.text("file.id") != second.text("file.id") {
				t.Fatalf("%s\n%s", first, second)
			}
			if a := visitor.send("a.jpg", guidePDF, key); a.status != 422 || a.text("code") != "idempotency_reuse" {
				t.Error(a)
			}
			if list, _ := agent.must("GET", "/messages", nil).get("messages").([]any); len(list) != 1 {
				t.Errorf("%d messages", len(list))
			}
			if files := h.kept(dir); len(files) != 1 || filepath.Base(files[0]) != first.text("file.id") {
				t.Errorf("kept: %v", files)
			}
		})
	}
}

// TestFloodOfUploads: a person sends two at a time; who goes away in the middle
// leaves nothing and gives the place back.
func TestFloodOfUploads(t *testing.T) {
	leak.Check(t)
	dir := t.TempDir()
	h := startAt(t, dir, storetest.Engines()[0].Fresh(t).Database)
	_, visitor, agent := h.call("Anna")
	ctx, goAway := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	for range 2 {
		body, feed := io.Pipe()
		req, err := http.NewRequestWithContext(ctx, "POST", h.url+"/v1/meetings/"+visitor.meeting+"/files", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+visitor.token)
		defer context.AfterFunc(ctx, func() { feed.CloseWithError(context.Canceled) })()
		sending.Go(func() {
			if res, err := http.DefaultClient.Do(req); err == nil {
				res.Body.Close()
				t.Errorf("half a file was answered with %d", res.StatusCode)
			}
		})
		if _, err := feed.Write([]byte("half of it")); err != nil {
			t.Fatal(err)
		}
	}
	h.eventually("two are on their way", func() bool { return len(h.kept(dir)) == 2 })
	a := visitor.send("third.txt", "hello", nil)
	if a.status != 429 || a.header.Get("Retry-After") == "" {
		t.Errorf("the third: %s", a)
	}
	if a := agent.send("other.txt", "hello", nil); a.status != 201 {
		t.Errorf("somebody else: %s", a)
	}
	goAway()
	sending.Wait()
	h.eventually("the places are free", func() bool { return visitor.send("fourth.txt", "hello", nil).status == 201 })
	h.eventually("nothing is left of the halves", func() bool { return len(h.kept(dir)) == 2 })
}

// TestOrphansAreSwept: bytes whose message never came go; those of a message stay,
// and those of a meeting that this database does not know.
func TestOrphansAreSwept(t *testing.T) {
	leak.Check(t)
	for _, e := range storetest.Engines() {
		t.Run(e.Name, func(t *testing.T) {
			dir, database := t.TempDir(), e.Fresh(t).Database
			h := startAt(t, dir, database)
			_, visitor, _ := h.call("Anna")
			if a := visitor.send("a.txt", "hello", nil); a.status != 201 {
				t.Fatal(a)
			}
			h.stop()
			sent := h.kept(dir)[0]
			orphan := filepath.Join(filepath.Dir(sent), "fil_01JAAAAAAAAAAAAAAAAAAAAAAA")
			stranger := filepath.Join(filepath.Dir(filepath.Dir(sent)), "mtg_zzzzzzzzzzzzzzzzzzzzzzzzzz", filepath.Base(orphan))
			if err := errors.Join(os.WriteFile(orphan, []byte("lost"), 0o600), os.Mkdir(filepath.Dir(stranger), 0o700), os.WriteFile(stranger, []byte("of another database"), 0o600)); err != nil {
				t.Fatal(err)
			}
			old := time.Now().Add(-25 * time.Hour)
			for _, path := range []string{sent, orphan, stranger} {
				if err := os.Chtimes(path, old, old); err != nil {
					t.Fatal(err)
				}
			}
			h = startAt(t, dir, database)
			h.eventually("the orphan is gone", func() bool { return slices.Equal(h.kept(dir), []string{sent, stranger}) })
		})
	}
}
