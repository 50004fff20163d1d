package e2e

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRepository builds the deployment's own repository on an infra node, cuts a host
// off from all others and installs from it, carries it elsewhere, and builds one
// for dnf out of packages that rpmbuild and createrepo_c made.
func TestRepository(t *testing.T) {
	w := newBareWorld(t, "10.10.45.0/24", 10, 11)
	w.inventory(t, `
infra: { hosts: { NET.10: { infra_seq: 1 } } }
nodes: { hosts: { NET.11: { node_packages: [ jq ] } } }
`, "repo_extra_packages: [ pgvector, etcd-client ]", "grafana_enabled: false", "vlogs_enabled: false", "vtraces_enabled: false",
		"vmetrics_enabled: false", "vmalert_enabled: false", "alertmanager_enabled: false", "blackbox_enabled: false", "dns_enabled: false")
	w.inOrder(t, []scenario{
		{"unresolvable", unresolvable},
		{"build and use", buildRepository},
		{"host without network", installOffline},
		{"offline package", offlinePackage},
		{"killed build", killedBuild},
		{"dnf", buildForDnf},
	})
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

// slowly is on for what may take minutes, such as installing packages.
func (w *world) slowly(t *testing.T, n byte, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	out, err := w.box.Exec(ctx, w.addr(n), "sh", "-c", script)
	if err != nil {
		t.Fatalf("on %s: %s: %v", w.addr(n), script, err)
	}
	return strings.TrimSpace(string(out))
}

// installOffline leaves a host nothing but the repository.
func installOffline(t *testing.T, w *world) {
	w.slowly(t, 11, "mkdir /root/apt && mv /etc/apt/sources.list /root/apt/ && apt-get update -q -o APT::Update::Error-Mode=any && "+
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
	w.on(t, 10, "cd /root && umask 077 && "+unpack+"pkg.tgz && diff -r /www/pigsty /srv/data/pigsty && test -e pkg.tgz && sudo -u nobody cat /srv/www/pigsty/InRelease >/dev/null")
	if out := w.on(t, 10, "cd /root && ! "+unpack+"pkg.tgz 2>&1"); !strings.Contains(out, "give --replace to put this one in its place") {
		t.Errorf("unpacked again:\n%s", out)
	}
}

// killedBuild kills the agent in the middle of building anew: what is served is
// whole all the time, and the next run ends it.
func killedBuild(t *testing.T, w *world) {
	const whole = "test -e /www/pigsty/repo_complete && apt-get update -q -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/local.list " +
		"-o Dir::Etc::sourceparts=/dev/null -o APT::Update::Error-Mode=any"
	killed := 0
	for _, after := range []string{"0", "0.1", "0.4"} {
		w.on(t, 10, "rm -f /www/pigsty/jq_*.deb; (until test -e /www/.pigsty.new; do sleep 0.01; done; sleep "+after+"; pkill -KILL -f '/pigsty/agent/[0-9a-f]* agent') >/dev/null 2>&1 &")
		if r := w.pigsty(t, "infra", "-t", "repo_build"); r.status != 0 {
			killed++
		}
		w.on(t, 10, whole)
	}
	if killed == 0 {
		t.Error("no build was killed")
	}
	w.must(t, "infra", "-t", "repo_build")
	w.on(t, 10, whole+" && ls /www/pigsty/jq_*.deb && ! ls -d /www/.pigsty.new")
}

// elRelease makes a host pass for one of EL, where dnf is installed besides apt.
const elRelease = `cp /etc/os-release /root/os-release && rm /etc/os-release &&
printf 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.6"\nPLATFORM_ID="platform:el9"\n' >/etc/os-release &&
mkdir -p /etc/yum.repos.d /etc/pki/rpm-gpg`

// makeUpstream makes a signed repository below /srv/upstream with an empty
// package for each name, one of which has a file that another requires.
const makeUpstream = `set -e
cat >/root/base.spec <<'END'
Name: sample-lib
Epoch: 1
Version: 1.4~rc2
Release: 1.el9
Summary: A library
License: none
BuildArch: noarch
Provides: /bin/sh
%description
A library.
%install
mkdir -p %{buildroot}/usr/lib/sample
echo data >%{buildroot}/usr/lib/sample/data
%files
/usr/lib/sample/data
%package -n sample-app
Summary: An application
Requires: sample-lib >= 1:1.4~rc1, /usr/lib/sample/data, (sample-lib if sample-app)
%description -n sample-app
An application.
%files -n sample-app
END
for n in NAMES; do
	printf '%%package -n %s\nSummary: none\n%%description -n %s\nnone\n%%files -n %s\n' $n $n $n >>/root/base.spec
done
rpmbuild --quiet -bb /root/base.spec
mkdir -p /srv/upstream && cp /root/rpmbuild/RPMS/*/*.rpm /srv/upstream
export GNUPGHOME=/root/upstream && mkdir -m 700 $GNUPGHOME
gpg --batch --quiet --passphrase '' --quick-gen-key Upstream rsa3072 sign never
rpmsign --define '_gpg_name Upstream' --addsign /srv/upstream/*.rpm >/dev/null
gpg --armor --export >/srv/upstream.asc
createrepo_c -q /srv/upstream
gpg --batch --detach-sign --armor /srv/upstream/repodata/repomd.xml`

// buildForDnf builds the repository of a host that passes for EL and has dnf
// install from it, which refuses what was changed on the way.
func buildForDnf(t *testing.T, w *world) {
	w.slowly(t, 11, "DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends dnf createrepo-c rpm gnupg >/dev/null")
	w.on(t, 11, elRelease)
	w.inventory(t, "infra: { hosts: { NET.11: { infra_seq: 1 } } }", "admin_ip: "+w.addr(11), "repo_modules: infra", "repo_packages: [ sample-app ]", "repo_extra_packages: []",
		"repo_upstream: [ { name: sample, module: infra, releases: [9], arch: [x86_64, aarch64], baseurl: { default: 'file:///srv/upstream/' }, meta: { gpgkey: /srv/upstream.asc } } ]")
	// Nothing is there yet but an index: all that is missing is named at once.
	w.slowly(t, 11, strings.Replace(makeUpstream, "NAMES", "other", 1))
	r := w.pigsty(t, "infra", "-t", "repo")
	var missing []string
	for _, m := range regexp.MustCompile(`(\S+) is wanted by`).FindAllStringSubmatch(r.out, -1) {
		missing = append(missing, m[1])
	}
	if r.status == 0 || !slices.Contains(missing, "haproxy") {
		t.Fatalf("status %d\n%s", r.status, r.out)
	}
	slices.Sort(missing)
	w.on(t, 11, "rm -r /srv/upstream /root/upstream /root/rpmbuild/RPMS")
	w.slowly(t, 11, strings.Replace(makeUpstream, "NAMES", strings.Join(slices.Compact(missing), " "), 1))
	w.must(t, "infra", "-t", "repo")
	w.must(t, "node", "-t", "node_repo")
	for _, args := range [][]string{{"plan", "infra", "-t", "repo"}, {"plan", "node", "-t", "node_repo"}, {"repo", "diff"}} {
		if r := w.must(t, args...); !strings.Contains(r.out, "nothing to do") {
			t.Errorf("pigsty %s:\n%s", strings.Join(args, " "), r.out)
		}
	}
	if out := w.on(t, 11, "rpm -K --define '_pkgverify_level all' /www/pigsty/*.rpm && dnf -y --disablerepo='*' --enablerepo=local install sample-app && rpm -q sample-app sample-lib"); !strings.Contains(out, "sample-app-1.4~rc2-1.el9.noarch") {
		t.Error(out)
	}
	w.on(t, 11, "dnf -y remove sample-app sample-lib")
	for name, change := range map[string]string{
		"package": "for f in sample-app-*.rpm; do printf x >>$f; done",
		"index":   "createrepo_c -q --update .",
		"both":    "for f in sample-app-*.rpm; do printf x >>$f; done; createrepo_c -q .",
	} {
		out := w.on(t, 11, "rm -rf /srv/changed && cp -r /www/pigsty /srv/changed && cd /srv/changed && { "+change+"; } && "+
			"sed 's|file:///www/pigsty|file:///srv/changed|; s|local|changed|' /etc/yum.repos.d/local.repo >/etc/yum.repos.d/changed.repo && "+
			"! dnf -y --disablerepo='*' --enablerepo=changed --setopt=cachedir=/root/cache-"+name+" install sample-app 2>&1; rm /etc/yum.repos.d/changed.repo; ! rpm -q sample-app >/dev/null && echo refused")
		if !strings.HasSuffix(out, "refused") || !strings.Contains(out, "checksum") && !strings.Contains(out, "GPG signature verification error") {
			t.Errorf("a changed %s:\n%s", name, out)
		}
	}
}
