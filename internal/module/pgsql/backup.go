package pgsql

import (
	"fmt"
	"path"
	"strings"

	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/postgres"
)

const (
	backupDir    = "/etc/pgbackrest"
	backupConfig = backupDir + "/pgbackrest.conf"
	spoolDir     = "/pg/spool"
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

// addStanza adds the place of m's cluster in a repository on m's own host. Every
// member has one: whoever leads archives there.
func (m *Member) addStanza(b *plan.Builder) {
	if m.Params.PgbackrestEnabled && m.ownRepository() {
		b.Tag("pg_backup", "pgbackrest", "pgbackrest_init").After(m.readyID()).Add(m.stanza())
	}
}

// addRepository adds what a cluster has in its repository: its place there, where
// members share one, the certainty that segments of write-ahead log arrive, and
// the first backup of a new cluster. With repositories of their own, those of the
// leader count.
func (c *Cluster) addRepository(b *plan.Builder) {
	m := c.first()
	if !m.Params.PgbackrestEnabled {
		return
	}
	b = b.Tag("pg_backup", "pgbackrest")
	repository := b.Tag("pgbackrest_init")
	if m.ownRepository() {
		repository = repository.After(plan.ID(m.Name(), m.stanza().Key()))
	} else {
		repository.AddOnLeader(c.Name, c.addresses(), m.stanza())
	}
	checked := repository.AddOnLeader(c.Name, c.addresses(), postgres.ArchiveCheck{Stanza: m.stanza(), First: !m.Params.PgbackrestInitBackup})
	if m.Params.PgbackrestInitBackup {
		b.Tag("pgbackrest_backup").After(checked).AddOnLeader(c.Name, c.addresses(), postgres.Backup{Stanza: m.stanza(), Type: "full"})
	}
}

func (m *Member) stanza() postgres.Stanza {
	s := postgres.Stanza{Server: m.server(), Name: m.Cluster.Name, Config: backupConfig, Shared: !m.ownRepository()}
	if cipher := m.repositorySetting("cipher_type"); !s.Shared && (cipher == "" || cipher == "none") {
		s.Repository = m.repositoryPath()
	}
	return s
}

// ownRepository reports whether the repository is a directory of m's host.
func (m *Member) ownRepository() bool { return m.place().onHost() }

// repositoryPath returns the repository's directory, pgBackRest's own default if none is set.
func (m *Member) repositoryPath() string {
	return path.Clean(orElse(m.repositorySetting("path"), "/var/lib/pgbackrest"))
}

// repositorySetting returns an option of the repository, "" if it is not set.
func (m *Member) repositorySetting(name string) string { return m.place().setting(name) }

// backupINI returns pgbackrest.conf.
func (m *Member) backupINI() string { return m.backupINIFor(m.place(), "info", 0) }

// backupINIFor returns pgBackRest's configuration for a place of backups, with a
// level for its log file, and as many processes for a restore, one for each CPU if
// that is 0.
func (m *Member) backupINIFor(at place, level string, processes int) string {
	p := m.Params
	cpus := max(m.Facts.CPUs, 1)
	if processes == 0 {
		processes = min(cpus, 8)
	}
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
		"log-level-file=" + level,
		"log-path=" + p.PgbackrestLogDir,
		"spool-path=" + spoolDir,
		"start-fast=y",
	}, at.lines()...)...)
	section("global:archive-get", fmt.Sprintf("process-max=%d", some))
	section("global:archive-push", fmt.Sprintf("process-max=%d", some))
	section("global:backup", fmt.Sprintf("process-max=%d", some))
	section("global:restore", fmt.Sprintf("process-max=%d", processes))
	section(at.Stanza,
		"pg1-path="+p.PgData,
		fmt.Sprintf("pg1-port=%d", p.PgPort),
		"pg1-socket-path="+p.PgLocalhost,
		"pg1-user="+p.PgDbsu,
	)
	return b.String()
}

// backupSecrets returns the beginnings of the lines that hold secrets.
func (m *Member) backupSecrets() []string { return m.place().secrets() }
