package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"pigsty/internal/resource"
)

// moveAway sets the data directory aside, once, and has p say so.
func (r Restore) moveAway(ctx context.Context, h *resource.Host, p *Progress) error {
	if !p.Aside {
		_, present := h.Files.Stat(r.Data)
		_, aside := h.Files.Stat(r.Aside)
		switch {
		case errors.Is(aside, fs.ErrNotExist) && errors.Is(present, fs.ErrNotExist): // both went with their disk
		case errors.Is(aside, fs.ErrNotExist):
			if _, err := h.Commands.Run(ctx, resource.Command{Args: []string{"mv", r.Data, r.Aside}, Dir: "/"}); err != nil {
				return fmt.Errorf("setting %s aside: %w", r.Data, err)
			}
		case aside != nil:
			return aside
		case present == nil: // else an earlier run was cut right after the move
			return fmt.Errorf("%s is there already, from an earlier restore: remove it or move it away", r.Aside)
		}
		p.Aside = true
		if err := writeProgress(h, *p); err != nil {
			return err
		}
	}
	user := r.withDefaults().User
	return h.Files.Mkdir(r.Data, 0o700, resource.Owner{User: user, Group: user})
}

// unarchived refuses to restore without WAL that is nowhere else. A server that
// stops archives its last segment, so there is some only if archiving fails.
// Where the data directory is kept, a target that is in the archive needs none of it.
func (r Restore) unarchived(h *resource.Host) error {
	if r.Aside != "" && r.InArchive {
		return nil
	}
	if _, err := h.Files.Stat(path.Join(r.Data, "recovery.signal")); err == nil {
		return nil // restored before, to a target that was not reached
	}
	names, err := h.Files.List(path.Join(r.Data, "pg_wal", "archive_status"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var ready []string
	for _, n := range names {
		if segment, ok := strings.CutSuffix(n, ".ready"); ok {
			ready = append(ready, segment)
		}
	}
	if len(ready) == 0 {
		return nil
	}
	advice := "mend the archive"
	if r.InArchive {
		advice += ", or keep the data directory by backup: true in pg_pitr"
	}
	return fmt.Errorf("WAL from segment %s on is in %s/pg_wal and in no archive (segments: %d): the restore would do without it. "+
		"Nothing is restored yet: `systemctl start patroni` on the members and `pigsty pg resume` bring the cluster back as it was; %s, and give the command again",
		ready[0], r.Data, len(ready), advice)
}
