package infra

import (
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const blackboxConfig = "/etc/blackbox.yml"

// blackbox adds what probes hosts, virtual addresses and the portal from outside.
func (i *instance) blackbox(b *plan.Builder) {
	if !i.BlackboxEnabled {
		return
	}
	b = b.Tag("blackbox").Given(blackboxPackages...)
	config, launch := b.Tag("blackbox_config"), b.Tag("blackbox_launch")
	program := called(config, "blackbox_exporter", "prometheus-blackbox-exporter")
	config.After(config.ID("link " + program)).Add(resource.NewFile(blackboxConfig, render("blackbox.yml.tmpl", map[string]any{"CA": caFile}),
		resource.CheckedBy(program, "--config.check", "--config.file=%s")))
	v := service{Name: "blackbox_exporter", Description: "blackbox_exporter", User: "prometheus", Program: program, Port: i.BlackboxPort, Ambient: "CAP_NET_RAW",
		Peers: i.peers(), Listen: i.sockets(i.BlackboxPort),
		Arguments: []string{"--web.systemd-socket", "--web.external-url=http://" + i.self(i.BlackboxPort), "--config.file=" + blackboxConfig, "--log.level=warn"},
		Options:   i.BlackboxOptions}
	v.add(i, config, launch, blackboxConfig)
	strangers(launch, "prometheus-blackbox-exporter")
}
