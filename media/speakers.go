package media

import "time"

// Loudness is 127 minus the audio level of RFC 6464, so 0 is silence and 127 as
// loud as it gets. Quiet rooms are at about 60.
const (
	speakLoudness = 75                      // a voice, not a room
	speakLead     = 6                       // by which another voice has to be louder to take over
	speakHold     = 1500 * time.Millisecond // how long a pause between words may be
	hearEvery     = 300 * time.Millisecond  // the most often levels are told
	heardWithin   = time.Second             // a microphone that says nothing is silent
	levelStep     = 6                       // a smaller change is not worth a message
)

// ear measures one microphone; the reader of the track owns it.
type ear struct {
	loudest int
	told    time.Time
}

// hear takes the audio level of a packet and, a few times a second, shows the
// loudest since to the room.
func (t *Track) hear(level []byte) {
	if t.source != Microphone || len(level) == 0 {
		return
	}
	t.ear.loudest = max(t.ear.loudest, 127-int(level[0]&0x7f))
	if now := time.Now(); now.Sub(t.ear.told) >= hearEvery {
		t.owner.hub.heard(t, t.ear.loudest, now)
		t.ear.loudest, t.ear.told = 0, now
	}
}

// voices is what a room knows of who speaks; guarded by Hub.mu.
type voices struct {
	active ParticipantID
	spoke  time.Time // when the active one was last loud enough
	told   Speakers
	toldAt time.Time
}

// heard notes the loudness of a microphone.
func (h *Hub) heard(t *Track, loudness int, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.member(t.owner) && !t.muted {
		t.loudness, t.heardAt = loudness, now
		h.rooms[t.owner.grant.Room].listen(now)
	}
}

// listen decides who speaks and tells everybody if that changed; mu is held.
func (r *room) listen(now time.Time) {
	s := Speakers{Levels: map[ParticipantID]int{}}
	var loudest ParticipantID
	for id, p := range r.members {
		t := p.tracks[Microphone]
		if t == nil || t.muted {
			continue
		}
		if now.Sub(t.heardAt) < heardWithin {
			s.Levels[id] = t.loudness
		} else {
			s.Levels[id] = 0
		}
		if loudest == "" || s.Levels[id] > s.Levels[loudest] {
			loudest = id
		}
	}
	v := &r.voices
	level, here := s.Levels[v.active]
	if level >= speakLoudness {
		v.spoke = now
	}
	if !here || now.Sub(v.spoke) > speakHold {
		v.active = ""
	}
	if l := s.Levels[loudest]; l >= speakLoudness && (v.active == "" || l >= s.Levels[v.active]+speakLead) {
		v.active, v.spoke = loudest, now
	}
	s.Active = v.active
	if !v.worthTelling(s, now) {
		return
	}
	v.told, v.toldAt = s, now
	for _, p := range r.members {
		p.tell(s)
	}
}

func (v *voices) worthTelling(s Speakers, now time.Time) bool {
	if s.Active != v.told.Active || len(s.Levels) != len(v.told.Levels) {
		return true
	}
	if now.Sub(v.toldAt) < hearEvery {
		return false
	}
	for id, level := range s.Levels {
		if was, ok := v.told.Levels[id]; !ok || max(level-was, was-level) >= levelStep {
			return true
		}
	}
	return false
}
