package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// infraRotateCA replaces the CA: after each move everything is collected that was,
// over TLS too, and the portal is trusted by who probes it and who looks at it.
func infraRotateCA(t *testing.T, w *world) {
	for _, move := range []string{"", "--issue", "--finish -y"} {
		w.must(t, append([]string{"cert", "rotate-ca"}, strings.Fields(move)...)...)
		w.must(t, "deploy")
		since := time.Now()
		for n := byte(10); n <= 11; n++ {
			w.scraped(t, n, "etcd", since)
			w.collected(t, n)
			w.get(t, w.browser(t, n), "https://i.pigsty/", 200)
			probe := fmt.Sprintf("curl --silent 'http://127.0.0.1:9115/probe?module=http_2xx&hostname=i.pigsty&target=https://%s/'", w.addr(10))
			if out := w.on(t, n, probe); !strings.Contains(out, "\nprobe_success 1") {
				t.Errorf("after %q the probe of %s says\n%s", move, w.addr(n), out)
			}
		}
	}
	w.settled(t)
}

// scraped waits until the VictoriaMetrics of host n has collected from each target
// of a job after a moment, and fails unless that went well.
func (w *world) scraped(t *testing.T, n byte, job string, since time.Time) {
	t.Helper()
	type target struct {
		Labels            map[string]string
		Health, LastError string
		LastScrape        time.Time
	}
	var found []target
	eventually(t, time.Minute, "it collects from "+job, func() error {
		var answer struct {
			Data struct{ ActiveTargets []target }
		}
		if err := json.Unmarshal([]byte(w.get(t, nil, fmt.Sprintf("http://%s:8428/api/v1/targets?state=active", w.addr(n)), 200)), &answer); err != nil {
			return err
		}
		found = nil
		for _, x := range answer.Data.ActiveTargets {
			if x.Labels["job"] != job {
				continue
			}
			if !x.LastScrape.After(since) {
				return fmt.Errorf("last from %v at %s", x.Labels, x.LastScrape)
			}
			found = append(found, x)
		}
		return nil
	})
	if len(found) == 0 {
		t.Errorf("%s has no targets of %s", w.addr(n), job)
	}
	for _, x := range found {
		if x.Health != "up" {
			t.Errorf("%s: %v is %s: %s", w.addr(n), x.Labels, x.Health, x.LastError)
		}
	}
}
