// Package customer holds what is known of the people who call: records from the
// operator's own sources, and our own contacts with them. Records are looked up
// by phone number, mail address or the operator's own id. Sources are the
// operator's: a file, or a service that is asked over HTTP; records made here
// are kept in the store. The package knows no vendor and no store driver.
package customer

import "time"

// Record is one customer. Every field but ID may be empty. All of it is text to
// show, never markup.
type Record struct {
	ID         string  `json:"id"` // unique over all sources: "<source>:<their id>"
	ExternalID string  `json:"external_id,omitempty"`
	Name       string  `json:"name,omitempty"`
	Company    string  `json:"company,omitempty"`
	Email      string  `json:"email,omitempty"`
	Phones     []Phone `json:"phones,omitempty"`
	Language   string  `json:"language,omitempty"` // "en", "fr" or "it"
	Fields     []Field `json:"fields,omitempty"`   // what else the source tells, in its order
	Links      []Link  `json:"links,omitempty"`    // https and http only
	Source     string  `json:"source"`             // name of the source, for people
	// AsOf is when the source said so; older than it should be if Stale: the
	// source did not answer now, and this is the last good copy.
	AsOf  time.Time `json:"as_of"`
	Stale bool      `json:"stale,omitempty"`
}

// Phone is a number in E.164: "+33145000000".
type Phone = string

// Field is one line of a record's card.
type Field struct {
	Label string `json:"label"`
	Value string `json:"value"`
}

// Link leads to a page about the customer elsewhere.
type Link struct {
	Label string `json:"label"`
	URL   string `json:"url"`
}

// Contact is one time that we had to do with somebody, kept so that whoever
// answers next knows. The same ID again replaces it.
type Contact struct {
	ID       string        `json:"id"`
	Number   Phone         `json:"-"`    // whom; empty: only Customer tells
	Customer string        `json:"-"`    // id of the record, if one was chosen
	Kind     string        `json:"kind"` // "call", "video", "callback"
	At       time.Time     `json:"at"`
	Agent    string        `json:"agent,omitempty"` // display name
	Queue    string        `json:"queue,omitempty"` // its label
	Outcome  string        `json:"outcome,omitempty"`
	Note     string        `json:"note,omitempty"`
	Length   time.Duration `json:"length,omitempty"` // of a video call
	Ref      string        `json:"reference,omitempty"`
	Due      time.Time     `json:"due,omitzero"` // of a callback: when to call
}
