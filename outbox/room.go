package outbox

import (
	"cmp"
	"slices"
)

// Room is what a Claim may lease, given what is on its way already. One target
// that hangs fills its own room and nobody else's.
type Room struct {
	Limit    int // deliveries in all
	Target   int // on their way to one target at a time
	Replayed int // of these, replayed ones: what happens now always finds a place
	Busy     map[string]Busy
}

// Busy is what is on its way to one target.
type Busy struct{ Live, Replayed int }

// Due is how much of one target could be leased, counted up to Room.Target.
type Due struct {
	Target   string
	Replayed bool
	N        int
}

// Allot says how much of what is due may be leased: live ones first, and the
// targets that are the least busy first. What may not go at all is left out.
func (r Room) Allot(due []Due) []Due {
	due = slices.Clone(due)
	slices.SortStableFunc(due, func(a, b Due) int {
		if a.Replayed != b.Replayed {
			if b.Replayed {
				return -1
			}
			return 1
		}
		x, y := r.Busy[a.Target], r.Busy[b.Target]
		return cmp.Or(cmp.Compare(x.Live+x.Replayed, y.Live+y.Replayed), cmp.Compare(a.Target, b.Target))
	})
	left, live := r.Limit, map[string]int{}
	allotted := due[:0]
	for _, d := range due {
		busy := r.Busy[d.Target]
		most := r.Target - busy.Live - busy.Replayed
		if d.Replayed {
			most = min(most-live[d.Target], r.Replayed-busy.Replayed)
		}
		if d.N = min(d.N, most, left); d.N <= 0 {
			continue
		}
		if !d.Replayed {
			live[d.Target] = d.N
		}
		left -= d.N
		allotted = append(allotted, d)
	}
	return allotted
}
