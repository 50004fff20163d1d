package pgsql

import (
	"fmt"
	"strings"
	"testing"
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
		for _, item := range expandPackages(c.family, strings.Split(c.lines, "|"), "15", "pg_packages") {
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
