package outbox

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the numbers of the package. Labels: connector is the part of a
// target before "/", the others are the closed lists of outbox.go.
type metrics struct {
	relayed  prometheus.Counter
	attempts *prometheus.CounterVec
	took     *prometheus.HistogramVec
	late     *prometheus.HistogramVec
	troubles *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, store Store) *metrics {
	m := &metrics{
		relayed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ringdown_outbox_events_total", Help: "Events turned into deliveries.",
		}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ringdown_outbox_attempts_total", Help: "Ended attempts.",
		}, []string{"connector", "verdict"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ringdown_outbox_attempt_seconds", Help: "How long attempts took.",
			Buckets: []float64{.005, .02, .1, .5, 1, 5, 15},
		}, []string{"connector"}),
		late: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ringdown_outbox_first_attempt_seconds", Help: "From the delivery's creation to its first attempt.",
			Buckets: []float64{.005, .02, .1, .5, 1, 5, 15},
		}, []string{"connector"}),
		troubles: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ringdown_outbox_troubles_total",
			Help: "What must not happen: the store refusing (relay, claim, finish, lease, replay, prune), a translator's error (draft), a deliverer's panic (deliver).",
		}, []string{"part"}),
	}
	reg.MustRegister(m.relayed, m.attempts, m.took, m.late, m.troubles, &counts{
		store: store,
		desc:  prometheus.NewDesc("ringdown_outbox_deliveries", "Deliveries kept, by where they stand.", []string{"connector", "state"}, nil),
	})
	return m
}

// counts asks the store how many deliveries there are when somebody scrapes.
type counts struct {
	store Store
	desc  *prometheus.Desc
}

func (c *counts) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

func (c *counts) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	byTarget, err := c.store.Counts(ctx)
	if err != nil {
		return // a store that is down must not take the other numbers with it
	}
	sums := map[[2]string]int64{}
	for target, c := range byTarget {
		for state, n := range map[State]int64{Pending: c.Pending, Delivered: c.Delivered, Failed: c.Failed, Expired: c.Expired} {
			sums[[2]string{connector(target), string(state)}] += n
		}
	}
	for k, n := range sums {
		if n == 0 {
			continue
		}
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(n), k[0], k[1])
	}
}

// connector is the part of a target that names who delivers it.
func connector(target string) string {
	name, _, _ := strings.Cut(target, "/")
	return name
}
