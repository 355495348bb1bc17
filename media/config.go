package media

import (
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// AutoAddresses in Config.Addresses stands for all local addresses.
const AutoAddresses = "auto"

// Config says where media listens and how much it carries.
type Config struct {
	// Port is the one UDP and TCP port of all media; 0 takes any free port
	// (tests). Default 7882.
	Port int `yaml:"port"`

	// Addresses lists the IP addresses clients are told to send to. "auto"
	// stands for all addresses of this machine. An address that this machine
	// does not have (a public address in front of it) is announced as well and
	// must lead to the same port here; a list of such addresses only means
	// "auto" too. Default: auto. Addresses that appear after the start are not
	// noticed.
	Addresses []string `yaml:"addresses"`

	// Loopback lets "auto" include 127.0.0.1 and ::1: for a demo or a test on
	// one machine.
	Loopback bool `yaml:"loopback"`

	// MaxRooms, MaxPeers and MaxPeersPerRoom bound what this node carries; a
	// join over a limit is refused early. Defaults 500, 1000, 8.
	MaxRooms        int `yaml:"max_rooms"`
	MaxPeers        int `yaml:"max_peers"`
	MaxPeersPerRoom int `yaml:"max_peers_per_room"`

	// MaxTracks bounds what one peer publishes, at most 4: there are four
	// sources. Default 4.
	MaxTracks int `yaml:"max_tracks"`

	// VideoBitrateBPS is the highest video bitrate, in bits per second, that
	// clients are asked to send. Default 1500000.
	VideoBitrateBPS int `yaml:"video_bitrate"`

	// Reconnect is how long the place of somebody whose connection is lost is
	// kept, 1s to 10m. Default 60s.
	Reconnect time.Duration `yaml:"reconnect"`
}

// Defaults returns the configuration that holds when nothing is configured.
func Defaults() Config {
	return Config{
		Port:            7882,
		Addresses:       []string{AutoAddresses},
		MaxRooms:        500,
		MaxPeers:        1000,
		MaxPeersPerRoom: 8,
		MaxTracks:       4,
		VideoBitrateBPS: 1_500_000,
		Reconnect:       time.Minute,
	}
}

// Validate names every wrong field.
func (c Config) Validate() error {
	var errs []error
	if c.Port < 0 || c.Port > 65535 {
		errs = append(errs, fmt.Errorf("port: %d is not between 0 and 65535", c.Port))
	}
	if len(c.Addresses) == 0 {
		errs = append(errs, errors.New(`addresses: at least "auto" or one IP address is needed`))
	}
	for _, a := range c.Addresses {
		if a == AutoAddresses {
			continue
		}
		ip, err := netip.ParseAddr(a)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf(`addresses: %q is neither "auto" nor an IP address`, a))
		case ip.IsUnspecified() || ip.IsMulticast() || ip.Zone() != "":
			errs = append(errs, fmt.Errorf("addresses: %s is not an address that a client can send to", a))
		}
	}
	for _, limit := range []struct {
		name      string
		value, hi int
	}{
		{"max_rooms", c.MaxRooms, 100_000},
		{"max_peers", c.MaxPeers, 100_000},
		{"max_peers_per_room", c.MaxPeersPerRoom, 100},
		{"max_tracks", c.MaxTracks, 4},
	} {
		if limit.value < 1 || limit.value > limit.hi {
			errs = append(errs, fmt.Errorf("%s: %d is not between 1 and %d", limit.name, limit.value, limit.hi))
		}
	}
	if c.VideoBitrateBPS < 50_000 {
		errs = append(errs, fmt.Errorf("video_bitrate: %d bit/s is too little for a picture; at least 50000", c.VideoBitrateBPS))
	}
	if c.Reconnect < time.Second || c.Reconnect > 10*time.Minute {
		errs = append(errs, fmt.Errorf("reconnect: %s is not between 1s and 10m", c.Reconnect))
	}
	return errors.Join(errs...)
}
