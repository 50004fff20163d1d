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
			eventually(t, time.Minute, "the probe of the portal after "+move, func() error {
				if out := w.on(t, n, probe); !strings.Contains(out, "\nprobe_success 1") {
					return fmt.Errorf("%s says\n%s", w.addr(n), out)
				}
				return nil
			})
		}
	}
	w.settled(t)
}

// scraped waits until the VictoriaMetrics of host n has collected from each target
// of a job after a moment, and all went well.
func (w *world) scraped(t *testing.T, n byte, job string, since time.Time) {
	t.Helper()
	eventually(t, 2*time.Minute, "it collects from "+job, func() error {
		var answer struct {
			Data struct {
				ActiveTargets []struct {
					Labels            map[string]string
					Health, LastError string
					LastScrape        time.Time
				}
			}
		}
		body, err := fetch(nil, fmt.Sprintf("http://%s:8428/api/v1/targets?state=active", w.addr(n)), 200)
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			return err
		}
		found := 0
		for _, x := range answer.Data.ActiveTargets {
			if x.Labels["job"] != job {
				continue
			}
			if !x.LastScrape.After(since) || x.Health != "up" {
				return fmt.Errorf("%s: %v is %s at %s: %s", w.addr(n), x.Labels, x.Health, x.LastScrape, x.LastError)
			}
			found++
		}
		if found == 0 {
			return fmt.Errorf("%s has no targets", w.addr(n))
		}
		return nil
	})
}
