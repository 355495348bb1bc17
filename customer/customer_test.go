package customer_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ringdown/customer"
	"ringdown/fault"
	"ringdown/internal/leak"
	"ringdown/secret"
)

func TestMain(m *testing.M) { leak.Main(m) }

// locked is a log that may be read while it is written.
type locked struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *locked) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }

func (l *locked) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

// none is a customer.Store that holds nothing.
type none struct{}

func (none) AddCustomer(context.Context, customer.Record, string) error { return nil }
func (none) Customer(context.Context, string) (customer.Record, error) {
	return customer.Record{}, customer.ErrNone
}

func (none) CustomerByPhone(context.Context, customer.Phone) (customer.Record, error) {
	return customer.Record{}, customer.ErrNone
}

func (none) CustomerByEmail(context.Context, string) (customer.Record, error) {
	return customer.Record{}, customer.ErrNone
}

func (none) CustomerByExternalID(context.Context, string) (customer.Record, error) {
	return customer.Record{}, customer.ErrNone
}

func (none) SearchCustomers(context.Context, []string, int) ([]customer.Record, error) {
	return nil, nil
}
func (none) PutContact(context.Context, customer.Contact) error { return nil }
func (none) Contacts(context.Context, customer.Phone, string, int) ([]customer.Contact, error) {
	return nil, nil
}
func (none) PruneContacts(context.Context, time.Time) (int64, error) { return 0, nil }

func fields() customer.Fields {
	return customer.Fields{ExternalID: "id", Name: "name", Email: "mail", Phones: "phone, mobile", Language: "lang", Extra: map[string]string{"Plan": "plan"}, Links: map[string]string{"Orders": "https://shop.example/c/{external_id}"}}
}

func directory(t *testing.T, now func() time.Time, log io.Writer, sources ...customer.SourceConfig) *customer.Directory {
	t.Helper()
	cfg := customer.Config{Region: "FR", Sources: sources}
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	d, err := customer.NewDirectory(cfg, none{}, func(string) (customer.Doer, error) { return http.DefaultClient, nil }, now, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return d
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNumbers(t *testing.T) {
	leak.Check(t)
	for _, c := range [][3]string{
		{"06 12 34 56 78", "FR", "+33612345678"},
		{"0612345678", "FR", "+33612345678"},
		{"06.12.34.56.78", "FR", "+33612345678"},
		{"06-12-34-56-78", "FR", "+33612345678"},
		{"+33612345678", "FR", "+33612345678"},
		{"+33 6 12 34 56 78", "IT", "+33612345678"},
		{"+33 (0)6 12 34 56 78", "FR", "+33612345678"},
		{"0033612345678", "FR", "+33612345678"},
		{"tel:+33612345678", "FR", "+33612345678"},
		{"TEL:+33612345678", "FR", "+33612345678"},
		{"0145000000", "FR", "+33145000000"},
		{"01 45 00 00 00 ", "FR", "+33145000000"},
		{"02 1234 5678", "IT", "+390212345678"},
		{"+39 02 1234 5678", "FR", "+390212345678"},
		{"347 123 4567", "IT", "+393471234567"},
		{"0039 347 123 4567", "IT", "+393471234567"},
		{"044 668 18 00", "CH", "+41446681800"},
		{"+41446681800", "FR", "+41446681800"},
		{"+44 20 7946 0958", "FR", "+442079460958"},
		{"020 7946 0958", "GB", "+442079460958"},
		{"+1 202 456 1111", "FR", "+12024561111"},
		{"(202) 456-1111", "US", "+12024561111"},
		{"0032 2 512 34 56", "FR", "+3225123456"},
		{"+352 27 12 34 56", "FR", "+35227123456"},
		{"1013", "FR", ""},
		{"2007", "FR", ""},
		{"", "FR", ""},
		{"anonymous", "FR", ""},
		{"Unavailable", "FR", ""},
		{"unknown", "FR", ""},
		{"0", "FR", ""},
		{"+", "FR", ""},
		{"06 12 34 56", "FR", ""},
		{"061234567890123", "FR", ""},
		{"0800-FLOWERS", "FR", ""},
		{"06 12 34 56 78 poste 12", "FR", ""},
		{"<script>", "FR", ""},
		{"+999 12345678", "FR", ""},
		{"---", "FR", ""},
		{strings.Repeat("1", 100), "FR", ""},
		{"١٢٣٤", "FR", ""},
		{"15", "FR", ""},
		{"112", "FR", ""},
	} {
		if got := customer.Number(c[0], c[1]); got != c[2] {
			t.Errorf("%q in %s is %q, want %q", c[0], c[1], got, c[2])
		}
	}
}

func TestFilesAreRead(t *testing.T) {
	leak.Check(t)
	for name, text := range map[string]string{
		"semicolons.csv": "\xef\xbb\xbfid;name;mail;phone;mobile;lang;plan\r\n47;\"Ferri; Anna\";Anna@Ferri.example;01 45 00 00 00;06 12 34 56 78;IT;Gold\r\n;nobody;;;;;\r\n47;double;;;;;\r\n",
		"commas.csv":     "plan,lang,mobile,phone,mail,name,id\nGold,it,0612345678|0612345679,0145000000,anna@ferri.example,\"Ferri; Anna\",47\n",
		"tabs.csv":       "id\tname\tmail\tphone\tmobile\tlang\tplan\n47\tFerri; Anna\tanna@ferri.example\t0145000000\t0612345678\tit\tGold\n",
		"list.json":      `[{"id":47,"name":"Ferri; Anna","mail":"anna@ferri.example","phone":"0145000000","mobile":["0612345678"],"lang":"it","plan":"Gold"},{"id":null},3]`,
	} {
		t.Run(name, func(t *testing.T) {
			d := directory(t, time.Now, io.Discard, customer.SourceConfig{Name: "shop", File: &customer.FileConfig{Path: file(t, name, text)}, Fields: fields()})
			r, err := d.ByPhone(t.Context(), d.Number("0612345678"))
			if err != nil || r.ID != "shop:47" || r.Name != "Ferri; Anna" || r.Email != "anna@ferri.example" || r.Language != "it" || len(r.Fields) != 1 || r.Fields[0].Value != "Gold" || r.Links[0].URL != "https://shop.example/c/47" {
				t.Fatalf("%+v %v", r, err)
			}
			for what, find := range map[string]func() (customer.Record, error){
				"another number": func() (customer.Record, error) { return d.ByPhone(t.Context(), "+33145000000") },
				"mail":           func() (customer.Record, error) { return d.ByEmail(t.Context(), " ANNA@ferri.example ") },
				"their id":       func() (customer.Record, error) { return d.ByExternalID(t.Context(), "47") },
				"our id":         func() (customer.Record, error) { return d.ByID(t.Context(), "shop:47") },
				"a word":         func() (customer.Record, error) { return first(d.Search(t.Context(), "férri ANN", 5)) },
				"digits":         func() (customer.Record, error) { return first(d.Search(t.Context(), "06 12 34 56 78", 5)) },
			} {
				if got, err := find(); err != nil || got.ID != r.ID {
					t.Errorf("by %s: %+v %v", what, got, err)
				}
			}
			if _, err := d.ByPhone(t.Context(), "+33199999999"); !fault.Is(err, fault.NotFound) {
				t.Error(err)
			}
		})
	}
}

func first(rs []customer.Record, err error) (customer.Record, error) {
	if err == nil && len(rs) == 0 {
		err = errors.New("nothing found")
	}
	if err != nil {
		return customer.Record{}, err
	}
	return rs[0], nil
}

func TestBrokenFilesAreTold(t *testing.T) {
	leak.Check(t)
	for text, want := range map[string]string{
		"":               "has no header line",
		"id,name\n1,x\n": `has no column "lang"; there are id, name`,
		"id,name,mail,phone,mobile,lang,plan\n1,\"x\n":     "line 2",
		"id,name,mail,phone,mobile,lang,plan\n1,\xff\n":    "is not UTF-8",
		"id,name,mail,phone,mobile,lang,plan\n1,2,3,4,5\n": "line 2",
	} {
		_, err := customer.NewDirectory(customer.Config{Sources: []customer.SourceConfig{{Name: "shop", File: &customer.FileConfig{Path: file(t, "a.csv", text)}, Fields: fields()}}}, none{}, nil, time.Now, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "customers.sources[0]") {
			t.Errorf("%.30q: %v", text, err)
		}
	}
	_, err := customer.NewDirectory(customer.Config{Sources: []customer.SourceConfig{{Name: "shop", File: &customer.FileConfig{Path: file(t, "a.json", `{"a":`)}, Fields: fields()}}}, none{}, nil, time.Now, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "is not JSON: wrong at byte") {
		t.Error(err)
	}
}

// TestAFileIsReadAgain: a change is seen; one that cannot be read leaves the last
// good file in use and is said once, without what stands in it.
func TestAFileIsReadAgain(t *testing.T) {
	leak.Check(t)
	path := file(t, "a.csv", "id,name,mail,phone,mobile,lang,plan\n1,Before,,0612345678,,,\n")
	synctest.Test(t, func(t *testing.T) {
		var log locked
		d := directory(t, time.Now, &log, customer.SourceConfig{Name: "shop", File: &customer.FileConfig{Path: path}, Fields: fields()})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); _ = d.Run(ctx) }()
		name := func() string {
			time.Sleep(6 * time.Second)
			synctest.Wait()
			r, err := d.ByPhone(t.Context(), "+33612345678")
			if err != nil {
				return err.Error()
			}
			return r.Name
		}
		write := func(text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("id,name,mail,phone,mobile,lang,plan\n1,After,,0612345678,,,\n")
		if n := name(); n != "After" {
			t.Error(n)
		}
		write("id,name,mail,phone,mobile,lang,plan\n1,\"Canary,,0612345678,,,\n")
		if n := name(); n != "After" {
			t.Error(n)
		}
		_ = name()
		if n := strings.Count(log.String(), "cannot be read"); n != 1 || strings.Contains(log.String(), "Canary") {
			t.Errorf("said %d times: %s", n, log.String())
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if n := name(); n != "After" {
			t.Error(n)
		}
		write("id,name,mail,phone,mobile,lang,plan\n1,Again and longer,,0612345678,,,\n")
		if n := name(); n != "Again and longer" {
			t.Error(n)
		}
		cancel()
		<-done
	})
}

// TestAServiceIsAsked: answers are kept for a while, one question at a time; when
// it does not answer, the last good copy with its age.
func TestAServiceIsAsked(t *testing.T) {
	leak.Check(t)
	var mu sync.Mutex
	asked, mode := 0, "good"
	release := make(chan struct{})
	set := func(m string) { mu.Lock(); defer mu.Unlock(); mode = m }
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked++
		m := mode
		mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer canary" {
			w.WriteHeader(401)
			return
		}
		switch m {
		case "hang":
			select {
			case <-release:
			case <-r.Context().Done():
			}
		case "broken":
			w.WriteHeader(500)
		case "junk":
			_, _ = io.WriteString(w, "<html>")
		case "huge":
			_, _ = io.WriteString(w, `{"data":[{"id":"`+strings.Repeat("x", 2<<20)+`"}]}`)
		default:
			switch r.URL.Query().Get("phone") + r.URL.Query().Get("q") {
			case "+33612345678", "a&b c":
				_, _ = io.WriteString(w, `{"data":[{"id":7,"name":"Anna\u0000\n <b>F</b>","phones":[{"n":"0612345678"},{"n":"x"}],"mail":"A@B.example"}]}`)
			case "":
				w.WriteHeader(400)
			default:
				w.WriteHeader(404)
			}
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(release) })
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	pass := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	var log locked
	d := directory(t, clock, &log, customer.SourceConfig{
		Name: "crm", HTTP: &customer.HTTPConfig{
			ByPhone: s.URL + "/c?phone={phone}", Search: s.URL + "/c?q={query}", Headers: map[string]secret.Secret{"Authorization": "Bearer canary"}, List: "data", Timeout: 300 * time.Millisecond,
		},
		Fields: customer.Fields{ExternalID: "id", Name: "name", Email: "mail", Phones: "phones[*].n"},
	})
	find := func(n string) (customer.Record, error) { return d.ByPhone(t.Context(), n) }
	r, err := find("+33612345678")
	if err != nil || r.Name != "Anna <b>F</b>" || r.ID != "crm:7" || len(r.Phones) != 1 || r.Stale {
		t.Fatalf("%+v %v", r, err)
	}
	_, _ = find("+33612345678")
	if _, err := find("+33612345679"); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
	_, _ = find("+33612345679")
	if mu.Lock(); asked != 2 {
		t.Errorf("asked %d times", asked)
	}
	mu.Unlock()
	for _, m := range []string{"hang", "broken", "junk", "huge"} {
		set(m)
		pass(2 * time.Minute)
		r, err := find("+33612345678")
		if err != nil || !r.Stale || !r.AsOf.Before(clock()) {
			t.Errorf("%s: %+v %v", m, r, err)
		}
		if _, err := find("+33600000001"); !fault.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v", m, err)
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		_, _ = d.ByPhone(ctx, "+33600000002")
		cancel()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: a look-up outlives who asked by %s", m, took)
		}
	}
	set("good")
	pass(25 * time.Hour)
	set("broken")
	if _, err := find("+33612345678"); !fault.Is(err, fault.Unavailable) {
		t.Error("a copy of yesterday is shown:", err)
	}
	set("good")
	if rs, err := d.Search(t.Context(), "a&b c", 5); err != nil || len(rs) != 1 {
		t.Error(rs, err)
	}
	if strings.Contains(log.String(), "canary") || strings.Contains(log.String(), "+336") || strings.Contains(log.String(), "Anna") {
		t.Error(log.String())
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	leak.Check(t)
	err := customer.Config{Region: "XX", Sources: []customer.SourceConfig{
		{Name: "Shop"},
		{Name: "ringdown", File: &customer.FileConfig{Path: "a.xlsx"}},
		{Name: "b", HTTP: &customer.HTTPConfig{}, Fields: customer.Fields{ExternalID: "id", Links: map[string]string{"a": "javascript:1"}}},
		{Name: "c", HTTP: &customer.HTTPConfig{ByPhone: "https://crm.example/", Timeout: time.Hour}},
		{Name: "d", HTTP: &customer.HTTPConfig{ByPhone: "https://{phone}.example/"}},
		{Name: "e", HTTP: &customer.HTTPConfig{ByPhone: "https://a.example/{phone}", Search: "https://b.example/{query}"}},
	}}.Validate()
	if err == nil {
		t.Fatal("all is taken")
	}
	for _, want := range []string{
		"region: must be", "sources[0].name", "sources[0].file: give either file or http", "sources[1].name", "sources[1].file.path: must end with .csv or .json", "sources[1].fields.external_id",
		"sources[2].http.by_phone: give at least one", "sources[2].fields.links.a", "sources[3].http.by_phone: must be", "sources[3].http.timeout", "sources[4].http.by_phone", "sources[5].http.by_phone: all addresses",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said in\n%v", want, err)
		}
	}
}

// FuzzAFile: no file makes anything but records or an error.
func FuzzAFile(f *testing.F) {
	f.Add("id;name;mail;phone;mobile;lang;plan\n1;\"a\";;06;;;\n", true)
	f.Add(`[{"id":1,"name":{"a":[1,2]},"phone":["06",null]}]`, false)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string, csv bool) {
		path := filepath.Join(dir, "a.json")
		if csv {
			path = filepath.Join(dir, "a.csv")
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := customer.NewDirectory(customer.Config{Sources: []customer.SourceConfig{{Name: "s", File: &customer.FileConfig{Path: path}, Fields: fields()}}}, none{}, nil, time.Now, slog.New(slog.DiscardHandler))
		if err != nil {
			return
		}
		found, err := d.Search(t.Context(), "a", 50)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range found {
			if r.ID == "s:" || strings.ContainsAny(r.Name, "\x00\r\n") {
				t.Errorf("%+v", r)
			}
		}
	})
}
