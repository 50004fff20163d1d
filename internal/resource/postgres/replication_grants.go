package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"pigsty/internal/resource"
)

// ReplicationGrants let the replication user, who is no superuser, call the
// functions that backups and pg_rewind need, in one database. Patroni grants
// those for pg_rewind only when it initialises a cluster.
type ReplicationGrants struct {
	Server
	DB        string   // postgres
	Role      string   // the replication user
	Functions []string // with argument types; empty: those for backup and rewind that the server has
}

var _ resource.Requirer = ReplicationGrants{}

// backupAndRewind are the functions of any supported version: "Making a Base
// Backup" (25.3 of the PostgreSQL manual) and "pg_rewind", Notes.
var backupAndRewind = []string{
	"pg_start_backup(text, boolean, boolean)", "pg_stop_backup()", "pg_stop_backup(boolean, boolean)", // until 14
	"pg_backup_start(text, boolean)", "pg_backup_stop(boolean)", // since 15
	"pg_switch_wal()", "pg_create_restore_point(text)",
	"pg_ls_dir(text, boolean, boolean)", "pg_stat_file(text, boolean)",
	"pg_read_binary_file(text)", "pg_read_binary_file(text, bigint, bigint, boolean)",
}

func (r ReplicationGrants) withDefaults() ReplicationGrants {
	if r.DB == "" {
		r.DB = maintenance
	}
	return r
}

// Key returns "replication grants DB ROLE".
func (r ReplicationGrants) Key() string {
	r = r.withDefaults()
	return "replication grants " + r.DB + " " + r.Role
}

// Requires puts the grants after the role and the database.
func (r ReplicationGrants) Requires() []string {
	return []string{roleKey(r.Role), databaseKey(r.withDefaults().DB)}
}

// missing returns the functions that the role may not call yet. A superuser may
// call all.
func (r ReplicationGrants) missing(ctx context.Context, p *pass) ([]string, error) {
	functions, explicit := r.Functions, true
	if len(functions) == 0 {
		functions, explicit = backupAndRewind, false
	}
	var missing []string
	err := p.with(ctx, r.DB, func(conn *pgx.Conn) error {
		rows, err := conn.Query(ctx, `SELECT f, to_regprocedure(f) IS NOT NULL,
				coalesce(has_function_privilege($1::name, to_regprocedure(f)::oid, 'EXECUTE'), false)
			FROM unnest($2::text[]) f`, r.Role, functions)
		if err != nil {
			return err
		}
		var name string
		var exists, allowed bool
		_, err = pgx.ForEachRow(rows, []any{&name, &exists, &allowed}, func() error {
			if !exists && explicit {
				return fmt.Errorf("function %s does not exist", name)
			}
			if exists && !allowed {
				missing = append(missing, name)
			}
			return nil
		})
		return err
	})
	return missing, serverError(err)
}

// Diff asks the server what the role may call.
func (r ReplicationGrants) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	r = r.withDefaults()
	return r.observe(ctx, h, func(p *pass, cat *catalog) (resource.Change, error) {
		if cat.roles[r.Role] == nil {
			if _, pending := h.Pending(roleKey(r.Role)); pending {
				return resource.Change{Unknown: "after role " + r.Role + " is created"}, nil
			}
			return resource.Change{}, cat.needRole(r.Role)
		}
		missing, err := r.missing(ctx, p)
		if err != nil {
			return resource.Change{}, fmt.Errorf("privileges of %s in database %s: %w", r.Role, r.DB, err)
		}
		var c resource.Change
		for _, f := range missing {
			c.Differs(f, "", "EXECUTE")
		}
		return c, nil
	})
}

// Apply grants what is missing in one transaction.
func (r ReplicationGrants) Apply(ctx context.Context, h *resource.Host) error {
	r = r.withDefaults()
	return r.converge(ctx, h, func(p *pass, cat *catalog) error {
		if err := cat.needRole(r.Role); err != nil {
			return err
		}
		missing, err := r.missing(ctx, p)
		if err == nil && len(missing) > 0 {
			err = p.transact(ctx, r.DB, []string{"GRANT EXECUTE ON FUNCTION " + strings.Join(missing, ", ") + " TO " + ident(r.Role)})
		}
		if err != nil {
			return fmt.Errorf("privileges of %s in database %s: %w", r.Role, r.DB, err)
		}
		return nil
	})
}
