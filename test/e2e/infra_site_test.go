package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// siteKinds are sites of every kind, on host 10 alone: to the other node's portal
// they are unknown, so that what is passed on to it is answered with its start page.
const siteKinds = `{ home: { domain: i.pigsty, domains: [ j.pigsty ] },
      metrics: { domain: p.pigsty, endpoint: "NET.10:8428", domains: [ q.pigsty ] },
      talk: { domain: w.pigsty, endpoint: "NET.1:9098", websocket: true },
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
	echo(t, w.addr(1)+":9098")
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
		if err := echoed(c, scheme+"://w.pigsty/"); err != nil {
			t.Errorf("%s: nobody can talk through it: %v", mode, err)
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

// echo says what it hears, at addr, to whoever asks for a WebSocket.
func echo(t *testing.T, addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" || !strings.EqualFold(r.Header.Get("Connection"), "upgrade") {
			http.Error(answer, "it is no WebSocket that is asked for", http.StatusBadRequest)
			return
		}
		conn, rest, err := answer.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, _ = io.Copy(conn, rest)
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
}

// echoed asks url for a WebSocket and returns nil if it says what it hears.
func echoed(c *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	res, err := c.Transport.RoundTrip(r) // a client with a limit hides that one can write
	if err != nil {
		return err
	}
	defer res.Body.Close()
	both, ok := res.Body.(io.ReadWriter)
	if !ok {
		return fmt.Errorf("it answers %s", res.Status)
	}
	for _, word := range []string{"one", "two"} { // each is passed on before there is another
		heard := make([]byte, len(word))
		if _, err := io.WriteString(both, word); err != nil {
			return err
		}
		if _, err := io.ReadFull(both, heard); err != nil || string(heard) != word {
			return fmt.Errorf("%q comes back as %q: %v", word, heard, err)
		}
	}
	return nil
}
