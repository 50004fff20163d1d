package pgsql

import (
	"net/netip"

	"pigsty/internal/module"
)

// Records returns the DNS records of the clusters of s and their instances, as
// lines of a hosts file by the name of the file that they belong in: each
// instance's, and each cluster's by its pg_dns_target.
func Records(s *module.Site) map[string][]string {
	out := map[string][]string{}
	for _, c := range Clusters(s) {
		for _, m := range c.Members {
			out[m.Instance()] = []string{m.Name() + " " + m.Instance()}
		}
		if ip := c.dnsTarget(); ip != "" {
			out[c.Name] = []string{ip + " " + c.Name + c.Params.PgDNSSuffix}
		}
	}
	return out
}

// dnsTarget returns the address that the cluster's name stands for, "" if it
// has no name. Only the virtual address moves with the leader: without one the
// name stands for the member that began the cluster.
func (c *Cluster) dnsTarget() string {
	switch target := c.Params.PgDNSTarget; target {
	case "none":
		return ""
	case "auto", "vip":
		if vip := c.vip(); vip != "" {
			return vip
		}
	case "primary":
	default:
		if _, err := netip.ParseAddr(target); err == nil {
			return target
		}
	}
	return c.first().Name()
}
