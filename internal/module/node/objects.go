package node

import "pigsty/internal/diag"

// HAProxyService is one item of haproxy_services.
type HAProxyService struct {
	_ struct{} `param:"haproxy_service" doc:"A service of your own that HAProxy publishes on the node."`

	Pos      diag.Pos
	Name     string          `param:"name" required:"true" format:"hostname" doc:"Name of the service and of its file."`
	Port     int             `param:"port" required:"true" format:"port" doc:"Port to listen on."`
	IP       string          `param:"ip" aka:"src_ip" default:"*" format:"bind" doc:"Address to listen on."`
	Protocol string          `param:"protocol" default:"tcp" enum:"tcp,http" doc:"What HAProxy understands of the traffic."`
	Balance  string          `param:"balance" default:"roundrobin" usual:"roundrobin,leastconn,static-rr,source,random,first" doc:"How servers are chosen."`
	MaxConn  int             `param:"maxconn" default:"10000" min:"1" doc:"Most connections at a time."`
	Default  string          `param:"default" doc:"Options of every server, in place of the usual ones."`
	Options  []string        `param:"options" doc:"Further lines of the listen section, as they are."`
	Servers  []HAProxyServer `param:"servers" required:"true" unique:"name" doc:"Servers behind the service."`
}

// HAProxyServer is a server behind an HAProxyService.
type HAProxyServer struct {
	_ struct{} `param:"haproxy_server" doc:"A server behind a service."`

	Pos     diag.Pos
	Name    string `param:"name" required:"true" doc:"Name of the server."`
	IP      string `param:"ip" required:"true" format:"ip" doc:"Address of the server."`
	Port    int    `param:"port" required:"true" format:"port" doc:"Port of the server."`
	Backup  bool   `param:"backup" default:"false" doc:"Whether it is used only when no other server is left."`
	Weight  *int   `param:"weight" min:"0" max:"256" doc:"Its share of the load."`
	Options string `param:"options" doc:"Further options of the server, such as check port 9000."`
}
