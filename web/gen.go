//go:build ignore

// Command gen builds the pages into dist with `go tool esbuild`: no Node, and
// nothing that is not in this repository or in go.sum.
//
// A page is a folder of src/pages:
//
//	main.ts      its program, built to <page>.js
//	page.css     its own styles if it has any, imported by main.ts, built to <page>.css
//	*.html       its shells, built under their own names (agent/ring.html to ring.html);
//	             every /static/<file> in them gets ?v=<hash of the content>
//
// Two folders are special, see targets: the button is a classic script without
// a shell, and the inbox belongs to the emulated desk.
package main

import (
	"bytes"
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
	"slices"
	"strings"
)

const (
	pagesDir = "src/pages"
	ourDist  = "dist"
)

// target says where a page goes when it is not a page of ours.
type target struct {
	dist    string // folder its files are written to
	classic bool   // a script for other people's pages: IIFE, no shell
}

var targets = map[string]target{
	"button": {dist: ourDist, classic: true},
	"inbox":  {dist: "../emulate/xcally/dist"},
}

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
	pages, err := byDist()
	if err != nil {
		return err
	}
	for dist, names := range pages {
		if err := clean(dist); err != nil {
			return err
		}
		if err := buildModules(dist, names); err != nil {
			return err
		}
		if slices.Contains(names, "button") {
			if err := buildButton(dist); err != nil {
				return err
			}
		}
		if err := copyFile("src/look/favicon.svg", filepath.Join(dist, "favicon.svg")); err != nil {
			return err
		}
		if err := writeShells(dist, names); err != nil {
			return err
		}
	}
	return nil
}

// byDist lists the pages that exist, by the folder they are built to.
func byDist() (map[string][]string, error) {
	entries, err := filepath.Glob(filepath.Join(pagesDir, "*", "main.ts"))
	if err != nil {
		return nil, err
	}
	pages := map[string][]string{ourDist: nil}
	for _, entry := range entries {
		name := filepath.Base(filepath.Dir(entry))
		dist := ourDist
		if t, ok := targets[name]; ok {
			dist = t.dist
		}
		pages[dist] = append(pages[dist], name)
	}
	return pages, nil
}

// buildModules builds the common style sheet and the pages that are modules.
func buildModules(dist string, names []string) error {
	args := []string{"--format=esm", "--outdir=" + dist, "look=src/look/look.css"}
	for _, name := range names {
		if !targets[name].classic {
			args = append(args, name+"="+filepath.Join(pagesDir, name, "main.ts"))
		}
	}
	return esbuild(args...)
}

// buildButton builds the script for other people's pages. Its style sheet is
// minified first and then taken in as text, for the shadow root.
func buildButton(dist string) error {
	dir := filepath.Join(pagesDir, "button")
	tmp, err := os.MkdirTemp("", "ringdown-button")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	args := []string{"--format=iife", "--outfile=" + filepath.Join(dist, "button.js"), filepath.Join(dir, "main.ts")}
	sheet := filepath.Join(dir, "button.css")
	if _, err := os.Stat(sheet); err == nil {
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

// writeShells writes the shells of the pages, with the hash of each file they
// name, so that a browser may keep those files.
func writeShells(dist string, names []string) error {
	for _, name := range names {
		shells, err := filepath.Glob(filepath.Join(pagesDir, name, "*.html"))
		if err != nil {
			return err
		}
		for _, shell := range shells {
			if err := writeShell(dist, shell); err != nil {
				return fmt.Errorf("%s: %w", shell, err)
			}
		}
	}
	return nil
}

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
