package access_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ringdown/access"
	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
)

// clock is a time that a test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func root(id string, fill byte, at time.Time) access.Root {
	return access.Root{ID: id, Secret: bytes.Repeat([]byte{fill}, access.RootSize), CreatedAt: at}
}

func newKeys(t *testing.T, c *clock, roots ...access.Root) *access.Keys {
	t.Helper()
	if roots == nil {
		roots = []access.Root{root("k1", 1, c.t)}
	}
	k, err := access.NewKeys(roots, c.now)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestLinkSecret(t *testing.T) {
	c := &clock{time.Unix(1_700_000_000, 0)}
	k := newKeys(t, c)
	s := k.LinkSecret("inv_1", 0)
	if len(s) != 22 || s != k.LinkSecret("inv_1", 0) {
		t.Fatalf("%q is not 22 characters, or not the same twice", s)
	}
	if !k.LinkOpens("inv_1", 0, s) {
		t.Error("does not open")
	}
	for name, wrong := range map[string]bool{
		"another invitation":     k.LinkOpens("inv_2", 0, s),
		"another generation":     k.LinkOpens("inv_1", 1, s),
		"empty":                  k.LinkOpens("inv_1", 0, ""),
		"the id with a NUL":      k.LinkOpens("inv_1\x00", 0, s),
		"one more character":     k.LinkOpens("inv_1", 0, s+"A"),
		"another daemon's":       newKeys(t, c, root("k1", 2, c.t)).LinkOpens("inv_1", 0, s),
		"case":                   k.LinkOpens("inv_1", 0, strings.ToLower(s)) && s != strings.ToLower(s),
		"padded to another form": k.LinkOpens("inv_1", 0, s+"=="),
	} {
		if wrong {
			t.Errorf("%s opens", name)
		}
	}
	// A retired root still opens its links; new ones come from the new root.
	old := root("k1", 1, c.t)
	old.RetiredAt = c.t.Add(time.Hour)
	both := newKeys(t, c, old, root("k2", 2, c.t.Add(time.Hour)))
	if !both.LinkOpens("inv_1", 0, s) || both.LinkSecret("inv_1", 0) == s {
		t.Error("rotation broke a link, or did not rotate")
	}
}

func TestTokens(t *testing.T) {
	c := &clock{time.Unix(1_700_000_000, 0)}
	k := newKeys(t, c)
	session, expires, err := k.SignSession(access.Session{Meeting: "mtg_1", Role: meeting.AgentR, Agent: "link:x", Site: "shop"})
	if err != nil {
		t.Fatal(err)
	}
	media, err := k.SignMedia(access.Room{Meeting: "mtg_1", Participant: "par_1", Role: meeting.Visitor, Name: "Anna", Audio: true})
	if err != nil {
		t.Fatal(err)
	}
	got, err := k.VerifySession(session)
	if err != nil || got.Meeting != "mtg_1" || got.Agent != "link:x" || got.Role != meeting.AgentR || !got.Expires.Equal(expires) {
		t.Fatalf("%+v, %v", got, err)
	}
	if r, err := k.VerifyMedia(media); err != nil || r.Participant != "par_1" || !r.Audio || r.Video || r.Name != "Anna" {
		t.Fatalf("%+v, %v", r, err)
	}

	part := strings.Split(session, ".")
	enc := base64.RawURLEncoding.EncodeToString
	head := func(change func(map[string]any)) string {
		raw, _ := base64.RawURLEncoding.DecodeString(part[0])
		var m map[string]any
		_ = json.Unmarshal(raw, &m)
		change(m)
		b, _ := json.Marshal(m)
		return enc(b) + "." + part[1] + "." + part[2]
	}
	other, _, _ := newKeys(t, c, root("k1", 9, c.t)).SignSession(access.Session{Meeting: "mtg_1"})
	otherID, _, _ := newKeys(t, c, root("k9", 1, c.t)).SignSession(access.Session{Meeting: "mtg_1"})
	for name, bad := range map[string]string{
		"empty":             "",
		"no token":          "abc",
		"two parts":         part[0] + "." + part[1],
		"no signature":      part[0] + "." + part[1] + ".",
		"alg none":          enc([]byte(`{"alg":"none","typ":"session+jwt","kid":"k1"}`)) + "." + part[1] + ".",
		"alg none, signed":  head(func(m map[string]any) { m["alg"] = "none" }),
		"another alg":       head(func(m map[string]any) { m["alg"] = "HS512" }),
		"another type":      head(func(m map[string]any) { m["typ"] = "JWT" }),
		"no type":           head(func(m map[string]any) { delete(m, "typ") }),
		"another kid":       head(func(m map[string]any) { m["kid"] = "k2" }),
		"no kid":            head(func(m map[string]any) { delete(m, "kid") }),
		"a changed payload": part[0] + "." + enc([]byte(`{"iss":"ringdown","aud":["ringdown:session"],"exp":9999999999,"meeting":"mtg_2","role":"agent"}`)) + "." + part[2],
		"a media token":     media,
		"another daemon's":  other,
		"an unknown root's": otherID,
		"JSON form":         `{"payload":"` + part[1] + `","signatures":[]}`,
		"with blanks":       " " + session + " x",
	} {
		if _, err := k.VerifySession(bad); !fault.Is(err, fault.Unauthorized) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := k.VerifyMedia(session); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a session as media token: %v", err)
	}
	for i := range len(part[2]) * 6 { // every bit of the signature but the padding's
		b, _ := base64.RawURLEncoding.DecodeString(part[2])
		if i/8 >= len(b) {
			break
		}
		b[i/8] ^= 1 << (i % 8)
		if _, err := k.VerifySession(part[0] + "." + part[1] + "." + enc(b)); err == nil {
			t.Fatalf("bit %d of the signature does not matter", i)
		}
	}
	c.t = c.t.Add(2*time.Minute + 10*time.Second)
	if _, err := k.VerifyMedia(media); !fault.Is(err, fault.Unauthorized) {
		t.Error("a media token outlives its two minutes")
	}
	if _, err := k.VerifySession(session); err != nil {
		t.Errorf("a session after two minutes: %v", err)
	}
	c.t = expires.Add(time.Minute)
	if _, err := k.VerifySession(session); !fault.Is(err, fault.Unauthorized) {
		t.Error("a session outlives its end")
	}
	c.t = time.Unix(1_600_000_000, 0)
	if _, err := k.VerifySession(session); !fault.Is(err, fault.Unauthorized) {
		t.Error("a session from the future is taken")
	}
}

// shelf keeps API keys for a test.
type shelf struct {
	keys map[string]access.APIKey
	used []string
}

func (s *shelf) KeyByHash(_ context.Context, hash string) (access.APIKey, error) {
	if hash == access.HashAPIKey("rk_broken") {
		return access.APIKey{}, errors.New("disk full")
	}
	k, there := s.keys[hash]
	if !there {
		return k, meeting.ErrNoRow
	}
	return k, nil
}

func (s *shelf) UsedKey(_ context.Context, id string, now time.Time) error {
	s.used = append(s.used, id)
	for h, k := range s.keys {
		if k.ID == id {
			k.LastUsed = now
			s.keys[h] = k
		}
	}
	return errors.New("read-only: costs the note only")
}

func TestTheLastUseOfAKeyIsNotedCoarsely(t *testing.T) {
	c := &clock{time.Unix(1_700_000_000, 0)}
	s := &shelf{keys: map[string]access.APIKey{}}
	text, kept := access.NewAPIKey("key_1", "shop", access.Integrator, c.t)
	s.keys[kept.Hash] = kept
	a := access.NewAuthorizer(newKeys(t, c), meeting.Policy{}, "", nil, s, c.now)
	for range 11 {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+text)
		if _, err := a.Authorize(r, httpd.APIKey(access.Integrator)); err != nil {
			t.Fatal(err)
		}
		c.t = c.t.Add(time.Minute)
	}
	if len(s.used) != 3 {
		t.Errorf("noted %d times in ten minutes, want 3", len(s.used))
	}
}

func TestAuthorize(t *testing.T) {
	c := &clock{time.Unix(1_700_000_000, 0)}
	k := newKeys(t, c)
	const shop, own = "https://shop.example", "https://video.example"
	stored := &shelf{keys: map[string]access.APIKey{}}
	a := access.NewAuthorizer(k, meeting.Policy{Sites: []meeting.Site{{ID: "shop", Key: "pk_shop1234", Origins: []string{shop}}}}, own,
		[]access.APIKey{{ID: "ops", Role: access.Integrator, Hash: access.HashAPIKey("rk_right")}}, stored, c.now)
	visitor, _, _ := k.SignSession(access.Session{Meeting: "mtg_1", Role: meeting.Visitor, Participant: "par_1"})
	text, kept := access.NewAPIKey("key_1", "shop", access.Admin, c.t)
	stored.keys[kept.Hash] = kept
	gone, revoked := access.NewAPIKey("key_2", "old", access.Admin, c.t)
	revoked.RevokedAt = c.t
	stored.keys[revoked.Hash] = revoked
	if len(text) != 3+43 || strings.Contains(kept.Hash, text) {
		t.Errorf("%d characters", len(text))
	}
	var (
		site    = httpd.Who(httpd.SiteKey)
		keys    = httpd.APIKey(access.Admin, access.Integrator)
		admin   = httpd.APIKey(access.Admin)
		session = httpd.Session("visitor")
		agent   = httpd.Session("agent")
	)
	for _, tc := range []struct {
		name, method string
		headers      map[string]string
		who          httpd.Who
		want         fault.Code // "": admitted
		id           string
	}{
		{"nothing", "GET", nil, keys, fault.Unauthorized, ""},
		{"the right key", "GET", map[string]string{"Authorization": "Bearer rk_right"}, keys, "", "ops"},
		{"in another case of the scheme", "GET", map[string]string{"Authorization": "bearer rk_right"}, keys, "", "ops"},
		{"a wrong key", "GET", map[string]string{"Authorization": "Bearer rk_wrong"}, keys, fault.Unauthorized, ""},
		{"a stored key", "GET", map[string]string{"Authorization": "Bearer " + text}, admin, "", "key_1"},
		{"a revoked key", "GET", map[string]string{"Authorization": "Bearer " + gone}, keys, fault.Unauthorized, ""},
		{"a key when nothing can be read", "GET", map[string]string{"Authorization": "Bearer rk_broken"}, keys, fault.Unavailable, ""},
		{"a key of another role", "GET", map[string]string{"Authorization": "Bearer rk_right"}, admin, fault.Forbidden, ""},
		{"a key where a session is wanted", "GET", map[string]string{"Authorization": "Bearer rk_right"}, session, fault.Forbidden, ""},
		{"a session", "GET", map[string]string{"Authorization": "Bearer " + visitor}, session, "", "par_1"},
		{"a session of another role", "GET", map[string]string{"Authorization": "Bearer " + visitor}, agent, fault.Forbidden, ""},
		{"Basic", "GET", map[string]string{"Authorization": "Basic cms6eA=="}, keys, fault.Unauthorized, ""},
		{"a site key from its page", "POST", map[string]string{"Ringdown-Site": "pk_shop1234", "Origin": shop}, site, "", "pk_shop1234"},
		{"from a page of ours", "POST", map[string]string{"Ringdown-Site": "pk_shop1234", "Origin": own}, site, "", "pk_shop1234"},
		{"from elsewhere", "POST", map[string]string{"Ringdown-Site": "pk_shop1234", "Origin": "https://shop.example.evil"}, site, fault.OriginRefused, ""},
		{"from a page with no origin", "POST", map[string]string{"Ringdown-Site": "pk_shop1234", "Origin": "null"}, site, fault.OriginRefused, ""},
		{"writing without an origin", "POST", map[string]string{"Ringdown-Site": "pk_shop1234"}, site, fault.OriginRefused, ""},
		{"reading without an origin", "GET", map[string]string{"Ringdown-Site": "pk_shop1234"}, site, "", "pk_shop1234"},
		{"an unknown site", "POST", map[string]string{"Ringdown-Site": "pk_other123", "Origin": shop}, site, fault.Unauthorized, ""},
		{"a site key where a key is wanted", "POST", map[string]string{"Ringdown-Site": "pk_shop1234", "Origin": shop}, keys, fault.Forbidden, ""},
		{"a wrong key beside a good site key", "POST", map[string]string{"Ringdown-Site": "pk_shop1234", "Origin": shop, "Authorization": "Bearer rk_wrong"}, httpd.Any(site, keys), fault.Unauthorized, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(tc.method, "/", nil)
			for k, v := range tc.headers {
				r.Header.Set(k, v)
			}
			p, err := a.Authorize(r, tc.who)
			if tc.want == "" && (err != nil || p.ID != tc.id) || tc.want != "" && !fault.Is(err, tc.want) {
				t.Fatalf("%+v, %v", p, err)
			}
		})
	}
}
