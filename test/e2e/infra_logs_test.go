package e2e

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// infraLogs has VictoriaLogs in the first node's reach, which stores logs from then on.
func infraLogs(t *testing.T, w *world) {
	packages := builtPackages(t, "victoria-logs")
	w.reaches(t, 10, filepath.Dir(packages[0]))
	if got := changed(w.must(t, "infra", "-l", w.addr(10)).out); len(got) == 0 {
		t.Error("the run that finds its package changes nothing")
	}
	w.settled(t)
	w.on(t, 10, `systemctl is-active vlogs && systemctl is-enabled vlogs && test "$(stat -c %U:%G:%a /infra/logs)" = victoria:infra:750 && grep -q 'retentionPeriod=15d' /etc/default/vlogs`)
	if r := w.must(t, "status", "-l", w.addr(10)); !regexp.MustCompile(`vlogs-1 +\S+ +- +running +- +1\.\S+ +http:9428`).MatchString(r.out) {
		t.Errorf("status:\n%s", r.out)
	}
	w.tell(t, 11, "a line of meta-2")
	w.finds(t, "a line of meta-2")

	c := w.browser(t, 10)
	if page := w.get(t, c, "https://i.pigsty/", 200); !strings.Contains(page, "/vlogs/select/vmui/") {
		t.Errorf("the page does not lead there:\n%s", page)
	}
	if page := w.get(t, c, "https://i.pigsty/vlogs/select/vmui/", 200); !strings.Contains(page, `name="query"`) {
		t.Errorf("there is nothing to search with:\n%s", page)
	}
	if found := w.get(t, c, "https://i.pigsty/vlogs/select/logsql/query?query=meta-2", 200); !strings.Contains(found, `"_msg":"a line of meta-2"`) {
		t.Errorf("the portal finds %q", found)
	}
	eventually(t, 2*time.Minute, "it is watched", func() error {
		got, err := w.ask(10, `up{cls="vlogs"}`, "ins")
		if got["vlogs-1"] != "1" {
			return fmt.Errorf("%v %w", got, err)
		}
		return nil
	})

	w.on(t, 10, "systemctl restart vlogs")
	w.finds(t, "a line of meta-2")
	wipe := []string{"infra", "-l", w.addr(10), "-t", "vlogs_clean"}
	if r := w.pigsty(t, wipe...); r.status == 0 || !strings.Contains(r.out, `--yes "absent /infra/logs"`) {
		t.Errorf("-t vlogs_clean is not refused: %d\n%s", r.status, r.out)
	}
	w.must(t, append(wipe, "--yes", "absent /infra/logs")...)
	w.tell(t, 11, "another line")
	w.finds(t, "another line")
	if left, err := w.logs(`"a line of meta-2"`); err != nil || left != "" {
		t.Errorf("logs are still there: %s %v", left, err)
	}
	w.settled(t)
	openPorts["vlogs"] = 9428
}

// reaches gives host n a repository of the built packages of dir.
func (w *world) reaches(t *testing.T, n byte, dir string) {
	t.Helper()
	w.send(t, n, dir, "/srv/built")
	w.on(t, n, `echo 'deb [signed-by=/srv/built/pigsty.asc] file:///srv/built ./' >/etc/apt/sources.list.d/built.list
apt-get update -q -o APT::Update::Error-Mode=any`)
}

// tell has host n send a line to the VictoriaLogs of host 10 as its Vector would.
func (w *world) tell(t *testing.T, n byte, message string) {
	t.Helper()
	w.on(t, n, fmt.Sprintf(`printf '{"message":"%s","job":"test","ins":"meta-2","ip":"%s","_time":"%%s","file":"/dev/null"}\n' "$(date -u +%%FT%%TZ)" | gzip |
curl --silent --fail --data-binary @- -H 'Content-Type: application/x-ndjson' -H 'Content-Encoding: gzip' -H 'AccountID: 0' -H 'ProjectID: 0' -H 'VL-Stream-Fields: job,ins,ip' \
-H 'VL-Msg-Field: message' -H 'VL-Time-Field: _time' -H 'VL-Ignore-Fields: timestamp,file' http://%s:9428/insert/jsonline`, message, w.addr(n), w.addr(10)))
}

// logs returns the stored lines of meta-2 that a query finds, each as JSON.
func (w *world) logs(query string) (string, error) {
	return fetch(nil, fmt.Sprintf("http://%s:9428/select/logsql/query?query=%s", w.addr(10), url.QueryEscape(`{job="test",ins="meta-2"} `+query)), 200)
}

// finds waits until a line is found, once and without what is to be left out.
func (w *world) finds(t *testing.T, message string) {
	t.Helper()
	eventually(t, time.Minute, message+" is found", func() error {
		got, err := w.logs(`"` + message + `"`)
		if err != nil || strings.Count(got, `"_msg":"`+message+`"`) != 1 || strings.Contains(got, "/dev/null") {
			return fmt.Errorf("it finds %q %w", got, err)
		}
		return nil
	})
}
