package cli

import (
	"bytes"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"pigsty/internal/conf"
	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/module/list"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// filledIn writes the template as init -g does and returns where.
func filledIn(t *testing.T, tmpl conf.Template, v conf.Values) string {
	t.Helper()
	out, err := tmpl.Fill(v)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "pigsty.yml")
	if err := os.WriteFile(path, out.Text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTemplates checks that what init writes is right as it is, and compiles
// for the systems whose own packages will do.
func TestTemplates(t *testing.T) {
	bookworm := standardFacts
	bookworm.Version, bookworm.Codename = "12", "bookworm"
	for _, tmpl := range conf.Templates() {
		for _, system := range []resource.Facts{standardFacts, bookworm} {
			t.Run(tmpl.Name+"/debian"+system.Version, func(t *testing.T) {
				version, _ := conf.Machine{Facts: system}.Version()
				d := loaded(t, filledIn(t, tmpl, conf.Values{Version: version, Passwords: true}))
				if d.problems.HasErrors() || d.problems.Count(diag.Warning) > 0 { // notes are as they should be
					var text bytes.Buffer
					d.problems.Render(&text, d.texts, false)
					t.Errorf("it is not without blemish:\n%s", text.String())
				}
				facts := map[string]resource.Facts{}
				for _, h := range d.inventory.Hosts() {
					facts[h.Name()] = system
				}
				site := d.site(facts)
				for _, m := range d.app.modules {
					for _, p := range m.Plays {
						if _, err := plan.Arrange(p.Steps(site, site.Hosts()), nil); err != nil {
							t.Errorf("play %s: %v", p.Name, err)
						}
					}
				}
				noDefaultPasswords(t, d)
			})
		}
	}
}

// noDefaultPasswords checks that no host of d has a password that is the default
// of its parameter, where the inventory has the module that uses it.
func noDefaultPasswords(t *testing.T, d *deployment) {
	t.Helper()
	markers := map[string]string{"INFRA": "infra_seq", "ETCD": "etcd_seq", "MINIO": "minio_cluster", "PGSQL": "pg_cluster", "REDIS": "redis_cluster"}
	has := map[string]bool{"NODE": true}
	hosts := d.site(nil).Hosts()
	for module, marker := range markers {
		for _, h := range hosts {
			if v, ok := h.Vars.Get(marker); ok && v.Value.Kind != inventory.Null {
				has[module] = true
			}
		}
	}
	for _, p := range d.catalogue.All() {
		if !p.Secret() || !has[p.Module] || p.Default.Kind != inventory.String || p.Default.Text == "" {
			continue
		}
		for _, h := range hosts {
			own, applies := markers[p.Module]
			if _, ok := h.Vars.Get(own); applies && !ok {
				continue
			}
			if v, ok := h.Vars.Get(p.Name); !ok || v.Value.Text == p.Default.Text {
				t.Errorf("%s of %s is the published one", p.Name, h.Name())
			}
		}
	}
}

// TestTemplatesAreDocumented checks that the user's guide has every template,
// with the number of its hosts.
func TestTemplatesAreDocumented(t *testing.T) {
	guide, err := os.ReadFile("../../docs/templates.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, tmpl := range conf.Templates() {
		if line := fmt.Sprintf("| `%s` | %d | ", tmpl.Name, len(tmpl.Hosts)); !strings.Contains(string(guide), line) {
			t.Errorf("docs/templates.md has no line %q", line)
		}
	}
}

// TestSandboxTemplate checks that the template of the sandbox is the inventory
// of the demo.
func TestSandboxTemplate(t *testing.T) {
	tmpl, ok := conf.Lookup("sandbox")
	if !ok {
		t.Fatal("there is none")
	}
	got, want := loaded(t, filledIn(t, tmpl, conf.Values{})), loaded(t, "../../examples/sandbox.yml")
	describe := func(d *deployment) []listed { return d.describe(d.site(nil), d.site(nil).Hosts()) }
	if a, b := describe(got), describe(want); !reflect.DeepEqual(a, b) {
		t.Errorf("its hosts are\n%+v\nthose of examples/sandbox.yml\n%+v", a, b)
	}
	for _, name := range []string{"ansible_user", "ansible_ssh_private_key_file", "ansible_ssh_common_args", "pg_version", "pg_conf", "pg_rto"} {
		a, _ := got.inventory.Hosts()[0].Vars().Get(name)
		b, _ := want.inventory.Hosts()[0].Vars().Get(name)
		if a.Value.Text != b.Value.Text {
			t.Errorf("%s is %q, in examples/sandbox.yml %q", name, a.Value.Text, b.Value.Text)
		}
	}
}

// TestPasswordsAreNotShown checks that what init prints has none of the
// passwords that it wrote, nor those of a proxy.
func TestPasswordsAreNotShown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pigsty.yml")
	for _, more := range [][]string{{}, {"--json", "--force"}} {
		var out bytes.Buffer
		args := append([]string{"pigsty", "init", "-g", "-c", "rich", "-i", "10.20.30.40", "-o", path, "-p", "http://me:proxy-pass@10.20.30.1:3128"}, more...)
		if s := Main(args, strings.NewReader(""), &out, &out); s != 0 {
			t.Fatalf("exit status %d: %s", s, out.String())
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`(?:password|secret_key|s3_key_secret|cipher_pass): (\w+)`).FindAllSubmatch(text, -1)
		if len(found) < 15 || !bytes.Contains(text, []byte("proxy-pass")) {
			t.Fatalf("there are only %d passwords, or no proxy", len(found))
		}
		for _, m := range append(found, [][]byte{nil, []byte("proxy-pass")}) {
			if bytes.Contains(out.Bytes(), m[1]) {
				t.Errorf("init %q shows a password:\n%s", more, out.String())
			}
		}
	}
}

func TestChooseAddresses(t *testing.T) {
	two := conf.Machine{Addresses: []conf.Address{
		{IP: netip.MustParseAddr("10.0.0.5"), Interface: "eth1", Default: true},
		{IP: netip.MustParseAddr("192.168.1.9"), Interface: "eth0"},
	}}
	one := conf.Machine{Addresses: two.Addresses[:1]}
	with := conf.Machine{Addresses: append([]conf.Address{{IP: placeholder, Interface: "eth2"}}, two.Addresses...)}
	meta, _ := conf.Lookup("meta")
	for _, c := range []struct {
		name  string
		m     conf.Machine
		flags initFlags
		want  string
	}{
		{"one", one, initFlags{}, "10.0.0.5 (of eth1)"},
		{"several, nobody to ask", two, initFlags{}, "this machine has several addresses: say which with -i\n" +
			"  1  10.0.0.5         eth1, where the default route leads\n  2  192.168.1.9      eth0"},
		{"the placeholder among them", with, initFlags{}, "10.10.10.10 (which this machine has)"},
		{"none", conf.Machine{}, initFlags{}, "this machine has no IPv4 address by which others could reach it: name one with -i IP, or keep the template's with -s"},
		{"given", two, initFlags{addresses: []string{"10.0.0.7"}}, "10.0.0.7 ()"},
		{"kept", two, initFlags{keepAddresses: true}, " (that of the template)"},
		{"no address", two, initFlags{addresses: []string{"10.0.0"}}, "-i 10.0.0: want an IPv4 address such as 10.10.10.10"},
	} {
		a := &app{in: strings.NewReader(""), modules: list.All()}
		got, chosen, err := a.chooseAddresses(t.Context(), &c.flags, meta, c.m)
		text := ""
		switch {
		case err != nil:
			text = err.Error()
		case len(got) == 0:
			text = " (" + chosen.Why + ")"
		default:
			text = got[0].String() + " (" + chosen.Why + ")"
		}
		if text != c.want {
			t.Errorf("%s: %s, want %s", c.name, text, c.want)
		}
	}
	for answers, want := range map[string]string{"2\n": "192.168.1.9", "eth0\n7\n\n10.0.0.5\n": "10.0.0.5", "1": "10.0.0.5", "": "invalid IP"} {
		asked := 0
		in := &app{in: iotest.OneByteReader(strings.NewReader(answers)), err: io.Discard}
		got, err := pickAddress(func(question string) (string, error) { asked++; return in.answer(t.Context(), question) }, two.Addresses)
		if got.IP.String() != want || (err == nil) != got.IP.IsValid() || asked != max(1, strings.Count(answers, "\n")) {
			t.Errorf("after %q it takes %v, %v, asked %d times", answers, got, err, asked)
		}
	}
}
