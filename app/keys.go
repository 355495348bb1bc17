package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"ringdown/access"
	"ringdown/store"
)

// rootKeys reads the root keys from the store and makes the first one; of
// several nodes that start at once one makes it and all read it.
func rootKeys(ctx context.Context, s *store.Store, now func() time.Time) (*access.Keys, error) {
	kept, err := s.SigningKeys(ctx)
	if err != nil {
		return nil, fmt.Errorf("root keys: %w", err)
	}
	if len(kept) == 0 {
		k := store.Key{ID: "k_" + ulid.Make().String(), Secret: make([]byte, access.RootSize), CreatedAt: now().UTC()}
		_, _ = rand.Read(k.Secret) // never fails
		if err := s.AddSigningKey(ctx, k); err != nil {
			return nil, fmt.Errorf("root keys: %w", err)
		}
		if kept, err = s.SigningKeys(ctx); err != nil {
			return nil, fmt.Errorf("root keys: %w", err)
		}
	}
	roots := make([]access.Root, len(kept))
	for i, k := range kept {
		roots[i] = access.Root{ID: k.ID, Secret: k.Secret, CreatedAt: k.CreatedAt, RetiredAt: k.RetiredAt}
	}
	return access.NewKeys(roots, now)
}

// AdminKeyFile is the file in the data folder with the API key of whoever may
// read that folder. The command line takes it from there.
const AdminKeyFile = "admin.key"

// adminKey reads the admin API key or makes it.
func adminKey(dataDir string) (string, []access.APIKey, error) {
	path := filepath.Join(dataDir, AdminKeyFile)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, _ := access.NewAPIKey("", "", "", time.Now())
		b = []byte(text + "\n")
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		return path, nil, fmt.Errorf("admin key: %w", err)
	}
	key := strings.TrimSpace(string(b))
	if !strings.HasPrefix(key, "rk_") || len(key) < 40 {
		return path, nil, fmt.Errorf("admin key: %s holds no key; remove the file to get a new one", path)
	}
	return path, []access.APIKey{{ID: "admin", Name: "admin", Role: access.Admin, Hash: access.HashAPIKey(key)}}, nil
}

// apiKeys hands the stored API keys to access and to the API in access's words.
type apiKeys struct{ store *store.Store }

// KeyByHash implements access.KeyStore.
func (a apiKeys) KeyByHash(ctx context.Context, hash string) (access.APIKey, error) {
	k, err := a.store.APIKeyByHash(ctx, hash)
	return access.APIKey(k), err
}

// UsedKey implements access.KeyStore.
func (a apiKeys) UsedKey(ctx context.Context, id string, now time.Time) error {
	return a.store.UsedAPIKey(ctx, id, now)
}

// List implements api.Keys.
func (a apiKeys) List(ctx context.Context) ([]access.APIKey, error) {
	kept, err := a.store.APIKeys(ctx)
	keys := make([]access.APIKey, len(kept))
	for i, k := range kept {
		keys[i] = access.APIKey(k)
	}
	return keys, err
}

// Add implements api.Keys.
func (a apiKeys) Add(ctx context.Context, k access.APIKey) error {
	return a.store.AddAPIKey(ctx, store.APIKey(k))
}

// Revoke implements api.Keys.
func (a apiKeys) Revoke(ctx context.Context, id string, now time.Time) error {
	return a.store.RevokeAPIKey(ctx, id, now)
}
