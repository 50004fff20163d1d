package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// siteKinds are sites of every kind, on host 10 alone: to the other node's portal
// they are unknown, so that what is passed on to it is answered with its start page.
const siteKinds = `{ home: { domain: i.pigsty, domains: [ j.pigsty ] },
      metrics: { domain: p.pigsty, endpoint: "NET.10:8428", websocket: true, domains: [ q.pigsty ] },
      files: { domain: f.pigsty, path: /www/files, index: true, log: own.log, config: "add_header X-Own yes;" },
      encrypted: { domain: t.pigsty, endpoint: "NET.11:443", scheme: https },
      certified: { domain: c.pigsty, endpoint: "NET.11:80", cert: /etc/nginx/conf.d/cert/pigsty.crt, key: /etc/nginx/conf.d/cert/pigsty.key },
      own: { domain: o.pigsty, conf: own.conf } }`

// infraKinds has nginx read every kind of site, with TLS alone and without it.
func infraKinds(t *testing.T, w *world) {
	own := "server { listen 80; server_name o.pigsty; default_type text/plain; return 200 \"own ${admin_ip}\"; }\n"
	if err := os.WriteFile(filepath.Join(w.dir, "own.conf"), []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	w.on(t, 10, "mkdir -p /www/files && echo something >/www/files/some.txt")
	for mode, scheme := range map[string]string{"enforce": "https", "disable": "http"} {
		w.infra(t, map[string]string{"infra_portal": siteKinds, "nginx_sslmode": mode})
		w.must(t, "infra", "-l", w.addr(10), "-t", "nginx")
		w.on(t, 10, "nginx -t -q")
		c := w.browser(t, 10)
		for url, part := range map[string]string{
			"i.pigsty/": "Alert Rules", "j.pigsty/": "Alert Rules", "p.pigsty/api/v1/query?query=up": "success", "q.pigsty/api/v1/query?query=up": "success",
			"f.pigsty/": "some.txt", "f.pigsty/some.txt": "something", "t.pigsty/": "Alert Rules", "c.pigsty/": "Alert Rules",
		} {
			if body := w.get(t, c, scheme+"://"+url, 200); !strings.Contains(body, part) {
				t.Errorf("%s: %s has no %q:\n%.500s", mode, url, part, body)
			}
		}
		if body := w.get(t, c, "http://o.pigsty/", 200); body != "own "+w.addr(10) {
			t.Errorf("the file of their own answers %q", body)
		}
		if _, err := c.Get("https://p.pigsty/"); (err == nil) != (mode == "enforce") {
			t.Errorf("%s: https gives %v", mode, err)
		}
		where := w.on(t, 10, "curl --silent --output /dev/null --write-out '%{redirect_url}' --header 'Host: p.pigsty' http://"+w.addr(10)+"/")
		if redirected := where == "https://p.pigsty/"; redirected != (mode == "enforce") {
			t.Errorf("%s: http leads to %q", mode, where)
		}
		w.on(t, 10, "test -s /var/log/nginx/own.log")
	}
	w.on(t, 10, "rm -r /www/files")
	w.infra(t, nil)
	w.must(t, "infra", "-l", w.addr(10), "-t", "nginx")
	w.settled(t)
}
