package outbox

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// Outbox is the Relay, the Sender and the Keeper of one process on one store.
// The store's wakes have one reader; it passes them on to the first two.
type Outbox struct {
	Relay  *Relay
	Sender *Sender
	Keeper *Keeper
	store  Store
}

// Options are what New needs. Rand may be nil: then the schedule's jitter comes
// from a fresh seed.
type Options struct {
	Store       Store
	Translators []Translator
	Deliverers  map[string]Deliverer // by connector: the part of a target before "/"
	Config      Config
	Now         func() time.Time
	Rand        *rand.Rand
	Log         *slog.Logger
	Metrics     prometheus.Registerer
}

// New makes an Outbox. It starts nothing.
func New(o Options) (*Outbox, error) {
	if o.Store == nil || o.Now == nil || o.Log == nil || o.Metrics == nil {
		return nil, errors.New("outbox: store, now, log and metrics are needed")
	}
	if err := o.Config.Validate(); err != nil {
		return nil, err
	}
	if o.Rand == nil {
		o.Rand = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) //nolint:gosec // jitter, no secret
	}
	met := newMetrics(o.Metrics, o.Store)
	return &Outbox{
		Relay:  newRelay(o.Store, o.Translators, o.Config, o.Now, o.Log, met),
		Sender: newSender(o.Store, o.Deliverers, o.Config, o.Now, o.Rand, o.Log, met),
		Keeper: newKeeper(o.Store, o.Config, o.Now, o.Log, met),
		store:  o.Store,
	}, nil
}

// Run relays, sends and keeps house until ctx ends, then drains; see Sender.Run. It is
// called once.
func (o *Outbox) Run(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error { return o.Relay.Run(ctx) })
	g.Go(func() error { return o.Sender.Run(ctx) })
	g.Go(func() error { return o.Keeper.Run(ctx) })
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-o.store.Wakes():
				o.Relay.Wake()
				o.Sender.Wake()
			}
		}
	})
	return g.Wait()
}
