package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// infraIdentity has something in Grafana's place that says what it hears: with
// grafana_auth_proxy the name of who logged in to the portal, never one that the
// client claims.
func infraIdentity(t *testing.T, w *world) {
	const own = "/etc/nginx/conf.d/own.conf"
	w.on(t, 10, fmt.Sprintf(`echo 'server { listen %s:3000; default_type text/plain; return 200 "user=$http_x_webauth_user password=$http_authorization"; }' > %s
nginx -t -q && systemctl reload nginx`, w.addr(10), own))
	check := func(password string, status int, want string) {
		t.Helper()
		eventually(t, time.Minute, "Grafana hears "+want, func() error { // workers that end still answer for a moment
			req, err := http.NewRequest("GET", "https://i.pigsty/ui/", nil)
			if err != nil {
				return err
			}
			req.Header.Set("X-WEBAUTH-USER", "admin")
			if password != "" {
				req.SetBasicAuth("ada", password)
			}
			res, err := w.browser(t, 10).Do(req)
			if err != nil {
				return err
			}
			defer res.Body.Close()
			body, _ := io.ReadAll(res.Body)
			if res.StatusCode != status || status == 200 && string(body) != want {
				return fmt.Errorf("%s: %.200s", res.Status, body)
			}
			return nil
		})
	}
	check("", 200, "user= password=")
	w.infra(t, map[string]string{"grafana_auth_proxy": "true"})
	w.must(t, "infra", "-l", w.addr(10), "-t", "nginx")
	check("", 401, "nothing")
	check("wrong", 401, "nothing")
	check("Portal.Test", 200, "user=ada password=")

	// Their own file, now with a mistake: what is loaded stays, and the run says why.
	w.on(t, 10, "echo 'no_such_thing on;' >> "+own)
	w.infra(t, nil)
	r := w.pigsty(t, "infra", "-l", w.addr(10), "-t", "nginx")
	if r.status != 3 || !strings.Contains(r.out, "refusing to reload nginx.service") || !strings.Contains(r.out, own) {
		t.Errorf("status %d\n%s", r.status, r.out)
	}
	check("Portal.Test", 200, "user=ada password=")
	w.on(t, 10, "rm "+own)
	w.must(t, "infra", "-l", w.addr(10), "-t", "nginx")
	w.must(t, "infra")
	w.settled(t)
}
