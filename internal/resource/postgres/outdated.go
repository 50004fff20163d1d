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

// Outdated is the data directory of a replica that does not fit its cluster any
// more: it goes, and Patroni copies the leader's when it starts. While Patroni
// runs the directory is its business.
type Outdated struct {
	Data string
	Unit string // Patroni's
}

var _ resource.Requirer = Outdated{}

// Key returns "outdated DATA".
func (o Outdated) Key() string { return "outdated " + o.Data }

// Requires puts it after the server's stop.
func (o Outdated) Requires() []string {
	return []string{"unit absent " + o.Unit, Stopped{Data: o.Data}.Key()}
}

// Diff is a Remove if there is anything and Patroni does not run, or will not.
func (o Outdated) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	st, err := h.Units.Show(ctx, o.Unit)
	if err != nil {
		return resource.Change{}, err
	}
	_, pending := h.Pending("unit absent " + o.Unit)
	names, err := h.Files.List(o.Data)
	if errors.Is(err, fs.ErrNotExist) || len(names) == 0 || st.Active == "active" && !pending {
		return resource.Change{}, nil
	}
	return resource.Change{Action: resource.Remove, Reason: "it is of the timeline that is given up", Impact: resource.ImpactDataLoss,
		Note: "Patroni copies the leader's when it starts"}, err
}

// Apply removes it.
func (o Outdated) Apply(_ context.Context, h *resource.Host) error {
	if path.Clean(o.Data) != o.Data || strings.Count(o.Data, "/") < 2 {
		return fmt.Errorf("refusing to remove %q", o.Data)
	}
	return h.Files.RemoveAll(o.Data)
}
