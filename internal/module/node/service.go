package node

import (
	"fmt"
	"strconv"
	"strings"
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
