package node

import (
	"net/netip"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

const (
	keepalivedConfig = "/etc/keepalived/keepalived.conf"
	keepalivedUnit   = "keepalived.service"
)

// KeepalivedDir is where each virtual address that a host takes part in holding
// has a file, NODE's and PGSQL's alike.
const KeepalivedDir = "/etc/keepalived/conf.d"

// Keepalived adds keepalived with what all virtual addresses of a host share.
// Each module that needs it puts its own file into KeepalivedDir; a plan joins
// steps that are alike. parameter is what asks for it.
func Keepalived(b *plan.Builder, parameter string) {
	b.Add(
		&resource.Packages{Items: []resource.PackageItem{{Name: "keepalived", For: parameter}}},
		&resource.Dir{Path: "/etc/keepalived"},
		&resource.Dir{Path: KeepalivedDir},
		resource.NewFile(keepalivedConfig, module.Managed+`
global_defs {
    enable_script_security
    script_user root
}
include `+KeepalivedDir+`/*.conf
`, resource.Keeping(module.Managed)),
		&resource.Unit{
			Name: keepalivedUnit, Enabled: true, Running: true,
			ReloadOn: []string{keepalivedConfig, KeepalivedDir + "/"},
			Check:    []string{"keepalived", "--use-file=" + keepalivedConfig, "--config-test"}, // --config-test=FILE would write to the file
			After:    []string{"unit " + haproxyUnit},                                           // which health checks look at
		},
	)
}

// HandBackKeepalived gives keepalived back to whom it belonged before us, where no
// module has an address any more. Packages go where nobody had it and we
// installed them.
func HandBackKeepalived(packages ...string) *resource.HandBack {
	return &resource.HandBack{Unit: keepalivedUnit, Config: keepalivedConfig, Header: module.Managed,
		Trees: []string{KeepalivedDir}, Packages: packages}
}

// Interface returns the network interface that has h's own address, and
// the length of its network's prefix; "" if h was never seen to have it.
func Interface(h *module.Host) (name string, bits int) {
	for cidr, name := range h.Facts.Addresses {
		if p, err := netip.ParsePrefix(cidr); err == nil && p.Addr().String() == h.Name() {
			return name, p.Bits()
		}
	}
	return "", 0
}
