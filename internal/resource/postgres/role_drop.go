package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"pigsty/internal/resource"
)

// diffAbsent plans the drop of the role if it exists.
func (r Role) diffAbsent(p *pass, row *roleRow) (resource.Change, error) {
	if row == nil {
		return resource.Change{}, nil
	}
	if err := r.droppable(p); err != nil {
		return resource.Change{}, err
	}
	return resource.Change{
		Action: resource.Remove, Reason: "declared absent",
		Note: "its sessions end, and what it owns passes to " + p.server.User,
	}, nil
}

func (r Role) droppable(p *pass) error {
	if r.Protected || r.Name == p.server.User {
		return fmt.Errorf("role %s cannot be dropped: the cluster itself uses it", r.Name)
	}
	return nil
}

// drop ends the role's sessions, passes what it owns in every database to the
// superuser, drops the privileges granted to it, and then the role. After a
// failure in between it stays, unable to log in, and the next apply goes on.
func (r Role) drop(ctx context.Context, p *pass, cat *catalog) error {
	if cat.roles[r.Name] == nil {
		return nil
	}
	if err := r.droppable(p); err != nil {
		return err
	}
	name, successor := ident(r.Name), ident(p.server.User)
	if err := p.run(ctx, maintenance, "ALTER ROLE "+name+" NOLOGIN",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "+literal(r.Name)+" AND pid <> pg_backend_pid()",
	); err != nil {
		return fmt.Errorf("dropping role %s: ending its sessions: %w", r.Name, err)
	}
	for _, db := range slices.Sorted(maps.Keys(cat.databases)) {
		if !cat.databases[db].allow {
			continue
		}
		err := p.transact(ctx, db, []string{"REASSIGN OWNED BY " + name + " TO " + successor, "DROP OWNED BY " + name})
		if err != nil {
			return fmt.Errorf("dropping role %s: passing what it owns in database %s to %s: %w", r.Name, db, p.server.User, err)
		}
	}
	if err := p.run(ctx, maintenance, "DROP ROLE IF EXISTS "+name); err != nil {
		return fmt.Errorf("dropping role %s: %w", r.Name, err)
	}
	return nil
}
