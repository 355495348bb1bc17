package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/gin-gonic/gin"

	"ringdown/connectors"
	"ringdown/fault"
	"ringdown/httpd"
	"ringdown/meeting"
)

// Journal is what desks asked lately; (*connectors.Book) is one.
type Journal interface {
	// Last returns the latest entries, newest first. Empty words do not narrow.
	Last(ctx context.Context, desk, kind string, limit int) ([]connectors.Entry, error)
}

// listJournal tells what desks asked and what they were answered, for whoever
// sets one up: the agent app itself shows nothing of it. Numbers are masked.
func (a *API) listJournal(c *gin.Context) error {
	if err := knownQuery(c, "desk", "kind", "limit"); err != nil {
		return err
	}
	kinds := []string{"", "request", "refused", "preflight"}
	if !slices.Contains(kinds, c.Query("kind")) {
		return fault.NewInvalid("query:kind", "must be request, refused or preflight")
	}
	if len(c.Query("desk")) > 64 {
		return fault.NewInvalid("query:desk", "must be at most 64 characters")
	}
	limit := 50
	if text, given := c.GetQuery("limit"); given {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 200 {
			return fault.NewInvalid("query:limit", "must be a number from 1 to 200")
		}
		limit = n
	}
	entries, err := a.cfg.Journal.Last(c.Request.Context(), c.Query("desk"), c.Query("kind"), limit)
	if err != nil {
		return fault.New(fault.Unavailable, "the journal cannot be read right now; try again").Because(err)
	}
	if entries == nil {
		entries = []connectors.Entry{}
	}
	c.JSON(http.StatusOK, gin.H{"entries": entries})
	return nil
}

// Logins are which login of a desk is which of its users.
type Logins interface {
	// ForgetLogin unties the login of a desk's user; meeting.ErrNoRow if none is
	// tied.
	ForgetLogin(ctx context.Context, desk, user string) error
}

// forgetLogin lets the next login that comes with a user's id be that user's: for
// one who got a new login, or whose id another one took first.
func (a *API) forgetLogin(c *gin.Context) error {
	for _, name := range []string{"connector", "account", "user"} {
		text := c.Param(name)
		if err := httpd.CheckText("path:"+name, text); err != nil {
			return err
		}
		if len(text) > 40 || strings.ContainsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
			return fault.NewInvalid("path:"+name, "must be at most 40 characters without blanks")
		}
	}
	ctx := c.Request.Context()
	desk := c.Param("connector") + "/" + c.Param("account")
	err := a.cfg.Logins.ForgetLogin(ctx, desk, c.Param("user"))
	if errors.Is(err, meeting.ErrNoRow) {
		return fault.New(fault.NotFound, "no login is tied to this user of this desk")
	}
	if err != nil {
		return err
	}
	a.log.InfoContext(ctx, "login forgotten", "desk", desk, "by", httpd.Caller(ctx).ID)
	c.Status(http.StatusNoContent)
	return nil
}
