package customer

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// Doer sends one HTTP request, as an egress client does.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

const (
	httpTimeout = 2 * time.Second
	httpCache   = time.Minute
	noneCache   = 20 * time.Second
	keptAnswers = 10_000
	lastGoodFor = 24 * time.Hour
	answerLimit = 1 << 20
)

// httpSource asks a service of the operator's. Answers are kept for a while; when
// it does not answer, the last one it gave is shown with its age.
type httpSource struct {
	cfg    SourceConfig
	region string
	way    Doer
	now    func() time.Time
	flight singleflight.Group

	mu   sync.Mutex
	kept map[string]keptAnswer // by what was asked
}

type keptAnswer struct {
	record Record
	none   bool
	at     time.Time
}

func newHTTPSource(cfg SourceConfig, region string, way func(allow string) (Doer, error), now func() time.Time) (*httpSource, error) {
	w, err := way(cfg.HTTP.hosts()[0])
	if err != nil {
		return nil, err
	}
	return &httpSource{cfg: cfg, region: region, way: w, now: now, kept: map[string]keptAnswer{}}, nil
}

func (s *httpSource) Name() string { return s.cfg.Name }

// Run has nothing to do: the service is asked when somebody wants to know.
func (s *httpSource) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (s *httpSource) ByPhone(ctx context.Context, n Phone) (Record, error) {
	return s.one(ctx, s.cfg.HTTP.ByPhone, "{phone}", n)
}

func (s *httpSource) ByEmail(ctx context.Context, mail string) (Record, error) {
	return s.one(ctx, s.cfg.HTTP.ByEmail, "{email}", mail)
}

func (s *httpSource) ByExternalID(ctx context.Context, id string) (Record, error) {
	return s.one(ctx, s.cfg.HTTP.ByExternalID, "{external_id}", id)
}

// one asks for one customer, once at a time.
func (s *httpSource) one(ctx context.Context, address, hole, value string) (Record, error) {
	if address == "" || value == "" {
		return Record{}, ErrNone
	}
	key := hole + value
	s.mu.Lock()
	old, known := s.kept[key]
	s.mu.Unlock()
	fresh := cmp.Or(s.cfg.HTTP.Cache, httpCache)
	if old.none {
		fresh = min(fresh, noneCache)
	}
	if known && s.now().Sub(old.at) < fresh {
		return old.answer()
	}
	// The question outlives whoever asked first: the next one finds its answer.
	done := s.flight.DoChan(key, func() (any, error) {
		list, err := s.ask(context.WithoutCancel(ctx), address, hole, value)
		if err != nil {
			return keptAnswer{}, err
		}
		a := keptAnswer{none: len(list) == 0, at: s.now()}
		if !a.none {
			a.record = list[0]
		}
		s.keep(key, a)
		return a, nil
	})
	select {
	case <-ctx.Done():
		return s.lastGood(old, known, ctx.Err())
	case r := <-done:
		if r.Err != nil {
			return s.lastGood(old, known, r.Err)
		}
		return r.Val.(keptAnswer).answer() //nolint:forcetypeassert // it is what the function above gives
	}
}

func (a keptAnswer) answer() (Record, error) {
	if a.none {
		return Record{}, ErrNone
	}
	return a.record, nil
}

// lastGood is what the service said when it last answered, if that is not too
// long ago.
func (s *httpSource) lastGood(old keptAnswer, known bool, err error) (Record, error) {
	if !known || old.none || s.now().Sub(old.at) > lastGoodFor {
		return Record{}, err
	}
	old.record.Stale = true
	return old.record, nil
}

func (s *httpSource) keep(key string, a keptAnswer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.kept) >= keptAnswers {
		clear(s.kept)
	}
	s.kept[key] = a
}

func (s *httpSource) Search(ctx context.Context, typed string, limit int) ([]Record, error) {
	if s.cfg.HTTP.Search == "" {
		return nil, nil
	}
	list, err := s.ask(ctx, s.cfg.HTTP.Search, "{query}", typed)
	return list[:min(len(list), limit)], err
}

// ask sends one question. An error names no value and no address.
func (s *httpSource) ask(ctx context.Context, address, hole, value string) ([]Record, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.cfg.HTTP.Timeout, httpTimeout))
	defer cancel()
	before, _, _ := strings.Cut(address, hole)
	escaped := url.PathEscape(value)
	if strings.Contains(before, "?") {
		escaped = url.QueryEscape(value)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.ReplaceAll(address, hole, escaped), nil)
	if err != nil {
		return nil, errors.New("the address cannot be made")
	}
	req.Header.Set("Accept", "application/json")
	for name, v := range s.cfg.HTTP.Headers {
		req.Header.Set(name, v.Reveal())
	}
	res, err := s.way.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotFound, res.StatusCode == http.StatusNoContent:
		return nil, nil
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("it answers with status %d", res.StatusCode)
	}
	dec := json.NewDecoder(http.MaxBytesReader(nil, res.Body, answerLimit))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return nil, errors.New("its answer is not JSON, or too long")
	}
	var out []Record
	for _, one := range records(doc, s.cfg.HTTP.List) {
		if r, ok := s.cfg.Fields.record(s.cfg.Name, s.region, s.now(), func(where string) []string { return dig(one, where) }); ok {
			out = append(out, r)
		}
	}
	return out, nil
}
