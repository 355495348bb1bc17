package media

import (
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/interceptor/pkg/twcc"
	"github.com/pion/logging"
	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// How retransmission works: how often we ask a publisher, how often at most for
// one packet, and how many packets we keep for a subscriber (three seconds).
const (
	nackInterval = 50 * time.Millisecond
	nackTries    = 10
	nackMemory   = 512
)

// twccInterval is how often publishers hear how their packets arrived.
const twccInterval = 100 * time.Millisecond

// interceptors registers all that pion does to packets and RTCP of a leg. This
// is the only place that knows of interceptors.
//
// Publish legs ask for lost packets, report reception, and send transport-wide
// feedback (without which Chromium stays at 130 kbit/s). Subscribe legs resend
// and report what they sent.
func interceptors(m *webrtc.MediaEngine, d Direction, log logging.LoggerFactory) (*interceptor.Registry, error) {
	r := &interceptor.Registry{}
	if d == Subscribe {
		resend, err := nack.NewResponderInterceptor(nack.ResponderSize(nackMemory), nack.WithResponderLoggerFactory(log))
		if err != nil {
			return nil, err
		}
		reports, err := report.NewSenderInterceptor(report.WithSenderLoggerFactory(log))
		if err != nil {
			return nil, err
		}
		r.Add(resend)
		r.Add(reports)
		return r, nil
	}
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		m.RegisterFeedback(webrtc.RTCPFeedback{Type: webrtc.TypeRTCPFBTransportCC}, kind)
		if err := m.RegisterHeaderExtension(webrtc.RTPHeaderExtensionCapability{URI: sdp.TransportCCURI}, kind,
			webrtc.RTPTransceiverDirectionRecvonly); err != nil {
			return nil, err
		}
	}
	ask, err := nack.NewGeneratorInterceptor(
		nack.GeneratorInterval(nackInterval),
		nack.GeneratorMaxNacksPerPacket(nackTries),
		nack.WithGeneratorLoggerFactory(log),
	)
	if err != nil {
		return nil, err
	}
	reports, err := report.NewReceiverInterceptor(report.WithReceiverLoggerFactory(log))
	if err != nil {
		return nil, err
	}
	feedback, err := twcc.NewSenderInterceptor(twcc.SendInterval(twccInterval), twcc.WithLoggerFactory(log))
	if err != nil {
		return nil, err
	}
	r.Add(ask)
	r.Add(reports)
	r.Add(feedback)
	return r, nil
}
