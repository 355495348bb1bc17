package store

import (
	"context"
	"database/sql"
	"time"

	"ringdown/meeting"
)

// APIKey is a key of the API as it is kept.
type APIKey struct {
	ID        string // "key_…"
	Name      string // for people
	Role      string
	Hash      string // hex SHA-256 of the key
	CreatedAt time.Time
	LastUsed  time.Time // to a few minutes; zero: never
	RevokedAt time.Time // zero: good
}

const apiKeyColumns = `id, name, role, hash, created_at, last_used, revoked_at` //nolint:gosec // names of columns

func scanAPIKey(r scanner) (k APIKey, err error) {
	var created, used, revoked int64
	err = r.Scan(&k.ID, &k.Name, &k.Role, &k.Hash, &created, &used, &revoked)
	k.CreatedAt, k.LastUsed, k.RevokedAt = at(created), at(used), at(revoked)
	return k, err
}

// APIKeys returns all keys, the newest first, revoked ones too, at most 1 000.
func (s *Store) APIKeys(ctx context.Context) ([]APIKey, error) {
	keys, err := all(ctx, s.read, scanAPIKey, `select `+apiKeyColumns+` from api_key order by created_at desc, id desc limit $1`, int64(maxRows))
	return keys, s.explain(ctx, "read API keys", err)
}

// APIKeyByHash finds a key, revoked or not; meeting.ErrNoRow if there is none.
func (s *Store) APIKeyByHash(ctx context.Context, hash string) (APIKey, error) {
	keys, err := hot(ctx, s, scanAPIKey, `select `+apiKeyColumns+` from api_key where hash = $1`, hash)
	if err == nil && len(keys) == 0 {
		err = meeting.ErrNoRow
	}
	if err != nil {
		return APIKey{}, s.explain(ctx, "read API key", err)
	}
	return keys[0], nil
}

// AddAPIKey stores a new key.
func (s *Store) AddAPIKey(ctx context.Context, k APIKey) error {
	return s.change(ctx, "add API key", func(tx *sql.Tx) (bool, error) {
		_, err := insert(ctx, tx, `insert into api_key (`+apiKeyColumns+`)`, ``, [][]any{
			{k.ID, k.Name, k.Role, k.Hash, ms(k.CreatedAt), ms(k.LastUsed), ms(k.RevokedAt)},
		})
		return false, err
	})
}

// RevokeAPIKey makes a key useless from the commit on, on every node; one that
// is revoked already stays so. meeting.ErrNoRow if there is none.
func (s *Store) RevokeAPIKey(ctx context.Context, id string, now time.Time) error {
	return s.change(ctx, "revoke API key", func(tx *sql.Tx) (bool, error) {
		n, err := exec(ctx, tx, `update api_key set revoked_at = case when revoked_at = 0 then $1 else revoked_at end where id = $2`, ms(now), id)
		if err == nil && n == 0 {
			err = meeting.ErrNoRow
		}
		return false, err
	})
}

// UsedAPIKey notes when a key was last used.
func (s *Store) UsedAPIKey(ctx context.Context, id string, now time.Time) error {
	return s.change(ctx, "note use of API key", func(tx *sql.Tx) (bool, error) {
		_, err := exec(ctx, tx, `update api_key set last_used = $1 where id = $2 and last_used < $1`, ms(now), id)
		return false, err
	})
}
