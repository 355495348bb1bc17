package sms

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"ringdown/secret"
)

// Config is the section connectors.sms: one gateway.
type Config struct {
	// Preset fills in the request of a known gateway: twilio, vonage, brevo or
	// smsmode. Whatever is given besides replaces its part.
	Preset string `yaml:"preset"`
	// User and Key are what the gateway knows you by, for {user} and {key}.
	User string        `yaml:"user"`
	Key  secret.Secret `yaml:"key"`
	// KeyFile is a file that holds the key instead.
	KeyFile string `yaml:"key_file"`
	// From is the sender that people see, for {from}: a number, or up to 11 letters.
	From string `yaml:"from"`
	// Request is what is sent for one message.
	Request Request `yaml:"request"`
	// Failure is a piece of text that tells, in an answer of success, that the message
	// was refused all the same.
	Failure string `yaml:"failure"`
	// StatusSecret is the last part of the address for delivery reports, 20 or more
	// letters, digits, "-" and "_". Without it no report is taken.
	StatusSecret secret.Secret `yaml:"status_secret"`
	// Status says how a delivery report is read.
	Status Status `yaml:"status"`
	// Texts replace ours, by language, with {link} and {agent}.
	Texts map[string]string `yaml:"texts"`
	// Timeout of one request. Default 10s.
	Timeout time.Duration `yaml:"timeout"`
}

// Request is an HTTP request with holes: {to} is the number in E.164, {to_digits}
// the same without "+", {text} the message, {id} our id of it, {status_url} the
// address for its delivery report, {type} "text" or "unicode" as the message
// needs, and {from}, {user} and {key}.
type Request struct {
	// URL of the gateway.
	URL string `yaml:"url"`
	// Type of the body: json (default) or form. What fills a hole is escaped for it.
	Type string `yaml:"type"`
	// Body is the body's text.
	Body string `yaml:"body"`
	// Headers go with it.
	Headers map[string]string `yaml:"headers"`
	// Basic sends User and Key as HTTP basic authentication.
	Basic bool `yaml:"basic"`
}

// Status says where a delivery report, JSON or a form, has what.
type Status struct {
	// Field holds the state.
	Field string `yaml:"field"`
	// Delivered and Failed are the values that are final.
	Delivered []string `yaml:"delivered"`
	Failed    []string `yaml:"failed"`
}

// presets are requests of gateways as they are generally known; none was tried
// with an account. The golden files hold what is sent.
func presets() map[string]Config {
	return map[string]Config{
		"twilio": {
			Request: Request{
				URL: "https://api.twilio.com/2010-04-01/Accounts/{user}/Messages.json", Type: "form", Basic: true,
				Body: "To={to}&From={from}&Body={text}&StatusCallback={status_url}",
			},
			Status: Status{Field: "MessageStatus", Delivered: []string{"delivered"}, Failed: []string{"failed", "undelivered"}},
		},
		"vonage": {
			Request: Request{
				URL:  "https://rest.nexmo.com/sms/json",
				Body: `{"api_key":"{user}","api_secret":"{key}","to":"{to_digits}","from":"{from}","text":"{text}","type":"{type}","client-ref":"{id}","callback":"{status_url}"}`,
			},
			Failure: `"error-text"`,
			Status:  Status{Field: "status", Delivered: []string{"delivered"}, Failed: []string{"failed", "rejected", "expired"}},
		},
		"brevo": {
			Request: Request{
				URL: "https://api.brevo.com/v3/transactionalSMS/sms", Headers: map[string]string{"api-key": "{key}"},
				Body: `{"sender":"{from}","recipient":"{to_digits}","content":"{text}","type":"transactional","tag":"{id}","webUrl":"{status_url}"}`,
			},
			Status: Status{Field: "msg_status", Delivered: []string{"delivered"}, Failed: []string{"hard_bounce", "soft_bounce", "rejected", "blocked"}},
		},
		"smsmode": {
			Request: Request{
				URL: "https://rest.smsmode.com/sms/v1/messages", Headers: map[string]string{"X-Api-Key": "{key}"},
				Body: `{"recipient":{"to":"{to_digits}"},"body":{"text":"{text}"},"from":"{from}","refClient":"{id}","callbackUrlStatus":"{status_url}"}`,
			},
			Status: Status{Field: "status.value", Delivered: []string{"DELIVERED"}, Failed: []string{"UNDELIVERABLE", "UNDELIVERED"}},
		},
	}
}

// texts are ours.
func texts() map[string]string {
	return map[string]string{
		"en": "Your video call with {agent}: {link}",
		"fr": "Votre appel vidéo avec {agent} : {link}",
		"it": "La Sua videochiamata con {agent}: {link}",
	}
}

const (
	textLimit = 612 // characters of a template: four parts at the most with its link
	holeMax   = 40
)

var (
	holeRE   = regexp.MustCompile(`\{[a-z_]+\}`)
	secretRE = regexp.MustCompile(`^[A-Za-z0-9_-]{20,}$`)
)

// Warnings are what works and is not as it should be, each with its key: texts of
// yours that cost more than one SMS, with a name of 12 letters and a link of 70.
func (c Config) Warnings() []string {
	var all []string
	for _, lang := range slices.Sorted(maps.Keys(c.Texts)) {
		text := strings.NewReplacer("{agent}", strings.Repeat("a", 12), "{link}", strings.Repeat("a", 70)).Replace(c.Texts[lang])
		units, parts, unicode := Length(text)
		if parts < 2 {
			continue
		}
		why := "take something out"
		if unicode {
			why = "a character that is not in the GSM alphabet makes it 70 a part"
		}
		all = append(all, fmt.Sprintf("texts.%s: takes %d SMS (%d units); %s", lang, parts, units, why))
	}
	return all
}

// Validate reports every fault at once, each with its key and its repair.
func (c Config) Validate() error {
	_, err := c.compile()
	return err
}

// compile fills in the preset and checks the whole.
func (c Config) compile() (Config, error) {
	var faults []error
	bad := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if c.Preset != "" {
		p, ok := presets()[c.Preset]
		if !ok {
			bad("preset", "must be one of %s, or empty with a request of your own", strings.Join(slices.Sorted(maps.Keys(presets())), ", "))
		}
		if c.Request.URL == "" {
			c.Request.URL = p.Request.URL
		}
		if c.Request.Body == "" {
			c.Request.Body, c.Request.Type, c.Request.Basic = p.Request.Body, p.Request.Type, p.Request.Basic
		}
		if c.Request.Headers == nil {
			c.Request.Headers = p.Request.Headers
		}
		if c.Failure == "" {
			c.Failure = p.Failure
		}
		if c.Status.Field == "" {
			c.Status = p.Status
		}
		if c.From == "" {
			bad("from", "must be the sender that people see")
		}
	}
	var err error
	if c.Key, err = c.Key.Or(c.KeyFile); err != nil {
		bad("key_file", "%s", err)
	}
	u, err := url.Parse(holeRE.ReplaceAllString(c.Request.URL, "1"))
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		bad("request.url", "must be the gateway's http or https address")
	case strings.ContainsAny(strings.SplitN(strings.TrimPrefix(strings.TrimPrefix(c.Request.URL, "https://"), "http://"), "/", 2)[0], "{}"):
		bad("request.url", "must have no hole in the host")
	}
	if !slices.Contains([]string{"", "json", "form"}, c.Request.Type) {
		bad("request.type", "must be json or form")
	}
	if !strings.Contains(c.Request.Body, "{text}") || !strings.Contains(c.Request.Body, "{to}") && !strings.Contains(c.Request.Body, "{to_digits}") {
		bad("request.body", "must have {text} and {to} or {to_digits}")
	}
	known := []string{"{to}", "{to_digits}", "{text}", "{id}", "{status_url}", "{from}", "{user}", "{key}", "{type}"}
	all := c.Request.URL + c.Request.Body + strings.Join(slices.Collect(maps.Values(c.Request.Headers)), "")
	for _, hole := range holeRE.FindAllString(all, holeMax) {
		if !slices.Contains(known, hole) {
			bad("request", "has %s; there are %s", hole, strings.Join(known, ", "))
		}
	}
	if s := c.StatusSecret.Reveal(); s != "" && !secretRE.MatchString(s) {
		bad("status_secret", "must be 20 or more letters, digits, \"-\" and \"_\"")
	}
	if c.StatusSecret != "" && c.Status.Field == "" {
		bad("status.field", "must name where a delivery report has its state")
	}
	own := texts()
	for lang, text := range c.Texts {
		if own[lang] == "" {
			bad("texts", "has the language %q; en, fr and it are spoken here", lang)
		}
		if !strings.Contains(text, "{link}") || len([]rune(text)) > textLimit {
			bad("texts."+lang, "must have {link} and at most %d characters", textLimit)
		}
		own[lang] = text
	}
	c.Texts = own
	if c.Timeout < 0 || c.Timeout > time.Minute {
		bad("timeout", "must be at most 1m")
	}
	return c, errors.Join(faults...)
}
