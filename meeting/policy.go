package meeting

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"ringdown/fault"
)

// Site is a website that shows our call button.
type Site struct {
	// ID names the site in links and logs: lower-case letters, digits, "-".
	ID string `yaml:"id"`
	// Key is the publishable key in the page's script tag, "pk_…". It is no
	// secret: it works from the listed origins only.
	Key string `yaml:"key"`
	// Name is shown to visitors and agents.
	Name string `yaml:"name"`
	// Origins are the pages' origins, "https://www.example.org"; exact, no wildcard.
	Origins []string `yaml:"origins"`
	// Queue is rung when the button names none; Queues are the others it may name.
	Queue  string   `yaml:"queue"`
	Queues []string `yaml:"queues"`
	// Redirects are the addresses, or their origins ending in "/", to which a
	// guest may be sent after the call.
	Redirects []string `yaml:"redirects"`
	// Language is the language of last resort: en, fr or it. Default en.
	Language string `yaml:"language"`
	// Brand is the colour of buttons, "#9a3f2b"; empty: ours.
	Brand string `yaml:"brand"`
	// Privacy is the address of the site's privacy notice; empty: no link.
	Privacy string `yaml:"privacy"`
	// PageToAgent sends the address and title of the visitor's page to the agent;
	// the visitor is told. Default off.
	PageToAgent bool `yaml:"page_to_agent"`
	// Fields are the questions of the button's form, in order; none: no form.
	Fields []FormField `yaml:"fields"`
}

// FormField is one question of the button's form.
type FormField struct {
	// Name is the key; name, email, phone fill the visitor, "topic" the topic,
	// anything else goes to fields.
	Name string `yaml:"name" json:"name"`
	// Type is text (default), email, tel, textarea or consent (a box to tick).
	Type string `yaml:"type" json:"type"`
	// Label in each language; name, email, phone and topic have one of ours.
	Label map[string]string `yaml:"label" json:"label,omitempty"`
	// Required fields must be filled before the call.
	Required bool `yaml:"required" json:"required,omitempty"`
}

// Queue is a named group of agents or outside desks that is rung.
type Queue struct {
	// Name is the queue's id: lower-case letters, digits, "-".
	Name string `yaml:"name"`
	// Label is shown to agents; default the name.
	Label string `yaml:"label"`
	// Desks are rung: "connector/account", for example "xcally/main".
	Desks []string `yaml:"desks"`
	// Ring is how.
	Ring RingRule `yaml:"ring"`
}

// Policy is what the configuration says of sites and queues.
type Policy struct {
	Sites  []Site
	Queues []Queue
	// Channels are those a link can be sent by: SMS, Mail.
	Channels []string
}

var (
	wordRE  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)
	keyRE   = regexp.MustCompile(`^pk_[A-Za-z0-9_-]{6,64}$`)
	brandRE = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)
	fieldRE = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
)

// Languages are the languages of every page.
func Languages() []string { return []string{"en", "fr", "it"} }

// Validate returns all faults at once, each with the key and the repair.
func (p Policy) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	queues := map[string]bool{}
	for i, q := range p.Queues {
		at := fmt.Sprintf("queues[%d]", i)
		if !wordRE.MatchString(q.Name) {
			bad("%s.name: %q must be lower-case letters, digits and \"-\"", at, q.Name)
		}
		if queues[q.Name] {
			bad("%s.name: %q is there twice", at, q.Name)
		}
		queues[q.Name] = true
		for j, d := range q.Desks {
			if c, a, ok := strings.Cut(d, "/"); !ok || c == "" || a == "" {
				bad("%s.desks[%d]: %q must be \"connector/account\", like \"xcally/main\"", at, j, d)
			}
		}
		r := q.Ring.withDefaults()
		if r.Window < time.Second || r.Window > 30*time.Minute {
			bad("%s.ring.window: %s must be between 1s and 30m", at, r.Window)
		}
		if r.Rounds < 1 || r.Rounds > 10 {
			bad("%s.ring.rounds: %d must be between 1 and 10", at, r.Rounds)
		}
		if r.Wait < r.Window || r.Wait > 2*time.Hour {
			bad("%s.ring.wait: %s must be between the window (%s) and 2h", at, r.Wait, r.Window)
		}
		if r.Decline != declinePassOn && r.Decline != declineEnd {
			bad("%s.ring.decline: %q must be %q or %q", at, r.Decline, declinePassOn, declineEnd)
		}
	}
	ids, keys := map[string]bool{}, map[string]bool{}
	for i, s := range p.Sites {
		at := fmt.Sprintf("sites[%d]", i)
		if !wordRE.MatchString(s.ID) {
			bad("%s.id: %q must be lower-case letters, digits and \"-\"", at, s.ID)
		}
		if !keyRE.MatchString(s.Key) {
			bad("%s.key: %q must be \"pk_\" and 6 to 64 letters, digits, \"_\" or \"-\"", at, s.Key)
		}
		if ids[s.ID] || keys[s.Key] {
			bad("%s: id or key is there twice", at)
		}
		ids[s.ID], keys[s.Key] = true, true
		if len(s.Origins) == 0 {
			bad("%s.origins: name at least one origin, like \"https://www.example.org\"", at)
		}
		for j, o := range s.Origins {
			if u, err := url.Parse(o); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || o != u.Scheme+"://"+u.Host {
				bad("%s.origins[%d]: %q must be scheme and host only, like \"https://www.example.org\"", at, j, o)
			}
		}
		for j, q := range append([]string{s.Queue}, s.Queues...) {
			if !queues[q] {
				key := fmt.Sprintf("%s.queue", at)
				if j > 0 {
					key = fmt.Sprintf("%s.queues[%d]", at, j-1)
				}
				bad("%s: there is no queue %q", key, q)
			}
		}
		for j, r := range s.Redirects {
			if _, err := webAddress(r); err != nil {
				bad("%s.redirects[%d]: %v", at, j, err)
			}
		}
		if s.Privacy != "" {
			if _, err := webAddress(s.Privacy); err != nil {
				bad("%s.privacy: %v", at, err)
			}
		}
		if s.Language != "" && !slices.Contains(Languages(), s.Language) {
			bad("%s.language: %q must be en, fr or it", at, s.Language)
		}
		if s.Brand != "" && !brandRE.MatchString(s.Brand) {
			bad("%s.brand: %q must be a colour like \"#9a3f2b\"", at, s.Brand)
		}
		for j, f := range s.Fields {
			if !fieldRE.MatchString(f.Name) {
				bad("%s.fields[%d].name: %q must be lower-case letters, digits and \"_\"", at, j, f.Name)
			}
			if !slices.Contains([]string{"name", "email", "phone", "topic"}, f.Name) && f.Type != "consent" && len(f.Label) == 0 {
				bad("%s.fields[%d].label: %q needs words, like {en: Order number}", at, j, f.Name)
			}
			if !slices.Contains([]string{"", "text", "email", "tel", "textarea", "consent"}, f.Type) {
				bad("%s.fields[%d].type: %q must be text, email, tel, textarea or consent", at, j, f.Type)
			}
		}
	}
	return errors.Join(errs...)
}

// Queue returns the queue by name.
func (p Policy) Queue(name string) (Queue, bool) {
	i := slices.IndexFunc(p.Queues, func(q Queue) bool { return q.Name == name })
	if i < 0 {
		return Queue{}, false
	}
	return p.Queues[i], true
}

// Site returns the site by id.
func (p Policy) Site(id string) (Site, bool) {
	i := slices.IndexFunc(p.Sites, func(s Site) bool { return s.ID == id })
	if i < 0 {
		return Site{}, false
	}
	return p.Sites[i], true
}

// SiteByKey returns the site by its publishable key.
func (p Policy) SiteByKey(key string) (Site, bool) {
	i := slices.IndexFunc(p.Sites, func(s Site) bool { return s.Key == key })
	if i < 0 {
		return Site{}, false
	}
	return p.Sites[i], true
}

// webAddress reads an absolute http(s) address without credentials.
func webAddress(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.Opaque != "":
		return nil, errors.New("must be an address that starts with https:// or http://")
	case u.User != nil:
		return nil, errors.New("must not hold a user name")
	case strings.ContainsAny(raw, "\\ \t\r\n"):
		return nil, errors.New("must not hold blanks or backslashes")
	}
	return u, nil
}

// CheckRedirect tells whether a guest may be sent to raw. With a site, its list
// decides; without one (the holder of an API key) any web address is good.
func CheckRedirect(raw string, site *Site) error {
	u, err := webAddress(raw)
	if err != nil {
		return fault.NewInvalid("/redirect_url", "%v", err)
	}
	if site == nil {
		return nil
	}
	for _, r := range site.Redirects {
		allowed, err := webAddress(r)
		if err != nil {
			continue
		}
		if raw == r {
			return nil
		}
		if strings.HasSuffix(r, "/") && u.Scheme == allowed.Scheme && u.Host == allowed.Host &&
			strings.HasPrefix(u.EscapedPath(), allowed.EscapedPath()) && !strings.Contains(u.Path, "..") {
			return nil
		}
	}
	return fault.NewInvalid("/redirect_url", "is not in the site's list of redirects")
}
