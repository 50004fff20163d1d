package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// ear hears of alerts, by their names.
type ear struct {
	mu     sync.Mutex
	told   map[string]int
	raised time.Time
	cls    string // label of this run's alerts: those of one before were told already
}

// listen begins to hear what Alertmanagers tell the webhook of the inventory.
func (e *ear) listen(t *testing.T, w *world) {
	listener, err := net.Listen("tcp", w.addr(1)+":9099")
	if err != nil {
		t.Fatal(err)
	}
	e.told, e.cls = map[string]int{}, fmt.Sprintf("test-%d", time.Now().Unix())
	server := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e.mu.Lock()
		defer e.mu.Unlock()
		for _, name := range []string{"TestAlert", "TestAlone", "HostCertificateExpires"} {
			if bytes.Contains(body, []byte(name)) && bytes.Contains(body, []byte(e.cls)) {
				e.told[name]++
			}
		}
	})}
	go func() { _ = server.Serve(listener) }()
}

// heard returns how often the alert called name was told.
func (e *ear) heard(name string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.told[name]
}

// fire has the Alertmanager of host n know of an alert.
func (e *ear) fire(t *testing.T, w *world, n byte, name string) {
	t.Helper()
	alert := fmt.Sprintf(`[{"labels": {"alertname": %q, "cls": %q}, "endsAt": %q}]`, name, e.cls, time.Now().Add(time.Hour).Format(time.RFC3339))
	res, err := http.Post(fmt.Sprintf("http://%s:9059/api/v2/alerts", w.addr(n)), "application/json", strings.NewReader(alert))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
}

// raise has both nodes raise the same alert, as both evaluate the same rules.
func (e *ear) raise(t *testing.T, w *world) {
	e.listen(t, w)
	e.raised = time.Now()
	e.fire(t, w, 10, "TestAlert")
	e.fire(t, w, 11, "TestAlert")
}

// once waits for word of the alert, and as long again as the second Alertmanager
// waits for word from the first: 30 s until a group is told, then 15 s.
func (e *ear) once(t *testing.T, _ *world) {
	e.wait(t, "TestAlert")
	time.Sleep(time.Until(e.raised.Add(50 * time.Second)))
	if n := e.heard("TestAlert"); n != 1 {
		t.Errorf("the alert was told %d times", n)
	}
}

// endsSoon gives host 10 a certificate with three days left, in a place where
// nothing loads it, and has the host look.
func (e *ear) endsSoon(t *testing.T, w *world) {
	w.must(t, "cert", "issue", e.cls, "--days", "3")
	text, err := os.ReadFile(filepath.Join(w.dir, "files/pki/misc", e.cls+".crt"))
	if err != nil {
		t.Fatal(err)
	}
	w.on(t, 10, fmt.Sprintf("mkdir -p /home/minio/.minio/certs && cat >/home/minio/.minio/certs/%s.crt <<'EOF'\n%s\nEOF", e.cls, text))
	w.on(t, 10, "systemctl restart pigsty-certificates.service && grep -q "+e.cls+" /var/lib/node_exporter/certificates.prom")
}

// end waits for word that the certificate ends. The rule wants it to be so for a
// minute.
func (e *ear) end(t *testing.T, w *world) {
	eventually(t, 5*time.Minute, "the certificate's end is told", func() error {
		if e.heard("HostCertificateExpires") == 0 {
			return fmt.Errorf("not yet")
		}
		return nil
	})
	w.on(t, 10, "rm -r /home/minio && systemctl restart pigsty-certificates.service")
}

// wait waits for word of the alert called name.
func (e *ear) wait(t *testing.T, name string) {
	t.Helper()
	eventually(t, 5*time.Minute, "the alert is told", func() error {
		if e.heard(name) == 0 {
			return fmt.Errorf("not yet")
		}
		return nil
	})
}

// nodeLost pulls the plug of one infra node: names, portal, metrics and alerts
// are there by way of the other. It comes back with its history.
func (e *ear) nodeLost(t *testing.T, w *world) {
	const known = `count_over_time(up{ins="vmetrics-1"}[1d])`
	before, err := w.ask(10, known, "ins")
	if err != nil || before["vmetrics-1"] == "" {
		t.Fatalf("%v %v", before, err)
	}
	if err := w.box.Stop(t.Context(), w.addr(10)); err != nil {
		t.Fatal(err)
	}
	e.fire(t, w, 11, "TestAlone")
	if page := w.get(t, w.namedBy(t, 11), "https://i.pigsty/", 200); !strings.Contains(page, "Alert Rules") {
		t.Errorf("the page is\n%s", page)
	}
	if got := w.lookup(11, "meta-1"); got != w.addr(10) {
		t.Errorf("meta-1 is %q", got)
	}
	eventually(t, 5*time.Minute, "the other node sees it", func() error {
		got, err := w.ask(11, `up{ins="vmetrics-1"}`, "ins")
		if got["vmetrics-1"] != "0" {
			return fmt.Errorf("%v %w", got, err)
		}
		return nil
	})
	if r := w.pigsty(t, "status"); r.status != 3 || !strings.Contains(r.out, "vmetrics-2") {
		t.Errorf("status %d\n%s", r.status, r.out)
	}
	e.wait(t, "TestAlone")

	powerOn(t, w, 10)
	eventually(t, 2*time.Minute, "its metrics are there again", func() error { return w.answers(8428, 2*time.Second) })
	infraMetrics(t, w)
	after, err := w.ask(10, known, "ins")
	if err != nil || number(after["vmetrics-1"]) < number(before["vmetrics-1"])-3 { // what was not on disk yet, 5 s of it
		t.Errorf("%v before, %v after: %v", before, after, err)
	}
	w.settled(t)
}

// infraReceivers has amtool look at receivers of other kinds: what it refuses does
// not take the place of what works.
func infraReceivers(t *testing.T, w *world) {
	const (
		mail = `{ name: mail, type: email, match: { severity: CRIT }, options: { to: ops@example.com, from: pigsty@example.com, smarthost: "mail.example:25", require_tls: false } }`
		chat = `{ name: chat, type: slack, options: { api_url: "https://hooks.example/T/B/secret", channel: "#ops", send_resolved: true } }`
	)
	w.infra(t, map[string]string{"alertmanager_receivers": "[ " + mail + ", " + chat + " ]"})
	r := w.must(t, "infra", "-l", w.addr(10), "-t", "alertmanager")
	if strings.Contains(r.out, "hooks.example") {
		t.Errorf("the output shows where the chat is:\n%s", r.out)
	}
	if out := w.on(t, 10, "amtool check-config /etc/alertmanager.yml"); !strings.Contains(out, " 3 receivers") { // one is nobody
		t.Errorf("amtool says %s", out)
	}
	before := w.on(t, 10, "md5sum /etc/alertmanager.yml")
	w.infra(t, map[string]string{"alertmanager_receivers": "[ " + strings.Replace(mail, "require_tls", "no_such_option", 1) + " ]"})
	r = w.pigsty(t, "infra", "-l", w.addr(10), "-t", "alertmanager")
	if r.status != 3 || !strings.Contains(r.out, "no_such_option") || !strings.Contains(r.out, "was not put in place") {
		t.Errorf("status %d\n%s", r.status, r.out)
	}
	if after := w.on(t, 10, "md5sum /etc/alertmanager.yml"); after != before {
		t.Errorf("the configuration was replaced: %s, %s", before, after)
	}
	w.infra(t, nil)
	w.must(t, "infra", "-l", w.addr(10), "-t", "alertmanager")
	w.settled(t)
}
