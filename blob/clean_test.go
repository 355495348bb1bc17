package blob

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"ringdown/fault"
)

func join(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			b = append(b, p...)
		case []byte:
			b = append(b, p...)
		}
	}
	return b
}

func isoFile(brand string) []byte {
	return join("\x00\x00\x00\x18ftyp", brand, "\x00\x00\x00\x00isommp42", "\x00\x00\x00\x08mdat")
}

const page = "<html><script>alert(1)</script></html>"

// TestS16_what_files_really_are_decides holds the polyglots among the good ones:
// what is drawn anew holds nothing else, what is kept as it is holds one thing only.
func TestS16_what_files_really_are_decides(t *testing.T) {
	picture := pngOf(t, drawn(40, 30))
	photo := jpegOf(t, drawn(40, 30))
	archive := zipOf(t, "a.txt=hello")
	for _, tc := range []struct {
		name  string
		given string
		bytes []byte
		// what comes of it: a type and a name, or the reason of the refusal
		want, called string
	}{
		{"a photograph", "lamp.JPG", photo, "image/jpeg", "lamp.JPG"},
		{"a screenshot", "", picture, "image/png", "file.png"},
		{"a drawing", "logo.gif", gifOf(t, 40, 30), "image/png", "logo.gif.png"},
		{"a WebP without loss", "a.webp", webpLossless(), "image/png", "a.webp.png"},
		{"a WebP with loss", "a.webp", webpLossy(), "image/jpeg", "a.webp.jpg"},
		{"a document", "guide.pdf", []byte(pdf), "application/pdf", "guide.pdf"},
		{"a document under another name", "guide.exe", []byte(pdf), "application/pdf", "guide.exe.pdf"},
		{"a text", "note.txt", []byte("Grüße\r\n"), "text/plain", "note.txt"},
		{"a text of an old Windows", "note.txt", []byte("Gr\xfc\xdfe \x80 5"), "text/plain", "note.txt"},
		{"a text in UTF-16", "note.txt", []byte("\xff\xfeh\x00i\x00"), "text/plain", "note.txt"},
		{"a text that claims to be a program", "run.js", []byte("let a = 1"), "text/plain", "run.js.txt"},
		{"a table", "prices.csv", []byte("name;price\nOnda;\"1;2\"\n"), "text/csv", "prices.csv"},
		{"a table without a name", "", []byte("name,price\nOnda,12\n"), "text/csv", "file.csv"},
		{"an archive", "a.zip", archive, "application/zip", "a.zip"},
		{"a Word document", "a.docx", zipOf(t, "[Content_Types].xml=x", "word/document.xml=x"), "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "a.docx"},
		{"an Excel sheet", "a", zipOf(t, "[Content_Types].xml=x", "xl/workbook.xml=x"), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "a.xlsx"},
		{"slides", "a.pptx", zipOf(t, "[Content_Types].xml=x", "ppt/presentation.xml=x"), "application/vnd.openxmlformats-officedocument.presentationml.presentation", "a.pptx"},
		{"an OpenDocument text", "a.odt", zipOf(t, "mimetype=application/vnd.oasis.opendocument.text", "content.xml=x"), "application/vnd.oasis.opendocument.text", "a.odt"},
		{"music", "a.mp3", []byte("ID3\x04\x00\x00\x00\x00\x00\x00"), "audio/mpeg", "a.mp3"},
		{"music without a title", "a.mp3", []byte("\xff\xfb\x90\x64\x00\x00\x00\x00"), "audio/mpeg", "a.mp3"},
		{"a film", "a.mp4", isoFile("isom"), "video/mp4", "a.mp4"},
		{"a film of a phone", "a.mov", isoFile("qt  "), "video/quicktime", "a.mov"},
		{"a recording", "a.m4a", isoFile("M4A "), "audio/mp4", "a.m4a"},
		{"a film of a browser", "a.webm", join("\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm"), "video/webm", "a.webm"},
		{"an Ogg", "a.ogg", []byte("OggS\x00\x02\x00\x00\x00\x00\x00\x00"), "audio/ogg", "a.ogg"},

		{"a GIF that is a script", "a.gif", join("GIF89a=1;alert(1)//", gifOf(t, 4, 4)[6:]), "pixels", ""},
		{"a GIF with a script in its comment", "a.gif", join(gifOf(t, 40, 30)[:len(gifOf(t, 40, 30))-1], "\x21\xfe\x10*/alert(document)\x00;"), "image/png", "a.gif.png"},
		{"a JPEG with a page behind it", "a.jpg", join(photo, page), "image/jpeg", "a.jpg"},
		{"a JPEG with a page in its comment", "a.jpg", join(photo[:2], "\xff\xfe\x00", string(rune(len(page)+2)), page, photo[2:]), "image/jpeg", "a.jpg"},
		{"a PNG with an archive behind it", "a.png", join(picture, archive), "image/png", "a.png"},
		{"a PNG with a page in its text", "a.png", withChunk(picture, "tEXt", "x\x00"+page), "image/png", "a.png"},
		{"a PDF with a page before it", "a.pdf", join(page, pdf), "kind", ""},
		{"a PDF with a page at its beginning", "a.pdf", join("%PDF-1.7\n", page, pdf), "kind", ""},
		{"a PDF with an archive behind it", "a.pdf", join(pdf, archive), "kind", ""},
		{"a PDF with something long behind it", "a.pdf", join(pdf, strings.Repeat("x", 2000)), "broken", ""},
		{"an archive behind a program", "a.zip", join("MZ\x90\x00", archive), "kind", ""},
		{"a film with an archive behind it", "a.mp4", join(isoFile("isom"), archive), "kind", ""},
		{"music with a page in it", "a.mp3", join("ID3\x04\x00\x00\x00\x00\x00\x20", page), "kind", ""},
		{"a table with an archive behind it", "a.csv", join("a,b\nc,d\n", archive), "kind", ""},
		{"half an archive", "a.zip", archive[:len(archive)-4], "broken", ""},

		{"a page", "a.txt", []byte("<!DOCTYPE html><p>hi"), "kind", ""},
		{"a page that begins late", "a.txt", join("hello ", page), "kind", ""},
		{"a page in UTF-16", "a.txt", []byte("\xff\xfe<\x00s\x00c\x00r\x00i\x00p\x00t\x00>\x00"), "kind", ""},
		{"a drawing that can run", "a.svg", []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), "kind", ""},
		{"an XML file", "a.xml", []byte(`<?xml version="1.0"?><a/>`), "kind", ""},
		{"a script", "a.txt", []byte("#!/bin/sh\nrm -r x\n"), "kind", ""},
		{"a PHP page", "a.txt", []byte("<?php system($_GET[1]);"), "kind", ""},
		{"a program of Windows", "a.exe", []byte("MZ\x90\x00\x03\x00\x00\x00"), "kind", ""},
		{"a program of Linux", "a", []byte("\x7fELF\x02\x01\x01\x00"), "kind", ""},
		{"a program in an archive", "a.zip", zipOf(t, "docs/Invoice.pdf.EXE=x"), "kind", ""},
		{"a Java archive", "a.zip", zipOf(t, "META-INF/MANIFEST.MF=x"), "kind", ""},
		{"an office document with macros", "a.docx", zipOf(t, "[Content_Types].xml=x", "word/document.xml=x", "word/vbaProject.bin=x"), "kind", ""},
		{"an OpenDocument with macros", "a.odt", zipOf(t, "mimetype=application/vnd.oasis.opendocument.text", "Basic/Standard/Module1.xml=x"), "kind", ""},
		{"an old office document", "a.doc", []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00\x00"), "kind", ""},
		{"a picture of a phone that browsers do not show", "a.heic", isoFile("heic"), "kind", ""},
		{"a RAR archive", "a.rar", []byte("Rar!\x1a\x07\x00"), "kind", ""},
		{"nothing", "a.txt", nil, "kind", ""},
		{"half a JPEG", "a.jpg", photo[:len(photo)/2], "broken", ""},
		{"half a PNG", "a.png", picture[:len(picture)-30], "broken", ""},
		{"half a WebP", "a.webp", webpLossy()[:30], "broken", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := CleanBytes(tc.bytes)
			if tc.called == "" {
				f := fault.Of(err)
				if f == nil || f.Code != fault.FileRefused || f.Data["reason"] != tc.want {
					t.Fatalf("%s %s, %v", got.Type(), f, err)
				}
				if tc.want == "kind" && !strings.Contains(f.Detail, "at most 25 MB") {
					t.Errorf("does not say what is taken: %s", f.Detail)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Type() != tc.want || got.Name(tc.given) != tc.called {
				t.Errorf("is %s, called %s", got.Type(), got.Name(tc.given))
			}
			if !strings.HasPrefix(got.Type(), "image/") {
				if !bytes.Equal(got.Bytes, tc.bytes) {
					t.Error("was changed")
				}
				return
			}
			for _, trace := range []string{"script", "alert", "PK\x03\x04", "<html"} {
				if bytes.Contains(got.Bytes, []byte(trace)) {
					t.Errorf("%q is still in it", trace)
				}
			}
			if got.Width < 1 || got.Height < 1 {
				t.Errorf("%d×%d", got.Width, got.Height)
			}
		})
	}
}

func TestS16_more_than_25_MB_is_refused(t *testing.T) {
	if _, err := CleanBytes(make([]byte, LimitBytes+1)); !fault.Is(err, fault.TooLarge) {
		t.Fatal(err)
	}
}

// TestS16_pictures_stand_upright_and_tell_no_place turns every orientation of
// EXIF: the red quarter must be where a camera saw it, at the left above.
func TestS16_pictures_stand_upright_and_tell_no_place(t *testing.T) {
	// How each orientation would be stored: the inverse of what turn does.
	inverse := map[int]int{1: 1, 2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}
	for orientation, back := range inverse {
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			stored := withExif(jpegOf(t, turn(drawn(64, 32), back)), exif(order, uint16(orientation)))
			if !bytes.Contains(stored, []byte(gpsWords)) {
				t.Fatal("the test's picture tells no place")
			}
			got, err := CleanBytes(stored)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(got.Bytes, []byte("GPS")) || bytes.Contains(got.Bytes, []byte("Exif")) {
				t.Errorf("orientation %d: the place is still in it", orientation)
			}
			img, err := jpeg.Decode(bytes.NewReader(got.Bytes))
			if err != nil {
				t.Fatal(err)
			}
			if got.Width != 64 || got.Height != 32 || !reddish(img.At(8, 8)) || reddish(img.At(56, 8)) || reddish(img.At(8, 26)) || reddish(img.At(56, 26)) {
				t.Errorf("orientation %d, %v: not upright (%d×%d)", orientation, order, got.Width, got.Height)
			}
		}
	}
	webp := join(webpLossless(), "EXIF", binary.LittleEndian.AppendUint32(nil, uint32(len(exif(binary.LittleEndian, 6)))), exif(binary.LittleEndian, 6))
	if o := webpOrientation(webp); o != 6 {
		t.Errorf("the orientation of a WebP is %d", o)
	}
	if got, err := CleanBytes(webp); err != nil || bytes.Contains(got.Bytes, []byte("GPS")) {
		t.Errorf("a WebP tells the place: %v", err)
	}
	told := withChunk(withChunk(pngOf(t, drawn(8, 8)), "eXIf", string(exif(binary.BigEndian, 1))), "tEXt", "Comment\x00"+gpsWords)
	if got, err := CleanBytes(told); err != nil || bytes.Contains(got.Bytes, []byte("GPS")) {
		t.Errorf("a PNG tells the place: %v", err)
	}
}

func reddish(c color.Color) bool {
	r, _, b, _ := c.RGBA()
	return r > b
}

// TestS16_bombs_are_refused_before_they_are_opened: small files that would take
// gigabytes or minutes.
func TestS16_bombs_are_refused_before_they_are_opened(t *testing.T) {
	small := pngOf(t, image.NewNRGBA(image.Rect(0, 0, 8, 8)))
	hugeGIF := gifOf(t, 4, 4)
	binary.LittleEndian.PutUint16(hugeGIF[6:], 50_000)
	binary.LittleEndian.PutUint16(hugeGIF[8:], 50_000)
	photo := jpegOf(t, drawn(64, 64))
	sof := bytes.Index(photo, []byte{0xff, 0xc0})
	huge := bytes.Clone(photo)
	binary.BigEndian.PutUint16(huge[sof+5:], 60_000)
	binary.BigEndian.PutUint16(huge[sof+7:], 60_000)
	progressive := bytes.Clone(photo)
	progressive[sof+1] = 0xc2
	binary.BigEndian.PutUint16(progressive[sof+5:], 6000)
	binary.BigEndian.PutUint16(progressive[sof+7:], 6000)
	sos := bytes.Index(photo, []byte{0xff, 0xda})
	scan := photo[sos : len(photo)-2]
	scans := join(photo[:len(photo)-2], bytes.Repeat(scan, mostScans), "\xff\xd9")
	for name, b := range map[string][]byte{
		"a PNG of 2.5 gigapixels":              claiming(small, 50_000, 50_000, 8),
		"a PNG of 41 megapixels":               claiming(small, 6400, 6407, 8),
		"a PNG as wide as a road":              claiming(small, 40_000_000, 1, 8),
		"a PNG of 30 megapixels and 16 bits":   claiming(small, 6000, 5000, 16),
		"a GIF of 2.5 gigapixels":              hugeGIF,
		"a JPEG of 3.6 gigapixels":             huge,
		"a progressive JPEG that needs 400 MB": progressive,
		"a JPEG with a hundred scans":          scans,
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			var err error
			allocated := testing.AllocsPerRun(1, func() { _, err = CleanBytes(b) })
			if f := fault.Of(err); f == nil || f.Code != fault.FileRefused || f.Data["reason"] != "pixels" {
				t.Fatal(err)
			}
			if took := time.Since(began); took > time.Second || allocated > 1000 {
				t.Errorf("took %s and %.0f allocations", took, allocated)
			}
		})
	}
}

func TestS16_large_pictures_are_kept_smaller(t *testing.T) {
	big := image.NewGray(image.Rect(0, 0, 5200, 3000)) // 15.6 megapixels
	for x := range 5200 {
		for y := range 1500 {
			big.Pix[y*big.Stride+x] = 250
		}
	}
	got, err := CleanBytes(jpegOf(t, big))
	if err != nil {
		t.Fatal(err)
	}
	if p := got.Width * got.Height; p > keptPixels || p < keptPixels*99/100 || got.Height < got.Width*30/52-1 || got.Height > got.Width*30/52+1 {
		t.Errorf("%d×%d", got.Width, got.Height)
	}
	// Noise as PNG is larger than a file may be: it is kept as JPEG.
	noise := image.NewNRGBA(image.Rect(0, 0, 3000, 3000))
	r := rand.New(rand.NewPCG(1, 2))
	for i := range noise.Pix {
		noise.Pix[i] = byte(r.Uint32()) | byte(i&3/3*255) // opaque
	}
	flat := claimsNothing(t, noise)
	if got, err = redraw(flat, formatPNG); err != nil || got.Type() != formatJPEG || got.Width != 3000 {
		t.Errorf("%s %d, %v", got.Type(), got.Width, err)
	}
}

// claimsNothing is a PNG that is not packed.
func claimsNothing(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.NoCompression}).Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOrientationOfNonsense(t *testing.T) {
	good := exif(binary.LittleEndian, 6)
	for n := range good {
		orientationOf(good[:n])
	}
	for _, b := range [][]byte{nil, []byte("II*\x00\xff\xff\xff\xff"), exif(binary.BigEndian, 9), exif(binary.BigEndian, 0)} {
		if o := orientationOf(b); o != 1 {
			t.Errorf("%q: %d", b, o)
		}
	}
}

// FuzzClean: whatever comes, there is no panic, and what was taken is taken again
// as the same thing.
func FuzzClean(f *testing.F) {
	photo := jpegOf(f, drawn(16, 16))
	for _, seed := range [][]byte{
		photo, withExif(photo, exif(binary.BigEndian, 6)), pngOf(f, drawn(8, 8)), gifOf(f, 8, 8), webpLossless(), webpLossy(),
		[]byte(pdf), zipOf(f, "a.txt=hello"), zipOf(f, "[Content_Types].xml=x", "word/document.xml=x"),
		zipOf(f, "mimetype=application/vnd.oasis.opendocument.text"), []byte("a;b\nc;d\n"), []byte("\xff\xfeh\x00i\x00"), isoFile("isom"),
		[]byte("\xff\xfb\x90\x64\x00\x00"), []byte(page), join(pngOf(f, drawn(8, 8)), zipOf(f, "a.txt=x")),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if size, _, err := image.DecodeConfig(bytes.NewReader(b)); err == nil && size.Width*size.Height > 1<<20 {
			t.Skip("slow: the limits have tests of their own")
		}
		once, err := CleanBytes(b)
		if err != nil {
			if c := fault.Of(err).Code; c != fault.FileRefused {
				t.Fatalf("%s: %v", c, err)
			}
			return
		}
		twice, err := CleanBytes(once.Bytes)
		if err != nil || twice.Type() != once.Type() || twice.Width != once.Width {
			t.Fatalf("%s, then %s: %v", once.Type(), twice.Type(), err)
		}
	})
}
