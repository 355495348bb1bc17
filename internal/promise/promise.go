// Package promise knows what the house promises, finds the tests that prove it
// by their names, and judges the figures that they print. A test of promise D8
// is called TestD8_… and prints each figure of its own as
//
//	promise D8 first try p95 12.3 ms (at most 20 ms)
//
// It runs nothing; its command does.
package promise

import (
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Promise is a line of the table.
type Promise struct {
	ID   string
	What string
}

// Table is what is promised of calls, deliveries and media and proven so far.
func Table() []Promise {
	return []Promise{
		{"C1", "Exactly one agent wins; the rest learn who"},
		{"C2", "All other screens stop ringing"},
		{"C3", "Every call ends in exactly one final state"},
		{"C4", "After a crash no ghost: each call goes on or is closed with its reason"},
		{"C5", "Timers are right, also when the wall clock jumps"},
		{"C6", "The same request twice makes one call"},
		{"C7", "A phone is answered at once, whatever else hangs"},
		{"D1", "What was acknowledged is delivered at least once"},
		{"D3", "Duplicates are recognisable, and no more than were in flight"},
		{"D4", "The schedule is the table"},
		{"D5", "Nothing vanishes: the sums are right"},
		{"D6", "A ring is fresh or not sent"},
		{"D7", "One dead endpoint does not slow the others"},
		{"D8", "The first try is immediate"},
		{"D9", "Replay, and it does not starve live events"},
		{"D10", "Signatures by Standard Webhooks; two valid keys"},
		{"M1", "A quick picture after accept"},
		{"M3", "Back after a cut, as the same person"},
		{"M7", "Works without UDP"},
		{"M9", "One bad peer cannot end others' calls"},
	}
}

var testName = regexp.MustCompile(`(?m)^func Test([CDM][0-9]+)_\w*\(t \*testing\.T\)`)

// Tests finds the packages with tests of each promise, as folders of house.
func Tests(house fs.FS) (map[string][]string, error) {
	found := map[string][]string{}
	err := fs.WalkDir(house, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := path.Base(name); d.IsDir() && name != "." && (base[0] == '.' || base == "testdata" || base == "node_modules") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(name, "_test.go") {
			return nil
		}
		src, err := fs.ReadFile(house, name)
		if err != nil {
			return err
		}
		for _, m := range testName.FindAllSubmatch(src, -1) {
			if id, dir := string(m[1]), path.Dir(name); !slices.Contains(found[id], dir) {
				found[id] = append(found[id], dir)
			}
		}
		return nil
	})
	return found, err
}

// Figure is one measurement of a run.
type Figure struct {
	ID, Words, Unit string
	Value, Limit    float64
}

// Run is what one run of the tests of a promise printed.
type Run struct {
	Figures []Figure
	Cases   int // tests that passed and have none below
	Failed  []string
	Skipped []string
}

var (
	figureLine = regexp.MustCompile(`\bpromise (\w+) (.+?) (-?[0-9.]+) (\S+) \(at most (-?[0-9.]+) \S+\)`)
	resultLine = regexp.MustCompile(`^\s*--- (PASS|FAIL|SKIP): (\S+)`)
)

// Read reads the output of `go test -v`.
func Read(id, output string) Run {
	var r Run
	var passed []string
	for line := range strings.Lines(output) {
		if m := figureLine.FindStringSubmatch(line); m != nil && m[1] == id {
			value, err1 := strconv.ParseFloat(m[3], 64)
			limit, err2 := strconv.ParseFloat(m[5], 64)
			if err1 == nil && err2 == nil {
				r.Figures = append(r.Figures, Figure{ID: id, Words: m[2], Unit: m[4], Value: value, Limit: limit})
			}
		}
		if m := resultLine.FindStringSubmatch(line); m != nil {
			switch m[1] {
			case "PASS":
				passed = append(passed, m[2])
			case "FAIL":
				r.Failed = append(r.Failed, m[2])
			case "SKIP":
				r.Skipped = append(r.Skipped, m[2])
			}
		}
	}
	r.Cases = len(leaves(passed))
	return r
}

// leaves are the names of tests that have no others below.
func leaves(names []string) (out []string) {
	for _, name := range names {
		if !slices.ContainsFunc(names, func(other string) bool { return strings.HasPrefix(other, name+"/") }) {
			out = append(out, name)
		}
	}
	return out
}

// Verdict is the word at the end of a line.
type Verdict string

// The verdicts.
const (
	Kept    Verdict = "ok"
	Broken  Verdict = "BROKEN"
	Missing Verdict = "MISSING"
	Skipped Verdict = "skipped"
)

// Line is a line of the printed table.
type Line struct {
	ID, What, Figure, Limit string
	Verdict                 Verdict
}

// Judge makes the lines of a promise from its runs: one for each figure, its
// median over the runs, or one that says how many cases passed. A run that failed
// for a figure of its own is judged by the medians too; any other failed run
// breaks the promise. No run means that there is no test.
func Judge(p Promise, runs []Run) []Line {
	if len(runs) == 0 {
		return []Line{{ID: p.ID, What: p.What, Figure: "no test", Verdict: Missing}}
	}
	type series struct {
		Figure
		values []float64
	}
	var all []*series
	var failed, skipped []string
	cases := 0
	for _, r := range runs {
		if !slices.ContainsFunc(r.Figures, func(f Figure) bool { return f.Value > f.Limit }) {
			failed = append(failed, leaves(r.Failed)...) // else the median of the figure decides
		}
		skipped = append(skipped, r.Skipped...)
		cases = max(cases, r.Cases)
		for _, f := range r.Figures {
			i := slices.IndexFunc(all, func(s *series) bool { return s.Words == f.Words })
			if i < 0 {
				i, all = len(all), append(all, &series{Figure: f})
			}
			all[i].values = append(all[i].values, f.Value)
		}
	}
	var lines []Line
	for _, s := range all {
		m := median(s.values)
		l := Line{Figure: fmt.Sprintf("%s %s %s", s.Words, number(m), s.Unit), Limit: number(s.Limit) + " " + s.Unit, Verdict: Kept}
		if m > s.Limit {
			l.Verdict = Broken
		}
		lines = append(lines, l)
	}
	slices.Sort(failed)
	switch failed = slices.Compact(failed); {
	case len(failed) > 0:
		lines = append(lines, Line{Figure: "failed: " + strings.Join(failed, ", "), Verdict: Broken})
	case len(lines) > 0: // the figures tell
	case cases == 0 && len(skipped) > 0:
		lines = append(lines, Line{Figure: "skipped: " + strings.Join(slices.Compact(skipped), ", "), Verdict: Skipped})
	case cases == 0:
		lines = append(lines, Line{Figure: "ended without a result", Verdict: Broken})
	default:
		lines = append(lines, Line{Figure: fmt.Sprintf("%d cases pass", cases), Verdict: Kept})
	}
	lines[0].ID, lines[0].What = p.ID, p.What
	return lines
}

// Print writes the one table. False: a promise is broken or has no test.
func Print(w io.Writer, lines []Line) (kept bool, err error) {
	kept = true
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "id\tpromise\tfigure\tat most\tverdict")
	for _, l := range lines {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", l.ID, l.What, l.Figure, l.Limit, l.Verdict)
		kept = kept && (l.Verdict == Kept || l.Verdict == Skipped)
	}
	return kept, t.Flush()
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return s[len(s)/2]
}

func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
