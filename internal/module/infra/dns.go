package infra

import (
	"maps"
	"slices"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const (
	dnsConfig  = "/etc/dnsmasq.conf"
	dnsRecords = "/etc/dnsmasq.d/pigsty"
	dnsUnit    = "/etc/systemd/system/dnsmasq.service"
)

// dns adds dnsmasq and one file of records for each thing that has names.
//
// The records are read with addn-hosts and not with hostsdir, which never
// forgets a file that goes.
func (i *instance) dns(b *plan.Builder) {
	if !i.DNSEnabled {
		return
	}
	b = b.Tag("dns").Given(dnsmasqPackages...)
	b.Tag("dns_dir").Add(&resource.Dir{Path: dnsRecords, Owner: resource.Owner{User: "root", Group: "dnsmasq"}})

	config := b.Tag("dns_config")
	config.Add(
		resource.NewFile(dnsConfig, render("dnsmasq.conf.tmpl", map[string]any{
			"Records": dnsRecords, "Port": i.DNSPort, "Listen": i.resolvers(),
		}), resource.Keeping(module.Managed), resource.CheckedBy("dnsmasq", "--test", "-C", "%s")),
		resource.NewFile(dnsUnit, render("dnsmasq.service.tmpl", nil), resource.Keeping(module.Managed)),
	)

	record := b.Tag("dns_record")
	prune := &resource.Prune{Dir: dnsRecords, Glob: "*", Header: module.Managed}
	files := i.records()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		prune.Keep = append(prune.Keep, name)
		record.Add(recordFile(name, files[name]))
	}
	record.Add(prune)

	b.Tag("dns_launch", "dns_record").Add(dnsmasqUnit())
}

// recordFile is a file of records.
func recordFile(name string, lines []string) *resource.File {
	return resource.NewFile(dnsRecords+"/"+name, module.Managed+"\n"+strings.Join(lines, "\n")+"\n", resource.OwnedBy("root", "dnsmasq"))
}

func dnsmasqUnit() *resource.Unit {
	return &resource.Unit{
		Name: "dnsmasq.service", Enabled: true, Running: true,
		ReloadOn: []string{dnsRecords + "/"}, RestartOn: []string{dnsConfig, dnsUnit},
		Check: []string{"dnsmasq", "--test", "-C", dnsConfig},
	}
}

// resolvers returns the addresses that dnsmasq answers at; none for all.
func (i *instance) resolvers() []string {
	if !i.owns(i.ip()) {
		return nil
	}
	return []string{"127.0.0.1", i.ip()}
}

// declared reports whether the inventory has dns_records of its own.
func (i *instance) declared() bool {
	_, written := i.Vars.Get("dns_records")
	return written
}

// portalFiles are the files of records whose names lead to all portals.
func (i *instance) portalFiles() []string {
	if i.declared() {
		return []string{"portal.hosts"}
	}
	return []string{"default", "portal.hosts"}
}

// portals returns the addresses of the infra nodes that have the portal, without
// those that are gone, or that of the admin node if none has it.
func (i *instance) portals(gone []*module.Host) []string {
	var out []string
	for _, other := range instances(i.site) {
		if other.NginxEnabled && !slices.Contains(gone, other.Host) {
			out = append(out, other.ip())
		}
	}
	if out = addresses(out...); len(out) == 0 {
		return []string{i.site.AdminIP()}
	}
	return out
}

// records returns the lines of each file of records by the file's name. A name
// of the portal leads to all infra nodes that have it, without those that are
// gone, unless somebody declared where it leads.
func (i *instance) records(gone ...*module.Host) map[string][]string {
	files := map[string][]string{}
	add := func(file, ip string, names ...string) {
		if line := ip + " " + strings.Join(names, " "); !slices.Contains(files[file], line) {
			files[file] = append(files[file], line)
		}
	}
	known, portals := map[string]bool{}, i.portals(gone)
	for _, record := range i.DNSRecords {
		words := strings.Fields(i.expand(record))
		ips := words[:1]
		if !i.declared() { // those that everybody has are names of the portal
			ips = portals
		}
		for _, ip := range ips {
			add("default", ip, words[1:]...)
		}
		for _, name := range words[1:] {
			known[name] = true
		}
	}
	for _, domain := range i.domains() {
		for _, ip := range portals {
			if !known[domain] {
				add("portal.hosts", ip, domain)
			}
		}
	}
	for _, h := range i.site.Hosts() {
		if name := node.Name(h); name != h.Name() {
			add("nodes.hosts", h.Name(), name)
		}
		p := module.Params[node.Params](h)
		if p.VipEnabled && p.VipAddress != "" {
			add(node.Cluster(h)+".vip", p.VipAddress, node.Cluster(h)+p.VipDNSSuffix)
		}
	}
	for _, other := range instances(i.site) {
		add("infra.hosts", other.ip(), other.name())
	}
	maps.Copy(files, pgsql.Records(i.site))
	return files
}
