package customer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"
)

const (
	fileLimit  = 256 << 20 // bytes
	lookEvery  = 5 * time.Second
	rowsAtMost = 2_000_000
)

// fileSource is a CSV or JSON file in memory. A changed file is read whole before
// it takes the place of the last one.
type fileSource struct {
	cfg    SourceConfig
	region string
	now    func() time.Time
	log    *slog.Logger
	good   atomic.Pointer[book]
}

// book is a file that was read.
type book struct {
	mark    string // size and time of the file
	records []Record
	words   []string // of each record
	phones  map[Phone]int
	emails  map[string]int
	ids     map[string]int
}

func newFileSource(cfg SourceConfig, region string, now func() time.Time, log *slog.Logger) (*fileSource, error) {
	s := &fileSource{cfg: cfg, region: region, now: now, log: log}
	b, err := s.read()
	if err != nil {
		return nil, fmt.Errorf("file.path: %w", err)
	}
	s.good.Store(b)
	return s, nil
}

func (s *fileSource) Name() string { return s.cfg.Name }

// Run reads the file again when it has changed.
func (s *fileSource) Run(ctx context.Context) error {
	every := time.NewTicker(cmp.Or(s.cfg.File.Every, lookEvery))
	defer every.Stop()
	bad := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		mark, err := markOf(s.cfg.File.Path)
		if err == nil && (mark == s.good.Load().mark || mark == bad) {
			continue
		}
		b, err := s.read()
		if err != nil {
			if mark != bad || mark == "" && bad == "" {
				s.log.WarnContext(ctx, "the customer file cannot be read; the last good one stays in use", "err", err)
			}
			bad = cmp.Or(mark, "missing")
			continue
		}
		bad = ""
		s.good.Store(b)
		s.log.InfoContext(ctx, "the customer file was read again", "records", len(b.records))
	}
}

func markOf(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", reasonOf(err)
	}
	return fmt.Sprint(info.Size(), " ", info.ModTime().UnixNano()), nil
}

func reasonOf(err error) error {
	if pe, ok := errors.AsType[*os.PathError](err); ok {
		return pe.Err
	}
	return err
}

func (s *fileSource) read() (*book, error) {
	path := s.cfg.File.Path
	mark, err := markOf(path)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, reasonOf(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, fileLimit+1))
	if err != nil {
		return nil, reasonOf(err)
	}
	if len(text) > fileLimit {
		return nil, fmt.Errorf("is larger than %d MB", fileLimit>>20)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(text) {
		return nil, errors.New("is not UTF-8; save it as UTF-8")
	}
	b := &book{mark: mark, phones: map[Phone]int{}, emails: map[string]int{}, ids: map[string]int{}}
	if strings.HasSuffix(path, ".json") {
		err = s.readJSON(text, b)
	} else {
		err = s.readCSV(text, b)
	}
	return b, err
}

func (s *fileSource) readCSV(text []byte, b *book) error {
	r := csv.NewReader(bytes.NewReader(text))
	r.Comma = delimiter(text)
	head, err := r.Read()
	if err != nil {
		return fmt.Errorf("has no header line: %w", err)
	}
	column := map[string]int{}
	for i, name := range head {
		column[strings.TrimSpace(name)] = i
	}
	for _, want := range s.cfg.Fields.columns() {
		if _, ok := column[want]; !ok {
			return fmt.Errorf("has no column %q; there are %s", want, strings.Join(head, ", "))
		}
	}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err // it names the line, and no value
		}
		b.add(s.cfg.Fields.record(s.cfg.Name, s.region, s.now(), func(where string) []string {
			return strings.Split(row[column[where]], "|")
		}))
		if len(b.records) > rowsAtMost {
			return fmt.Errorf("has more than %d records", rowsAtMost)
		}
	}
}

// delimiter is the one of ",", ";" and tab that the header line has most.
func delimiter(text []byte) rune {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	best, most := ',', 0
	for _, c := range []rune{',', ';', '\t'} {
		if n := bytes.Count(line, []byte(string(c))); n > most {
			best, most = c, n
		}
	}
	return best
}

// columns are the columns that a CSV file must have.
func (f Fields) columns() []string {
	all := []string{f.ExternalID, f.Name, f.Company, f.Email, f.Language}
	for p := range strings.SplitSeq(f.Phones, ",") {
		all = append(all, strings.TrimSpace(p))
	}
	for _, p := range f.Extra {
		all = append(all, p)
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(s string) bool { return s == "" })
}

func (s *fileSource) readJSON(text []byte, b *book) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return fmt.Errorf("is not JSON: wrong at byte %d", dec.InputOffset())
	}
	list := records(doc, s.cfg.File.List)
	if len(list) == 0 {
		return errors.New("has no records at file.list")
	}
	for _, one := range list {
		b.add(s.cfg.Fields.record(s.cfg.Name, s.region, s.now(), func(where string) []string { return dig(one, where) }))
	}
	return nil
}

// add takes a record; of two with the same number, mail address or id the first
// one is found.
func (b *book) add(r Record, ok bool) {
	if !ok {
		return
	}
	i := len(b.records)
	if _, again := b.ids[r.ExternalID]; again {
		return
	}
	b.records, b.words = append(b.records, r), append(b.words, wordsOf(r))
	b.ids[r.ExternalID] = i
	for _, p := range r.Phones {
		if _, taken := b.phones[p]; !taken {
			b.phones[p] = i
		}
	}
	if _, taken := b.emails[r.Email]; !taken && r.Email != "" {
		b.emails[r.Email] = i
	}
}

func (b *book) at(i int, ok bool) (Record, error) {
	if !ok {
		return Record{}, ErrNone
	}
	return b.records[i], nil
}

func (s *fileSource) ByPhone(_ context.Context, n Phone) (Record, error) {
	b := s.good.Load()
	i, ok := b.phones[n]
	return b.at(i, ok)
}

func (s *fileSource) ByEmail(_ context.Context, mail string) (Record, error) {
	b := s.good.Load()
	i, ok := b.emails[mail]
	return b.at(i, ok)
}

func (s *fileSource) ByExternalID(_ context.Context, id string) (Record, error) {
	b := s.good.Load()
	i, ok := b.ids[id]
	return b.at(i, ok)
}

func (s *fileSource) Search(ctx context.Context, typed string, limit int) ([]Record, error) {
	b, words := s.good.Load(), asked(typed)
	type hit struct{ i, score int }
	var hits []hit
	for i, w := range b.words {
		if i%4096 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if n := score(w, words); n > 0 {
			hits = append(hits, hit{i, n})
		}
	}
	slices.SortStableFunc(hits, func(a, c hit) int { return c.score - a.score })
	var out []Record
	for _, h := range hits[:min(len(hits), limit)] {
		out = append(out, b.records[h.i])
	}
	return out, nil
}
