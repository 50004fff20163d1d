package e2e

import (
	"bufio"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// infraDamage does harm to one thing of each part of an infra node.
const infraDamage = `rm /etc/profile.d/pglog.sh ~/.pg_service.conf ~/.pigstyrc /etc/pki/infra.crt /etc/dnsmasq.d/pigsty/default /infra/rules/etcd.yml /infra/targets/ping/NODE.yml
chmod 700 /infra/conf
gpasswd -d nginx infra
chmod 700 /infra/datasources
echo hello > /www/index.html
for f in /etc/nginx/conf.d/metrics.conf /etc/default/nginx_exporter /infra/prometheus.yml /etc/default/alertmanager /etc/blackbox.yml; do echo '# damage' >> $f; done`

// infraParts are the tags of runbooks with what each finds of the damage, and
// nothing else.
var infraParts = []struct {
	tags  string
	finds []string
}{
	{"infra", []string{"cert /etc/pki/infra.crt", "dir /infra/conf", "dir /infra/datasources", "file /data/nginx/index.html",
		"file /etc/blackbox.yml", "file /etc/default/alertmanager", "file /etc/default/nginx_exporter", "file /etc/dnsmasq.d/pigsty/default",
		"file /etc/nginx/conf.d/metrics.conf", "file /etc/profile.d/pglog.sh", "file /infra/prometheus.yml", "file /infra/rules/etcd.yml",
		"file /infra/targets/ping/NODE.yml", "lines /root/.pg_service.conf # pigsty", "lines /root/.pigstyrc # pigsty",
		"unit alertmanager.service", "unit blackbox_exporter.service", "unit dnsmasq.service", "unit nginx.service",
		"unit nginx_exporter.service", "unit vmalert.service", "unit vmetrics.service", "user nginx"}},
	{"infra_env", []string{"dir /infra/conf", "file /etc/profile.d/pglog.sh", "lines /root/.pg_service.conf # pigsty", "lines /root/.pigstyrc # pigsty"}},
	{"env_dir", []string{"dir /infra/conf"}},
	{"env_pg", []string{"lines /root/.pg_service.conf # pigsty"}},
	{"env_var", []string{"lines /root/.pigstyrc # pigsty"}},
	{"env_dir,env_pg,env_var", []string{"dir /infra/conf", "lines /root/.pg_service.conf # pigsty", "lines /root/.pigstyrc # pigsty"}},
	{"env_pgadmin", nil},
	{"infra_pkg", nil},
	{"infra_pkg_yum,infra_pkg_pip", nil},
	{"infra_user", []string{"user nginx"}},
	{"infra_dir", []string{"dir /infra/datasources"}},
	{"infra_cert", []string{"cert /etc/pki/infra.crt"}},
	{"dns", []string{"file /etc/dnsmasq.d/pigsty/default", "unit dnsmasq.service"}},
	{"dns_config", nil},
	{"dns_launch", []string{"unit dnsmasq.service"}},
	{"dns_record", []string{"file /etc/dnsmasq.d/pigsty/default", "unit dnsmasq.service"}},
	{"nginx", []string{"file /data/nginx/index.html", "file /etc/default/nginx_exporter", "file /etc/nginx/conf.d/metrics.conf",
		"unit nginx.service", "unit nginx_exporter.service"}},
	{"nginx_index", []string{"file /data/nginx/index.html"}},
	{"nginx_static", []string{"file /data/nginx/index.html"}},
	{"nginx_launch", []string{"unit nginx.service"}},
	{"nginx_config,nginx_reload", []string{"file /etc/nginx/conf.d/metrics.conf", "unit nginx.service"}},
	{"nginx_cert", nil},
	{"nginx_exporter", []string{"file /etc/default/nginx_exporter", "unit nginx_exporter.service"}},
	{"victoria", []string{"file /infra/prometheus.yml", "file /infra/rules/etcd.yml", "unit vmalert.service", "unit vmetrics.service"}},
	{"vmetrics_config,vmetrics_launch", []string{"file /infra/prometheus.yml", "unit vmetrics.service"}},
	{"vlogs_config,vlogs_launch", nil},
	{"vmalert", []string{"file /infra/rules/etcd.yml", "unit vmalert.service"}},
	{"vmetrics,vlogs,vtraces,vmalert", []string{"file /infra/prometheus.yml", "file /infra/rules/etcd.yml", "unit vmalert.service", "unit vmetrics.service"}},
	{"alertmanager", []string{"file /etc/default/alertmanager", "unit alertmanager.service"}},
	{"alertmanager_config", []string{"file /etc/default/alertmanager"}},
	{"alertmanager_launch", []string{"unit alertmanager.service"}},
	{"blackbox", []string{"file /etc/blackbox.yml", "unit blackbox_exporter.service"}},
	{"blackbox_launch", []string{"unit blackbox_exporter.service"}},
	{"grafana", nil},
	{"grafana_plugin", nil},
	{"infra_register", []string{"file /infra/targets/ping/NODE.yml"}},
	{"repo_upstream", nil},
}

// infraTags plans each part alone on a node of which something of every part is
// damaged, and applies some.
func infraTags(t *testing.T, w *world) {
	here := strings.NewReplacer("NODE", w.addr(11))
	w.on(t, 11, here.Replace(infraDamage))
	for _, part := range infraParts {
		var want []string
		for _, key := range part.finds {
			want = append(want, here.Replace(key))
		}
		if got := w.found(t, "infra", "-l", w.addr(11), "-t", part.tags); !slices.Equal(got, want) {
			t.Errorf("-t %s finds\n%q, not\n%q", part.tags, got, want)
		}
	}
	for tags, want := range map[string][]string{
		"env_dir":        {"change dir /infra/conf"},
		"env_var":        {"create lines /root/.pigstyrc # pigsty"},
		"nginx_index":    {"change file /data/nginx/index.html"},
		"infra_register": {"create file /infra/targets/ping/" + w.addr(11) + ".yml"},
		"dns":            {"create file /etc/dnsmasq.d/pigsty/default"},
	} {
		r := w.must(t, "infra", "-l", w.addr(11), "-t", tags)
		if got := changed(r.out); !slices.Equal(got, want) {
			t.Errorf("-t %s does %q, not %q", tags, got, want)
		}
	}
	data := []string{"absent /data/infra", "absent /data/nginx", "absent /infra", "absent /var/lib/grafana", "absent /www"}
	if got := w.found(t, "infra-rm", "-l", w.addr(11), "-t", "data"); !slices.Equal(got, data) {
		t.Errorf("infra-rm -t data finds %q, not %q", got, data)
	}
	if got := w.found(t, "infra-rm", "-l", w.addr(11), "-t", "package"); len(got) != 1 || !strings.HasPrefix(got[0], "packages absent nginx,") {
		t.Errorf("infra-rm -t package finds %q", got)
	}
	w.must(t, "infra")
	w.settled(t)
}

// found returns the keys of what a plan would change, sorted.
func (w *world) found(t *testing.T, args ...string) []string {
	t.Helper()
	r := w.must(t, append([]string{"plan", "--json"}, args...)...)
	var keys []string
	lines := bufio.NewScanner(strings.NewReader(r.out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var record struct {
			Type, Step string
			Change     struct{ Action string }
		}
		if json.Unmarshal(lines.Bytes(), &record) == nil && record.Type == "step" && record.Change.Action != "" {
			keys = append(keys, record.Step)
		}
	}
	slices.Sort(keys)
	return keys
}

// infraClean deletes metrics.
func infraClean(t *testing.T, w *world) {
	r := w.pigsty(t, "infra", "-l", w.addr(11), "-t", "vmetrics_clean")
	if r.status == 0 || !strings.Contains(r.out, `--yes "absent /infra/metrics"`) {
		t.Errorf("-t vmetrics_clean is not refused: %d\n%s", r.status, r.out)
	}
	w.must(t, "infra", "-l", w.addr(11), "-t", "vmetrics_clean", "--yes", "absent /infra/metrics")
	got, err := w.ask(11, `count_over_time(up{job="etcd"}[10m] offset 1m)`, "ins")
	if err != nil || got["etcd-1"] != "" {
		t.Errorf("metrics are still there: %v %v", got, err)
	}
	w.settled(t)
}

// infraRegister runs plays on one host: infra nodes beyond -l get to know of it,
// and nothing else is done to them.
func infraRegister(t *testing.T, w *world) {
	node, page := "file /infra/targets/node/"+w.addr(11)+".yml", "file /etc/nginx/conf.d/haproxy/location-meta-2.conf"
	w.on(t, 10, "rm /etc/profile.d/pglog.sh "+strings.TrimPrefix(node, "file ")+" "+strings.TrimPrefix(page, "file ")+" /etc/dnsmasq.d/pigsty/nodes.hosts")
	r := w.must(t, "plan", "node", "-l", w.addr(11))
	if !strings.Contains(r.out, w.addr(10)+"  meta-1  registration only") {
		t.Errorf("the plan does not say what it is about on %s:\n%s", w.addr(10), r.out)
	}
	r = w.must(t, "node", "-l", w.addr(11))
	got := changed(r.out)
	slices.Sort(got)
	if want := []string{"create file /etc/dnsmasq.d/pigsty/nodes.hosts", "create " + page, "create " + node}; !slices.Equal(got, want) {
		t.Errorf("changed %q, not %q", got, want)
	}
	w.on(t, 10, "test ! -e /etc/profile.d/pglog.sh")

	if got := w.found(t, "node-rm", "-l", w.addr(11), "-t", "node_deregister"); len(got) != 12 { // on each infra node three files of targets, two of its page, and nginx
		t.Errorf("node-rm deregisters %q", got)
	}
	if r := w.must(t, "etcd-rm", "-t", "etcd_deregister"); len(changed(r.out)) != 2 {
		t.Errorf("etcd-rm deregisters %q", changed(r.out))
	}
	if r := w.must(t, "etcd", "-t", "etcd_register"); len(changed(r.out)) != 2 {
		t.Errorf("etcd registers %q", changed(r.out))
	}
	w.must(t, "infra")
	w.settled(t)
}

func infraRemoved(t *testing.T, w *world) {
	if r := w.pigsty(t, "infra-rm", "-l", w.addr(11)); r.status == 0 || !strings.Contains(r.out, "--yes infra-2") {
		t.Errorf("infra-rm does not ask: %d\n%s", r.status, r.out)
	}
	w.must(t, "infra-rm", "-l", w.addr(11), "-t", "service", "--yes", "infra-2")
	w.on(t, 11, "! systemctl is-active vmetrics nginx dnsmasq | grep -x active && test -d /infra/metrics")
	w.must(t, "infra-rm", "-l", w.addr(11), "--yes", "infra-2")
	w.isAgain(t, 11)
	w.on(t, 11, `test ! -e /infra -a ! -e /data/infra -a ! -e /www -a ! -e /etc/pki/infra.key && ! dpkg -l nginx victoria-metrics etcd-client 2>/dev/null | grep ^ii && ! grep -q dbuser_dba ~/.pgpass`)
	if got := w.lookup(10, "i.pigsty"); got != w.addr(10) {
		t.Errorf("i.pigsty is %q", got)
	}
	w.on(t, 10, "test -e /infra/targets/infra/infra-1.yml -a ! -e /infra/targets/infra/infra-2.yml")
	one := strings.Replace(twoInfra, "    NET.11: { infra_seq: 2, nodename: meta-2 }\n", "", 1)
	w.inventory(t, one+"\nspare: { hosts: { NET.11: { nodename: meta-2 } } }", w.vars(nil)...)
	w.must(t, "deploy")
	w.settled(t)
}

// beforeInfra is what host 11 of TestInfra was as a node alone.
var beforeInfra []string

// scripted is what packages' scripts write, and nobody owns afterwards.
var scripted = regexp.MustCompile(` /etc/(rc[0-6S]\.d/.*|ld\.so\.cache|networks|nginx/sites-enabled/default)$`)

// isAgain fails unless host n, no infra node any more, is the node that it was
// before. What packages bring, and write themselves when they are set up, stays
// with those that others want: apt removes neither them nor their configuration.
func (w *world) isAgain(t *testing.T, n byte) {
	t.Helper()
	now := state(t, w, n)
	for _, line := range beforeInfra {
		if !slices.Contains(now, line) && !scripted.MatchString(line) {
			t.Errorf("%s had and lacks %s", w.addr(n), line)
		}
	}
	var left []string
	for _, line := range now {
		if !slices.Contains(beforeInfra, line) && !scripted.MatchString(line) {
			left = append(left, line)
		}
	}
	if len(left) == 0 {
		return
	}
	owned := w.on(t, n, "dpkg -S "+strings.Join(paths(left), " ")+" 2>/dev/null || true")
	for i, p := range paths(left) {
		if !strings.Contains(owned+"\n", ": "+p+"\n") {
			t.Errorf("%s has and had not %s", w.addr(n), left[i])
		}
	}
}

// paths are the files that lines of state are about.
func paths(lines []string) []string {
	var out []string
	for _, line := range lines {
		words := strings.Fields(line)
		switch words[0] {
		case "unit", "active":
			out = append(out, "/usr/lib/systemd/system/"+words[1])
		default:
			out = append(out, words[len(words)-1])
		}
	}
	return out
}
