package thirdparty

import (
	"encoding/json"

	"ringdown/schemas"
)

// answer is what the agent app is told (contract section 4). Its fields follow
// the schema xucmgt/action.emit.json.
type answer struct {
	Action    string   `json:"action"`
	Event     string   `json:"event,omitempty"`
	URL       string   `json:"url,omitempty"`
	Autopause *bool    `json:"autopause,omitempty"`
	Title     string   `json:"title,omitempty"`
	Multitab  bool     `json:"multitab,omitempty"`
	Args      []string `json:"executableArgs,omitempty"`
	// Triggered: the app takes the action for one that has fired already, so it
	// never fires (contract section 6). See hold.
	Triggered bool `json:"triggered,omitempty"`
}

// none does nothing and carries nothing: the app pauses by event and autopause,
// whatever the action is.
func none() answer { return answer{Action: actionNone} }

// hold keeps the pause of a page that the agent has open. The app knows one
// action only: a plain none, or an answer without autopause, would make it
// forget to end the pause when that page is closed.
func hold(event, url string) answer {
	yes := true
	return answer{Action: actionOpen, Event: event, URL: url, Autopause: &yes, Triggered: true}
}

func page(r rule, c call, url string, autopause bool) answer {
	return answer{Action: r.Action, Event: r.event, URL: url, Autopause: &autopause, Title: r.titleOf(c), Multitab: r.Multitab}
}

func run(r rule) answer {
	return answer{Action: actionRun, Event: r.event, URL: r.program.URL, Args: r.program.Args}
}

// encode gives the answer's body; one that does not fit its schema is a bug, and
// none goes out instead.
func (a answer) encode(schema *schemas.Schema) (body []byte, bug error) {
	body, err := json.Marshal(a)
	if err == nil {
		var doc any
		if doc, err = schemas.Decode(body); err == nil {
			err = schema.Check(doc)
		}
	}
	if err != nil {
		return []byte(`{"action":"none"}`), err
	}
	return body, nil
}
