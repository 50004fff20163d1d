package node

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/module"
)

// defaultServer is how a load balancer treats the servers of a service that
// does not say otherwise.
const defaultServer = "inter 3s fastinter 1s downinter 5s rise 3 fall 3 on-marked-down shutdown-sessions slowstart 30s maxconn 3000 maxqueue 128 weight 100"

// service is what a service's file is rendered from.
type service struct {
	HAProxyService
	Header  string
	Servers []string
}

// serviceFile returns the file of one entry of haproxy_services.
func serviceFile(v HAProxyService) []byte {
	s := service{HAProxyService: v, Header: serviceHeader}
	if s.IP == "" {
		s.IP = "*"
	}
	if s.Default == "" {
		s.Default = defaultServer
	}
	for _, server := range v.Servers {
		s.Servers = append(s.Servers, serverLine(server))
	}
	return render("haproxy-service.cfg.tmpl", s)
}

// serverLine returns what follows the word server in a service's file.
func serverLine(v HAProxyServer) string {
	words := []string{v.Name, fmt.Sprintf("%s:%d", v.IP, v.Port)}
	if v.Backup {
		words = append(words, "backup")
	}
	if v.Weight != nil {
		words = append(words, "weight", strconv.Itoa(*v.Weight))
	}
	if v.Options != "" {
		words = append(words, v.Options)
	}
	return strings.Join(words, " ")
}

// checkServices finds services of h's load balancer that want the same port.
func checkServices(h *module.Host, l *diag.List) {
	p := module.Params[Params](h)
	if !p.HaproxyEnabled {
		return
	}
	type bind struct {
		ip   string
		port int
	}
	owner := map[bind]string{{"*", p.HaproxyExporterPort}: "haproxy_exporter_port"}
	for _, v := range p.HaproxyServices {
		b := bind{cmp.Or(v.IP, "*"), v.Port}
		if other, taken := owner[b]; taken {
			l.Add(diag.Diagnostic{
				Code: "port-taken", Pos: v.Pos,
				Message: fmt.Sprintf("service %s wants port %d, which %s has", v.Name, v.Port, other),
				Advice:  "give it another port",
			})
			continue
		}
		owner[b] = "service " + v.Name
	}
}
