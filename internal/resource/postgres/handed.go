package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"pigsty/internal/resource"
	"pigsty/internal/resource/patroni"
)

// Handed remembers, before Patroni stops, that its server goes over to a unit of
// its own: a run that is cut in between is gone on with by the next one, which
// must not start Patroni again, since that may never start its server.
type Handed struct {
	Name string // instance
	Data string // data directory
	Unit string // that the server goes over to
	New  bool   // whether Patroni was never on the host

	// Patroni is the member's, which must heed the cluster's pause before it stops,
	// or it would stop the server too.
	Patroni patroni.API

	// Replica is whether the server follows another one, as the inventory has it.
	// With Patroni gone nothing else says who leads: one that is something else is
	// not handed over.
	Replica bool
}

// Key returns "handed over NAME".
func (o Handed) Key() string { return "handed over " + o.Name }

// Diff is a run until it is remembered. A member that is new has no data, and
// without Patroni nobody copies the leader's.
func (o Handed) Diff(_ context.Context, h *resource.Host) (resource.Change, error) {
	_, known := h.Manifest.Unit(o.Unit)
	switch err := o.initialised(h); {
	case err == nil:
		if err := o.asDeclared(h); err != nil {
			return resource.Change{}, err
		}
	case o.New && !known: // else its data is still to come
		return resource.Change{}, err
	}
	if known {
		return resource.Change{}, nil
	}
	return resource.Change{Action: resource.Run, Reason: "Patroni still has the server", Note: "from here on " + o.Unit + " runs it"}, nil
}

// initialised reports a data directory that is missing.
func (o Handed) initialised(h *resource.Host) error {
	_, err := h.Files.Stat(path.Join(o.Data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s has no data in %s, and its cluster runs without Patroni (patroni_mode: remove), which would copy the leader's: copy it with pg_basebackup, or write patroni_mode: pause until it has joined", o.Name, o.Data)
	}
	return err
}

// asDeclared reports a server that leads though the inventory has it follow, or
// the other way round.
func (o Handed) asDeclared(h *resource.Host) error {
	_, err := h.Files.Stat(path.Join(o.Data, "standby.signal"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	follows := err == nil
	if follows == o.Replica {
		return nil
	}
	role := map[bool]string{false: "leader", true: "replica"}
	return fmt.Errorf("%s is a %s, and a %s by the inventory, which is all that tells services and the virtual address who leads once Patroni is gone: `pigsty pg switchover` first, or change pg_role",
		o.Name, role[follows], role[o.Replica])
}

// Apply remembers it at once.
func (o Handed) Apply(ctx context.Context, h *resource.Host) error {
	if err := o.initialised(h); err != nil {
		return err
	}
	if err := o.asDeclared(h); err != nil {
		return err
	}
	if err := o.Patroni.AwaitPaused(ctx, h); err != nil {
		return err
	}
	h.Manifest.SetUnit(o.Unit, resource.Loaded{})
	return h.Manifest.Save(h.Files)
}

// Returned undoes Handed once Patroni runs again: Patroni has found the server,
// which goes on as it is, and the unit that it was started in must never start
// it beside Patroni, neither when it fails nor when the host boots.
type Returned struct {
	Name string // instance
	Unit string // that the server had gone over to
}

// Key returns "returned NAME".
func (r Returned) Key() string { return "returned " + r.Name }

// Diff is a run while the unit is remembered.
func (r Returned) Diff(_ context.Context, h *resource.Host) (resource.Change, error) {
	if _, handed := h.Manifest.Unit(r.Unit); !handed {
		return resource.Change{}, nil
	}
	return resource.Change{Action: resource.Run, Reason: r.Unit + " has the server", Note: "Patroni takes it over as it runs; nothing is interrupted"}, nil
}

// Apply removes the unit's file. What runs in it goes on, without what the file
// said, until Patroni restarts it.
func (r Returned) Apply(ctx context.Context, h *resource.Host) error {
	st, err := h.Units.Show(ctx, r.Unit)
	if err != nil {
		return err
	}
	if st.Enabled {
		if err := h.Units.Disable(ctx, r.Unit); err != nil {
			return fmt.Errorf("disable %s: %w", r.Unit, err)
		}
	}
	file := path.Join("/etc/systemd/system", r.Unit)
	if err := h.Files.Remove(file); err != nil {
		return err
	}
	if err := h.Units.DaemonReload(ctx); err != nil {
		return fmt.Errorf("have systemd forget %s: %w", r.Unit, err)
	}
	h.Manifest.ForgetFile(file)
	h.Manifest.ForgetUnit(r.Unit)
	return h.Manifest.Save(h.Files)
}
