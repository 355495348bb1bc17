package meeting

import "time"

// Invitation is a link for one person, or for one desk's agents. Its secret is
// derived (see Secrets), never stored.
type Invitation struct {
	ID          InvitationID
	Meeting     ID
	Role        Role
	Participant ParticipantID // empty: whoever comes becomes a new participant
	Generation  int           // raised to make older links of it worthless
	CreatedAt   time.Time
	ExpiresAt   time.Time
	RevokedAt   time.Time // zero: not revoked
	OpenedAt    time.Time // first time a person redeemed it
}

// InvitationState is how far a further person's invitation got.
type InvitationState string

// The states of an invitation.
const (
	InvitationCreated InvitationState = "created" // nobody opened the link yet
	InvitationOpened  InvitationState = "opened"  // somebody looks at camera and microphone
	InvitationJoined  InvitationState = "joined"  // they came, and may have left again
	InvitationRevoked InvitationState = "revoked"
	InvitationExpired InvitationState = "expired" // not opened in time, or not joined before the end
)

// ofFurther tells whether i asks a further person into m: it is neither the
// visitor's nor the desks'.
func (i Invitation) ofFurther(m Meeting) bool {
	p, ok := m.Participant(i.Participant)
	return ok && p.Invited
}

// State is the state of a further person's invitation to m.
func (i Invitation) State(m Meeting, now time.Time) InvitationState {
	p, _ := m.Participant(i.Participant)
	switch {
	case !i.RevokedAt.IsZero():
		return InvitationRevoked
	case !p.JoinedAt.IsZero():
		return InvitationJoined
	case m.State == Ended, !p.LeftAt.IsZero() && p.Reason == ReasonExpired, !now.Before(i.ExpiresAt):
		return InvitationExpired
	case !i.OpenedAt.IsZero():
		return InvitationOpened
	}
	return InvitationCreated
}
