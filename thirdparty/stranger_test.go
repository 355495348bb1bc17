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
