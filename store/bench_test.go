package store_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"ringdown/meeting"
	"ringdown/outbox"
	"ringdown/store/storetest"
)

// BenchmarkSave is one change with one event, by one writer and by eight of
// different meetings.
func BenchmarkSave(b *testing.B) {
	for _, e := range storetest.Engines() {
		for _, writers := range []int{1, 8} {
			b.Run(fmt.Sprintf("%s/%d", e.Name, writers), func(b *testing.B) {
				v := e.Open(b).Meetings()
				var made atomic.Int64
				b.SetParallelism(writers) // times GOMAXPROCS
				if writers == 1 {
					c := first(b, v, 0)
					for b.Loop() {
						c = more(b, v, c)
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						c := first(b, v, int(made.Add(1)))
						for pb.Next() {
							c = more(b, v, c)
						}
					})
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "saves/s")
			})
		}
	}
}

// BenchmarkClaim is one claim and its end with so many other dests that wait for
// a retry.
func BenchmarkClaim(b *testing.B) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, e := range storetest.Engines() {
		for _, backlog := range []int{0, 10000} {
			b.Run(fmt.Sprintf("%s/%d", e.Name, backlog), func(b *testing.B) {
				s := e.Open(b)
				o := s.Outbox()
				first(b, s.Meetings(), 0)
				_, err := o.Relay(b.Context(), 1, now.Add(time.Hour), func(meeting.Event) []outbox.Draft {
					list := make([]outbox.Draft, backlog)
					for i := range list {
						list[i] = outbox.Draft{Target: "dead", Dest: fmt.Sprint("dead ", i), Body: []byte("x")}
					}
					return list
				})
				if err != nil {
					b.Fatal(err)
				}
				c := first(b, s.Meetings(), 1)
				for b.Loop() {
					b.StopTimer()
					c = more(b, s.Meetings(), c)
					if _, err := o.Relay(b.Context(), 100, now, func(ev meeting.Event) []outbox.Draft {
						return []outbox.Draft{{Target: "alive", Dest: "alive " + string(ev.ID), Body: []byte("x")}}
					}); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
					ds, err := o.Claim(b.Context(), now, now.Add(time.Minute), 200)
					if err != nil || len(ds) == 0 {
						b.Fatal(len(ds), err)
					}
					b.StopTimer()
					var done []outbox.Done
					for _, d := range ds {
						done = append(done, outbox.Done{Attempt: outbox.Attempt{Delivery: d.ID, At: now}, State: outbox.Delivered})
					}
					if err := o.Finish(b.Context(), done); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
			})
		}
	}
}

func first(b *testing.B, v meeting.Store, n int) meeting.Change {
	id := meeting.ID(fmt.Sprintf("mtg_%06d", n))
	c := change(meeting.Meeting{ID: id, Code: meeting.Code(id), State: meeting.Active, CreatedAt: time.Now()})
	if err := v.Create(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	return c
}

func more(b *testing.B, v meeting.Store, c meeting.Change) meeting.Change {
	c = change(c.Meeting)
	if err := v.Save(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	return c
}

func change(m meeting.Meeting) meeting.Change {
	m.Version++
	m.Seq++
	id := meeting.EventID(fmt.Sprint("evt_", m.ID, m.Seq))
	return meeting.Change{Meeting: m, Events: []meeting.Event{{ID: id, Meeting: m.ID, Seq: m.Seq, At: m.CreatedAt, Snapshot: m}}}
}
