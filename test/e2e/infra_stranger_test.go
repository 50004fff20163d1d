package e2e

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// openPorts are those of programs that ask nobody for a password. infraLogs adds one.
var openPorts = map[string]int{"vmetrics": 8428, "vmalert": 8880, "alertmanager": 9059, "blackbox_exporter": 9115, "nginx_exporter": 9113}

// infraStranger makes the test, which is at an address of its own, a stranger to
// the intranet: what asks nobody for a password does not answer it.
func infraStranger(t *testing.T, w *world) {
	for name, port := range openPorts {
		if err := w.answers(port, 20*time.Second); err != nil {
			t.Errorf("%s does not answer the intranet: %v", name, err)
		}
	}
	w.infra(t, map[string]string{
		"node_firewall_intranet": "[ 192.168.0.0/16 ]",
		"infra_portal": `{ home: {}, metrics: { domain: p.pigsty, endpoint: "NET.10:8428" }, alerts: { domain: a.pigsty, endpoint: "NET.10:9059", auth: true },
      named: { domain: n.pigsty, endpoint: "meta-1:8428" }, local: { domain: l.pigsty, endpoint: "localhost:9059" }, public: { domain: o.pigsty, endpoint: "meta-1:8428", auth: true } }`,
	})
	w.must(t, "infra", "-l", w.addr(10))
	c := w.browser(t, 10)
	for _, path := range []string{"vmetrics", "vlogs", "vmalert", "alertmgr", "blackbox"} {
		w.get(t, c, "https://i.pigsty/"+path+"/", 403)
	}
	w.get(t, c, "https://p.pigsty/api/v1/query?query=up", 403)
	w.get(t, c, "https://n.pigsty/api/v1/query?query=up", 403)
	w.get(t, c, "https://l.pigsty/api/v2/status", 403)
	w.get(t, c, "https://ada:Portal.Test@o.pigsty/api/v1/query?query=up", 200)
	w.get(t, c, "https://i.pigsty/", 200)
	t.Run("ports", func(t *testing.T) {
		if out := w.on(t, 10, "journalctl -b --no-pager | grep -m1 -i 'not support BPF' || true"); out != "" {
			t.Skipf("systemd cannot filter addresses here: %s", out)
		}
		for name, port := range openPorts {
			if w.answers(port, 2*time.Second) == nil {
				t.Errorf("%s answers a stranger", name)
			}
			w.on(t, 11, fmt.Sprintf("curl --silent --fail --max-time 5 --output /dev/null http://%s:%d/metrics", w.addr(10), port))
		}
	})
	// Who is told of alerts, and what is probed, may be anywhere.
	for _, target := range []string{w.addr(1) + ":9099", w.addr(11) + ":22"} {
		probe := fmt.Sprintf("curl --silent 'http://127.0.0.1:9115/probe?module=tcp_connect&target=%s'", target)
		if out := w.on(t, 10, probe); !strings.HasSuffix(out, "\nprobe_success 1") {
			t.Errorf("%s cannot be probed:\n%s", target, out)
		}
	}
	eventually(t, time.Minute, "nodes outside of the intranet are watched", func() error {
		nodes := `curl --silent --data-urlencode 'query=count(up{exporter="node"} == 1)' http://127.0.0.1:8428/api/v1/query`
		if out := w.on(t, 10, nodes); !strings.Contains(out, `"2"]`) {
			return fmt.Errorf("VictoriaMetrics says %s", out)
		}
		return nil
	})
	w.infra(t, nil)
	w.must(t, "infra")
	for name, port := range openPorts {
		if err := w.answers(port, 20*time.Second); err != nil {
			t.Errorf("%s does not answer the intranet again: %v", name, err)
		}
	}
	w.settled(t)
}

// answers returns an error unless host 10 takes connections from here on port.
func (w *world) answers(port int, patience time.Duration) error {
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("%s:%d", w.addr(10), port), patience)
	if err == nil {
		_ = conn.Close()
	}
	return err
}

// infraGossip tries to talk to an Alertmanager as the other one does: it listens
// to who has a certificate of the deployment's CA.
func infraGossip(t *testing.T, w *world) {
	talk := func(config *tls.Config, patience time.Duration) error {
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: time.Minute}, "tcp", w.addr(10)+":9094", config)
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		_, err = conn.Read(make([]byte, 1))
		return err
	}
	stranger := &tls.Config{InsecureSkipVerify: true} // who it is has been tested
	if err := talk(stranger, time.Minute); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a stranger may talk to it: %v", err)
	}
	w.must(t, "cert", "issue", "gossip")
	own, err := tls.LoadX509KeyPair(filepath.Join(w.dir, "files/pki/misc/gossip.crt"), filepath.Join(w.dir, "files/pki/misc/gossip.key"))
	if err != nil {
		t.Fatal(err)
	}
	if err := talk(&tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{own}}, 2*time.Second); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("with a certificate of the CA: %v", err) // it waits for what is said
	}
	w.on(t, 10, "! ss -Hlun | grep 9094") // all of it is over TLS
	for n := byte(10); n <= 11; n++ {
		w.oneCluster(t, n)
	}
}
