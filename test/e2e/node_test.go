package e2e

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestNode takes two hosts that share a virtual address through what NODE does
// to them, and back.
func TestNode(t *testing.T) {
	w := newBareWorld(t, "10.10.47.0/24", 10, 11)
	w.inOrder(t, []scenario{
		{"firewall that would cut the connection", cutOff},
		{"firewall with rules of others that shut everybody out", shutOut},
		{"virtual router of somebody else", strangeRouter},
		{"deploy", nodes},
		{"service with lines of its own", ownService},
		{"time", clocks},
		{"HAProxy of the virtual address's holder stops", addressMoves},
		{"holder of the virtual address is lost", holderLost},
		{"rule that is no longer declared", ruleGoes},
		{"node leaves the virtual address and the others", leaves},
		{"hosts are as they were before", nodesBack},
	})
}

// proxies is the inventory. The firewall lets in what comes from the sandbox's
// network only by its port. One node has its repository from the inventory.
const proxies = `
proxy:
  hosts:
    NET.10: { vip_role: master }
    NET.11: { node_repo_modules: base, node_repo_remove: true }
  vars:
    node_dns_servers: [ NET.1 ]
    repo_upstream:
      - { name: base, module: base, releases: [13], arch: [x86_64, aarch64], baseurl: { default: 'ARCHIVE' } }
    node_cluster: proxy
    vip_enabled: true
    vip_address: NET.99
    vip_vrid: 47
    node_firewall_intranet: [ 192.168.0.0/16 ]
`

// proxiesOf is proxies with the archive that the hosts came with.
func proxiesOf(t *testing.T, w *world) string {
	t.Helper()
	return strings.Replace(proxies, "ARCHIVE", w.on(t, 10, "sed -n 's/^deb //p' /etc/apt/sources.list | head -n 1"), 1)
}

// installed are the packages that NODE installs, and those that it finds: a
// firewall, each host another, and on one systemd-resolved. They are there before
// it comes, so that what differs afterwards is not theirs.
const installed = "haproxy keepalived prometheus-node-exporter chrony curl rsync lz4 zstd openssl tar tzdata procps sudo iproute2 ca-certificates openssh-server "

// found is what each host has besides: packages, and how somebody set them up.
// There is a rule that ours must not go behind, and a HAProxy that comes back.
var found = map[byte][2]string{
	10: {"ufw systemd-resolved", "systemctl restart systemd-resolved; ufw allow 8443/tcp comment theirs; ufw deny from GATEWAY; " + theirProxy},
	11: {"firewalld", "systemctl reload dbus; systemctl disable -q firewalld; firewall-offline-cmd --quiet --zone=public --add-port=8443/tcp"},
}

// theirProxy is somebody's HAProxy, which says whose it is.
const theirProxy = `cat > /etc/haproxy/haproxy.cfg <<'END'
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend theirs
    bind :8081
    http-request return status 200 content-type text/plain string theirs
END
systemctl enable -q --now haproxy`

// before is what hosts were, by the last byte of their addresses.
var before = map[byte][]string{}

func cutOff(t *testing.T, w *world) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for n, has := range found {
		script := "printf '#!/bin/sh\\nexit 101\\n' > /usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d; " +
			"DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends " + installed + has[0] + " >/dev/null; rm /usr/sbin/policy-rc.d; " +
			"for u in haproxy keepalived prometheus-node-exporter chrony; do systemctl disable -q --now $u; done; " +
			strings.ReplaceAll(has[1], "GATEWAY", w.box.Gateway().String())
		all.Go(func() {
			if out, err := w.box.Exec(ctx, w.addr(n), "sh", "-c", script); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	all.Wait()
	for n := range found {
		before[n] = state(t, w, n)
	}
	w.inventory(t, proxiesOf(t, w), "node_firewall_public_port: [ 80 ]")
	r := w.pigsty(t, "node", "-t", "node_firewall")
	want := "would cut the connection from " + w.box.Gateway().String() + " to port 22 that this host is worked on through: add 22 to node_firewall_public_port"
	if r.status == 0 || !strings.Contains(r.out, want) {
		t.Fatalf("status %d, want one with %q\n%s", r.status, want, r.out)
	}
	if out := w.on(t, 10, "ufw status"); !strings.Contains(out, "inactive") {
		t.Errorf("the firewall is on: %s", out)
	}
}

// shutters are rules that somebody wrote by hand on each host, and that nobody sees
// before the firewall is on: one cuts the connections that there are, the other keeps
// new ones away. What undoes them follows.
var shutters = map[byte][2]string{
	10: {"sed -i.theirs 's/^# End required lines/&\\n-A ufw-before-input -p tcp --dport 22 -j DROP/' /etc/ufw/before.rules",
		"mv /etc/ufw/before.rules.theirs /etc/ufw/before.rules"},
	11: {`mkdir -p /etc/firewalld/policies; cat > /etc/firewalld/policies/theirs.xml <<'END'
<?xml version="1.0" encoding="utf-8"?>
<policy priority="-10" target="CONTINUE">
  <ingress-zone name="ANY"/><egress-zone name="HOST"/>
  <rule family="ipv4"><port port="22" protocol="tcp"/><drop/></rule>
</policy>
END`, "rm /etc/firewalld/policies/theirs.xml"},
}

func shutOut(t *testing.T, w *world) {
	const rules = "cat /etc/ufw/user.rules /etc/ufw/ufw.conf 2>/dev/null; ls /etc/firewalld/zones /etc/firewalld/policies 2>/dev/null || true"
	theirs, were := map[byte][]string{}, map[byte]string{}
	for n, shutter := range shutters {
		w.on(t, n, shutter[0])
		theirs[n], were[n] = state(t, w, n), w.on(t, n, rules)
	}
	w.inventory(t, proxiesOf(t, w), "node_firewall_public_port: [ 22 ]")
	r := w.pigsty(t, "node", "-t", "node_firewall")
	out := strings.Join(strings.Fields(r.out), " ") // as if lines were not wrapped
	for n, dir := range map[byte]string{10: "ufw", 11: "firewalld"} {
		why := "by rules in /etc/" + dir + " that are not ours (no answer within 6s)"
		if n == 11 && !strings.Contains(out, why) { // the connection in use goes on there: a new one tells sooner
			why = strings.Replace(why, "no answer within 6s", w.addr(11)+": connect: no answer from "+w.addr(11)+":22 within 4s", 1)
		}
		_, said, _ := strings.Cut(out, "✗ "+w.addr(n)+" firewall: ")
		said, _, _ = strings.Cut(said, " ✗ ")
		if r.status == 0 || !strings.Contains(said, why) || !strings.Contains(said, "it is off again, with the rules that it had") {
			t.Errorf("status %d, and %s does not say %q", r.status, w.addr(n), why)
		}
		if now := w.on(t, n, rules); now != were[n] {
			t.Errorf("the rules of %s were\n%s\nand are\n%s", w.addr(n), were[n], now)
		}
		if now := state(t, w, n); !slices.Equal(now, theirs[n]) {
			t.Errorf("%s was\n%s\nand is\n%s", w.addr(n), strings.Join(theirs[n], "\n"), strings.Join(now, "\n"))
		}
		if timers := w.on(t, n, "systemctl list-units --all --no-legend 'pigsty-firewall-undo*'"); timers != "" {
			t.Errorf("the firewall of %s will be turned off once more: %s", w.addr(n), timers)
		}
	}
	if t.Failed() {
		t.Log(r.out)
	}
	w.must(t, "plan", "node", "-t", "node_firewall") // over SSH
	for n, shutter := range shutters {
		w.on(t, n, shutter[1])
	}
}

func strangeRouter(t *testing.T, w *world) {
	const theirs = "/etc/keepalived/keepalived.conf"
	w.on(t, 11, "cat > "+theirs+` <<'END'
vrrp_instance theirs {
    interface host0
    virtual_router_id 47
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass theirs
    }
    virtual_ipaddress {
        `+w.addr(98)+`
    }
}
END
sed -i "s/host0/$(ip -o -4 addr show to `+w.addr(11)+` | awk '{ print $2 }')/" `+theirs+`
systemctl start keepalived`)
	eventually(t, 2*time.Minute, "somebody's keepalived has its address", func() error {
		if w.on(t, 11, "ip -o -4 addr show to "+w.addr(98)) == "" {
			return errors.New("it has not")
		}
		return nil
	})
	alone, _, _ := strings.Cut(proxiesOf(t, w), "    NET.11:")
	_, vars, _ := strings.Cut(proxiesOf(t, w), "  vars:\n")
	w.inventory(t, alone+"  vars:\n"+vars, "node_firewall_public_port: [ 22, 80, 9101 ]")
	r := w.pigsty(t, "node", "-t", "node_vip")
	out := strings.Join(strings.Fields(r.out), " ")
	if want := w.addr(11) + " announces virtual router 47 on the network of "; r.status == 0 || !strings.Contains(out, want) || !strings.Contains(out, "choose another vip_vrid") {
		t.Errorf("status %d, want one with %q\n%s", r.status, want, r.out)
	}
	if out := w.on(t, 10, "ls /etc/keepalived"); strings.Contains(out, "conf.d") {
		t.Errorf("the node takes part in it: %s", out)
	}
	w.inventory(t, strings.Replace(alone+"  vars:\n"+vars, "vip_vrid: 47", "vip_vrid: 48", 1), "node_firewall_public_port: [ 22, 80, 9101 ]")
	w.must(t, "plan", "node", "-t", "node_vip")
	w.on(t, 11, "systemctl stop keepalived; rm "+theirs)
}

func nodes(t *testing.T, w *world) {
	w.inventory(t, proxiesOf(t, w), "node_firewall_public_port: [ 22, 80, 9101 ]")
	w.must(t, "node")
	r := w.must(t, "plan", "node", "-v")
	for _, skip := range []string{
		"chrony skipped: a container has the clock of its machine",
		"selinux skipped: a container shares its kernel",
		"no configured repository has vector",
		"no configured repository has keepalived-exporter",
	} {
		if !strings.Contains(r.out, skip) {
			t.Errorf("it does not say %q:\n%s", skip, r.out)
		}
	}
	w.settled(t, "node")
	if out := w.on(t, 10, "ufw status"); !strings.Contains(out, "Status: active") || !strings.Contains(out, "8443") || !strings.Contains(out, "DENY") {
		t.Errorf("ufw:\n%s", out)
	}
	if out := w.on(t, 11, "firewall-cmd --policy=pigsty-public --list-ports; firewall-cmd --zone=public --list-ports"); out != "22/tcp 80/tcp 9101/tcp\n8443/tcp" {
		t.Errorf("firewalld:\n%s", out)
	}
	if out := w.on(t, 10, "resolvectl dns"); !strings.Contains(out, w.addr(1)) {
		t.Errorf("systemd-resolved asks\n%s", out)
	}
	if out := w.on(t, 11, "cat /etc/resolv.conf; ls /etc/apt/backup /etc/apt/sources.list.d"); !strings.Contains(out, "nameserver "+w.addr(1)) ||
		!strings.Contains(out, "sources.list\n") || !strings.Contains(out, "base.list") {
		t.Errorf("name servers and repositories:\n%s", out)
	}
	for _, n := range []byte{10, 11} {
		w.on(t, n, "curl --silent --fail http://127.0.0.1:9100/metrics | grep --quiet '^node_load1 '")
		w.on(t, n, `systemctl start pigsty-certificates.service
curl --silent --fail http://127.0.0.1:9100/metrics | grep --quiet '^pigsty_certificate_expiry_seconds{path="/etc/pki/ca.crt"} [1-9]'`)
		if out := w.on(t, n, toOther(w, n)); !strings.Contains(out, "dba") {
			t.Errorf("the administrator of %s is on the other node %q", w.addr(n), out)
		}
		if out := w.on(t, n, "systemctl list-units --all --no-legend 'pigsty-firewall-undo*'"); out != "" {
			t.Errorf("the firewall will be turned off again: %s", out)
		}
	}
	holder(t, w)
}

// ownService publishes what a node has at a port of its own, with lines that only
// HAProxy understands, until it is declared no longer.
func ownService(t *testing.T, w *world) {
	ask := "curl --silent --fail --max-time 5 http://" + w.addr(10) + ":9110/metrics"
	ports := "node_firewall_public_port: [ 22, 80, 9101 ]"
	w.inventory(t, proxiesOf(t, w), ports, `haproxy_services: [ { name: own, port: 9110, protocol: http, options: [ "option httpchk GET /metrics", "http-check expect status 200" ],
      servers: [ { name: exporter, ip: 127.0.0.1, port: 9100, options: check } ] } ]`)
	w.must(t, "node", "-t", "haproxy")
	w.on(t, 11, ask+" | grep --quiet '^node_load1 '")
	eventually(t, time.Minute, "the check that was declared is made", func() error {
		const checked = `^haproxy_server_check_status{proxy="own",server="exporter",state="L7OK"} 1$`
		if out := w.on(t, 10, "curl --silent http://127.0.0.1:9101/metrics | grep '^haproxy_server_check_status{proxy=\"own\".* 1$' || true"); !regexp.MustCompile(checked).MatchString(out) {
			return fmt.Errorf("HAProxy says %s", out)
		}
		return nil
	})
	w.inventory(t, proxiesOf(t, w), ports)
	w.must(t, "node", "-t", "haproxy")
	eventually(t, time.Minute, "the service is gone", func() error {
		if out := w.on(t, 11, ask+" >/dev/null && echo answers; true"); out != "" {
			return errors.New(out)
		}
		return nil
	})
	w.settled(t, "node")
}

// toOther is how the administrator of the host n goes to the other node, and says
// who that is there.
func toOther(w *world, n byte) string {
	return "su - dba -c 'ssh -o BatchMode=yes " + w.addr(21-n) + " id -un'"
}

// holder waits until exactly one of hosts has the virtual address, and returns which.
func holder(t *testing.T, w *world, hosts ...byte) byte {
	t.Helper()
	if len(hosts) == 0 {
		hosts = []byte{10, 11}
	}
	var who byte
	eventually(t, 2*time.Minute, "one node has the virtual address", func() error {
		var all []byte
		for _, n := range hosts {
			if w.on(t, n, "ip -o -4 addr show to "+w.addr(99)) != "" {
				all = append(all, n)
			}
		}
		if len(all) != 1 {
			return fmt.Errorf("%d have it", len(all))
		}
		who = all[0]
		return nil
	})
	return who
}

func addressMoves(t *testing.T, w *world) {
	staysAway(t, w, func(first byte) {
		w.on(t, first, "systemctl stop haproxy")
		eventually(t, 2*time.Minute, "the address moves", func() error {
			if holder(t, w) == first {
				return errors.New("it is still where HAProxy is stopped")
			}
			return nil
		})
		w.must(t, "node", "-t", "haproxy")
		time.Sleep(6 * time.Second) // as long as an election takes, and a while
	})
	w.settled(t, "node")
}

func holderLost(t *testing.T, w *world) {
	staysAway(t, w, func(first byte) {
		other := byte(21) - first
		if err := w.box.Stop(context.Background(), w.addr(first)); err != nil {
			t.Fatal(err)
		}
		holder(t, w, other)
		w.on(t, other, "curl --silent --output /dev/null http://"+w.addr(99)+":9101/")
		powerOn(t, w, first)
	})
	w.settled(t, "node")
}

// staysAway checks that the virtual address does not go back to who had it, when
// that is well again. A new holder that is held up for seconds loses it to whoever
// is there: what happens three times is not that.
func staysAway(t *testing.T, w *world, move func(first byte)) {
	t.Helper()
	for range 3 {
		first := holder(t, w)
		move(first)
		if holder(t, w) != first {
			return
		}
	}
	t.Error("the address went back, though vip_preempt is off")
}

func ruleGoes(t *testing.T, w *world) {
	w.inventory(t, proxiesOf(t, w), "node_firewall_public_port: [ 22, 9101 ]")
	if r := w.must(t, "node", "-t", "node_firewall"); !strings.Contains(r.out, "rule: open 80/tcp") {
		t.Errorf("the plan does not name the rule:\n%s", r.out)
	}
	if out := w.on(t, 10, "ufw status"); strings.Contains(out, "80/tcp") || !strings.Contains(out, "22/tcp") || !strings.Contains(out, "8443/tcp") {
		t.Errorf("the rules are:\n%s", out)
	}
	// What works now is not what the files say, as after a run that was cut off.
	w.on(t, 11, "firewall-cmd --quiet --policy=pigsty-public --remove-port=22/tcp")
	if r := w.must(t, "node", "-t", "node_firewall"); !strings.Contains(r.out, "rule: open 22/tcp") {
		t.Errorf("the plan does not name the rule:\n%s", r.out)
	}
	w.settled(t, "node")
}

func leaves(t *testing.T, w *world) {
	w.inventory(t, strings.Replace(proxiesOf(t, w), "NET.11: {", "NET.11: { vip_enabled: false, node_admin_ssh_exchange: false,", 1),
		"node_firewall_public_port: [ 22, 9101 ]")
	w.must(t, "node", "-t", "node_vip,node_admin")
	if out := w.on(t, 11, "systemctl is-active keepalived; ls /etc/keepalived"); strings.Contains(out, "conf.d") || !strings.Contains(out, "inactive") {
		t.Errorf("keepalived is left:\n%s", out)
	}
	if who := holder(t, w); who != 10 {
		t.Errorf("the address is at %s", w.addr(who))
	}
	for _, n := range []byte{10, 11} {
		if out := w.on(t, n, toOther(w, n)+" || echo refused"); !strings.Contains(out, "refused") {
			t.Errorf("the administrator of %s is let in by the other node: %s", w.addr(n), out)
		}
	}
	w.settled(t, "node")
}

func nodesBack(t *testing.T, w *world) {
	w.must(t, "node-rm", "--yes", w.addr(10), "--yes", w.addr(11))
	w.settled(t, "node-rm")
	if out := w.on(t, 10, "curl --silent http://127.0.0.1:8081/"); out != "theirs" {
		t.Errorf("the HAProxy that was there before says %q", out)
	}
	for n, was := range before {
		now := state(t, w, n)
		for _, line := range was {
			if !slices.Contains(now, line) {
				t.Errorf("%s had and lacks %s", w.addr(n), line)
			}
		}
		for _, line := range now {
			if !slices.Contains(was, line) {
				t.Errorf("%s has and had not %s", w.addr(n), line)
			}
		}
	}
}

// state lists the files of a host with what they are, its units with what they
// do, and the rules of its firewall. Left out is what the documentation says
// stays (accounts, the CA, the data directory), what packages and programs write
// themselves (keepalived names its routes in /etc/iproute2), and what a reboot does.
func state(t *testing.T, w *world, n byte) []string {
	t.Helper()
	out := w.on(t, n, `
files() { find /etc /usr/local /opt /srv /data /root /usr/sbin/policy-rc.d -xdev \( -path /etc/ufw -o -path /etc/pki -o -path /etc/ssl/certs \
 -o -path /usr/local/share/ca-certificates -o -path /etc/ssh -o -path /root/.ssh -o -path /etc/iproute2 \) -prune -o "$@" 2>/dev/null; }
ours() { grep -Ev ' /data$| /etc/((passwd|group|shadow|gshadow|subuid|subgid)-?|ca-certificates.conf|machine-id|mtab|\.pwd\.lock)$'; }
{ files -type d -printf 'directory %m %u %p\n'; files -type l -printf 'link %l %p\n'; files -type f -printf 'file %m %u %p\n'; } | ours
files -type f -print0 | xargs -0 sha256sum | ours
systemctl list-unit-files --no-legend --type=service,timer,socket | awk '{ print "unit " $1 " " $2 }'
systemctl list-units --no-legend --type=service,timer,socket --state=active --plain | grep -Ev '^(user|session|run|apt|dpkg|man-db|systemd-|e2scrub|fstrim|logrotate|ldconfig|ufw|polkit)' | awk '{ print "active " $1 }'
ufw status 2>/dev/null | sort
firewall-offline-cmd --list-all-zones 2>/dev/null || true
`)
	return strings.Split(out, "\n")
}
