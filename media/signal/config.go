package signal

import (
	"errors"
	"fmt"
	"time"

	"ringdown/media"
)

// Config says how clients are treated. The zero value of a field means its
// default, but for AllowOrigin, which is needed.
type Config struct {
	// AllowOrigin tells whether a page of this origin may connect to this host
	// (the Host header). It is asked only when a request has an Origin: clients
	// that are no browsers send none.
	AllowOrigin func(origin, host string) bool

	// ICEServers returns what the welcome lists as ice_servers, for one
	// participant; nil means none.
	ICEServers func(media.Grant) []ICEServer

	MaxConnections int           // that have joined, at one time; default 2000
	MaxWaiting     int           // that have not said hello yet; default 500
	HelloTimeout   time.Duration // from the upgrade to the hello; default 5 s
	Ping           time.Duration // between pings; three without an answer are death; default 1 s
	WriteTimeout   time.Duration // for one message; default 5 s
}

// Validate names every wrong field.
func (c Config) Validate() error {
	var errs []error
	if c.AllowOrigin == nil {
		errs = append(errs, errors.New("AllowOrigin is needed"))
	}
	if c.MaxConnections < 0 {
		errs = append(errs, fmt.Errorf("MaxConnections: %d is negative", c.MaxConnections))
	}
	if c.MaxWaiting < 0 {
		errs = append(errs, fmt.Errorf("MaxWaiting: %d is negative", c.MaxWaiting))
	}
	for name, d := range map[string]time.Duration{"HelloTimeout": c.HelloTimeout, "Ping": c.Ping, "WriteTimeout": c.WriteTimeout} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("%s: %s is negative", name, d))
		}
	}
	return errors.Join(errs...)
}

func (c Config) withDefaults() Config {
	if c.MaxConnections == 0 {
		c.MaxConnections = 2000
	}
	if c.MaxWaiting == 0 {
		c.MaxWaiting = 500
	}
	if c.HelloTimeout == 0 {
		c.HelloTimeout = 5 * time.Second
	}
	if c.Ping == 0 {
		c.Ping = time.Second
	}
	if c.WriteTimeout == 0 {
		c.WriteTimeout = 5 * time.Second
	}
	return c
}
