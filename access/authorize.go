package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"

	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
)

// The roles of API keys.
const (
	Admin      = "admin"      // everything
	Integrator = "integrator" // makes and reads meetings
)

// APIKey is a secret key of the daemon as it is kept: hashed.
type APIKey struct {
	Name string // for the log
	Role string // Admin or Integrator
	Hash string // hex SHA-256 of the key, see HashAPIKey
}

// HashAPIKey is how API keys are kept. A key is 256 random bits, so a plain hash
// is enough.
func HashAPIKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

// SiteHeader carries a site's publishable key.
const SiteHeader = "Ringdown-Site"

// Authorizer finds out who calls; it is httpd's port.
type Authorizer struct {
	keys   *Keys
	policy meeting.Policy
	own    string // our own origin: its pages speak for every site
	api    []APIKey
}

var _ httpd.Authorizer = (*Authorizer)(nil)

// NewAuthorizer makes an Authorizer. own is the origin of our own pages, from
// which every site key works (the plain link page).
func NewAuthorizer(keys *Keys, policy meeting.Policy, own string, api []APIKey) *Authorizer {
	return &Authorizer{keys: keys, policy: policy, own: own, api: api}
}

// Authorize implements httpd.Authorizer. A Bearer token is looked at before a
// site key; what was shown and is wrong is refused, never passed over.
func (a *Authorizer) Authorize(r *http.Request, who httpd.Who) (httpd.Principal, error) {
	ways := who.Ways()
	way := func(k httpd.Kind) *httpd.Way {
		i := slices.IndexFunc(ways, func(w httpd.Way) bool { return w.Kind == k })
		if i < 0 {
			return nil
		}
		return &ways[i]
	}
	if bearer, ok := bearerOf(r); ok {
		if strings.HasPrefix(bearer, "rk_") {
			return a.apiKey(bearer, way(httpd.KindAPIKey))
		}
		return a.session(bearer, way(httpd.KindSession))
	}
	if key := r.Header.Get(SiteHeader); key != "" {
		if way(httpd.KindSite) == nil {
			return httpd.Principal{}, fault.New(fault.Forbidden, "a site key may not do this")
		}
		return a.site(key, r)
	}
	return httpd.Principal{}, fault.New(fault.Unauthorized, "this needs %s", needs(ways))
}

func (a *Authorizer) apiKey(key string, way *httpd.Way) (httpd.Principal, error) {
	hash := []byte(HashAPIKey(key))
	for _, k := range a.api {
		if subtle.ConstantTimeCompare(hash, []byte(k.Hash)) != 1 {
			continue
		}
		if way == nil || (len(way.Roles) > 0 && !slices.Contains(way.Roles, k.Role)) {
			return httpd.Principal{}, fault.New(fault.Forbidden, "this API key may not do this")
		}
		return httpd.Principal{Kind: httpd.KindAPIKey, ID: k.Name, Role: k.Role}, nil
	}
	return httpd.Principal{}, fault.New(fault.Unauthorized, "this API key is not known")
}

func (a *Authorizer) session(token string, way *httpd.Way) (httpd.Principal, error) {
	s, err := a.keys.VerifySession(token)
	if err != nil {
		return httpd.Principal{}, err
	}
	if way == nil || (len(way.Roles) > 0 && !slices.Contains(way.Roles, string(s.Role))) {
		return httpd.Principal{}, fault.New(fault.Forbidden, "this session may not do this")
	}
	return SessionPrincipal(s), nil
}

// SessionPrincipal is the caller that a session stands for. ID is the
// participant of a visitor and the key of an agent.
func SessionPrincipal(s Session) httpd.Principal {
	p := httpd.Principal{Kind: httpd.KindSession, Role: string(s.Role), Meeting: string(s.Meeting), Site: s.Site, ID: string(s.Participant)}
	if s.Role == meeting.AgentR {
		p.ID = string(s.Agent)
	}
	return p
}

// site judges a site key by the page's origin. A browser sends none with a
// read of its own origin, and nothing can be written without one.
func (a *Authorizer) site(key string, r *http.Request) (httpd.Principal, error) {
	origin := r.Header.Get("Origin")
	read := origin == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead)
	s, ok := a.policy.SiteByKey(key)
	if !ok {
		return httpd.Principal{}, fault.New(fault.Unauthorized, "this site key is not known")
	}
	if !read && origin != a.own && !slices.Contains(s.Origins, origin) {
		return httpd.Principal{}, fault.New(fault.OriginRefused, "the page's origin is not listed for this site; add it to sites[].origins")
	}
	return httpd.Principal{Kind: httpd.KindSite, ID: s.Key, Site: s.ID}, nil
}

func bearerOf(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.TrimSpace(token), ok && strings.EqualFold(scheme, "Bearer")
}

func needs(ways []httpd.Way) string {
	words := map[httpd.Kind]string{
		httpd.KindSite: "a site key in Ringdown-Site", httpd.KindSession: "the session of a link as Bearer token",
		httpd.KindAPIKey: "an API key as Bearer token",
	}
	var all []string
	for _, w := range ways {
		all = append(all, words[w.Kind])
	}
	return strings.Join(all, " or ")
}
