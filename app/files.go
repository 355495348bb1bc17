package app

import (
	"context"

	"ringdown/blob"
	"ringdown/meeting"
)

// sentIn tells the sweeper which files a meeting's messages name; none for a
// meeting that is not there.
func sentIn(meetings *meeting.Service) blob.Known {
	return func(ctx context.Context, group string) (map[string]bool, error) {
		files, err := meetings.Files(ctx, meeting.ID(group))
		if err != nil {
			return nil, err
		}
		known := make(map[string]bool, len(files))
		for _, f := range files {
			known[string(f.ID)] = true
		}
		return known, nil
	}
}
