package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"

	"ringdown/meeting"
)

// LinkSecret is the secret of an invitation's link: 22 characters, 128 bits,
// derived from the invitation and its generation, so that making a link is pure
// and repeatable and nothing is stored.
func (k *Keys) LinkSecret(id meeting.InvitationID, generation int) string {
	return k.linkSecret(k.newest, "invitation", string(id), generation)
}

// LinkOpens tells in constant time whether secret is the invitation's, by any
// root key.
func (k *Keys) LinkOpens(id meeting.InvitationID, generation int, secret string) bool {
	ok := false
	for root := range k.derived {
		if hmac.Equal([]byte(k.linkSecret(root, "invitation", string(id), generation)), []byte(secret)) {
			ok = true
		}
	}
	return ok
}

// PhoneOpens tells in constant time whether secret is that of the phone call's
// page, by any root key.
func (l Links) PhoneOpens(id meeting.PhoneCallID, secret string) bool {
	ok := false
	for root := range l.Keys.derived {
		if hmac.Equal([]byte(l.Keys.linkSecret(root, "phone", string(id), 0)), []byte(secret)) {
			ok = true
		}
	}
	return ok
}

func (k *Keys) linkSecret(root, purpose, id string, generation int) string {
	h := hmac.New(sha256.New, k.derived[root][kindLink])
	h.Write([]byte(purpose + "\x00" + id + "\x00"))
	h.Write(binary.BigEndian.AppendUint64(nil, uint64(generation)))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}

// Links writes whole links. Pure; safe for concurrent use.
type Links struct {
	Keys      *Keys
	PublicURL string // without a final slash
}

// Visitor is the visitor's link of a meeting.
func (l Links) Visitor(m meeting.Meeting) string {
	return l.PublicURL + "/m/" + string(m.Code) + "#" + l.Keys.LinkSecret(m.VisitorInvitation, 0)
}

// Invitation is the link of a further person: a guest's or a colleague's.
func (l Links) Invitation(inv meeting.Invitation) string {
	page := "/m/"
	if inv.Role == meeting.AgentR {
		page = "/room/"
	}
	return l.PublicURL + page + string(inv.ID) + "#" + l.Keys.LinkSecret(inv.ID, inv.Generation)
}

// Agent is the link every rung agent gets.
func (l Links) Agent(m meeting.Meeting) string {
	return l.PublicURL + "/ring/" + string(m.AgentInvitation) + "#" + l.Keys.LinkSecret(m.AgentInvitation, 0)
}

// Seat is the room of the agent who started the meeting.
func (l Links) Seat(m meeting.Meeting) string {
	return l.PublicURL + "/room/" + string(m.AgentInvitation) + "#" + l.Keys.LinkSecret(m.AgentInvitation, 0)
}

// Phone is the address of a phone call's page below path.
func (l Links) Phone(path string, id meeting.PhoneCallID) string {
	return l.PublicURL + path + string(id) + "#" + l.Keys.linkSecret(l.Keys.newest, "phone", string(id), 0)
}
