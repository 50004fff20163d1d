package resource_test

import (
	"strings"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
	"pigsty/internal/secret"
)

func TestHtpasswd(t *testing.T) {
	h := resourcetest.New()
	p := &resource.Htpasswd{Path: "/etc/nginx/.htpasswd", Mode: 0o640, Users: map[string]secret.Value{"ada": secret.New("one"), "bob": secret.New("two")}}
	read := func() string { data, _ := h.Disk.Read(p.Path); return string(data) }
	run(t, h, p, step{"absent", nil, "create: does not exist\nada:  → ******\nbob:  → ******", ""}, step{"again", nil, "", ""})
	first := read()
	if !strings.HasPrefix(first, "ada:$2a$07$") || strings.Contains(first, "one") {
		t.Errorf("the file is %q", first)
	}
	p.Users["bob"] = secret.New("three")
	run(t, h, p, step{"another password", nil, "change: a password differs\nbob: ****** → ******", ""})
	if line, _, _ := strings.Cut(first, "\n"); !strings.HasPrefix(read(), line) {
		t.Error("the hash of a password that fits was made anew")
	}
	delete(p.Users, "ada")
	run(t, h, p, step{"somebody goes", nil, "change: differs\nada: ****** → ", ""},
		step{"mode", func(h *resourcetest.Host) { _ = h.Disk.Chmod(p.Path, 0o644) }, "change: differs\nmode: 0644 → 0640", ""})
	p.Users["cyd"] = secret.New(strings.Repeat("x", 73))
	run(t, h, p, step{"too long", nil, "", "the password of cyd is longer than 72 bytes"})
}

func TestCertbot(t *testing.T) {
	const live, link, unit = "/etc/letsencrypt/live/site/fullchain.pem", "/etc/nginx/conf.d/cert/a.crt", "nginx.service"
	h := resourcetest.New()
	h.Disk.Put("/etc/nginx/conf.d/cert/pigsty.crt", "ours")
	h.Systemd.Set(unit, resource.UnitState{Enabled: true})
	l := &resource.Link{Path: link, Target: "/etc/nginx/conf.d/cert/pigsty.crt", Prefer: live}
	server := &resource.Unit{Name: unit, Enabled: true, Running: true, ReloadOn: []string{"/etc/nginx/conf.d/"}}
	run(t, h, l, step{"our own certificate", nil, "create: does not exist\ntarget:  → /etc/nginx/conf.d/cert/pigsty.crt", ""})
	run(t, h, server, step{"which the server reads", nil, "change: the unit is inactive\nrunning: no → yes", ""})
	h.Systemd.Calls()
	c := &resource.Certbot{Name: "site", Domains: []string{"a.example", "b.example"}, Email: "ada@example.com", Webroot: "/www/acme", Options: []string{"--staging"},
		Links: []*resource.Link{l}, Server: server}
	change, err := c.Diff(ctx, h.Host)
	if err != nil || change.Action != resource.Run || change.Reason != "there is no certificate yet" {
		t.Errorf("%+v, %v", change, err)
	}
	var got string
	h.Shell.Answer = func(c resource.Command) ([]byte, error) {
		got = strings.Join(c.Args, " ")
		h.Disk.Put(live, "a certificate")
		return nil, nil
	}
	if err := c.Apply(ctx, h.Host); err != nil {
		t.Error(err)
	}
	for _, part := range []string{"certonly --webroot -w /www/acme --cert-name site", "-d a.example,b.example --staging", "--email ada@example.com", "systemctl reload nginx.service"} {
		if !strings.Contains(got, part) {
			t.Errorf("%q lacks %q", got, part)
		}
	}
	if info, _ := h.Files.Stat(link); info.Target != live {
		t.Errorf("the site finds its certificate at %s", info.Target)
	}
	expect(t, "calls", strings.Join(h.Systemd.Calls(), ", "), "reload nginx.service")
	run(t, h, l, step{"nothing is left", nil, "", ""})
	run(t, h, server, step{"nor to be read", nil, "", ""})
}
