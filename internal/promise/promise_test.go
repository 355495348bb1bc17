package promise

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// A promise without a test is not one, and a test that is named after a promise
// is in the table.
func TestTheTableAndTheTestsAgree(t *testing.T) {
	found, err := Tests(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, p := range Table() {
		if slices.Contains(ids, p.ID) {
			t.Errorf("%s is in the table twice", p.ID)
		}
		ids = append(ids, p.ID)
		if len(found[p.ID]) == 0 {
			t.Errorf("no test is called Test%s_…", p.ID)
		}
	}
	for id, where := range found {
		if !slices.Contains(ids, id) {
			t.Errorf("Test%s_… of %v is in no table", id, where)
		}
	}
}

func TestTestsAreFoundByTheirNames(t *testing.T) {
	found, err := Tests(fstest.MapFS{
		"a/a_test.go":          {Data: []byte("package a\nfunc TestD1_x(t *testing.T) {}\nfunc TestD10_y(t *testing.T) {}\nfunc TestD1_z(t *testing.T) {}\nfunc TestS1Old(t *testing.T) {}\n")},
		"b/b_test.go":          {Data: []byte("package b\nfunc TestD1_w(t *testing.T) {}\n// func TestM1_in_a_comment(t *testing.T) {}\n")},
		"b/testdata/c_test.go": {Data: []byte("func TestC1_x(t *testing.T) {}\n")},
		"b/b.go":               {Data: []byte("func TestC2_x(t *testing.T) {}\n")},
	})
	if err != nil || len(found) != 2 || !slices.Equal(found["D1"], []string{"a", "b"}) || !slices.Equal(found["D10"], []string{"a"}) {
		t.Errorf("%v, %v", found, err)
	}
}

const output = `=== RUN   TestD8_first_try
    d_test.go:11: promise D8 first try p95 on SQLite 12.5 ms (at most 20 ms)
    d_test.go:12: promise D8 first try p99 on SQLite 120 ms (at most 100 ms)
    d_test.go:13: promise D9 of another 1 s (at most 2 s)
--- PASS: TestD8_first_try (1.00s)
    --- PASS: TestD8_first_try/SQLite (0.50s)
    --- PASS: TestD8_first_try/PostgreSQL (0.50s)
PASS
`

func TestRunsAreJudged(t *testing.T) {
	p := Promise{"D8", "The first try is immediate"}
	one := Read("D8", output)
	if len(one.Figures) != 2 || one.Cases != 2 {
		t.Fatalf("%+v", one)
	}
	with := func(value string) Run { return Read("D8", strings.Replace(output, "120 ms", value+" ms", 1)) }
	for _, tc := range []struct {
		name string
		runs []Run
		want []Verdict
	}{
		{"a figure above its limit", []Run{one}, []Verdict{Kept, Broken}},
		{"the median counts", []Run{one, with("90"), with("20")}, []Verdict{Kept, Kept}},
		{"the median, not the best", []Run{one, with("130"), with("20")}, []Verdict{Kept, Broken}},
		{"one run failed for its figure", []Run{Read("D8", strings.ReplaceAll(output, "PASS", "FAIL")), with("90"), with("20")}, []Verdict{Kept, Kept}},
		{"one run failed with its figures kept", []Run{Read("D8", strings.ReplaceAll(strings.Replace(output, "120 ms", "90 ms", 1), "PASS", "FAIL")), with("90"), with("20")}, []Verdict{Kept, Kept, Broken}},
		{"no test", nil, []Verdict{Missing}},
		{"cases only", []Run{Read("C1", "--- PASS: TestC1_x (0.1s)\n")}, []Verdict{Kept}},
		{"one run failed", []Run{Read("C1", "--- PASS: TestC1_x (0.1s)\n"), Read("C1", "--- FAIL: TestC1_x (0.1s)\n")}, []Verdict{Broken}},
		{"skipped", []Run{Read("C1", "--- SKIP: TestC1_x (0.1s)\n")}, []Verdict{Skipped}},
		{"it crashed", []Run{Read("C1", "panic: x\n")}, []Verdict{Broken}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got []Verdict
			for _, l := range Judge(p, tc.runs) {
				got = append(got, l.Verdict)
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestTheTableIsPrinted(t *testing.T) {
	var b strings.Builder
	lines := Judge(Promise{"D8", "First try"}, []Run{Read("D8", output)})
	kept, err := Print(&b, lines)
	if err != nil || kept || !strings.Contains(b.String(), "first try p95 on SQLite 12.5 ms") || !strings.Contains(b.String(), "BROKEN") {
		t.Errorf("%v %v\n%s", kept, err, b.String())
	}
	if kept, _ := Print(&b, lines[:1]); !kept {
		t.Error("a kept promise is broken")
	}
}
