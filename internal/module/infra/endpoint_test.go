package infra

import "testing"

// TestOpen checks that a tool without a login is known by every address and name
// of its node, and what is not there by none.
func TestOpen(t *testing.T) {
	i := instances(site(t, "named"))[0]
	for endpoint, want := range map[string]bool{
		"10.10.10.11:8428": true, "127.0.0.1:8428": true, "127.0.0.53:8428": true, "localhost:8428": true, "ip6-localhost:8428": true,
		"[::1]:8428": true, "[::ffff:10.10.10.11]:8428": true, "0.0.0.0:8428": true,
		"infra-2:8428": true, "meta-2.example.com:8428": true, "META-2:8428": true, "meta-2.:8428": true, // its number, its name
		"i.pigsty:8428": true, "p.pigsty:8428": true, // the portal
		"record:8428": true, "hosts:8428": true, "default:8428": true, // dns_records, node_etc_hosts, node_default_etc_hosts
		"nodes:8428": true, "10.10.10.9:8428": true, // its virtual address
		"192.168.1.2:8428": true, "pg-test-1:8428": true, // another network that it is in, and a member that runs on the other
		"10.10.10.12:8428": false, "other:8428": false, "elsewhere:8428": false, "example.com:8428": false,
		"10.10.10.11:3000": false, "meta-2:9999": false, "meta-2": false,
	} {
		if got := i.open(endpoint); got != want {
			t.Errorf("open(%q) = %v", endpoint, got)
		}
	}
}
