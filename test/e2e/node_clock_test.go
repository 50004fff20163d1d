package e2e

import (
	"strings"
	"testing"

	"pigsty/internal/inventory"
	"pigsty/internal/module/list"
	"pigsty/internal/module/moduletest"
	"pigsty/internal/param"
	"pigsty/internal/resource"
)

// clockSite is an infra node, which serves the time, and a node that asks it.
const clockSite = `
all:
  children:
    infra: { hosts: { NET.10: { infra_seq: 1 } } }
    nodes: { hosts: { NET.11: {} } }
  vars:
    admin_ip: NET.10
    node_ntp_servers: [ 'server ${admin_ip} iburst' ]
`

// clocks has chronyd read what machines get for it, and one host tell the other the
// time. The hosts are containers, which get none of it since nobody may set the clock
// there; chronyd only looks at it.
func clocks(t *testing.T, w *world) {
	const main = "/etc/chrony/chrony.conf"
	for n, files := range clockFiles(t, w) {
		for path, text := range files {
			w.on(t, n, "mv -f "+path+" "+path+".theirs 2>/dev/null; cat > "+path+" <<'END'\n"+text+"END")
		}
	}
	for n, want := range map[byte][]string{
		10: {"local stratum 10 orphan", "allow 10.0.0.0/8", "makestep 10 120"},
		11: {"server " + w.addr(10) + " iburst", "makestep 10 120"},
	} {
		read := "\n" + w.on(t, n, "chronyd -p -f "+main) + "\n"
		for _, line := range want {
			if !strings.Contains(read, "\n"+line+"\n") {
				t.Errorf("chronyd of %s lacks %q, and reads%s", w.addr(n), line, read)
			}
		}
	}
	w.on(t, 10, "chronyd -x -f "+main)
	if out := w.on(t, 11, "chronyd -x -Q -t 40 -f "+main+" 2>&1 || true"); !strings.Contains(out, "System clock wrong by") {
		t.Errorf("the node does not get the time from the infra node:\n%s", out)
	}
	w.on(t, 10, "kill $(cat /run/chrony/chronyd.pid); rm /etc/chrony/conf.d/pigsty-server.conf")
	for _, n := range []byte{10, 11} {
		w.on(t, n, "mv "+main+".theirs "+main)
	}
}

// clockFiles returns chrony's files of hosts that are machines, by their paths.
func clockFiles(t *testing.T, w *world) map[byte]map[string]string {
	t.Helper()
	facts := map[string]resource.Facts{}
	hosts := map[byte]map[string]string{10: {}, 11: {}}
	for n := range hosts {
		facts[w.addr(n)] = resource.Facts{OS: "debian", Version: "13", Family: "deb", Arch: "x86_64", PageSize: 4096, User: "root"}
	}
	var declarations []param.Module
	for _, m := range list.All() {
		declarations = append(declarations, m.Declaration)
	}
	text := strings.ReplaceAll(clockSite, "NET", strings.TrimSuffix(w.addr(10), ".10"))
	s := moduletest.Site(t, inventory.Source{Name: "clocks", Data: []byte(text)}, facts, declarations...)
	for _, m := range list.All() {
		for _, play := range m.Plays {
			if play.Name != "node" && play.Name != "infra" {
				continue
			}
			for _, step := range play.Steps(s, s.Hosts()) {
				f, ok := step.Resource.(*resource.File)
				if !ok || !strings.HasPrefix(f.Path, "/etc/chrony/") {
					continue
				}
				for n := range hosts {
					if step.Host == w.addr(n) {
						hosts[n][f.Path] = string(f.Content())
					}
				}
			}
		}
	}
	return hosts
}
