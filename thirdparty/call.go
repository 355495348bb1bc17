package thirdparty

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ringdown/fault"
	"ringdown/meeting"
	"ringdown/schemas"
)

// call is what the agent app posts on a ringing call (contract section 3), in
// one form for all its versions: missing and null are "", ids are text.
type call struct {
	User struct {
		UserID    string
		AgentID   string
		FullName  string
		FirstName string
		LastName  string
		Token     string // never kept, never logged
	}
	Callee string
	Caller string
	Number string // Caller in E.164, if it is one
	Queue  *queue // nil: a direct call
	Data   map[string]string
	CallID string
}

type queue struct{ ID, Name, DisplayName, Number string }

const (
	bodyLimit   = 256 << 10
	dataEntries = 100
	dataKey     = 64  // characters
	dataValue   = 500 // characters
	words       = 200 // characters of a name or a label
	numberLimit = 60  // characters of a number as the phone shows it
)

// decodeCall reads a body and checks it against the schema. The error is a fault
// that names the field and repeats no value.
func decodeCall(body []byte, schema *schemas.Schema) (c call, err error) {
	doc, err := schemas.Decode(body)
	if err != nil {
		return c, err
	}
	if err := schema.Check(doc); err != nil {
		return c, err
	}
	top, _ := doc.(map[string]any) // the schema wants an object
	user, _ := top["user"].(map[string]any)
	c.User.UserID = strings.TrimLeft(text(user["userId"], 20), "0")
	if c.User.UserID == "" {
		c.User.UserID = "0"
	}
	c.User.AgentID = text(user["agentId"], 20)
	c.User.FirstName, c.User.LastName = text(user["firstName"], words), text(user["lastName"], words)
	if c.User.FullName = text(user["fullName"], words); c.User.FullName == "" {
		c.User.FullName = strings.TrimSpace(c.User.FirstName + " " + c.User.LastName)
	}
	c.User.Token, _ = user["token"].(string)
	c.Callee, c.Caller, c.CallID = text(top["callee"], numberLimit), text(top["caller"], numberLimit), text(top["callDataCallId"], words)
	if q, ok := top["queue"].(map[string]any); ok {
		c.Queue = &queue{ID: text(q["id"], 20), Name: text(q["name"], words), DisplayName: text(q["displayName"], words), Number: text(q["number"], numberLimit)}
		if *c.Queue == (queue{}) {
			c.Queue = nil
		}
	}
	c.Data = map[string]string{}
	data, _ := top["userData"].(map[string]any)
	for _, k := range slices.Sorted(maps.Keys(data)) {
		key, value := oneLine(k, dataKey), text(data[k], dataValue)
		if key != "" && value != "" && len(c.Data) < dataEntries {
			c.Data[key] = value
		}
	}
	return c, nil
}

// text is a scalar as one line; anything else is "".
func text(v any, limit int) string {
	switch v := v.(type) {
	case string:
		return oneLine(v, limit)
	case json.Number:
		return oneLine(v.String(), limit)
	case bool:
		return fmt.Sprint(v)
	}
	return ""
}

// agent is the phone's user as the core knows them.
func (c call) agent() meeting.Agent {
	return meeting.Agent{Key: meeting.AgentKey(Name + ":" + c.User.UserID), Name: c.User.FullName}
}

// phoneID is the same for the same call of the same agent with the same class of
// proof, on every node and after every restart.
func (c call) phoneID(class, of string) meeting.PhoneCallID {
	text := Desk + "\x00" + c.User.UserID + "\x00" + of
	if class != "" {
		text += "\x00" + class
	}
	sum := sha256.Sum256([]byte(text))
	return meeting.PhoneCallID("phc_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:16])))
}

// problemOf is what is wrong with a request, for the journal: the field and what
// to do, never a value.
func problemOf(err error) string {
	f := fault.Of(err)
	if len(f.Fields) > 0 {
		parts := make([]string, 0, 3)
		for _, one := range f.Fields[:min(3, len(f.Fields))] {
			parts = append(parts, one.Pointer+" "+one.Detail)
		}
		return strings.Join(parts, "; ")
	}
	return f.Detail
}

// masked shows enough of a number to know it again.
func masked(number string) string {
	rs := []rune(number)
	if len(rs) < 6 {
		return strings.Repeat("•", len(rs))
	}
	return string(rs[:2]) + "…" + string(rs[len(rs)-2:])
}
