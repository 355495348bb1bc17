package api

import (
	"context"
	"net/http"
	"slices"
	"strconv"

	"github.com/gin-gonic/gin"

	"ringdown/connectors"
	"ringdown/fault"
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
