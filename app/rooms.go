package app

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"ringdown/access"
	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/media"
	"ringdown/meeting"
)

// rooms is the glue between the SFU's rooms and the meetings: a room's id is its
// meeting's, a peer's id its participant's. Presence is read as a snapshot and
// reconciled; a nudge only makes it sooner.
type rooms struct {
	hub      *media.Hub
	meetings *meeting.Service
	keys     *access.Keys
	log      *slog.Logger
}

const (
	reconcileEvery = 2 * time.Second
	closeGrace     = 5 * time.Second
)

// VerifyMedia implements signal.Verifier: a media token lets in as long as its
// meeting is active and its participant has not left.
func (r *rooms) VerifyMedia(ctx context.Context, token string) (media.Grant, error) {
	t, err := r.keys.VerifyMedia(token)
	if err != nil {
		return media.Grant{}, err
	}
	m, err := r.meetings.ByID(ctx, t.Meeting)
	if err != nil {
		return media.Grant{}, err
	}
	p, ok := m.Participant(t.Participant)
	if m.State != meeting.Active || !ok || p.Gone() {
		return media.Grant{}, fault.New(fault.Unauthorized, "the call is over or the participant has left")
	}
	return media.Grant{
		Room: media.RoomID(t.Meeting), Participant: media.ParticipantID(t.Participant), Role: string(t.Role), Name: t.Name,
		PublishAudio: t.Audio, PublishVideo: t.Video,
	}, nil
}

// Run reconciles until ctx ends, then closes every room.
func (r *rooms) Run(ctx context.Context) error {
	changed, stop := r.meetings.Watch("")
	defer stop()
	tick := time.NewTicker(reconcileEvery)
	defer tick.Stop()
	for {
		beat := false
		select {
		case <-ctx.Done():
			closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeGrace)
			defer cancel()
			return r.hub.Close(closing)
		case <-changed:
		case <-r.hub.Changed():
		case <-tick.C:
			beat = true
		}
		r.reconcile(ctx, beat)
	}
}

// reconcile holds every room against its meeting. With beat it also notes that
// everybody in a room is alive.
func (r *rooms) reconcile(ctx context.Context, beat bool) {
	for _, room := range r.hub.Snapshot().Rooms {
		m, err := r.meetings.ByID(ctx, meeting.ID(room.ID))
		if fault.Is(err, fault.NotFound) || err == nil && m.State == meeting.Ended {
			r.hub.CloseRoom(room.ID, media.Ended)
			continue
		}
		if err != nil {
			if ctx.Err() == nil {
				r.log.WarnContext(ctx, "room not reconciled", "room", room.ID, "err", err)
			}
			continue
		}
		var here []meeting.ParticipantID
		fresh := false
		for _, p := range room.Participants {
			q, ok := m.Participant(meeting.ParticipantID(p.ID))
			if !ok || q.Gone() {
				r.hub.Kick(room.ID, p.ID, reasonOf(q.Reason))
				continue
			}
			if p.Away { // has until their presence runs out, and is not back by being kept
				continue
			}
			here = append(here, q.ID)
			fresh = fresh || !q.Here()
		}
		if (beat || fresh) && len(here) > 0 {
			err = r.meetings.Seen(ctx, m, here...)
		}
		if err == nil && fresh {
			_, err = r.meetings.Present(ctx, m.ID, here)
		}
		if err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "presence not noted", "room", room.ID, "err", err)
		}
	}
}

// reasonOf is why somebody is taken out of a room, in the hub's words.
func reasonOf(why meeting.Reason) media.Reason {
	if why == meeting.ReasonKicked {
		return media.Kicked
	}
	return media.LeftByChoice
}

// signalRoute mounts the WebSocket; its token comes in the first message.
func signalRoute(h http.Handler) httpd.Route {
	// An office behind one address comes back at once after a restart of ours; but
	// it cannot take all the places of those who have not said hello.
	opens := httpd.NewLimiter(20*time.Millisecond, 400, 0, time.Now)
	return httpd.Route{
		Method: http.MethodGet, Path: "/v1/signal", Who: httpd.Proof("media token in hello"), Limits: []httpd.Limit{httpd.PerIP(opens)},
		Handler: func(c *gin.Context) error {
			h.ServeHTTP(c.Writer, c.Request)
			return nil
		},
	}
}

// mediaMetrics tells the SFU's totals; media itself knows no Prometheus.
type mediaMetrics struct{ hub *media.Hub }

func desc(name, help string) *prometheus.Desc {
	return prometheus.NewDesc("ringdown_media_"+name, help, nil, nil)
}

// Describe sends nothing: the collector is unchecked, its names are constant.
func (mediaMetrics) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c mediaMetrics) Collect(out chan<- prometheus.Metric) {
	t := c.hub.Snapshot().Totals
	for _, g := range []struct {
		name, help string
		kind       prometheus.ValueType
		v          float64
	}{
		{"rooms", "Rooms with somebody in them.", prometheus.GaugeValue, float64(t.Rooms)},
		{"peers", "People connected.", prometheus.GaugeValue, float64(t.Peers)},
		{"tracks", "Tracks published.", prometheus.GaugeValue, float64(t.Tracks)},
		{"received_packets_total", "RTP packets received.", prometheus.CounterValue, float64(t.PacketsIn)},
		{"received_bytes_total", "RTP bytes received.", prometheus.CounterValue, float64(t.BytesIn)},
		{"sent_packets_total", "RTP packets forwarded.", prometheus.CounterValue, float64(t.PacketsOut)},
		{"sent_bytes_total", "RTP bytes forwarded.", prometheus.CounterValue, float64(t.BytesOut)},
		{"key_frames_asked_total", "Key frames asked of publishers.", prometheus.CounterValue, float64(t.KeyFramesAsked)},
		{"retransmissions_asked_total", "Packets that receivers asked for again.", prometheus.CounterValue, float64(t.RetransmissionsAskedBy)},
	} {
		out <- prometheus.MustNewConstMetric(desc(g.name, g.help), g.kind, g.v)
	}
}
