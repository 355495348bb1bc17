package impair

import (
	"math"
	"testing"
	"testing/synctest"
	"time"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// fates of n packets that come evenly.
func fates(seed uint64, n int, every time.Duration, c Conditions) []fate {
	l := newLine(seed, 0, Up)
	out := make([]fate, n)
	for i := range out {
		out[i] = l.packet(noon.Add(time.Duration(i)*every), 1000, c)
	}
	return out
}

func TestLine(t *testing.T) {
	const n = 20000
	count := func(all []fate, is func(fate) bool) (n int) {
		for _, f := range all {
			if is(f) {
				n++
			}
		}
		return n
	}
	// near is four standard deviations of a share.
	near := func(t *testing.T, what string, got int, share float64) {
		t.Helper()
		if want, dev := share*n, 4*math.Sqrt(n*share*(1-share)); math.Abs(float64(got)-want) > dev {
			t.Errorf("%d of %d %s, want about %.0f", got, n, what, want)
		}
	}
	t.Run("a perfect line changes nothing", func(t *testing.T) {
		for i, f := range fates(1, n, time.Millisecond, Conditions{}) {
			if f != (fate{due: noon.Add(time.Duration(i) * time.Millisecond)}) {
				t.Fatalf("packet %d: %+v", i, f)
			}
		}
	})
	t.Run("shares are what was asked for", func(t *testing.T) {
		all := fates(7, n, time.Millisecond, Conditions{Loss: 0.03, Reorder: 0.05, Duplicate: 0.01})
		near(t, "are lost", count(all, func(f fate) bool { return f.lost }), 0.03)
		near(t, "are reordered", count(all, func(f fate) bool { return f.late }), 0.97*0.05)
		near(t, "are doubled", count(all, func(f fate) bool { return f.twice }), 0.97*0.01)
	})
	t.Run("the same seed decides the same", func(t *testing.T) {
		c := Conditions{Loss: 0.2, Reorder: 0.2, Duplicate: 0.2, Delay: time.Second, Jitter: time.Second}
		a, b, other := fates(3, n, time.Millisecond, c), fates(3, n, time.Millisecond, c), fates(4, n, time.Millisecond, c)
		same := 0
		for i := range a {
			if a[i] != b[i] {
				t.Fatalf("packet %d: %+v and %+v", i, a[i], b[i])
			}
			if a[i] == other[i] {
				same++
			}
		}
		if same > n/2 {
			t.Errorf("another seed decides the same about %d of %d", same, n)
		}
	})
	t.Run("what was set before does not change the dice", func(t *testing.T) {
		a, b := newLine(9, 2, Down), newLine(9, 2, Down)
		for range 1000 {
			a.packet(noon, 100, Conditions{Loss: 1})
			b.packet(noon, 100, Conditions{Block: true})
		}
		for range 1000 {
			c := Conditions{Loss: 0.5}
			if a.packet(noon, 100, c).lost != b.packet(noon, 100, c).lost {
				t.Fatal("the dice differ")
			}
		}
	})
	t.Run("delay and jitter keep the order and their bounds", func(t *testing.T) {
		last := noon
		spread := time.Duration(0)
		for i, f := range fates(5, n, 50*time.Millisecond, Conditions{Delay: 100 * time.Millisecond, Jitter: 40 * time.Millisecond}) {
			late := f.due.Sub(noon.Add(time.Duration(i) * 50 * time.Millisecond))
			if late < 100*time.Millisecond || late > 140*time.Millisecond || f.due.Before(last) {
				t.Fatalf("packet %d comes %s late", i, late)
			}
			last = f.due
			spread = max(spread, late-100*time.Millisecond)
		}
		if spread < 35*time.Millisecond {
			t.Errorf("jitter is at most %s", spread)
		}
	})
	t.Run("a reordered packet is overtaken", func(t *testing.T) {
		all := fates(6, n, time.Millisecond, Conditions{Reorder: 0.1})
		for i := range all[:n-20] {
			if all[i].late != all[i].due.After(all[i+5].due) && !all[i+5].late {
				t.Fatalf("packet %d: %+v, then %+v", i, all[i], all[i+5])
			}
		}
	})
	t.Run("a rate spaces packets and a full queue loses", func(t *testing.T) {
		// 1000 bytes every 10 ms are 800 kbit/s: twice the rate.
		all := fates(1, n, 10*time.Millisecond, Conditions{BitsPerSecond: 400_000, QueueBytes: 10_000})
		over := count(all, func(f fate) bool { return f.overflowed })
		if math.Abs(float64(over)-n/2) > 20 {
			t.Errorf("%d of %d did not fit", over, n)
		}
		for i, f := range all {
			if late := f.due.Sub(noon.Add(time.Duration(i) * 10 * time.Millisecond)); !f.overflowed && late > 200*time.Millisecond {
				t.Fatalf("packet %d waits %s before a queue of 200 ms", i, late)
			}
		}
	})
	t.Run("a segment is never lost, it comes later and holds the others up", func(t *testing.T) {
		l := newLine(11, 0, Up)
		c := Conditions{Loss: 0.1, Delay: 50 * time.Millisecond}
		last, lost := noon, 0
		for i := range 1000 {
			at := noon.Add(time.Duration(i) * time.Millisecond)
			f := l.segment(at, 100, c)
			if f.lost {
				lost++
				if f.due.Sub(at) < 350*time.Millisecond {
					t.Fatalf("segment %d comes after %s", i, f.due.Sub(at))
				}
			}
			if f.due.Before(last) {
				t.Fatalf("segment %d overtakes", i)
			}
			last = f.due
		}
		if lost < 60 || lost > 140 {
			t.Errorf("%d of 1000 segments were lost", lost)
		}
	})
}

func TestConditionsThatCannotBe(t *testing.T) {
	for _, c := range []Conditions{{Loss: -0.1}, {Reorder: 1.1}, {Duplicate: math.NaN()}, {Delay: -1}, {BitsPerSecond: -1}} {
		var n networks
		if err := n.Change(Up, func(now *Conditions) { *now = c }); err == nil {
			t.Errorf("%+v is taken", c)
		}
		if now, _ := n[Up].conditions(); now != (Conditions{}) {
			t.Errorf("%+v was set", now)
		}
	}
}

// The queue with a fake clock: what comes out, and when.
func TestPipe(t *testing.T) {
	type out struct {
		what string
		at   time.Duration
	}
	play := func(t *testing.T, stream bool, script func(n *networks, p *pipe, done chan struct{})) []out {
		var got []out
		synctest.Test(t, func(t *testing.T) {
			var n networks
			began := time.Now()
			p := newPipe(&n[Up], newLine(1, 0, Up), stream, func(b []byte) bool {
				got = append(got, out{string(b), time.Since(began)})
				return true
			})
			done := make(chan struct{})
			go p.run(done)
			script(&n, p, done)
			synctest.Wait()
			close(done)
			synctest.Wait()
		})
		return got
	}
	check := func(t *testing.T, got []out, want ...out) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("got %v, want %v", got, want)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
	}
	const ms = time.Millisecond
	t.Run("packets come out after the delay, in order", func(t *testing.T) {
		got := play(t, false, func(n *networks, p *pipe, _ chan struct{}) {
			n.Set(Conditions{Delay: 75 * ms})
			p.put([]byte("a"))
			time.Sleep(10 * ms)
			p.put([]byte("b"))
			time.Sleep(100 * ms)
		})
		check(t, got, out{"a", 75 * ms}, out{"b", 85 * ms})
	})
	t.Run("a cut loses what is on the way and what comes, and ends", func(t *testing.T) {
		got := play(t, false, func(n *networks, p *pipe, _ chan struct{}) {
			n.Set(Conditions{Delay: 50 * ms})
			p.put([]byte("on the way"))
			time.Sleep(10 * ms)
			n.Block(true)
			p.put([]byte("cut"))
			time.Sleep(time.Second)
			n.Block(false)
			p.put([]byte("after"))
			time.Sleep(time.Second)
			if c := n.Counts(Up); c.Blocked != 2 || c.Packets != 3 || c.Delivered != 1 {
				t.Errorf("%+v", c)
			}
		})
		check(t, got, out{"after", 1060 * ms})
	})
	t.Run("a stream stands still in a cut and goes on", func(t *testing.T) {
		got := play(t, true, func(n *networks, p *pipe, done chan struct{}) {
			n.Set(Conditions{Delay: 50 * ms})
			p.put([]byte("a"))
			n.Block(true)
			time.Sleep(time.Second)
			go func() {
				if p.ready(done) {
					p.put([]byte("b"))
					p.end()
				}
			}()
			time.Sleep(time.Second)
			n.Block(false)
			time.Sleep(time.Second)
		})
		check(t, got, out{"a", 2000 * ms}, out{"b", 2050 * ms})
	})
	t.Run("a stream with a rate is held back, not lost", func(t *testing.T) {
		got := play(t, true, func(n *networks, p *pipe, done chan struct{}) {
			n.Set(Conditions{BitsPerSecond: 8000, QueueBytes: 1000}) // 1000 bytes a second
			for range 5 {
				if !p.ready(done) {
					t.Error("it ended")
				}
				p.put(make([]byte, 1000))
			}
			p.end()
			time.Sleep(5 * time.Second)
		})
		if len(got) != 5 || got[4].at != 5*time.Second {
			t.Errorf("got %d, the last at %s", len(got), got[len(got)-1].at)
		}
	})
	t.Run("a rate spaces packets", func(t *testing.T) {
		got := play(t, false, func(n *networks, p *pipe, _ chan struct{}) {
			n.Set(Conditions{BitsPerSecond: 80_000})
			p.put(make([]byte, 1000))
			p.put(make([]byte, 1000))
			time.Sleep(time.Second)
		})
		if len(got) != 2 || got[0].at != 100*ms || got[1].at != 200*ms {
			t.Errorf("%d packets", len(got))
		}
	})
}
