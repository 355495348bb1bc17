package app

import (
	"context"

	"ringdown/blob"
	"ringdown/fault"
	"ringdown/meeting"
)

// sentIn tells the sweeper which files a meeting's messages name.
func sentIn(meetings *meeting.Service) blob.Known {
	return func(ctx context.Context, group string) (map[string]bool, bool, error) {
		id := meeting.ID(group)
		if _, err := meetings.ByID(ctx, id); err != nil {
			if fault.Is(err, fault.NotFound) {
				err = nil
			}
			return nil, false, err
		}
		files, err := meetings.Files(ctx, id)
		if err != nil {
			return nil, false, err
		}
		needed := make(map[string]bool, len(files))
		for _, f := range files {
			needed[string(f.ID)] = true
		}
		return needed, true, nil
	}
}
