package infra

import (
	"path"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/param"
	"pigsty/internal/repo/fetch"
	"pigsty/internal/secret"
)

// ProxyEnv is the value of proxy_env. Proxy URLs may hold passwords.
type ProxyEnv struct {
	_ struct{} `doc:"Proxies, as in the environment variables of the same names."`

	HTTPProxy  secret.Value `param:"http_proxy" doc:"URL of the proxy for HTTP."`
	HTTPSProxy secret.Value `param:"https_proxy" doc:"URL of the proxy for HTTPS."`
	AllProxy   secret.Value `param:"all_proxy" doc:"URL of the proxy for everything else."`
	NoProxy    string       `param:"no_proxy" doc:"Hosts and networks that are reached without a proxy, separated by commas."`
}

// Card is an entry of the portal's start page.
type Card struct {
	_ struct{} `doc:"An entry of the portal's start page."`

	Pos    diag.Pos
	Name   string `param:"name" required:"true" doc:"Title."`
	URL    string `param:"url" required:"true" doc:"Where it leads, a URL or a path of the portal."`
	Desc   string `param:"desc" doc:"What is there, in a few words."`
	Icon   string `param:"icon" idle:"the start page has no icons" doc:"Name of the icon."`
	NameCN string `param:"name_cn" doc:"Title on the Chinese page."`
	DescCN string `param:"desc_cn" doc:"Description on the Chinese page."`
}

// Portal is a site of the nginx portal, one entry of infra_portal. One without
// a domain is not published, but for the start page.
type Portal struct {
	_ struct{} `doc:"A site of the portal. One without a domain is not published, but for home, whose domain is i.pigsty then."`

	Pos          diag.Pos
	Domain       string   `param:"domain" format:"hostname" doc:"Domain name of the site."`
	Domains      []string `param:"domains" doc:"Further domain names of the site."`
	Endpoint     string   `param:"endpoint" doc:"Server behind the site, an address and a port."`
	Path         string   `param:"path" format:"path" doc:"Directory to publish."`
	Scheme       string   `param:"scheme" default:"http" enum:"http,https" doc:"How the server behind is spoken to."`
	Websocket    bool     `param:"websocket" default:"false" doc:"Whether websockets are passed on."`
	Auth         bool     `param:"auth" default:"false" doc:"Whether one of nginx_users must log in."`
	Realm        string   `param:"realm" doc:"What the login dialog says."`
	Index        *bool    `param:"index" doc:"Whether directories are listed. Off unless set, but for the start page."`
	Log          string   `param:"log" doc:"Name of the access log."`
	Conf         string   `param:"conf" doc:"File with the site's configuration, in place of the usual one: beside the inventory, or in its directory files. ${admin_ip} stands for the address of the admin node."`
	Config       string   `param:"config" doc:"Further lines of the site's configuration, as they are."`
	Cert         string   `param:"cert" format:"path" doc:"File of the certificate. Named after the domain unless set."`
	Key          string   `param:"key" format:"path" doc:"File of its private key."`
	Certbot      string   `param:"certbot" doc:"Name of the certificate that certbot requests for the site and others of the same name."`
	EnforceHTTPS bool     `param:"enforce_https" default:"false" doc:"Whether plain HTTP is redirected to HTTPS."`
}

// Upstream is an upstream repository of packages.
type Upstream struct {
	_ struct{} `doc:"An upstream repository of packages."`

	Pos         diag.Pos
	Name        string            `param:"name" required:"true" doc:"Name of the repository."`
	Module      string            `param:"module" required:"true" doc:"Module that it belongs to, by which repositories are chosen."`
	Description string            `param:"description" doc:"What is in it."`
	Releases    []int             `param:"releases" required:"true" doc:"Major versions of operating systems that it is for."`
	Arch        []string          `param:"arch" required:"true" enum:"x86_64,aarch64" doc:"Architectures that it is for."`
	BaseURL     map[string]string `param:"baseurl" required:"true" doc:"URL by region. default serves regions that have none."`
	Meta        map[string]string `param:"meta" doc:"Further options of a yum repository."`
	Minor       bool              `param:"minor" default:"false" doc:"Whether the URL has the minor version of the system in it, on EL."`
}

// Check requires the URL that serves regions without one.
func (u *Upstream) Check(l *diag.List) {
	if u.BaseURL["default"] == "" {
		l.Add(diag.Diagnostic{
			Code: "missing-field", Pos: u.Pos,
			Message: "the repository " + u.Name + " has no default in baseurl", Advice: "add baseurl.default",
		})
	}
}

// URLPackage is a file to download into the local repository.
type URLPackage struct {
	_ struct{} `doc:"A file to download into the local repository."`

	Pos    diag.Pos
	Name   string `param:"name" doc:"Name of the file. The last part of the URL unless set."`
	URL    string `param:"url" required:"true" bare:"true" format:"url" doc:"Where it is; ${releasever}, ${arch} and ${distro_codename} stand for those of the system."`
	SHA256 string `param:"sha256" format:"sha256" doc:"SHA-256 that the file must have. Any unless set."`
}

// Check requires a name that can be that of a file of the repository, and warns of a
// file that anybody on the way can exchange.
func (u *URLPackage) Check(l *diag.List) {
	if name := u.file(); strings.ContainsRune(name, '/') || strings.HasPrefix(name, ".") {
		l.Fail(u.Pos, "invalid-format", "a file of repo_url_packages cannot be called "+name, "set name to one without a slash, and not beginning with a dot")
	}
	if u.SHA256 == "" && strings.HasPrefix(u.URL, "http://") {
		l.Warn(u.Pos, "not-verified", "repo_url_packages has "+fetch.Shown(u.URL)+", which anybody on the way can exchange", "add sha256, or use https")
	}
}

// file returns the name of the file.
func (u *URLPackage) file() string {
	if u.Name != "" {
		return u.Name
	}
	address, _, _ := strings.Cut(u.URL, "?")
	return path.Base(address)
}

// AlertReceiver is somebody who is told of alerts.
type AlertReceiver struct {
	_ struct{} `doc:"Somebody who is told of alerts. Every receiver whose match fits gets an alert."`

	Pos     diag.Pos
	Name    string                   `param:"name" required:"true" doc:"Name of the receiver."`
	Type    string                   `param:"type" required:"true" enum:"webhook,email,slack,telegram,pagerduty,opsgenie,victorops,pushover,wechat,sns,discord,msteams,msteamsv2,webex,jira,rocketchat" doc:"Kind of the receiver, as Alertmanager calls it."`
	Match   map[string]string        `param:"match" doc:"Labels that an alert must have, each with a regular expression, such as severity: CRIT|WARN. All alerts unless set."`
	Options map[string]param.Setting `param:"options" required:"true" secrets:"url,api_url,webhook_url,auth_password,auth_secret,bot_token,routing_key,service_key,api_key,token,user_key,api_secret,bot_token" doc:"Options of that kind of receiver, as Alertmanager calls them, such as url of a webhook."`
}
