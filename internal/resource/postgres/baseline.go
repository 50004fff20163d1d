package postgres

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"

	"pigsty/internal/resource"
)

// Baseline is a SQL script that fills a database once, run by psql as the superuser,
// so that scripts written for psql work: COPY data, meta-commands. Make one with
// NewBaseline.
//
// That it ran, and the hash of what ran, is remembered as the setting
// pigsty.baseline of the database (ALTER DATABASE … SET): it needs no table, no
// schema, and fails over and is restored with the cluster, which a file on
// the host would not.
type Baseline struct {
	Server
	DB    string
	Topic string // tells several of one database apart, the end of the setting's name; "baseline" if empty
	Name  string // of the script, for people
	Hash  string // the SHA-256 in hex of the script

	// Again runs the script when it is not the one that ran last. Otherwise a script that
	// changed is only noted: running it on live data may not be what is wanted.
	Again bool

	script []byte // stays on the control side, see resource.Carrier
}

var (
	_ resource.Requirer = Baseline{}
	_ resource.Carrier  = Baseline{}
)

// NewBaseline returns the baseline of db that script, called name, is.
func NewBaseline(s Server, db, name string, script []byte) Baseline {
	sum := sha256.Sum256(script)
	return Baseline{Server: s, DB: db, Name: name, Hash: hex.EncodeToString(sum[:]), script: script}
}

// Blob returns the script.
func (b Baseline) Blob() (string, []byte) { return b.Hash, b.script }

// Key returns "baseline DB", or "monitor DB" if that is the topic.
func (b Baseline) Key() string { return b.topic() + " " + b.DB }

func (b Baseline) topic() string { return cmp.Or(b.Topic, "baseline") }

// setting is the name under which the database remembers what ran.
func (b Baseline) setting() string { return "pigsty." + b.topic() }

// Requires puts the script after everything else that is declared of its database.
func (b Baseline) Requires() []string {
	return []string{databaseKey(b.DB), "privileges " + b.DB, "default privileges " + b.DB + "/", schemaKey(b.DB, ""), "extension " + b.DB + "/"}
}

// Diff reports whether the script has to run.
func (b Baseline) Diff(ctx context.Context, h *resource.Host) (resource.Change, error) {
	return b.observe(ctx, h, func(_ *pass, cat *catalog) (resource.Change, error) {
		if cat.databases[b.DB] == nil {
			if _, pending := h.Pending(databaseKey(b.DB)); !pending {
				return resource.Change{}, cat.needDatabase(b.DB)
			}
			return resource.Change{Action: resource.Run, Reason: "never ran"}, nil
		}
		switch ran := cat.settings[[2]string{b.DB, ""}][b.setting()]; {
		case ran == "":
			return resource.Change{Action: resource.Run, Reason: "never ran"}, nil
		case ran == b.Hash:
			return resource.Change{}, nil
		case b.Again:
			return resource.Change{Action: resource.Run, Reason: "changed since it ran"}, nil
		}
		return resource.Change{Note: "changed since it ran; it is not run again"}, nil
	})
}

// alone are statements that refuse to run in a transaction, and commands that
// end or change it.
var alone = regexp.MustCompile(`(?im)^\s*(\\c|\\connect|BEGIN\b|START\s+TRANSACTION|COMMIT\b|VACUUM|CREATE\s+DATABASE|DROP\s+DATABASE|ALTER\s+SYSTEM|.*\bCONCURRENTLY\b)`)

// Apply runs the script, in one transaction if it can be, and remembers it. psql
// stops at the first error; what ran is then not remembered.
func (b Baseline) Apply(ctx context.Context, h *resource.Host) error {
	return b.converge(ctx, h, func(p *pass, cat *catalog) error {
		if err := cat.needDatabase(b.DB); err != nil {
			return err
		}
		sql := b.script
		if sql == nil {
			var err error
			if sql, err = h.Control.Blob(ctx, b.Hash); err != nil {
				return fmt.Errorf("baseline %s of database %s: %w", b.Name, b.DB, err)
			}
		}
		args := []string{"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", p.server.Socket, "-p", strconv.Itoa(p.server.Port),
			"-U", p.server.User, "-d", b.DB, "-f", "-"}
		if !alone.Match(sql) {
			args = append(args, "--single-transaction")
		}
		if _, err := h.Commands.Run(ctx, resource.Command{Args: args, Stdin: sql, User: p.server.User, Dir: "/"}); err != nil {
			return fmt.Errorf("baseline %s of database %s: %w", b.Name, b.DB, err)
		}
		remember := "ALTER DATABASE " + ident(b.DB) + " SET " + settingIdent(b.setting()) + " TO " + literal(b.Hash)
		if err := p.run(ctx, maintenance, remember); err != nil {
			return fmt.Errorf("remembering baseline %s of database %s: %w", b.Name, b.DB, err)
		}
		return nil
	})
}
