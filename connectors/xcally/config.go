package xcally

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"ringdown/secret"
)

// Config is the section connectors.xcally.
type Config struct {
	// Accounts are the OpenChannel accounts; a queue rings one by the desk
	// "xcally/<name>".
	Accounts []Account `yaml:"accounts"`
}

// Account is one OpenChannel account of a Motion server.
type Account struct {
	// Name names the account here: lower-case letters, digits, "-". It is in the
	// Reply URL and in queues' desks, "xcally/<name>".
	Name string `yaml:"name"`
	// ReceiveURL is the account's Receive URL, copied from its Settings tab as it
	// stands there, with its query. It is a secret.
	ReceiveURL secret.Secret `yaml:"receive_url"`
	// ReceiveURLFile is a file that holds the Receive URL instead.
	ReceiveURLFile string `yaml:"receive_url_file"`
	// ReplySecret is the last part of the Reply URL: 20 or more letters, digits,
	// "-" and "_", best random.
	ReplySecret secret.Secret `yaml:"reply_secret"`
	// ReplySecretFile is a file that holds the reply secret instead.
	ReplySecretFile string `yaml:"reply_secret_file"`
	// MapKey is the contact field that identifies the visitor, as the account's
	// Map Key: phone, email, another contact field or cf_<n>. Default phone.
	MapKey string `yaml:"map_key"`
	// From is a template for the value of MapKey. Default: the visitor's phone
	// number with map key phone, else their e-mail address with map key email (the
	// other way round if MapKey is email), else the meeting's code with
	// AnonymousMapKey. A From that comes out empty goes the same way.
	From string `yaml:"from"`
	// AnonymousMapKey is the contact field for visitors of whom nothing is known;
	// best a custom field, cf_<n>. Default: MapKey.
	AnonymousMapKey string `yaml:"anonymous_map_key"`
	// Body is a template for the text of a ring, with <$data.link$> on a line of
	// its own. Default: a text of ours in Language.
	Body string `yaml:"body"`
	// Fields are further keys of every message: contact fields, custom fields
	// (cf_<n>) and variables of the account's Actions flow; values are templates.
	Fields map[string]string `yaml:"fields"`
	// Language is that of our texts to the agents: en, fr or it. Default en.
	Language string `yaml:"language"`
	// UnknownReply is what a reply to an unknown or ended meeting gets: "accept"
	// (default) answers 200, "refuse" an error, so that the agent sees a failure.
	UnknownReply string `yaml:"unknown_reply"`
}

const (
	accept = "accept"
	refuse = "refuse"
)

// account is an Account, checked and compiled.
type account struct {
	name           string
	receiveURL     secret.Secret
	replySecret    secret.Secret
	mapKey         string
	anonymousKey   string
	from, body     template // nil: ours
	fields         map[string]template
	texts          texts
	refusesUnknown bool
}

// desk is what queues and messages call the account.
func (a *account) desk() string { return Name + "/" + a.name }

// Validate reports every fault of the section at once, each with its key and
// what to do about it.
func (c Config) Validate() error {
	_, err := c.compile()
	return err
}

// Desks returns the desks a queue may name, "xcally/<name>".
func (c Config) Desks() []string {
	all := make([]string, len(c.Accounts))
	for i, a := range c.Accounts {
		all[i] = Name + "/" + a.Name
	}
	return all
}

func (c Config) compile() (map[string]*account, error) {
	var faults []error
	all := map[string]*account{}
	if len(c.Accounts) == 0 {
		faults = append(faults, errors.New("accounts: at least one is needed; leave the section out to do without XCALLY"))
	}
	for i, cfg := range c.Accounts {
		at := fmt.Sprintf("accounts[%d]", i)
		if cfg.Name != "" {
			at = fmt.Sprintf("accounts[%d] (%s)", i, cfg.Name)
		}
		a, bad := cfg.compile()
		if all[cfg.Name] != nil {
			bad = append(bad, errors.New("name: used by another account; choose one of its own"))
		}
		for _, err := range bad {
			faults = append(faults, fmt.Errorf("%s.%w", at, err))
		}
		all[cfg.Name] = a
	}
	return all, errors.Join(faults...)
}

var (
	nameForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)
	secretForm = regexp.MustCompile(`^[A-Za-z0-9_-]{20,200}$`)
	customForm = regexp.MustCompile(`^cf_[0-9]+$`)
)

// contactField tells whether XCALLY knows a contact by it. The fields of the
// guide's reply contact and of the samples.
func contactField(name string) bool {
	switch name {
	case "firstName", "lastName", "street", "postalCode", "city", "country", "dateOfBirth", "description",
		"phone", "mobile", "fax", "email", "url", "facebook", "twitter", "skype":
		return true
	}
	return customForm.MatchString(name)
}

func (c Account) compile() (*account, []error) {
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	a := &account{name: c.Name, mapKey: c.MapKey, anonymousKey: c.AnonymousMapKey, fields: map[string]template{}}

	if !nameForm.MatchString(c.Name) {
		bad("name: must be lower-case letters, digits and \"-\", such as main")
	}
	var err error
	if a.receiveURL, err = c.ReceiveURL.Or(c.ReceiveURLFile); err != nil {
		bad("receive_url: %w", err)
	} else if why := receiveURLFault(a.receiveURL.Reveal()); why != "" {
		bad("receive_url: %s", why)
	}
	if a.replySecret, err = c.ReplySecret.Or(c.ReplySecretFile); err != nil {
		bad("reply_secret: %w", err)
	} else if !secretForm.MatchString(a.replySecret.Reveal()) {
		bad("reply_secret: must be 20 to 200 letters, digits, \"-\" and \"_\"; `openssl rand -hex 16` makes one")
	}
	if a.mapKey == "" {
		a.mapKey = "phone"
	}
	if a.anonymousKey == "" {
		a.anonymousKey = a.mapKey
	}
	for key, value := range map[string]string{"map_key": a.mapKey, "anonymous_map_key": a.anonymousKey} {
		if !contactField(value) {
			bad("%s: %q is no contact field of XCALLY; take phone, email or a custom field such as cf_7", key, value)
		}
	}
	parse := func(key, text string) template {
		t, err := parseTemplate(text)
		if err != nil {
			bad("%s: %w", key, err)
		}
		return t
	}
	a.from = parse("from", c.From)
	a.body = parse("body", c.Body)
	if c.Body != "" && !slices.ContainsFunc(strings.Split(c.Body, "\n"), func(l string) bool { return strings.TrimSpace(l) == linkPlaceholder }) {
		bad("body: needs %s on a line of its own; by it the agent takes the call", linkPlaceholder)
	}
	for _, key := range slices.Sorted(maps.Keys(c.Fields)) {
		switch key {
		case "from", "body", "mapKey":
			bad("fields.%s: has a setting of its own; use from, body or map_key", key)
		case "threadId", "externalUrl", "AttachmentId", "to", "":
			bad("fields.%s: is filled by us; choose another key", key)
		default:
			a.fields[key] = parse("fields."+key, c.Fields[key])
		}
	}
	if a.texts, err = textsIn(c.Language); err != nil {
		bad("language: %w", err)
	}
	switch c.UnknownReply {
	case "", accept:
	case refuse:
		a.refusesUnknown = true
	default:
		bad("unknown_reply: must be accept or refuse, not %q", c.UnknownReply)
	}
	return a, faults
}

const linkPlaceholder = "<$data.link$>"

// receiveURLFault says what is wrong with a Receive URL without repeating it.
func receiveURLFault(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return "is needed; copy it from the Settings tab of the OpenChannel account"
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return "must be a whole address, such as https://motion.example.com/api/openchannel/accounts/5/notify"
	case u.User != nil:
		return "must not hold a user and password; Motion gives the address a key or token in its query"
	case u.Fragment != "":
		return "must not hold a \"#\""
	}
	return ""
}
