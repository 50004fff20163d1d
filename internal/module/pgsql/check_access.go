package pgsql

import (
	"fmt"
	"slices"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/module"
)

// checkRules checks what is about more than one field of an access rule.
func (m *Member) checkRules(l *diag.List) {
	p := m.Params
	for _, r := range slices.Concat(p.PgbDefaultHBARules, p.PgbHBARules) {
		if r.DB == "replication" && len(r.Rules) == 0 {
			l.Add(diag.Diagnostic{
				Code: "no-replication", Pos: r.Pos, Message: "PgBouncer does not pass replication on",
				Advice: "move the rule to pg_hba_rules",
			})
		}
	}
	for _, r := range slices.Concat(p.PgDefaultHBARules, p.PgHBARules, p.PgbDefaultHBARules, p.PgbHBARules) {
		for _, part := range strings.Split(r.User, ",") {
			alias, ok := strings.CutPrefix(part, "${")
			if !ok {
				continue
			}
			alias = strings.TrimSuffix(alias, "}")
			if _, known := m.scope(false).Users[alias]; !known {
				l.Add(diag.Diagnostic{
					Code: "unknown-alias", Pos: r.Pos, Message: "no user is meant by ${" + alias + "}",
					Advice: "write one of ${dbsu}, ${repl}, ${monitor}, ${admin}, or a name",
				})
			}
		}
	}
}

// checkServices checks that services do not get in each other's way and that
// their selectors can be read.
func (m *Member) checkServices(s *module.Site, l *diag.List) {
	byName, byPort := map[string]Service{}, map[string]Service{}
	for _, v := range m.Params.services() {
		if other, ok := byName[v.Name]; ok {
			l.Add(diag.Diagnostic{
				Code: "duplicate-service", Pos: v.Pos,
				Message: fmt.Sprintf("cluster %s has the service %s twice, first at %s", m.Cluster.Name, v.Name, where(other.Pos)),
				Advice:  "rename one of them",
			})
		}
		byName[v.Name] = v
		at := fmt.Sprintf("%s:%d", orElse(v.IP, "*"), v.Port)
		if other, ok := byPort[at]; ok {
			l.Add(diag.Diagnostic{
				Code: "port-taken", Pos: v.Pos,
				Message: fmt.Sprintf("services %s and %s of cluster %s want the same port %d", other.Name, v.Name, m.Cluster.Name, v.Port),
				Advice:  "give one of them another port",
			})
		}
		byPort[at] = v
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
