package media

import (
	"errors"
	"fmt"

	"github.com/pion/sdp/v3"
)

// maxSections bounds the media sections of a client's description.
const maxSections = 64

// section is what we look at in one media section of a client's description.
type section struct {
	mid       string
	kind      Kind
	direction string // sendrecv, sendonly, recvonly or inactive
	rejected  bool   // port 0
}

func (s section) sends() bool {
	return !s.rejected && (s.direction == "sendonly" || s.direction == "sendrecv")
}

func (s section) receives() bool {
	return !s.rejected && (s.direction == "recvonly" || s.direction == "sendrecv")
}

// parseSDP reads a client's description. Its errors are fit for the client.
func parseSDP(text string) ([]section, error) {
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return nil, errors.New("the description is not readable")
	}
	if len(d.MediaDescriptions) == 0 {
		return nil, errors.New("the description has no media section")
	}
	if len(d.MediaDescriptions) > maxSections {
		return nil, fmt.Errorf("the description has more than %d media sections", maxSections)
	}
	out := make([]section, 0, len(d.MediaDescriptions))
	for _, m := range d.MediaDescriptions {
		s := section{kind: Kind(m.MediaName.Media), direction: "sendrecv"}
		if s.kind != Audio && s.kind != Video {
			return nil, fmt.Errorf("a media section is neither audio nor video but %q", m.MediaName.Media)
		}
		s.mid, _ = m.Attribute("mid")
		if s.mid == "" {
			return nil, errors.New("a media section has no mid")
		}
		for _, dir := range []string{"sendrecv", "sendonly", "recvonly", "inactive"} {
			if _, ok := m.Attribute(dir); ok {
				s.direction = dir
			}
		}
		_, bundled := m.Attribute("bundle-only")
		s.rejected = m.MediaName.Port.Value == 0 && !bundled
		out = append(out, s)
	}
	return out, nil
}
