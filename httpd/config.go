package httpd

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Config says where and how the house is reached. Its keys stand at the top of
// the configuration file.
type Config struct {
	// Listen is the address of pages and API, host:port; port 0 takes a free one.
	// Default 127.0.0.1:8080.
	Listen string `yaml:"listen"`
	// PublicURL is the address others reach us by; links are made from it.
	// http or https, no path. Default http://localhost:8080.
	PublicURL string `yaml:"public_url"`
	// AdminListen is the address of /metrics and /debug/pprof, host:port; keep it
	// private. Empty: not served. Default 127.0.0.1:9470.
	AdminListen string `yaml:"admin_listen"`
	// TLS serves https itself; leave it off behind a proxy that does.
	TLS TLS `yaml:"tls"`
	// TrustedProxies lists addresses or networks (10.0.0.0/8) whose
	// X-Forwarded-For is believed. Default none.
	TrustedProxies []string `yaml:"trusted_proxies"`
	// DrainTimeout is how long requests and sockets may take to end when the
	// server stops. Default 10s.
	DrainTimeout time.Duration `yaml:"drain_timeout"`
}

// TLS says where the certificate comes from.
type TLS struct {
	// Mode is "off" or "files". Default off.
	Mode string `yaml:"mode"`
	// CertFile holds the certificate and its chain, PEM. Needed with mode files.
	CertFile string `yaml:"cert_file"`
	// KeyFile holds the private key, PEM. Needed with mode files.
	KeyFile string `yaml:"key_file"`
}

// The modes of TLS.
const (
	TLSOff   = "off"
	TLSFiles = "files"
)

// DefaultConfig gives what holds where the file says nothing.
func DefaultConfig() Config {
	return Config{
		Listen:       "127.0.0.1:8080",
		PublicURL:    "http://localhost:8080",
		AdminListen:  "127.0.0.1:9470",
		TLS:          TLS{Mode: TLSOff},
		DrainTimeout: 10 * time.Second,
	}
}

// Validate tells everything that is wrong, each with its key and the repair.
func (c Config) Validate() error {
	var all []error
	wrong := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	if err := checkListen(c.Listen); err != nil {
		wrong("listen: %w", err)
	}
	if c.AdminListen != "" {
		if err := checkListen(c.AdminListen); err != nil {
			wrong("admin_listen: %w", err)
		} else if c.AdminListen == c.Listen && !strings.HasSuffix(c.Listen, ":0") {
			wrong("admin_listen: must differ from listen")
		}
	}
	u, err := url.Parse(c.PublicURL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		wrong("public_url: must be an address such as https://video.example.com")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		wrong("public_url: must have nothing after the host and port")
	}
	switch c.TLS.Mode {
	case TLSFiles:
		if c.TLS.CertFile == "" {
			wrong("tls.cert_file: is needed when tls.mode is files")
		}
		if c.TLS.KeyFile == "" {
			wrong("tls.key_file: is needed when tls.mode is files")
		}
	case TLSOff, "":
		if c.TLS.CertFile != "" || c.TLS.KeyFile != "" {
			wrong("tls.mode: must be files when a certificate or key is named")
		}
	default:
		wrong("tls.mode: must be off or files, not %q", c.TLS.Mode)
	}
	for i, p := range c.TrustedProxies {
		_, errA := netip.ParseAddr(p)
		_, errP := netip.ParsePrefix(p)
		if errA != nil && errP != nil {
			wrong("trusted_proxies[%d]: %q is neither an address nor a network such as 10.0.0.0/8", i, p)
		}
	}
	if c.DrainTimeout <= 0 {
		wrong("drain_timeout: must be above zero, such as 10s")
	}
	return errors.Join(all...)
}

func checkListen(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("%q must be host:port, such as 127.0.0.1:8080", address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q must end with a port number up to 65535", address)
	}
	return nil
}

// LocalHosts are the names under which a demo is served: this machine's own and
// the host of the public address. Pages elsewhere then cannot reach it through
// a name of theirs that points here.
func LocalHosts(publicURL string) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if u, err := url.Parse(publicURL); err == nil && u.Hostname() != "" {
		hosts = append(hosts, u.Hostname())
	}
	return hosts
}
