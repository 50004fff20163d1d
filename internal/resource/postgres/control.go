package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"pigsty/internal/resource"
)

// SystemID returns the system identifier of the database cluster in a data
// directory, whether its server runs or not. bin is where pg_controldata is,
// user the owner of the directory. The error is fs.ErrNotExist where the
// directory holds no database cluster.
func SystemID(ctx context.Context, h *resource.Host, data, bin, user string) (uint64, error) {
	control := path.Join(data, "global", "pg_control")
	if _, err := h.Files.Stat(control); err != nil {
		return 0, fmt.Errorf("reading the system identifier: %w", err)
	}
	out, err := h.Commands.Run(ctx, resource.Command{Args: []string{path.Join(bin, "pg_controldata"), data}, User: user, Dir: "/"})
	if err != nil {
		return 0, fmt.Errorf("reading the system identifier: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		if value, ok := strings.CutPrefix(line, "Database system identifier:"); ok {
			return strconv.ParseUint(strings.TrimSpace(value), 10, 64)
		}
	}
	return 0, errors.New("reading the system identifier: pg_controldata does not name it")
}

// systemOf is SystemID, 0 where there is no database cluster.
func systemOf(ctx context.Context, h *resource.Host, data, bin, user string) (uint64, error) {
	id, err := SystemID(ctx, h, data, bin, user)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return id, err
}
