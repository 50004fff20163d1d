package conf

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/inventory"
	"pigsty/internal/resource"
)

// Ports returns the TCP ports that a host's services listen on, each with the
// parameter that says so. get returns a variable of the host, defaults included.
func Ports(get func(name string) (inventory.Value, bool)) map[int]string {
	out := map[int]string{}
	for marker, parameters := range listening {
		if v, ok := get(marker); !ok || v.Kind == inventory.Null {
			continue
		}
		for _, name := range parameters {
			v, _ := get(name)
			if v.Kind == inventory.Int {
				out[int(v.Int())] = name
			}
			for _, service := range v.Items {
				if port, ok := service.Get("port"); ok {
					out[int(port.Int())] = name
				}
			}
			for _, instance := range v.Pairs {
				if port, err := strconv.Atoi(instance.Key); err == nil {
					out[port] = name
				}
			}
		}
	}
	return out
}

// listening are the parameters that hold a port, or services with theirs, by the
// variable that makes a host one of the module's; every host has an admin_ip.
var listening = map[string][]string{
	"admin_ip":      {"haproxy_exporter_port", "node_exporter_port"},
	"infra_seq":     {"nginx_port", "nginx_ssl_port", "vmetrics_port", "vlogs_port", "vtraces_port", "vmalert_port", "alertmanager_port", "blackbox_port", "grafana_port"},
	"etcd_seq":      {"etcd_port", "etcd_peer_port"},
	"minio_cluster": {"minio_port", "minio_admin_port"},
	"redis_cluster": {"redis_instances", "redis_exporter_port"},
	"pg_cluster":    {"pg_port", "pgbouncer_port", "patroni_port", "pg_default_services", "pg_services"},
}

// busyPorts finds ports that somebody listens on already. On a machine that was
// deployed on, that is as it should be.
func busyPorts(ports map[int]string) Check {
	if _, err := os.Stat(resource.ManifestPath); err == nil {
		return Check{Name: "ports", State: Skipped, Found: "pigsty has been here: what it runs holds its ports"}
	}
	listening := map[int]bool{}
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if text, err := os.ReadFile(name); err == nil {
			listeners(string(text), listening)
		}
	}
	var busy []string
	for port, what := range ports {
		if listening[port] {
			busy = append(busy, fmt.Sprintf("%d (%s)", port, what))
		}
	}
	if len(busy) == 0 {
		return Check{Name: "ports", State: OK, Found: fmt.Sprintf("%d wanted, all free", len(ports))}
	}
	slices.Sort(busy)
	return Check{Name: "ports", State: Failure, Found: "taken by others: " + strings.Join(busy, ", "),
		Advice: "stop what listens there (ss -ltnp tells), or set another port in the inventory"}
}

// listeners adds the TCP ports that are listened on to found. The second field
// of a line of /proc/net/tcp is the local address and port in hexadecimal, the
// fourth is 0A for a socket that listens; see proc_net(5).
func listeners(table string, found map[int]bool) {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 4 || f[3] != "0A" {
			continue
		}
		_, hex, _ := strings.Cut(f[1], ":")
		var port int
		if _, err := fmt.Sscanf(hex, "%X", &port); err == nil {
			found[port] = true
		}
	}
}
