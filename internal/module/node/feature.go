package node

import (
	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const (
	readaheadUnit     = "pigsty-readahead.service"
	readaheadUnitFile = "/etc/systemd/system/pigsty-readahead.service"
)

// features turns off what harms databases on some machines, and lets disks read
// far ahead, as far as the inventory asks for it.
func features(b *plan.Builder, h *module.Host) {
	p := module.Params[Params](h)
	b = b.Tag("node_feature")
	if p.NodeDisableNuma {
		b.Add(&resource.KernelArguments{Args: []string{"numa=off", "transparent_hugepage=never"}})
	}
	if p.NodeDisableSwap {
		b.Add(&resource.SwapOff{})
	}
	switch {
	case !p.NodeDiskPrefetch:
	case h.Facts.Container != "":
		b.Add(&resource.Impossible{Name: "disk prefetch", Why: "a container shares its machine's disks"})
	default:
		b.Add(
			resource.NewFile(readaheadUnitFile, render("readahead.service.tmpl", nil)),
			&resource.Unit{Name: readaheadUnit, Enabled: true, Running: true, RestartOn: []string{readaheadUnitFile}},
		)
	}
}
