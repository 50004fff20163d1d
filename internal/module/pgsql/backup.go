package pgsql

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const (
	backupDir    = "/etc/pgbackrest"
	backupConfig = backupDir + "/pgbackrest.conf"
)

// addBackup adds pgBackRest's configuration, which archiving needs from the
// first segment of write-ahead log on.
func (m *Member) addBackup(b *plan.Builder) {
	p := m.Params
	if !p.PgbackrestEnabled {
		return
	}
	b = b.Tag("pg_backup", "pgbackrest")
	b.Tag("pgbackrest_dir").Add(
		&resource.Dir{Path: backupDir, Owner: m.owner(), Mode: 0o750},
		&resource.Dir{Path: p.PgbackrestLogDir, Owner: m.owner(), Mode: 0o750},
	)
	b.Tag("pgbackrest_config").Add(resource.NewFile(backupConfig, m.backupINI(), resource.Mode(0o640),
		resource.OwnedBy(p.PgDbsu, dbsuGroup), resource.Masking(m.backupSecrets()...)))
}

// backupINI returns pgbackrest.conf.
func (m *Member) backupINI() string {
	p := m.Params
	cpus := max(m.Facts.CPUs, 1)
	some := clamp(ceilDiv(cpus, 4), 2, 4)
	var b strings.Builder
	section := func(name string, lines ...string) {
		fmt.Fprintf(&b, "\n[%s]\n%s\n", name, strings.Join(lines, "\n"))
	}
	b.WriteString(managed + "\n")
	section("global", append([]string{
		"archive-async=y",
		"archive-push-queue-max=4GiB",
		"compress-type=zst",
		"delta=y",
		"expire-auto=y",
		"log-level-file=info",
		"log-path=" + p.PgbackrestLogDir,
		"spool-path=/pg/spool",
		"start-fast=y",
	}, m.repository()...)...)
	section("global:archive-get", fmt.Sprintf("process-max=%d", some))
	section("global:archive-push", fmt.Sprintf("process-max=%d", some))
	section("global:backup", fmt.Sprintf("process-max=%d", some))
	section("global:restore", fmt.Sprintf("process-max=%d", min(cpus, 8)))
	section(m.Cluster.Name,
		"pg1-path="+p.PgData,
		fmt.Sprintf("pg1-port=%d", p.PgPort),
		"pg1-socket-path="+p.PgLocalhost,
		"pg1-user="+p.PgDbsu,
	)
	return b.String()
}

// repository returns the options of the repository that pgbackrest_method names.
func (m *Member) repository() []string {
	repo := m.Params.PgbackrestRepo[m.Params.PgbackrestMethod]
	var out []string
	for _, name := range slices.Sorted(maps.Keys(repo)) {
		value := strings.ReplaceAll(repo[name].Reveal(), "${pg_cluster}", m.Cluster.Name)
		out = append(out, repositoryOption(name)+"="+value)
	}
	return out
}

// backupSecrets returns the beginnings of the lines that hold secrets.
func (m *Member) backupSecrets() []string {
	repo := m.Params.PgbackrestRepo[m.Params.PgbackrestMethod]
	var out []string
	for _, name := range slices.Sorted(maps.Keys(repo)) {
		if repo[name].IsSecret() {
			out = append(out, repositoryOption(name)+"=")
		}
	}
	return out
}

func repositoryOption(name string) string { return "repo1-" + strings.ReplaceAll(name, "_", "-") }
