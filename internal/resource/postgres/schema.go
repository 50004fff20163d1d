package postgres

import (
	"context"
	"fmt"

	"pigsty/internal/resource"
)

// Schema is a schema of a database.
type Schema struct {
	Server
	DB    string
	Name  string
	Owner string // empty leaves it alone
	State State  // Present or Absent
}

var _ resource.Requirer = Schema{}

// Key returns "schema DB/NAME".
func (s Schema) Key() string { return schemaKey(s.DB, s.Name) }

func schemaKey(db, name string) string { return "schema " + db + "/" + name }

// Requires puts a schema after its database and its owner.
func (s Schema) Requires() []string {
	keys := []string{databaseKey(s.DB)}
	if s.Owner != "" {
		keys = append(keys, roleKey(s.Owner))
	}
	return keys
}

// Diff compares with pg_namespace.
func (s Schema) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	return s.within(ctx, h, s.DB, func(_ *pass, cat *catalog, db *dbSnapshot) (resource.Change, error) {
		row := db.schemas[s.Name]
		if s.State == Absent {
			if row == nil {
				return resource.Change{}, nil
			}
			c := resource.Change{Action: resource.Remove, Reason: "declared absent"}
			if row.used {
				c.Impact, c.Note = resource.ImpactDataLoss, "with everything in it"
			}
			return c, nil
		}
		if s.Owner != "" && cat.roles[s.Owner] == nil {
			if _, pending := h.Pending(roleKey(s.Owner)); !pending {
				return resource.Change{}, fmt.Errorf("schema %s.%s: %w", s.DB, s.Name, cat.needRole(s.Owner))
			}
		}
		var c resource.Change
		if row == nil {
			c = resource.Change{Action: resource.Create, Reason: "does not exist"}
			c.Differs("owner", "", s.Owner)
		} else if s.Owner != "" {
			c.Differs("owner", row.owner, s.Owner)
		}
		return c, nil
	})
}

// Apply creates, alters or drops the schema, the last with everything in it.
func (s Schema) Apply(ctx context.Context, h *resource.Host) error {
	return s.convergeWithin(ctx, h, s.DB, func(p *pass, _ *catalog, db *dbSnapshot) error {
		name, row := ident(s.Name), db.schemas[s.Name]
		var sql string
		switch {
		case s.State == Absent:
			sql = "DROP SCHEMA IF EXISTS " + name + " CASCADE"
		case row == nil && s.Owner != "":
			sql = "CREATE SCHEMA IF NOT EXISTS " + name + " AUTHORIZATION " + ident(s.Owner)
		case row == nil:
			sql = "CREATE SCHEMA IF NOT EXISTS " + name
		case s.Owner != "" && s.Owner != row.owner:
			sql = "ALTER SCHEMA " + name + " OWNER TO " + ident(s.Owner)
		default:
			return nil
		}
		if err := p.transact(ctx, s.DB, []string{sql}); err != nil {
			return fmt.Errorf("schema %s.%s: %w", s.DB, s.Name, err)
		}
		return nil
	})
}
