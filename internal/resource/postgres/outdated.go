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
// more: it goes, with what it has in tablespaces elsewhere, and Patroni copies
// the leader's when it starts, which needs all these places empty. While Patroni
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
	c := resource.Change{Action: resource.Remove, Reason: "it is of the timeline that is given up", Impact: resource.ImpactDataLoss,
		Note: "Patroni copies the leader's when it starts"}
	if err != nil {
		return c, err
	}
	places, err := o.tablespaces(h)
	for _, at := range places {
		c.Attrs = append(c.Attrs, resource.Attr{Name: "tablespace", Old: at})
	}
	return c, err
}

// tablespaces returns the directories that the server has in its tablespaces, one
// in each. A tablespace that holds anything else could not be copied to.
func (o Outdated) tablespaces(h *resource.Host) ([]string, error) {
	places, err := tablespaces(h, o.Data)
	if err != nil {
		return nil, err
	}
	version, err := h.Files.Read(path.Join(o.Data, "PG_VERSION"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var own []string
	for _, at := range places {
		names, err := h.Files.List(at)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, name := range names {
			if len(version) == 0 || !strings.HasPrefix(name, "PG_"+strings.TrimSpace(string(version))+"_") {
				return nil, fmt.Errorf("the tablespace %s holds %s, which is not this server's, so that the leader's cannot be copied there: move it away", at, name)
			}
			own = append(own, path.Join(at, name))
		}
	}
	return own, nil
}

// Apply removes it: what is in the tablespaces first, since the links to them
// go with the directory.
func (o Outdated) Apply(_ context.Context, h *resource.Host) error {
	places, err := o.tablespaces(h)
	if err != nil {
		return err
	}
	for _, dir := range append(places, o.Data) {
		if path.Clean(dir) != dir || strings.Count(dir, "/") < 2 {
			return fmt.Errorf("refusing to remove %q", dir)
		}
		if err := h.Files.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}
