package thirdparty

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"time"

	"ringdown/meeting"
)

// standing is what a ring proves when it comes, and where it is kept for that.
//
// The ids of users and calls can be guessed. So a ring with a proof shares nothing
// with one that has none, or another: not its page, whose link would otherwise be
// given to whoever asks first and be trusted later, and not its agent's other
// pages, which decide about pauses and about what is out of date. A ring whose
// token is still to be checked is kept apart until it is confirmed.
type standing struct {
	trust     meeting.Trust
	otherwise meeting.Trust // if the token proves nothing either way
	class     string        // part of the phone call's id; empty: proved without a token
	keptAs    meeting.AgentKey
	looksAt   meeting.AgentKey // whose open pages count
}

// judge says what proves the ring. It asks nobody.
func (c *Connector) judge(ring call, secret, ip string, now time.Time) standing {
	s := standing{otherwise: meeting.Trust{Why: whyNothing}, keptAs: ring.agent().Key, looksAt: ring.agent().Key}
	switch {
	case secret != "" && c.cfg.Secret.Equal(secret):
		s.otherwise = meeting.Trust{By: "secret"}
	case c.near(ip):
		s.otherwise = meeting.Trust{By: "network"}
	case secret != "":
		s.otherwise.Why = whySecret
	}
	s.trust = s.otherwise
	policy, token := c.cfg.Token.Policy, ring.User.Token
	switch {
	case policy == tokenOff || token == "" && policy == tokenIfPresent:
	case token == "":
		s.trust = meeting.Trust{Why: whyToken}
	default:
		if v, ok := c.check.known(token, ring.User.UserID, now); ok {
			s.trust = v.trust(policy, s.otherwise)
		} else {
			s.trust = meeting.Trust{Pending: true}
		}
		sum := sha256.Sum256([]byte(token))
		s.class = "token " + hex.EncodeToString(sum[:])
	}
	if s.trust.Trusted() || !c.cfg.proofs() {
		return s
	}
	s.keptAs = meeting.AgentKey(Name + ":unproved:" + ring.User.UserID)
	if !s.trust.Pending {
		s.looksAt = s.keptAs
		s.class += "unproved"
	}
	return s
}

// Why nothing proved a ring. The page and docs/integrations/xucmgt.md explain
// these words and those of verdict.
const (
	whyNothing = "no_proof"
	whySecret  = "secret_wrong"
	whyToken   = "token_missing"
)

// problemWith is what a journal's reader can do about a ring that proves nothing.
func problemWith(t meeting.Trust) string {
	switch t.Why {
	case whyNothing:
		return "the ring proves nothing: put connectors.thirdparty.secret at the end of THIRD_PARTY_URL"
	case whySecret:
		return "the end of THIRD_PARTY_URL is not connectors.thirdparty.secret"
	case whyToken:
		return "the ring has no user.token, and connectors.thirdparty.token.policy is required"
	}
	return ""
}

func (c *Connector) near(ip string) bool {
	a, err := netip.ParseAddr(ip)
	return err == nil && slices.ContainsFunc(c.cfg.networks, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}

func trustWord(t meeting.Trust) string {
	switch {
	case t.By != "":
		return t.By
	case t.Pending:
		return "pending"
	}
	return t.Why
}
