package signaltest

import (
	"context"
	"errors"
	"time"
)

// How long a try of Stay to come back may take.
const tryTime = 2 * time.Second

// Stay keeps the client connected until ctx ends, as a page does: a socket that
// ends, or three pings of silence, are followed by new sockets until one has
// resumed, and by new addresses for both legs. It returns early when the server
// has nothing to resume.
func (c *Client) Stay(ctx context.Context, url string) error {
	silence := 3 * time.Duration(c.Welcome.PingMS) * time.Millisecond
	for c.lost(ctx, silence) {
		for ctx.Err() == nil {
			try, cancel := context.WithTimeout(ctx, tryTime)
			err := c.Resume(try, url)
			cancel()
			if refused, ok := errors.AsType[*RefusedError](err); ok {
				return refused
			}
			if err == nil {
				break
			}
		}
		restart, cancel := context.WithTimeout(ctx, tryTime)
		err := c.Restart(restart) // a socket that is lost again is found by the next round
		cancel()
		if err == nil {
			c.change(func() { c.resumed++ })
		}
	}
	return nil
}

// lost waits until the socket has ended or was silent for too long; false: ctx
// has ended.
func (c *Client) lost(ctx context.Context, silence time.Duration) bool {
	for ctx.Err() == nil {
		c.mu.Lock()
		changed, ended, left := c.changed, c.ended, silence-time.Since(c.heard)
		c.mu.Unlock()
		if ended != nil || left <= 0 {
			return true
		}
		t := time.NewTimer(left)
		select {
		case <-changed:
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
	return false
}

// WaitResumed waits until Stay has taken the place up again n times in all.
func (c *Client) WaitResumed(ctx context.Context, n int) error {
	return c.wait(ctx, func() bool { return c.resumed >= n }, false)
}

// Resume takes the place of the lost connection with a new socket, and waits for
// the welcome; the peer connections stay. A RefusedError with the code "gone":
// there is nothing to resume.
func (c *Client) Resume(ctx context.Context, url string) error {
	c.Drop()
	if err := c.until(ctx, func() bool { return c.ended != nil }); err != nil {
		return err
	}
	ws, err := Open(ctx, url, c.opts.Origin)
	if err != nil {
		return err
	}
	var before int
	c.change(func() { c.ended, before = nil, len(c.messages) })
	// Candidates of the living legs may come at any time: they wait for the hello.
	c.writing.Lock()
	c.ws = ws
	err = c.write(map[string]any{"type": "hello", "versions": []int{1}, "resume": c.Welcome.Resume})
	c.writing.Unlock()
	c.wg.Go(func() { c.read(c.live) })
	if err != nil {
		return err
	}
	var first Message
	if err := c.until(ctx, func() bool {
		if len(c.messages) == before {
			return false
		}
		first = c.messages[before]
		return true
	}); err != nil {
		return err
	}
	if first.Type != "welcome" {
		return &RefusedError{first}
	}
	c.Welcome = first
	return nil
}

// Restart finds new addresses for both legs: the publish leg by an offer of
// ours, the subscribe leg by asking for one.
func (c *Client) Restart(ctx context.Context) error {
	c.mu.Lock()
	pub, sub := c.pub, c.sub
	c.mu.Unlock()
	if sub != nil {
		if err := c.Send(map[string]any{"type": "restart", "leg": "subscribe"}); err != nil {
			return err
		}
	}
	if pub == nil {
		return nil
	}
	return c.offer(ctx, true)
}
