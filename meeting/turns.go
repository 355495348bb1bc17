package meeting

import (
	"context"
	"hash/crc32"
)

// turns keep those who change one thing in this process in a row: each would only
// make the other's compare-and-set fail. Other nodes still may. As many things as
// it has places are changed at the same time, at most.
type turns [256]chan struct{}

func newTurns() (t turns) {
	for i := range t {
		t[i] = make(chan struct{}, 1)
	}
	return t
}

// take waits for the turn of id; give ends it.
func (t *turns) take(ctx context.Context, id string) (give func(), err error) {
	turn := t[crc32.ChecksumIEEE([]byte(id))%uint32(len(t))]
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
