package xcally

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/schemas"
)

// Draft turns an event into one message for each account that is rung. The link
// is in rings only.
func (c *Connector) Draft(ev meeting.Event) ([]outbox.Draft, error) {
	m := ev.Snapshot
	if m.Ring == nil {
		return nil, nil // nobody was rung: the desks know nothing of it
	}
	var all []outbox.Draft
	var faults []error
	for _, desk := range m.Desks {
		a := c.accountOf(desk)
		if a == nil {
			continue
		}
		text, link, expires := c.say(a, ev)
		if text == "" {
			continue
		}
		body, err := c.message(a, m, text, link)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", desk, err))
			continue
		}
		all = append(all, outbox.Draft{Target: desk, Dest: desk + "/" + string(m.ID), Body: body, ExpiresAt: expires})
	}
	return all, errors.Join(faults...)
}

// accountOf returns the account a desk or a target names; nil if it is none of
// ours.
func (c *Connector) accountOf(desk string) *account {
	name, ok := strings.CutPrefix(desk, Name+"/")
	if !ok {
		return nil
	}
	return c.accounts[name]
}

// say is what the account's agents read about the event; empty: nothing. A ring
// carries its link and the time after which it must not be sent.
func (c *Connector) say(a *account, ev meeting.Event) (text, link string, expires time.Time) {
	m := ev.Snapshot
	switch ev.Kind {
	case meeting.KindRing:
		link = c.links.Agent(m)
		return c.ringText(a, m, link), link, m.Ring.RoundEnds
	case meeting.KindAnswered:
		return a.texts.taken(m), "", time.Time{}
	case meeting.KindMessage:
		if ev.Message == nil || ev.Message.Role != meeting.Visitor || ev.Message.Via == a.desk() {
			return "", "", time.Time{}
		}
		return a.texts.said(m, *ev.Message), "", time.Time{}
	case meeting.KindEnded:
		return a.texts.ended(m), "", time.Time{}
	default:
		return "", "", time.Time{}
	}
}

// ringText is the account's own body for the first round, else ours; with the
// link on its own line and the reference somewhere.
func (c *Connector) ringText(a *account, m meeting.Meeting, link string) string {
	if a.body == nil || m.Ring.Round > 1 {
		return a.texts.ringing(m) + "\n" + link
	}
	text := clean(a.body.text(values(m, link)))
	if !strings.Contains(text, m.Reference()) {
		text += "\n" + m.Reference()
	}
	return text
}

// message is the flat body XCALLY takes.
func (c *Connector) message(a *account, m meeting.Meeting, text, link string) ([]byte, error) {
	data := values(m, link)
	out := map[string]any{"threadId": string(m.ID), "body": text}
	out["from"], out["mapKey"] = a.sender(m, data)
	first, last, _ := strings.Cut(oneLine(m.Visitor.Name), " ")
	for key, value := range map[string]string{
		"firstName": first, "lastName": strings.TrimSpace(last),
		"phone": oneLine(m.Visitor.Phone), "email": oneLine(m.Visitor.Email), "externalUrl": link,
	} {
		if value != "" {
			out[key] = value
		}
	}
	for key, t := range a.fields {
		out[key] = t.render(data)
	}

	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(out); err != nil {
		return nil, err
	}
	body := bytes.TrimSpace(b.Bytes())
	doc, err := schemas.Decode(body)
	if err != nil {
		return nil, err
	}
	return body, c.out.Check(doc)
}

// sender is how XCALLY knows the visitor: a value that is never empty, and the
// contact field it stands in.
func (a *account) sender(m meeting.Meeting, data map[string]any) (from, mapKey string) {
	if v := strings.TrimSpace(a.from.text(data)); v != "" {
		return v, a.mapKey
	}
	first := func(values ...string) string {
		for _, v := range values {
			if v = oneLine(v); v != "" {
				return v
			}
		}
		return ""
	}
	phone, email := first(m.Visitor.Phone, m.Metadata["phone"]), first(m.Visitor.Email, m.Metadata["email"])
	switch {
	case email != "" && (phone == "" || a.mapKey == "email"):
		return email, "email"
	case phone != "":
		return phone, "phone"
	}
	return string(m.Code), a.anonymousKey
}

// values is what templates see as data.
func values(m meeting.Meeting, link string) map[string]any {
	first, last, _ := strings.Cut(oneLine(m.Visitor.Name), " ")
	round := 0
	if m.Ring != nil {
		round = m.Ring.Round
	}
	return map[string]any{
		"id": string(m.ID), "code": string(m.Code), "reference": m.Reference(), "topic": m.Topic, "language": m.Language,
		"queue": m.Queue, "site": m.Site, "link": link, "round": round,
		"visitor": map[string]any{
			"name": m.Visitor.Name, "firstName": first, "lastName": strings.TrimSpace(last),
			"email": m.Visitor.Email, "phone": m.Visitor.Phone, "externalId": m.Visitor.ExternalID,
		},
		"metadata": m.Metadata,
		"fields":   m.Fields,
		"page":     map[string]any{"url": m.Page.URL, "title": m.Page.Title},
	}
}
