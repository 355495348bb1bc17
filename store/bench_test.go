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

// BenchmarkClaim is one claim, and one look for the next time, beside so many
// deliveries that wait for a target that hangs; its attempts are on their way.
func BenchmarkClaim(b *testing.B) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, e := range storetest.Engines() {
		for _, backlog := range []int{0, 200_000} {
			b.Run(fmt.Sprintf("%s/%d", e.Name, backlog), func(b *testing.B) {
				s := e.Open(b)
				o := s.Outbox()
				c := first(b, s.Meetings(), 0)
				relay := func(drafts ...outbox.Draft) {
					c = more(b, s.Meetings(), c)
					if _, err := o.Relay(b.Context(), 100, now, func(meeting.Event) []outbox.Draft { return drafts }); err != nil {
						b.Fatal(err)
					}
				}
				if _, err := o.Relay(b.Context(), 100, now, func(meeting.Event) []outbox.Draft { return nil }); err != nil {
					b.Fatal(err)
				}
				for n := 0; n < backlog; n += 10_000 {
					list := make([]outbox.Draft, 10_000)
					for i := range list {
						list[i] = outbox.Draft{Target: "hangs", Dest: fmt.Sprint("hangs ", (n+i)/4), Body: []byte("x")}
					}
					relay(list...)
				}
				room := outbox.Room{Limit: 200, Target: 8, Replayed: 4}
				if _, err := o.Claim(b.Context(), now, now.Add(time.Hour), room); err != nil {
					b.Fatal(err)
				}
				room.Busy = map[string]outbox.Busy{"hangs": {Live: 8}}
				for b.Loop() {
					b.StopTimer()
					relay(outbox.Draft{Target: "alive", Dest: "alive", Body: []byte("x")})
					b.StartTimer()
					ds, err := o.Claim(b.Context(), now, now.Add(time.Minute), room)
					if err != nil || len(ds) != 1 {
						b.Fatal(len(ds), err)
					}
					if _, err := o.NextDue(b.Context(), now); err != nil {
						b.Fatal(err)
					}
					b.StopTimer()
					if err := o.Finish(b.Context(), []outbox.Done{{Attempt: outbox.Attempt{Delivery: ds[0].ID, At: now}, State: outbox.Delivered}}); err != nil {
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

// BenchmarkPutPhoneCalls is one batch of rings beside 100 000 rows: calls that
// are new, and calls that ring again.
func BenchmarkPutPhoneCalls(b *testing.B) {
	for _, e := range storetest.Engines() {
		s := e.Open(b).Phones()
		now := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
		next := 0
		batch := func(from, size int) []meeting.PhoneCall {
			now = now.Add(time.Millisecond)
			list := make([]meeting.PhoneCall, size)
			for i := range list {
				list[i] = rungAt(from+i, now)
			}
			return list
		}
		put := func(b *testing.B, list []meeting.PhoneCall) {
			if err := s.PutPhoneCalls(b.Context(), list); err != nil {
				b.Fatal(err)
			}
		}
		for ; next < 100_000; next += 1000 {
			put(b, batch(next, 1000))
		}
		for _, size := range []int{1, 20, 200} {
			b.Run(fmt.Sprintf("%s/new/%d", e.Name, size), func(b *testing.B) {
				for b.Loop() {
					put(b, batch(next, size))
					next += size
				}
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "rings/s")
			})
			b.Run(fmt.Sprintf("%s/again/%d", e.Name, size), func(b *testing.B) {
				for b.Loop() {
					put(b, batch(0, size))
				}
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "rings/s")
			})
		}
	}
}

// BenchmarkPhoneCallsOf is what is asked while a phone rings: the calls of one
// of fifty agents within twelve hours, with so many rows.
func BenchmarkPhoneCallsOf(b *testing.B) {
	for _, e := range storetest.Engines() {
		for _, rows := range []int{1000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", e.Name, rows), func(b *testing.B) {
				s := e.Open(b).Phones()
				now := time.Date(2026, 1, 1, 9, 0, 0, 0, time.UTC)
				for n := 0; n < rows; n += 1000 {
					list := make([]meeting.PhoneCall, 1000)
					for i := range list {
						list[i] = rungAt(n+i, now.Add(time.Duration(n+i)*400*time.Millisecond))
					}
					if err := s.PutPhoneCalls(b.Context(), list); err != nil {
						b.Fatal(err)
					}
				}
				since := now.Add(time.Duration(rows)*400*time.Millisecond - 12*time.Hour)
				for b.Loop() {
					if cs, err := s.PhoneCallsOf(b.Context(), "phone/one", "agent-7", since, 20); err != nil || len(cs) != 20 {
						b.Fatal(len(cs), err)
					}
				}
			})
		}
	}
}

func rungAt(n int, at time.Time) meeting.PhoneCall {
	c := ring(n)
	c.Agent.Key = meeting.AgentKey(fmt.Sprint("agent-", n%50))
	c.RungAt, c.OpenBy, c.ExpiresAt = at, at.Add(time.Minute), at.Add(24*time.Hour)
	return c
}
