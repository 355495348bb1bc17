package httpd

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// meter counts requests. Its labels are surfaces, templates, known methods and
// status classes only: lists that are closed once the site stands.
type meter struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMeter(reg prometheus.Registerer) (*meter, error) {
	m := &meter{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ringdown_http_requests_total",
			Help: "Requests answered, by surface, route template, method and status class.",
		}, []string{"surface", "route", "method", "class"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "ringdown_http_request_seconds",
			Help:    "Time to answer a request, without WebSockets.",
			Buckets: []float64{0.005, 0.025, 0.1, 0.3, 1, 5},
		}, []string{"surface", "route", "method"}),
	}
	return m, errors.Join(reg.Register(m.requests), reg.Register(m.seconds))
}

func (m *meter) observe(x *exchange, method string, status int, took time.Duration) {
	m.requests.WithLabelValues(x.surface, x.template, method, class(status)).Inc()
	if !x.answer.hijacked {
		m.seconds.WithLabelValues(x.surface, x.template, method).Observe(took.Seconds())
	}
}

func class(status int) string {
	switch {
	case status < 200:
		return "1xx"
	case status < 300:
		return "2xx"
	case status < 400:
		return "3xx"
	case status < 500:
		return "4xx"
	}
	return "5xx"
}
