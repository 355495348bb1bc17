package media

import "time"

// A publisher may send four times the video bitrate that it is asked for, in
// each video track, and half a megabit of each sound. What is over that is not
// forwarded; who goes on for floodTime is ended.
const (
	floodFactor    = 4
	soundBPS       = 512_000
	floodSaved     = 2 * time.Second // of the rate, that may be saved up
	floodTime      = 3 * time.Second
	packetOverhead = 60 // bytes that a packet costs besides its own
)

// budget bounds what one track may send. Its reader owns it.
type budget struct {
	rate float64 // bytes per second
	left float64
	at   time.Time
	over time.Time // since when there is too much; zero: there is not
}

func newBudget(bitsPerSecond int, now time.Time) budget {
	rate := float64(bitsPerSecond) / 8
	return budget{rate: rate, left: rate * floodSaved.Seconds(), at: now}
}

// spend tells whether a burst may be forwarded, and whether its sender floods.
func (b *budget) spend(packets, bytes int, now time.Time) (ok, flood bool) {
	b.left = min(b.rate*floodSaved.Seconds(), b.left+b.rate*now.Sub(b.at).Seconds())
	b.at = now
	if cost := float64(bytes + packets*packetOverhead); b.left >= cost {
		b.left -= cost
		if b.left > b.rate {
			b.over = time.Time{}
		}
		return true, false
	}
	if b.over.IsZero() {
		b.over = now
	}
	return false, now.Sub(b.over) > floodTime
}
