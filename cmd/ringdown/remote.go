package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// soonest is how often a command that follows looks, at the most.
const soonest = 200 * time.Millisecond

// remote is a running daemon.
type remote struct {
	URL     string `env:"RINGDOWN_URL" default:"http://localhost:8080" help:"Address of the daemon."`
	Key     string `env:"RINGDOWN_API_KEY" hidden:"" help:"The API key itself; better in a file."`
	KeyFile string `name:"key-file" env:"RINGDOWN_API_KEY_FILE" placeholder:"FILE" help:"File with the API key; default the admin.key of the data folder here."`
	JSON    bool   `name:"json" help:"Print the API's JSON."`
}

// key finds the API key: given, in a file, or where a daemon in this folder keeps it.
func (r remote) key() (key, from string, err error) {
	if r.Key != "" {
		return r.Key, "RINGDOWN_API_KEY", nil
	}
	files := []string{r.KeyFile}
	if r.KeyFile == "" {
		files = []string{"data/admin.key", "data/demo/admin.key"}
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err == nil {
			return strings.TrimSpace(string(b)), f, nil
		}
		if r.KeyFile != "" {
			return "", "", err
		}
	}
	return "", "", errors.New("no API key: name the data folder's admin.key with --key-file")
}

// call sends one request and gives the answer's JSON.
func (r remote) call(c *console, method, path string, body any) (json.RawMessage, error) {
	key, from, err := r.key()
	if err != nil {
		return nil, err
	}
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(c.ctx, method, strings.TrimSuffix(r.URL, "/")+path, in)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{Timeout: 30 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the daemon at %s does not answer: %w", r.URL, err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 300 {
		var p struct{ Code, Detail string }
		if res.StatusCode == http.StatusUnauthorized {
			return nil, fmt.Errorf("the daemon at %s does not know the key from %s", r.URL, from)
		}
		if json.Unmarshal(b, &p) == nil && p.Detail != "" {
			return nil, fmt.Errorf("%s (%s)", p.Detail, p.Code)
		}
		return nil, fmt.Errorf("the daemon answered %s", res.Status)
	}
	return b, nil
}

// find turns a reference that people read out ("C-7F3K2") into the meeting's id;
// anything else is an id or a code already.
func (r remote) find(c *console, meeting string) (string, error) {
	if !strings.HasPrefix(strings.ToUpper(meeting), "C-") {
		return meeting, nil
	}
	b, err := r.call(c, http.MethodGet, "/v1/meetings?"+url.Values{"reference": {meeting}}.Encode(), nil)
	if err != nil {
		return "", err
	}
	var page struct{ Meetings []row }
	if err := json.Unmarshal(b, &page); err != nil {
		return "", err
	}
	switch len(page.Meetings) {
	case 0:
		return "", fmt.Errorf("no meeting has the reference %s", meeting)
	case 1:
		return page.Meetings[0].ID, nil
	}
	ids := make([]string, len(page.Meetings))
	for i, m := range page.Meetings {
		ids[i] = m.ID
	}
	return "", fmt.Errorf("%s is the reference of several meetings: %s", meeting, strings.Join(ids, ", "))
}

// raw prints the API's answer as it came, indented.
func (c *console) raw(b json.RawMessage) error {
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.out, out.String())
	return err
}

// line prints JSON on one line.
func (c *console) line(b json.RawMessage) error {
	var out bytes.Buffer
	if err := json.Compact(&out, b); err != nil {
		return err
	}
	_, err := fmt.Fprintln(c.out, out.String())
	return err
}

// sleep waits for d; false once the command is told to stop.
func (c *console) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-c.ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// unlessStopped is err, unless the command was told to stop meanwhile.
func (c *console) unlessStopped(err error) error {
	if c.ctx.Err() == nil {
		return err
	}
	return nil
}
