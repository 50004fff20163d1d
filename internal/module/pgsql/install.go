package pgsql

import (
	"bytes"
	"path"
	"strconv"
	"strings"

	"pigsty/internal/memo"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// debianUID is the id that the superuser has on Debian and Ubuntu unless the
// inventory says otherwise: 26, its id on EL, belongs to somebody else there.
const debianUID = 543

// addAccount adds the database superuser. It comes before the packages, whose
// own scripts would make one with another home and id.
func (m *Member) addAccount(b *plan.Builder) {
	p := m.Params
	uid := p.PgDbsuUID
	if uid == 26 && m.Facts.Family == "deb" {
		uid = debianUID
	}
	_, chosen := m.Vars.Get("pg_dbsu_uid") // else the distribution's own account will do
	early := b.Tag("pg_dbsu", "pg_dbsu_create").Early()
	early.Add(
		&resource.Group{Name: dbsuGroup, GID: uid, KeepID: !chosen},
		&resource.User{Name: p.PgDbsu, UID: uid, KeepID: !chosen, Group: dbsuGroup, Home: p.PgDbsuHome, Shell: "/bin/bash"},
		&resource.Dir{Path: p.PgDbsuHome, Owner: m.owner(), Mode: 0o700},
	)
	b.Tag("pg_dbsu", "pg_dbsu_sudo").Add(resource.NewFile("/etc/sudoers.d/"+dbsuGroup, sudoersFiles.Of(sudo{p.PgDbsu, p.PgDbsuSudo}, sudo.sudoers),
		resource.Mode(0o440), resource.CheckedBy("visudo", "-cf", "%s")))
}

// sudoUnits are the units that the superuser may control by way of sudo.
var sudoUnits = []string{
	"postgres", "pgbouncer", "patroni", "pgbackrest", "pg_exporter", "pgbouncer_exporter", "pgbackrest_exporter", "vip-manager",
}

// sudo is a database superuser and what pg_dbsu_sudo gives it.
type sudo struct{ user, power string }

// sudoersFiles are what superusers may do as root, which most hosts have alike.
var sudoersFiles memo.Table[sudo, []byte]

func (s sudo) sudoers() []byte {
	var b bytes.Buffer
	b.WriteString(managed + "\n")
	switch s.power {
	case "all":
		b.WriteString(s.user + " ALL=(ALL) ALL\n")
	case "nopass":
		b.WriteString(s.user + " ALL=(ALL) NOPASSWD: ALL\n")
	case "limit":
		allow := func(command string) { b.WriteString("%" + dbsuGroup + " ALL=(root) NOPASSWD: " + command + "\n") }
		allow("/usr/sbin/modprobe softdog")
		allow("/usr/bin/chown " + s.user + " /dev/watchdog")
		for _, unit := range sudoUnits {
			for _, verb := range []string{"start", "stop", "status", "reload", "restart"} {
				allow("/usr/bin/systemctl " + verb + " " + unit)
			}
			allow("/usr/bin/journalctl -u " + unit)
		}
		allow("/usr/bin/systemctl reload haproxy")
	}
	return b.Bytes()
}

// addPackages adds PostgreSQL and its companions, and makes /usr/pgsql lead to
// the version that the cluster runs.
func (m *Member) addPackages(b *plan.Builder) {
	p := m.Params
	if m.Facts.Family == "deb" {
		// The package would make and start a cluster of its own.
		b.Tag("pg_pkg", "pg_pre").Early().Add(
			&resource.Dir{Path: "/etc/postgresql-common"},
			resource.NewFile("/etc/postgresql-common/createcluster.conf", managed+"\ncreate_main_cluster = false\n"),
		)
	}
	b.Tag("pg_pkg").Add(&resource.Packages{Items: expandPackages(m.Facts, m.packages(), version(p), "pg_packages")})
	m.addExtensionPackages(b)
	if m.Facts.Family == "deb" {
		b.Tag("pg_pkg", "pg_post").Add(&resource.UnitAbsent{Name: "postgresql.service"})
	}
	m.addProgramLink(b)
}

// addExtensionPackages adds the packages of the cluster's extensions.
func (m *Member) addExtensionPackages(b *plan.Builder) {
	if items := m.extensionPackages(); len(items) > 0 {
		b.Tag("pg_pkg", "pg_ext", "pg_extension").Add(&resource.Packages{Items: items})
	}
}

// addDirectories adds the directories of the instance. /pg leads to them
// wherever the main disk is mounted.
func (m *Member) addDirectories(b *plan.Builder) {
	p, owner := m.Params, m.owner()
	b = b.Tag("pg_dir")
	b.Add(
		&resource.Dir{Path: p.PgFsMain, Owner: owner, Mode: 0o700},
		&resource.Dir{Path: p.PgFsBackup, Owner: owner, Mode: 0o700},
		&resource.Dir{Path: m.dataHome(), Owner: owner, Mode: 0o700},
		&resource.Dir{Path: path.Dir(m.backupHome()), Owner: owner, Mode: 0o700},
		&resource.Dir{Path: m.backupHome(), Owner: owner, Mode: 0o700},
		&resource.Link{Path: homeDir, Target: m.dataHome(), Keep: "another cluster, or another pg_version of this one, has its data there. " +
			"Put the inventory back, or remove that instance with pgsql-rm first"},
	)
	for _, name := range []string{"bin", "tmp", "cert", "conf", "data", "spool"} {
		b.Add(&resource.Dir{Path: homeDir + "/" + name, Owner: owner, Mode: 0o700})
	}
	b.Add(&resource.Dir{Path: homeDir + "/log", Owner: owner, Mode: 0o750})
	for _, dir := range []string{p.PgLogDir, p.PatroniLogDir} {
		b.Add(&resource.Dir{Path: dir, Owner: owner, Mode: 0o750})
	}
	b.Add(
		&resource.Link{Path: homeDir + "/backup", Target: m.backupHome()},
		&resource.Dir{Path: "/etc/patroni", Owner: owner, Mode: 0o700},
		resource.NewFile(m.tmpfiles(), managed+"\nd /run/postgresql 0755 "+p.PgDbsu+" "+dbsuGroup+" -\n"+
			"d /var/log/postgresql 1775 root "+dbsuGroup+" -\n"),
		&resource.Dir{Path: "/run/postgresql", Owner: owner},
	)
}

// tmpfiles is the file that says how the socket directory is made at boot.
// Debian's own says otherwise; one of the same name in /etc replaces it.
func (m *Member) tmpfiles() string {
	if m.Facts.Family == "deb" {
		return "/etc/tmpfiles.d/postgresql-common.conf"
	}
	return "/etc/tmpfiles.d/postgresql.conf"
}

// addEnvironment adds what a person who logs in finds: PATH and the defaults of
// psql, and the superuser's passwords for the system's users.
func (m *Member) addEnvironment(b *plan.Builder) {
	p := m.Params
	b.Tag("pg_path").Add(resource.NewFile("/etc/profile.d/pgsql.sh", strings.Join([]string{
		managed,
		`export PATH="` + p.PgBinDir + `:/pg/bin:$PATH"`,
		"export PGHOME=" + path.Dir(p.PgBinDir),
		"export PGDATA=" + p.PgData,
		"export PGPORT=" + strconv.Itoa(p.PgPort),
		"export PGDATABASE=" + p.PgPrimaryDb,
	}, "\n")+"\n"))
	var pass strings.Builder
	know := func(user string, password secret.Value) {
		if !password.IsEmpty() {
			pass.WriteString("*:*:*:" + passField(user) + ":" + passField(password.Reveal()) + "\n")
		}
	}
	for _, name := range p.systemUsers() {
		know(name, p.password(User{Name: name}))
	}
	for _, u := range m.shardUsers() {
		know(u.Name, u.Password)
	}
	b.Tag("pg_pass", "pg_bootstrap").Add(resource.NewFile(p.PgDbsuHome+"/.pgpass", pass.String(),
		resource.Mode(0o600), resource.OwnedBy(p.PgDbsu, dbsuGroup), resource.Masking("*:")))
}

// passField escapes a field of a password file: libpq, "The Password File".
var passField = strings.NewReplacer(`\`, `\\`, ":", `\:`).Replace
