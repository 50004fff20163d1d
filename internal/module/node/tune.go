package node

import (
	"fmt"
	"maps"
	"path"
	"slices"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const (
	modulesFile  = "/etc/modules-load.d/pigsty.conf"
	hugepageFile = "/etc/sysctl.d/hugepage.conf"
	sysctlFile   = "/etc/sysctl.d/pigsty.conf"
	tunedDir     = "/etc/tuned"
)

// kernel loads modules, tunes the kernel and sets its parameters. What a
// container cannot have is planned all the same and skipped with the reason,
// apart from tuned itself, which would be installed for nothing.
func kernel(b *plan.Builder, h *module.Host) {
	p := module.Params[Params](h)

	load := b.Tag("node_kernel")
	if len(p.NodeKernelModules) > 0 {
		text := header
		for _, name := range p.NodeKernelModules {
			text += name + "\n"
			load.Add(&resource.KernelModule{Name: name})
		}
		load.Add(resource.NewFile(modulesFile, text))
	} else {
		load.Add(noLonger(modulesFile))
	}

	tuned(b.Tag("node_tune"), h)

	pages := map[string]string{}
	if n := hugePages(h.Facts.Memory, p.NodeHugepageCount, p.NodeHugepageRatio); n > 0 {
		pages["vm.nr_hugepages"] = fmt.Sprint(n)
	}
	sysctls(b.Tag("node_tune"), hugepageFile, pages)
	sysctls(b.Tag("node_sysctl"), sysctlFile, p.NodeSysctlParams)
}

// noLonger removes a file of ours that would say nothing. Others may have one of
// that name.
func noLonger(file string) *resource.Prune {
	return &resource.Prune{Dir: path.Dir(file), Glob: path.Base(file), Header: module.Managed}
}

// tuned adds the four profiles and activates the one of node_tune.
func tuned(b *plan.Builder, h *module.Host) {
	p := module.Params[Params](h)
	if p.NodeTune == "none" {
		return
	}
	dir := p.NodeTunedProfileDir
	b.Add(&resource.Dir{Path: dir})
	if dir == tunedDir {
		b.Add(&resource.Dir{Path: tunedDir + "/profiles"})
	}
	shmMax, shmAll := sharedMemory(h.Facts)
	for _, name := range profiles {
		text := tunedFiles.Of(tuning{name, shmMax, shmAll, p.NodeOvercommitRatio}, tuning.file)
		b.Add(&resource.Dir{Path: path.Join(dir, name)}, resource.NewFile(path.Join(dir, name, "tuned.conf"), text))
		if dir == tunedDir {
			// Since its version 2.24 tuned looks for profiles there only.
			b.Add(&resource.Link{Path: path.Join(tunedDir, "profiles", name), Target: path.Join(tunedDir, name)})
		}
	}
	active := b.Tag("node_tune_active")
	if h.Facts.Container == "" {
		active.Add(
			&resource.Packages{Items: []resource.PackageItem{{Name: "tuned", For: "node_tune"}}},
			&resource.Unit{Name: "tuned.service", Enabled: true, Running: true},
		)
	}
	active.Add(&resource.TunedProfile{Name: p.NodeTune})
}

// sysctls sets kernel parameters, now and in a file that is read at boot. Those
// that are no longer set stay as they are until then.
func sysctls(b *plan.Builder, file string, params map[string]string) {
	if len(params) == 0 {
		b.Add(noLonger(file))
		return
	}
	text := header
	for _, name := range slices.Sorted(maps.Keys(params)) {
		text += name + " = " + params[name] + "\n"
		b.Add(&resource.Sysctl{Name: name, Value: params[name]})
	}
	b.Add(resource.NewFile(file, text))
}
