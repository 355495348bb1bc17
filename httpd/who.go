package httpd

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Kind is one way of proving who one is.
type Kind string

// The kinds; the list is closed.
const (
	KindAnyone  Kind = "anyone"   // nothing to prove
	KindSite    Kind = "site_key" // a publishable site key together with a listed origin
	KindSession Kind = "session"  // the session of one person in one meeting, got from a link
	KindAPIKey  Kind = "api_key"  // a secret key of an integrator or an administrator
	KindProof   Kind = "proof"    // a proof that the handler itself judges
)

// Who says who may call a route. It is made by Anyone, SiteKey, Session,
// APIKey, Proof and Any only. A route whose Who is nil does not start.
type Who interface {
	// Ways lists what is enough to come in; any one of them is.
	Ways() []Way
	fmt.Stringer
	sealed()
}

// Way is one way in: a kind and, where the kind has roles, the roles that may
// come by it. No roles means every role.
type Way struct {
	Kind  Kind
	Roles []string
}

// Bare is a Who of one kind without roles.
type Bare Kind

const (
	// Anyone opens a route to everybody. The Authorizer is not asked.
	Anyone Bare = Bare(KindAnyone)
	// SiteKey opens a route to pages of a site: its publishable key and one of
	// its listed origins.
	SiteKey Bare = Bare(KindSite)
)

// Session opens a route to a person of a meeting with one of the roles.
func Session(roles ...string) Who { return ways{{Kind: KindSession, Roles: roles}} }

// APIKey opens a route to the holder of an API key with one of the roles.
func APIKey(roles ...string) Who { return ways{{Kind: KindAPIKey, Roles: roles}} }

// Proof opens a route whose handler judges the proof itself, such as a vendor's
// signature over the raw body or a secret in the path. what names the proof for
// the reader of the route table. The Authorizer is not asked.
func Proof(what string) Who { return ways{{Kind: KindProof, Roles: []string{what}}} }

// Any opens a route to callers that one of the given Who would let in.
func Any(of ...Who) Who {
	var all ways
	for _, w := range of {
		if w == nil {
			return nil
		}
		all = append(all, w.Ways()...)
	}
	return all
}

// Ways gives the single way.
func (b Bare) Ways() []Way    { return []Way{{Kind: Kind(b)}} }
func (b Bare) String() string { return string(b) }
func (Bare) sealed()          {}

type ways []Way

func (w ways) Ways() []Way { return slices.Clone(w) }
func (ways) sealed()       {}

func (w ways) String() string {
	words := make([]string, len(w))
	for i, way := range w {
		words[i] = string(way.Kind)
		if len(way.Roles) > 0 {
			words[i] += "(" + strings.Join(way.Roles, ",") + ")"
		}
	}
	return strings.Join(words, " or ")
}

// Principal is who calls. The zero Principal is nobody in particular.
type Principal struct {
	Kind    Kind   // the way the caller came in; KindAnyone or KindProof when nobody was looked up
	ID      string // the participant, the API key or the site key; empty for anyone
	Role    string // the role within the kind: visitor, agent, …, integrator, admin
	Meeting string // the meeting of a session, else empty
	Name    string // a name to show, may be empty
	Site    string // the site a site key or a session belongs to, may be empty
}

// Authorizer finds out who sends a request.
type Authorizer interface {
	// Authorize returns the caller if the request proves one of who's ways. The
	// error is a fault.Error: unauthorized when nothing valid was shown,
	// forbidden when it was but is not enough, origin_refused when a site key
	// came from a page that is not listed. It must not read the body. Many
	// goroutines call it at the same time.
	Authorize(r *http.Request, who Who) (Principal, error)
}

// needsNobody tells whether a request passes without asking the Authorizer, and
// as what.
func needsNobody(who Who) (Kind, bool) {
	all := who.Ways()
	if len(all) == 1 && (all[0].Kind == KindAnyone || all[0].Kind == KindProof) {
		return all[0].Kind, true
	}
	return "", false
}

// admits is the second look at what the Authorizer answered: the principal must
// fit one of the ways the route declares.
func admits(who Who, p Principal) bool {
	for _, w := range who.Ways() {
		if w.Kind == p.Kind && (len(w.Roles) == 0 || slices.Contains(w.Roles, p.Role)) {
			return true
		}
	}
	return false
}

func checkWho(who Who) error {
	if who == nil || len(who.Ways()) == 0 {
		return errors.New("does not say who may call it")
	}
	for _, w := range who.Ways() {
		switch w.Kind {
		case KindAnyone, KindSite, KindSession, KindAPIKey:
		case KindProof:
			if len(who.Ways()) > 1 || w.Roles[0] == "" {
				return errors.New("a Proof stands alone and names what the handler judges")
			}
		default:
			return fmt.Errorf("names %q, which is no way in", w.Kind)
		}
		if slices.Contains(w.Roles, "") {
			return fmt.Errorf("has an empty role for %s", w.Kind)
		}
	}
	return nil
}
