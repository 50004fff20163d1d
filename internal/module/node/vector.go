package node

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const (
	vectorDir      = "/etc/vector"
	vectorUnit     = "vector.service"
	vectorUnitFile = "/etc/systemd/system/vector.service"
)

// vector adds Vector, which sends the node's logs to the infra nodes. Other
// modules put files of their own into its directory: what their sources yield
// under names that end in _logs is sent along.
func vector(b *plan.Builder, s *module.Site, h *module.Host) {
	p := module.Params[Params](h)
	b.Tag("vector_install").Add(&resource.Packages{Items: []resource.PackageItem{{Name: "vector", For: "vector_enabled", Optional: true}}})
	b = b.Given("vector")

	wipe := b.Only("vector_clean")
	if p.VectorClean {
		wipe = b.Tag("vector_clean")
	}
	stopped := wipe.Add(&resource.UnitAbsent{Name: vectorUnit})
	wiped := wipe.After(stopped).Add(&resource.Absent{Path: p.VectorData, Tree: true, Reason: "vector_clean is asked for"})

	config := b.Tag("vector_config")
	config.Tag("vector_dir").After(wiped).Add(
		&resource.Dir{Path: vectorDir, Mode: 0o700},
		&resource.Dir{Path: p.VectorData, Mode: 0o700},
	)
	data := map[string]any{
		"Data": p.VectorData, "Port": p.VectorPort, "Endpoints": logEndpoints(s, h),
		"IP": h.Name(), "Ins": Name(h), "Cls": Cluster(h), "Late": p.VectorReadFrom == "end", "Files": module.OpenFiles(h, 655360),
	}
	config.Add(
		resource.NewFile(vectorDir+"/vector.yaml", render("vector.yaml.tmpl", data)),
		resource.NewFile(vectorDir+"/node.yaml", render("vector-node.yaml.tmpl", data), resource.Mode(0o600)),
		resource.NewFile(vectorUnitFile, render("vector.service.tmpl", data)),
	)
	b.Tag("vector_launch").After(wiped).Add(vectorService(p))
}

func vectorService(p *Params) *resource.Unit {
	return &resource.Unit{
		Name: vectorUnit, Enabled: true, Running: true,
		ReloadOn: []string{vectorDir + "/"}, RestartOn: []string{vectorUnitFile},
		Check: []string{"vector", "validate", "--no-environment", "--config-dir", vectorDir},
		After: []string{"dir " + p.VectorData},
	}
}

// Logs adds Vector to h, if it collects h's logs, with the file called name that has
// sources of another module.
func Logs(b *plan.Builder, s *module.Site, h *module.Host, name string, content []byte) {
	if module.Params[Params](h).VectorEnabled {
		vector(b, s, h)
		b.Given("vector").Add(resource.NewFile(logsFile(name), content, resource.Mode(0o600)))
	}
}

// NoLogs takes that file away. Vector may be gone already, or stopped by somebody.
func NoLogs(b *plan.Builder, h *module.Host, name string) {
	if p := module.Params[Params](h); p.VectorEnabled {
		b = b.Given("vector")
		service := vectorService(p)
		service.IfRunning = true
		b.After(b.Add(&resource.Absent{Path: logsFile(name)})).Add(service)
	}
}

func logsFile(name string) string { return vectorDir + "/" + name + ".yaml" }

// logEndpoint is where logs are sent to, under the name that Vector has for it.
type logEndpoint struct{ Name, URL string }

// logEndpoints returns the URLs of vector_log_endpoint, or those of every infra
// node that stores logs.
func logEndpoints(s *module.Site, h *module.Host) []logEndpoint {
	p := module.Params[Params](h)
	var urls []string
	if slices.Equal(p.VectorLogEndpoint, []string{"infra"}) {
		urls = module.Derive(s, logStores)
	} else {
		for _, url := range p.VectorLogEndpoint {
			urls = append(urls, expand(s, url))
		}
	}
	var out []logEndpoint
	for n, url := range urls {
		name := "vlogs"
		if len(urls) > 1 {
			name += strconv.Itoa(n + 1)
		}
		out = append(out, logEndpoint{name, url})
	}
	return out
}

// stores are the URLs of the infra nodes that store logs.
type stores []string

func logStores(s *module.Site) stores {
	var urls stores
	for _, i := range s.Hosts() {
		if variable(i, "infra_seq") != "" && on(i, "vlogs_enabled", true) {
			urls = append(urls, fmt.Sprintf("http://%s:%s/insert/jsonline", i.Name(), cmp.Or(variable(i, "vlogs_port"), "9428")))
		}
	}
	return urls
}
