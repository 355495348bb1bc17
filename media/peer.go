package media

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"
)

// How many requests of its client and notices of others wait for a peer's loop.
const (
	requestQueue = 16
	noticeQueue  = 512
)

// Peer is one participant's presence in a room. Its methods may be called from
// any goroutine; what comes of them is told to its [Sink].
type Peer struct {
	hub    *Hub
	grant  Grant
	sink   Sink
	log    *slog.Logger
	number uint64
	legs   []*leg

	resume ResumeID

	requests chan func()   // of the client; its sender waits
	notices  chan func()   // of everybody else; full means cut
	outdated chan struct{} // one slot: what the others publish has changed

	stop   chan struct{} // closed by End
	once   sync.Once
	reason Reason        // set before stop is closed
	done   chan struct{} // closed by run, after all else

	workers sync.WaitGroup // spawned by the loop only

	// Owned by the loop.
	detached bool        // the client's connection is gone: sink is nobody
	gone     *time.Timer // ends the peer when it was away for too long; nil while it is not away

	// Guarded by Hub.mu.
	since   time.Time
	tracks  map[Source]*Track
	away    bool
	quality Quality
	next    Sink // of a connection that takes over and that the loop has not seen yet
}

// Grant returns what the peer was let in with.
func (p *Peer) Grant() Grant { return p.grant }

// Done is closed when the peer is gone and all of its goroutines have ended.
func (p *Peer) Done() <-chan struct{} { return p.done }

// End takes the peer out of its room for a reason; the first reason counts. It
// does not wait: see Done.
func (p *Peer) End(reason Reason) {
	p.once.Do(func() {
		p.reason = reason
		close(p.stop)
	})
}

// Offer brings an offer of the client, numbered by it from 1. [AnswerMade] or
// [Refused] tells the outcome.
func (p *Peer) Offer(id LegID, number int, sdp string, tracks []Declared) {
	p.request(id, func(l *leg) *Refused { return l.theirOffer(number, sdp, tracks) })
}

// Answer brings the client's answer to the offer with that number. On a publish
// leg it declares the tracks, on a subscribe leg tracks is nil.
func (p *Peer) Answer(id LegID, number int, sdp string, tracks []Declared) {
	p.request(id, func(l *leg) *Refused { return l.theirAnswer(number, sdp, tracks) })
}

// Candidate brings a candidate of the client; nil says that there are no more.
func (p *Peer) Candidate(id LegID, c *webrtc.ICECandidateInit) {
	p.request(id, func(l *leg) *Refused { return l.candidate(c) })
}

// Restart asks for new addresses of a leg on which we make the offers: the path
// of the old ones is dead. On other legs the client's next offer does that.
func (p *Peer) Restart(id LegID) {
	p.request(id, func(l *leg) *Refused { return l.restart() })
}

// Report says how the client finds its connection.
func (p *Peer) Report(q Quality) {
	p.ask(func() *Refused {
		if !q.valid() {
			return refuse(BadRequest, "quality: word is good, fair or weak, side is upload or download")
		}
		p.hub.report(p, q)
		return nil
	})
}

// Mute says that the client sends nothing on a source now, or does again.
func (p *Peer) Mute(s Source, muted bool) {
	p.ask(func() *Refused {
		if !p.hub.mute(p, s, muted) {
			return refuse(NotAllowed, "no track with the source %q is published", s)
		}
		return nil
	})
}

func (p *Peer) request(id LegID, do func(*leg) *Refused) {
	p.ask(func() *Refused {
		i := slices.IndexFunc(p.legs, func(l *leg) bool { return l.spec.ID == id })
		if i < 0 {
			return refuse(BadRequest, "leg: there is no %q", id)
		}
		return do(p.legs[i])
	})
}

// ask leaves a request of the client to the loop, and waits for a place.
func (p *Peer) ask(do func() *Refused) {
	select {
	case <-p.stop:
	case p.requests <- func() {
		if r := do(); r != nil {
			p.sink.Tell(*r)
		}
	}:
	}
}

// notice leaves something to the loop without waiting. A peer whose notices
// are full does not keep up and is cut.
func (p *Peer) notice(do func()) {
	select {
	case p.notices <- do:
	default:
		p.End(Overload)
	}
}

func (p *Peer) tell(e Event) { p.notice(func() { p.sink.Tell(e) }) }

// run is the peer's life.
func (p *Peer) run(welcome Welcome) {
	defer close(p.done)
	p.safely("peer loop", func() { p.loop(welcome) })
	p.End(Unknown) // a loop that ended by itself
	if p.gone != nil {
		p.gone.Stop()
	}
	late := p.hub.remove(p)
	for _, s := range []Sink{p.sink, late} {
		if s != nil {
			p.safely("say bye", func() { s.Tell(Bye{Reason: p.reason}) })
		}
	}
	for _, l := range p.legs {
		p.safely("close a leg", l.close)
	}
	p.workers.Wait()
}

func (p *Peer) loop(welcome Welcome) {
	p.sink.Tell(welcome)
	for _, l := range p.legs {
		if l.spec.Direction == Publish && l.spec.WeOffer {
			if err := l.openToReceive(); err != nil {
				p.log.Error("leg not opened", "err", err)
				return
			}
		}
	}
	poke(p.outdated)
	for {
		select {
		case <-p.stop:
			return
		default:
		}
		select {
		case <-p.stop:
			return
		case do := <-p.requests:
			do()
		case do := <-p.notices:
			do()
		case <-p.outdated:
			for _, l := range p.legs {
				l.refresh()
			}
		}
	}
}

// spawn runs a part of the peer that ends by itself when its leg is closed. It
// is called by the loop only.
func (p *Peer) spawn(what string, run func()) {
	p.workers.Go(func() { p.safely(what, run) })
}

func (p *Peer) safely(what string, run func()) {
	defer p.guard(what)
	run()
}

// guard is deferred around everything of ours that runs for a peer: a panic
// ends that peer and no other.
func (p *Peer) guard(what string) {
	if r := recover(); r != nil {
		p.log.Error("panic", "in", what, "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		p.End(Unknown)
	}
}
