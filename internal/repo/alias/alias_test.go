package alias

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/resource"
)

// releases are the systems that the map is for.
var releases = map[string]resource.Facts{
	"debian12": {OS: "debian", Version: "12", Family: "deb"},
	"debian13": {OS: "debian", Version: "13", Family: "deb"},
	"ubuntu22": {OS: "ubuntu", Version: "22.04", Family: "deb"},
	"ubuntu24": {OS: "ubuntu", Version: "24.04", Family: "deb"},
	"el8":      {OS: "rhel", Version: "8.10", Family: "rpm"},
	"el9":      {OS: "rocky", Version: "9.6", Family: "rpm"},
	"el10":     {OS: "almalinux", Version: "10.0", Family: "rpm"},
	"deb":      {},
	"rpm":      {OS: "fedora", Version: "42", Family: "rpm"},
}

// A name that has the major version in it is followed by "$", a spare one by "?".
func TestExpand(t *testing.T) {
	for _, c := range []struct{ on, words, want string }{
		{"deb", "pgsql-main", "postgresql-17$ postgresql-client-17$ postgresql-plpython3-17$ postgresql-plperl-17$ postgresql-pltcl-17$ " +
			"postgresql-17-repack$? postgresql-17-wal2json$? postgresql-17-pgvector$?"},
		{"debian12", "pgvector, htop", "postgresql-17-pgvector$ htop"},
		{"debian13", "pg16-client pg16-unknown pg13-fdw", "postgresql-client-16$ pg16-unknown " +
			"postgresql-13-mysql-fdw$? postgresql-13-tds-fdw$? postgresql-13-ogr-fdw$?"},
		{"deb", "java-runtime redis", "default-jre-headless? redis-server"},
		{"ubuntu22", "java-runtime redis", "openjdk-17-jre-headless? redis-server"},
		{"ubuntu24", "java-runtime redis", "default-jre-headless? redis-server valkey-server"},
		{"rpm", "java-runtime redis", "java-17-openjdk-headless? redis"},
		{"el10", "java-runtime redis", "java-21-openjdk-headless? valkey"},
		{"el8", "node-bootstrap docker", "sshpass? unzip? wget? python3.12-jmespath? docker-ce docker-compose-plugin"},
		{"el9", "pg18-server,postgresql${pg_version}-devel", "postgresql18-server$ postgresql18-libs$ postgresql18-contrib$ postgresql17-devel$"},
	} {
		var got []string
		for _, p := range Expand(releases[c.on], "17", c.words) {
			if p.Versioned {
				p.Name += "$"
			}
			if p.Spare {
				p.Name += "?"
			}
			got = append(got, p.Name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s %s:\n%s\nwant\n%s", c.on, c.words, strings.Join(got, " "), c.want)
		}
	}
}

// Every section of the map is for a system that there is, and says something
// else than the family does.
func TestSections(t *testing.T) {
	for name, words := range bySystem {
		on, ok := releases[name]
		if !ok {
			t.Errorf("nothing is called %s", name)
			continue
		}
		family := "deb"
		if on.Family == "rpm" {
			family = "rpm"
		}
		for word, list := range words {
			if name != family && bySystem[family][word] == list {
				t.Errorf("%s: %s is what it is for %s", name, word, family)
			}
		}
	}
}

// On each system every alias ends in names of packages.
func TestAliasesEnd(t *testing.T) {
	for name, on := range releases {
		for _, word := range append(slices.Clone(all), "pg13-main", "pg18-etl") {
			if _, ok := meaning(on, word); !ok && !strings.HasPrefix(word, "pg1") {
				continue // of another system
			}
			if path := cycle(on, nil, word); path != nil {
				t.Fatalf("%s: %s stands for itself", name, strings.Join(path, " → "))
			}
			packages := Expand(on, "17", word)
			if len(packages) == 0 {
				t.Errorf("%s: %s stands for nothing", name, word)
			}
			for _, p := range packages {
				if _, ok := meaning(on, p.Name); ok || strings.Contains(p.Name, "$") {
					t.Errorf("%s: %s leads to %s", name, word, p.Name)
				}
			}
		}
	}
}

// cycle returns how word comes back to itself, nil if it does not.
func cycle(on resource.Facts, path []string, word string) []string {
	if path = append(slices.Clone(path), word); slices.Contains(path[:len(path)-1], word) {
		return path
	}
	list, _ := meaning(on, word)
	for w := range strings.FieldsSeq(list) {
		if found := cycle(on, path, w); found != nil {
			return found
		}
	}
	return nil
}

// Each family has every bundle: pgsql and its categories, those of nodes and of
// infra nodes.
func TestBundles(t *testing.T) {
	bundles := strings.Fields("pgsql pgsql-mini pgsql-core pgsql-full pgsql-main pgsql-client pgsql-server pgsql-devel pgsql-basic pgsql-common pgsql-utility " +
		"pgsql-time pgsql-gis pgsql-rag pgsql-fts pgsql-olap pgsql-feat pgsql-lang pgsql-type pgsql-util pgsql-func pgsql-admin pgsql-stat pgsql-sec pgsql-fdw " +
		"pgsql-sim pgsql-etl node-bootstrap node-package1 node-package2 node-package3 infra-package infra-addons extra-modules java-runtime docker")
	for word := range Spare {
		if !slices.Contains(bundles, word) {
			t.Errorf("%s is spare, but no bundle", word)
		}
	}
	for _, family := range []string{"deb", "rpm"} {
		for _, word := range bundles {
			if bySystem[family][word] == "" {
				t.Errorf("%s does not know %s", family, word)
			}
		}
	}
}

// elsewhere are packages that Debian does not have, with who does.
var elsewhere = map[string]string{
	"docker-ce": "Docker", "docker-compose-plugin": "Docker",
	"grafana": "Grafana", "victoria-logs": "Pigsty", "victoria-traces": "Pigsty", "vmutils": "Pigsty", "vlogscli": "Pigsty", "vector": "Pigsty",
	"juicefs": "Pigsty", "pev2": "Pigsty",
	"postgresql-$v-citus": "Pigsty", "orioledb-$v": "Pigsty", "babelfishpg-$v": "Pigsty", "babelfishpg-$v-babelfish": "Pigsty", "percona-postgresql-$v": "Percona",
}

// The lists of testdata are from the indexes of Debian 12 (main and updates, of
// November 2026) and 13: all packages for the PostgreSQL that the release has,
// and of others those that the map names. PostgreSQL's own repository has for
// each release what either of them has.
func TestDebian(t *testing.T) {
	has := map[string]map[string]bool{}
	majors := map[string]string{"debian12": "15", "debian13": "17"}
	for release, major := range majors {
		text, err := os.ReadFile(filepath.Join("testdata", release+".txt"))
		if err != nil {
			t.Fatal(err)
		}
		has[release] = map[string]bool{}
		for name := range strings.Lines(string(text)) {
			name = strings.TrimSpace(name)
			if strings.HasPrefix(name, "postgresql-") {
				name = strings.ReplaceAll(name, "-"+major, "-$v")
			}
			has[release][name] = true
		}
	}
	if len(has["debian12"]) < 100 || len(has["debian13"]) < 100 {
		t.Fatal("the lists are not all there")
	}
	for release := range majors {
		for _, word := range all {
			if _, ok := meaning(releases[release], word); !ok {
				continue
			}
			for _, p := range Expand(releases[release], "$v", word) {
				versioned := strings.Contains(p.Name, "$v")
				carried := has[release][p.Name] || versioned && (has["debian12"][p.Name] || has["debian13"][p.Name])
				if !carried && elsewhere[p.Name] == "" {
					t.Errorf("%s: nobody has %s of %s", release, p.Name, word)
				}
				if carried && elsewhere[p.Name] != "" {
					t.Errorf("%s: Debian itself has %s", release, p.Name)
				}
			}
		}
	}
}

func TestCheck(t *testing.T) {
	for word, want := range map[string]string{
		"pgsql-mian": "pgsql-main", "pg17-mian": "pg17-main", "pg17-main": "", "pg_vector": "pgvector", "postgs": "postgis", "dockr": "docker",
		"pgvector_17": "", "postgresql-17-pgvector": "", "postfix": "", "haproxy": "", "docker-ce": "", "redi": "redis", "plsr": "", "pg_cron": "", "pg17-x": "",
	} {
		var l diag.List
		Check("pg_packages", inventory.Value{Kind: inventory.List, Items: []inventory.Value{{Text: "openssl," + word, Pos: diag.Pos{Line: 3}}}}, &l)
		var got string
		if len(l) == 1 && l[0].Pos.Line == 3 && l[0].Severity == diag.Warning {
			got = strings.TrimSuffix(strings.TrimPrefix(l[0].Advice, "write "), " if that was meant")
		}
		if got != want || len(l) > 1 {
			t.Errorf("%s: %v", word, l)
		}
	}
}

// What the map itself names is not taken for a mistake.
func TestNearestOfPackages(t *testing.T) {
	for name, on := range releases {
		for _, word := range all {
			for _, p := range Expand(on, "17", word) {
				if near := nearest(p.Name); near != "" {
					t.Errorf("%s: %s is taken for %s", name, p.Name, near)
				}
			}
		}
	}
}
