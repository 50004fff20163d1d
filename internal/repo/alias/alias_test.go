package alias

import (
	"slices"
	"strings"
	"testing"
)

// A name that has the major version in it is followed by "$", a spare one by "?".
func TestExpand(t *testing.T) {
	for _, c := range []struct{ family, words, want string }{
		{"deb", "pgsql-main", "postgresql-17$ postgresql-client-17$ postgresql-plpython3-17$ postgresql-plperl-17$ postgresql-pltcl-17$ " +
			"postgresql-17-repack$? postgresql-17-wal2json$? postgresql-17-pgvector$?"},
		{"deb", "pgvector, htop", "postgresql-17-pgvector$ htop"},
		{"deb", "pg16-client pg16-unknown", "postgresql-client-16$ pg16-unknown"},
		{"", "java-runtime", "default-jre-headless?"},
		{"rpm", "pg18-server,postgresql${pg_version}-devel", "postgresql18-server$ postgresql18-libs$ postgresql18-contrib$ postgresql17-devel$"},
	} {
		var got []string
		for _, p := range Expand(c.family, "17", c.words) {
			if p.Versioned {
				p.Name += "$"
			}
			if p.Spare {
				p.Name += "?"
			}
			got = append(got, p.Name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %s:\n%s\nwant\n%s", c.family, c.words, strings.Join(got, " "), c.want)
		}
	}
}

// Every alias of the map ends in names of packages, and each family knows the
// same bundles.
func TestAliasesEnd(t *testing.T) {
	for family, words := range byFamily {
		for word := range words {
			if len(Expand(family, "17", word)) == 0 {
				t.Errorf("%s: %s stands for nothing", family, word)
			}
			if strings.Contains(word, "-") && byFamily["deb"][word] == "" {
				t.Errorf("deb does not know %s", word)
			}
		}
	}
	for word := range Spare {
		for _, family := range []string{"deb", "rpm"} {
			if byFamily[family][word] == "" {
				t.Errorf("%s does not know %s", family, word)
			}
		}
	}
	for family, words := range byFamily {
		for word, list := range words {
			if slices.Contains(strings.Fields(list), word) {
				t.Errorf("%s: %s stands for itself", family, word)
			}
		}
	}
}
