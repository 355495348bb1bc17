package web

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

// Demo is what the start page of the demo tells a newcomer: `GET /demo/state`.
type Demo struct {
	// Version is the daemon's, to be read in the footer.
	Version string `json:"version"`
	// Shop is the address of the demo shop, Inbox that of the emulated desk.
	Shop  string `json:"shop"`
	Inbox string `json:"inbox"`
	// Phones is the address of the emulated agent app of a phone system.
	Phones string `json:"phones"`
	// Pages is where this daemon's pages are reached.
	Pages string `json:"pages"`
	// Media lists where sound and pictures arrive.
	Media []Address `json:"media"`
}

// Address is one place where media arrive.
type Address struct {
	Address  string `json:"address"`  // host:port
	Protocol string `json:"protocol"` // "udp", "tcp" or "udp, tcp"
	Reach    Reach  `json:"reach"`
}

// Reach says from how far an address is reached; the page has the words.
type Reach string

// The reaches.
const (
	ReachMachine  Reach = "machine"  // from this machine only
	ReachNetwork  Reach = "network"  // from the local network
	ReachInternet Reach = "internet" // from anywhere
)

func (p *Pages) demoState(c *gin.Context) error {
	state := p.config.Demo()
	if state.Media == nil {
		state.Media = []Address{}
	}
	c.JSON(http.StatusOK, state)
	return nil
}
