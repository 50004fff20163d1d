package e2e

import (
	"strings"
	"testing"
)

// TestRepository builds the deployment's own repository on an infra node, cuts a host
// off from all others and installs from it, and carries it to a third host.
func TestRepository(t *testing.T) {
	w := newBareWorld(t, "10.10.45.0/24", 10, 11)
	w.inventory(t, `
infra: { hosts: { NET.10: { infra_seq: 1 } } }
nodes: { hosts: { NET.11: { node_packages: [ jq ] } } }
`, "repo_extra_packages: [ pgvector, etcd-client ]", "grafana_enabled: false", "vlogs_enabled: false", "vtraces_enabled: false",
		"vmetrics_enabled: false", "vmalert_enabled: false", "alertmanager_enabled: false", "blackbox_enabled: false", "dns_enabled: false")
	for _, s := range []struct {
		name string
		run  func(*testing.T, *world)
	}{
		{"unresolvable", unresolvable},
		{"build and use", buildRepository},
		{"host without network", installOffline},
		{"offline package", offlinePackage},
	} {
		if !t.Run(s.name, func(t *testing.T) { s.run(t, w) }) {
			t.Fatal("the scenarios after this one build on it")
		}
	}
}

// unresolvable asks for a package that nobody has: nothing is downloaded.
func unresolvable(t *testing.T, w *world) {
	r := w.pigsty(t, "infra", "-t", "repo", "-e", `{"repo_packages": ["postgresql-17-nobody-has"]}`)
	if r.status == 0 || !strings.Contains(r.out, "postgresql-17-nobody-has is wanted by repo_packages, but no upstream has it") {
		t.Errorf("status %d\n%s", r.status, r.out)
	}
	w.on(t, 10, "! ls -A /www | grep .")
}

func buildRepository(t *testing.T, w *world) {
	w.must(t, "deploy")
	w.on(t, 10, "test -e /www/pigsty/repo_complete && ls /www/pigsty/postgresql-17-pgvector_*.deb /www/pigsty/jq_*.deb /www/pigsty/libc6_*.deb")
	w.on(t, 10, "! find / -xdev -name repo.key | grep .")
	if out := w.on(t, 11, "apt-cache policy jq"); !strings.Contains(out, w.addr(10)+":80/pigsty") {
		t.Errorf("the host does not know the repository:\n%s", out)
	}
	if r := w.must(t, "plan"); !strings.Contains(r.out, "nothing to do") {
		t.Errorf("again:\n%s", r.out)
	}
	if r := w.must(t, "repo", "diff"); !strings.Contains(r.out, "nothing to do") {
		t.Errorf("upstreams did not change:\n%s", r.out)
	}
}

// installOffline leaves a host nothing but the repository.
func installOffline(t *testing.T, w *world) {
	w.on(t, 11, "mkdir /root/apt && mv /etc/apt/sources.list /root/apt/ && apt-get update -q -o APT::Update::Error-Mode=any && "+
		"apt-get install -q -y --no-install-recommends postgresql-17-pgvector etcd-client && ls /usr/share/postgresql/17/extension/vector.control")
	w.on(t, 11, "mv /root/apt/sources.list /etc/apt/ && apt-get update -q")
	// What another key signed is refused.
	w.on(t, 11, "cp /usr/share/keyrings/debian-archive-keyring.gpg /root/other.gpg && sed 's|/etc/apt/keyrings/pigsty.asc|/root/other.gpg|' "+
		"/etc/apt/sources.list.d/local.list >/root/other.list && ! apt-get update -o Dir::Etc::sourcelist=/root/other.list -o Dir::Etc::sourceparts=/dev/null -o APT::Update::Error-Mode=any")
}

// offlinePackage makes a package of the repository and puts it in place
// elsewhere, with the program that the agent was.
func offlinePackage(t *testing.T, w *world) {
	w.on(t, 10, "cd /root && $(ls -t /var/lib/pigsty/agent/* | head -n 1) repo pack pkg.tgz && head -c 1000000 pkg.tgz >cut.tgz && tar xzf pkg.tgz bin/pigsty")
	const unpack = "bin/pigsty repo unpack --dir /srv/www/pigsty --data /srv/data "
	w.on(t, 10, "cd /root && ! "+unpack+"cut.tgz && test -e cut.tgz && test ! -e /srv/www/pigsty")
	w.on(t, 10, "cd /root && "+unpack+"pkg.tgz && diff -r /www/pigsty /srv/data/pigsty && test -e pkg.tgz")
}
