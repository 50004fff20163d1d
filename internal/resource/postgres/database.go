package postgres

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"pigsty/internal/resource"
)

// Database is a database of the cluster. What may connect to it and create in it
// is DatabasePrivileges.
type Database struct {
	Server
	Name  string
	State State

	// Force is what Recreate needs: an apply then drops and creates the
	// database once. Without it Recreate of a database that exists is an error,
	// since a definition left at it would destroy the data on every apply.
	Force bool

	Owner string

	// These are used when the database is created, and never change
	// afterwards; a difference is a note in the plan.
	Template       string
	Encoding       string
	Locale         string
	LCCollate      string
	LCCtype        string
	LocaleProvider string // libc, icu or builtin; PostgreSQL 15
	ICULocale      string // PostgreSQL 15
	ICURules       string // PostgreSQL 16
	BuiltinLocale  string // PostgreSQL 17
	Strategy       string // wal_log or file_copy; PostgreSQL 15

	Tablespace string // moving to another ends the sessions
	IsTemplate Opt[bool]
	AllowConn  Opt[bool]
	ConnLimit  Opt[int]          // -1 no limit
	Parameters map[string]string // settings of the database's sessions; DEFAULT removes one
	Comment    string            // empty leaves it alone
}

var _ resource.Requirer = Database{}

// Key returns "database NAME".
func (d Database) Key() string { return databaseKey(d.Name) }

func databaseKey(name string) string { return "database " + name }

// Requires puts a database after its owner and its template.
func (d Database) Requires() []string {
	var keys []string
	if d.Owner != "" {
		keys = append(keys, roleKey(d.Owner))
	}
	if d.Template != "" && d.Template != d.Name {
		keys = append(keys, databaseKey(d.Template))
	}
	return keys
}

// Diff compares the declared attributes with pg_database and pg_db_role_setting.
func (d Database) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	return d.observe(ctx, h, func(p *pass, cat *catalog) (resource.Change, error) {
		row := cat.databases[d.Name]
		if d.State == Absent {
			return d.diffAbsent(row)
		}
		if row == nil {
			return d.diffCreate(h, cat)
		}
		if d.State == Recreate && !p.recreated[d.Name] {
			if !d.Force {
				return resource.Change{}, fmt.Errorf("database %s exists, and recreating it destroys its data: refused in an apply that must be safe to repeat; declare it absent first, then create it", d.Name)
			}
			if err := d.droppable(); err != nil {
				return resource.Change{}, err
			}
			return resource.Change{Action: resource.Update, Reason: "recreate was asked for", Impact: resource.ImpactDataLoss}, nil
		}
		if d.Owner != "" && cat.roles[d.Owner] == nil {
			if _, pending := h.Pending(roleKey(d.Owner)); !pending {
				return resource.Change{}, fmt.Errorf("database %s: %w", d.Name, cat.needRole(d.Owner))
			}
		}
		edits := d.edits(cat, row)
		c := differences(edits)
		c.Note = d.fixed(row)
		if d.moves(row) {
			c.Impact = resource.ImpactRestart
			c.Note = strings.TrimPrefix(c.Note+"; its sessions end while its files move to tablespace "+d.Tablespace, "; ")
		}
		return c, nil
	})
}

func (d Database) diffAbsent(row *databaseRow) (resource.Change, error) {
	if row == nil {
		return resource.Change{}, nil
	}
	if err := d.droppable(); err != nil {
		return resource.Change{}, err
	}
	return resource.Change{Action: resource.Remove, Reason: "declared absent", Impact: resource.ImpactDataLoss}, nil
}

func (d Database) droppable() error {
	switch d.Name {
	case "postgres", "template0", "template1":
		return fmt.Errorf("database %s cannot be dropped: the cluster itself uses it", d.Name)
	}
	return nil
}

func (d Database) moves(row *databaseRow) bool {
	return d.Tablespace != "" && d.Tablespace != row.tablespace
}

// Apply creates, changes or drops the database.
func (d Database) Apply(ctx context.Context, h *resource.Host) error {
	return d.converge(ctx, h, func(p *pass, cat *catalog) error {
		row := cat.databases[d.Name]
		switch {
		case d.State == Absent:
			if row == nil {
				return nil
			}
			return d.drop(ctx, p, cat, row)
		case d.State == Recreate && row != nil && d.Force && !p.recreated[d.Name]:
			if err := d.drop(ctx, p, cat, row); err != nil {
				return err
			}
			p.recreated[d.Name] = true
			row = nil
		}
		if row == nil {
			if err := d.create(ctx, p, cat); err != nil {
				return err
			}
			p.forget()
			var err error
			if cat, err = p.catalog(ctx); err != nil {
				return err
			}
			if row = cat.databases[d.Name]; row == nil {
				return fmt.Errorf("database %s was created, but is not there", d.Name)
			}
		}
		return d.change(ctx, p, cat, row)
	})
}

// change reaches the attributes that can be altered: one transaction, then the
// move to another tablespace, which refuses to be in one.
func (d Database) change(ctx context.Context, p *pass, cat *catalog, row *databaseRow) error {
	sql, err := statements(d.edits(cat, row))
	if err != nil {
		return err
	}
	if len(sql) > 0 {
		if err := p.transact(ctx, maintenance, sql); err != nil {
			return fmt.Errorf("database %s: %w", d.Name, err)
		}
	}
	if !d.moves(row) {
		return nil
	}
	if err := p.alone(ctx, d.Name, besides(d.Name), endSessions(d.Name), "ALTER DATABASE "+ident(d.Name)+" SET TABLESPACE "+ident(d.Tablespace)); err != nil {
		return fmt.Errorf("database %s: moving to tablespace %s: %w", d.Name, d.Tablespace, err)
	}
	return nil
}

// besides returns a database to be connected to while name itself must have no sessions.
func besides(name string) string {
	if name == maintenance {
		return "template1"
	}
	return maintenance
}

func endSessions(db string) string {
	return "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = " + literal(db) + " AND pid <> pg_backend_pid()"
}

// edits compares the attributes that can be altered with row.
func (d Database) edits(cat *catalog, row *databaseRow) []edit {
	alter := "ALTER DATABASE " + ident(d.Name) + " "
	var edits []edit
	add := func(name, old, new, sql string) {
		if old != new {
			e := edit{attr: resource.Attr{Name: name, Old: old, New: new}}
			if sql != "" {
				e.sql = []string{sql}
			}
			edits = append(edits, e)
		}
	}
	if d.Owner != "" {
		add("owner", row.owner, d.Owner, alter+"OWNER TO "+ident(d.Owner))
	}
	if d.Tablespace != "" {
		add("tablespace", row.tablespace, d.Tablespace, "") // done by change
	}
	for _, f := range []struct {
		name, word string
		have       bool
		want       Opt[bool]
	}{
		{"is_template", "IS_TEMPLATE", row.template, d.IsTemplate},
		{"allowconn", "ALLOW_CONNECTIONS", row.allow, d.AllowConn},
	} {
		if f.want.Set {
			value := strconv.FormatBool(f.want.Value)
			add(f.name, strconv.FormatBool(f.have), value, alter+f.word+" "+value)
		}
	}
	if d.ConnLimit.Set {
		value := strconv.Itoa(d.ConnLimit.Value)
		add("connlimit", strconv.Itoa(row.limit), value, alter+"CONNECTION LIMIT "+value)
	}
	edits = append(edits, settingEdits("DATABASE "+ident(d.Name), cat.settings[[2]string{d.Name, ""}], d.Parameters)...)
	if d.Comment != "" {
		add("comment", row.comment, d.Comment, "COMMENT ON DATABASE "+ident(d.Name)+" IS "+literal(d.Comment))
	}
	return edits
}
