package pgsql

import "strings"

// shardRules let the parts of a Citus cluster reach each other as the superuser,
// who moves data between them and registers them.
func (m *Member) shardRules() []HBARule {
	order := 140
	var rules []HBARule
	for _, other := range m.Cluster.Shards {
		rules = append(rules, HBARule{
			Title: "part of " + m.scopeName() + " on " + other.Name(), Order: &order,
			User: "${dbsu}", Addr: other.Name(), Auth: "ssl",
		})
	}
	return rules
}

// shardUsers returns the users whose passwords the servers of a Citus cluster
// must know, because they connect to each other as whoever runs a query.
func (m *Member) shardUsers() []User {
	if !m.sharded() {
		return nil
	}
	var out []User
	for _, u := range m.Params.PgUsers {
		hashed := strings.HasPrefix(u.Password.Reveal(), "SCRAM-SHA-256$") || strings.HasPrefix(u.Password.Reveal(), "md5")
		if u.State != "absent" && !hashed {
			out = append(out, u)
		}
	}
	return out
}
