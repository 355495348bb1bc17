package meeting

// Watch returns a channel that gets a value after each change of the meeting
// that this process made; of any meeting with an empty id. It has one slot: a slow reader sees one value for many
// changes and must read the meeting anew. Call stop when done.
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

// changed tells the watchers of one meeting, and the Clock.
func (s *Service) changed(id ID) {
	s.mu.Lock()
	for _, of := range []ID{id, ""} {
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
