package meeting

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ringdown/fault"
)

// DispatchID is "dsp_…".
type DispatchID string

// The channels a link is sent by.
const (
	SMS  = "sms"
	Mail = "mail"
)

// DispatchState is how far a sent link got.
type DispatchState string

// The states of a dispatch. Later ones never go back: what a gateway says late
// about an earlier one is passed over.
const (
	DispatchQueued    DispatchState = "queued"    // ours to send; also while it is tried again
	DispatchSent      DispatchState = "sent"      // the gateway or the mail server took it
	DispatchDelivered DispatchState = "delivered" // it says that it arrived
	DispatchFailed    DispatchState = "failed"    // given up, or refused; see Reason
)

// DispatchFor is how long a link is tried to be sent; later it would only
// surprise.
const DispatchFor = 10 * time.Minute

// The limits of sending: nobody is flooded, whoever presses.
const (
	dispatchHour       = time.Hour
	dispatchPerAgent   = 30
	dispatchPerAddress = 3
	dispatchPerMeeting = 50
)

// Dispatch is one sending of an invitation's link to one address.
type Dispatch struct {
	ID         DispatchID    `json:"id"`
	Meeting    ID            `json:"meeting"`
	Invitation InvitationID  `json:"invitation"`
	Channel    string        `json:"channel"`            // SMS or Mail
	To         string        `json:"to"`                 // a number in E.164, or a mail address; personal, in no log
	Language   string        `json:"language,omitempty"` // "en", "fr" or "it": of the words around the link
	By         AgentKey      `json:"by,omitempty"`
	State      DispatchState `json:"state"`
	Reason     string        `json:"reason,omitempty"` // of a failure, a word of the channel's list: "number_refused", …
	CreatedAt  time.Time     `json:"created_at"`
	SentAt     time.Time     `json:"sent_at,omitzero"`
	ChangedAt  time.Time     `json:"changed_at"`
}

var (
	e164RE = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	mailRE = regexp.MustCompile(`^[^@\s<>(),;:"\x00-\x1f]{1,64}@[^@\s<>(),;:"\x00-\x1f.]+(\.[^@\s<>(),;:"\x00-\x1f.]+)*$`)
)

// Channels are those a link can be sent by.
func (s *Service) Channels() []string { return s.policy.Channels }

// Send sends the visitor's link of a meeting that has not ended. Invitation,
// Channel, To, Language and By are the caller's to fill. Faults: Invalid with the
// field, Conflict, TooMany with "retry_after" in seconds.
func (s *Service) Send(ctx context.Context, id ID, d Dispatch) (Dispatch, error) {
	d.To = strings.TrimSpace(d.To)
	switch {
	case !slices.Contains(s.policy.Channels, d.Channel):
		return d, fault.NewInvalid("/channel", "is not configured: links can be sent by connectors.sms and connectors.mail")
	case d.Channel == SMS && !e164RE.MatchString(d.To):
		return d, fault.NewInvalid("/to", "must be a phone number with its country's code, as +33612345678")
	case d.Channel == Mail && (!mailRE.MatchString(d.To) || len(d.To) > 254):
		return d, fault.NewInvalid("/to", "must be a mail address")
	case !slices.Contains([]string{"", "en", "fr", "it"}, d.Language):
		return d, fault.NewInvalid("/language", "must be en, fr or it")
	}
	if d.Channel == Mail {
		d.To = strings.ToLower(d.To)
	}
	d.ID = DispatchID(s.newID("dsp_"))
	_, err := s.changeWith(ctx, id, func(m Meeting, now time.Time) (Change, error) {
		if m.State == Ended {
			return Change{}, overFault(m)
		}
		if d.Invitation != m.VisitorInvitation {
			return Change{}, fault.NewInvalid("/invitation", "must be the visitor's")
		}
		all, _, err := s.store.CountDispatches(ctx, DispatchFilter{Meeting: m.ID})
		if err != nil {
			return Change{}, stored(err)
		}
		if all >= dispatchPerMeeting || m.Seq > maxEvents {
			return Change{}, fault.New(fault.TooMany, "this meeting sends no more links")
		}
		d.Meeting, d.State, d.CreatedAt, d.ChangedAt = id, DispatchQueued, now, now
		if d.Language == "" {
			d.Language = m.Language
		}
		st := begin(m, now)
		sent := d
		st.log(Event{Kind: KindDispatched, Dispatch: &sent})
		m, ev := st.done()
		return Change{Meeting: m, Events: ev, Dispatches: []Dispatch{d}, Limit: &DispatchLimit{
			By: d.By, To: d.To, Since: now.Add(-dispatchHour), PerAgent: dispatchPerAgent, PerAddress: dispatchPerAddress,
		}}, nil
	})
	if over, ok := errors.AsType[OverLimitError](err); ok {
		return d, tooManyDispatches(over, s.now())
	}
	return d, err
}

func tooManyDispatches(o OverLimitError, now time.Time) error {
	sentence := "you have sent %d links within an hour"
	if o.Address {
		sentence = "this address was sent %d links within an hour"
	}
	wait := max(1, int(o.First.Add(dispatchHour).Sub(now).Seconds())+1)
	return fault.New(fault.TooMany, sentence+"; try again in %d min", o.N, (wait+59)/60).With("retry_after", strconv.Itoa(wait))
}

// Dispatched notes how far a dispatch got. What is not later than the state it
// has is passed over.
func (s *Service) Dispatched(ctx context.Context, id DispatchID, state DispatchState, reason string) error {
	d, err := s.store.Dispatch(ctx, id)
	if err != nil {
		return stored(err)
	}
	_, err = s.changeWith(ctx, d.Meeting, func(m Meeting, now time.Time) (Change, error) {
		d, err := s.store.Dispatch(ctx, id)
		if err != nil || !d.becomes(state) {
			return Change{Meeting: m}, stored(err)
		}
		d.State, d.Reason, d.ChangedAt = state, reason, now
		if state == DispatchSent || d.SentAt.IsZero() && state == DispatchDelivered {
			d.SentAt = now
		}
		return Change{Meeting: m, Dispatches: []Dispatch{d}}, nil
	})
	return err
}

// becomes tells whether state comes after the one d has. A gateway may say that
// what it took did not arrive, but not that what arrived did not.
func (d Dispatch) becomes(state DispatchState) bool {
	switch d.State {
	case DispatchQueued:
		return state != DispatchQueued
	case DispatchSent:
		return state == DispatchDelivered || state == DispatchFailed
	case DispatchFailed:
		return d.SentAt.IsZero() && state == DispatchSent || state == DispatchDelivered // it was sent all the same
	case DispatchDelivered:
	}
	return false
}

// Dispatches returns what was sent for a meeting, oldest first. One that could
// not be sent in time has failed.
func (s *Service) Dispatches(ctx context.Context, id ID) ([]Dispatch, error) {
	ds, err := s.store.Dispatches(ctx, id)
	now := s.now()
	for i := range ds {
		if d := &ds[i]; d.State == DispatchQueued && now.Sub(d.CreatedAt) > DispatchFor+time.Minute {
			d.State, d.Reason = DispatchFailed, "expired"
		}
	}
	return ds, stored(err)
}
