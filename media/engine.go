package media

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// How long a silent path may last before a leg is disconnected, and after that
// before it has failed and its peer is ended.
const (
	iceDisconnectedAfter = 5 * time.Second
	iceFailedAfter       = 10 * time.Second
	iceKeepalive         = 2 * time.Second
)

// certificateAge is how old a certificate of ours gets: pion's are valid for a
// month, and a call may be long.
const certificateAge = 24 * time.Hour

// audioLevelURI is the one header extension that goes through to subscribers.
const audioLevelURI = sdp.AudioLevelURI

// engine makes PeerConnections on the sockets of the hub.
type engine struct {
	sockets *sockets
	udp     *ice.MultiUDPMuxDefault
	tcp     tcpMux
	setting webrtc.SettingEngine
	log     *slog.Logger
	now     func() time.Time

	mu   sync.Mutex // guards what follows
	cert *webrtc.Certificate
	made time.Time
}

// newEngine takes over the sockets: engine.close closes them.
func newEngine(s *sockets, log *slog.Logger, now func() time.Time) (*engine, error) {
	e := &engine{sockets: s, log: log, now: now}
	if err := e.configure(); err != nil {
		s.close()
		return nil, err
	}
	ours := pionLog{log}
	var muxes []ice.UDPMux
	for _, ip := range s.local {
		if u := s.udp[ip]; u != nil {
			muxes = append(muxes, ice.NewUDPMuxDefault(ice.UDPMuxParams{Logger: ours, UDPConn: u}))
		}
	}
	e.udp = ice.NewMultiUDPMuxDefault(muxes...)
	e.tcp = tcpMux{}
	for ip, l := range s.tcp {
		e.tcp[ip] = ice.NewTCPMuxDefault(ice.TCPMuxParams{
			Listener:                     l,
			Logger:                       ours,
			ReadBufferSize:               32,
			WriteBufferSize:              tcpQueueBytes,
			FirstStunBindTimeout:         tcpHelloTimeout,
			AliveDurationForConnFromStun: tcpHelloTimeout,
		})
	}
	e.setting.SetICEUDPMux(e.udp)
	e.setting.SetICETCPMux(e.tcp)
	return e, nil
}

func (e *engine) configure() error {
	se := &e.setting
	se.LoggerFactory = pionLog{e.log}
	// The lite side only answers: clients reach us at announced addresses, and
	// nobody can make us send checks to an address of their choice.
	se.SetLite(true)
	// Firefox nominates every pair it checks and uses the best of them. A lite side
	// that takes the last one instead would find it silent, and give the call up
	// after iceFailedAfter although packets arrive on the other.
	se.SetICEUseCandidateCheckPriority(true)
	se.SetNetworkTypes([]webrtc.NetworkType{
		webrtc.NetworkTypeUDP4, webrtc.NetworkTypeUDP6, webrtc.NetworkTypeTCP4, webrtc.NetworkTypeTCP6,
	})
	se.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	se.DisableActiveTCP(true)
	se.SetIncludeLoopbackCandidate(slices.ContainsFunc(e.sockets.local, netip.Addr.IsLoopback))
	se.SetIPFilter(func(ip net.IP) bool {
		a, _ := netip.AddrFromSlice(ip)
		return e.sockets.udp[a.Unmap()] != nil
	})
	se.SetICETimeouts(iceDisconnectedAfter, iceFailedAfter, iceKeepalive)
	// The DTLS server chooses the cipher: AES-GCM costs a sixth of AES-CM.
	if err := se.SetAnsweringDTLSRole(webrtc.DTLSRoleServer); err != nil {
		return err
	}
	se.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	// ICE has proved the client's address; DTLS need not prove it again.
	// A lost message of the handshake is said again after this long, doubled each
	// time. Pion's second would be most of a first picture; browsers begin at 50 ms.
	se.SetDTLSRetransmissionInterval(100 * time.Millisecond)
	se.SetDTLSInsecureSkipHelloVerify(true)
	return se.SetICEAddressRewriteRules(e.sockets.rewriteRules()...)
}

// rewriteRules adds the public addresses to the local ones behind them.
func (s *sockets) rewriteRules() []webrtc.ICEAddressRewriteRule {
	var rules []webrtc.ICEAddressRewriteRule
	for _, ip := range s.local {
		rule := webrtc.ICEAddressRewriteRule{
			Local: ip.String(), AsCandidateType: webrtc.ICECandidateTypeHost, Mode: webrtc.ICEAddressRewriteAppend,
		}
		for _, p := range s.public {
			if s.behind(p) == ip {
				rule.External = append(rule.External, p.String())
			}
		}
		if rule.External != nil {
			rules = append(rules, rule)
		}
	}
	return rules
}

// connection makes a PeerConnection for a leg.
func (e *engine) connection(d Direction) (*webrtc.PeerConnection, error) {
	cert, err := e.certificate()
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	m, err := codecs()
	if err != nil {
		return nil, fmt.Errorf("register codecs: %w", err)
	}
	registry, err := interceptors(m, d, pionLog{e.log})
	if err != nil {
		return nil, fmt.Errorf("register interceptors: %w", err)
	}
	api := webrtc.NewAPI(webrtc.WithSettingEngine(e.setting), webrtc.WithMediaEngine(m), webrtc.WithInterceptorRegistry(registry))
	return api.NewPeerConnection(webrtc.Configuration{
		Certificates: []webrtc.Certificate{*cert},
		BundlePolicy: webrtc.BundlePolicyMaxBundle,
	})
}

// certificate returns the one that all legs of a day share.
func (e *engine) certificate() (*webrtc.Certificate, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.cert != nil && e.now().Sub(e.made) < certificateAge {
		return e.cert, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	cert, err := webrtc.GenerateCertificate(key)
	if err != nil {
		return nil, err
	}
	e.cert, e.made = cert, e.now()
	return cert, nil
}

func (e *engine) close() {
	_ = e.udp.Close()
	_ = e.tcp.Close()
	e.sockets.close()
}

// codecs are what we carry: Opus, VP8, VP9, constrained baseline H264 and AV1,
// the video codecs with retransmission.
func codecs() (*webrtc.MediaEngine, error) {
	m := &webrtc.MediaEngine{}
	feedback := []webrtc.RTCPFeedback{{Type: "nack"}, {Type: "nack", Parameter: "pli"}, {Type: "ccm", Parameter: "fir"}}
	video := func(pt webrtc.PayloadType, mime, fmtp string) []webrtc.RTPCodecParameters {
		return []webrtc.RTPCodecParameters{
			{PayloadType: pt, RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: mime, ClockRate: 90000, SDPFmtpLine: fmtp, RTCPFeedback: feedback,
			}},
			{PayloadType: pt + 1, RTPCodecCapability: webrtc.RTPCodecCapability{
				MimeType: webrtc.MimeTypeRTX, ClockRate: 90000, SDPFmtpLine: fmt.Sprintf("apt=%d", pt),
			}},
		}
	}
	list := video(96, webrtc.MimeTypeVP8, "")
	list = append(list, video(98, webrtc.MimeTypeH264,
		"level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f")...)
	list = append(list, video(100, webrtc.MimeTypeVP9, "profile-id=0")...)
	list = append(list, video(102, webrtc.MimeTypeAV1, "level-idx=5;profile=0;tier=0")...)
	for _, c := range list {
		if err := m.RegisterCodec(c, webrtc.RTPCodecTypeVideo); err != nil {
			return nil, err
		}
	}
	if err := m.RegisterCodec(webrtc.RTPCodecParameters{PayloadType: 111, RTPCodecCapability: webrtc.RTPCodecCapability{
		MimeType: webrtc.MimeTypeOpus, ClockRate: 48000, Channels: 2, SDPFmtpLine: "minptime=10;useinbandfec=1",
	}}, webrtc.RTPCodecTypeAudio); err != nil {
		return nil, err
	}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.SDESMidURI}, kind,
			webrtc.RTPTransceiverDirectionRecvonly); err != nil {
			return nil, err
		}
	}
	return m, m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: audioLevelURI}, webrtc.RTPCodecTypeAudio)
}

// usualCodec is what browsers send if nobody asks for another.
func usualCodec(k Kind) webrtc.RTPCodecParameters {
	if k == Audio {
		return webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48000}}
	}
	return webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}}
}

// pionLog sends what pion logs to debug: its warnings are about the network of
// one client, and hold addresses.
type pionLog struct{ log *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (l pionLog) NewLogger(scope string) logging.LeveledLogger {
	return pionLog{l.log.With("pion", scope)}
}

func (l pionLog) say(msg string) { l.log.Debug("pion", "says", msg) }

func (l pionLog) sayf(format string, args ...any) {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		l.say(fmt.Sprintf(format, args...))
	}
}

func (l pionLog) Trace(string)                      {}
func (l pionLog) Tracef(string, ...any)             {}
func (l pionLog) Debug(string)                      {}
func (l pionLog) Debugf(string, ...any)             {}
func (l pionLog) Info(msg string)                   { l.say(msg) }
func (l pionLog) Infof(format string, args ...any)  { l.sayf(format, args...) }
func (l pionLog) Warn(msg string)                   { l.say(msg) }
func (l pionLog) Warnf(format string, args ...any)  { l.sayf(format, args...) }
func (l pionLog) Error(msg string)                  { l.say(msg) }
func (l pionLog) Errorf(format string, args ...any) { l.sayf(format, args...) }
