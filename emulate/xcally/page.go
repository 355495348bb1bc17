package xcally

import (
	"embed"
	"io/fs"
	"net/http"

	"ringdown/fault"
)

//go:embed all:dist
var dist embed.FS

// builtPages is the inbox as the build left it; without a build it holds no
// index.html.
func builtPages() fs.FS {
	pages, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("emulate/xcally: dist is not embedded: " + err.Error())
	}
	return pages
}

// contentPolicy lets the inbox load its own files and talk to its own server.
// The data: pictures are the arrows of selects in the design tokens.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const withoutPages = "This is the emulated XCALLY Motion server. It was built without its inbox page: " +
	"run \"go generate ./web\" and build again. The Receive URLs and the REST calls work.\n"

// hasIndex tells whether the pages were built.
func hasIndex(pages fs.FS) bool {
	_, err := fs.Stat(pages, "index.html")
	return err == nil
}

// page answers the inbox itself.
func (s *Server) page(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Security-Policy", contentPolicy)
	if !s.hasPages {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusNotImplemented)
		_, _ = w.Write([]byte(withoutPages)) // the caller may have gone
		return nil
	}
	http.ServeFileFS(w, r, s.pages, "index.html")
	return nil
}

// asset answers a file of the inbox. Its name in the page carries a hash of
// its content, so it may be kept.
func (s *Server) asset(w http.ResponseWriter, r *http.Request) error {
	file := r.PathValue("file")
	if info, err := fs.Stat(s.pages, file); err != nil || info.IsDir() || file[0] == '.' || file == "index.html" {
		return fault.New(fault.NotFound, "not found")
	}
	if r.URL.Query().Has("v") {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeFileFS(w, r, s.pages, file)
	return nil
}
