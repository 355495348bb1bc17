package xcally

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"ringdown/fault"
)

// TroubleKind says how a Receive URL fails.
type TroubleKind string

// The ways to fail.
const (
	TroubleStatus TroubleKind = "status" // answers Status, with Retry-After when set
	TroubleHang   TroubleKind = "hang"   // never answers
	TroubleReset  TroubleKind = "reset"  // resets the connection
)

// Trouble is what the next messages to an account meet.
type Trouble struct {
	Kind         TroubleKind   `json:"kind"`
	Times        int           `json:"times"`        // how many messages, 1 to 1000
	Status       int           `json:"status"`       // 400 to 599, for TroubleStatus
	RetryAfter   time.Duration `json:"-"`            // for TroubleStatus; 0: no header
	AfterStoring bool          `json:"afterStoring"` // the message arrives, only the answer fails
}

// hangLimit ends a hanging answer whose caller waits for ever.
const hangLimit = 2 * time.Minute

// Trouble makes the next messages to the account fail; Times 0 ends that.
func (s *Server) Trouble(account int, t Trouble) error {
	if _, err := s.account(strconv.Itoa(account)); err != nil {
		return err
	}
	switch {
	case t.Times < 0 || t.Times > 1000:
		return fault.NewInvalid("times", "want 0 to 1000")
	case t.Times > 0 && t.Kind != TroubleStatus && t.Kind != TroubleHang && t.Kind != TroubleReset:
		return fault.NewInvalid("kind", "want status, hang or reset")
	case t.Times > 0 && t.Kind == TroubleStatus && (t.Status < 400 || t.Status > 599):
		return fault.NewInvalid("status", "want 400 to 599")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.troubles[account] = t
	return nil
}

// nextTrouble takes one of the failures asked for.
func (s *Server) nextTrouble(account int) (Trouble, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.troubles[account]
	if t.Times == 0 {
		return Trouble{}, false
	}
	left := t
	left.Times--
	s.troubles[account] = left
	return t, true
}

// play fails as asked.
func (s *Server) play(w http.ResponseWriter, r *http.Request, t Trouble) error {
	if t.Kind == TroubleHang {
		select {
		case <-r.Context().Done(): // the caller went away, or the server ends
		case <-time.After(hangLimit):
		}
	}
	if t.Kind != TroubleStatus {
		return dropConnection(w)
	}
	if t.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(t.RetryAfter.Round(time.Second)/time.Second)))
	}
	return writeJSON(w, t.Status, map[string]string{"message": "trouble that was asked for: " + http.StatusText(t.Status)})
}

// dropConnection closes without an answer, and without the usual goodbye.
func dropConnection(w http.ResponseWriter) error {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = tcp.SetLinger(0)
	}
	return errors.Join(err, conn.Close(), errAnswered)
}

// errAnswered tells that there is nothing left to write.
var errAnswered = errors.New("answered")
