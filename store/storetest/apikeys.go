package storetest

import (
	"errors"
	"testing"
	"time"

	"ringdown/meeting"
	"ringdown/store"
)

// apiKeys: one store adds and revokes, another one on the same database, or the
// same one again, sees it at once.
func apiKeys(t *testing.T, e Engine) {
	cfg := e.Fresh(t)
	a := OpenAt(t, cfg)
	b := a
	if e.Shared {
		b = OpenAt(t, cfg)
	}
	one := store.APIKey{ID: "key_1", Name: "shop", Role: "integrator", Hash: "aa", CreatedAt: t0()}
	two := store.APIKey{ID: "key_2", Name: "shop", Role: "admin", Hash: "bb", CreatedAt: after(time.Second)}
	ok(t, a.AddAPIKey(t.Context(), one))
	ok(t, a.AddAPIKey(t.Context(), two))
	if a.AddAPIKey(t.Context(), store.APIKey{ID: "key_3", Hash: "aa"}) == nil {
		t.Error("two keys have one hash")
	}
	equal(t, must[[]store.APIKey](t)(b.APIKeys(t.Context())), []store.APIKey{two, one})
	equal(t, must[store.APIKey](t)(b.APIKeyByHash(t.Context(), "aa")), one)
	if _, err := b.APIKeyByHash(t.Context(), "cc"); !errors.Is(err, meeting.ErrNoRow) {
		t.Error(err)
	}
	ok(t, b.UsedAPIKey(t.Context(), "key_1", after(time.Minute)))
	ok(t, b.UsedAPIKey(t.Context(), "key_1", after(time.Second)))
	ok(t, a.RevokeAPIKey(t.Context(), "key_1", after(time.Hour)))
	ok(t, a.RevokeAPIKey(t.Context(), "key_1", after(2*time.Hour)))
	one.LastUsed, one.RevokedAt = after(time.Minute), after(time.Hour)
	equal(t, must[store.APIKey](t)(b.APIKeyByHash(t.Context(), "aa")), one)
	if err := a.RevokeAPIKey(t.Context(), "key_9", t0()); !errors.Is(err, meeting.ErrNoRow) {
		t.Error(err)
	}
}
