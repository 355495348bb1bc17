package xcally

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"ringdown/fault"
)

// heartbeat keeps a quiet stream known to be alive.
const heartbeat = 15 * time.Second

// events streams every change as server-sent events. A page reads the lists
// after "ready", so that it misses nothing.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	watch := s.state.watch()
	if watch == nil {
		return fault.New(fault.TooMany, "too many pages are listening")
	}
	defer s.state.unwatch(watch)
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	write := func(format string, args ...any) error {
		_ = out.SetReadDeadline(time.Time{}) // the request is read; the stream outlives its limit
		if err := out.SetWriteDeadline(time.Now().Add(heartbeat)); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, format, args...); err != nil {
			return err
		}
		return out.Flush()
	}
	// From here on the answer has begun: an error only ends it.
	if err := write("retry: 1000\nevent: ready\ndata: {}\n\n"); err != nil {
		return errors.Join(err, errAnswered)
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-r.Context().Done():
			return errAnswered
		case <-beat.C:
			err = write("event: beat\ndata: {}\n\n")
		case c, ok := <-watch:
			if !ok {
				return errAnswered // fell behind; the page connects again
			}
			var data []byte
			if data, err = json.Marshal(c); err == nil {
				err = write("event: change\ndata: %s\n\n", data)
			}
		}
		if err != nil {
			return errors.Join(err, errAnswered)
		}
	}
}
