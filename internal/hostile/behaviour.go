package hostile

import (
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Behaviour is what a Receiver does with a request once it has read all of it
// and written it down. The zero value answers 204.
type Behaviour struct {
	act    act
	status int
	header map[string]string
	times  int
	delay  time.Duration
}

type act int

const (
	answer act = iota
	hang
	drip
	reset
	cut
	nonsense
	huge
)

// Status answers with a status and an empty body.
func Status(code int) Behaviour { return Behaviour{status: code} }

// Redirect answers 302 and names another address.
func Redirect(to string) Behaviour {
	return Behaviour{status: http.StatusFound, header: map[string]string{"Location": to}}
}

// TooMany answers 429 with a Retry-After as it is given: seconds, a date, nonsense.
func TooMany(retryAfter string) Behaviour {
	return Behaviour{status: http.StatusTooManyRequests, header: map[string]string{"Retry-After": retryAfter}}
}

// Unavailable answers 503 with a Retry-After.
func Unavailable(retryAfter string) Behaviour {
	b := TooMany(retryAfter)
	b.status = http.StatusServiceUnavailable
	return b
}

// Hang never answers. It ends with the sender's patience, or with the Receiver.
func Hang() Behaviour { return Behaviour{act: hang} }

// Drip answers 200 and then one byte every 20 ms, without an end.
func Drip() Behaviour { return Behaviour{act: drip} }

// Reset tears the connection down instead of an answer (TCP RST).
func Reset() Behaviour { return Behaviour{act: reset} }

// Cut promises 1000 bytes after its 200 and closes after one.
func Cut() Behaviour { return Behaviour{act: cut} }

// Nonsense answers in a language that is not HTTP.
func Nonsense() Behaviour { return Behaviour{act: nonsense} }

// Huge answers 200 with a body of a gigabyte.
func Huge() Behaviour { return Behaviour{act: huge} }

// Times makes it last for n requests; those after them get 204.
func (b Behaviour) Times(n int) Behaviour {
	b.times = n
	return b
}

// After makes it wait before it does anything.
func (b Behaviour) After(d time.Duration) Behaviour {
	b.delay = d
	return b
}

// answers is the status the sender reads; 0: none.
func (b Behaviour) answers() int {
	switch b.act {
	case hang, reset, nonsense:
		return 0
	case drip, cut, huge:
		return http.StatusOK
	case answer:
	}
	if b.status == 0 {
		return http.StatusNoContent
	}
	return b.status
}

// on lets b loose on one answer; it returns by the request's end.
func (b Behaviour) on(w http.ResponseWriter, r *http.Request) {
	gone := r.Context().Done()
	if b.delay > 0 {
		t := time.NewTimer(b.delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-gone:
			return
		}
	}
	switch b.act {
	case answer:
		for name, value := range b.header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(b.answers())
	case hang:
		<-gone
	case drip:
		trickle(w, gone)
	case reset, cut, nonsense:
		b.tear(w)
	case huge:
		pour(w)
	}
}

func trickle(w http.ResponseWriter, gone <-chan struct{}) {
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	out := http.NewResponseController(w)
	for {
		if _, err := w.Write([]byte(".")); err != nil || out.Flush() != nil {
			return
		}
		select {
		case <-t.C:
		case <-gone:
			return
		}
	}
}

func pour(w http.ResponseWriter) {
	const gigabyte = 1 << 30
	w.Header().Set("Content-Length", strconv.Itoa(gigabyte))
	chunk := make([]byte, 64<<10)
	for range gigabyte / len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// tear takes the connection away from the server and ends it.
func (b Behaviour) tear(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // the server closes it
	}
	defer conn.Close()
	switch b.act {
	case cut:
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
	case nonsense:
		_, _ = io.WriteString(conn, "SSH-2.0-OpenSSH_9.9\r\n")
	default:
		plain := conn
		if t, ok := conn.(*tls.Conn); ok {
			plain = t.NetConn()
		}
		if t, ok := plain.(*net.TCPConn); ok {
			_ = t.SetLinger(0)
		}
	}
}
