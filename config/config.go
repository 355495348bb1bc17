// Package config reads the one configuration file and the environment, says
// everything that is wrong at once with its place and its repair, and knows the
// demo. Each room owns its own Config and checks it; this package only composes.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ringdown/connectors/mail"
	"ringdown/connectors/sms"
	"ringdown/connectors/webhook"
	"ringdown/connectors/xcally"
	"ringdown/customer"
	"ringdown/egress"
	"ringdown/httpd"
	"ringdown/media"
	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/secret"
	"ringdown/thirdparty"
)

// Config is the whole configuration. config.example.yaml is its manual.
type Config struct {
	httpd.Config `yaml:",inline"`
	// DataDir holds the database, the keys and the files. Default ./data.
	DataDir string `yaml:"data_dir"`
	// Database is a postgres:// URL; empty: SQLite in DataDir.
	Database secret.Secret `yaml:"database"`
	// DatabaseFile is a file that holds Database, so that the password is in no
	// configuration.
	DatabaseFile string `yaml:"database_file"`
	// Log says what is logged.
	Log Log `yaml:"log"`
	// Media is the SFU.
	Media media.Config `yaml:"media"`
	// Egress is how requests leave the house.
	Egress egress.Config `yaml:"egress"`
	// Outbox sends what happened to the desks.
	Outbox outbox.Config `yaml:"outbox"`
	// Connectors join the desks. A section that is absent is not mounted.
	Connectors Connectors `yaml:"connectors"`
	// Sites show our call button.
	Sites []meeting.Site `yaml:"sites"`
	// Queues are rung.
	Queues []meeting.Queue `yaml:"queues"`
	// Customers are who calls.
	Customers customer.Config `yaml:"customers"`

	// Demo is on without a configuration file on a loopback address.
	Demo bool `yaml:"-"`
}

// Log says what is logged.
type Log struct {
	// Level is debug, info, warn or error. Default info.
	Level string `yaml:"level"`
	// Format is json or text. Default json.
	Format string `yaml:"format"`
}

// Connectors are the desks' sections.
type Connectors struct {
	// XCALLY joins XCALLY Motion's OpenChannel accounts.
	XCALLY *xcally.Config `yaml:"xcally"`
	// Webhook tells receivers of the operator's own what happens.
	Webhook *webhook.Config `yaml:"webhook"`
	// Thirdparty joins XiVO's agent app, XucMgt.
	Thirdparty *thirdparty.Config `yaml:"thirdparty"`
	// SMS sends links by SMS.
	SMS *sms.Config `yaml:"sms"`
	// Mail sends links by mail.
	Mail *mail.Config `yaml:"mail"`
}

// Default is what holds where neither file nor environment says anything.
func Default() Config {
	return Config{
		Config: httpd.DefaultConfig(), DataDir: "./data", Log: Log{Level: "info", Format: "json"},
		Media: media.Defaults(), Egress: egress.DefaultConfig(), Outbox: outbox.DefaultConfig(),
	}
}

// Load reads file (empty: none) and the environment ("KEY=value", as from
// os.Environ) over the defaults. The error holds every fault, one a line.
//
// Without a file it is the demo, if listen is a loopback address; on another
// address it is refused. A file that is named and missing is a fault.
func Load(file string, environ []string) (Config, error) {
	c := Default()
	d := decoder{places: map[string]string{}, wrong: map[string]bool{}}
	if file != "" {
		b, err := os.ReadFile(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return c, fmt.Errorf("%s: there is no such file; write one after config.example.yaml, or start without --config for the demo", file)
		case err != nil:
			return c, fmt.Errorf("read the configuration: %w", err)
		}
		d.file(file, b, &c)
	}
	d.environment(environ, &c)
	if d.unread {
		return c, errors.Join(d.faults...)
	}
	if file == "" {
		host, _, _ := net.SplitHostPort(c.Listen)
		if !loopback(host) {
			return c, fmt.Errorf("listen: the demo runs on a loopback address only; to serve %s, write a configuration file and name it with --config", c.Listen)
		}
		c.Demo = len(c.Sites)+len(c.Queues) == 0 && c.Connectors == (Connectors{})
	}
	if c.DatabaseFile != "" {
		if c.Database != "" {
			d.fault("database_file", "give database or database_file, not both")
		}
		b, err := os.ReadFile(c.DatabaseFile)
		if err != nil {
			d.fault("database_file", "cannot be read: "+reasonOf(err))
		}
		c.Database = secret.Secret(strings.TrimSpace(string(b)))
	}
	c.validate(&d)
	if c.Demo {
		c.demo()
	}
	return c, errors.Join(d.faults...)
}

// Warnings tell what works and is not as it should be, one sentence each with its
// key.
func (c Config) Warnings() []string {
	var all []string
	if t := c.Connectors.Thirdparty; t != nil {
		for _, w := range t.Warnings() {
			all = append(all, "connectors.thirdparty."+w)
		}
	}
	return all
}

func (c *Config) validate(d *decoder) {
	d.check("", c.Config.Validate()) //nolint:staticcheck // the part says its name, as the others do
	d.check("media", c.Media.Validate())
	d.check("egress", c.Egress.Validate())
	d.check("outbox", c.Outbox.Validate())
	d.check("", meeting.Policy{Sites: c.Sites, Queues: c.Queues}.Validate())
	desks := map[string]bool{}
	if x := c.Connectors.XCALLY; x != nil {
		d.check("connectors.xcally", x.Validate())
		for _, a := range x.Accounts {
			desks["xcally/"+a.Name] = true
		}
	}
	if w := c.Connectors.Webhook; w != nil {
		d.check("connectors.webhook", w.Validate())
		var queues, sites []string
		for _, q := range c.Queues {
			queues = append(queues, q.Name)
		}
		for _, s := range c.Sites {
			sites = append(sites, s.ID)
		}
		d.check("connectors.webhook", w.Unknown(queues, sites))
	}
	if t := c.Connectors.Thirdparty; t != nil {
		d.check("connectors.thirdparty", t.Validate())
	}
	if s := c.Connectors.SMS; s != nil {
		d.check("connectors.sms", s.Validate())
	}
	if m := c.Connectors.Mail; m != nil {
		d.check("connectors.mail", m.Validate())
	}
	d.check("customers", c.Customers.Validate())
	for i, q := range c.Queues {
		for j, desk := range q.Desks {
			if !desks[desk] {
				d.fault(fmt.Sprintf("queues[%d].desks[%d]", i, j), fmt.Sprintf("there is no desk %q; configure the account under connectors", desk))
			}
		}
	}
	if c.DataDir == "" {
		d.fault("data_dir", "must name a folder")
	}
	if db := c.Database.Reveal(); db != "" && !strings.HasPrefix(db, "postgres://") && !strings.HasPrefix(db, "postgresql://") {
		d.fault("database", "must be a postgres:// URL, or empty for SQLite")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		d.fault("log.level", "must be debug, info, warn or error")
	}
	if !slices.Contains([]string{"json", "text"}, c.Log.Format) {
		d.fault("log.format", "must be json or text")
	}
	if c.Media.Port != 0 {
		if _, p, err := net.SplitHostPort(c.Listen); err == nil && p == fmt.Sprint(c.Media.Port) {
			d.fault("media.port", "must differ from the port of listen")
		}
	}
}

// Demo's public names.
const (
	DemoSite    = "demo-shop"
	DemoSiteKey = "pk_demo_shop"
	DemoQueue   = "advice"
	DemoAccount = "demo"
)

// demo fills in the shop and its queue. Addresses are known only when we listen:
// app adds the site's origins and the emulated desk.
func (c *Config) demo() {
	c.DataDir = filepath.Join(c.DataDir, "demo")
	c.Media.Loopback = true
	c.Sites = []meeting.Site{{
		ID: DemoSite, Key: DemoSiteKey, Name: "Maison Vela", Brand: "#9a3f2b", Queue: DemoQueue, PageToAgent: true,
		Fields: []meeting.FormField{
			{Name: "name", Required: true},
			{Name: "topic"},
			{Name: "consent", Type: "consent", Required: true, Label: map[string]string{
				"en": "I agree to the video call as described in the privacy notice.",
				"fr": "J’accepte l’appel vidéo tel que décrit dans l’avis de confidentialité.",
				"it": "Accetto la videochiamata come descritto nell’informativa sulla privacy.",
			}},
		},
	}}
	c.Queues = []meeting.Queue{{
		Name: DemoQueue, Label: "Advice", Desks: []string{"xcally/" + DemoAccount},
		Ring: meeting.RingRule{Window: 150e9, Rounds: 2, Wait: 300e9, Decline: "end"},
	}}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// reasonOf is err without the path, which the message names already.
func reasonOf(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}
