package plan_test

import (
	"strings"
	"testing"

	"pigsty/internal/module/moduletest"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// sample is a plan with an item of every kind that is written differently.
func sample() *plan.Plan {
	b, c := plan.NewBuilder("10.10.10.11", "PGSQL"), plan.NewBuilder("10.10.10.12", "PGSQL")
	b.Add(&resource.Dir{Path: "/pg/new"}, resource.NewFile("/etc/patroni/patroni.yml", ""), &resource.User{Name: "postgres"},
		&resource.Unit{Name: "patroni.service"}, &resource.Unit{Name: "pgbouncer.service"}, &resource.Absent{Path: "/pg/data", Tree: true},
		&resource.Dir{Path: "/same"}, &resource.Hostname{Name: "pg-test-1"}, &resource.Firewall{})
	b.AddOnLeader("pg-test", []string{"10.10.10.11", "10.10.10.12"}, &resource.Group{Name: "role"}, &resource.Group{Name: "database"})
	b.Add(&resource.Sysctl{Name: "vm.swappiness"})
	c.Add(&resource.Dir{Path: "/lost"})
	p := &plan.Plan{Hosts: []plan.HostState{
		{Name: "10.10.10.11", Label: "pg-test-1"},
		{Name: "10.10.10.12", Label: "pg-test-2", Error: "dial tcp: no route to host\nis it on?"},
		{Name: "10.10.10.13", Only: "registration"},
	}}
	changes := []resource.Change{
		{Action: resource.Create, Reason: "does not exist", Attrs: []resource.Attr{{Name: "mode", New: "0700"}}},
		{Action: resource.Update, Reason: "edited by hand since the last apply",
			Attrs: []resource.Attr{{Name: "mode", Old: "0644", New: "0640"}},
			Diff:  "--- /etc/patroni/patroni.yml\n+++ wanted\n@@ -1,3 +1,3 @@\n scope: pg-test\n-ttl: 30\n+ttl: 20\n loop_wait: 5\n"},
		{Action: resource.Update, Attrs: []resource.Attr{{Name: "shell", Old: "/bin/sh", New: "/bin/bash"}, {Name: "groups", Old: "lp"}, {Name: "comment", New: "superuser"}}},
		{Action: resource.Reload, Reason: "/etc/patroni/patroni.yml changes", Impact: resource.ImpactReload},
		{Action: resource.Restart, Reason: "does not run what is installed", Impact: resource.ImpactRestart},
		{Action: resource.Remove, Reason: "pg_rm_data", Impact: resource.ImpactDataLoss, Note: "3 GB"},
		{},
		{Skipped: "a container shares its kernel"},
		{},
		{Action: resource.Run, Reason: "was asked for", Impact: resource.ImpactReload},
		{Unknown: "after patroni starts"},
		{},
		{},
	}
	for i, s := range append(b.Steps(), c.Steps()...) {
		p.Items = append(p.Items, plan.Item{Step: s, Change: changes[i]})
	}
	p.Items[8].Change.Note = "lets no port in"
	p.Items[11].Error = "sysctl: permission denied\nas who?"
	p.Items[12].Error = "dial tcp: no route to host"
	return p
}

func TestText(t *testing.T) {
	for name, style := range map[string]plan.Style{"plan.txt": {}, "plan.verbose.txt": {Verbose: true}, "plan.colour.txt": {Color: true}} {
		var b strings.Builder
		sample().Text(&b, style)
		moduletest.Golden(t, name, b.String())
	}
}
