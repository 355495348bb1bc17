package connectors

import "context"

// Bindings keep which login of a desk is which of its users: the first one told
// wins.
type Bindings interface {
	// BindLogin ties the login to the desk's user if none is, and returns the one
	// that is tied.
	BindLogin(ctx context.Context, desk, user, login string) (bound string, err error)
}
