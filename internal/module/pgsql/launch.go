package pgsql

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pigsty/internal/module"
	"pigsty/internal/module/etcd"
	"pigsty/internal/plan"
	resetcd "pigsty/internal/resource/etcd"
	"pigsty/internal/resource/patroni"
	"pigsty/internal/resource/postgres"
)

// cloneTimeout is how long a replica may take to copy its leader's data.
const cloneTimeout = 24 * time.Hour

// api is how Patroni on m is reached.
func (m *Member) api() patroni.API {
	a := patroni.API{
		URL:      fmt.Sprintf("http://%s:%d", m.Name(), m.Params.PatroniPort),
		Username: m.Params.PatroniUsername, Password: m.Params.PatroniPassword,
	}
	if m.Params.PatroniSSLEnabled {
		a.URL = fmt.Sprintf("https://%s:%d", m.Name(), m.Params.PatroniPort)
		a.CAFile = certDir + "/ca.crt"
	}
	return a
}

// api is how Patroni on any member of c is reached: what concerns the whole
// cluster must go on while the member that began it is down.
func (c *Cluster) api() patroni.API {
	a := c.first().api()
	for _, m := range c.Members {
		if m != c.first() {
			a.Fallback = append(a.Fallback, m.api().URL)
		}
	}
	return a
}

// leaderReady is the wait for a leader that accepts connections.
func (c *Cluster) leaderReady() patroni.LeaderReady {
	return patroni.LeaderReady{API: c.api(), Cluster: c.first().scopeName()}
}

// leaderReadyID is the ID of that wait's step.
func (c *Cluster) leaderReadyID() string { return plan.ID(c.first().Name(), c.leaderReady().Key()) }

// readyID is the ID of the step after which m itself serves: the wait for Patroni,
// or where it was taken away, the start of the server's own unit.
func (m *Member) readyID() string {
	if m.handed() && m.Cluster.Standalone() {
		return plan.ID(m.Name(), "unit "+postgresUnit)
	}
	return plan.ID(m.Name(), m.ready().Key())
}

func (m *Member) ready() patroni.Ready {
	r := patroni.Ready{API: m.api(), Name: m.Instance(), Log: m.Params.PatroniLogDir + "/patroni.log", Server: m.Params.PgLogDir}
	if !m.primary() {
		r.Timeout = cloneTimeout
	}
	return r
}

// account is the cluster's user in etcd, who may touch its own keys and no others.
func (c *Cluster) account(s *module.Site) resetcd.Account {
	m := c.first()
	return resetcd.Account{API: etcd.Access(s, certDir+"/ca.crt"), Name: m.scopeName(), Secret: m.etcdPassword(), Prefix: m.keyPrefix()}
}

// addAccountInEtcd adds the cluster's user in etcd, which Patroni logs in as.
func (c *Cluster) addAccountInEtcd(b *plan.Builder, s *module.Site) {
	if len(c.Etcd) == 0 {
		return
	}
	b.Tag("pg_config", "pg_conf", "pg_etcd").After(plan.ID(c.first().Name(), "cert "+certDir+"/server.crt")).After(etcd.Ready(s)...).
		Add(c.account(s))
}

// accountID is the ID of that user's step.
func (c *Cluster) accountID() string {
	m := c.first()
	return plan.ID(m.Name(), resetcd.Account{Name: m.scopeName()}.Key())
}

// addLaunch starts Patroni on m. The member that the inventory calls primary
// begins a new cluster; the others' configuration has no bootstrap section, so
// that they may start beside it and join as soon as it leads.
func (m *Member) addLaunch(b *plan.Builder) {
	c := m.Cluster
	role := "pg_replica"
	if m.primary() {
		role = "pg_primary"
	}
	launch := b.Tag("pg_launch", role)
	before := []string{c.accountID()}
	if c.Source != nil { // nothing can be copied from it before
		before = append(before, c.Source.leaderReadyID())
	}
	launch.Tag("pg_hba", "pg_param", "pg_reload", "patroni_reload", "pg_conf").After(before...).Add(m.patroniUnit())
	if !m.primary() {
		launch = launch.After(c.leaderReadyID())
	}
	launch.Add(m.ready())
}

// addLeaderReady waits for the leader of c, whoever that is by now.
func (c *Cluster) addLeaderReady(b *plan.Builder) {
	m := c.first()
	b.Tag("pg_launch", "pg_primary").After(plan.ID(m.Name(), "unit patroni.service")).
		AddOnLeader(c.Name, c.addresses(), c.leaderReady())
}

// addDynamicConfig makes the configuration of the running cluster what the
// inventory says, restarts members that need it, and returns the ID of the
// last step. It leaves the configuration alone when the host that it is sized
// for was never seen.
func (c *Cluster) addDynamicConfig(b *plan.Builder) []string {
	m := c.first()
	b = b.Tag("pg_launch", "pg_conf", "pg_param").After(c.leaderReadyID())
	standby := patroni.Standby{API: c.api(), Cluster: m.scopeName()}
	if c.standby() {
		standby.Source = c.source().plain()
	}
	follows := b.AddOnLeader(c.Name, c.addresses(), standby)
	if !m.HasFacts {
		return []string{follows}
	}
	b = b.After(follows)
	desired := dynamicConfig(m).plain()
	delete(desired, "standby_cluster") // which is not only compared, see patroni.Standby
	if m.Params.PatroniMode != "default" {
		patroni.Pause(desired)
	}
	b.AddOnLeader(c.Name, c.addresses(), patroni.DynamicConfig{API: c.api(), Cluster: m.scopeName(), Desired: desired})
	id := b.Tag("pg_restart").AddOnLeader(c.Name, c.addresses(), patroni.RollingRestart{API: c.api(), Cluster: m.scopeName()})
	return []string{id}
}

// addDrift undoes on m what ALTER SYSTEM set in the inventory's place.
func (m *Member) addDrift(b *plan.Builder) {
	parameters := slices.Concat(clusterParameters(m), localParameters(m))
	declared := make(map[string]string, len(parameters))
	for _, e := range parameters {
		declared[e.key] = fmt.Sprint(e.value)
	}
	b.Tag("pg_launch", "pg_param").After(m.readyID()).Add(postgres.SettingsDrift{Server: m.server(), Declared: declared})
}

// addHBA undoes on m what was edited in pg_hba.conf by hand.
func (m *Member) addHBA(b *plan.Builder) {
	p := m.Params
	rules := m.hbaRules()
	if _, own := p.PgParameters["hba_file"]; own || len(rules) == 0 { // Patroni then leaves the file alone
		return
	}
	f := postgres.HBAFile{Data: p.PgData, Rules: rules, Config: m.configFile(), Owner: m.owner()}
	b = b.Tag("pg_launch", "pg_hba").After(m.readyID())
	b.Add(f)
	if p.PgReload {
		b.Tag("pg_reload").Add(postgres.Reload{Server: m.server(), Name: "hba", On: []string{f.Path()}})
	}
}

// keyPrefix is what the cluster's user in etcd may touch: where Patroni keeps
// the cluster, or all parts of a sharded one.
func (m *Member) keyPrefix() string {
	return strings.TrimRight(m.Params.PgNamespace, "/") + "/" + m.scopeName() + "/"
}

// ownPrefix is where Patroni keeps this cluster alone.
func (m *Member) ownPrefix() string {
	if m.sharded() {
		return fmt.Sprintf("%s%d/", m.keyPrefix(), orZero(m.Params.PgGroup))
	}
	return m.keyPrefix()
}
