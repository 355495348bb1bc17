package thirdparty

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"ringdown/secret"
)

// Config is the section connectors.thirdparty.
type Config struct {
	// Secret is the last part of THIRD_PARTY_URL, …/thirdparty/xucmgt/<secret>: 20 or
	// more letters, digits, "-" and "_", best random. A ring that comes with it is
	// trusted.
	Secret secret.Secret `yaml:"secret"`
	// SecretFile is a file that holds the secret instead.
	SecretFile string `yaml:"secret_file"`
	// Origins are the addresses of the agent apps, "https://xuc.example". None: every
	// page may ask (it proves nothing either way), and the tab may be shown anywhere.
	Origins []string `yaml:"origins"`
	// Networks are addresses or networks of agents whose rings are trusted:
	// "10.20.0.0/16".
	Networks []string `yaml:"networks"`
	// Token says what an agent's own token proves.
	Token Token `yaml:"token"`
	// Rules say what a ring does; the first that fits counts. None: every ring opens
	// the tab when the call is answered. A ring that no rule fits does nothing.
	Rules []Rule `yaml:"rules"`
	// Programs are what a rule may run on the agent's computer (desktop assistant
	// only), by name.
	Programs map[string]Program `yaml:"programs"`
	// Outcomes are what an agent may choose from at the end.
	Outcomes []Outcome `yaml:"outcomes"`
}

// Token says how agents' tokens are checked.
type Token struct {
	// Policy is "off" (default), "if-present" or "required". With "required" only a
	// token proves a ring.
	Policy string `yaml:"policy"`
	// XUC is the server that confirms tokens: "https://xuc.example" or with a port.
	XUC string `yaml:"xuc"`
	// Users gives the login of each user id. Without it the first login that comes
	// with a user id stays that user's.
	Users map[string]string `yaml:"users"`
}

// The policies of tokens.
const (
	tokenOff       = "off"
	tokenIfPresent = "if-present"
	tokenRequired  = "required"
)

// Rule is one line of what rings do.
type Rule struct {
	// Name is told in the journal.
	Name string `yaml:"name"`
	// Queues are names or numbers of queues; "direct" is a call without one. Empty:
	// every call. "*" stands for any letters.
	Queues []string `yaml:"queues"`
	// Callers are patterns of the caller's number as the phone shows it, "+33*".
	Callers []string `yaml:"callers"`
	// Called are patterns of the number that was dialled (XIVO_DSTNUM), else of the
	// agent's own.
	Called []string `yaml:"called"`
	// Data are patterns of variables of the call: {USR_CASE: "C-*"}.
	Data map[string]string `yaml:"data"`
	// Hours narrow the rule: "mon-fri 08:00-18:00", in TimeZone.
	Hours []string `yaml:"hours"`
	// TimeZone of Hours, "Europe/Paris". Default UTC.
	TimeZone string `yaml:"time_zone"`
	// Action is open (default), popup, run or none.
	Action string `yaml:"action"`
	// Event is when: ringing, answered (default) or released.
	Event string `yaml:"event"`
	// Autopause pauses the agent while the tab is open. Not with run.
	Autopause bool `yaml:"autopause"`
	// Title is that of the tab, with {queue}, {caller} and {agent}. Default
	// "{queue} {caller}".
	Title string `yaml:"title"`
	// Multitab opens each popup in a window of its own.
	Multitab bool `yaml:"multitab"`
	// Run is a name of programs, for the action run.
	Run string `yaml:"run"`
	// Language of the tab, en, fr or it. Default: the agent's browser decides.
	Language string `yaml:"language"`
}

// Program is something on the agent's computer. Nothing of a call ever gets into
// it.
type Program struct {
	// URL is the program, as the desktop assistant wants it.
	URL string `yaml:"url"`
	// Args are its arguments.
	Args []string `yaml:"args"`
}

// Outcome is a word for how a call ended.
type Outcome struct {
	// Name is kept with the call.
	Name string `yaml:"name" json:"name"`
	// Label is what agents read, by language.
	Label map[string]string `yaml:"label" json:"label"`
}

var (
	secretRE  = regexp.MustCompile(`^[A-Za-z0-9_-]{20,}$`)
	outcomeRE = regexp.MustCompile(`^[a-z0-9_-]{1,40}$`)
)

// The events of the agent app (contract section 4).
const (
	eventRinging     = "EventRinging"
	eventEstablished = "EventEstablished"
	eventReleased    = "EventReleased"
)

// Validate reports every fault at once, each with its key and its repair.
func (c Config) Validate() error {
	_, err := c.compile()
	return err
}

// compiled is a Config that was checked.
type compiled struct {
	Config
	networks []netip.Prefix
	rules    []rule
}

func (c Config) compile() (compiled, error) {
	out := compiled{Config: c}
	var faults []error
	bad := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	var err error
	if out.Secret, err = c.Secret.Or(c.SecretFile); err != nil {
		bad("secret_file", "%s", err)
	}
	if s := out.Secret.Reveal(); s != "" && !secretRE.MatchString(s) {
		bad("secret", "must be 20 or more letters, digits, \"-\" and \"_\"")
	}
	for i, o := range c.Origins {
		if u, err := url.Parse(o); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || o != u.Scheme+"://"+u.Host {
			bad(fmt.Sprintf("origins[%d]", i), "must be an address without a path, as https://xuc.example")
		}
	}
	for i, n := range c.Networks {
		p, err := netip.ParsePrefix(n)
		if a, e := netip.ParseAddr(n); e == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			bad(fmt.Sprintf("networks[%d]", i), "must be an address or a network, as 10.20.0.0/16")
			continue
		}
		out.networks = append(out.networks, p.Masked())
	}
	if len(c.Networks) > 0 && len(c.Origins) == 0 {
		bad("networks", "needs origins too: any page that an agent there looks at could ask in their place")
	}
	switch c.Token.Policy {
	case "":
		out.Token.Policy = tokenOff
	case tokenOff:
	case tokenIfPresent, tokenRequired:
		if u, err := url.Parse(c.Token.XUC); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || strings.Trim(u.Path, "/") != "" {
			bad("token.xuc", "must be the address of the XUC server, as https://xuc.example")
		}
	default:
		bad("token.policy", "must be off, if-present or required")
	}
	names := map[string]bool{}
	for i, r := range c.Rules {
		at := fmt.Sprintf("rules[%d]", i)
		if r.Name == "" || names[r.Name] {
			bad(at+".name", "must be there, and each only once")
		}
		names[r.Name] = true
		one, err := r.compile(c.Programs)
		if err != nil {
			for _, e := range err {
				bad(at+"."+e[0], "%s", e[1])
			}
			continue
		}
		out.rules = append(out.rules, one)
	}
	if len(c.Rules) == 0 {
		one, _ := Rule{Name: "default"}.compile(nil)
		out.rules = []rule{one}
	}
	for name, p := range c.Programs {
		if p.URL == "" {
			bad("programs."+name+".url", "must name the program")
		}
	}
	seen := map[string]bool{}
	for i, o := range c.Outcomes {
		at := fmt.Sprintf("outcomes[%d]", i)
		if !outcomeRE.MatchString(o.Name) || seen[o.Name] {
			bad(at+".name", "must be 1 to 40 lower-case letters, digits, \"-\" or \"_\", each name once")
		}
		seen[o.Name] = true
		for lang := range o.Label {
			if !slices.Contains([]string{"en", "fr", "it"}, lang) {
				bad(at+".label", "has the language %q; en, fr and it are spoken here", lang)
			}
		}
	}
	return out, errors.Join(faults...)
}

// proofs tells whether anything is configured that can prove a ring.
func (c compiled) proofs() bool {
	return c.Token.Policy == tokenRequired || c.Secret != "" || len(c.networks) > 0 || c.Token.Policy == tokenIfPresent
}

// Warnings are what works and is not as it should be, each with its key.
func (c Config) Warnings() []string {
	out, err := c.compile()
	if err != nil || out.proofs() {
		return nil
	}
	return []string{"secret: is not set, so every ring is untrusted and its page shows nothing of customers; set it and put it at the end of THIRD_PARTY_URL"}
}

// openWithin is how long after the ring a page may be opened first: the next
// call of the agent may fire what an unanswered one left behind.
func openWithin(event string) time.Duration {
	switch event {
	case eventRinging:
		return 2 * time.Minute
	case eventReleased:
		return 4 * time.Hour
	}
	return 5 * time.Minute
}
