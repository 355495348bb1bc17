package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed all:dist
var embedded embed.FS

// Unbuilt says what is wrong with a binary without pages, and how to mend it.
const Unbuilt = "This ringdown was built without its pages. Build them with `go generate ./web`, then build the binary again; `make build` does both."

// revalidate lets a browser keep a file but ask each time whether it changed.
const revalidate = "no-cache"

// file is one embedded file, ready to be sent.
type file struct {
	contentType string
	hash        string // begins the content's SHA-256; the ?v= that gen.go writes
	plain       []byte
	gzipped     []byte // nil where it would not be smaller
}

// contentType gives the type of a file by its name, or "" for a kind of file
// that the pages do not use.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".json":
		return "application/json"
	case ".png":
		return "image/png"
	case ".webp":
		return "image/webp"
	case ".woff2":
		return "font/woff2"
	}
	return ""
}

// readFiles loads and compresses everything below dist.
func readFiles(dist fs.FS) (map[string]*file, error) {
	files := map[string]*file{}
	err := fs.WalkDir(dist, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == ".gitkeep" {
			return err
		}
		f := &file{contentType: contentType(name)}
		if f.contentType == "" {
			return fmt.Errorf("the page file %s is of no known type", name)
		}
		if f.plain, err = fs.ReadFile(dist, name); err != nil {
			return err
		}
		sum := sha256.Sum256(f.plain)
		f.hash = hex.EncodeToString(sum[:6])
		if f.gzipped, err = compress(f.plain); err != nil {
			return fmt.Errorf("compress %s: %w", name, err)
		}
		files[name] = f
		return nil
	})
	return files, err
}

func compress(plain []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if b.Len() >= len(plain) {
		return nil, nil
	}
	return b.Bytes(), nil
}

// serve answers GET and HEAD, with 304 for who has it already. The route has
// set Cache-Control.
func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	body, tag := f.plain, f.hash
	if f.gzipped != nil {
		h.Add("Vary", "Accept-Encoding")
		if takesGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			body, tag = f.gzipped, f.hash+"-gz"
		}
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

func takesGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		coding, quality, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			q := strings.ReplaceAll(quality, " ", "")
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}
