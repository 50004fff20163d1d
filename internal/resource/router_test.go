package resource_test

import (
	"net/netip"
	"testing"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

func TestRouterFree(t *testing.T) {
	h := resourcetest.New()
	const file = "/etc/keepalived/conf.d/node-x.conf"
	r := &resource.RouterFree{Address: "10.0.0.9", Interface: "eth0", ID: 47, Members: []string{"10.0.0.1", "10.0.0.2"}, Unless: file,
		Advice: "choose another vip_vrid", InterfaceOf: "vip_interface"}
	const refused = "10.0.0.3 announces virtual router 47 on the network of eth0, and is none of the nodes that share this one: choose another vip_vrid"
	hear := func(routers ...resource.VirtualRouter) func(*resourcetest.Host) {
		return func(h *resourcetest.Host) { h.Wire.Announced = map[string][]resource.VirtualRouter{"eth0": routers} }
	}
	one := func(source string, id int) resource.VirtualRouter {
		return resource.VirtualRouter{Source: netip.MustParseAddr(source), ID: id}
	}
	run(t, h, r,
		step{"no such interface", nil, "", "listen for virtual routers on eth0: no such network interface: eth0; vip_interface names another interface"},
		step{"silence", hear(), "", ""},
		step{"another number", hear(one("10.0.0.3", 46)), "", ""},
		step{"a member", hear(one("10.0.0.2", 47)), "", ""},
		step{"a stranger", hear(one("10.0.0.2", 47), one("10.0.0.3", 47)), "", refused},
		step{"had another number", func(h *resourcetest.Host) {
			h.Disk.Put(file, "vrrp_instance node-x {\n    interface eth0\n    virtual_router_id 4\n}\n")
		}, "", refused},
		step{"was at another interface", func(h *resourcetest.Host) {
			h.Disk.Put(file, "vrrp_instance node-x {\n    interface eth1\n    virtual_router_id 47\n}\n")
		}, "", refused},
		step{"takes part already", func(h *resourcetest.Host) {
			h.Disk.Put(file, "vrrp_instance node-x {\n    interface eth0\n    virtual_router_id 47\n}\n")
		}, "", ""})
	six := *r
	six.Address, six.Unless = "fd00::9", "/nowhere"
	run(t, h, &six, step{"numbers of IPv6 are others", nil, "", ""})
}
