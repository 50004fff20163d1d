// Package node is the NODE module: it makes a plain Linux host ready for the
// other modules. One file holds one topic of the play, from the host's name to
// its load balancer.
package node

import (
	"net/netip"

	"pigsty/internal/inventory"
	"pigsty/internal/module"
)

// Name returns the name of h: its host name, and its instance label in
// monitoring. A nodename that is written wins, then the PostgreSQL instance
// while node_id_from_pg is on, then the name that the host has.
//
// Pigsty lets the PostgreSQL instance win over a nodename that is written,
// contrary to the comment beside that parameter; the comment is what people read.
func Name(h *module.Host) string {
	if name := declaredName(h); name != "" {
		return name
	}
	if h.Facts.Hostname != "" {
		return h.Facts.Hostname
	}
	return h.Name()
}

// declaredName returns the name that the inventory gives h, "" if it gives none.
func declaredName(h *module.Host) string {
	p := module.Params[Params](h)
	if p.Nodename != "" {
		return p.Nodename
	}
	cluster, seq := variable(h, "pg_cluster"), variable(h, "pg_seq")
	if p.NodeIDFromPg && cluster != "" && seq != "" {
		return cluster + "-" + seq
	}
	return ""
}

// Cluster returns the cluster that h belongs to in monitoring: that of its
// PostgreSQL instance, unless node_cluster says something else than its default.
func Cluster(h *module.Host) string {
	p := module.Params[Params](h)
	pg := variable(h, "pg_cluster")
	if p.NodeIDFromPg && pg != "" && (p.NodeCluster == "" || p.NodeCluster == "nodes") {
		return pg
	}
	return p.NodeCluster
}

// variable returns a variable that another module declares, "" if it is not
// written. Importing that module would turn the order of modules around.
func variable(h *module.Host, name string) string {
	v, _ := h.Vars.Get(name)
	return v.Value.Text
}

// on reports whether a switch that another module declares is on; unless is its
// default.
func on(h *module.Host, name string, unless bool) bool {
	v, ok := h.Vars.Get(name)
	if !ok || v.Value.Kind == inventory.Null {
		return unless
	}
	return v.Value.Bool() || v.Value.Text == "true"
}

// written reports whether the inventory gives h the parameter called name.
func written(h *module.Host, name string) bool {
	_, ok := h.Vars.Get(name)
	return ok
}

// address returns the IP address that others reach h at, "" when the inventory
// names it otherwise.
func address(h *module.Host) string {
	if _, err := netip.ParseAddr(h.Name()); err != nil {
		return ""
	}
	return h.Name()
}
