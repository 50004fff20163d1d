package pgsql

import (
	"embed"
	"fmt"
	"path"
	"strings"

	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

//go:embed templates/bin
var scriptFiles embed.FS

// scripts are the commands in /pg/bin, for crontabs and for people on the host.
var scripts = []string{"pg-role", "pg-cluster", "pg-backup", "pg-pitr"}

func script(name string) string {
	data, err := scriptFiles.ReadFile(path.Join("templates/bin", name))
	if err != nil {
		panic(err) // it is part of the program
	}
	return string(data)
}

// marked returns a script with the line that says who manages it after its first.
func marked(text string) string {
	first, rest, _ := strings.Cut(text, "\n")
	return first + "\n" + managed + "\n" + rest
}

// addScripts adds the commands in /pg/bin, short names for what is typed often,
// and psql's settings for the superuser.
func (m *Member) addScripts(b *plan.Builder) {
	p := m.Params
	for _, name := range scripts {
		b.Tag("pg_bin").Add(resource.NewFile(homeDir+"/bin/"+name, marked(script(name)), resource.Mode(0o755), resource.OwnedBy("root", dbsuGroup)))
	}
	var aliases strings.Builder
	aliases.WriteString(managed + "\n")
	for _, v := range []struct{ name, value string }{
		{"PIGSTY_DBSU", p.PgDbsu}, {"PIGSTY_STANZA", m.Cluster.Name}, {"PIGSTY_LOG", p.PgLogDir}, {"PIGSTY_PATRONI_LOG", p.PatroniLogDir},
		{"PIGSTY_BACKUP_LOG", p.PgbackrestLogDir}, {"PIGSTY_POOL_PORT", fmt.Sprint(p.PgbouncerPort)},
	} {
		fmt.Fprintf(&aliases, "%s='%s'\n", v.name, v.value)
	}
	aliases.WriteString(script("pg-alias.sh"))
	b.Tag("pg_alias").Add(
		resource.NewFile("/etc/profile.d/pg-alias.sh", aliases.String()),
		resource.NewFile(p.PgDbsuHome+"/.psqlrc", strings.Replace(managed, "#", "--", 1)+"\n"+script("psqlrc"), resource.Mode(0o600), resource.OwnedBy(p.PgDbsu, dbsuGroup)),
	)
}
