package blob

import (
	"archive/zip"
	"bytes"
	"io"
	"path"
	"slices"
	"strings"
)

const mostEntries = 10_000 // of an archive

// zipKind looks into an archive: an office document, or a plain one. Programs,
// macros and archives that are not whole are refused.
func zipKind(b []byte) (kind, error) {
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil || !endsLikeZip(b) || len(r.File) == 0 {
		return kind{}, refuse("broken", "the archive or document is not complete; save it again and send that")
	}
	if len(r.File) > mostEntries {
		return kind{}, notTaken("an archive with so many files")
	}
	names := make(map[string]bool, len(r.File))
	for _, f := range r.File {
		name := strings.ToLower(strings.ReplaceAll(f.Name, `\`, "/"))
		names[name] = true
		switch base := path.Base(name); {
		case base == "vbaproject.bin", strings.HasPrefix(name, "basic/"), strings.HasPrefix(name, "scripts/") && names["mimetype"]:
			return kind{}, notTaken("a document with macros")
		case slices.Contains(programs(), path.Ext(base)):
			return kind{}, notTaken("an archive with programs")
		}
	}
	if names["meta-inf/manifest.mf"] || names["androidmanifest.xml"] {
		return kind{}, notTaken("a program")
	}
	if names["[content_types].xml"] {
		const office = "application/vnd.openxmlformats-officedocument."
		switch {
		case names["word/document.xml"]:
			return kind{office + "wordprocessingml.document", []string{".docx"}}, nil
		case names["xl/workbook.xml"]:
			return kind{office + "spreadsheetml.sheet", []string{".xlsx"}}, nil
		case names["ppt/presentation.xml"]:
			return kind{office + "presentationml.presentation", []string{".pptx"}}, nil
		}
		return kind{}, notTaken("this kind of document")
	}
	if r.File[0].Name == "mimetype" {
		return openDocument(r.File[0])
	}
	return kind{"application/zip", []string{".zip"}}, nil
}

// openDocument reads the first entry of an OpenDocument, which says what it is.
func openDocument(f *zip.File) (kind, error) {
	const prefix = "application/vnd.oasis.opendocument."
	in, err := f.Open()
	if err != nil {
		return kind{}, refuse("broken", "the document is not complete; save it again and send that")
	}
	defer in.Close()
	said, err := io.ReadAll(io.LimitReader(in, 100))
	if err != nil {
		return kind{}, refuse("broken", "the document is not complete; save it again and send that")
	}
	for word, ending := range map[string]string{"text": ".odt", "spreadsheet": ".ods", "presentation": ".odp", "graphics": ".odg"} {
		if strings.TrimSpace(string(said)) == prefix+word {
			return kind{prefix + word, []string{ending}}, nil
		}
	}
	return kind{}, notTaken("this kind of document")
}

// programs are endings that a computer runs when somebody opens the file.
func programs() []string {
	return []string{
		".exe", ".com", ".scr", ".pif", ".msi", ".msix", ".dll", ".cpl", ".bat", ".cmd", ".ps1", ".vbs", ".vbe", ".js", ".jse", ".mjs", ".wsf", ".wsh",
		".hta", ".lnk", ".url", ".reg", ".jar", ".apk", ".app", ".dmg", ".pkg", ".deb", ".rpm", ".sh", ".command", ".desktop", ".iso", ".img", ".docm", ".xlsm", ".pptm",
	}
}
