package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// twoInfra is two infra nodes; what is between percent signs is for scenarios to fill.
const twoInfra = `
infra:
  hosts:
    NET.10: { infra_seq: 1, nodename: meta-1 }
    NET.11: { infra_seq: 2, nodename: meta-2 }
etcd:
  hosts: { NET.10: { etcd_seq: 1 } }
  vars: { etcd_cluster: etcd }`

// infraVars are the variables of TestInfra's inventory, each changed by some scenario.
func infraVars(change map[string]string) []string {
	vars := map[string]string{
		"repo_enabled":           "false",
		"nginx_users":            "{ ada: Portal.Test }",
		"dns_records":            `[ "NET.10 m.pigsty api.pigsty" ]`,
		"infra_portal":           `{ home: { domain: i.pigsty }, metrics: { domain: p.pigsty, endpoint: "NET.10:8428" }, alerts: { domain: a.pigsty, endpoint: "NET.10:9059", auth: true } }`,
		"alertmanager_receivers": `[ { name: hook, type: webhook, match: { alertname: "Test.*|HostCertificateExpires" }, options: { url: "http://NET.1:9099/", send_resolved: false } } ]`,
		"vmetrics_options":       `"-retentionPeriod=15d -promscrape.fileSDCheckInterval=5s"`,
		"grafana_admin_password": "Grafana.Test",
		"vip_enabled":            "true",
		"vip_vrid":               "39",
		"vip_address":            "NET.99",
	}
	for name, value := range change {
		vars[name] = value
	}
	var out []string
	for name, value := range vars {
		out = append(out, name+": "+value)
	}
	slices.Sort(out)
	return out
}

// infra writes the inventory of TestInfra with some variables changed.
func (w *world) infra(t *testing.T, change map[string]string) {
	t.Helper()
	w.inventory(t, twoInfra, w.vars(change)...)
}

// vars are infraVars with this world's addresses.
func (w *world) vars(change map[string]string) []string {
	net := strings.TrimSuffix(w.addr(10), ".10")
	vars := infraVars(change)
	for i, v := range vars {
		vars[i] = strings.ReplaceAll(v, "NET.", net+".")
	}
	return vars
}

// TestInfra takes two infra nodes from nothing to their removal. The scenarios
// build on each other in this order.
func TestInfra(t *testing.T) {
	w := newBareWorld(t, "10.10.39.0/24", 10, 11)
	var told ear
	w.inOrder(t, []scenario{
		{"set up from nothing", infraSetUp},
		{"both raise an alert", told.raise},
		{"a certificate ends soon", told.endsSoon},
		{"metrics, rules and probes", infraMetrics},
		{"names", infraNames},
		{"portal", infraPortal},
		{"portal in a browser", infraBrowser},
		{"the alert is told once", told.once},
		{"the certificate's end is told", told.end},
		{"one thing changes", infraChange},
		{"a broken site is refused", infraBroken},
		{"all kinds of sites", infraKinds},
		{"receivers are checked", infraReceivers},
		{"logs", infraLogs},
		{"a stranger is not let in", infraStranger},
		{"a stranger does not gossip", infraGossip},
		{"files of others stay", infraOthers},
		{"Grafana hears who asks", infraIdentity},
		{"each tag is its part alone", infraTags},
		{"data goes only when asked for", infraClean},
		{"other plays register", infraRegister},
		{"another CA", infraRotateCA},
		{"a node is lost and comes back", told.nodeLost},
		{"removed", infraRemoved},
	})
}

func infraSetUp(t *testing.T, w *world) {
	w.infra(t, nil)
	if r := w.pigsty(t, "status"); !strings.Contains(r.out, "not installed") {
		t.Errorf("status %d of hosts with nothing:\n%s", r.status, r.out)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "files")); err == nil {
		t.Error("looking at the status made keys")
	}
	// One host is a node already, to see what is left of the infra node afterwards.
	w.must(t, "node", "-l", w.addr(11))
	beforeInfra = state(t, w, 11)
	r := w.must(t, "deploy")
	t.Logf("deployed in %s", r.took.Round(100*time.Millisecond))
	for _, secret := range []string{"Portal.Test", "Etcd.Test", "DBA.Test", "Grafana.Test", ":9099"} {
		if strings.Contains(r.out, secret) {
			t.Errorf("the output shows the secret %s", secret)
		}
	}
	w.settled(t)
	if r := w.must(t, "plan", "-v"); !strings.Contains(r.out, "no configured repository has victoria-logs") {
		t.Errorf("the plan does not say what is left out:\n%s", r.out)
	}
	if r := w.must(t, "status", "-l", w.addr(11)); !regexp.MustCompile(`nginx-2 +\S+ +- +running +- +1\.\S+ +http:80 https:443`).MatchString(r.out) {
		t.Errorf("status:\n%s", r.out)
	}
}

// ask returns what query gives on the VictoriaMetrics of host n: each series'
// value by the label called by.
func (w *world) ask(n byte, query, by string) (map[string]string, error) {
	res, err := http.Get(fmt.Sprintf("http://%s:8428/api/v1/query?query=%s", w.addr(n), strings.ReplaceAll(query, " ", "%20")))
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  []any
			}
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, r := range answer.Data.Result {
		out[r.Metric[by]] = fmt.Sprint(r.Value[1])
	}
	return out, nil
}

// infraMetrics looks for what both nodes collect of everything, each by itself.
func infraMetrics(t *testing.T, w *world) {
	for n := byte(10); n <= 11; n++ {
		w.collected(t, n)
		for query, want := range map[string][]string{
			`probe_success{job="node-vip"}`:  {"meta-1", "meta-2"},
			`haproxy_up`:                     {"meta-1", "meta-2"},
			`probe_success{job="ping"}`:      {"meta-1", "meta-2"},
			`probe_success{job="tcp"}`:       {"dns-1", "dns-2"},
			`etcd:cls:quota_usage > bool -1`: {""},
		} {
			// A rule is evaluated once a minute, of what was scraped half a minute before.
			eventually(t, 3*time.Minute, query, func() error {
				got, err := w.ask(n, query, "ins")
				for _, ins := range want {
					if got[ins] != "1" {
						return fmt.Errorf("on %s %s of %s is %q: %v %w", w.addr(n), query, ins, got[ins], got, err)
					}
				}
				return err
			})
		}
		eventually(t, time.Minute, "the sites are watched", func() error {
			got, err := w.ask(n, `probe_success{job="http",ip="`+w.addr(10)+`"}`, "domain")
			for _, domain := range []string{"i.pigsty", "p.pigsty", "a.pigsty"} {
				if got[domain] != "1" {
					return fmt.Errorf("%s: %v %w", domain, got, err)
				}
			}
			return err
		})
		eventually(t, 2*time.Minute, "every rule can be evaluated", func() error {
			body := w.get(t, nil, fmt.Sprintf("http://%s:8880/api/v1/rules", w.addr(n)), 200)
			if alerts, bad := strings.Count(body, `"type":"alerting"`), strings.Count(body, `"health":"err"`); alerts < 30 || bad > 0 {
				return fmt.Errorf("%d alerts, and %d rules that fail", alerts, bad)
			}
			return nil
		})
		w.oneCluster(t, n)
	}
	w.on(t, 10, "grep -q dedup.minScrapeInterval=10s /etc/default/vmetrics")
}

// oneCluster waits until the Alertmanager of host n knows the other one.
func (w *world) oneCluster(t *testing.T, n byte) {
	t.Helper()
	eventually(t, 2*time.Minute, "the Alertmanagers are one cluster", func() error {
		body, err := fetch(nil, fmt.Sprintf("http://%s:9059/api/v2/status", w.addr(n)), 200)
		if err == nil && strings.Count(body, `"address"`) != 2 {
			err = fmt.Errorf("%s says %s", w.addr(n), body)
		}
		return err
	})
}

// resolver asks the name server of host n.
func (w *world) resolver(n byte) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, w.addr(n)+":53")
	}}
}

// lookup asks the name server of host n for the addresses of a name, and sorts them.
func (w *world) lookup(n byte, name string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ips, _ := w.resolver(n).LookupHost(ctx, name+".")
	slices.Sort(ips)
	return strings.Join(ips, " ")
}

func infraNames(t *testing.T, w *world) {
	w.answered(t, 10)
	w.answered(t, 11)
	both := w.addr(10) + " " + w.addr(11)
	for name, want := range map[string]string{
		"i.pigsty": both, "p.pigsty": both, "a.pigsty": both, "m.pigsty": w.addr(10), "api.pigsty": w.addr(10),
		"meta-1": w.addr(10), "meta-2": w.addr(11), "infra-2": w.addr(11), "nodes": w.addr(99),
	} {
		for n := byte(10); n <= 11; n++ {
			if got := w.lookup(n, name); got != want {
				t.Errorf("%s says that %s is %q", w.addr(n), name, got)
			}
		}
	}
	w.on(t, 11, `. /etc/profile.d/etcdctl.sh; etcdctl endpoint health 2>&1 | grep 'is healthy'`) // which has no etcd
}

// browser returns a client that trusts the deployment's CA only and finds every
// name at host n.
func (w *world) browser(t *testing.T, n byte) *http.Client {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(w.dir, "files/pki/ca/ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		_, port, _ := net.SplitHostPort(addr)
		return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(w.addr(n), port))
	}
	return &http.Client{Timeout: time.Minute, Transport: &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
}

// namedBy returns a browser that finds what it looks for by the name server of host n.
func (w *world) namedBy(t *testing.T, n byte) *http.Client {
	t.Helper()
	c := w.browser(t, n)
	// The request's own limit does not end a connection that is being made.
	c.Transport.(*http.Transport).DialContext = (&net.Dialer{Resolver: w.resolver(n), Timeout: 20 * time.Second}).DialContext
	return c
}

// get returns the body of url and fails the test unless the status is as wanted.
func (w *world) get(t *testing.T, c *http.Client, url string, status int) string {
	t.Helper()
	body, err := fetch(c, url, status)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// fetch returns the body of url; another status is an error.
func fetch(c *http.Client, url string, status int) (string, error) {
	if c == nil {
		c = http.DefaultClient
	}
	res, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	if res.StatusCode != status {
		return "", fmt.Errorf("%s answers %s, not %d: %.300s", url, res.Status, status, body)
	}
	return string(body), nil
}

func infraPortal(t *testing.T, w *world) {
	for n := byte(10); n <= 11; n++ {
		c := w.browser(t, n)
		page := w.get(t, c, "https://i.pigsty/", 200)
		for _, part := range []string{"Alert Rules", "meta-2", "https://p.pigsty"} {
			if !strings.Contains(page, part) {
				t.Errorf("the page lacks %q:\n%s", part, page)
			}
		}
		for _, part := range []string{"/vlogs/", "/ui/", "<!--#", "an error occurred", "http-equiv", "//cdn"} {
			if strings.Contains(page, part) {
				t.Errorf("the page has %q, which is not there:\n%s", part, page)
			}
		}
		if zh := w.get(t, c, "https://i.pigsty/zh", 200); !strings.Contains(zh, "基础设施") {
			t.Errorf("the Chinese page:\n%s", zh)
		}
		if ca := w.get(t, c, "http://i.pigsty/ca.crt", 200); !strings.Contains(ca, "BEGIN CERTIFICATE") {
			t.Errorf("ca.crt is %s", ca)
		}
		w.get(t, c, "https://i.pigsty/vmetrics/api/v1/query?query=up", 200)
		w.get(t, c, "https://i.pigsty/vmetrics/vmui/", 200) // or where it leads to
		w.get(t, c, "https://p.pigsty/api/v1/query?query=up", 200)
		w.get(t, c, "https://i.pigsty/vmalert/api/v1/rules", 200)
		w.get(t, c, "https://i.pigsty/haproxy/meta-2/", 401)
		w.get(t, c, "https://a.pigsty/", 401)
		w.get(t, c, "https://ada:Portal.Test@a.pigsty/api/v2/status", 200)
		w.get(t, c, "https://ada:wrong@a.pigsty/api/v2/status", 401)
		if _, err := c.Get("https://other.example/"); err == nil {
			t.Error("the certificate is good for any name")
		}
	}
	w.on(t, 10, "! grep -r Portal.Test /etc/nginx && ! curl -sk --tls-max 1.1 https://127.0.0.1/")
}

// infraStarts is when the services of an infra node began.
const infraStarts = "systemctl show -p Id,ActiveEnterTimestampMonotonic nginx dnsmasq vmetrics vmalert alertmanager blackbox_exporter nginx_exporter"

// infraChange changes one thing at a time: exactly that is done.
func infraChange(t *testing.T, w *world) {
	before := w.on(t, 10, infraStarts)
	portal := `{ home: { domain: i.pigsty }, metrics: { domain: p.pigsty, endpoint: "NET.10:8428" }, alerts: { domain: a.pigsty, endpoint: "NET.10:9059" } }`
	records := `[ "NET.10 m.pigsty" ]`
	same := map[string]string{}
	change := func(name, value string, want ...string) {
		t.Helper()
		same[name] = value
		w.infra(t, same)
		r := w.must(t, "infra", "-l", w.addr(10))
		got := changed(r.out)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: changed %q, not %q", name, got, want)
		}
	}
	change("infra_portal", portal, "change file /etc/nginx/conf.d/alerts.conf", "reload unit nginx.service")
	eventually(t, time.Minute, "the site asks for no password", func() error { // workers that end still answer for a moment
		res, err := w.browser(t, 10).Get("https://a.pigsty/api/v2/status")
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		if res.StatusCode != 200 {
			return fmt.Errorf("it answers %s", res.Status)
		}
		return nil
	})

	change("dns_records", records, "change file /etc/dnsmasq.d/pigsty/default", "reload unit dnsmasq.service")
	eventually(t, time.Minute, "the record goes", func() error {
		if got := w.lookup(10, "api.pigsty"); got != "" {
			return fmt.Errorf("api.pigsty is %s", got)
		}
		return nil
	})
	if after := w.on(t, 10, infraStarts); after != before {
		t.Errorf("something restarted:\n%s\n%s", before, after)
	}
	points, _ := w.ask(10, `count_over_time(up{job="etcd"}[10m])`, "ins")
	change("vmetrics_options", `"-retentionPeriod=30d -promscrape.fileSDCheckInterval=5s"`, "change file /etc/default/vmetrics", "restart unit vmetrics.service")
	eventually(t, 2*time.Minute, "history is kept", func() error {
		now, err := w.ask(10, `count_over_time(up{job="etcd"}[10m])`, "ins")
		if err != nil || len(now["etcd-1"]) < len(points["etcd-1"]) || points["etcd-1"] == "" {
			return fmt.Errorf("%v before, %v now: %w", points, now, err)
		}
		return nil
	})
	w.infra(t, same)
	w.must(t, "infra", "-l", w.addr(11))
	w.settled(t)
}

// infraBroken writes a snippet that nginx does not read: the site stays as it is.
func infraBroken(t *testing.T, w *world) {
	before := w.on(t, 10, "md5sum /etc/nginx/conf.d/*.conf")
	w.infra(t, map[string]string{"infra_portal": `{ home: { domain: i.pigsty }, metrics: { domain: p.pigsty, endpoint: "NET.10:8428", config: "no_such_thing on;" }, alerts: { domain: a.pigsty, endpoint: "NET.10:9059", auth: true } }`})
	r := w.pigsty(t, "infra", "-l", w.addr(10), "-t", "nginx_config,nginx_reload")
	if r.status != 3 || !strings.Contains(r.out, `unknown directive "no_such_thing"`) || !strings.Contains(r.out, "was not put in place") {
		t.Errorf("status %d\n%s", r.status, r.out)
	}
	if after := w.on(t, 10, "nginx -t -q; md5sum /etc/nginx/conf.d/metrics.conf"); !strings.Contains(before, after) {
		t.Errorf("the site was replaced: %s\n%s", before, after)
	}
	w.get(t, w.browser(t, 10), "https://p.pigsty/api/v1/query?query=up", 200)
	w.infra(t, nil)
	w.must(t, "infra")
	w.settled(t)
}

// infraOthers has files and lines that people wrote: they stay.
func infraOthers(t *testing.T, w *world) {
	w.on(t, 10, `cp -p /etc/alertmanager.yml /tmp/ours; sed -i 1d /etc/alertmanager.yml; sed -i 's/30s/31s/' /etc/alertmanager.yml
echo '- { targets: [ "127.0.0.1:1" ] }' > /infra/targets/node/own.yml
echo 'db.example:5432:*:somebody:secret' | cat - ~/.pgpass > /tmp/p; cat /tmp/p > ~/.pgpass`)
	r := w.must(t, "infra", "-l", w.addr(10))
	if got := changed(r.out); !slices.Equal(got, []string{"reload unit alertmanager.service"}) {
		t.Errorf("changed %q", got)
	}
	w.on(t, 10, `grep -q 31s /etc/alertmanager.yml && test -e /infra/targets/node/own.yml && grep -q somebody ~/.pgpass && test $(stat -c %a ~/.pgpass) = 600`)
	w.on(t, 10, "rm /infra/targets/node/own.yml; cp -p /tmp/ours /etc/alertmanager.yml")
	w.must(t, "infra", "-l", w.addr(10))
	w.settled(t)
}
