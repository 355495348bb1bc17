package webhook

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"ringdown/httpd"
	"ringdown/meeting"
	"ringdown/secret"
)

// Config is the section connectors.webhook.
type Config struct {
	// Endpoints are the receivers. Each gets its own copy of every event it asks
	// for, and waits for no other.
	Endpoints []Endpoint `yaml:"endpoints"`
}

// Endpoint is one receiver.
type Endpoint struct {
	// Name names the endpoint in logs, metrics and deliveries, "webhook/<name>":
	// lower-case letters, digits, "-".
	Name string `yaml:"name"`
	// URL is where events are posted; http or https. It is a secret, as it may hold
	// a token.
	URL secret.Secret `yaml:"url"`
	// URLFile is a file that holds the URL instead.
	URLFile string `yaml:"url_file"`
	// Secrets sign the events: "whsec_" and 24 to 64 bytes in base64. Two while one
	// is exchanged for the other: both sign, and a receiver takes either.
	Secrets []secret.Secret `yaml:"secrets"`
	// SecretsFile is a file that holds them instead, one a line.
	SecretsFile string `yaml:"secrets_file"`
	// Events are kinds ("message.created"), groups ("meeting.*") or "*". Default
	// meeting.* and ring.*: what people write or do in a call is sent to those only
	// who ask for it.
	Events []string `yaml:"events"`
	// Headers are sent with every event, such as Authorization. Ours, Host,
	// Content-Type and those of the connection cannot be set.
	Headers map[string]secret.Secret `yaml:"headers"`
	// Queues narrow it to meetings of these queues. Default all.
	Queues []string `yaml:"queues"`
	// Sites narrow it to meetings of these sites. Default all.
	Sites []string `yaml:"sites"`
}

// endpoint is an Endpoint, checked and compiled.
type endpoint struct {
	name          string
	url           secret.Secret
	keys          [][]byte
	headers       map[string]secret.Secret // by their canonical names
	kinds         map[meeting.Kind]bool
	queues, sites []string
}

// target is what deliveries call the endpoint.
func (e *endpoint) target() string { return Name + "/" + e.name }

// wants tells whether the endpoint is told of the event.
func (e *endpoint) wants(ev meeting.Event) bool {
	return e.kinds[ev.Kind] &&
		(len(e.queues) == 0 || slices.Contains(e.queues, ev.Snapshot.Queue)) &&
		(len(e.sites) == 0 || slices.Contains(e.sites, ev.Snapshot.Site))
}

// Validate reports every fault of the section at once, each with its key and
// what to do about it.
func (c Config) Validate() error {
	_, err := c.compile()
	return err
}

// Unknown reports the queues and sites that endpoints name and that are not
// among these.
func (c Config) Unknown(queues, sites []string) error {
	var faults []error
	for i, e := range c.Endpoints {
		look := func(key string, names, known []string) {
			for j, name := range names {
				if !slices.Contains(known, name) {
					faults = append(faults, fmt.Errorf("endpoints[%d].%s[%d]: there is no %s %q%s", i, key, j, strings.TrimSuffix(key, "s"), name, near(name, known)))
				}
			}
		}
		look("queues", e.Queues, queues)
		look("sites", e.Sites, sites)
	}
	return errors.Join(faults...)
}

func (c Config) compile() ([]*endpoint, error) {
	var faults []error
	var all []*endpoint
	if len(c.Endpoints) == 0 {
		faults = append(faults, errors.New("endpoints: at least one is needed; leave the section out to do without webhooks"))
	}
	for i, cfg := range c.Endpoints {
		at := fmt.Sprintf("endpoints[%d]", i)
		if nameForm.MatchString(cfg.Name) {
			at = fmt.Sprintf("endpoints[%d] (%s)", i, cfg.Name)
		}
		e, bad := cfg.compile()
		if slices.ContainsFunc(all, func(o *endpoint) bool { return o.name == cfg.Name }) {
			bad = append(bad, errors.New("name: used by another endpoint; choose one of its own"))
		}
		for _, err := range bad {
			faults = append(faults, fmt.Errorf("%s.%w", at, err))
		}
		all = append(all, e)
	}
	return all, errors.Join(faults...)
}

var (
	nameForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	headerName  = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // RFC 9110 §5.1
	headerValue = regexp.MustCompile(`^[!-~]([ -~]*[!-~])?$`)
)

func (c Endpoint) compile() (*endpoint, []error) {
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	e := &endpoint{name: c.Name, queues: c.Queues, sites: c.Sites, headers: map[string]secret.Secret{}, kinds: map[meeting.Kind]bool{}}

	if !nameForm.MatchString(c.Name) {
		bad("name: must be lower-case letters, digits and \"-\", such as crm")
	}
	var err error
	if e.url, err = c.URL.Or(c.URLFile); err != nil {
		bad("url: %w", err)
	} else if why := urlFault(e.url.Reveal()); why != "" {
		bad("url: %s", why)
	}
	if e.keys, err = c.keys(); err != nil {
		bad("%w", err)
	}

	patterns := c.Events
	if len(patterns) == 0 {
		patterns = []string{"meeting.*", "ring.*"}
	}
	for i, p := range patterns {
		found := false
		for _, k := range kinds() {
			if matches(p, k) {
				found, e.kinds[k] = true, true
			}
		}
		if !found {
			bad("events[%d]: there is no event %q%s", i, p, near(p, patternsOf(kinds())))
		}
	}

	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		key, value := textproto.CanonicalMIMEHeaderKey(name), c.Headers[name].Reveal()
		switch {
		case !headerName.MatchString(name):
			bad("headers.%s: is no name of a header", name)
		case reserved(key):
			bad("headers.%s: is set by us; choose another name", name)
		case !headerValue.MatchString(value):
			bad("headers.%s: must be printable text on one line", name)
		case e.headers[key] != "":
			bad("headers.%s: is given twice", name)
		default:
			e.headers[key] = c.Headers[name]
		}
	}
	return e, faults
}

// keys are the keys that sign. The error begins with the configuration's key.
func (c Endpoint) keys() ([][]byte, error) {
	secrets := c.Secrets
	if c.SecretsFile != "" {
		if len(secrets) > 0 {
			return nil, errors.New("secrets: are given both here and as secrets_file; keep one")
		}
		lines, err := secret.Secret("").Or(c.SecretsFile)
		if err != nil {
			return nil, fmt.Errorf("secrets_file: %w", err)
		}
		for line := range strings.FieldsSeq(lines.Reveal()) {
			secrets = append(secrets, secret.Secret(line))
		}
	}
	if len(secrets) < 1 || len(secrets) > 2 {
		return nil, errors.New("secrets: one is needed, or two while one is exchanged for the other; `echo whsec_$(openssl rand -base64 32)` makes one")
	}
	keys := make([][]byte, len(secrets))
	for i, s := range secrets {
		var err error
		if keys[i], err = decodeSecret(s); err != nil {
			return nil, fmt.Errorf("secrets[%d]: %w", i, err)
		}
	}
	if len(keys) == 2 && bytes.Equal(keys[0], keys[1]) {
		return nil, errors.New("secrets[1]: is the same as the first")
	}
	return keys, nil
}

// matches tells whether a pattern means a kind.
func matches(pattern string, k meeting.Kind) bool {
	group, all := strings.CutSuffix(pattern, "*")
	if !all {
		return pattern == string(k)
	}
	return group == "" || strings.HasSuffix(group, ".") && strings.HasPrefix(string(k), group)
}

// patternsOf are the patterns that mean something.
func patternsOf(kinds []meeting.Kind) []string {
	all := []string{"*"}
	for _, k := range kinds {
		group, _, _ := strings.Cut(string(k), ".")
		all = append(all, string(k), group+".*")
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// near is the end of a sentence about a mistyped name: what was probably meant,
// else what there is.
func near(name string, known []string) string {
	if n := httpd.Nearest(name, known); n != "" {
		return fmt.Sprintf("; did you mean %s?", n)
	}
	if len(known) == 0 {
		return ""
	}
	return "; there is " + strings.Join(known, ", ")
}

// reserved tells the headers that are ours, or the connection's.
func reserved(canonical string) bool {
	switch canonical {
	case "Host", "Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Connection", "Keep-Alive", "Te", "Trailer",
		"Upgrade", "Expect", "Proxy-Connection", "Proxy-Authorization", "Accept-Encoding":
		return true
	}
	return strings.HasPrefix(canonical, "Webhook-")
}

// urlFault says what is wrong with a URL without repeating it.
func urlFault(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return "is needed: the address events are posted to"
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return "must be a whole address, such as https://crm.example.org/hooks/ringdown"
	case u.User != nil:
		return "must not hold a user and password; set an Authorization header under headers"
	case u.Fragment != "":
		return "must not hold a \"#\""
	}
	return ""
}
