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
