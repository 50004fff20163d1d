package pgsql

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/resource/postgres"
)

const (
	poolDir      = "/etc/pgbouncer"
	poolUserList = poolDir + "/userlist.txt"
	poolListen   = poolDir + "/listen.ini"
	poolSocket   = "/run/postgresql"
	poolFiles    = 655360 // open files that the pool would like to have
)

// addPgBouncer adds the connection pool of m, but for its list of users, which
// needs a server; see addUserList.
func (m *Member) addPgBouncer(b *plan.Builder) {
	p := m.Params
	owned := resource.OwnedBy(p.PgDbsu, dbsuGroup)
	b.Tag("pgbouncer_dir").Add(
		&resource.Dir{Path: poolDir, Owner: m.owner(), Mode: 0o750},
		&resource.Dir{Path: p.PgbouncerLogDir, Owner: m.owner(), Mode: 0o750},
	)
	b.Tag("pgbouncer_config").Add(
		resource.NewFile(poolDir+"/pgbouncer.ini", m.poolINI(), resource.Mode(0o640), owned),
		resource.NewFile(poolListen, fmt.Sprintf("%s\nlisten_addr = %s\nlisten_port = %d\nunix_socket_dir = %s\n",
			strings.Replace(managed, "#", ";", 1), strings.Join(m.listen(), ","), p.PgbouncerPort, poolSocket), resource.Mode(0o640), owned),
		m.unitFile("pgbouncer.service", poolFiles),
	)
	b.Tag("pgbouncer_config", "pg_db").Add(
		resource.NewFile(poolDir+"/database.txt", m.poolDatabases(), resource.Mode(0o600), owned))
	b.Tag("pgbouncer_config", "pg_user", "pgbouncer_user").Add(
		resource.NewFile(poolDir+"/useropts.txt", m.poolUserOptions(), resource.Mode(0o600), owned))
	b.Tag("pgbouncer_hba").Add(
		resource.NewFile(poolDir+"/pgb_hba.conf", m.poolRules(), resource.Mode(0o600), owned))
}

// addUserList adds the pool's list of users, which it reads from the server on
// the same host after those in after are done, and then the pool's unit.
func (m *Member) addUserList(b *plan.Builder, after ...string) {
	list := postgres.UserList{
		Server: m.server(), Path: poolUserList, Owner: m.owner(),
		Users: m.poolUsers(), Local: []string{m.Params.PgDbsu},
	}
	b.Tag("pg_user", "pgbouncer_user").After(after...).Add(list)
	b.Tag("pg_user", "pg_db", "pgbouncer_launch", "pgbouncer_hba", "pgbouncer_reload", "pgbouncer_user").Add(m.poolUnit(list.Key()))
}

// poolUnit returns the pool's unit. A reload reads its files again and keeps
// every connection; only for other addresses to listen at must it restart.
func (m *Member) poolUnit(list string) *resource.Unit {
	u := &resource.Unit{
		Name: "pgbouncer.service", Enabled: true, Running: true,
		After: append([]string{list, "file " + poolDir + "/", "dir " + poolDir, "dir " + m.Params.PgbouncerLogDir, "dir /run/postgresql", "cert /pg/cert/"}, foreignKeys...),
	}
	if m.Params.PgReload {
		u.ReloadOn, u.RestartOn = []string{poolDir + "/"}, []string{poolListen}
		if m.Params.PgbouncerSslmode != "disable" {
			u.ReloadOn = append(u.ReloadOn, certDir+"/")
		}
	}
	return u
}

// poolINI returns pgbouncer.ini.
func (m *Member) poolINI() []byte {
	p := m.Params
	return render("pgbouncer.ini.tmpl", map[string]any{
		"Header": strings.Replace(managed, "#", ";", 1), "P": p, "Socket": poolSocket,
		"Ignore":  strings.Join(p.PgbouncerIgnoreParam, ", "),
		"TLS":     p.PgbouncerSslmode != "disable",
		"Certs":   certDir,
		"Prepare": m.poolPrepares(),
		"Clients": maxClients(module.OpenFiles(m.Host, poolFiles).Value),
	})
}

// poolPrepares reports whether the host's PgBouncer keeps prepared statements
// (1.21 and later); an older one does not start with the option. Debian before
// 13 and Ubuntu before 24.04 carry older ones themselves.
func (m *Member) poolPrepares() bool {
	switch m.Facts.OS {
	case "debian":
		return !slices.Contains([]string{"10", "11", "12"}, m.Facts.Version)
	case "ubuntu":
		return !slices.Contains([]string{"18.04", "20.04", "22.04"}, m.Facts.Version)
	}
	return true
}

// poolName are the names that PgBouncer's configuration can have. It knows no
// quotes for them: a line with another name keeps it from starting.
var poolName = regexp.MustCompile(`^[0-9A-Za-z_.-]+$`)

// maxClients returns how many clients the pool takes: 20000, or what the host's
// limit of open files leaves when a tenth goes to servers and sockets.
func maxClients(files int) int { return min(20000, files-files/10) }

// poolDatabases returns the databases that the pool offers.
func (m *Member) poolDatabases() string {
	var b strings.Builder
	b.WriteString(strings.Replace(managed, "#", ";", 1) + "\n")
	for _, d := range m.Params.PgDatabases {
		if d.State == "absent" || !d.PgBouncer || !poolName.MatchString(d.Name) {
			continue
		}
		words := []string{"host=" + m.Params.PgLocalhost, fmt.Sprintf("port=%d", m.Params.PgPort)}
		words = appendText(words, "auth_user", d.PoolAuthUser)
		words = appendText(words, "pool_mode", d.PoolMode)
		words = appendNumber(words, "pool_size", d.PoolSize)
		words = appendNumber(words, "min_pool_size", d.PoolSizeMin)
		words = appendNumber(words, "reserve_pool", d.PoolReserve)
		if limit := d.PoolConnLimit; limit != nil && *limit >= 0 {
			words = appendNumber(words, "max_db_connections", limit)
		}
		fmt.Fprintf(&b, "%s = %s\n", d.Name, strings.Join(words, " "))
	}
	return b.String()
}

// poolUserOptions returns the options of single users.
func (m *Member) poolUserOptions() string {
	var b strings.Builder
	b.WriteString(strings.Replace(managed, "#", ";", 1) + "\n")
	for _, u := range m.Params.roles() {
		words := appendText(nil, "pool_mode", u.PoolMode)
		if limit := u.PoolConnLimit; limit != nil && *limit >= 0 {
			words = appendNumber(words, "max_user_connections", limit)
		}
		if u.State != "absent" && len(words) > 0 && poolName.MatchString(u.Name) {
			fmt.Fprintf(&b, "%s = %s\n", u.Name, strings.Join(words, " "))
		}
	}
	return b.String()
}

func appendText(words []string, name, value string) []string {
	if value == "" {
		return words
	}
	return append(words, name+"="+value)
}

func appendNumber(words []string, name string, value *int) []string {
	if value == nil {
		return words
	}
	return append(words, fmt.Sprintf("%s=%d", name, *value))
}

// poolUsers returns who logs in to the pool by password. With pgbouncer_auth_query
// it asks the server for all others.
func (m *Member) poolUsers() []string {
	p := m.Params
	out := []string{p.PgMonitorUsername, p.PgAdminUsername}
	for _, u := range p.roles() {
		if u.PgBouncer && u.State != "absent" && !p.PgbouncerAuthQuery && u.Name != p.PgDbsu {
			out = append(out, u.Name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// poolRules returns pgb_hba.conf.
func (m *Member) poolRules() string {
	p := m.Params
	lines := hbaLines(slices.Concat(p.PgbDefaultHBARules, p.PgbHBARules), m.scope(true))
	return managed + "\n" + strings.Join(lines, "\n") + "\n"
}
