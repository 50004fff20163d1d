package pgsql

import (
	"strings"
	"testing"

	"pigsty/internal/module/moduletest"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// TestSodium pins what servers that load pgsodium get its root key from.
func TestSodium(t *testing.T) {
	const own = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	const script = "file /pg/bin/pgsodium_getkey"
	const key = "file /pg/conf/pgsodium.key"
	for _, c := range []struct{ name, vars, files, key, parameter string }{
		{"not loaded", "pgsodium_key: " + own, "", "", ""},
		{"by pg_libs", "pg_libs: 'pgsodium, auto_explain', pgsodium_key: " + own, script + " " + key, own, sodiumScript},
		{"by pg_parameters", "pg_parameters: { shared_preload_libraries: pgsodium }, pgsodium_key: " + own, script + " " + key, own, sodiumScript},
		{"derived", "pg_libs: pgsodium", script + " " + key, "of the name", sodiumScript},
		{"by a program of somebody's own", "pg_libs: pgsodium, pgsodium_getkey_script: /srv/key", "", "", "/srv/key"},
		{"that reads our key", "pg_libs: pgsodium, pgsodium_getkey_script: /srv/key, pgsodium_key: " + own, key, own, "/srv/key"},
	} {
		s := newSite(t, "x.yml", "{all: {children: {a: {hosts: {10.0.0.1: {pg_seq: 1, pg_role: primary}}, vars: {pg_cluster: a, "+c.vars+"}}}}}", nil)
		var keys []string
		content := ""
		for _, step := range tagged(deploy(s, s.Hosts()), "pg_key") {
			f := step.Resource.(*resource.File)
			keys = append(keys, f.Key())
			if f.Key() == key {
				content = strings.TrimSpace(string(f.Content()))
				if !f.Hidden || f.Mode != 0o400 || f.Owner.User != "postgres" || strings.Contains(moduletest.Steps([]*plan.Step{step}), content) {
					t.Errorf("%s: the key is shown, or others read it: %+v", c.name, f)
				}
			}
		}
		if got := strings.Join(keys, " "); got != c.files {
			t.Errorf("%s: %q, want %q", c.name, got, c.files)
		}
		if want := strings.Replace(c.key, "of the name", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", 1); content != want {
			t.Errorf("%s: the key is %s, want %s", c.name, content, want)
		}
		parameters := clusterParameters(Clusters(s)[0].Members[0]).plain()
		if got, _ := parameters["pgsodium.getkey_script"].(string); got != c.parameter {
			t.Errorf("%s: pgsodium.getkey_script is %q, want %q", c.name, got, c.parameter)
		}
	}
}
