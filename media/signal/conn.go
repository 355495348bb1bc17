package signal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"

	"ringdown/fault"
	"ringdown/media"
)

// outgoingQueue bounds the messages that wait for a client.
const outgoingQueue = 256

// A client may send 50 messages a second and save up 5 seconds of them, over all
// of its sockets. A new socket counts as many.
const (
	messagesPerSecond = 50
	messagesBurst     = 5 * messagesPerSecond
	helloCost         = 25
)

// The legs of a client of this protocol.
const (
	publishLeg   media.LegID = "publish"
	subscribeLeg media.LegID = "subscribe"
)

// outgoing is one message on its way to the client; last closes the connection
// behind it, with this status.
type outgoing struct {
	data []byte
	last websocket.StatusCode
}

// conn is one client. It is the sink of its peer.
type conn struct {
	server *Server
	ws     *websocket.Conn
	log    *slog.Logger
	in     bool          // it has joined; guarded by Server.mu
	budget *rate.Limiter // of its participant; set before it joins

	out  chan outgoing
	quit chan struct{} // closed by goAway
	once sync.Once

	mu   sync.Mutex // guards what follows
	peer *media.Peer
	last bool // the last message is queued: whatever comes behind it is dropped
}

var _ media.Sink = (*conn)(nil)

// goAway ends the connection from outside: joined or not yet.
func (c *conn) goAway() { c.once.Do(func() { close(c.quit) }) }

// serve runs the connection to its end.
func (c *conn) serve(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var writer sync.WaitGroup
	writer.Go(func() {
		defer c.guard(media.Unknown)
		c.write(ctx)
	})
	c.readAll(ctx)
	// Whatever ended the reading, the peer stays for a while: another connection
	// may take it over. A peer that has ended has queued its bye already.
	if p := c.joined(); p != nil {
		p.Detach(c)
	}
	c.finish(nil, websocket.StatusNormalClosure)
	writer.Wait()
	_ = c.ws.CloseNow()
}

func (c *conn) readAll(ctx context.Context) {
	defer c.guard(media.Unknown)
	p := c.handshake(ctx)
	if p == nil {
		return
	}
	for {
		data, text, err := c.readOne(ctx, 3*c.server.cfg.Ping)
		if err != nil {
			return
		}
		if !c.budget.Allow() {
			c.fatal(codeFlood, "more than 50 messages a second")
			p.End(media.Overload)
			return
		}
		if c.handle(p, data, text); c.over() {
			return
		}
	}
}

// readOne reads one message. When the time is over the connection is dead; the
// library then closes it.
func (c *conn) readOne(ctx context.Context, within time.Duration) (data []byte, text bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	kind, data, err := c.ws.Read(ctx)
	return data, kind == websocket.MessageText, err
}

// handshake takes the hello and joins the room; nil means that it has ended the
// connection.
func (c *conn) handshake(ctx context.Context) *media.Peer {
	data, text, err := c.readOne(ctx, c.server.cfg.HelloTimeout)
	if err != nil {
		return nil
	}
	m, err := decode(data, text)
	if err != nil {
		return c.refuse(err)
	}
	h, ok := m.(*hello)
	if !ok {
		return c.refuse(&problem{codeOutOfOrder, "the first message is hello"})
	}
	if !slices.Contains(h.Versions, version) {
		return c.refuse(&problem{codeNoVersion, fmt.Sprintf("the server speaks version %d", version)})
	}
	if h.Token == nil {
		return c.resume(h.Resume)
	}
	check, cancel := context.WithTimeout(ctx, c.server.cfg.HelloTimeout)
	defer cancel()
	grant, err := c.server.verify.VerifyMedia(check, *h.Token)
	switch {
	case fault.Is(err, fault.MeetingEnded):
		c.finish(bye{Type: "bye", Reason: media.Ended}, websocket.StatusNormalClosure)
		return nil
	case fault.Is(err, fault.Unavailable):
		c.log.WarnContext(ctx, "media token not checked", "err", err)
		return c.refuse(&problem{codeInternal, "the token cannot be checked now"})
	case err != nil:
		c.log.InfoContext(ctx, "media token refused", "code", fault.Of(err).Code)
		return c.refuse(&problem{codeBadToken, "the token is not valid"})
	}
	c.log = c.log.With("room", grant.Room, "participant", grant.Participant)
	if c.budget = c.server.joined(c, grant); c.budget == nil {
		return c.refuse(&problem{codeFlood, tooOften})
	}
	return c.join(ctx, grant)
}

const tooOften = "too many connections of this participant; wait a few seconds"

// resume takes over the peer of an older connection.
func (c *conn) resume(id media.ResumeID) *media.Peer {
	gone := &problem{codeGone, "there is nothing to resume; join again"}
	g, ok := c.server.hub.Resumable(id)
	if !ok {
		return c.refuse(gone)
	}
	c.log = c.log.With("room", g.Room, "participant", g.Participant)
	if c.budget = c.server.joined(c, g); c.budget == nil {
		return c.refuse(&problem{codeFlood, tooOften})
	}
	p := c.server.hub.Resume(id, c)
	if p == nil {
		return c.refuse(gone)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.peer = p
	return p
}

func (c *conn) join(ctx context.Context, grant media.Grant) *media.Peer {
	p, err := c.server.hub.Join(ctx, grant, c,
		media.LegSpec{ID: publishLeg, Direction: media.Publish},
		media.LegSpec{ID: subscribeLeg, Direction: media.Subscribe, WeOffer: true})
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.peer = p
		return p
	}
	f := fault.Of(err)
	reply := &problem{codeInternal, f.Detail}
	switch f.Code {
	case fault.MeetingFull:
		reply.code = codeRoomFull
	case fault.TooMany:
		reply.code = codeServerFull
	case fault.Unavailable:
		reply.code = codeDraining
	default:
		c.log.ErrorContext(ctx, "join refused", "err", err)
	}
	return c.refuse(reply)
}

// handle does what one message of a joined client asks.
func (c *conn) handle(p *media.Peer, data []byte, text bool) {
	m, err := decode(data, text)
	if err != nil {
		c.send(errorMessage(err, false))
		return
	}
	switch m := m.(type) {
	case *hello:
		c.send(errorMessage(&problem{codeOutOfOrder, "hello comes once"}, false))
	case *description:
		if m.Type == "offer" {
			p.Offer(m.Leg, *m.ID, *m.SDP, m.declared())
		} else {
			p.Answer(m.Leg, *m.ID, *m.SDP, m.declared())
		}
	case *candidate:
		p.Candidate(m.Leg, m.Candidate)
	case *trackState:
		p.Mute(m.Source, *m.Muted)
	case *restart:
		p.Restart(m.Leg)
	case *quality:
		p.Report(media.Quality(*m))
	case *pong: // that it came is enough
	case *leave:
		p.End(media.LeftByChoice)
	}
}

// Tell implements media.Sink.
func (c *conn) Tell(e media.Event) {
	switch e := e.(type) {
	case media.Welcome:
		c.log.Info("joined", "resumed", e.Resumed)
		c.send(welcomeMessage(e, c.server.cfg))
	case media.Bye:
		c.log.Info("left", "reason", e.Reason)
		c.finish(bye{Type: "bye", Reason: e.Reason}, websocket.StatusNormalClosure)
	default:
		if m := eventMessage(e); m != nil {
			c.send(m)
		}
	}
}

func (c *conn) send(m any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.enqueue(encode(m), 0)
}

// refuse ends a connection that has not joined with a fatal error.
func (c *conn) refuse(err error) *media.Peer {
	c.finish(errorMessage(err, true), websocket.StatusPolicyViolation)
	return nil
}

func (c *conn) fatal(code, detail string) {
	c.finish(errorMessage(&problem{code, detail}, true), websocket.StatusPolicyViolation)
}

// finish queues the last message, nil for none; what comes behind it is dropped.
func (c *conn) finish(m any, status websocket.StatusCode) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var data []byte
	if m != nil {
		data = encode(m)
	}
	c.enqueue(data, status)
}

// enqueue leaves a message to the writer; c.mu is held. A queue that is full
// ends the connection: its client does not keep up.
func (c *conn) enqueue(data []byte, last websocket.StatusCode) {
	if c.last {
		return
	}
	c.last = last != 0
	select {
	case c.out <- outgoing{data, last}:
	default:
		c.last = true
		if c.peer != nil {
			c.peer.End(media.Overload)
		}
		close(c.out)
	}
}

func (c *conn) joined() *media.Peer {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.peer
}

func (c *conn) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// write sends what is queued, and the pings, until the last message.
func (c *conn) write(ctx context.Context) {
	pings := time.NewTicker(c.server.cfg.Ping)
	defer pings.Stop()
	quit := c.quit
	greeted := false // the welcome is out
	for {
		select {
		case m, ok := <-c.out:
			if !ok || (m.data != nil && c.writeOne(ctx, m.data) != nil) {
				_ = c.ws.CloseNow() // ends the reader, which ends the peer
				return
			}
			if m.last != 0 {
				_ = c.ws.Close(m.last, "")
				return
			}
			greeted = true
		case <-quit:
			quit = nil
			if p := c.joined(); p != nil {
				p.End(media.ServerRestart)
			} else {
				c.fatal(codeDraining, "this node is stopping; join again")
			}
		case now := <-pings.C:
			if greeted && c.writeOne(ctx, encode(ping{Type: "ping", At: now.UnixMilli()})) != nil {
				_ = c.ws.CloseNow()
				return
			}
		}
	}
}

func (c *conn) writeOne(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, c.server.cfg.WriteTimeout)
	defer cancel()
	return c.ws.Write(ctx, websocket.MessageText, data)
}

// guard is deferred in the goroutines of the connection: a panic ends it and
// its peer, and nothing else.
func (c *conn) guard(reason media.Reason) {
	if r := recover(); r != nil {
		c.log.Error("panic", "in", "signalling", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		if p := c.joined(); p != nil {
			p.End(reason)
		}
		_ = c.ws.CloseNow()
	}
}

// encode marshals a message of ours, which cannot fail.
func encode(m any) []byte {
	data, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("marshal %T: %v", m, err))
	}
	return data
}

// asProblem returns what a client is told of an error of decode.
func asProblem(err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		return p
	}
	return &problem{codeInternal, "something went wrong on our side"}
}
