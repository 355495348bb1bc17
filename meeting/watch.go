package meeting

import (
	"maps"
	"slices"
)

// Watch returns a channel that gets a value after each change of the meeting; of
// any meeting with an empty id. It has one slot: a slow reader sees one value for
// many changes and must read the meeting anew. Another node's changes come too,
// from a store that is a Feed; none is certain to. Call stop when done.
func (s *Service) Watch(id ID) (ch <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	if s.watches[id] == nil {
		s.watches[id] = map[chan struct{}]struct{}{}
	}
	s.watches[id][c] = struct{}{}
	s.mu.Unlock()
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watches[id], c)
		if len(s.watches[id]) == 0 {
			delete(s.watches, id)
		}
	}
}

// changed tells the watchers of one meeting, of all with an empty id, and the
// Clock.
func (s *Service) changed(id ID) {
	s.mu.Lock()
	whose := []ID{id, ""}
	if id == "" {
		whose = slices.Collect(maps.Keys(s.watches))
	}
	for _, of := range whose {
		for c := range s.watches[of] {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
