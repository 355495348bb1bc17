package thirdparty_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"ringdown/customer"
	"ringdown/internal/leak"
	"ringdown/thirdparty"
)

// What somebody who can guess the ids of users and calls can do without a proof:
// they are short, and grow by one.

const openly = "/thirdparty/xucmgt"

// stranger posts without a proof and gives the answer.
func (d *desk) stranger(body string) map[string]any {
	d.t.Helper()
	w := d.send("POST", openly, body)
	var a map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
		d.t.Fatalf("%d %s", w.Code, w.Body)
	}
	return a
}

func TestAStrangerWhoGuessesACallGetsNoLinkToIt(t *testing.T) {
	leak.Check(t)
	for _, first := range []string{"stranger", "phone"} {
		for _, id := range []string{"1724763400.51", ""} {
			t.Run(first+" first, call "+id, func(t *testing.T) {
				d := newDesk(t, thirdparty.Config{Secret: pathSecret})
				d.customers.Records = []customer.Record{{ID: "shop:1", Name: "Anna", Phones: []string{"+33612345678"}}}
				body := strings.Replace(call("12", id, "+33612345678"), `"callDataCallId":"",`, "", 1)
				var theirs, ours map[string]any
				if first == "stranger" {
					theirs = d.stranger(body)
					d.pass(time.Second)
					ours = d.ring(body)
				} else {
					ours = d.ring(body)
					d.open(ours)
					d.pass(time.Second)
					theirs = d.stranger(body)
				}
				if theirs["url"] == ours["url"] {
					t.Error("the stranger was given the link of the agent's page")
				}
				d.pass(time.Second)
				if v := d.open(theirs); v["trust"].(map[string]any)["by"] != nil {
					t.Errorf("the stranger's page is trusted: %v", v["trust"])
				}
				if status, v := d.page(theirs, "GET", "/customer", ""); status < 400 {
					t.Errorf("the stranger reads %v", v)
				}
				if v := d.open(ours); v["trust"].(map[string]any)["by"] != "secret" {
					t.Errorf("the agent's page is no longer trusted: %v", v["trust"])
				}
			})
		}
	}
}

func TestAStrangerIsNotToldOfAnOpenPage(t *testing.T) {
	leak.Check(t)
	d := newDesk(t, thirdparty.Config{Secret: pathSecret, Rules: []thirdparty.Rule{
		{Name: "sales", Queues: []string{"sales"}, Autopause: true}, {Name: "else", Action: "none"},
	}})
	ours := d.ring(call("12", "c1", "06"))
	d.pass(time.Second)
	d.open(ours)
	if a := d.stranger(`{"user":{"userId":12},"caller":"07","callDataCallId":"c2"}`); len(a) != 1 {
		t.Errorf("a stranger is answered %v", a)
	}
}

func TestAStrangerCannotPauseAnAgent(t *testing.T) {
	leak.Check(t)
	d := newDesk(t, thirdparty.Config{Secret: pathSecret, Rules: []thirdparty.Rule{
		{Name: "sales", Queues: []string{"sales"}, Autopause: true}, {Name: "direct", Queues: []string{"direct"}}, {Name: "else", Action: "none"},
	}})
	theirs := d.stranger(call("12", "c1", "06"))
	d.pass(time.Second)
	d.open(theirs)
	if a := d.ring(`{"user":{"userId":12},"caller":"07","callDataCallId":"c2"}`); a["autopause"] != false {
		t.Errorf("the agent is answered %v", a)
	}
	if a := d.ring(strings.NewReplacer(`"sales"`, `"other"`, `"Sales"`, `"Other"`).Replace(call("12", "c3", "06"))); len(a) != 1 {
		t.Errorf("the agent is answered %v", a)
	}
}

func TestAStrangerMakesNoPageStale(t *testing.T) {
	leak.Check(t)
	for name, body := range map[string]string{"a newer call": call("12", "c2", "07"), "an offer to a colleague": call("13", "c1", "06")} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, thirdparty.Config{Secret: pathSecret})
			ours := d.ring(call("12", "c1", "06"))
			d.pass(10 * time.Second)
			d.stranger(body)
			d.pass(10 * time.Second)
			if v := d.open(ours); v["stale"] != nil {
				t.Errorf("the agent's page is stale: %v", v["stale"])
			}
		})
	}
}

// Without any proof all rings are alike, and the traps of the client are still
// answered; but no link of one ring is given to another.
func TestWithoutAProofAPauseIsKeptAndNoLinkGiven(t *testing.T) {
	leak.Check(t)
	d := newDesk(t, thirdparty.Config{Rules: []thirdparty.Rule{{Name: "sales", Queues: []string{"sales"}, Autopause: true}, {Name: "else", Action: "none"}}})
	first := d.stranger(call("12", "c1", "06"))
	d.pass(time.Second)
	d.open(first)
	a := d.stranger(`{"user":{"userId":12},"caller":"07","callDataCallId":"c2"}`)
	if a["triggered"] != true || a["autopause"] != true {
		t.Errorf("the pause is forgotten: %v", a)
	}
	if url, _ := a["url"].(string); strings.Contains(url, "#") {
		t.Error("the link of the open page is given away")
	}
}

func TestASheetOfAStrangerIsNotTheAgents(t *testing.T) {
	leak.Check(t)
	d := newDesk(t, thirdparty.Config{Secret: pathSecret})
	url := func(secret string) string {
		w := d.send("POST", "/thirdparty/sheet", fmt.Sprintf(`{"folder":"+33612345678","user":"abyron","secret":%q}`, secret))
		var a map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &a); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		return a["url"]
	}
	theirs := url("")
	d.pass(time.Second)
	if ours := url(pathSecret); ours == theirs {
		t.Error("the stranger has the link of the agent's sheet")
	}
}

// Rings without a proof fill neither the store nor the journal, and those with
// one go on from the same address.
func TestACrowdOfStrangersIsLimited(t *testing.T) {
	leak.Check(t)
	d := newDesk(t, thirdparty.Config{Secret: pathSecret})
	opened := 0
	for i := range 1000 {
		a := d.stranger(call(fmt.Sprint(i), fmt.Sprint("c", i), "06"))
		if a["action"] == "open" {
			opened++
		} else if len(a) != 1 {
			t.Fatal(a)
		}
	}
	if opened != 600 {
		t.Errorf("%d rings were taken at once", opened)
	}
	lines := 0
	for _, e := range d.journal.Entries() {
		if e.Kind == "refused" {
			lines++
			if !strings.Contains(e.Problem, "connectors.thirdparty.secret") {
				t.Errorf("the repair is not named: %q", e.Problem)
			}
		}
	}
	if lines != 1 {
		t.Errorf("%d lines of the journal", lines)
	}
	if a := d.ring(call("1", "proved", "06")); a["action"] != "open" {
		t.Errorf("the phone is answered %v", a)
	}
	d.pass(time.Second)
	if a := d.stranger(call("1", "later", "06")); a["action"] != "open" {
		t.Errorf("a second later: %v", a)
	}
}

// Whatever is wrong with a request is answered 200, does nothing, and is told in
// the journal with its field.
func TestTheJournalSaysWhatWasWrong(t *testing.T) {
	leak.Check(t)
	for name, tc := range map[string]struct{ kind, body, path, want string }{
		"no JSON":           {"application/json", "{", "", "JSON"},
		"a field":           {"application/json", `{"user":{"userId":"x"}}`, "", "/user/userId"},
		"a missing field":   {"application/json", `{"user":{}}`, "", "/user/userId is missing"},
		"too much":          {"application/json", strings.Repeat(" ", 300<<10), "", "larger than 262144 bytes"},
		"a form":            {"text/plain", call("1", "c", "06"), "", "header:Content-Type must be application/json"},
		"no kind":           {"", call("1", "c", "06"), "", "header:Content-Type"},
		"a wrong secret":    {"application/json; charset=UTF-8", call("1", "c", "06"), "/wrong", "the end of THIRD_PARTY_URL is not connectors.thirdparty.secret"},
		"no secret":         {"application/json", call("1", "c", "06"), "", "put connectors.thirdparty.secret at the end"},
		"a path too long":   {"application/json", call("1", "c", "06"), "/a/b", "nothing at this address"},
		"a path of no text": {"application/json", call("1", "c", "06"), "/%ff", "path:secret"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, thirdparty.Config{Secret: pathSecret})
			w := d.send("POST", openly+tc.path, tc.body, "Content-Type", tc.kind, "Origin", "https://xuc.example")
			if w.Code != http.StatusOK || w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Content-Type") != "application/json" {
				t.Errorf("%d %v", w.Code, w.Header())
			}
			fits(t, load(t, "xucmgt/action.emit.json"), w.Body.Bytes())
			es := d.journal.Entries()
			if len(es) != 1 || !strings.Contains(es[0].Problem, tc.want) || strings.Contains(es[0].Problem, "wrong\"") {
				t.Errorf("the journal says %+v", es)
			}
		})
	}
}

func TestAddressesTriedByHandAreAnswered(t *testing.T) {
	leak.Check(t)
	d := newDesk(t, thirdparty.Config{Secret: pathSecret})
	for _, path := range []string{openly, openly + "/" + pathSecret} {
		if w := d.send("OPTIONS", path, "", "Origin", "https://xuc.example"); w.Code != http.StatusOK || w.Body.Len() > 0 || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("OPTIONS: %d %v", w.Code, w.Header())
		}
		if w := d.send("GET", path, ""); w.Code != http.StatusMethodNotAllowed || !strings.Contains(w.Body.String(), "POST") {
			t.Errorf("GET: %d %s", w.Code, w.Body)
		}
	}
}

// A fault of ours in the middle of a ring is answered as nothing to do.
func TestAPanicIsNone(t *testing.T) {
	leak.Check(t)
	d := newDeskTo(t, thirdparty.Config{Secret: pathSecret}, nil)
	d.customers.Panic = true
	w := d.send("POST", openly+"/"+pathSecret, call("1", "c", "06"), "Origin", "https://xuc.example")
	if w.Code != http.StatusOK || strings.TrimSpace(w.Body.String()) != `{"action":"none"}` || w.Header().Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
	}
}
