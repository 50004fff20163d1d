package node

import (
	"net/netip"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/module"
)

// checkAddresses finds names of hosts that are almost addresses, and hosts that
// are one and the same machine under two names.
func checkAddresses(s *module.Site, l *diag.List) {
	first := map[string]*module.Host{}
	for _, h := range s.Hosts() {
		meant := strings.Trim(h.Name(), "0123456789.") == ""
		if _, err := netip.ParseAddr(h.Name()); err != nil && meant {
			l.Add(diag.Diagnostic{
				Code: "invalid-address", Pos: h.Pos(),
				Message: h.Name() + " is no IP address",
				Advice:  "write four numbers from 0 to 255, without zeros in front",
			})
			continue
		}
		at := endpoint(h)
		if at == "" {
			continue
		}
		other := first[at]
		if other == nil {
			first[at] = h
			continue
		}
		pos := h.At("ansible_host")
		if !written(h, "ansible_host") {
			pos = other.At("ansible_host")
		}
		l.Add(diag.Diagnostic{
			Code: "duplicate-address", Pos: pos,
			Message: "hosts " + other.Name() + " and " + h.Name() + " have the same address, so they are one machine",
			Advice:  "use one name for it in all groups, or correct the address",
		})
	}
}

// endpoint is where h is reached, as far as the inventory tells: its address and
// SSH port. It is "" for hosts that are not reached over the network.
func endpoint(h *module.Host) string {
	if v, ok := h.Vars.Get("ansible_connection"); ok && v.Value.Text == "local" {
		return ""
	}
	at, port := h.Name(), "22"
	if v, ok := h.Vars.Get("ansible_host"); ok && v.Value.Text != "" {
		at = v.Value.Text
	}
	if v, ok := h.Vars.Get("ansible_port"); ok && v.Value.Text != "" {
		port = v.Value.Text
	}
	return at + " " + port
}
