package pgsql

import (
	"fmt"
	"slices"
	"strings"
)

// hbaScope is what the rules of one server, PostgreSQL or PgBouncer, are
// expanded for.
type hbaScope struct {
	Pooler       bool // the rules are PgBouncer's
	Role         string
	OfflineQuery bool
	MD5          bool // passwords are kept as md5

	Admin    string   // address of the admin node
	Infra    []string // addresses of the infrastructure nodes, sorted
	Members  []string // addresses of the cluster's members, sorted
	Intranet []string // CIDRs

	Users map[string]string // what ${dbsu}, ${repl}, ${monitor} and ${admin} stand for
}

// hbaAuth maps the words of a rule's auth to the method that PostgreSQL knows;
// "password" stands for the method that fits how passwords are kept.
var hbaAuth = map[string]string{
	"deny": "reject", "pwd": "password", "ssl": "password", "sha": "scram-sha-256",
	"cert": "cert", "ssl-md5": "md5", "ssl-sha": "scram-sha-256", "md5": "md5",
	"os": "ident", "ident": "ident", "peer": "peer", "trust": "trust",
	"reject": "reject", "scram-sha-256": "scram-sha-256",
}

// hbaEncrypted are the words of auth that demand an encrypted connection.
var hbaEncrypted = []string{"ssl", "ssl-md5", "ssl-sha", "cert"}

// hbaLines expands rules into the lines of pg_hba.conf, a comment before each
// rule. Rules with an order come first, sorted by it; those with equal order
// and those without keep theirs. Rules of another role stay visible as comments.
func hbaLines(rules []HBARule, s hbaScope) []string {
	var out []string
	for _, r := range sortedRules(rules) {
		lines := s.expand(r)
		if len(lines) == 0 {
			continue
		}
		on, mark := s.enabled(r), ""
		if !on {
			mark = " [DISABLED]"
		}
		out = append(out, fmt.Sprintf("# %s [%s]%s", s.title(r), roleOf(r), mark))
		for _, l := range lines {
			if !on {
				l = "#" + l
			}
			out = append(out, l)
		}
	}
	return out
}

// sortedRules puts rules in the order that they are tried in.
func sortedRules(rules []HBARule) []HBARule {
	out := slices.Clone(rules)
	slices.SortStableFunc(out, func(a, b HBARule) int {
		switch {
		case a.Order != nil && b.Order != nil:
			return *a.Order - *b.Order
		case a.Order != nil:
			return -1
		case b.Order != nil:
			return 1
		}
		return 0
	})
	return out
}

func roleOf(r HBARule) string {
	if r.Role == "" {
		return "default"
	}
	return r.Role
}

// enabled reports whether r counts on the instance of s.
func (s hbaScope) enabled(r HBARule) bool {
	switch role := roleOf(r); role {
	case "default", "common", s.Role:
		return true
	case "offline":
		return s.OfflineQuery
	}
	return false
}

// title returns the rule's title, or a sentence that says what the rule is about.
func (s hbaScope) title(r HBARule) string {
	switch {
	case r.Title != "":
		return strings.Join(strings.Fields(r.Title), " ")
	case len(r.Rules) > 0:
		return "as written"
	}
	verb := "may use"
	if hbaAuth[orElse(r.Auth, "pwd")] == "reject" {
		verb = "may not use"
	}
	return fmt.Sprintf("%s %s %s from %s", s.user(r), verb, orElse(r.DB, "all"), r.Addr)
}

// user returns the rule's user with its alias resolved.
func (s hbaScope) user(r HBARule) string {
	user := orElse(r.User, "all")
	if !strings.Contains(user, "${") {
		return user
	}
	for alias, name := range s.Users {
		user = strings.ReplaceAll(user, "${"+alias+"}", name)
	}
	return user
}

// method returns the authentication method of r.
func (s hbaScope) method(r HBARule) string {
	m := hbaAuth[orElse(r.Auth, "pwd")]
	switch {
	case m == "password" && s.MD5:
		return "md5"
	case m == "password":
		return "scram-sha-256"
	case m == "ident" && s.Pooler: // PgBouncer has no ident
		return "peer"
	}
	return m
}

// expand returns the lines of one rule; none for a rule that is not valid.
func (s hbaScope) expand(r HBARule) []string {
	if len(r.Rules) > 0 {
		return r.Rules
	}
	user, db, method := s.user(r), orElse(r.DB, "all"), s.method(r)
	kind := "host"
	if slices.Contains(hbaEncrypted, r.Auth) {
		kind = "hostssl"
	}
	line := func(kind, addr string) string {
		return fmt.Sprintf("%-8s %-18s %-18s %-18s %s", kind, db, user, addr, method)
	}
	hosts := func(addrs ...string) []string {
		var out []string
		for _, a := range addrs {
			if !strings.Contains(a, "/") {
				a += hostMask(a)
			}
			out = append(out, line(kind, a))
		}
		return out
	}
	switch r.Addr {
	case "":
		return nil
	case "local":
		return []string{line("local", "")}
	case "localhost": // never encrypted: the traffic does not leave the host
		return []string{line("local", ""), line("host", "127.0.0.1/32"), line("host", "::1/128")}
	case "admin":
		return hosts(s.Admin)
	case "infra":
		return hosts(s.Infra...)
	case "cluster":
		return hosts(s.Members...)
	case "intra", "intranet":
		return hosts(s.Intranet...)
	case "world", "all":
		return hosts("0.0.0.0/0", "::/0")
	}
	return hosts(r.Addr)
}

// hostMask is the suffix that makes an address one host's network.
func hostMask(addr string) string {
	if strings.Contains(addr, ":") {
		return "/128"
	}
	return "/32"
}

// orElse returns s, or other when s is empty.
func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
