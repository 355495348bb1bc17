package xcally_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringdown/emulate/xcally"
	"ringdown/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// motion is a running stand-in and a client for it.
type motion struct {
	*xcally.Server
	t      *testing.T
	client *http.Client
}

// start runs a stand-in for the length of the test; account 5 is filled in
// when the configuration names none.
func start(t *testing.T, cfg xcally.Config) motion {
	t.Helper()
	if cfg.Accounts == nil {
		cfg.Accounts = []xcally.Account{{ID: 5, Name: "Video"}}
	}
	s, err := xcally.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	transport := &http.Transport{}
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		transport.CloseIdleConnections()
	})
	return motion{Server: s, t: t, client: &http.Client{Transport: transport, Timeout: 20 * time.Second}}
}

type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// do sends a request; a body that is no string is sent as JSON.
func (m motion) do(method, target string, body any, headers ...string) answer {
	m.t.Helper()
	res, err := m.try(method, target, body, headers...)
	if err != nil {
		m.t.Fatal(err)
	}
	return res
}

func (m motion) try(method, target string, body any, headers ...string) (answer, error) {
	m.t.Helper()
	if strings.HasPrefix(target, "/") {
		target = m.URL() + target
	}
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			m.t.Fatal(err)
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(m.t.Context(), method, target, reader)
	if err != nil {
		m.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
	}
	res, err := m.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body) // not every answer is an object
	return a, nil
}

// say posts a customer's message and returns the interaction's id.
func (m motion) say(account int, message map[string]any) int {
	m.t.Helper()
	a := m.do("POST", m.ReceiveURL(account), message)
	if a.status != http.StatusOK {
		m.t.Fatalf("receive: %d %s", a.status, a.raw)
	}
	interaction, _ := a.body["interaction"].(map[string]any)
	id, _ := interaction["id"].(float64)
	if id == 0 {
		m.t.Fatalf("no interaction id in %s", a.raw)
	}
	return int(id)
}

func request(from, thread string) map[string]any {
	return map[string]any{
		"from": from, "mapKey": "phone", "phone": from, "firstName": "Mina", "lastName": "Rossi", "threadId": thread,
		"body":  "Video request: Loans desk.\nJoin: https://meet.example/ring/8fK2#abc",
		"cf_20": "loans", "customer_id": "4411", "externalUrl": "https://connector.example/m/8fK2",
	}
}
