package e2e

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// repositoryParts turn off what Debian does not carry.
var repositoryParts = []string{"grafana_enabled: false", "vlogs_enabled: false", "vtraces_enabled: false"}

// noNetwork is a cluster on the host that is to have no network.
const noNetwork = `
etcd: { hosts: { NET.12: { etcd_seq: 1 } }, vars: { etcd_cluster: etcd } }
pg-meta: { hosts: { NET.12: { pg_seq: 1, pg_role: primary } }, vars: { pg_cluster: pg-meta } }
`

// online are the hosts beside it.
var online = []string{"-l", "infra:nodes"}

// TestRepository builds the deployment's own repository on an infra node, cuts a host
// off from all others and installs from it, carries it to where there is no network
// and deploys there, and builds one for dnf out of packages that rpmbuild and
// createrepo_c made.
func TestRepository(t *testing.T) {
	w := newBareWorld(t, "10.10.45.0/24", 10, 11, 12)
	w.inventory(t, `
infra: { hosts: { NET.10: { infra_seq: 1 } } }
nodes: { hosts: { NET.11: { node_packages: [ jq ] } } }
`+noNetwork, append(repositoryParts, "repo_extra_packages: [ pgvector, etcd-client ]")...)
	w.inOrder(t, []scenario{
		{"unresolvable", unresolvable},
		{"build and use", buildRepository},
		{"each tag is its part alone", repositoryTags},
		{"packages put there by hand", packagesByHand},
		{"a package that hosts lack", lackedPackage},
		{"host without network", installOffline},
		{"a package is tampered with", tamperedPackage},
		{"host that nobody manages", unmanagedHost},
		{"offline package", offlinePackage},
		{"site without network", siteWithoutNetwork},
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
	w.must(t, append([]string{"deploy"}, online...)...)
	w.on(t, 10, "test -e /www/pigsty/repo_complete && ls /www/pigsty/postgresql-17-pgvector_*.deb /www/pigsty/jq_*.deb /www/pigsty/libc6_*.deb")
	w.on(t, 10, "! find / -xdev -name repo.key | grep .")
	if out := w.on(t, 11, "apt-cache policy jq"); !strings.Contains(out, w.addr(10)+":80/pigsty") {
		t.Errorf("the host does not know the repository:\n%s", out)
	}
	if r := w.must(t, append([]string{"plan"}, online...)...); !strings.Contains(r.out, "nothing to do") {
		t.Errorf("again:\n%s", r.out)
	}
	if r := w.must(t, "repo", "diff"); !strings.Contains(r.out, "nothing to do") {
		t.Errorf("upstreams did not change:\n%s", r.out)
	}
}

// slowly is on for what may take minutes, such as installing packages.
func (w *world) slowly(t *testing.T, n byte, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	out, err := w.box.Exec(ctx, w.addr(n), "sh", "-c", script)
	if err != nil {
		t.Fatalf("on %s: %s: %v", w.addr(n), script, err)
	}
	return strings.TrimSpace(string(out))
}

// repositoryDamage does harm to something of each part of the repository.
const repositoryDamage = "rm /www/pigsty/InRelease /www/pigsty.sources /etc/apt/sources.list.d/local.list && chmod 700 /data/nginx && " +
	"echo '# damage' >>/etc/nginx/nginx.conf && systemctl stop nginx"

// repositoryFinds are the tags of the repository with what each finds of the damage.
var repositoryFinds = map[string][]string{
	"repo_dir":     {"dir /data/nginx"},
	"repo_check":   {"repository /www/pigsty"},
	"repo_prepare": {"file /etc/apt/sources.list.d/local.list", "package index", "repository /www/pigsty"},
	"repo_build":   {"repository /www/pigsty"}, "repo_new": {"repository /www/pigsty"}, "repo_upstream": {"repository /www/pigsty"},
	"repo_remove": {"repository /www/pigsty"}, "repo_add": {"repository /www/pigsty"}, "repo_url_pkg": {"repository /www/pigsty"},
	"repo_cache": {"repository /www/pigsty"}, "repo_boot_pkg": {"repository /www/pigsty"}, "repo_pkg": {"repository /www/pigsty"},
	"repo_create": {"repository /www/pigsty"},
	"repo_use":    {"file /etc/apt/sources.list.d/local.list", "file /www/pigsty.sources", "package index"},
	"repo_nginx":  {"dir /data/nginx", "file /etc/nginx/nginx.conf", "file /www/pigsty.sources", "unit nginx.service"},
}

// repositoryTags plans each tag of the repository alone, and applies some.
func repositoryTags(t *testing.T, w *world) {
	w.on(t, 10, repositoryDamage)
	for tag, want := range repositoryFinds {
		if got := w.found(t, "infra", "-t", tag); !slices.Equal(got, want) {
			t.Errorf("-t %s finds\n%q, not\n%q", tag, got, want)
		}
	}
	for _, part := range []struct{ tag, has, lacks string }{
		{"repo_create", "test -e /www/pigsty/InRelease", "test -e /etc/apt/sources.list.d/local.list"},
		{"repo_use", "test -e /etc/apt/sources.list.d/local.list", "systemctl -q is-active nginx"},
		{"repo_nginx", "systemctl -q is-active nginx", "grep damage /etc/nginx/nginx.conf"},
	} {
		w.must(t, "infra", "-t", part.tag)
		w.on(t, 10, part.has+" && ! "+part.lacks)
		if got := w.found(t, "infra", "-t", part.tag); len(got) > 0 {
			t.Errorf("-t %s has left %q", part.tag, got)
		}
	}
	w.settled(t, online...)
}

// packagesByHand puts a package into the repository that no upstream has.
func packagesByHand(t *testing.T, w *world) {
	w.on(t, 10, `mkdir -p /root/hand/DEBIAN && printf 'Package: hand\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\nDescription: made by hand\n' >/root/hand/DEBIAN/control &&
dpkg-deb --build /root/hand /www/pigsty/hand.deb`)
	if r := w.must(t, "plan", "infra", "-t", "repo"); !strings.Contains(r.out, "put there by hand: hand.deb") {
		t.Errorf("the plan does not say what is there:\n%s", r.out)
	}
	w.must(t, "infra", "-t", "repo_create")
	w.slowly(t, 11, "apt-get update -q && apt-get install -q -y hand")
	w.must(t, "repo", "update", "-y")
	w.on(t, 10, "test -e /www/pigsty/hand.deb && grep -qx 'Package: hand' /www/pigsty/Packages")
}

// makeVector makes a package under the name of one that nodes install and that Debian
// does not carry, and puts it into the repository.
const makeVector = `mkdir -p /root/vector/DEBIAN /root/vector/usr/bin && cd /root/vector &&
printf 'Package: vector\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.com>\nDescription: made by hand\n' >DEBIAN/control &&
printf '#!/bin/sh\ntest "$1" = validate && exit\ntrap "" HUP\nexec sleep infinity\n' >usr/bin/vector && chmod 755 usr/bin/vector &&
dpkg-deb --build . /www/pigsty/vector_1.0_all.deb`

// lackedPackage builds what hosts went without: their plans name it, and one run
// installs it. What was built before is nothing to them.
func lackedPackage(t *testing.T, w *world) {
	w.on(t, 11, "! dpkg -s vector && ! apt-cache show vector && systemctl list-unit-files | grep -c vector | grep -qx 0")
	w.settled(t, online...)
	w.on(t, 10, makeVector)
	w.must(t, "infra", "-t", "repo_create")
	const news = "the deployment's repository has vector now"
	if r := w.must(t, append([]string{"plan"}, online...)...); strings.Count(r.out, news) != 2 || !strings.Contains(r.out, "? unit vector.service  known after the package index is read") {
		t.Errorf("the plan does not say what is there now:\n%s", r.out)
	}
	if got := w.found(t, online...); !slices.Equal(got, []string{"package index", "package index", "packages", "packages"}) {
		t.Errorf("the plan is to change %q", got)
	}
	w.must(t, "node", "-l", w.addr(11))
	w.on(t, 11, "systemctl is-active vector")
	if got := w.found(t, online...); !slices.Equal(got, []string{"package index", "packages"}) {
		t.Errorf("for the infra node the plan is to change %q", got)
	}
	w.must(t, "infra")
	w.on(t, 10, "systemctl is-active vector && rm -r /root/vector")
	w.settled(t, online...)
}

// tamperedPackage changes a package where it is served. The next build mends it.
func tamperedPackage(t *testing.T, w *world) {
	w.on(t, 10, "cd /www/pigsty && f=$(ls etcd-client_*.deb) && cp $f /root/changed && printf x >>/root/changed && mv /root/changed $f")
	out := w.on(t, 11, "rm -f /var/cache/apt/archives/etcd-client_*; ! apt-get install -q -y --reinstall -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/local.list "+
		"-o Dir::Etc::sourceparts=/dev/null etcd-client 2>&1")
	if !strings.Contains(out, "unexpected size") && !strings.Contains(out, "Hash Sum mismatch") {
		t.Errorf("apt does not say what is wrong:\n%s", out)
	}
	w.must(t, "infra", "-t", "repo_create")
	w.on(t, 11, "apt-get install -q -y --reinstall -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/local.list -o Dir::Etc::sourceparts=/dev/null etcd-client")
}

// unmanagedHost has a host use the repository by the file that is served for that,
// and fetches by domain what others do.
func unmanagedHost(t *testing.T, w *world) {
	w.slowly(t, 12, "mkdir /root/apt && mv /etc/apt/sources.list /root/apt/ && curl -fsSo /etc/apt/sources.list.d/pigsty.sources http://"+w.addr(10)+"/pigsty.sources && "+
		"apt-get update -q -o APT::Update::Error-Mode=any && apt-get install -q -y hand && apt-get purge -q -y hand && rm /etc/apt/sources.list.d/pigsty.sources && mv /root/apt/sources.list /etc/apt/")
	c := w.browser(t, 10)
	if text := w.get(t, c, "https://i.pigsty/pigsty/InRelease", 200); !strings.Contains(text, "BEGIN PGP SIGNED MESSAGE") {
		t.Errorf("the index has no signature:\n%s", text)
	}
	key := w.get(t, c, "https://i.pigsty/pigsty/pigsty.asc", 200)
	if text := w.get(t, c, "https://i.pigsty/pigsty.sources", 200); !strings.Contains(text, strings.Split(key, "\n")[3]) {
		t.Errorf("it is not about the key\n%s:\n%s", key, text)
	}
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

// siteWithoutNetwork has a host that reaches nothing beyond its own network deploy on
// itself, out of an offline package and nothing else: a deployment with keys of its own.
// Its sources are those that it came with.
func siteWithoutNetwork(t *testing.T, w *world) {
	w.on(t, 10, "cp /root/pkg.tgz /www/pkg.tgz")
	w.on(t, 12, "cd /root && curl -fsSO http://"+w.addr(10)+"/pkg.tgz && ip route del default && rm -f /var/cache/apt/archives/*.deb && "+
		"grep -q '^deb http' /etc/apt/sources.list && ! apt-get update -q -o APT::Update::Error-Mode=any")
	w.on(t, 12, "cd /root && tar xzf pkg.tgz bin/pigsty && bin/pigsty repo unpack pkg.tgz")
	away := *w
	away.dir = filepath.Join(w.box.Dir(), "away")
	if err := os.MkdirAll(away.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	away.inventory(t, "infra: { hosts: { NET.12: { infra_seq: 1 } } }"+noNetwork, append(repositoryParts, "admin_ip: "+w.addr(12), "ansible_connection: local")...)
	text, err := os.ReadFile(filepath.Join(away.dir, "pigsty.yml"))
	if err != nil {
		t.Fatal(err)
	}
	w.on(t, 12, "cat >/root/pigsty.yml <<'END'\n"+string(text)+"END")
	began := time.Now()
	if out := w.slowly(t, 12, "cd /root && bin/pigsty deploy 2>&1 || echo failed"); strings.HasSuffix(out, "failed") {
		t.Fatalf("deployed on itself:\n%s", out)
	}
	t.Logf("deployed in %s", time.Since(began).Round(100*time.Millisecond))
	if out := w.slowly(t, 12, "cd /root && bin/pigsty plan 2>&1"); !strings.Contains(out, "nothing to do") {
		t.Errorf("again:\n%s", out)
	}
	if got := w.query(t, 12, "postgres", "SELECT NOT pg_is_in_recovery()"); got != "t" {
		t.Errorf("there is no primary: %q", got)
	}
	w.on(t, 12, "systemctl is-active nginx vmetrics vmalert alertmanager blackbox_exporter.socket dnsmasq")
	w.on(t, 12, "! ip route | grep ^default && rm /root/pkg.tgz && curl -fsS -o /dev/null http://"+w.addr(12)+"/pigsty/InRelease")
	w.on(t, 10, "rm /www/pkg.tgz")
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
	w.inventory(t, "infra: { hosts: { NET.11: { infra_seq: 1 } } }", "admin_ip: "+w.addr(11), "nginx_enabled: false", "repo_modules: infra", "repo_packages: [ sample-app ]", "repo_extra_packages: []",
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
	// Another repository does not answer, and is not to be done without for dnf.
	w.on(t, 11, `printf "[gone]\nname=gone\nbaseurl=http://127.0.0.1:9/\nskip_if_unavailable=0\n" >/etc/yum.repos.d/gone.repo && ! dnf -q --refresh makecache`)
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
	w.on(t, 11, "rm /etc/yum.repos.d/gone.repo")
	w.on(t, 11, "dnf -y remove sample-app sample-lib")
	// The same by the file that is served for hosts that nobody manages.
	w.on(t, 11, "sed 's|http://[^/ ]*/|file:///www/|g' /www/pigsty.repo >/etc/yum.repos.d/other.repo && dnf -y --disablerepo='*' --enablerepo=pigsty install sample-app && "+
		"dnf -y remove sample-app sample-lib && rm /etc/yum.repos.d/other.repo")
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
