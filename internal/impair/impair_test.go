package impair_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"ringdown/internal/impair"
	"ringdown/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

const patience = 10 * time.Second

// echo is a UDP server that keeps the numbers it gets, and from where, and sends
// each back.
type echo struct {
	conn net.PacketConn
	wg   sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{}
	numbers []uint32
	sources map[string]int
}

func newEcho(t *testing.T) *echo {
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{conn: c, sources: map[string]int{}, changed: make(chan struct{})}
	e.wg.Go(func() {
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			e.mu.Lock()
			e.numbers = append(e.numbers, binary.BigEndian.Uint32(b))
			e.sources[from.String()]++
			close(e.changed)
			e.changed = make(chan struct{})
			e.mu.Unlock()
			_, _ = c.WriteTo(b[:n], from)
		}
	})
	t.Cleanup(func() { c.Close(); e.wg.Wait() })
	return e
}

// wait returns the numbers once there are n.
func (e *echo) wait(t *testing.T, n int) []uint32 {
	t.Helper()
	limit := time.After(patience)
	for {
		e.mu.Lock()
		got, changed := slices.Clone(e.numbers), e.changed
		e.mu.Unlock()
		if len(got) >= n {
			return got
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("%d packets arrived, want %d", len(got), n)
		}
	}
}

func udp(t *testing.T, server net.Addr, seed uint64) *impair.UDP {
	t.Helper()
	u, err := impair.NewUDP(t.Context(), server.String(), seed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.Close)
	return u
}

func dial(t *testing.T, network string, to netip.AddrPort) net.Conn {
	t.Helper()
	var d net.Dialer
	c, err := d.DialContext(t.Context(), network, to.String())
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { c.Close() })
	return c
}

// number sends packets with the numbers from first on, some at a time, so that
// no socket's buffer overflows: the relay has taken all when it returns, and the
// server, if there is one, has all that the relay delivered.
func number(t *testing.T, u *impair.UDP, c net.Conn, e *echo, first, n int) {
	t.Helper()
	before := u.Counts(impair.Up).Packets
	tick := time.NewTicker(100 * time.Microsecond)
	defer tick.Stop()
	for i := range n {
		if _, err := c.Write(binary.BigEndian.AppendUint32(nil, uint32(first+i))); err != nil {
			t.Fatal(err)
		}
		settled := func() bool {
			k := u.Counts(impair.Up)
			if k.Packets != before+int64(i+1) || e == nil {
				return k.Packets == before+int64(i+1)
			}
			return k.Packets+k.Duplicated == k.Lost+k.Blocked+k.Overflowed+k.Delivered && e.received() == k.Delivered
		}
		for (i+1)%50 == 0 || i+1 == n {
			if settled() {
				break
			}
			<-tick.C
		}
	}
}

func (e *echo) received() int64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return int64(len(e.numbers))
}

func TestUDP(t *testing.T) {
	leak.Check(t)
	const n = 1000
	t.Run("carries both ways", func(t *testing.T) {
		e := newEcho(t)
		u := udp(t, e.conn.LocalAddr(), 1)
		c := dial(t, "udp", u.Addr())
		number(t, u, c, e, 7, 1)
		b := make([]byte, 10)
		if k, err := c.Read(b); err != nil || k != 4 || b[3] != 7 {
			t.Fatal(k, err)
		}
	})
	t.Run("the same seed loses and doubles the same packets", func(t *testing.T) {
		run := func(seed uint64) ([]uint32, impair.Counts) {
			e := newEcho(t)
			u := udp(t, e.conn.LocalAddr(), seed)
			u.Set(impair.Conditions{Loss: 0.1, Duplicate: 0.05})
			number(t, u, dial(t, "udp", u.Addr()), e, 0, n)
			counts := u.Counts(impair.Up)
			return e.wait(t, n-int(counts.Lost)+int(counts.Duplicated)), counts
		}
		a, ca := run(42)
		b, cb := run(42)
		other, _ := run(43)
		if !slices.Equal(a, b) || ca.Lost != cb.Lost || ca.Duplicated != cb.Duplicated {
			t.Errorf("%d and %d packets, %+v and %+v", len(a), len(b), ca, cb)
		}
		if slices.Equal(a, other) {
			t.Error("another seed decides the same")
		}
		if ca.Lost < 60 || ca.Lost > 140 || ca.Duplicated < 20 || ca.Duplicated > 80 {
			t.Errorf("%+v", ca)
		}
	})
	t.Run("each way has conditions of its own", func(t *testing.T) {
		e := newEcho(t)
		u := udp(t, e.conn.LocalAddr(), 5)
		if err := u.Change(impair.Down, func(c *impair.Conditions) { c.Loss = 1 }); err != nil {
			t.Fatal(err)
		}
		c := dial(t, "udp", u.Addr())
		number(t, u, c, e, 0, 100)
		e.wait(t, 100)
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := c.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("something came down: %v", err)
		}
	})
	t.Run("delay is there", func(t *testing.T) {
		e := newEcho(t)
		u := udp(t, e.conn.LocalAddr(), 1)
		u.Set(impair.Conditions{Delay: 30 * time.Millisecond})
		c := dial(t, "udp", u.Addr())
		began := time.Now()
		number(t, u, c, e, 0, 1)
		if _, err := c.Read(make([]byte, 10)); err != nil || time.Since(began) < 60*time.Millisecond {
			t.Errorf("back after %s, %v", time.Since(began), err)
		}
	})
	t.Run("reordered packets are overtaken", func(t *testing.T) {
		e := newEcho(t)
		u := udp(t, e.conn.LocalAddr(), 1)
		u.Set(impair.Conditions{Reorder: 0.1})
		number(t, u, dial(t, "udp", u.Addr()), e, 0, n)
		got := e.wait(t, n)
		if slices.IsSorted(got) {
			t.Error("all came in order")
		}
		slices.Sort(got)
		for i, x := range got {
			if int(x) != i {
				t.Fatalf("packet %d is missing", i)
			}
		}
	})
	t.Run("a cut stops everything until it ends", func(t *testing.T) {
		e := newEcho(t)
		u := udp(t, e.conn.LocalAddr(), 1)
		c := dial(t, "udp", u.Addr())
		number(t, u, c, e, 0, 10)
		e.wait(t, 10)
		u.Block(true)
		number(t, u, c, e, 10, 10)
		u.Block(false)
		number(t, u, c, e, 20, 10)
		got := e.wait(t, 20)
		if got[10] != 20 || u.Counts(impair.Up).Blocked != 10 {
			t.Errorf("%v, %+v", got, u.Counts(impair.Up))
		}
	})
	t.Run("a full queue before a slow line loses", func(t *testing.T) {
		e := newEcho(t)
		u := udp(t, e.conn.LocalAddr(), 1)
		u.Set(impair.Conditions{BitsPerSecond: 100_000, QueueBytes: 40})
		number(t, u, dial(t, "udp", u.Addr()), e, 0, n)
		counts := u.Counts(impair.Up)
		if got := len(e.wait(t, n-int(counts.Overflowed))); counts.Overflowed == 0 || got != n-int(counts.Overflowed) {
			t.Errorf("%d arrived, %+v", got, counts)
		}
	})
	t.Run("a new port is a new source to the server, and answers come", func(t *testing.T) {
		e := newEcho(t)
		u := udp(t, e.conn.LocalAddr(), 1)
		a, b := dial(t, "udp", u.Addr()), dial(t, "udp", u.Addr())
		number(t, u, a, e, 0, 3)
		number(t, u, b, e, 0, 3)
		e.wait(t, 6)
		u.Rebind()
		number(t, u, a, e, 9, 1)
		e.wait(t, 7)
		e.mu.Lock()
		if got := slices.Sorted(maps.Values(e.sources)); !slices.Equal(got, []int{1, 3, 3}) {
			t.Errorf("packets by source: %v", got)
		}
		e.mu.Unlock()
		buf := make([]byte, 4)
		for buf[3] != 9 {
			if _, err := a.Read(buf); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("Close ends it with packets on the way", func(t *testing.T) {
		e := newEcho(t)
		u := udp(t, e.conn.LocalAddr(), 1)
		u.Set(impair.Conditions{Delay: time.Hour})
		number(t, u, dial(t, "udp", u.Addr()), nil, 0, 10)
		u.Close()
		u.Close()
	})
}

// server is a TCP server that sends back what it gets, and counts connections.
func server(t *testing.T) (addr string, conns chan net.Conn) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	conns = make(chan net.Conn, 16)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns <- c
			wg.Go(func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String(), conns
}

func tcp(t *testing.T, server string) *impair.TCP {
	t.Helper()
	r, err := impair.NewTCP(t.Context(), server, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func TestTCP(t *testing.T) {
	leak.Check(t)
	// say sends a word and wants it back.
	say := func(t *testing.T, c net.Conn, word string) {
		t.Helper()
		if _, err := c.Write([]byte(word)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, len(word))
		if _, err := io.ReadFull(c, b); err != nil || string(b) != word {
			t.Fatalf("%q, %v", b, err)
		}
	}
	silent := func(t *testing.T, c net.Conn) {
		t.Helper()
		_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if n, err := c.Read(make([]byte, 10)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("%d bytes and %v in a cut", n, err)
		}
		_ = c.SetReadDeadline(time.Now().Add(patience))
	}
	t.Run("carries much, and the end", func(t *testing.T) {
		addr, _ := server(t)
		r := tcp(t, addr)
		c := dial(t, "tcp", r.Addr())
		sent := make([]byte, 3<<20)
		for i := range sent {
			sent[i] = byte(i * i)
		}
		go func() {
			_, _ = c.Write(sent)
			_ = c.(*net.TCPConn).CloseWrite()
		}()
		got, err := io.ReadAll(c)
		if err != nil || !slices.Equal(got, sent) {
			t.Fatalf("%d bytes came back, %v", len(got), err)
		}
	})
	t.Run("a cut holds open connections and new ones, and both go on", func(t *testing.T) {
		addr, conns := server(t)
		r := tcp(t, addr)
		c := dial(t, "tcp", r.Addr())
		say(t, c, "before")
		<-conns
		r.Block(true)
		if _, err := c.Write([]byte("after")); err != nil {
			t.Fatal(err)
		}
		silent(t, c)
		other := dial(t, "tcp", r.Addr())
		if _, err := other.Write([]byte("new")); err != nil {
			t.Fatal(err)
		}
		silent(t, other)
		if len(conns) != 0 {
			t.Error("a new connection reached the server in a cut")
		}
		r.Block(false)
		for word, c := range map[string]net.Conn{"after": c, "new": other} {
			b := make([]byte, len(word))
			if _, err := io.ReadFull(c, b); err != nil || string(b) != word {
				t.Errorf("%q, %v", b, err)
			}
		}
	})
	t.Run("an end in a cut is heard afterwards", func(t *testing.T) {
		addr, conns := server(t)
		r := tcp(t, addr)
		c := dial(t, "tcp", r.Addr())
		say(t, c, "hello")
		r.Block(true)
		(<-conns).Close()
		silent(t, c)
		r.Block(false)
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("the end was not heard")
		}
	})
	t.Run("delay is there, in the handshake and after", func(t *testing.T) {
		addr, _ := server(t)
		r := tcp(t, addr)
		r.Set(impair.Conditions{Delay: 30 * time.Millisecond})
		began := time.Now()
		c := dial(t, "tcp", r.Addr())
		say(t, c, "x")
		if took := time.Since(began); took < 120*time.Millisecond {
			t.Errorf("back after %s", took)
		}
		began = time.Now()
		say(t, c, "x")
		if took := time.Since(began); took < 60*time.Millisecond {
			t.Errorf("back after %s", took)
		}
	})
	t.Run("a rate holds back", func(t *testing.T) {
		addr, _ := server(t)
		r := tcp(t, addr)
		if err := r.Change(impair.Up, func(c *impair.Conditions) { c.BitsPerSecond = 4_000_000 }); err != nil {
			t.Fatal(err)
		}
		c := dial(t, "tcp", r.Addr())
		began := time.Now()
		say(t, c, string(make([]byte, 50_000)))
		if took := time.Since(began); took < 95*time.Millisecond {
			t.Errorf("50 kB at 4 Mbit/s took %s", took)
		}
	})
	t.Run("a lost segment comes late", func(t *testing.T) {
		addr, _ := server(t)
		r := tcp(t, addr)
		if err := r.Change(impair.Up, func(c *impair.Conditions) { c.Loss = 1 }); err != nil {
			t.Fatal(err)
		}
		c := dial(t, "tcp", r.Addr())
		began := time.Now()
		say(t, c, "x")
		if took := time.Since(began); took < 200*time.Millisecond || r.Counts(impair.Up).Lost != 1 {
			t.Errorf("back after %s, %+v", took, r.Counts(impair.Up))
		}
	})
	t.Run("a reset is heard on both sides", func(t *testing.T) {
		addr, conns := server(t)
		r := tcp(t, addr)
		c := dial(t, "tcp", r.Addr())
		say(t, c, "hello")
		<-conns
		if r.Open() != 1 {
			t.Errorf("%d connections", r.Open())
		}
		r.Reset()
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
		say(t, dial(t, "tcp", r.Addr()), "again")
	})
	t.Run("a server that is gone is a reset for the client", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		c, err := net.Dial("tcp", tcp(t, l.Addr().String()).Addr().String())
		if err != nil {
			return // reset so soon
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(patience))
		if _, err := c.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("read: %v", err)
		}
	})
	t.Run("Close ends it in a cut", func(t *testing.T) {
		addr, _ := server(t)
		r := tcp(t, addr)
		c := dial(t, "tcp", r.Addr())
		say(t, c, "hello")
		r.Block(true)
		_ = dial(t, "tcp", r.Addr())
		r.Close()
		r.Close()
	})
}

func TestConditionsChangeWhileTrafficRuns(t *testing.T) {
	leak.Check(t)
	e := newEcho(t)
	u := udp(t, e.conn.LocalAddr(), 1)
	c := dial(t, "udp", u.Addr())
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				u.Set(impair.Conditions{Loss: 0.1 * float64(i), Delay: time.Duration(i) * time.Millisecond})
				u.Block(i == 3)
				u.Rebind()
				_ = u.Counts(impair.Down)
			}
		})
	}
	number(t, u, c, nil, 0, 300)
	stop()
	wg.Wait()
	u.Set(impair.Conditions{})
	e.mu.Lock()
	e.numbers = nil
	e.mu.Unlock()
	number(t, u, c, nil, 1000, 10)
	e.wait(t, 10)
}
