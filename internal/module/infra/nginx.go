package infra

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const (
	nginxConfig  = "/etc/nginx/nginx.conf"
	nginxSites   = "/etc/nginx/conf.d"
	nginxCerts   = nginxSites + "/cert"
	nginxProxies = nginxSites + "/haproxy"
	nginxUsers   = "/etc/nginx/.htpasswd"
	nginxDropin  = "/etc/systemd/system/nginx.service.d/pigsty.conf"

	// nginxTest is a configuration around one site, to find its mistakes
	// before it replaces the one that works.
	nginxTest = "pid /run/pigsty/nginx-test.pid;\nerror_log stderr;\nevents {}\nhttp {\n    access_log off;\n    include /etc/nginx/mime.types;\n" +
		"    server_names_hash_bucket_size 128;\n    include %s;\n}\n"

	// proxyHeader tells the files of HAProxy's pages from those of others.
	proxyHeader = "# managed by pigsty: HAProxy's page of a node"
)

var nginxOwner = resource.Owner{User: "root", Group: "nginx"}

// nginx adds the portal: sites, their certificate, static pages, and the
// exporter of nginx's own metrics.
func (i *instance) nginx(b *plan.Builder) {
	if !i.NginxEnabled {
		return
	}
	all := b.Tag("nginx")
	b = all.Given(nginxPackages...)
	i.nginxDirectories(i.serving(b.Tag("nginx_dir")))
	i.nginxCertificate(b.Tag("nginx_cert"))
	i.nginxSites(b.Tag("nginx_config"))
	i.haproxyPages(b.Tag("nginx_config", "haproxy_register", "add_proxy"))
	i.pages(b.Tag("nginx_static"))
	unit := nginxUnit()
	if i.Facts.Family == "rpm" { // SELinux lets it pass nothing on otherwise
		connect := &resource.SELinuxBoolean{Name: "httpd_can_network_connect"}
		b.Tag("nginx_config").Add(connect)
		unit.After = []string{connect.Key()}
	}
	i.serving(b.Tag("nginx_launch", "nginx_reload")).Add(unit)
	i.certbot(all.Tag("nginx_certbot").Given(certbotPackages...))
	if i.NginxExporterEnabled {
		i.nginxExporter(all.Tag("nginx_exporter").Given(exporterPackages...))
	}
}

// serving returns b for what it takes to serve the repository: nginx with the
// site of the start page.
func (i *instance) serving(b *plan.Builder) *plan.Builder {
	if !i.RepoEnabled {
		return b
	}
	return b.Tag("repo", "repo_nginx")
}

func nginxUnit() *resource.Unit {
	return &resource.Unit{
		Name: "nginx.service", Enabled: true, Running: true,
		ReloadOn:  []string{nginxConfig, nginxSites + "/"},
		RestartOn: []string{nginxDropin},
		Check:     []string{"nginx", "-t", "-q"},
		Workers:   resource.Workers{Title: "nginx: worker process"},
	}
}

func (i *instance) nginxDirectories(b *plan.Builder) {
	b.Add(
		&resource.Dir{Path: "/etc/nginx"},
		&resource.Dir{Path: nginxSites, Owner: nginxOwner, Mode: 0o750},
		&resource.Dir{Path: nginxCerts, Owner: nginxOwner, Mode: 0o750},
		&resource.Dir{Path: nginxProxies, Owner: nginxOwner, Mode: 0o750},
		&resource.Dir{Path: i.NginxData, Owner: nginxOwner},
	)
	if i.NginxHome != i.NginxData {
		b.Add(i.homeLink())
	}
	b.Add(&resource.Dir{Path: path.Join(i.NginxData, "acme"), Owner: nginxOwner})
}

// homeLink leads from where pages are published to where they are.
func (i *instance) homeLink() *resource.Link {
	return &resource.Link{Path: i.NginxHome, Target: i.NginxData, Keep: "move what is there to the new place first, then remove the link"}
}

// nginxCertificate adds the certificate of all sites, which is issued anew when
// their names change. A site leads to it by links of its own name, or to that
// of certbot's once there is one.
func (i *instance) nginxCertificate(b *plan.Builder) {
	names := []string{"localhost"}
	for _, s := range i.sites() {
		names = append(names, s.names()...)
	}
	ips := []string{"127.0.0.1"}
	for _, other := range instances(i.site) {
		ips = append(ips, other.ip())
	}
	i.serving(b.Tag("nginx_cert_issue", "nginx_cert_copy")).Add(&resource.Cert{
		CertPath: nginxCerts + "/pigsty.crt", KeyPath: nginxCerts + "/pigsty.key",
		CommonName: "pigsty", DNSNames: unique(names...), IPs: addresses(ips...),
		Organization: []string{"pigsty"}, Units: []string{"nginx"}, Owner: nginxOwner, KeyMode: 0o640,
		Validity: module.Validity(i.NginxCertValidity), RenewBefore: renewBefore, CA: i.site.CA,
	})
	for _, s := range i.sites() {
		cert, key := s.links()
		i.forSite(b.Tag("nginx_cert_copy", "nginx_certbot"), s).Add(cert, key)
	}
}

// links returns the links by which the site finds its certificate and key.
func (s portalSite) links() (cert, key *resource.Link) {
	cert = &resource.Link{Path: nginxCerts + "/" + s.Domain + ".crt", Target: nginxCerts + "/pigsty.crt"}
	key = &resource.Link{Path: nginxCerts + "/" + s.Domain + ".key", Target: nginxCerts + "/pigsty.key"}
	if s.Certbot != "" {
		live := "/etc/letsencrypt/live/" + s.Certbot
		cert.Prefer, key.Prefer = live+"/fullchain.pem", live+"/privkey.pem"
	}
	return cert, key
}

// forSite is serving for what belongs to s, of which the start page's serves the
// repository.
func (i *instance) forSite(b *plan.Builder, s portalSite) *plan.Builder {
	if s.name != "home" {
		return b
	}
	return i.serving(b)
}

// certbot requests the certificates that sites name, when certbot_sign says so.
func (i *instance) certbot(b *plan.Builder) {
	if !i.CertbotSign {
		return
	}
	domains, links := map[string][]string{}, map[string][]*resource.Link{}
	for _, s := range i.sites() {
		if s.Certbot != "" {
			cert, key := s.links()
			domains[s.Certbot] = append(domains[s.Certbot], s.names()...)
			links[s.Certbot] = append(links[s.Certbot], cert, key)
		}
	}
	server := nginxUnit()
	server.IfRunning = true
	for _, name := range slices.Sorted(maps.Keys(domains)) {
		b.Add(&resource.Certbot{Name: name, Domains: domains[name], Email: i.CertbotEmail, Webroot: path.Join(i.NginxHome, "acme"),
			Options: strings.Fields(i.CertbotOptions), Links: links[name], Server: server, After: []string{"unit nginx.service"}})
	}
}

// nginxSites adds nginx's own configuration, the passwords, and a file for each site.
func (i *instance) nginxSites(b *plan.Builder) {
	i.serving(b).Add(
		resource.NewFile(nginxConfig, render("nginx.conf.tmpl", map[string]any{"Files": module.OpenFiles(i.Host, 65535)}),
			resource.Keeping(module.Managed), resource.CheckedBy("nginx", "-t", "-q", "-c", "%s")),
		resource.NewFile(nginxDropin, render("nginx.service.tmpl", map[string]any{"Files": module.OpenFiles(i.Host, 65535)})),
		&resource.Htpasswd{Path: nginxUsers, Users: i.NginxUsers, Owner: nginxOwner, Mode: 0o640},
	)
	prune := &resource.Prune{Dir: nginxSites, Glob: "*.conf", Header: module.Managed, Any: i.NginxClean}
	for _, s := range i.sites() {
		prune.Keep = append(prune.Keep, s.name+".conf")
		file := resource.NewFile(nginxSites+"/"+s.name+".conf", i.siteFile(s),
			resource.CheckedWithin(nginxTest, "nginx", "-t", "-q", "-c", "%s"))
		i.forSite(b, s).After(b.ID("cert "+nginxCerts+"/pigsty.crt"), b.ID("link "+nginxCerts+"/"+s.Domain+".crt"), b.ID("link "+nginxCerts+"/"+s.Domain+".key")).
			After(i.proxyIDs(b, s)...).Add(file)
	}
	b.Tag("nginx_clean").Add(prune)
}

// proxyIDs are the steps that the start page's site comes after, as it includes
// what they write.
func (i *instance) proxyIDs(b *plan.Builder, s portalSite) []string {
	if s.name != "home" {
		return nil
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(i.proxied())) {
		out = append(out, b.ID("file "+nginxProxies+"/upstream-"+name+".conf"), b.ID("file "+nginxProxies+"/location-"+name+".conf"))
	}
	return append(out, b.ID("prune "+nginxProxies+"/*.conf"))
}

// haproxyPage is the statistics page of a node's HAProxy.
type haproxyPage struct {
	server string
	login  bool // whether it asks for a password itself
}

// proxied returns the page of each node that has one, by the node's name.
func (i *instance) proxied() map[string]haproxyPage {
	out := map[string]haproxyPage{}
	for _, h := range i.site.Hosts() {
		if p := module.Params[node.Params](h); p.HaproxyEnabled {
			out[node.Name(h)] = haproxyPage{at(h.Name(), p.HaproxyExporterPort), p.HaproxyAuthEnabled}
		}
	}
	return out
}

// haproxyPages adds the pages of all HAProxies to the portal's start page.
func (i *instance) haproxyPages(b *plan.Builder) {
	prune := &resource.Prune{Dir: nginxProxies, Glob: "*.conf", Header: proxyHeader}
	pages := i.proxied()
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		for _, f := range i.pageFiles(name, pages[name]) {
			prune.Keep = append(prune.Keep, path.Base(f.Path))
			b.Add(f)
		}
	}
	b.Add(prune)
}

// pageFiles are the files of one node's page: the server, and where it is passed on.
func (i *instance) pageFiles(name string, page haproxyPage) []*resource.File {
	return []*resource.File{
		resource.NewFile(nginxProxies+"/upstream-"+name+".conf",
			fmt.Sprintf("%s\nupstream haproxy-%s { server %s max_fails=0; }\n", proxyHeader, name, page.server)),
		resource.NewFile(nginxProxies+"/location-"+name+".conf", render("haproxy.conf.tmpl", map[string]any{
			"Header": proxyHeader, "Name": name, "Login": page.login, "Own": i.ip(), "Networks": i.intranet()})),
	}
}

// nginxExporter adds what turns nginx's status page into metrics.
func (i *instance) nginxExporter(b *plan.Builder) {
	v := service{Name: "nginx_exporter", Description: "nginx-prometheus-exporter", User: "prometheus", Port: i.NginxExporterPort, NoReload: true, Peers: i.peers(),
		Needs:   []string{"unit nginx.service"}, // old ones end where it does not answer
		Program: called(b, "nginx_exporter", "prometheus-nginx-exporter"),
		Arguments: append(listening("--web.listen-address=", i.listen(i.NginxExporterPort)),
			fmt.Sprintf("--nginx.scrape-uri=http://%s/nginx", at("127.0.0.1", i.NginxPort)))}
	v.add(i, b, b)
	strangers(b, "prometheus-nginx-exporter")
}
