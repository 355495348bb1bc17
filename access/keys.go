// Package access says who somebody is and what they may do: link secrets,
// session and media tokens, site keys and API keys. It keeps no state but its
// keys; it knows neither a store driver nor a web framework, and starts no
// goroutine.
package access

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"
)

// RootSize is the length of a root key in bytes.
const RootSize = 32

// Root is one of the daemon's root keys. Every kind of secret is derived from
// it for that kind alone, so that nothing made as one kind passes as another.
type Root struct {
	ID        string // "kid" of the tokens it signs
	Secret    []byte // RootSize random bytes
	CreatedAt time.Time
	RetiredAt time.Time // zero: in use; else it verifies only, until removed
}

// The kinds of derived keys. The words are part of the derivation.
const (
	kindLink    = "link"
	kindSession = "session"
	kindMedia   = "media"
)

// Keys are the root keys, and all that is derived from them. Safe for
// concurrent use.
type Keys struct {
	newest  string
	derived map[string]map[string][]byte // root id → kind → key
	now     func() time.Time
}

// NewKeys derives from the roots; the newest one in use signs, all verify.
func NewKeys(roots []Root, now func() time.Time) (*Keys, error) {
	k := &Keys{derived: map[string]map[string][]byte{}, now: now}
	var newest time.Time
	for _, r := range roots {
		if len(r.Secret) != RootSize || r.ID == "" {
			return nil, fmt.Errorf("root key %q: must have an id and %d bytes", r.ID, RootSize)
		}
		of := map[string][]byte{}
		for _, kind := range []string{kindLink, kindSession, kindMedia} {
			key, err := hkdf.Key(sha256.New, r.Secret, nil, "ringdown/1/"+kind, sha256.Size)
			if err != nil {
				return nil, fmt.Errorf("derive the %s key: %w", kind, err)
			}
			of[kind] = key
		}
		k.derived[r.ID] = of
		if r.RetiredAt.IsZero() && (k.newest == "" || r.CreatedAt.After(newest)) {
			k.newest, newest = r.ID, r.CreatedAt
		}
	}
	if k.newest == "" {
		return nil, errors.New("no root key is in use")
	}
	return k, nil
}
