package mail

import (
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"slices"
	"strings"
	"time"

	"ringdown/secret"
)

// Config is the section connectors.mail: one SMTP server.
type Config struct {
	// Server is "mail.example:587"; the port must be given.
	Server string `yaml:"server"`
	// Security is starttls (default), tls, or none; none is for servers on this
	// machine only.
	Security string `yaml:"security"`
	// User and Password are the account, if the server wants one.
	User     string        `yaml:"user"`
	Password secret.Secret `yaml:"password"`
	// PasswordFile is a file that holds the password instead.
	PasswordFile string `yaml:"password_file"`
	// From is the sender: "Maison Vela <video@vela.example>".
	From string `yaml:"from"`
	// ReplyTo is where answers go; empty: to From.
	ReplyTo string `yaml:"reply_to"`
	// Subjects and Texts replace ours, by language, with {link} and {agent}.
	Subjects map[string]string `yaml:"subjects"`
	Texts    map[string]string `yaml:"texts"`
	// Timeout of one delivery. Default 20s.
	Timeout time.Duration `yaml:"timeout"`
}

const (
	startTLS = "starttls"
	fullTLS  = "tls"
	noTLS    = "none"
)

func subjects() map[string]string {
	return map[string]string{"en": "Your video call with {agent}", "fr": "Votre appel vidéo avec {agent}", "it": "La Sua videochiamata con {agent}"}
}

func texts() map[string]string {
	return map[string]string{
		"en": "Hello,\n\n{agent} invites you to a video call. Open this link on a phone or a computer with a camera:\n\n{link}\n\nThe link is for you only, and is worth nothing after the call.\n",
		"fr": "Bonjour,\n\n{agent} vous invite à un appel vidéo. Ouvrez ce lien sur un téléphone ou un ordinateur muni d’une caméra :\n\n{link}\n\nCe lien est pour vous seulement et ne vaut plus rien après l’appel.\n",
		"it": "Buongiorno,\n\n{agent} La invita a una videochiamata. Apra questo link su un telefono o un computer con fotocamera:\n\n{link}\n\nIl link è solo per Lei e non vale più dopo la chiamata.\n",
	}
}

// somebody stands for an agent without a name.
func somebody() map[string]string {
	return map[string]string{"en": "an advisor", "fr": "un conseiller", "it": "un consulente"}
}

// Validate reports every fault at once, each with its key and its repair.
func (c Config) Validate() error {
	_, err := c.compile()
	return err
}

func (c Config) compile() (Config, error) {
	var faults []error
	bad := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	host, port, err := net.SplitHostPort(c.Server)
	if err != nil || host == "" || port == "" {
		bad("server", "must be a host and a port, as mail.example:587")
	}
	if c.Security == "" {
		c.Security = startTLS
	}
	if !slices.Contains([]string{startTLS, fullTLS, noTLS}, c.Security) {
		bad("security", "must be starttls, tls or none")
	}
	if ip := net.ParseIP(host); c.Security == noTLS && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		bad("security", "may be none for a server on this machine only")
	}
	if c.Password, err = c.Password.Or(c.PasswordFile); err != nil {
		bad("password_file", "%s", err)
	}
	if (c.User == "") != (c.Password == "") {
		bad("user", "give user and password, or neither")
	}
	if _, err := netmail.ParseAddress(c.From); err != nil {
		bad("from", "must be an address, as \"Maison Vela <video@vela.example>\"")
	}
	if _, err := netmail.ParseAddress(c.ReplyTo); c.ReplyTo != "" && err != nil {
		bad("reply_to", "must be an address, or empty")
	}
	for _, one := range []struct {
		key  string
		own  map[string]string
		to   *map[string]string
		link bool
	}{{"subjects", subjects(), &c.Subjects, false}, {"texts", texts(), &c.Texts, true}} {
		for lang, text := range *one.to {
			if one.own[lang] == "" {
				bad(one.key, "has the language %q; en, fr and it are spoken here", lang)
			}
			if one.link && !strings.Contains(text, "{link}") {
				bad(one.key+"."+lang, "must have {link}")
			}
			if !one.link && strings.ContainsAny(text, "\r\n") {
				bad(one.key+"."+lang, "must be one line")
			}
			one.own[lang] = text
		}
		*one.to = one.own
	}
	if c.Timeout < 0 || c.Timeout > 2*time.Minute {
		bad("timeout", "must be at most 2m")
	}
	return c, errors.Join(faults...)
}
