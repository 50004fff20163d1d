package pgsql

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/module"
	"pigsty/internal/repo/alias"
)

// Check finds what is wrong with the clusters of s: who their members are, and
// whether what the inventory declares in them fits together.
func Check(s *module.Site) diag.List {
	var l diag.List
	clusters := Clusters(s)
	checkChosen(s, clusters, &l)
	for _, c := range clusters {
		c.checkIdentity(&l)
		c.checkMembers(&l)
		c.checkUpstream(&l)
		c.checkSources(s, &l)
		c.checkLevels(&l)
		c.checkMode(&l)
		c.checkTemplate(s, &l)
		c.checkFiles(s, &l)
		for _, m := range c.once("pg_users", "pg_default_roles") {
			m.checkRoles(&l)
		}
		for _, m := range c.once("pg_databases", "pg_users", "pg_default_roles", "pg_libs", "pg_encoding") {
			m.checkDatabases(&l)
		}
		for _, m := range c.once("pg_parameters") {
			m.checkParameters(&l)
		}
		for _, parameter := range []string{"pg_packages", "pg_extensions"} {
			for _, m := range c.once(parameter) {
				v, _ := m.Vars.Get(parameter)
				alias.Check(parameter, v.Value, &l)
			}
		}
		for _, m := range c.once("pg_users", "pg_libs", "pg_parameters", "pg_dbsu_password", "pg_replication_password", "pg_admin_password", "pg_monitor_password") {
			m.checkStrength(&l)
		}
		for _, m := range c.once("pgsodium_key", "pg_libs", "pg_parameters") {
			m.checkSodium(&l)
		}
		for _, m := range c.once("pgbackrest_repo", "pgbackrest_method") {
			m.checkBackup(s, &l)
		}
		for _, m := range c.once("pg_hba_rules", "pgb_hba_rules", "pg_default_hba_rules", "pgb_default_hba_rules") {
			m.checkRules(&l)
		}
		for _, m := range c.once("pg_services", "pg_default_services") {
			m.checkServices(s, &l)
		}
	}
	checkVIPs(s, clusters, &l)
	checkShards(clusters, &l)
	return l
}

// checkChosen checks that somebody declares the user or database that a run is about.
func checkChosen(s *module.Site, clusters []*Cluster, l *diag.List) {
	users, databases := map[string]bool{}, map[string]bool{}
	for _, c := range clusters {
		for _, u := range c.Params.roles() {
			users[u.Name] = true
		}
		for _, d := range c.Params.PgDatabases {
			databases[d.Name] = true
		}
	}
	check := func(argument, what, list string, known map[string]bool) {
		name := s.Chosen[argument]
		if name == "" || known[name] {
			return
		}
		advice := "add it to " + list
		if near := diag.Nearest(name, slices.Values(slices.Sorted(maps.Keys(known)))); near != "" {
			advice = "write " + near + ", or add it to " + list
		}
		l.Add(diag.Diagnostic{Code: "unknown-" + what, Message: "no cluster declares the " + what + " " + name, Advice: advice})
	}
	check("username", "user", "pg_users", users)
	check("dbname", "database", "pg_databases", databases)
}

// once returns one member for each place that the variables called names were
// written at, so that what a whole cluster shares is checked once.
func (c *Cluster) once(names ...string) []*Member {
	seen := map[string]bool{}
	var out []*Member
	for _, m := range c.Members {
		key := ""
		for _, name := range names {
			if v, ok := m.Vars.Get(name); ok {
				key += v.NamePos.String()
			}
			key += "\n"
		}
		if !seen[key] {
			seen[key] = true
			out = append(out, m)
		}
	}
	return out
}

// checkIdentity checks names, numbers and roles.
func (c *Cluster) checkIdentity(l *diag.List) {
	if c.Name == "root" {
		l.Add(diag.Diagnostic{
			Code: "reserved-name", Pos: c.Members[0].At("pg_cluster"), Message: "a cluster cannot be called root",
			Advice: "give pg_cluster another name",
		})
	}
	if strings.HasPrefix(c.Name, "-") || strings.HasSuffix(c.Name, "-") {
		l.Fail(c.Members[0].At("pg_cluster"), "invalid-format", "the cluster name "+c.Name+" cannot be part of a DNS name", "begin and end it with a letter or digit")
	}
	c.checkGroups(l)
	seqs := map[int]*Member{}
	var primaries []*Member
	unclear := false // whether some member's role is missing or cannot be read
	for _, m := range c.Members {
		if m.Params.PgSeq == nil && m.says("pg_seq") {
			// What is written there is reported as wrong.
		} else if m.Params.PgSeq == nil {
			l.Add(diag.Diagnostic{
				Code: "missing-identity", Pos: m.Pos(), Message: fmt.Sprintf("%s is a member of %s and has no pg_seq", m.Name(), c.Name),
				Advice: "write pg_seq with a number that no other member has or had",
			})
		} else if other := seqs[*m.Params.PgSeq]; other != nil {
			l.Add(diag.Diagnostic{
				Code: "duplicate-instance", Pos: m.At("pg_seq"),
				Message: fmt.Sprintf("%s and %s are both %s", other.Name(), m.Name(), m.Instance()),
				Advice:  "give one of them another pg_seq",
			})
		} else {
			seqs[*m.Params.PgSeq] = m
		}
		switch m.Params.PgRole {
		case "":
			unclear = true
			if m.says("pg_role") {
				continue
			}
			l.Add(diag.Diagnostic{
				Code: "missing-identity", Pos: m.Pos(), Message: fmt.Sprintf("%s is a member of %s and has no pg_role", m.Name(), c.Name),
				Advice: "write pg_role: primary for the member that begins the cluster and replica for the others",
			})
		case "primary":
			primaries = append(primaries, m)
		}
	}
	switch {
	case len(primaries) == 0 && !unclear:
		l.Add(diag.Diagnostic{
			Code: "no-primary", Pos: c.Members[0].At("pg_cluster"),
			Message: fmt.Sprintf("no member of %s (%s) has the role primary", c.Name, strings.Join(c.addresses(), ", ")),
			Advice:  "set pg_role: primary for one of them",
		})
	case len(primaries) > 1:
		l.Add(diag.Diagnostic{
			Code: "several-primaries", Pos: primaries[1].At("pg_role"),
			Message: fmt.Sprintf("%s and %s are both primary of %s", primaries[0].Name(), primaries[1].Name(), c.Name),
			Advice:  "make all but one of them replica",
		})
	}
}

// says reports whether the inventory gives m the parameter called name, right or wrong.
func (m *Member) says(name string) bool {
	v, ok := m.Vars.Get(name)
	return ok && v.Value.Kind != inventory.Null
}

// checkGroups finds members that two groups put into different clusters: one of
// the groups wins by its name alone, which nobody means.
func (c *Cluster) checkGroups(l *diag.List) {
	for _, m := range c.Members {
		v, _ := m.Vars.Get("pg_cluster")
		if v.Origin.Kind != inventory.OriginGroup {
			continue
		}
		for _, other := range v.Overrides {
			if other.Value.Text == c.Name || above(m.Groups(), other.Origin.Name, v.Origin.Name) {
				continue
			}
			l.Add(diag.Diagnostic{
				Code: "several-clusters", Pos: m.Pos(),
				Message: fmt.Sprintf("%s is in group %s, which makes it a member of %s, and in group %s, which makes it a member of %s",
					m.Name(), v.Origin.Name, c.Name, other.Origin.Name, other.Value.Text),
				Advice: "take it out of one of them",
			})
			break
		}
	}
}

// above reports whether the group called upper stands above the one called
// lower, both among groups.
func above(groups []*inventory.Group, upper, lower string) bool {
	for _, g := range groups {
		if g.Name() != lower {
			continue
		}
		for _, p := range g.Parents() {
			if p.Name() == upper || above(groups, upper, p.Name()) {
				return true
			}
		}
	}
	return false
}

// checkMembers checks what the members need from each other and from others.
func (c *Cluster) checkMembers(l *diag.List) {
	if len(c.Etcd) == 0 && c.Params.PatroniEnabled {
		l.Add(diag.Diagnostic{
			Code: "no-etcd", Pos: c.Members[0].At("pg_cluster"),
			Message: fmt.Sprintf("cluster %s has no etcd to agree on its leader: no host has an etcd_seq", c.Name),
			Advice:  "add a group etcd with one, three or five hosts, each with its etcd_seq",
		})
	}
	if !c.managed() {
		l.Add(diag.Diagnostic{
			Severity: diag.Warning, Code: "no-patroni", Pos: c.first().At("patroni_mode"),
			Message: fmt.Sprintf("cluster %s is left without Patroni: nobody takes over for its leader, changed parameters do not reach it, and its services lead to whom pg_role calls primary", c.Name),
			Advice:  "write pause to keep Patroni from acting",
		})
	}
	for _, m := range c.Members {
		p := m.Params
		if p.PgVersion != c.Params.PgVersion {
			l.Add(diag.Diagnostic{
				Code: "mixed-versions", Pos: m.At("pg_version"),
				Message: fmt.Sprintf("%s runs PostgreSQL %d and %s, of the same cluster %s, %d", m.Name(), p.PgVersion, c.first().Name(), c.Name, c.Params.PgVersion),
				Advice:  "set pg_version for the whole cluster",
			})
		}
		if p.PgUpstream != "" && !m.primary() && c.at(p.PgUpstream) == nil {
			l.Add(diag.Diagnostic{
				Code: "unknown-upstream", Pos: m.At("pg_upstream"),
				Message: fmt.Sprintf("%s is to replicate from %s, which is no member of %s", m.Name(), p.PgUpstream, c.Name),
				Advice:  "name one of " + strings.Join(c.addresses(), ", "),
			})
		}
		if len(c.Members) > 1 && !inside(m.Name(), m.node().NodeFirewallIntranet) && m.defaultRules() {
			l.Add(diag.Diagnostic{
				Severity: diag.Warning, Code: "outside-intranet", Pos: m.Pos(),
				Message: fmt.Sprintf("%s is in none of the networks of node_firewall_intranet, so the access rules of %s keep it from replicating", m.Name(), c.Name),
				Advice:  "add its network there",
			})
		}
	}
}

// defaultRules reports whether the rules by which members replicate are the
// default ones.
func (m *Member) defaultRules() bool {
	_, own := m.Vars.Get("pg_default_hba_rules")
	return !own && len(m.Params.PgHBARules) == 0
}

// inside reports whether addr is in one of networks. What is no address is
// somebody else's to report.
func inside(addr string, networks []string) bool {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return true
	}
	for _, n := range networks {
		if prefix, err := netip.ParsePrefix(n); err == nil && prefix.Contains(ip) {
			return true
		}
	}
	return false
}
