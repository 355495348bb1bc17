package xcally

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"
)

// Config says what the stand-in plays. The zero value of each field has a
// meaning; New fills it in.
type Config struct {
	Listen   string    // host:port; empty: 127.0.0.1:0
	Hosts    []string  // more names it may be called by; needed when Listen is not a loopback address
	Accounts []Account // at least one
	Agents   []Agent   // empty: three fictitious ones

	MaxInteractions int // kept at once, the oldest go first; 0: 500
	MaxMessages     int // kept at once in all interactions; 0: 5000

	ReplyTimeout time.Duration    // for one call of a Reply URL; 0: 10 s. Motion's own is not documented.
	RootCAs      *x509.CertPool   // who may sign a Reply URL's certificate; nil: the system's list
	Now          func() time.Time // nil: time.Now
}

// Account is one OpenChannel account.
type Account struct {
	ID       int
	Name     string
	MapKey   string // contact field that identifies a sender; empty: phone
	ReplyURL string // where agents' messages go; empty: agents cannot answer

	// RequireKey makes the Receive URL and the REST calls ask for the API key
	// or the token. Some servers do, older ones do not.
	RequireKey bool
	APIKey     string // ?apikey=
	Token      string // ?token=, Receive URL only

	Answer         Answer // how the Receive URL answers
	Reply          Reply  // how the Reply URL is called
	MergeByContact bool   // one open interaction per contact, whatever the threadId
}

// Agent is a fictitious user of the inbox.
type Agent struct {
	ID       int    `json:"id"`
	Name     string `json:"name"`     // log-in name
	FullName string `json:"fullname"` // as people read it
}

// Answer is the shape of a Receive URL's 200: builds of Motion differ.
type Answer string

// The shapes seen in integrations.
const (
	AnswerInteraction       Answer = ""                   // {"interaction":{"id":311}}
	AnswerInteractionString Answer = "interaction_string" // {"interaction":{"id":"311"}}
	AnswerTop               Answer = "top"                // {"id":311}
	AnswerTopString         Answer = "top_string"         // {"id":"311"}
	AnswerEmpty             Answer = "empty"              // no body at all
)

// Reply is the shape of the body posted to a Reply URL.
type Reply string

// The shapes seen in the documents and in integrations.
const (
	ReplyFull    Reply = ""        // every documented member, ids as numbers
	ReplyStrings Reply = "strings" // the same with ids as text and the lower-case twin "contact"
	ReplyBare    Reply = "bare"    // body, Contact and AttachmentId only
	ReplyV1      Reply = "v1"      // body and "to", no Contact
)

func (c Config) withDefaults() Config {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if len(c.Agents) == 0 {
		c.Agents = []Agent{
			{ID: 14, Name: "anna", FullName: "Anna Verdi"},
			{ID: 15, Name: "luca", FullName: "Luca Moretti"},
			{ID: 16, Name: "claire", FullName: "Claire Dubois"},
		}
	}
	if c.MaxInteractions == 0 {
		c.MaxInteractions = 500
	}
	if c.MaxMessages == 0 {
		c.MaxMessages = 5000
	}
	if c.ReplyTimeout == 0 {
		c.ReplyTimeout = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	accounts := make([]Account, len(c.Accounts))
	copy(accounts, c.Accounts)
	for i := range accounts {
		if accounts[i].MapKey == "" {
			accounts[i].MapKey = "phone"
		}
		if accounts[i].Name == "" {
			accounts[i].Name = fmt.Sprintf("Account %d", accounts[i].ID)
		}
	}
	c.Accounts = accounts
	return c
}

// Validate reports every fault of the configuration at once.
func (c Config) Validate() error {
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	host, _, err := net.SplitHostPort(c.Listen)
	switch {
	case err != nil:
		bad("listen %q: want host:port", c.Listen)
	case !loopback(host) && len(c.Hosts) == 0:
		bad("listen %q: not a loopback address; name the hosts it may be called by, or use 127.0.0.1", c.Listen)
	}
	if len(c.Accounts) == 0 {
		bad("accounts: at least one is needed")
	}
	seen := map[int]bool{}
	for _, a := range c.Accounts {
		if a.ID <= 0 || seen[a.ID] {
			bad("account %d: the id must be positive and unique", a.ID)
		}
		seen[a.ID] = true
		if !contactField(a.MapKey) {
			bad("account %d: map key %q is no contact field", a.ID, a.MapKey)
		}
		if a.RequireKey && a.APIKey == "" && a.Token == "" {
			bad("account %d: an API key or a token is needed when a key is required", a.ID)
		}
		if err := checkReplyURL(a.ReplyURL); err != nil {
			bad("account %d: %w", a.ID, err)
		}
		switch a.Answer {
		case AnswerInteraction, AnswerInteractionString, AnswerTop, AnswerTopString, AnswerEmpty:
		default:
			bad("account %d: unknown answer %q", a.ID, a.Answer)
		}
		switch a.Reply {
		case ReplyFull, ReplyStrings, ReplyBare, ReplyV1:
		default:
			bad("account %d: unknown reply %q", a.ID, a.Reply)
		}
	}
	agents := map[int]bool{}
	for _, g := range c.Agents {
		if g.ID <= 0 || agents[g.ID] || g.FullName == "" {
			bad("agent %d: the id must be positive and unique, and the full name not empty", g.ID)
		}
		agents[g.ID] = true
	}
	if c.MaxInteractions < 1 || c.MaxMessages < 1 || c.ReplyTimeout < 0 {
		bad("limits must be positive")
	}
	return errors.Join(faults...)
}

func checkReplyURL(raw string) error {
	if raw == "" {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		// The URL holds a secret: it is not repeated.
		return errors.New("the reply URL must be an absolute http or https address")
	}
	return nil
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
