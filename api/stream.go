package api

import (
	"context"
	"encoding/json"
	"net/url"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/gin-gonic/gin"

	"ringdown/access"
	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
)

// The stream of a meeting's state, as docs/protocol.md describes it.
const (
	streamProtocol = "ringdown.events"
	helloTimeout   = 5 * time.Second
	pingEvery      = time.Second
	pongWithin     = 10 * time.Second // phones in the background answer late
	seenEvery      = 5 * time.Second
	writeTimeout   = 5 * time.Second
	streamInbox    = 4 << 10 // bytes of one message of a client
	floodPerSecond = 20
	maxStreams     = 5000 // at one time, of all meetings

	unknown = "unknown" // the reason of a goodbye for our own troubles
)

type hello struct {
	Type  string `json:"type"`
	Token string `json:"token"`
	At    int64  `json:"at"`
}

// stream upgrades, greets and then tells every change until either side ends it.
func (a *API) stream(c *gin.Context) error {
	select {
	case a.seats <- struct{}{}:
		defer func() { <-a.seats }()
	default:
		return fault.New(fault.Unavailable, "too many pages are connected; try again in a minute")
	}
	o := &websocket.AcceptOptions{Subprotocols: []string{streamProtocol}}
	if u, err := url.Parse(a.cfg.PublicURL); err == nil {
		o.OriginPatterns = []string{u.Host} // behind a proxy that changes Host
	}
	ws, err := websocket.Accept(c.Writer, c.Request, o)
	if err != nil {
		return nil // Accept has answered
	}
	ws.SetReadLimit(streamInbox)
	if ws.Subprotocol() != streamProtocol {
		_ = ws.Close(websocket.StatusPolicyViolation, "the subprotocol "+streamProtocol+" is needed")
		return nil
	}
	(&stream{api: a, ws: ws}).run(c.Request.Context())
	return nil
}

// stream is one connection. run owns it; a reader goroutine feeds run.
type stream struct {
	api  *API
	ws   *websocket.Conn
	who  httpd.Principal
	last int64 // Seq of the last message sent

	notes   []byte // as last sent
	notesAt int64  // Seq of the meeting then
}

// run greets, tells until either side ends it, and says goodbye.
func (s *stream) run(ctx context.Context) {
	session, err := s.greet(ctx)
	if err != nil {
		s.bye(ctx, "bad_token")
		return
	}
	s.who = access.SessionPrincipal(session)

	pongs, gone := make(chan struct{}, 1), make(chan string, 1)
	readCtx, endRead := context.WithCancel(ctx)
	var reader sync.WaitGroup
	reader.Go(func() { gone <- s.read(readCtx, pongs) })
	s.bye(ctx, s.talk(ctx, session, pongs, gone))
	endRead() // not before bye: it breaks the connection
	reader.Wait()
}

// bye says why and closes; an empty reason means that the client is gone.
func (s *stream) bye(ctx context.Context, reason string) {
	if reason != "" {
		_ = s.send(context.WithoutCancel(ctx), gin.H{"type": "bye", "reason": reason})
	}
	_ = s.ws.Close(websocket.StatusNormalClosure, reason)
}

// talk tells every change; it returns the reason to say goodbye with, "" when
// the client is gone.
func (s *stream) talk(ctx context.Context, session access.Session, pongs <-chan struct{}, gone <-chan string) string {
	changed, stop := s.api.meetings.Watch(session.Meeting)
	defer stop()
	if why := s.tell(ctx, session.Meeting, true); why != "" {
		return why
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	seen := time.NewTicker(seenEvery)
	defer seen.Stop()
	expired := time.NewTimer(session.Expires.Sub(s.api.now()))
	defer expired.Stop()
	heard := time.Now()
	for {
		why := ""
		select {
		case <-s.api.life.Done():
			return "server_restart"
		case <-expired.C:
			return "expired"
		case why := <-gone:
			return why
		case <-pongs:
			heard = time.Now()
		case <-changed:
			why = s.tell(ctx, session.Meeting, false)
		case <-seen.C:
			why = s.tell(ctx, session.Meeting, true)
		case t := <-ping.C:
			if t.Sub(heard) > pongWithin {
				return ""
			}
			if s.send(ctx, gin.H{"type": "ping", "at": t.UnixMilli()}) != nil {
				why = unknown
			}
		}
		if why != "" {
			return why
		}
	}
}

func (s *stream) greet(ctx context.Context) (access.Session, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	defer context.AfterFunc(s.api.life, cancel)() //nolint:contextcheck // the life of all streams, besides this one
	kind, b, err := s.ws.Read(ctx)
	if err != nil {
		return access.Session{}, err
	}
	var h hello
	if kind != websocket.MessageText || json.Unmarshal(b, &h) != nil || h.Type != "hello" {
		return access.Session{}, fault.New(fault.BadRequest, "say hello first")
	}
	return s.api.keys.VerifySession(h.Token)
}

// read takes what the client says; only pongs mean something. It returns the
// reason to end with.
func (s *stream) read(ctx context.Context, pongs chan<- struct{}) string {
	count, since := 0, time.Now()
	for {
		_, b, err := s.ws.Read(ctx)
		if err != nil {
			return ""
		}
		if time.Since(since) > time.Second {
			count, since = 0, time.Now()
		}
		if count++; count > floodPerSecond {
			return "flood"
		}
		var h hello
		if json.Unmarshal(b, &h) == nil && h.Type == "pong" {
			select {
			case pongs <- struct{}{}:
			default:
			}
		}
	}
}

// tell sends the meeting as it is, every message not sent yet, and to agents the
// notes. With present it also notes that this person's page is alive. It returns
// the reason to say goodbye with, if there is one.
func (s *stream) tell(ctx context.Context, id meeting.ID, present bool) string {
	m, err := s.api.meetings.ByID(ctx, id)
	if err != nil {
		return unknown
	}
	if withdrawn(m, s.who) != nil {
		return string(meeting.ReasonKicked)
	}
	me := participantOf(m, s.who)
	if m.Left(me) {
		me = "" // how it ends is theirs to know, what is said no longer
	}
	if present && me != "" && m.State != meeting.Ended {
		// If it cannot be written nobody is called absent for it; see meeting.Clock.
		_ = s.api.meetings.Seen(ctx, m, me)
	}
	if s.send(ctx, gin.H{"type": "meeting", "meeting": s.api.meeting(m, s.who)}) != nil {
		return unknown
	}
	if me == "" { // neither does an agent who has not won read the chat
		return ""
	}
	ms, err := s.api.meetings.Messages(ctx, id, s.last)
	if err != nil {
		return unknown
	}
	for _, msg := range ms {
		if s.send(ctx, gin.H{"type": "message", "message": message(msg, me)}) != nil {
			return unknown
		}
		s.last = msg.Seq
	}
	if !s.tellNotes(ctx, m) {
		return unknown
	}
	return ""
}

func (s *stream) send(ctx context.Context, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return s.ws.Write(ctx, websocket.MessageText, b)
}
