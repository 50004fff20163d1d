package infra

import (
	"encoding/json"
	"strconv"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// pglogFile has shell functions that read servers' logs.
const pglogFile = "/etc/profile.d/pglog.sh"

// pgadminOwner is who pgAdmin's container runs as.
var pgadminOwner = resource.Owner{User: "5050", Group: "5050"}

// pgadminServer is a server in the form that pgAdmin imports.
type pgadminServer struct {
	Name, Group, Host string
	Port              int
	MaintenanceDB     string
	Username          string
	SSLMode           string
	PassFile          string
}

// pgadmin adds the list of all instances that pgAdmin imports, and the password
// for them. Both are for mounting into its container, the latter as /pgpass.
func (i *instance) pgadmin(b *plan.Builder) {
	b = b.Tag("infra_env", "env_pgadmin")
	p := module.Params[pgsql.Params](i.Host)
	servers := map[string]pgadminServer{}
	for _, c := range pgsql.Clusters(i.site) {
		for _, m := range c.Members {
			servers[strconv.Itoa(len(servers)+1)] = pgadminServer{Name: m.Instance(), Group: c.Name, Host: m.Host.Name(), Port: m.Params.PgPort,
				MaintenanceDB: "postgres", Username: p.PgAdminUsername, SSLMode: "prefer", PassFile: "/pgpass"}
		}
	}
	list, _ := json.MarshalIndent(map[string]any{"Servers": servers}, "", "  ") // plain values always marshal
	escape := strings.NewReplacer(`\`, `\\`, ":", `\:`)
	password := "*:*:*:" + escape.Replace(p.PgAdminUsername) + ":" + escape.Replace(p.PgAdminPassword.Reveal()) + "\n"
	private := []resource.FileOption{resource.OwnedBy(pgadminOwner.User, pgadminOwner.Group), resource.Mode(0o600)}
	b.Add(
		&resource.Dir{Path: below("pgadmin"), Owner: pgadminOwner, Mode: 0o700},
		resource.NewFile(below("pgadmin/servers.json"), append(list, '\n'), private...),
		resource.NewFile(below("pgadmin/pgpass"), password, append(private, resource.Hidden())...),
	)
}
