package thirdparty

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// The actions of the agent app (contract section 4).
const (
	actionOpen  = "open"
	actionPopup = "popup"
	actionRun   = "run"
	actionNone  = "none"
)

// rule is a Rule, checked and compiled.
type rule struct {
	Rule
	event   string
	program Program
	queues  []*regexp.Regexp
	direct  bool
	callers []*regexp.Regexp
	called  []*regexp.Regexp
	data    map[string]*regexp.Regexp
	hours   []hours
	zone    *time.Location
}

// hours are days of the week and a part of them, from minute to minute.
type hours struct {
	days     [7]bool // from Sunday
	from, to int
}

const titleDefault = "{queue} {caller}"

// compile returns the rule, or what is wrong: pairs of a key and a sentence.
func (r Rule) compile(programs map[string]Program) (out rule, faults [][2]string) {
	bad := func(key, format string, args ...any) {
		faults = append(faults, [2]string{key, fmt.Sprintf(format, args...)})
	}
	out = rule{Rule: r, data: map[string]*regexp.Regexp{}, zone: time.UTC}
	out.Action, out.Title = cmp.Or(r.Action, actionOpen), cmp.Or(r.Title, titleDefault)
	if !slices.Contains([]string{actionOpen, actionPopup, actionRun, actionNone}, out.Action) {
		bad("action", "must be open, popup, run or none")
	}
	var ok bool
	events := map[string]string{"": eventEstablished, "ringing": eventRinging, "answered": eventEstablished, "released": eventReleased}
	if out.event, ok = events[r.Event]; !ok {
		bad("event", "must be ringing, answered or released")
	}
	if out.Action == actionRun {
		if out.program, ok = programs[r.Run]; !ok {
			bad("run", "must be a name under programs")
		}
		if r.Autopause {
			bad("autopause", "cannot be with run: nothing would end the pause")
		}
	} else if r.Run != "" {
		bad("run", "is for the action run only")
	}
	if out.Action == actionNone && (r.Autopause || r.Event != "" || r.Multitab) {
		bad("action", "none stands alone, without event, autopause and multitab")
	}
	if r.Multitab && out.Action != actionPopup {
		bad("multitab", "is for the action popup only")
	}
	if !slices.Contains([]string{"", "en", "fr", "it"}, r.Language) {
		bad("language", "must be en, fr or it")
	}
	for _, hole := range holeRE.FindAllString(out.Title, -1) {
		if !slices.Contains([]string{"{queue}", "{caller}", "{agent}"}, hole) {
			bad("title", "has %s; {queue}, {caller} and {agent} can be filled", hole)
		}
	}
	for _, q := range r.Queues {
		if q == "direct" {
			out.direct = true
			continue
		}
		out.queues = append(out.queues, pattern(q))
	}
	for _, p := range r.Callers {
		out.callers = append(out.callers, pattern(p))
	}
	for _, p := range r.Called {
		out.called = append(out.called, pattern(p))
	}
	for k, p := range r.Data {
		out.data[k] = pattern(p)
	}
	for i, h := range r.Hours {
		one, err := parseHours(h)
		if err != nil {
			bad(fmt.Sprintf("hours[%d]", i), "%s", err)
		}
		out.hours = append(out.hours, one)
	}
	if r.TimeZone != "" {
		zone, err := time.LoadLocation(r.TimeZone)
		if err != nil {
			bad("time_zone", "is not known; write it as Europe/Paris")
		} else {
			out.zone = zone
		}
	}
	return out, faults
}

var holeRE = regexp.MustCompile(`\{[^}]*\}`)

// pattern matches a whole value, with "*" for any letters, in any case.
func pattern(p string) *regexp.Regexp {
	parts := strings.Split(p, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(`(?is)^` + strings.Join(parts, `.*`) + `$`)
}

var hoursRE = regexp.MustCompile(`^(?i:(sun|mon|tue|wed|thu|fri|sat)(?:-(sun|mon|tue|wed|thu|fri|sat))?) ([0-2]\d):([0-5]\d)-([0-2]\d):([0-5]\d)$`)

// weekday is the number of a day that hoursRE took.
func weekday(name string) int {
	return slices.Index([]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}, strings.ToLower(name))
}

func parseHours(s string) (hours, error) {
	m := hoursRE.FindStringSubmatch(s)
	if m == nil {
		return hours{}, fmt.Errorf("must be days and times, as \"mon-fri 08:00-18:00\"")
	}
	clock := func(h, m string) int { // digits, as the pattern says
		hour, _ := strconv.Atoi(h)
		minute, _ := strconv.Atoi(m)
		return hour*60 + minute
	}
	h := hours{from: clock(m[3], m[4]), to: clock(m[5], m[6])}
	if h.from >= h.to || h.to > 24*60 {
		return h, fmt.Errorf("must begin before it ends, within one day")
	}
	first := weekday(m[1])
	last := first
	if m[2] != "" {
		last = weekday(m[2])
	}
	for d := first; ; d = (d + 1) % 7 {
		h.days[d] = true
		if d == last {
			return h, nil
		}
	}
}

// fits tells whether the rule is for the call at now.
func (r rule) fits(c call, now time.Time) bool {
	any := func(ps []*regexp.Regexp, values ...string) bool {
		return len(ps) == 0 || slices.ContainsFunc(ps, func(p *regexp.Regexp) bool {
			return slices.ContainsFunc(values, func(v string) bool { return v != "" && p.MatchString(v) })
		})
	}
	if len(r.queues) > 0 || r.direct {
		direct := c.Queue == nil
		if direct && !r.direct || !direct && (len(r.queues) == 0 || !any(r.queues, c.Queue.Name, c.Queue.DisplayName, c.Queue.Number, c.Queue.ID)) {
			return false
		}
	}
	called := cmp.Or(c.Data["XIVO_DSTNUM"], c.Callee)
	if !any(r.callers, c.Caller, c.Number) || !any(r.called, called) {
		return false
	}
	for k, p := range r.data {
		if !p.MatchString(c.Data[k]) || c.Data[k] == "" {
			return false
		}
	}
	if len(r.hours) == 0 {
		return true
	}
	here := now.In(r.zone)
	minute := here.Hour()*60 + here.Minute()
	return slices.ContainsFunc(r.hours, func(h hours) bool {
		return h.days[here.Weekday()] && minute >= h.from && minute < h.to
	})
}

const titleLimit = 60 // characters; longer ones do not fit a tab

// titleOf fills the rule's title. What comes from outside is one line of visible
// text; the agent app shows it as text.
func (r rule) titleOf(c call) string {
	queue := ""
	if c.Queue != nil {
		queue = cmp.Or(c.Queue.DisplayName, c.Queue.Name)
	}
	t := strings.NewReplacer("{queue}", queue, "{caller}", c.Caller, "{agent}", c.User.FullName).Replace(r.Title)
	return cmp.Or(oneLine(t, titleLimit), "Ringdown")
}

// oneLine is s as one line of visible characters, at most n.
func oneLine(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
	rs := []rune(strings.Join(strings.Fields(s), " "))
	if len(rs) > n {
		rs = append(rs[:n-1], '…')
	}
	return string(rs)
}
