package postgres

import (
	"errors"
	"io/fs"
	"path"

	"pigsty/internal/resource"
)

// reserved is what is in the place of the history of a timeline whose number is
// taken. No server reads it: one that ends its recovery looks which histories
// there are, in the archive that it restores from and else in pg_wal, and takes
// the number after them.
// https://github.com/postgres/postgres/blob/REL_17_STABLE/src/backend/access/transam/timeline.c (findNewestTimeLine)
const reserved = "# the archive of this cluster has a timeline of this number\n"

// reservations returns the files that stand for the timelines up to Beyond.
func (r Restore) reservations() []string {
	var out []string
	for id := r.Timeline + 1; r.Foreign && r.Timeline > 0 && id <= r.Beyond; id++ {
		out = append(out, path.Join(r.Data, "pg_wal", history(id)))
	}
	return out
}

// reserve takes the numbers of timelines up to Beyond. A server that is restored
// from elsewhere does not find them in the archive there, and would write segments
// whose names the cluster's own archive has already.
func (r Restore) reserve(h *resource.Host) error {
	user := r.withDefaults().User
	for _, name := range r.reservations() {
		if err := h.Files.Write(name, []byte(reserved), 0o600, resource.Owner{User: user, Group: user}); err != nil {
			return err
		}
	}
	return nil
}

// release removes what reserve wrote, and no history that came from the archive.
func (r Restore) release(h *resource.Host) error {
	for _, name := range r.reservations() {
		data, err := h.Files.Read(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		case string(data) == reserved:
			if err := h.Files.Remove(name); err != nil {
				return err
			}
		}
	}
	return nil
}
