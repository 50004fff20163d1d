package pgsql

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

// managed is the first line of files that this module writes.
const managed = module.Managed

// configFile is where Patroni's configuration is kept; /etc/patroni leads there.
func (m *Member) configFile() string { return confDir + "/" + m.Instance() + ".yml" }

// addPatroniConfig adds Patroni's configuration and unit file.
func (m *Member) addPatroniConfig(b *plan.Builder) {
	p := m.Params
	conf := b.Tag("pg_conf", "pg_hba", "pg_param")
	m.addEtcdName(conf)
	conf.After(m.Cluster.accountID()).Add( // a restart of Patroni must not find a password that etcd does not know yet
		resource.NewFile(m.configFile(), m.patroniYAML(), resource.Mode(0o640), resource.OwnedBy(p.PgDbsu, dbsuGroup),
			resource.Masking("password:")),
		&resource.Link{Path: patroniYML, Target: m.configFile()},
	)
	b.Tag("pg_conf").Add(m.unitFile("patroni.service", postgresFiles))
}

// patroniUnit returns Patroni's unit. It is never restarted for its
// configuration: stopping Patroni stops PostgreSQL and hands over leadership,
// while a reload makes it read everything again and restarts nothing.
func (m *Member) patroniUnit() *resource.Unit {
	u := &resource.Unit{
		Name: "patroni.service", Enabled: true, Running: true, RestartImpact: resource.ImpactFailover,
		After: append([]string{
			"link " + patroniYML, "link " + path.Dir(m.Params.PgBinDir), "file /etc/pgbackrest/pgbackrest.conf", "dir /run/postgresql",
			m.etcdLines().Key(),
			"dir /pg/", "file /pg/", "cert /pg/cert/",
		}, foreignKeys...),
	}
	if m.Params.PgReload {
		u.ReloadOn = []string{m.configFile(), certDir + "/"}
	}
	return u
}

// patroniYAML returns Patroni's configuration on m, in the order of Patroni's
// own documentation.
func (m *Member) patroniYAML() string {
	p := m.Params
	var y mapping
	y.set("namespace", strings.TrimSuffix(p.PgNamespace, "/")+"/")
	y.set("scope", m.scopeName())
	y.set("name", m.Instance())
	if m.sharded() {
		var citus mapping
		citus.set("group", orZero(p.PgGroup))
		citus.set("database", p.PgPrimaryDb)
		y.set("citus", citus)
	}
	y.set("log", m.patroniLog())
	y.set("etcd3", m.patroniEtcd())
	y.set("restapi", m.patroniAPI())
	if p.PatroniSSLEnabled {
		var ctl mapping
		ctl.set("cacert", certDir+"/ca.crt")
		ctl.set("insecure", false)
		y.set("ctl", ctl)
	}
	y.set("tags", m.patroniTags())
	y.set("watchdog", m.watchdog())
	if m.primary() { // others wait for it, because they find nothing here to begin a cluster with
		y.set("bootstrap", m.bootstrap())
	}
	y.set("postgresql", m.postgresql())
	var b strings.Builder
	b.WriteString(managed + "\n")
	y.emit(&b, 0)
	return b.String()
}

// scopeName is the cluster's name in the DCS; the parts of a Citus cluster share one.
func (m *Member) scopeName() string {
	if m.sharded() {
		return m.Params.PgShard
	}
	return m.Cluster.Name
}

// sharded reports whether m's cluster is a part of a Citus cluster.
func (m *Member) sharded() bool { return m.Params.sharded() }

func (p *Params) sharded() bool { return p.PgMode == "citus" && p.PgShard != "" }

func (m *Member) patroniLog() mapping {
	files := 4
	if m.Cluster.Template.Kind == "crit" {
		files = 16
	}
	var y mapping
	y.set("level", "INFO")
	y.set("format", "%(asctime)s %(levelname)s: %(message)s")
	y.set("dateformat", "%Y-%m-%d %H:%M:%S %z")
	y.set("dir", m.Params.PatroniLogDir)
	y.set("file_num", files)
	y.set("file_size", 32<<20)
	return y
}

func (m *Member) patroniEtcd() mapping {
	var y mapping
	y.set("hosts", m.etcdHosts())
	y.set("protocol", "https")
	y.set("cacert", certDir+"/ca.crt")
	y.set("cert", certDir+"/server.crt")
	y.set("key", certDir+"/server.key")
	y.set("username", m.scopeName())
	y.set("password", m.etcdPassword().Reveal())
	return y
}

func (m *Member) patroniAPI() mapping {
	p := m.Params
	allowed := append(m.Cluster.addresses(), m.Cluster.Infra...)
	allowed = append(allowed, m.Cluster.Admin)
	for _, other := range m.Cluster.Shards { // the leaders of the parts tell the coordinator where they are
		allowed = append(allowed, other.Name())
	}
	slices.Sort(allowed)
	allowed = slices.Compact(allowed)
	addr := fmt.Sprintf("%s:%d", m.Name(), p.PatroniPort)

	var y mapping
	y.set("listen", addr)
	y.set("connect_address", addr)
	if p.PatroniSSLEnabled {
		y.set("certfile", certDir+"/server.crt")
		y.set("keyfile", certDir+"/server.key")
		y.set("cafile", certDir+"/ca.crt")
		y.set("verify_client", "none") // clients prove themselves by password
	}
	y.set("authentication", login(p.PatroniUsername, p.PatroniPassword.Reveal()))
	y.set("allowlist", allowed)
	return y
}

func (m *Member) patroniTags() mapping {
	p := m.Params
	var y mapping
	y.set("nofailover", !m.promotable())
	y.set("clonefrom", m.promotable())
	y.set("noloadbalance", p.PgRole == "delayed")
	y.set("nosync", !m.synchronous())
	if up := m.Cluster.at(p.PgUpstream); up != nil && up != m && !m.primary() {
		y.set("replicatefrom", up.Instance()) // Patroni wants a member's name, not its address
	}
	y.set("version", version(p))
	y.set("spec", m.capacity().spec())
	y.set("conf", p.PgConf)
	return y
}

// WatchdogMode returns whether a leader holds a watchdog: critical data gets
// one where there is one.
func (m *Member) WatchdogMode() string {
	if m.Params.PatroniWatchdogMode == "off" && m.Cluster.Template.Kind == "crit" {
		return "automatic"
	}
	return m.Params.PatroniWatchdogMode
}

func (m *Member) watchdog() mapping {
	var y mapping
	y.set("mode", m.WatchdogMode())
	y.set("device", "/dev/watchdog")
	y.set("safety_margin", rtoPlan(m.Params).SafetyMargin)
	return y
}

// bootstrap says how a cluster begins that does not exist yet.
func (m *Member) bootstrap() mapping {
	var y mapping
	y.set("dcs", dynamicConfig(m))
	y.set("initdb", m.initdb())
	return y
}

// initdb returns the options that a new cluster is made with.
func (m *Member) initdb() []any {
	p := m.Params
	option := func(name, value string) mapping { return mapping{{name, value}} }
	out := []any{option("encoding", p.PgEncoding), option("locale", p.PgLocale)}
	if p.PgVersion >= 17 && p.PgEncoding == "UTF8" && (p.PgLocale == "C" || p.PgLocale == "C.UTF-8") {
		// Its sort order does not change with the C library's version.
		out = append(out, option("locale-provider", "builtin"), option("builtin-locale", p.PgLocale))
	}
	out = append(out, option("lc-collate", p.PgLcCollate), option("lc-ctype", p.PgLcCtype))
	switch {
	case p.PgChecksum || m.Cluster.Template.Kind == "crit":
		out = append(out, "data-checksums")
	case p.PgVersion >= 18:
		out = append(out, "no-data-checksums")
	}
	return out
}

func (m *Member) postgresql() mapping {
	p := m.Params
	var y mapping
	y.set("listen", fmt.Sprintf("%s:%d", strings.Join(m.listen(), ","), p.PgPort))
	y.set("connect_address", fmt.Sprintf("%s:%d", m.Name(), p.PgPort))
	y.set("use_unix_socket", true)
	y.set("use_unix_socket_repl", true)
	y.set("data_dir", p.PgData)
	y.set("bin_dir", p.PgBinDir)
	y.set("pgpass", confDir+"/patroni.pgpass") // Patroni rewrites it; people's own is another
	y.set("authentication", m.authentication())
	y.set("remove_data_directory_on_diverged_timelines", false)
	y.set("parameters", m.local())
	if p.PgRole == "delayed" && p.delayed() {
		y.set("recovery_conf", mapping{{"recovery_min_apply_delay", p.PgDelay}})
	}
	y.set("pg_hba", m.hbaRules())
	m.replicaMethods(&y)
	return y
}

// serverRules returns the lines of pg_hba.conf on m.
func (m *Member) serverRules() []string {
	return hbaLines(slices.Concat(m.Params.PgDefaultHBARules, m.shardRules(), m.Params.PgHBARules), m.scope(false))
}

// local returns the parameters of this server alone.
func (m *Member) local() mapping {
	sockets := runDir
	if m.Params.PgLocalhost != runDir && strings.HasPrefix(m.Params.PgLocalhost, "/") {
		sockets = m.Params.PgLocalhost + ", " + runDir
	}
	out := mapping{{"unix_socket_directories", sockets + ", /tmp"}}
	return append(out, localParameters(m)...)
}

func (m *Member) authentication() mapping {
	p := m.Params
	superuser := mapping{{"username", p.PgDbsu}}
	if !p.PgDbsuPassword.IsEmpty() {
		superuser.set("password", p.PgDbsuPassword.Reveal())
	}
	repl := login(p.PgReplicationUsername, p.PgReplicationPassword.Reveal())
	return mapping{{"superuser", superuser}, {"replication", repl}, {"rewind", repl}}
}

// replicaMethods says how a replica gets its first copy: from another member
// at full speed, else from a repository that members share. Not without a leader:
// what the repository has may be of a lost cluster of this name, which is no copy
// of the one that is being made.
func (m *Member) replicaMethods(y *mapping) {
	p := m.Params
	methods := []string{"basebackup"}
	if p.PgbackrestEnabled && p.PgbackrestMethod != "local" {
		methods = append(methods, "pgbackrest")
	}
	y.set("create_replica_methods", methods)
	y.set("basebackup", []any{
		mapping{{"max-rate", "1000M"}}, mapping{{"checkpoint", "fast"}}, "verbose", "progress",
	})
	if len(methods) > 1 {
		y.set("pgbackrest", mapping{
			{"command", "/usr/bin/pgbackrest --stanza=" + m.Cluster.Name + " --delta restore"},
			{"keep_data", true}, {"no_params", true},
		})
	}
}

func login(user, password string) mapping {
	return mapping{{"username", user}, {"password", password}}
}

// etcdPassword returns the password of the cluster's user in etcd. Unless the
// inventory sets one it follows from root's, which it does not give away.
func (m *Member) etcdPassword() secret.Value {
	if !m.Params.PgEtcdPassword.IsEmpty() {
		return m.Params.PgEtcdPassword
	}
	mac := hmac.New(sha256.New, []byte(m.Cluster.root.Reveal()))
	mac.Write([]byte(m.scopeName()))
	return secret.New(hex.EncodeToString(mac.Sum(nil)))
}
