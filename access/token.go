package access

import (
	"fmt"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
	"github.com/lestrrat-go/jwx/v2/jwt"

	"ringdown/fault"
	"ringdown/meeting"
)

const (
	issuer     = "ringdown"
	sessionFor = 12 * time.Hour
	mediaFor   = 2 * time.Minute // from the join answer to the hello; a call lasts longer than its token
	skew       = 5 * time.Second
)

// Session is what a redeemed link is worth: one person in one meeting.
type Session struct {
	Meeting     meeting.ID
	Role        meeting.Role
	Participant meeting.ParticipantID // whom the link is for; empty for a rung agent, see Agent
	Agent       meeting.AgentKey      // agents
	Site        string
	Expires     time.Time // filled by SignSession
}

// Room is what a media token says.
type Room struct {
	Meeting     meeting.ID
	Participant meeting.ParticipantID
	Role        meeting.Role
	Name        string
	Audio       bool // may publish sound
	Video       bool // may publish video
}

// SignSession makes a session token, good for 12 hours.
func (k *Keys) SignSession(s Session) (string, time.Time, error) {
	return k.sign(kindSession, sessionFor, map[string]any{
		"meeting": string(s.Meeting), "role": string(s.Role), "participant": string(s.Participant),
		"agent": string(s.Agent), "site": s.Site,
	})
}

// VerifySession reads a session token or returns a fault Unauthorized.
func (k *Keys) VerifySession(token string) (Session, error) {
	t, err := k.verify(kindSession, token)
	if err != nil {
		return Session{}, err
	}
	return Session{
		Meeting: meeting.ID(claim(t, "meeting")), Role: meeting.Role(claim(t, "role")),
		Participant: meeting.ParticipantID(claim(t, "participant")), Agent: meeting.AgentKey(claim(t, "agent")),
		Site: claim(t, "site"), Expires: t.Expiration(),
	}, nil
}

// SignMedia makes a media token, good for two minutes.
func (k *Keys) SignMedia(r Room) (string, error) {
	s, _, err := k.sign(kindMedia, mediaFor, map[string]any{
		"meeting": string(r.Meeting), "participant": string(r.Participant), "role": string(r.Role),
		"name": r.Name, "audio": r.Audio, "video": r.Video,
	})
	return s, err
}

// VerifyMedia reads a media token or returns a fault Unauthorized.
func (k *Keys) VerifyMedia(token string) (Room, error) {
	t, err := k.verify(kindMedia, token)
	if err != nil {
		return Room{}, err
	}
	audio, _ := t.Get("audio")
	video, _ := t.Get("video")
	return Room{
		Meeting: meeting.ID(claim(t, "meeting")), Participant: meeting.ParticipantID(claim(t, "participant")),
		Role: meeting.Role(claim(t, "role")), Name: claim(t, "name"), Audio: audio == true, Video: video == true,
	}, nil
}

// sign makes an HS256 JWT (RFC 7519) of one kind: its own derived key, its own
// audience and its own typ.
func (k *Keys) sign(kind string, life time.Duration, claims map[string]any) (string, time.Time, error) {
	now := k.now().UTC().Truncate(time.Second)
	exp := now.Add(life)
	b := jwt.NewBuilder().Issuer(issuer).Audience([]string{issuer + ":" + kind}).IssuedAt(now).Expiration(exp)
	for name, v := range claims {
		b = b.Claim(name, v)
	}
	t, err := b.Build()
	if err != nil {
		return "", exp, fmt.Errorf("build %s token: %w", kind, err)
	}
	head := jws.NewHeaders()
	for name, v := range map[string]any{jws.KeyIDKey: k.newest, jws.TypeKey: kind + "+jwt"} {
		if err := head.Set(name, v); err != nil {
			return "", exp, fmt.Errorf("build %s token: %w", kind, err)
		}
	}
	out, err := jwt.Sign(t, jwt.WithKey(jwa.HS256, k.derived[k.newest][kind], jws.WithProtectedHeaders(head)))
	if err != nil {
		return "", exp, fmt.Errorf("sign %s token: %w", kind, err)
	}
	return string(out), exp, nil
}

func (k *Keys) verify(kind, token string) (jwt.Token, error) {
	refused := fault.New(fault.Unauthorized, "this token is not valid or its time is over")
	msg, err := jws.Parse([]byte(token), jws.WithCompact())
	if err != nil || len(msg.Signatures()) != 1 {
		return nil, refused.Because(err)
	}
	head := msg.Signatures()[0].ProtectedHeaders()
	key := k.derived[head.KeyID()][kind]
	if key == nil || head.Type() != kind+"+jwt" || head.Algorithm() != jwa.HS256 {
		return nil, refused
	}
	t, err := jwt.Parse([]byte(token), jwt.WithKey(jwa.HS256, key), jwt.WithValidate(true),
		jwt.WithIssuer(issuer), jwt.WithAudience(issuer+":"+kind), jwt.WithRequiredClaim(jwt.ExpirationKey),
		jwt.WithClock(jwt.ClockFunc(k.now)), jwt.WithAcceptableSkew(skew))
	if err != nil {
		return nil, refused.Because(err)
	}
	return t, nil
}

func claim(t jwt.Token, name string) string {
	v, _ := t.Get(name)
	s, _ := v.(string)
	return s
}
