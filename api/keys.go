package api

import (
	"context"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"
	"github.com/oklog/ulid/v2"

	"ringdown/access"
	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
)

// Keys keeps the API keys that were made here.
type Keys interface {
	List(ctx context.Context) ([]access.APIKey, error) // newest first, revoked ones too
	Add(ctx context.Context, k access.APIKey) error
	// Revoke makes a key useless on every node at once; meeting.ErrNoRow if there
	// is none.
	Revoke(ctx context.Context, id string, now time.Time) error
}

// maxKeys is how many keys there can be, revoked ones included.
const maxKeys = 500

type wireKey struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Role      string    `json:"role"`
	CreatedAt time.Time `json:"created_at"`
	LastUsed  time.Time `json:"last_used_at,omitzero"`
	RevokedAt time.Time `json:"revoked_at,omitzero"`
	Key       string    `json:"key,omitempty"` // only in the answer that made it
}

func key(k access.APIKey) wireKey {
	return wireKey{ID: k.ID, Name: k.Name, Role: k.Role, CreatedAt: k.CreatedAt, LastUsed: k.LastUsed, RevokedAt: k.RevokedAt}
}

func (a *API) listKeys(c *gin.Context) error {
	keys, err := a.cfg.Keys.List(c.Request.Context())
	if err != nil {
		return err
	}
	out := make([]wireKey, len(keys))
	for i, k := range keys {
		out[i] = key(k)
	}
	c.JSON(http.StatusOK, gin.H{"keys": out})
	return nil
}

func (a *API) createKey(c *gin.Context) error {
	var in struct {
		Name string `json:"name"`
		Role string `json:"role"`
	}
	if err := httpd.DecodeJSON(c.Request, &in); err != nil {
		return err
	}
	in.Name = strings.TrimSpace(in.Name)
	var checks httpd.Checks
	checks.Unless(in.Name != "" && utf8.RuneCountInString(in.Name) <= 60, "/name", "must be 1 to 60 characters: who or what will use the key")
	checks.Unless(in.Role == access.Admin || in.Role == access.Integrator, "/role", "must be admin or integrator")
	if err := checks.Err(); err != nil {
		return err
	}
	ctx := c.Request.Context()
	keys, err := a.cfg.Keys.List(ctx)
	if err != nil {
		return err
	}
	if len(keys) >= maxKeys {
		return fault.New(fault.Conflict, "there are %d API keys already", maxKeys)
	}
	text, kept := access.NewAPIKey("key_"+ulid.Make().String(), in.Name, in.Role, a.now())
	if err := a.cfg.Keys.Add(ctx, kept); err != nil {
		return err
	}
	a.log.InfoContext(ctx, "API key made", "key", kept.ID, "role", kept.Role, "by", httpd.Caller(ctx).ID)
	w := key(kept)
	w.Key = text
	c.Header("Cache-Control", "no-store")
	c.JSON(http.StatusCreated, w)
	return nil
}

var keyRE = regexp.MustCompile(`^key_[A-Za-z0-9]{1,36}$`)

func (a *API) revokeKey(c *gin.Context) error {
	id := c.Param("key")
	if err := httpd.CheckText("path:key", id); err != nil {
		return err
	}
	if !keyRE.MatchString(id) {
		return fault.NewInvalid("path:key", "must be a key's id (\"key_…\"), not the key itself")
	}
	ctx := c.Request.Context()
	err := a.cfg.Keys.Revoke(ctx, id, a.now())
	if errors.Is(err, meeting.ErrNoRow) {
		return fault.New(fault.NotFound, "there is no API key %s", id)
	}
	if err != nil {
		return err
	}
	a.log.InfoContext(ctx, "API key revoked", "key", id, "by", httpd.Caller(ctx).ID)
	c.Status(http.StatusNoContent)
	return nil
}
