package pgsql

import (
	"fmt"
	"slices"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/module"
)

// checkRules checks what is about more than one field of an access rule, and
// that what it names exists. Rules that are defaults are right.
func (m *Member) checkRules(l *diag.List) {
	p := m.Params
	known := append(roleNames(p.roles()), "all")
	for _, list := range []struct {
		name   string
		rules  []HBARule
		pooler bool
	}{
		{"pg_default_hba_rules", p.PgDefaultHBARules, false}, {"pg_hba_rules", p.PgHBARules, false},
		{"pgb_default_hba_rules", p.PgbDefaultHBARules, true}, {"pgb_hba_rules", p.PgbHBARules, true},
	} {
		for _, r := range list.rules {
			if !r.Pos.IsZero() {
				m.checkRule(list.name, r, list.pooler, known, l)
			}
		}
	}
}

// checkRule checks one rule of the list called name; known are the users.
func (m *Member) checkRule(name string, r HBARule, pooler bool, known []string, l *diag.List) {
	at := func(fields ...string) diag.Pos { return m.Field(name, r.Pos, fields...) }
	written := m.FieldValue(name, r.Pos, "rules").Items
	for i, line := range r.Rules {
		if fault := hbaFault(line, pooler); fault != "" {
			l.Fail(written[i].Pos, "invalid-rule", "a line of the access rule cannot be read: "+fault, "write it like host all all 10.0.0.0/8 scram-sha-256")
		}
	}
	if len(r.Rules) > 0 {
		if r.Addr != "" {
			l.Warn(at("addr"), "no-effect", "the access rule has rules, so its addr has no effect", "keep one of the two, or make two rules of it")
		}
		return
	}
	if pooler && r.DB == "replication" {
		l.Fail(at("db"), "no-replication", "PgBouncer does not pass replication on", "move the rule to pg_hba_rules")
	}
	if fields, fault := hbaFields(r.DB); fault != "" || len(fields) != 1 && r.DB != "" {
		l.Fail(at("db"), "invalid-rule", "db of the access rule is no list of databases: "+r.DB, "separate names by commas, and quote those that have blanks")
	} else if len(fields) == 1 {
		m.checkNamed(fields[0], "database", m.Params.databaseNames(pooler), at("db"), l)
	}
	if fields, fault := hbaFields(r.User); fault != "" || len(fields) != 1 && r.User != "" {
		l.Fail(at("user"), "invalid-rule", "user of the access rule is no list of users: "+r.User, "separate names by commas, and quote those that have blanks")
	} else if len(fields) == 1 {
		m.checkNamed(m.checkAliases(fields[0], at("user"), l), "user", known, at("user"), l)
	}
}

// checkAliases reports what stands for no user, and returns the names that are
// no such alias.
func (m *Member) checkAliases(users []string, at diag.Pos, l *diag.List) []string {
	var names []string
	for _, user := range users {
		alias, ok := strings.CutPrefix(strings.TrimPrefix(user, "+"), "${")
		if !ok {
			names = append(names, user)
			continue
		}
		alias = strings.TrimSuffix(alias, "}")
		if _, known := m.scope(false).Users[alias]; !known {
			l.Fail(at, "unknown-alias", "no user is meant by ${"+alias+"}", "write one of ${dbsu}, ${repl}, ${monitor}, ${admin}, or a name")
		}
	}
	return names
}

// checkNamed warns of names in an access rule that must have been meant for one
// that is known. Others may exist all the same.
func (m *Member) checkNamed(names []string, what string, known []string, at diag.Pos, l *diag.List) {
	for _, name := range names {
		name = strings.TrimPrefix(name, "+")
		if slices.Contains(known, name) || strings.ContainsAny(name, "/@") || builtin(name) {
			continue
		}
		if near := diag.Nearest(name, slices.Values(known)); near != "" {
			l.Warn(at, "unknown-"+what, "an access rule is about the "+what+" "+name+", which is not declared", "write "+near+" if that was meant")
		}
	}
}

// databaseNames returns what the db of an access rule may name.
func (p *Params) databaseNames(pooler bool) []string {
	out := []string{"all", "sameuser", "samerole", "samegroup", "replication", "postgres", "template1"}
	if pooler {
		out = append(out, "pgbouncer")
	}
	for _, d := range p.PgDatabases {
		out = append(out, d.Name)
	}
	return out
}

// checkServices checks that services do not get in each other's way and that
// their selectors can be read.
func (m *Member) checkServices(s *module.Site, l *diag.List) {
	byName := map[string]Service{}
	for _, v := range m.Params.services() {
		if other, ok := byName[v.Name]; ok {
			l.Add(diag.Diagnostic{
				Code: "duplicate-service", Pos: v.Pos,
				Message: fmt.Sprintf("cluster %s has the service %s twice, first at %s", m.Cluster.Name, v.Name, where(other.Pos)),
				Advice:  "rename one of them",
			})
		}
		byName[v.Name] = v
		r, err := m.Cluster.resolve(v)
		switch {
		case err != nil:
			l.Add(diag.Diagnostic{
				Code: "invalid-selector", Pos: v.Pos, Message: fmt.Sprintf("service %s: %v", v.Name, err),
				Advice: "write a JMESPath filter such as [? pg_role == `replica`], or [] for all members",
			})
		case len(r.Endpoints) == 0 && !v.Pos.IsZero() && !slices.ContainsFunc(m.Params.PgDefaultServices, func(d Service) bool { return d.Name == v.Name }):
			l.Add(diag.Diagnostic{
				Severity: diag.Warning, Code: "empty-service", Pos: v.Pos,
				Message: fmt.Sprintf("no member of %s is selected by service %s", m.Cluster.Name, v.Name),
				Advice:  "check its selector: " + v.Selector,
			})
		}
	}
	if group := m.Params.PgServiceProvider; group != "" && s.Inventory.Group(group) == nil {
		near := diag.Nearest(group, func(yield func(string) bool) {
			for _, g := range s.Inventory.Groups() {
				if !yield(g.Name()) {
					return
				}
			}
		})
		advice := "name a group whose hosts run HAProxy"
		if near != "" {
			advice = "write " + near
		}
		l.Add(diag.Diagnostic{
			Code: "unknown-group", Pos: m.At("pg_service_provider"),
			Message: "pg_service_provider names the group " + group + ", which does not exist", Advice: advice,
		})
	}
}

// where says where something is written; what is nowhere is a default.
func where(p diag.Pos) string {
	if p.IsZero() {
		return "its default"
	}
	return p.String()
}
