package postgres

import (
	"context"
	"path"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/resource"
)

// freePush ends the archive command that may have come while pgBackRest worked on the
// stanza: its push in the background could not have the lock and has ended, and it
// would wait for that one for archive-timeout, a minute, with every backup behind it.
// PostgreSQL runs the command again a second later.
func (s Stanza) freePush(ctx context.Context, h *resource.Host) error {
	names, err := h.Files.List("/proc")
	if err != nil {
		return err
	}
	for _, pid := range names {
		if _, err := strconv.Atoi(pid); err != nil {
			continue
		}
		data, err := h.Files.Read("/proc/" + pid + "/cmdline")
		if err != nil {
			continue // it has ended
		}
		args := strings.Split(string(data), "\x00")
		if path.Base(args[0]) == "pgbackrest" && slices.Contains(args, "archive-push") && slices.Contains(args, "--stanza="+s.Name) {
			// The shell's own word for it is on every host; that it has ended is as good.
			_, _ = h.Commands.Run(ctx, resource.Command{Args: []string{"sh", "-c", "kill -TERM " + pid}})
		}
	}
	return nil
}
