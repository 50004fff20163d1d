package conf

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pigsty/internal/secret"
)

func lookup(t *testing.T, name string) Template {
	t.Helper()
	tmpl, ok := Lookup(name)
	if !ok {
		t.Fatalf("there is no template %s", name)
	}
	return tmpl
}

func addrs(t *testing.T, list ...string) []netip.Addr {
	t.Helper()
	out := make([]netip.Addr, len(list))
	for i, text := range list {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = ip
	}
	return out
}

func fill(t *testing.T, tmpl Template, v Values) string {
	t.Helper()
	out, err := tmpl.Fill(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out.Text)
}

// changes returns the lines in which now differs from before.
func changes(before, now string) string {
	var out strings.Builder
	old := strings.Split(before, "\n")
	for _, line := range strings.Split(now, "\n") {
		if i := slices.Index(old, line); i >= 0 {
			old = old[i+1:]
			continue
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}

func TestTemplates(t *testing.T) {
	list := Templates()
	if list[0].Name != DefaultTemplate {
		t.Errorf("%s comes first, not the default", list[0].Name)
	}
	for _, tmpl := range list {
		if len(tmpl.Hosts) == 0 || tmpl.Hosts[0].String() != "10.10.10.10" {
			t.Errorf("the hosts of %s are %v: the admin node is to be the first", tmpl.Name, tmpl.Hosts)
		}
		if !strings.HasPrefix(tmpl.text, "# yaml-language-server: $schema=.pigsty/schema.json\n") {
			t.Errorf("%s does not begin by naming its schema", tmpl.Name)
		}
		if tmpl.Sets("pg_version") && !tmpl.Fixed && !strings.Contains(tmpl.text, fmt.Sprintf("    pg_version: %d # ", latest)) {
			t.Errorf("%s does not have the latest version", tmpl.Name)
		}
	}
}

func TestFill(t *testing.T) {
	tmpl := lookup(t, "ha/dual")
	got := fill(t, tmpl, Values{
		Addresses: addrs(t, "10.10.10.11", "10.10.10.10"), // each placeholder is the other's address
		Version:   16, Region: "china", Tiny: true, PlainC: true,
		Proxy: Proxy{HTTP: secret.New("http://10.10.10.10:3128"), HTTPS: secret.New(`http://u:"\@proxy`), No: "localhost"},
	})
	const want = `        10.10.10.11: { infra_seq: 1 }
        10.10.10.11: { etcd_seq: 1 }
        10.10.10.11: { pg_seq: 1, pg_role: primary }
        10.10.10.10: { pg_seq: 2, pg_role: replica, pg_offline_query: true }
    admin_ip: 10.10.10.11 # the node that manages the others
    region: china # mirrors to download from: default, china or europe
      http_proxy: "http://10.10.10.10:3128"
      https_proxy: "http://u:\"\\@proxy"
      no_proxy: "localhost"
    node_tune: tiny
    pg_conf: tiny.yml
    pg_version: 16 # major version of PostgreSQL
    pg_locale: C # sorts by code point, and knows letters of every language
    pg_lc_collate: C
    pg_lc_ctype: C
`
	if changed := changes(tmpl.text, got); changed != want {
		t.Errorf("it changes\n%s\nnot\n%s", changed, want)
	}
}

func TestFillNothing(t *testing.T) {
	for _, tmpl := range Templates() {
		if got := fill(t, tmpl, Values{}); got != tmpl.text {
			t.Errorf("%s changes: %s", tmpl.Name, changes(tmpl.text, got))
		}
	}
}

// TestCommentsStay fills everything in but addresses, which comments share.
func TestCommentsStay(t *testing.T) {
	comments := func(text string) (out []string) {
		for line := range strings.Lines(text) {
			if _, comment, ok := strings.Cut(line, "#"); ok {
				out = append(out, comment)
			}
		}
		return out
	}
	for _, tmpl := range Templates() {
		got := fill(t, tmpl, Values{Version: 15, Region: "europe", Tiny: true, PlainC: true, Passwords: true, Proxy: Proxy{All: secret.New("http://p")}})
		if !slices.Equal(comments(got), comments(tmpl.text)) {
			t.Errorf("comments of %s are not what they were", tmpl.Name)
		}
	}
}

func TestFillAgain(t *testing.T) {
	v := Values{Addresses: addrs(t, "192.168.7.1"), Version: 17, Region: "europe", Tiny: true}
	for _, tmpl := range Templates() {
		once := fill(t, tmpl, v)
		tmpl.text = once
		if tmpl.Hosts[0] = v.Addresses[0]; fill(t, tmpl, v) != once {
			t.Errorf("%s changes when it is filled in a second time", tmpl.Name)
		}
	}
}

func TestWrongAddresses(t *testing.T) {
	for _, c := range []struct {
		name  string
		given []string
		want  string
	}{
		{"meta", []string{"10.0.0.1", "10.0.0.2"}, "template meta has 1 host, but 2 addresses are given"},
		{"ha/trio", []string{"10.0.0.1", "10.0.0.1"}, "10.0.0.1 is given twice"},
		{"ha/trio", []string{"10.10.10.12"}, "10.10.10.12 is the address of another host of template ha/trio too: give all 3 addresses"},
	} {
		if _, err := lookup(t, c.name).Fill(Values{Addresses: addrs(t, c.given...)}); err == nil || err.Error() != c.want {
			t.Errorf("%s with %v: %v, want %s", c.name, c.given, err, c.want)
		}
	}
}

// published matches what everybody can look up in templates.
var published = regexp.MustCompile(`(?:DBUser|S3User|Patroni|Etcd|Redis)\.[A-Z]\w*|pgBackRest|: pigsty\b`)

func TestPasswords(t *testing.T) {
	value := regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9]{23}$`)
	for _, tmpl := range Templates() {
		t.Run(tmpl.Name, func(t *testing.T) {
			one, err := tmpl.Fill(Values{Passwords: true})
			if err != nil {
				t.Fatal(err)
			}
			again := fill(t, tmpl, Values{Passwords: true})
			seen := map[string]bool{}
			for i, line := range strings.Split(string(one.Text), "\n") {
				code, _, _ := strings.Cut(line, "#")
				if found := published.FindString(code); found != "" {
					t.Errorf("line %d has %s still", i+1, found)
				}
				for word := range strings.FieldsFuncSeq(changes(strings.Split(tmpl.text, "\n")[i], line), func(r rune) bool { return strings.ContainsRune(" ,{}[]\n", r) }) {
					if value.MatchString(word) {
						seen[word] = true
						if strings.Contains(again, word) {
							t.Errorf("the password in line %d is the same a second time", i+1)
						}
					}
				}
			}
			if len(seen) != one.Passwords || len(seen) == 0 {
				t.Errorf("there are %d new passwords, and it says %d", len(seen), one.Passwords)
			}
		})
	}
}

// TestOnePasswordForOneAccount checks what must stay the same in two places, and
// what must not.
func TestOnePasswordForOneAccount(t *testing.T) {
	text := fill(t, lookup(t, "rich"), Values{Passwords: true})
	find := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("%s is not there", pattern)
		}
		return m[1]
	}
	if find(`name: dbuser_view, password: (\w+)`) != find(`grafana_view_password: (\w+)`) {
		t.Error("Grafana cannot log in as dbuser_view")
	}
	if find(`access_key: pgbackrest, secret_key: (\w+)`) != find(`s3_key_secret: (\w+)`) {
		t.Error("pgBackRest cannot log in to MinIO")
	}
	if find(`grafana_admin_password: (\w+)`) == find(`haproxy_admin_password: (\w+)`) {
		t.Error("Grafana and HAProxy have one password")
	}
}
