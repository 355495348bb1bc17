package store

import (
	"context"
	"database/sql"
	"time"
)

// Key is a root key: tokens and links are signed with keys derived from it.
type Key struct {
	ID        string // "kid" of what is signed with it
	Secret    []byte `json:"-"` // 32 bytes
	CreatedAt time.Time
	RetiredAt time.Time // zero: in use
}

// String keeps the secret out of logs.
func (k Key) String() string { return "key " + k.ID }

// GoString keeps the secret out of logs.
func (k Key) GoString() string { return k.String() }

// SigningKeys returns all keys, the oldest first, retired ones too.
func (s *Store) SigningKeys(ctx context.Context) ([]Key, error) {
	keys, err := all(ctx, s.read, func(r scanner) (k Key, err error) {
		var created, retired int64
		err = r.Scan(&k.ID, &k.Secret, &created, &retired)
		k.CreatedAt, k.RetiredAt = at(created), at(retired)
		return k, err
	}, `select id, secret, created_at, retired_at from signing_key order by created_at, id`)
	return keys, s.explain(ctx, "read signing keys", err)
}

// AddSigningKey stores k, unless there is a key with its id: then the stored
// one stays and k is dropped without an error. Several nodes may add their first
// key at the same time; afterwards each reads SigningKeys and all use the same.
func (s *Store) AddSigningKey(ctx context.Context, k Key) error {
	return s.change(ctx, "add signing key", func(tx *sql.Tx) (bool, error) {
		_, err := exec(ctx, tx, `
insert into signing_key (id, secret, created_at, retired_at) values ($1, $2, $3, $4) on conflict do nothing`,
			k.ID, k.Secret, ms(k.CreatedAt), ms(k.RetiredAt))
		return false, err
	})
}
