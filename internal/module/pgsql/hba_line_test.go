package pgsql

import (
	"slices"
	"strings"
	"testing"
)

// FuzzHBALine checks that a line which is accepted stays so with a comment after
// it, and that a fault is one line.
func FuzzHBALine(f *testing.F) {
	for _, line := range []string{
		"host all all 10.0.0.0/8 scram-sha-256", "local all all peer map=os # why", `hostssl "a b",c +d samenet cert clientcert=verify-full`,
		"host all all 10.0.0.1 255.0.0.0 md5", "host all all 10.0.0.0/33 md5", "local all, , all peer", `local "all`, "", "include a.conf", "host all all md5",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, pooler := range []bool{false, true} {
			fault := hbaFault(line, pooler)
			if fault == "" && !strings.ContainsAny(line, "\n\r") && hbaFault(line+" # more", pooler) != "" {
				t.Errorf("%q is right, and with a comment it is not", line)
			}
			if strings.ContainsAny(fault, "\n") {
				t.Errorf("the fault of %q has several lines: %q", line, fault)
			}
		}
	})
}

// FuzzHBARule checks that what a rule in words expands to can be read, if its
// user and database can.
func FuzzHBARule(f *testing.F) {
	f.Add("app", "shop", "intra", "pwd")
	f.Add("+dbrole_readonly,app", `"my shop", other`, "10.0.0.1", "ssl")
	f.Add("${repl}", "replication", "localhost", "cert")
	f.Add("all", "all", "world", "deny")
	scope := hbaScope{
		Role: "primary", Admin: "10.10.10.10", Infra: []string{"10.10.10.10"}, Members: []string{"10.10.10.11"}, Intranet: []string{"10.0.0.0/8"},
		Users: map[string]string{"dbsu": "postgres", "repl": "replicator", "monitor": "dbuser_monitor", "admin": "dbuser_dba"},
	}
	addresses := []string{"local", "localhost", "admin", "infra", "cluster", "intra", "world", "10.0.0.1", "10.0.0.0/8", "::1"}
	f.Fuzz(func(t *testing.T, user, db, addr, auth string) {
		one := func(text string) bool {
			fields, fault := hbaFields(text)
			return fault == "" && len(fields) == 1 && !strings.ContainsAny(text, "\n\r\x00#")
		}
		if !one(user) || !one(db) || !slices.Contains(addresses, addr) || hbaAuth[auth] == "" {
			t.Skip()
		}
		for _, line := range hbaLines([]HBARule{{User: user, DB: db, Addr: addr, Auth: auth}}, scope) {
			if fault := hbaFault(line, false); fault != "" {
				t.Errorf("%q cannot be read: %s", line, fault)
			}
		}
	})
}
