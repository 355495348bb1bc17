package signaltest

import "context"

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
	c.writing.Lock()
	c.ws = ws
	c.writing.Unlock()
	c.change(func() { c.ended, before = nil, len(c.messages) })
	c.wg.Go(func() { c.read(c.live) })
	if err := c.Send(map[string]any{"type": "hello", "versions": []int{1}, "resume": c.Welcome.Resume}); err != nil {
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
