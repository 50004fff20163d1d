package infra

import (
	_ "embed"

	"pigsty/internal/param"
	"pigsty/internal/secret"
)

//go:embed defaults.yml
var defaults []byte

// Params are the parameters of the INFRA module, which runs what the other
// modules lean on.
type Params struct {
	// META

	Version  string   `param:"version" default:"v4.5.0" level:"global" group:"META" doc:"Version of Pigsty that the inventory is written for."`
	AdminIP  string   `param:"admin_ip" default:"10.10.10.10" format:"ip" level:"global" group:"META" doc:"Address of the node that manages the others. It takes the place of ${admin_ip} in other parameters."`
	Region   string   `param:"region" default:"default" enum:"default,china,europe" level:"global" group:"META" doc:"Which mirrors of upstream repositories are used."`
	ProxyEnv ProxyEnv `param:"proxy_env" default:"@proxy_env" level:"global" group:"META" doc:"Proxies for downloads."`
	Language string   `param:"language" default:"en" enum:"en,zh" level:"global" group:"META" doc:"Language of dashboards and pages."`

	// CA

	CaCreate     bool   `param:"ca_create" default:"true" level:"global" group:"CA" doc:"Whether a certificate authority is created when there is none. When off, its absence is an error."`
	CaCn         string `param:"ca_cn" default:"pigsty-ca" level:"global" group:"CA" doc:"Common name of the certificate authority."`
	CertValidity string `param:"cert_validity" default:"7300d" format:"interval" level:"global" group:"CA" doc:"How long issued certificates are valid."`

	// INFRA

	InfraServices      []Card            `param:"infra_services" default:"@infra_services" unique:"name" level:"global" group:"INFRA" doc:"Entries of the portal's start page."`
	InfraExtraServices []Card            `param:"infra_extra_services" default:"[]" unique:"name" level:"global" group:"INFRA" doc:"Further entries of the portal's start page."`
	InfraSeq           *int              `param:"infra_seq" min:"0" level:"instance" group:"INFRA" doc:"Number of the infra node, unique among them. Makes the host an infra node."`
	InfraPortal        map[string]Portal `param:"infra_portal" default:"{home: {domain: i.pigsty}}" level:"global" group:"INFRA" doc:"Sites of the nginx portal by name. home is the start page, which is there also where it is not written."`
	InfraData          string            `param:"infra_data" default:"/data/infra" format:"path" level:"global" group:"INFRA" doc:"Directory of metrics, logs, traces and registered targets."`
	InfraPackages      []string          `param:"infra_packages" level:"global" group:"INFRA" doc:"Further packages for infra nodes, besides those of the services that are on and of the clients that administer clusters."`

	// REPO

	RepoEnabled       bool         `param:"repo_enabled" default:"true" level:"global/instance" group:"REPO" doc:"Whether a local software repository is built on the node."`
	RepoHome          string       `param:"repo_home" default:"/www" format:"path" level:"global" group:"REPO" doc:"Directory of the repositories, published by nginx."`
	RepoName          string       `param:"repo_name" default:"pigsty" level:"global" group:"REPO" doc:"Name of the local repository and of its directory."`
	RepoEndpoint      string       `param:"repo_endpoint" default:"http://${admin_ip}:80" level:"global" group:"REPO" doc:"Where nodes reach the repositories."`
	RepoRemove        bool         `param:"repo_remove" default:"true" level:"global/arg" group:"REPO" idle:"the node that builds reads upstreams while it does so and configures none, so its repository files stay; node_repo_remove sets aside those of nodes" doc:"Whether repository files that are there already are moved out of the way on the node that builds."`
	RepoModules       string       `param:"repo_modules" default:"infra,node,pgsql" level:"global/arg" group:"REPO" doc:"Upstream repositories to build from, by module name, separated by commas."`
	RepoUpstream      []Upstream   `param:"repo_upstream" level:"global" group:"REPO" doc:"Upstream repositories, each for releases and architectures; none unless set. Base systems come from the repositories that hosts have."`
	RepoPackages      []string     `param:"repo_packages" level:"global" group:"REPO" doc:"Packages to download with everything they need, names and aliases, besides what the inventory's hosts install."`
	RepoExtraPackages []string     `param:"repo_extra_packages" level:"global/cluster/instance" group:"REPO" doc:"Further packages to download."`
	RepoBuild         bool         `param:"repo_build" default:"false" level:"arg" group:"REPO" doc:"Whether the repository is built again with the newest versions. It is built anyway when it lacks something."`
	RepoURLPackages   []URLPackage `param:"repo_url_packages" default:"[]" level:"global" group:"REPO" doc:"Files to download into the repository; packages go into its index."`

	// NGINX

	NginxEnabled         bool                    `param:"nginx_enabled" default:"true" level:"global/instance" group:"NGINX" doc:"Whether nginx serves the portal and the repository."`
	NginxClean           bool                    `param:"nginx_clean" default:"false" level:"global/arg" group:"NGINX" doc:"Whether site files that nobody manages are removed."`
	NginxExporterEnabled bool                    `param:"nginx_exporter_enabled" default:"true" level:"global/instance" group:"NGINX" doc:"Whether nginx's metrics are exported."`
	NginxExporterPort    int                     `param:"nginx_exporter_port" default:"9113" format:"port" level:"global" group:"NGINX" doc:"Port of nginx_exporter."`
	NginxSslmode         string                  `param:"nginx_sslmode" default:"enable" enum:"disable,enable,enforce" level:"global" group:"NGINX" doc:"Whether the portal speaks TLS: not at all, beside plain HTTP, or only."`
	NginxCertValidity    string                  `param:"nginx_cert_validity" default:"397d" format:"interval" level:"global" group:"NGINX" doc:"How long the portal's certificate is valid. Browsers refuse more than 397 days."`
	NginxHome            string                  `param:"nginx_home" default:"/www" format:"path" level:"global" group:"NGINX" doc:"Root of the web pages, a link to nginx_data."`
	NginxData            string                  `param:"nginx_data" default:"/data/nginx" format:"path" level:"global" group:"NGINX" doc:"Where the web pages really are."`
	NginxUsers           map[string]secret.Value `param:"nginx_users" default:"{}" level:"global" group:"NGINX" doc:"Users of sites that ask for a password, with their passwords."`
	NginxPort            int                     `param:"nginx_port" default:"80" format:"port" level:"global" group:"NGINX" doc:"Port of plain HTTP."`
	NginxSSLPort         int                     `param:"nginx_ssl_port" default:"443" format:"port" level:"global" group:"NGINX" doc:"Port of HTTPS."`
	CertbotSign          bool                    `param:"certbot_sign" default:"false" level:"global/arg" group:"NGINX" doc:"Whether certificates are requested from Let's Encrypt for sites that name a certbot group."`
	CertbotEmail         string                  `param:"certbot_email" default:"your@email.com" level:"global/arg" group:"NGINX" doc:"Address that Let's Encrypt writes to."`
	CertbotOptions       string                  `param:"certbot_options" default:"" level:"global/arg" group:"NGINX" doc:"Further options of certbot."`

	// DNS

	DNSEnabled bool     `param:"dns_enabled" default:"true" level:"global/instance" group:"DNS" doc:"Whether dnsmasq runs on the node and clusters get names there."`
	DNSPort    int      `param:"dns_port" default:"53" format:"port" level:"global" group:"DNS" doc:"Port of dnsmasq."`
	DNSRecords []string `param:"dns_records" default:"@dns_records" format:"hosts" level:"global" group:"DNS" doc:"Static records of dnsmasq, an address followed by names. Unless set, usual names of the portal, which lead to all infra nodes that have it."`

	// VICTORIA

	VmetricsScrapeInterval string `param:"vmetrics_scrape_interval" default:"10s" aka:"prometheus_scrape_interval" format:"interval" level:"global" group:"VICTORIA" doc:"How often metrics are collected, and rules evaluated."`
	VmetricsScrapeTimeout  string `param:"vmetrics_scrape_timeout" default:"8s" aka:"prometheus_scrape_timeout" format:"interval" level:"global" group:"VICTORIA" doc:"How long collecting may take."`
	VmetricsEnabled        bool   `param:"vmetrics_enabled" default:"true" aka:"prometheus_enabled" level:"global/instance" group:"VICTORIA" doc:"Whether VictoriaMetrics stores metrics on the node."`
	VmetricsClean          bool   `param:"vmetrics_clean" default:"false" aka:"prometheus_clean" level:"global/arg" group:"VICTORIA" doc:"Whether stored metrics are deleted."`
	VmetricsPort           int    `param:"vmetrics_port" default:"8428" aka:"prometheus_port" format:"port" level:"global" group:"VICTORIA" doc:"Port of VictoriaMetrics."`
	VmetricsOptions        string `param:"vmetrics_options" default:"-retentionPeriod=15d -promscrape.fileSDCheckInterval=5s" level:"global" group:"VICTORIA" doc:"Further options of VictoriaMetrics, such as how long metrics are kept."`
	VlogsEnabled           bool   `param:"vlogs_enabled" default:"true" aka:"loki_enabled" level:"global/instance" group:"VICTORIA" doc:"Whether VictoriaLogs stores logs on the node."`
	VlogsClean             bool   `param:"vlogs_clean" default:"false" aka:"loki_clean" level:"global/arg" group:"VICTORIA" doc:"Whether stored logs are deleted."`
	VlogsPort              int    `param:"vlogs_port" default:"9428" aka:"loki_port" format:"port" level:"global" group:"VICTORIA" doc:"Port of VictoriaLogs."`
	VlogsOptions           string `param:"vlogs_options" default:"-retentionPeriod=15d -retention.maxDiskSpaceUsageBytes=50GiB -insert.maxLineSizeBytes=1MB -search.maxQueryDuration=120s" level:"global" group:"VICTORIA" doc:"Further options of VictoriaLogs."`
	VtracesEnabled         bool   `param:"vtraces_enabled" default:"true" level:"global/instance" group:"VICTORIA" doc:"Whether VictoriaTraces stores traces on the node."`
	VtracesClean           bool   `param:"vtraces_clean" default:"false" level:"global/arg" group:"VICTORIA" doc:"Whether stored traces are deleted."`
	VtracesPort            int    `param:"vtraces_port" default:"10428" format:"port" level:"global" group:"VICTORIA" doc:"Port of VictoriaTraces."`
	VtracesOptions         string `param:"vtraces_options" default:"-retentionPeriod=15d -retention.maxDiskSpaceUsageBytes=50GiB" level:"global" group:"VICTORIA" doc:"Further options of VictoriaTraces."`
	VmalertEnabled         bool   `param:"vmalert_enabled" default:"true" level:"global/instance" group:"VICTORIA" doc:"Whether vmalert evaluates rules on the node."`
	VmalertPort            int    `param:"vmalert_port" default:"8880" format:"port" level:"global" group:"VICTORIA" doc:"Port of vmalert."`
	VmalertOptions         string `param:"vmalert_options" default:"" level:"global" group:"VICTORIA" doc:"Further options of vmalert."`

	// PROMETHEUS

	BlackboxEnabled       bool            `param:"blackbox_enabled" default:"true" level:"global/instance" group:"PROMETHEUS" doc:"Whether blackbox_exporter probes other hosts."`
	BlackboxPort          int             `param:"blackbox_port" default:"9115" format:"port" level:"global" group:"PROMETHEUS" doc:"Port of blackbox_exporter."`
	BlackboxOptions       string          `param:"blackbox_options" default:"" level:"global" group:"PROMETHEUS" doc:"Further options of blackbox_exporter."`
	AlertmanagerEnabled   bool            `param:"alertmanager_enabled" default:"true" level:"global/instance" group:"PROMETHEUS" doc:"Whether Alertmanager sends out alerts."`
	AlertmanagerPort      int             `param:"alertmanager_port" default:"9059" format:"port" level:"global" group:"PROMETHEUS" doc:"Port of Alertmanager."`
	AlertmanagerOptions   string          `param:"alertmanager_options" default:"" level:"global" group:"PROMETHEUS" doc:"Further options of Alertmanager."`
	AlertmanagerReceivers []AlertReceiver `param:"alertmanager_receivers" default:"[]" unique:"name" level:"global" group:"PROMETHEUS" doc:"Who is told of alerts, and how. A configuration file that somebody else wrote is left alone."`
	ExporterMetricsPath   string          `param:"exporter_metrics_path" default:"/metrics" format:"path" level:"global" group:"PROMETHEUS" doc:"Path under which exporters publish metrics."`

	// GRAFANA

	GrafanaEnabled       bool         `param:"grafana_enabled" default:"true" level:"global/instance" group:"GRAFANA" doc:"Whether Grafana runs on the node."`
	GrafanaPort          int          `param:"grafana_port" default:"3000" format:"port" level:"global" group:"GRAFANA" doc:"Port of Grafana."`
	GrafanaClean         bool         `param:"grafana_clean" default:"false" level:"global/arg" group:"GRAFANA" doc:"Whether Grafana's data are deleted: dashboards and users of your own too."`
	GrafanaAdminUsername string       `param:"grafana_admin_username" default:"admin" level:"global" group:"GRAFANA" doc:"Name of Grafana's administrator."`
	GrafanaAdminPassword secret.Value `param:"grafana_admin_password" default:"pigsty" level:"global" group:"GRAFANA" doc:"That user's password."`
	GrafanaAuthProxy     bool         `param:"grafana_auth_proxy" default:"false" level:"global" group:"GRAFANA" doc:"Whether Grafana trusts the user name that the proxy in front of it passes on."`
	GrafanaPgurl         secret.Value `param:"grafana_pgurl" default:"" level:"global" group:"GRAFANA" doc:"PostgreSQL URL of Grafana's own database; empty for a local file."`
	GrafanaViewPassword  secret.Value `param:"grafana_view_password" default:"DBUser.Viewer" level:"global" group:"GRAFANA" doc:"Password of the database user by which Grafana reads the meta database."`

	// CACHE

	CachePkgDir  string `param:"cache_pkg_dir" default:"dist/${version}" level:"global" group:"CACHE" doc:"Directory where offline packages are collected, beside the inventory unless it begins with a slash."`
	CachePkgName string `param:"cache_pkg_name" default:"pigsty-pkg-${version}.${os}.${arch}.tgz" level:"global" group:"CACHE" doc:"File name of an offline package. ${os} stands for the system that it is for, such as d13, u24 or el9."`
	CacheRepo    string `param:"cache_repo" default:"pigsty" level:"global" group:"CACHE" doc:"Repository that goes into an offline package, the name of a directory below repo_home."`

	// CERT

	Cn     string   `param:"cn" default:"pigsty" level:"arg" group:"CERT" doc:"Common name of the certificate to issue."`
	San    []string `param:"san" default:"['DNS:localhost', 'IP:127.0.0.1']" level:"arg" group:"CERT" doc:"Alternative names of that certificate, each with DNS: or IP: before it."`
	Org    string   `param:"org" default:"pigsty" level:"arg" group:"CERT" doc:"Organization of that certificate."`
	Unit   string   `param:"unit" default:"pigsty" level:"arg" group:"CERT" doc:"Organizational unit of that certificate."`
	Expire string   `param:"expire" default:"7300d" format:"interval" level:"arg" group:"CERT" doc:"How long that certificate is valid."`
	Key    string   `param:"key" level:"arg" group:"CERT" doc:"File of its private key, in place of the usual one."`
}

// Declaration returns what the catalogue of parameters needs to know.
func Declaration() param.Module {
	return param.Module{
		Name: "INFRA",
		Doc: "Infra nodes hold the certificate authority, the software repository, the web portal, DNS, " +
			"and what stores and shows metrics, logs and traces.",
		Params:   Params{},
		Defaults: defaults,
		Groups: map[string]string{
			"META":       "What concerns the whole deployment.",
			"CA":         "The certificate authority.",
			"INFRA":      "The infra nodes and their portal.",
			"REPO":       "The local software repository.",
			"NGINX":      "The web server.",
			"DNS":        "The name server.",
			"VICTORIA":   "Storage of metrics, logs and traces.",
			"PROMETHEUS": "Probes and alerts.",
			"GRAFANA":    "Dashboards.",
			"CACHE":      "Offline packages, made of a repository.",
			"CERT":       "Arguments of a run that issues one certificate.",
		},
		Prefixes: []string{
			"infra_", "repo_", "nginx_", "dns_", "vmetrics_", "vlogs_", "vtraces_", "vmalert_",
			"blackbox_", "alertmanager_", "grafana_", "certbot_", "prometheus_", "loki_",
		},
		Obsolete: map[string]string{
			"ca_method":              "a certificate authority is created when there is none, see ca_create",
			"nginx_navbar":           "the start page is made of infra_services and infra_extra_services",
			"prometheus_options":     "VictoriaMetrics has options of its own, see vmetrics_options",
			"prometheus_data":        "metrics lie below infra_data",
			"prometheus_sd_dir":      "targets lie below infra_data",
			"prometheus_sd_interval": "see the option -promscrape.fileSDCheckInterval in vmetrics_options",
			"pushgateway_enabled":    "there is no Pushgateway; VictoriaMetrics takes pushed metrics",
			"pushgateway_port":       "there is no Pushgateway; VictoriaMetrics takes pushed metrics",
			"pushgateway_options":    "there is no Pushgateway; VictoriaMetrics takes pushed metrics",
			"loki_data":              "logs lie below infra_data",
			"loki_retention":         "see the option -retentionPeriod in vlogs_options",
			"grafana_plugin_method":  "plugins are packages, see infra_packages",
			"grafana_plugin_cache":   "plugins are packages, see infra_packages",
			"grafana_plugin_list":    "plugins are packages, see infra_packages",
		},
	}
}
