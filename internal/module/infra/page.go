package infra

import (
	"cmp"
	"fmt"
	"html"
	"path"
	"slices"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// components are the packages without which a card of the start page leads
// nowhere, by the first part of its path.
var components = map[string][]string{
	"ui": grafanaPackages, "vmetrics": vmetricsPackages, "vlogs": vlogsPackages, "vtraces": vtracesPackages, "vmalert": vmalertPackages,
	"alertmgr": alertmanagerPackages, "blackbox": blackboxPackages, "pev": pevPackages,
}

// words are what the pages say, by language.
var words = map[string]map[string]string{
	"en": {"Title": "Infrastructure", "Sites": "Sites", "Nodes": "Nodes", "Clusters": "PostgreSQL clusters", "Node": "Node",
		"Address": "Address", "Cluster": "Cluster", "Balancer": "Load balancer", "Members": "Members", "Services": "Services",
		"Other": "中文", "Grafana": "Dashboards", "GrafanaDesc": "Metrics and logs as pictures", "Lost": "There is no such page", "Back": "Start page"},
	"zh": {"Title": "基础设施", "Sites": "站点", "Nodes": "节点", "Clusters": "PostgreSQL 集群", "Node": "节点",
		"Address": "地址", "Cluster": "集群", "Balancer": "负载均衡", "Members": "成员", "Services": "服务",
		"Other": "English", "Grafana": "监控面板", "GrafanaDesc": "以图表查看指标与日志", "Lost": "页面不存在", "Back": "返回首页"},
}

// translations are the Chinese titles and descriptions of the cards that are
// there by default, by their English title.
var translations = map[string][2]string{
	"Metrics":            {"指标查询", "查询存储的监控指标"},
	"Logs":               {"日志查询", "检索收集的日志"},
	"Traces":             {"链路追踪", "检索收集的追踪"},
	"Monitor Targets":    {"监控目标", "监控对象及其状态"},
	"Alert Rules":        {"告警规则", "规则及其状态"},
	"Alert Manager":      {"告警管理", "活跃与静默的告警"},
	"CA Certificate":     {"CA 证书", "需要信任的证书"},
	"Software Repo":      {"软件仓库", "节点使用的软件包"},
	"Explain Visualizer": {"执行计划", "图示查询的执行计划"},
}

// pages adds what the portal serves from files: the CA's certificate and the
// start page in English and Chinese.
//
// Each card of the page is a file of its own, which the web server puts in, so
// that a component that no repository offers leaves no link that leads nowhere.
func (i *instance) pages(b *plan.Builder) {
	data := func(name string) string { return path.Join(i.NginxData, name) }
	if len(i.site.CA) > 0 {
		b.Tag("nginx_ca").Add(resource.NewFile(data("ca.crt"), i.site.CA))
	}
	b.Tag("nginx_pev").Given(pevPackages...).Add(&resource.Link{Path: data("pev.html"), Target: "/usr/share/pev2.html"})

	index := b.Tag("nginx_index")
	cards := i.cards()
	prunes := map[string]*resource.Prune{}
	index.Add(&resource.Dir{Path: data(".cards")}, resource.NewFile(data(".cards/none.html"), ""))
	for _, lang := range []string{"en", "zh"} {
		prunes[lang] = &resource.Prune{Dir: data(".cards/" + lang), Glob: "*.html", Header: cardHeader}
		index.Add(&resource.Dir{Path: data(".cards/" + lang)})
	}
	for n, card := range cards {
		on := index
		if first, _, _ := strings.Cut(strings.TrimPrefix(card.URL, "/"), "/"); components[first] != nil {
			on = index.Given(components[first]...)
		}
		for _, lang := range []string{"en", "zh"} {
			name := fmt.Sprintf("%02d.html", n)
			prunes[lang].Keep = append(prunes[lang].Keep, name)
			on.Add(resource.NewFile(data(".cards/"+lang+"/"+name), cardText(card, lang)))
		}
	}
	index.Add(prunes["en"], prunes["zh"])
	english, chinese := "/", "/zh"
	index.Add(
		resource.NewFile(data("index.html"), i.page("en", chinese, len(cards))),
		resource.NewFile(data("zh.html"), i.page("zh", english, len(cards))),
		resource.NewFile(data("404.html"), render("404.html.tmpl", words)),
	)
}

// cardHeader is the first line of a card's file.
const cardHeader = "<!-- managed by pigsty: changes made here are undone -->"

// cards returns the cards of the start page: Grafana, those of infra_services
// whose component is on, and those of infra_extra_services.
func (i *instance) cards() []Card {
	var out []Card
	if i.GrafanaEnabled {
		out = append(out, Card{Name: words["en"]["Grafana"], Desc: words["en"]["GrafanaDesc"], NameCN: words["zh"]["Grafana"],
			DescCN: words["zh"]["GrafanaDesc"], URL: "/ui/"})
	}
	tools := i.tools()
	for _, card := range slices.Concat(i.InfraServices, i.InfraExtraServices) {
		first, _, _ := strings.Cut(strings.TrimPrefix(card.URL, "/"), "/")
		on := slices.ContainsFunc(tools, func(t tool) bool { return t.Path == first })
		switch {
		case components[first] != nil && first != "pev" && !on, strings.HasPrefix(card.URL, "/"+i.RepoName) && !i.RepoEnabled:
		default:
			out = append(out, card)
		}
	}
	return out
}

// cardText returns the piece of a page that shows a card.
func cardText(c Card, lang string) string {
	name, desc := c.Name, c.Desc
	if lang == "zh" {
		known := translations[c.Name]
		name, desc = cmp.Or(c.NameCN, known[0], name), cmp.Or(c.DescCN, known[1], desc)
	}
	return fmt.Sprintf("%s\n<a class=\"card\" href=\"%s\"><b>%s</b><span>%s</span></a>\n", cardHeader,
		html.EscapeString(c.URL), html.EscapeString(name), html.EscapeString(desc))
}

type pageRow struct {
	Name, Address, Cluster, Link string
	Members, Services            []string
}

// page returns the start page in a language, with a link to that in the other.
func (i *instance) page(lang, other string, cards int) []byte {
	var nodes, clusters []pageRow
	for _, h := range i.site.Hosts() {
		r := pageRow{Name: node.Name(h), Address: h.Name(), Cluster: node.Cluster(h)}
		if module.Params[node.Params](h).HaproxyEnabled {
			r.Link = "/haproxy/" + r.Name + "/"
		}
		nodes = append(nodes, r)
	}
	for _, c := range pgsql.Clusters(i.site) {
		r := pageRow{Name: c.Name}
		for _, m := range c.Members {
			r.Members = append(r.Members, m.Instance()+" "+m.Host.Name())
		}
		for _, v := range slices.Concat(c.Params.PgDefaultServices, c.Params.PgServices) {
			r.Services = append(r.Services, fmt.Sprintf("%s:%d", v.Name, v.Port))
		}
		clusters = append(clusters, r)
	}
	numbers := make([]string, cards)
	for n := range numbers {
		numbers[n] = fmt.Sprintf("/.cards/%s/%02d.html", lang, n)
	}
	type link struct{ Name, URL string }
	var sites []link
	for _, s := range i.sites() {
		if s.name == "home" {
			continue
		}
		url := "http://" + s.Domain
		if i.encrypted(s) {
			url = "https://" + s.Domain + portSuffix(i.NginxSSLPort)
		}
		sites = append(sites, link{s.name, url})
	}
	return render("index.html.tmpl", map[string]any{
		"Lang": lang, "Words": words[lang], "Other": other, "Domain": i.home().Domain, "Cards": numbers, "Sites": sites,
		"Nodes": nodes, "Clusters": clusters,
	})
}
