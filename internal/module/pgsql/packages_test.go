package pgsql

import (
	"fmt"
	"strings"
	"testing"

	"pigsty/internal/resource"
)

func TestExpandPackages(t *testing.T) {
	for _, c := range []struct{ family, lines, want string }{
		{"deb", "pgsql-main", "postgresql-15 of 15, postgresql-client-15 of 15, postgresql-plpython3-15 of 15, postgresql-plperl-15 of 15, " +
			"postgresql-pltcl-15 of 15, postgresql-15-repack of 15?, postgresql-15-wal2json of 15?, postgresql-15-pgvector of 15?"},
		{"deb", "pgsql-basic|pgvector, htop", "postgresql-15-repack of 15?, postgresql-15-wal2json of 15?, postgresql-15-pgvector of 15, htop"},
		{"deb", "pgvector|pgsql-basic", "postgresql-15-pgvector of 15, postgresql-15-repack of 15?, postgresql-15-wal2json of 15?"},
		{"rpm", "pgsql-basic postgresql${pg_version}-devel", "pg_repack_15 of 15?, wal2json_15 of 15?, pgvector_15 of 15?, postgresql15-devel of 15"},
	} {
		var got []string
		for _, item := range expandPackages(resource.Facts{Family: c.family}, strings.Split(c.lines, "|"), "15", "pg_packages") {
			text := item.Name
			if item.Release != "" {
				text += fmt.Sprint(" of ", item.Release)
			}
			if item.Optional {
				text += "?"
			}
			got = append(got, text)
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s %s:\n%s\nwant\n%s", c.family, c.lines, strings.Join(got, ", "), c.want)
		}
	}
}

// TestExtensionPackages checks which packages come by what databases and
// pg_libs need, on the cluster and on b, which stands by for it.
func TestExtensionPackages(t *testing.T) {
	const postgis = ", pg_databases: [ { name: d, extensions: [ postgis, postgis_topology, pg_trgm, vector ] }, { name: gone, state: absent, extensions: [ hll ] } ]"
	for _, c := range []struct{ vars, want, standby string }{
		{"", "", ""},
		{postgis, "postgresql-17-postgis-3?", "postgresql-17-postgis-3?"},
		{postgis + ", pg_packages: [postgresql-17]", "postgresql-17-postgis-3?, postgresql-17-pgvector?", "postgresql-17-postgis-3?"},
		{postgis + ", pg_extensions: [postgis]", "postgresql-17-postgis-3", "postgresql-17-postgis-3?"},
		{postgis + ", pg_extensions: [own-postgis-17]", "own-postgis-17", "postgresql-17-postgis-3?"},
		{", pg_libs: 'timescaledb, $libdir/passwordcheck, $libdir/pg_cron'", "postgresql-17-timescaledb, postgresql-17-cron", ""},
		{", pg_libs: timescaledb, pg_extensions: [timescaledb-2-postgresql-17]", "timescaledb-2-postgresql-17", ""},
		{", pg_libs: timescaledb, pg_parameters: { shared_preload_libraries: pgaudit }", "postgresql-17-pgaudit", ""},
	} {
		s := newSite(t, "x.yml", fmt.Sprintf(two, "replica", ", pg_version: 17"+c.vars, ", pg_version: 17, pg_upstream: 10.0.0.1"), nil)
		for i, want := range []string{c.want, c.standby} {
			var got []string
			for _, item := range Clusters(s)[i].first().extensionPackages() {
				if item.Optional {
					item.Name += "?"
				}
				got = append(got, item.Name)
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("%s, cluster %d:\n%s\nwant\n%s", c.vars, i, strings.Join(got, ", "), want)
			}
		}
	}
}

func TestIsOf(t *testing.T) {
	for _, c := range []struct {
		name, extension string
		want            bool
	}{
		{"postgis36_17", "postgis", true}, {"own-postgis-17", "postgis", true}, {"pgsql_http_17", "http", true}, {"postgresql-17-pg-stat-kcache", "pg_stat_kcache", true},
		{"vip-manager", "age", false}, {"postgresql-17-age", "age", true}, {"manage-age", "age", true}, {"age", "age", true}, {"pgvector_17", "vector", false}, {"etcd", "age", false},
	} {
		if got := isOf(c.name, c.extension); got != c.want {
			t.Errorf("%s of %s: %v", c.name, c.extension, got)
		}
	}
}

// TestExtensionPackagesOf checks that extensions come by what the map has for
// the system of the member.
func TestExtensionPackagesOf(t *testing.T) {
	const wanted = ", pg_version: 17, pg_databases: [ { name: d, extensions: [ age, h3, http, pg_sphere, pldbgapi ] } ]"
	for family, want := range map[string]string{
		"deb": "postgresql-17-age postgresql-17-h3 postgresql-17-http postgresql-17-pgsphere postgresql-17-pldebugger",
		"rpm": "age_17 h3-pg_17 pgsql_http_17 pgsphere_17 pldebugger_17",
	} {
		facts := resource.Facts{OS: "rocky", Version: "9.6", Family: family}
		s := newSite(t, "x.yml", fmt.Sprintf(two, "replica", wanted, ""), map[string]resource.Facts{"10.0.0.1": facts, "10.0.0.2": facts})
		var got []string
		for _, item := range Clusters(s)[0].first().extensionPackages() {
			got = append(got, item.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s:\n%s\nwant\n%s", family, strings.Join(got, " "), want)
		}
	}
}
