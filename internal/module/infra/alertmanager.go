package infra

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const (
	alertConfig = "/etc/alertmanager.yml"
	alertTLS    = "/etc/alertmanager-cluster.yml"

	// alertClusterPort is where Alertmanagers tell each other what they have sent.
	alertClusterPort = 9094
)

// alertmanager adds what sends alerts out. Those of several infra nodes are one
// cluster, in which each alert is sent once. They talk to each other over TLS, and
// only with who has a certificate of the deployment's CA, because the filter on
// addresses that others have would keep the service from whom it is to tell.
//
// A configuration that somebody else wrote stays; it is loaded when it changes.
func (i *instance) alertmanager(b *plan.Builder) {
	if !i.AlertmanagerEnabled {
		return
	}
	b = b.Tag("alertmanager").Given(alertmanagerPackages...)
	config, launch := b.Tag("alertmanager_config"), b.Tag("alertmanager_launch")
	v := service{Name: "alertmanager", Description: "Alertmanager", User: "prometheus", Port: i.AlertmanagerPort, Options: i.AlertmanagerOptions,
		Program: called(config, "alertmanager", "prometheus-alertmanager"), Paths: []string{below("alertmgr")},
		Peers: i.peers(), Listen: i.sockets(i.AlertmanagerPort)}

	config.Add(resource.NewFile(alertConfig, i.alertConfig(), resource.OwnedBy("prometheus", groupName), resource.Mode(0o640),
		resource.Hidden(), resource.Yielding(module.Managed), resource.CheckedBy("amtool", "check-config", "%s")))

	v.Arguments = []string{"--web.systemd-socket", "--config.file=" + alertConfig, "--storage.path=" + home + "/alertmgr",
		"--web.external-url=http://" + i.home().Domain + "/alertmgr", "--web.route-prefix=/"}
	var peers []string
	for _, other := range instances(i.site) {
		if other.Host != i.Host && other.AlertmanagerEnabled {
			peers = append(peers, "--cluster.peer="+at(other.ip(), alertClusterPort))
		}
	}
	if len(peers) > 0 {
		config.Add(resource.NewFile(alertTLS, render("alertmanager-cluster.yml.tmpl", map[string]any{"Cert": certFile, "Key": keyFile, "CA": caFile}),
			resource.OwnedBy("prometheus", groupName), resource.Mode(0o640)))
		v.Arguments = slices.Concat(v.Arguments, []string{"--cluster.listen-address=" + at(i.ip(), alertClusterPort), "--cluster.tls-config=" + alertTLS}, peers)
		v.Needs, v.Restart = []string{"cert " + certFile}, []string{alertTLS, caFile}
	} else {
		config.Add(&resource.Absent{Path: alertTLS})
		v.Arguments = append(v.Arguments, "--cluster.listen-address=")
	}
	v.add(i, config, launch, alertConfig)
	strangers(launch, "prometheus-alertmanager")
}

// alertConfig returns who is told of which alerts.
func (i *instance) alertConfig() []byte {
	var routes, receivers []string
	for _, r := range i.AlertmanagerReceivers {
		match := []string{}
		for _, label := range slices.Sorted(maps.Keys(r.Match)) {
			match = append(match, fmt.Sprintf("%s=~%s", label, strconv.Quote(r.Match[label])))
		}
		routes = append(routes, fmt.Sprintf("{ receiver: %s, continue: true, matchers: [ %s ] }", quote(r.Name), quotes(match)))

		text := "  - name: " + quote(r.Name) + "\n    " + r.Type + "_configs:\n      - "
		var options []string
		for _, name := range slices.Sorted(maps.Keys(r.Options)) {
			options = append(options, name+": "+scalar(r.Options[name].Reveal()))
		}
		receivers = append(receivers, text+strings.Join(options, "\n        "))
	}
	return render("alertmanager.yml.tmpl", map[string]any{"Routes": routes, "Receivers": receivers})
}

// quotes writes words as items of a YAML list.
func quotes(words []string) string {
	out := make([]string, len(words))
	for n, w := range words {
		out[n] = quote(w)
	}
	return strings.Join(out, ", ")
}

// literal is what Alertmanager wants as a number or a boolean.
var literal = regexp.MustCompile(`^(true|false|-?(0|[1-9][0-9]*))$`)

// scalar writes a value as the YAML that means the same.
func scalar(text string) string {
	if literal.MatchString(text) {
		return text
	}
	return quote(text)
}
