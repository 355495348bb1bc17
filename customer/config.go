package customer

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"ringdown/secret"
)

// Config is the section customers.
type Config struct {
	// Region is where numbers without a country's code are from: FR, IT, CH, …
	// Default FR.
	Region string `yaml:"region"`
	// Sources are asked in their order, after the records made here.
	Sources []SourceConfig `yaml:"sources"`
}

// SourceConfig is one source: a file, or a service that is asked over HTTP.
type SourceConfig struct {
	// Name is shown beside each record: lower-case letters, digits, "-".
	Name string `yaml:"name"`
	// File is a CSV or JSON file.
	File *FileConfig `yaml:"file"`
	// HTTP is a service.
	HTTP *HTTPConfig `yaml:"http"`
	// Fields say where each part of a record is: the name of a column in CSV, a path
	// in JSON ("contact.mail", "phones[*]").
	Fields Fields `yaml:"fields"`
}

// Fields say where the parts of a record are.
type Fields struct {
	// ExternalID is the operator's own id; records without one are passed over.
	ExternalID string `yaml:"external_id"`
	// Name of the person.
	Name string `yaml:"name"`
	// Company is the person's.
	Company string `yaml:"company"`
	// Email is the person's mail address.
	Email string `yaml:"email"`
	// Phones are one or more columns or paths with numbers, apart by commas.
	Phones string `yaml:"phones"`
	// Language is en, fr or it.
	Language string `yaml:"language"`
	// Extra are further lines of the card: label → column or path.
	Extra map[string]string `yaml:"extra"`
	// Links are pages about the customer: label → an address with {external_id}.
	Links map[string]string `yaml:"links"`
}

// FileConfig is a file source.
type FileConfig struct {
	// Path of the file: *.csv with a header line, or *.json. It is read again when it
	// changes; one that cannot be read leaves the last good one in use.
	Path string `yaml:"path"`
	// List is where the records are in a JSON file; empty: the file is the list.
	List string `yaml:"list"`
	// Every is how often the file is looked at. Default 5s.
	Every time.Duration `yaml:"every"`
}

// HTTPConfig is an HTTP source. Of the addresses only those that are given can be
// asked by.
type HTTPConfig struct {
	// ByPhone is asked with {phone} in E.164.
	ByPhone string `yaml:"by_phone"`
	// ByEmail is asked with {email}.
	ByEmail string `yaml:"by_email"`
	// ByExternalID is asked with {external_id}.
	ByExternalID string `yaml:"by_external_id"`
	// Search is asked with {query}.
	Search string `yaml:"search"`
	// Headers go with each request; a key for the service belongs here.
	Headers map[string]secret.Secret `yaml:"headers"`
	// List is where the records are in the answer; empty: it is the list, or the one
	// record.
	List string `yaml:"list"`
	// Timeout of one request. Default 2s, at most 30s.
	Timeout time.Duration `yaml:"timeout"`
	// Cache is how long an answer is fresh. Default 60s.
	Cache time.Duration `yaml:"cache"`
}

var sourceRE = regexp.MustCompile(`^[a-z0-9-]{1,30}$`)

// Validate reports every fault at once, each with its key and its repair.
func (c Config) Validate() error {
	var faults []error
	bad := func(key, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if c.Region != "" && !knownRegion(c.Region) {
		bad("region", "must be a country's two capital letters, as FR")
	}
	names := map[string]bool{ownSource: true}
	for i, s := range c.Sources {
		at := fmt.Sprintf("sources[%d].", i)
		if !sourceRE.MatchString(s.Name) || names[s.Name] {
			bad(at+"name", "must be 1 to 30 lower-case letters, digits or \"-\", each name once")
		}
		names[s.Name] = true
		if (s.File == nil) == (s.HTTP == nil) {
			bad(at+"file", "give either file or http")
			continue
		}
		if s.Fields.ExternalID == "" {
			bad(at+"fields.external_id", "must name the column or path of the customer's id")
		}
		for label, link := range s.Fields.Links {
			if u, err := url.Parse(strings.ReplaceAll(link, "{external_id}", "1")); err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
				bad(at+"fields.links."+label, "must be an http or https address, with {external_id} where the id belongs")
			}
		}
		if f := s.File; f != nil {
			if !strings.HasSuffix(f.Path, ".csv") && !strings.HasSuffix(f.Path, ".json") {
				bad(at+"file.path", "must end with .csv or .json")
			}
			if f.Every < 0 {
				bad(at+"file.every", "must not be below zero")
			}
		}
		if h := s.HTTP; h != nil {
			for key, e := range h.wants(at) {
				bad(key, "%s", e)
			}
		}
	}
	return errors.Join(faults...)
}

// wants returns what is wrong by key.
func (h HTTPConfig) wants(at string) map[string]string {
	out := map[string]string{}
	given := 0
	for _, one := range []struct{ key, address, hole string }{
		{"by_phone", h.ByPhone, "{phone}"}, {"by_email", h.ByEmail, "{email}"}, {"by_external_id", h.ByExternalID, "{external_id}"}, {"search", h.Search, "{query}"},
	} {
		if one.address == "" {
			continue
		}
		given++
		u, err := url.Parse(strings.ReplaceAll(one.address, one.hole, "1"))
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || !strings.Contains(one.address, one.hole) {
			out[at+"http."+one.key] = "must be an http or https address with " + one.hole + " behind the host"
		} else if host, _, _ := strings.Cut(one.address, one.hole); !strings.Contains(strings.TrimPrefix(strings.TrimPrefix(host, "https://"), "http://"), "/") && !strings.Contains(host, "?") {
			out[at+"http."+one.key] = "must have " + one.hole + " behind the host, not in it"
		}
	}
	if given == 0 {
		out[at+"http.by_phone"] = "give at least one address to ask at"
	}
	hosts := h.hosts()
	if len(hosts) > 1 {
		out[at+"http.by_phone"] = "all addresses of one source must be of one host; make a second source for another"
	}
	if h.Timeout < 0 || h.Timeout > 30*time.Second {
		out[at+"http.timeout"] = "must be at most 30s"
	}
	if h.Cache < 0 {
		out[at+"http.cache"] = "must not be below zero"
	}
	return out
}

// hosts are the scheme and host of the addresses, each once.
func (h HTTPConfig) hosts() []string {
	var all []string
	for _, a := range []string{h.ByPhone, h.ByEmail, h.ByExternalID, h.Search} {
		if u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(a)); err == nil && a != "" {
			if s := u.Scheme + "://" + u.Host; !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}
