package resource_test

import (
	"strings"
	"testing"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

func TestPackages(t *testing.T) {
	h := resourcetest.New()
	h.Apt.Have["etcd-server"] = "3.5"
	h.Apt.Index = map[string]string{"postgresql-17": "17.5-1", "postgresql-16": "16.9-1", "patroni": "4.0-1", "etcd-server": "3.6"}
	p := (&resource.Packages{Items: []resource.PackageItem{{Name: "postgresql-17", For: "pg_packages"}}}).Merge(
		&resource.Packages{Items: []resource.PackageItem{{Name: "etcd-server"}, {Name: "patroni"}, {Name: "postgresql-17", For: "pg_extensions"}}})
	expect(t, "merged", p.Items[0].For, "pg_packages, pg_extensions")
	run(t, h, p, step{"install", nil, "create: not installed\npostgresql-17:  → 17.5-1\npatroni:  → 4.0-1", ""}, step{"again", nil, "", ""})
	expect(t, "calls", strings.Join(h.Apt.Calls(), ";"), "install postgresql-17 patroni")

	lost := &resource.Packages{Items: []resource.PackageItem{{Name: "postgresql-18", For: "pg_packages of pg-meta"}, {Name: "kafka"}}}
	run(t, h, lost, step{"absent", nil, "",
		"no configured repository has package postgresql-18 (wanted by pg_packages of pg-meta); they have postgresql-16, postgresql-17. Name one of these"})
	run(t, h, lost, step{"absent too", nil, "", "no configured repository has package kafka; they have nothing like it"})

	of := func(name, release string) resource.PackageItem {
		return resource.PackageItem{Name: name, For: "pg_packages with pg_version " + release, Release: release, ReleaseOf: "pg_version"}
	}
	h.Apt.Index["postgresql-plpython3-17"], h.Apt.Index["postgresql-17-repack"], h.Apt.Index["postgresql-common"] = "17.5-1", "1.5", "270"
	run(t, h, &resource.Packages{Items: []resource.PackageItem{of("postgresql-18", "18"), of("postgresql-plpython3-18", "18"), {Name: "kafka"}}},
		step{"another release", nil, "", "no configured repository has postgresql-18 and postgresql-plpython3-18 (wanted by pg_packages with pg_version 18); " +
			"they have all of these for pg_version 17: set that, or add a repository that carries 18 (repo_upstream, node_repo_modules)\n" +
			"no configured repository has package kafka; they have nothing like it"})
	run(t, h, &resource.Packages{Items: []resource.PackageItem{of("postgresql-18", "18"), of("postgresql-client-18", "18")}},
		step{"no release", nil, "", "they have no other pg_version that has all of these. Add a repository that carries them"})

	latest := &resource.Packages{Items: []resource.PackageItem{{Name: "etcd-server", Latest: true}}}
	run(t, h, latest, step{"upgrade", nil, "change: another version is wanted\netcd-server: 3.5 → 3.6", ""})

	pin := &resource.Packages{Items: []resource.PackageItem{{Name: "patroni", Version: "4.0"}}}
	run(t, h, pin, step{"pinned", nil, "", ""}, step{"other version", func(h *resourcetest.Host) { h.Apt.Have["patroni"] = "4.01" },
		"change: another version is wanted\npatroni: 4.01 → 4.0", ""})
	run(t, h, pin.Merge(&resource.Packages{Items: []resource.PackageItem{{Name: "patroni", Version: "3", For: "x"}}}),
		step{"two versions", nil, "", "package patroni is wanted in two versions: 4.0 and 3 (wanted by x)"})

	run(t, h, &resource.PackagesAbsent{Names: []string{"patroni", "kafka"}}, step{"remove", nil, "remove: no longer wanted\npatroni: 4.0-1 → ", ""})
	if h.Manifest.Added("patroni") {
		t.Error("a package that is gone is still remembered as ours")
	}
	h.Apt.Have["patroni"] = "4.0-1"
	run(t, h, &resource.PackagesAbsent{Names: []string{"patroni"}, Ours: true}, step{"of others", nil, "", ""})
	h.Manifest.SetAdded(true, "patroni")
	run(t, h, &resource.PackagesAbsent{Names: []string{"patroni"}, Ours: true}, step{"ours", nil, "remove: no longer wanted\npatroni: 4.0-1 → ", ""})
}

func TestPackagesOptional(t *testing.T) {
	h := resourcetest.New()
	h.Apt.Index = map[string]string{"postgresql-15": "15.20", "etcd": "3.4"}
	vector := resource.PackageItem{Name: "postgresql-15-pgvector", For: "pg_packages with pg_version 15", Optional: true}
	p := &resource.Packages{Items: []resource.PackageItem{{Name: "postgresql-15"}, vector}}
	const without = "no configured repository has postgresql-15-pgvector (wanted by pg_packages with pg_version 15); the rest goes on without"
	if c, err := p.Diff(ctx, h.Host); err != nil || c.Note != without {
		t.Errorf("the plan says %q, %v", c.Note, err)
	}
	run(t, h, p, step{"left out", nil, "create: not installed\npostgresql-15:  → 15.20", ""})
	expect(t, "calls", strings.Join(h.Apt.Calls(), ";"), "install postgresql-15")
	if c, err := p.Diff(ctx, h.Host); err != nil || !c.Empty() || c.Skipped != without {
		t.Errorf("once the rest is there: %+v, %v", c, err)
	}

	run(t, h, p.Merge(&resource.Packages{Items: []resource.PackageItem{{Name: vector.Name, For: "pg_extensions"}}}),
		step{"wanted by name too", nil, "", "no configured repository has package postgresql-15-pgvector (wanted by pg_packages with pg_version 15, pg_extensions)"})

	// An index that is a day old may not know what there is by now.
	h.Apt.Read, h.Apt.Remote = time.Now().Add(-48*time.Hour), map[string]string{"etcd": "3.4", vector.Name: "0.8"}
	run(t, h, (&resource.Packages{Items: []resource.PackageItem{{Name: "etcd"}}}).Merge(p), step{"old index", nil, "create: not installed\netcd:  → 3.4", ""})
	expect(t, "calls", strings.Join(h.Apt.Calls(), ";"), "refresh;install etcd postgresql-15-pgvector")
}

func TestPackagesIndex(t *testing.T) {
	h := resourcetest.New()
	h.Apt.Read = time.Time{}
	h.Apt.Remote["etcd"] = "3.5"
	p := &resource.Packages{Items: []resource.PackageItem{{Name: "etcd"}}}
	run(t, h, p, step{"never read", nil, "create: not installed [known after the package index is read]\netcd:  → known then", ""})
	expect(t, "calls", strings.Join(h.Apt.Calls(), ";"), "refresh;install etcd")

	h.Apt.Have, h.Apt.Index["etcd"], h.Apt.Read = map[string]string{}, "3.4", time.Now()
	run(t, h, p, step{"stale", nil, "create: not installed\netcd:  → 3.4", ""})
	expect(t, "calls", strings.Join(h.Apt.Calls(), ";"), "install etcd;refresh;install etcd")

	h.Apt.Have, h.Apt.Index, h.Apt.Read = map[string]string{}, map[string]string{}, time.Now().Add(-48*time.Hour)
	run(t, h, p, step{"old", nil, "create: not installed [known after the package index is read again, which is a day old]\netcd:  → known then", ""})

	for _, file := range []string{"/etc/apt/sources.list.d/local.list", "/etc/yum.repos.d/local.repo"} {
		h.Apt.Have, h.Apt.Index, h.Apt.Read = map[string]string{}, map[string]string{}, time.Now()
		h.Disk.Put(file, "")
		run(t, h, p, step{"a repository of its own, " + file, nil, "create: not installed [known after the package index is read again, " +
			"as the deployment's repository may have it by then]\netcd:  → known then", ""})
		if err := h.Disk.Remove(file); err != nil {
			t.Fatal(err)
		}
	}

	run(t, h, &resource.PackageIndex{}, step{"fresh", nil, "", ""},
		step{"never read", func(h *resourcetest.Host) { h.Apt.Read = time.Time{} }, "run: not read since the repositories were configured", ""})
	h.Apt.Have = map[string]string{}
	h.SetPending("file /etc/apt/sources.list.d/x.list", resource.Change{Action: resource.Create})
	c, err := p.Diff(ctx, h.Host)
	if err != nil || c.Unknown != "after the package repositories are configured" {
		t.Errorf("with a repository to come: %v %v", c, err)
	}
	c, err = (&resource.PackageIndex{}).Diff(ctx, h.Host)
	if err != nil || show(c) != "run: /etc/apt/sources.list.d/x.list changes" {
		t.Errorf("index with a repository to come: %v %v", show(c), err)
	}
}

func TestPackagesOr(t *testing.T) {
	h := resourcetest.New()
	h.Apt.Index = map[string]string{"prometheus-alertmanager": "0.28", "victoria-metrics": "1.112"}
	p := &resource.Packages{Items: []resource.PackageItem{
		{Name: "alertmanager", Or: "prometheus-alertmanager", Optional: true},
		{Name: "vmutils", Or: "victoria-metrics", Optional: true},
		{Name: "victoria-metrics", Optional: true},
	}}
	run(t, h, p, step{"by its other name", nil, "create: not installed\nprometheus-alertmanager:  → 0.28\nvictoria-metrics:  → 1.112", ""}, step{"again", nil, "", ""})
	h.Apt.Index["vmutils"] = "1.120"
	run(t, h, p, step{"the better name is offered", nil, "create: not installed\nvmutils:  → 1.120", ""})
}

func TestObtainable(t *testing.T) {
	h := resourcetest.New()
	h.Apt.Index = map[string]string{"nginx": "1.26"}
	for _, c := range []struct{ names, want string }{
		{"", ""}, {"nginx", ""}, {"openresty nginx", ""},
		{"grafana", "no configured repository has grafana"}, {"a b", "no configured repository has a or b"},
	} {
		got, err := resource.Obtainable(ctx, h.Host, strings.Fields(c.names))
		if err != nil || got.Skipped != c.want || !got.Empty() {
			t.Errorf("%q: %+v, %v", c.names, got, err)
		}
	}
	h.Apt.Have["grafana"] = "12"
	if got, err := resource.Obtainable(ctx, h.Host, []string{"grafana"}); err != nil || got.Skipped != "" {
		t.Errorf("installed: %+v, %v", got, err)
	}
	h.Apt.Read = time.Time{}
	if got, err := resource.Obtainable(ctx, h.Host, []string{"loki"}); err != nil || got.Unknown != "after the package index is read" {
		t.Errorf("index never read: %+v, %v", got, err)
	}
}
