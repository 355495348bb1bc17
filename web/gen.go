//go:build ignore

// Command gen builds the pages with `go tool esbuild`: no Node, and nothing
// that is not in this repository or in go.sum.
//
// A page is a folder, see sites:
//
//	main.ts      its program, built to <page>.js
//	page.css     its own styles if it has any, imported by main.ts, built to <page>.css
//	*.html       its shells, built under their own names (agent/ring.html to ring.html);
//	             every /static/<file> in them gets ?v=<hash of the content>
//
// The folder "button" is special: a classic script for other people's pages,
// with button.css as the text of its shadow root's style sheet.
package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// site is a set of pages that one server embeds.
type site struct {
	dist  string // what is built goes here
	pages string // a pattern of the pages' folders
	name  string // of its only page; empty: a page is named after its folder
}

var sites = []site{
	{dist: "dist", pages: "src/pages/*"},
	{dist: "../emulate/xcally/dist", pages: "../emulate/xcally/page", name: "inbox"},
}

const button = "button"

// browsers are the oldest we build for; see docs/ARCHITECTURE.md.
const browsers = "chrome109,firefox115,safari16.4"

func main() {
	log.SetFlags(0)
	log.SetPrefix("web: ")
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	if err := writeIcons("src/look/icons", "src/look/icons.ts"); err != nil {
		return err
	}
	var failed []error
	for _, s := range sites {
		failed = append(failed, s.build())
	}
	return errors.Join(failed...)
}

// build empties dist and builds every page of the site into it. A page that
// does not build is told of at the end and leaves the others alone.
func (s site) build() error {
	programs, err := filepath.Glob(filepath.Join(s.pages, "main.ts"))
	if err != nil {
		return err
	}
	shells, err := filepath.Glob(filepath.Join(s.pages, "*.html"))
	if err != nil {
		return err
	}
	if err := clean(s.dist); err != nil {
		return err
	}
	failed := []error{
		esbuild("--outfile="+filepath.Join(s.dist, "look.css"), "src/look/look.css"),
		copyFile("src/look/favicon.svg", filepath.Join(s.dist, "mark.svg")),
	}
	for _, program := range programs {
		dir := filepath.Dir(program)
		if name := cmp.Or(s.name, filepath.Base(dir)); name == button {
			failed = append(failed, buildButton(s.dist, dir))
		} else {
			failed = append(failed, esbuild("--format=esm", "--outdir="+s.dist, name+"="+program))
		}
	}
	for _, shell := range shells {
		if err := writeShell(s.dist, shell); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", shell, err))
		}
	}
	return errors.Join(failed...)
}

// buildButton minifies the button's style sheet and takes it in as text.
func buildButton(dist, dir string) error {
	args := []string{"--format=iife", "--outfile=" + filepath.Join(dist, "button.js"), filepath.Join(dir, "main.ts")}
	sheet := filepath.Join(dir, "button.css")
	if _, err := os.Stat(sheet); err == nil {
		tmp, err := os.MkdirTemp("", "ringdown-button")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		built := filepath.Join(tmp, "button.css")
		if err := esbuild("--outfile="+built, sheet); err != nil {
			return err
		}
		args = append(args, "--loader:.css=text", "--alias:button.css="+built)
	}
	return esbuild(args...)
}

func esbuild(args ...string) error {
	common := []string{
		"tool", "esbuild", "--bundle", "--minify", "--charset=utf8", "--log-level=warning",
		"--loader:.svg=text", "--legal-comments=inline", "--target=" + browsers,
	}
	cmd := exec.Command("go", append(common, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("esbuild %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	if len(out) > 0 {
		log.Printf("%s", out)
	}
	return nil
}

var assetPath = regexp.MustCompile(`/static/([\w.-]+)"`)

// writeShell writes one shell with the hash of each file it names, so that a
// browser may keep those files.
func writeShell(dist, shell string) error {
	out := filepath.Join(dist, filepath.Base(shell))
	if _, err := os.Stat(out); err == nil {
		return errors.New("another page has a shell of this name")
	}
	text, err := os.ReadFile(shell)
	if err != nil {
		return err
	}
	var missing error
	text = assetPath.ReplaceAllFunc(text, func(m []byte) []byte {
		name := string(assetPath.FindSubmatch(m)[1])
		content, err := os.ReadFile(filepath.Join(dist, name))
		if err != nil {
			missing = errors.Join(missing, err)
		}
		sum := sha256.Sum256(content)
		return fmt.Appendf(nil, `/static/%s?v=%s"`, name, hex.EncodeToString(sum[:6]))
	})
	if missing != nil {
		return missing
	}
	return os.WriteFile(out, text, 0o644)
}

var svgFile = regexp.MustCompile(`(?s)^<svg xmlns="http://www\.w3\.org/2000/svg" (width="\d+" height="\d+" [^>]*)>(.*)</svg>\s*$`)

// writeIcons turns the folder of signs into one module with typed names.
func writeIcons(dir, out string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.svg"))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("// Code generated by gen.go from icons/*.svg. DO NOT EDIT.\n\n/** Every sign by its name: the markup of its svg. */\nexport const icons = {\n")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		m := svgFile.FindSubmatch(text)
		if m == nil {
			return fmt.Errorf("%s: not in the shape of the other icons", file)
		}
		class := ""
		if name := filepath.Base(file); !strings.HasPrefix(name, "wire-") && name != "mark.svg" {
			class = `class="ico" `
		}
		key, _ := json.Marshal(strings.TrimSuffix(filepath.Base(file), ".svg"))
		fmt.Fprintf(&b, "  %s: '<svg %saria-hidden=\"true\" %s>%s</svg>',\n", key, class, m[1], m[2])
	}
	b.WriteString("} as const;\n\nexport type IconName = keyof typeof icons;\n")
	if old, err := os.ReadFile(out); err == nil && bytes.Equal(old, b.Bytes()) {
		return nil
	}
	return os.WriteFile(out, b.Bytes(), 0o644)
}

// clean empties a dist folder but for the file that keeps it in git.
func clean(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if e.Name() == ".gitkeep" {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return os.MkdirAll(dir, 0o755)
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}
