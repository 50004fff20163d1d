package pgsql

import (
	"slices"
	"strings"

	"pigsty/internal/resource"
)

// aliases are the words of pg_packages and pg_extensions that stand for several
// packages, by package family. $v is the major version. What is not here is
// the name of a package.
//
// Left out of pgsql-common on Debian and Ubuntu is what their own repositories
// do not carry: pg-exporter, pgbackrest-exporter, and vip-manager 2.
var aliases = map[string]map[string]string{
	"deb": {
		"pgsql":        "postgresql-$v postgresql-client-$v",
		"pgsql-mini":   "postgresql-$v postgresql-client-$v",
		"pgsql-core":   "postgresql-$v postgresql-client-$v postgresql-plpython3-$v postgresql-plperl-$v postgresql-pltcl-$v",
		"pgsql-basic":  "postgresql-$v-repack postgresql-$v-wal2json postgresql-$v-pgvector",
		"pgsql-main":   "pgsql-core pgsql-basic",
		"pgsql-full":   "pgsql-main pgsql-devel",
		"pgsql-client": "postgresql-client-$v",
		"pgsql-server": "postgresql-$v",
		"pgsql-devel":  "postgresql-server-dev-$v",
		"pgsql-common": "patroni python3-etcd python3-psycopg2 pgbouncer pgbackrest",

		"pgvector": "postgresql-$v-pgvector", "pg_repack": "postgresql-$v-repack", "wal2json": "postgresql-$v-wal2json",
		"postgis": "postgresql-$v-postgis-3", "timescaledb": "postgresql-$v-timescaledb", "pg_cron": "postgresql-$v-cron",
		"pgaudit": "postgresql-$v-pgaudit", "pg_partman": "postgresql-$v-partman", "hypopg": "postgresql-$v-hypopg",
		"pg_hint_plan": "postgresql-$v-pg-hint-plan", "pg_qualstats": "postgresql-$v-pg-qualstats",
		"pg_stat_kcache": "postgresql-$v-pg-stat-kcache", "hll": "postgresql-$v-hll", "rum": "postgresql-$v-rum",
		"pg_similarity": "postgresql-$v-similarity", "plpgsql_check": "postgresql-$v-plpgsql-check",
		"orafce": "postgresql-$v-orafce", "ip4r": "postgresql-$v-ip4r", "pg_track_settings": "postgresql-$v-pg-track-settings",
		"pglogical": "postgresql-$v-pglogical", "pgrouting": "postgresql-$v-pgrouting", "pg_squeeze": "postgresql-$v-squeeze",
		"plpython3u": "postgresql-plpython3-$v", "plperl": "postgresql-plperl-$v", "pltcl": "postgresql-pltcl-$v",
	},
	"rpm": {
		"pgsql":        "postgresql$v postgresql$v-server postgresql$v-libs postgresql$v-contrib",
		"pgsql-mini":   "postgresql$v postgresql$v-server postgresql$v-libs postgresql$v-contrib",
		"pgsql-core":   "postgresql$v postgresql$v-server postgresql$v-libs postgresql$v-contrib postgresql$v-plperl postgresql$v-plpython3 postgresql$v-pltcl",
		"pgsql-basic":  "pg_repack_$v wal2json_$v pgvector_$v",
		"pgsql-main":   "pgsql-core pgsql-basic",
		"pgsql-full":   "pgsql-main pgsql-devel",
		"pgsql-client": "postgresql$v",
		"pgsql-server": "postgresql$v-server postgresql$v-libs postgresql$v-contrib",
		"pgsql-devel":  "postgresql$v-devel",
		"pgsql-common": "patroni patroni-etcd pgbouncer pgbackrest",

		"pgvector": "pgvector_$v", "pg_repack": "pg_repack_$v", "wal2json": "wal2json_$v",
		"postgis": "postgis36_$v", "timescaledb": "timescaledb_$v", "pg_cron": "pg_cron_$v",
		"pgaudit": "pgaudit_$v", "pg_partman": "pg_partman_$v", "hypopg": "hypopg_$v",
		"pg_hint_plan": "pg_hint_plan_$v", "pg_qualstats": "pg_qualstats_$v",
		"pg_stat_kcache": "pg_stat_kcache_$v", "hll": "hll_$v", "rum": "rum_$v",
		"plpgsql_check": "plpgsql_check_$v", "orafce": "orafce_$v", "ip4r": "ip4r_$v",
		"pg_track_settings": "pg_track_settings_$v", "pglogical": "pglogical_$v", "pgrouting": "pgrouting_$v",
		"pg_squeeze": "pg_squeeze_$v",
		"plpython3u": "postgresql$v-plpython3", "plperl": "postgresql$v-plperl", "pltcl": "postgresql$v-pltcl",
	},
}

// spare is the alias whose packages a cluster runs without where repositories
// do not have them, as Debian 12 has no pgvector.
const spare = "pgsql-basic"

// expandPackages returns the packages that the lines of a parameter stand for,
// each once, in the order they are named.
func expandPackages(family string, lines []string, version, parameter string) []resource.PackageItem {
	if family != "rpm" {
		family = "deb"
	}
	var out []resource.PackageItem
	var add func(word string, optional bool)
	add = func(word string, optional bool) {
		if list, ok := aliases[family][word]; ok {
			for w := range strings.FieldsSeq(list) {
				add(w, optional || word == spare)
			}
			return
		}
		name := strings.NewReplacer("${pg_version}", version, "$v", version).Replace(word)
		item := resource.PackageItem{Name: name, For: parameter, Optional: optional}
		if name != word {
			item.For += " with pg_version " + version
			item.Release, item.ReleaseOf = version, "pg_version"
		}
		if i := slices.IndexFunc(out, func(have resource.PackageItem) bool { return have.Name == name }); i >= 0 {
			out[i].Optional = out[i].Optional && optional
			return
		}
		out = append(out, item)
	}
	for _, line := range lines {
		for _, word := range strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' || r == '\n' }) {
			add(word, false)
		}
	}
	return out
}
