package pgsql

import (
	"embed"
	"fmt"
	"path"
	"strings"
	"sync"

	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

//go:embed templates/bin
var scriptFiles embed.FS

// scripts are the commands in /pg/bin, for crontabs and for people on the host.
var scripts = []string{"pg-role", "pg-cluster", "pg-backup", "pg-pitr", "pg-heartbeat", "pg-vacuum", "pg-repack", "pg-tune-hugepage"}

// commands are the files of scripts, the same on every host.
var commands = sync.OnceValue(func() (files []resource.Resource) {
	for _, name := range scripts {
		files = append(files, resource.NewFile(homeDir+"/bin/"+name, marked(script(name)), resource.Mode(0o755), resource.OwnedBy("root", dbsuGroup)))
	}
	return files
})

var (
	aliasScript  = sync.OnceValue(func() string { return script("pg-alias.sh") })
	psqlSettings = sync.OnceValue(func() []byte {
		return []byte(strings.Replace(managed, "#", "--", 1) + "\n" + script("psqlrc"))
	})
)

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
	b.Tag("pg_bin").Add(commands()...)
	var aliases strings.Builder
	aliases.WriteString(managed + "\n")
	for _, v := range []struct{ name, value string }{
		{"PIGSTY_DBSU", p.PgDbsu}, {"PIGSTY_STANZA", m.Cluster.Name}, {"PIGSTY_LOG", p.PgLogDir}, {"PIGSTY_PATRONI_LOG", p.PatroniLogDir},
		{"PIGSTY_BACKUP_LOG", p.PgbackrestLogDir}, {"PIGSTY_POOL_LOG", p.PgbouncerLogDir}, {"PIGSTY_POOL_PORT", fmt.Sprint(p.PgbouncerPort)},
	} {
		fmt.Fprintf(&aliases, "%s='%s'\n", v.name, v.value)
	}
	aliases.WriteString(aliasScript())
	b.Tag("pg_alias").Add(
		resource.NewFile("/etc/profile.d/pg-alias.sh", aliases.String()),
		resource.NewFile(p.PgDbsuHome+"/.psqlrc", psqlSettings(), resource.Mode(0o600), resource.OwnedBy(p.PgDbsu, dbsuGroup)),
	)
}
