package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

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
	ID        string // "key_…", or a word for one that is no row
	Name      string // for people
	Role      string // Admin or Integrator
	Hash      string // hex SHA-256 of the key, see HashAPIKey
	CreatedAt time.Time
	LastUsed  time.Time // to useEvery; zero: never
	RevokedAt time.Time // zero: good
}

// NewAPIKey makes a key: its text, which is shown once, and what is kept of it.
func NewAPIKey(id, name, role string, now time.Time) (text string, kept APIKey) {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	text = "rk_" + base64.RawURLEncoding.EncodeToString(raw[:])
	return text, APIKey{ID: id, Name: name, Role: role, Hash: HashAPIKey(text), CreatedAt: now.UTC().Truncate(time.Millisecond)}
}

// useEvery is how coarsely the last use of a key is noted.
const useEvery = 5 * time.Minute

// KeyStore finds API keys that are kept. Every call asks what is stored now, so
// that a key is useless everywhere once it is revoked.
type KeyStore interface {
	// KeyByHash returns the key, revoked or not; meeting.ErrNoRow if there is none.
	KeyByHash(ctx context.Context, hash string) (APIKey, error)
	// UsedKey notes a use. An error costs the note only.
	UsedKey(ctx context.Context, id string, now time.Time) error
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
	stored KeyStore
	now    func() time.Time
}

var _ httpd.Authorizer = (*Authorizer)(nil)

// NewAuthorizer makes an Authorizer. own is the origin of our own pages, from
// which every site key works (the plain link page). api are keys that are always
// good, stored finds the others.
func NewAuthorizer(keys *Keys, policy meeting.Policy, own string, api []APIKey, stored KeyStore, now func() time.Time) *Authorizer {
	return &Authorizer{keys: keys, policy: policy, own: own, api: api, stored: stored, now: now}
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
			return a.apiKey(r.Context(), bearer, way(httpd.KindAPIKey))
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

func (a *Authorizer) apiKey(ctx context.Context, key string, way *httpd.Way) (httpd.Principal, error) {
	k, err := a.find(ctx, HashAPIKey(key))
	if err != nil {
		return httpd.Principal{}, err
	}
	if way == nil || (len(way.Roles) > 0 && !slices.Contains(way.Roles, k.Role)) {
		return httpd.Principal{}, fault.New(fault.Forbidden, "this API key may not do this")
	}
	return httpd.Principal{Kind: httpd.KindAPIKey, ID: k.ID, Role: k.Role}, nil
}

func (a *Authorizer) find(ctx context.Context, hash string) (APIKey, error) {
	for _, k := range a.api {
		if subtle.ConstantTimeCompare([]byte(hash), []byte(k.Hash)) == 1 {
			return k, nil
		}
	}
	k, err := a.stored.KeyByHash(ctx, hash)
	switch {
	case errors.Is(err, meeting.ErrNoRow):
		return k, fault.New(fault.Unauthorized, "this API key is not known")
	case err != nil:
		return k, fault.New(fault.Unavailable, "API keys cannot be looked up at the moment").Because(err)
	case !k.RevokedAt.IsZero():
		return k, fault.New(fault.Unauthorized, "this API key was revoked")
	}
	if now := a.now(); now.Sub(k.LastUsed) >= useEvery {
		_ = a.stored.UsedKey(ctx, k.ID, now)
	}
	return k, nil
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
