package infra

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"pigsty/internal/module"
)

// portalSite is one site of the portal.
type portalSite struct {
	Portal
	name string
}

// tool is a web interface that the start page passes on, which has no login of
// its own unless Login says so.
type tool struct {
	Path      string // on the start page, without slashes
	Server    string
	Login     bool
	Websocket bool
	Keep      bool // the path is part of what the server is asked for
	Identify  bool // the portal asks for a password and tells the server who it was

	// UI is where its pages are, below Path. Distributions build it without them.
	UI string
}

// sites returns the sites that are published, in the order of their names. The
// start page always is: nodes fetch packages there.
func (i *instance) sites() []portalSite {
	out := []portalSite{i.home()}
	for name, p := range i.InfraPortal {
		if name != "home" && p.Domain != "" {
			out = append(out, portalSite{p, name})
		}
	}
	slices.SortFunc(out, func(a, b portalSite) int { return cmp.Compare(a.name, b.name) })
	return out
}

// home returns the site of the start page.
func (i *instance) home() portalSite {
	p := i.InfraPortal["home"]
	p.Domain = cmp.Or(p.Domain, "i.pigsty")
	return portalSite{p, "home"}
}

// domains returns every name under which the portal is reached.
func (i *instance) domains() []string {
	var out []string
	for _, s := range i.sites() {
		out = append(out, s.names()...)
	}
	return out
}

func (s portalSite) names() []string { return append([]string{s.Domain}, s.Domains...) }

// usesCertbot reports whether a site names a certificate of certbot's.
func (i *instance) usesCertbot() bool {
	return slices.ContainsFunc(i.sites(), func(s portalSite) bool { return s.Certbot != "" })
}

// plain reports whether the site is served without TLS, and encrypted whether
// it is with it.
func (i *instance) plain(s portalSite) bool {
	return s.name == "home" || i.NginxSslmode == "disable" || i.NginxSslmode == "enable" && !s.EnforceHTTPS
}

func (i *instance) encrypted(portalSite) bool { return i.NginxSslmode != "disable" }

// probe is the URL by which the site is watched.
func (s portalSite) probe(i *instance) string {
	if i.encrypted(s) {
		return "https://" + at(i.ip(), i.NginxSSLPort) + "/"
	}
	return "http://" + at(i.ip(), i.NginxPort) + "/"
}

// tools are the web interfaces that the node has.
func (i *instance) tools() []tool {
	var out []tool
	add := func(on bool, t tool) {
		if on {
			out = append(out, t)
		}
	}
	add(i.GrafanaEnabled, tool{Path: "ui", Server: i.self(i.GrafanaPort), Login: true, Websocket: true, Keep: true,
		Identify: i.identifies()})
	add(i.VmetricsEnabled, tool{Path: "vmetrics", Server: i.self(i.VmetricsPort), UI: "vmui/"})
	add(i.VlogsEnabled, tool{Path: "vlogs", Server: i.self(i.VlogsPort), UI: "select/vmui/"})
	add(i.VtracesEnabled, tool{Path: "vtraces", Server: i.self(i.VtracesPort), UI: "select/vmui/"})
	add(i.VmalertEnabled, tool{Path: "vmalert", Server: i.self(i.VmalertPort)})
	add(i.AlertmanagerEnabled, tool{Path: "alertmgr", Server: i.self(i.AlertmanagerPort)})
	add(i.BlackboxEnabled, tool{Path: "blackbox", Server: i.self(i.BlackboxPort)})
	return out
}

// identifies reports whether Grafana hears from the portal who asks, which has
// to know that itself.
func (i *instance) identifies() bool { return i.GrafanaAuthProxy && len(i.NginxUsers) > 0 }

// siteFile returns the configuration of one site: its own file beside the
// inventory, if it names one, as it is.
func (i *instance) siteFile(s portalSite) []byte {
	if s.Conf != "" {
		text, _ := i.site.File(s.Conf) // check has read it
		return []byte(module.Managed + "\n" + i.expand(string(text)))
	}
	endpoint := i.expand(s.Endpoint)
	identify := i.identifies() && i.leads(endpoint, func(other *instance) []int { return []int{other.GrafanaPort} })
	data := map[string]any{
		"Site": s.Portal, "Name": s.name, "Names": strings.Join(s.names(), " "),
		"Plain": i.plain(s), "Encrypted": i.encrypted(s), "Port": i.NginxPort, "SSLPort": i.NginxSSLPort,
		"SSLPortText": portSuffix(i.NginxSSLPort),
		"Cert":        cmp.Or(s.Cert, nginxCerts+"/"+s.Domain+".crt"), "Key": cmp.Or(s.Key, nginxCerts+"/"+s.Domain+".key"),
		"Users": nginxUsers, "Root": i.NginxHome, "Realm": cmp.Or(s.Realm, "Restricted"),
		"Config": indent(s.Config, "    "), "Log": "", "Networks": i.intranet(), "Own": i.ip(),
		"Endpoint": endpoint, "Restricted": !s.Auth && i.open(endpoint),
		"Identify": identify, "Asks": s.Auth || identify && s.name != "home",
		"Proxies": nginxProxies, "Tools": i.tools(), "Index": s.Index == nil || *s.Index, "Page": s.Path,
	}
	kind := "site-proxy.conf.tmpl"
	switch {
	case s.name == "home":
		kind = "site-home.conf.tmpl"
	case s.Path != "":
		kind, data["Index"] = "site-path.conf.tmpl", s.Index != nil && *s.Index
	default:
		data["Log"] = s.name + ".log"
	}
	if s.Log != "" {
		data["Log"] = s.Log
	}
	return render(kind, data)
}

// portSuffix is what follows a host in a URL for https on port.
func portSuffix(port int) string {
	if port == 443 {
		return ""
	}
	return fmt.Sprintf(":%d", port)
}

// indent puts by before every line of text that is not empty.
func indent(text, by string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for n, l := range lines {
		if l = strings.TrimRight(l, " \t"); l != "" {
			lines[n] = by + l
		}
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
