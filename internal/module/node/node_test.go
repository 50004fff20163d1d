package node

import (
	"testing"

	"pigsty/internal/module"
	"pigsty/internal/module/moduletest"
	"pigsty/internal/resource"
)

// The hosts of the tests: a machine with 16 GiB, a container that allows few
// open files, and an EL machine whose login user is not root.
var (
	machine = resource.Facts{Hostname: "debian", OS: "debian", Version: "13", Codename: "trixie", Family: "deb", Arch: "x86_64",
		CPUs: 4, Memory: 16 << 30, PageSize: 4096, User: "root", Systemd: true, MaxFiles: 1048576 * 1024, OOMAdjust: true,
		DNS: []string{"9.9.9.9", "10.10.10.53"}}
	container = resource.Facts{Hostname: "node-12", OS: "debian", Version: "13", Codename: "trixie", Family: "deb", Arch: "x86_64",
		CPUs: 2, Memory: 2058694656, PageSize: 4096, Container: "systemd-nspawn", User: "root", Systemd: true, MaxFiles: 20000}
	rocky = resource.Facts{Hostname: "rocky", OS: "rocky", Version: "9.6", Codename: "el9", Family: "rpm", Arch: "x86_64",
		CPUs: 4, Memory: 67528294400, PageSize: 4096, User: "vagrant", Home: "/home/vagrant", Group: "users", Systemd: true, MaxFiles: 1073741816, OOMAdjust: true}
	ubuntu = resource.Facts{Hostname: "ubuntu", OS: "ubuntu", Version: "24.04", Codename: "noble", Family: "deb", Arch: "x86_64",
		CPUs: 4, Memory: 16777216000, PageSize: 4096, User: "ubuntu", Home: "/home/ubuntu", Group: "ubuntu", Systemd: true, MaxFiles: 1048576, OOMAdjust: true,
		Resolved: true, DNS: []string{"10.10.10.1"}}
)

// ca is the certificate of a CA that nobody has the key of.
const ca = `-----BEGIN CERTIFICATE-----
MIIBnDCCAUOgAwIBAgIUdejezrfoYNTo88fxBheEhLKnuxswCgYIKoZIzj0EAwIw
IzEPMA0GA1UECgwGcGlnc3R5MRAwDgYDVQQDDAd0ZXN0LWNhMCAXDTI2MTEyMTE1
Mjg0NFoYDzIxMjYxMDI4MTUyODQ0WjAjMQ8wDQYDVQQKDAZwaWdzdHkxEDAOBgNV
BAMMB3Rlc3QtY2EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQlrkJrwNb9z6Sj
p4RU7cKtcZUNFIouZxEQmcBvGd4+37/RjCXHUwgVOA16LqUoWCAjurreEmXQQ06E
QD0eitlSo1MwUTAdBgNVHQ4EFgQUpcdsQEXSNAaMFO7XG+Kr6mizfhgwHwYDVR0j
BBgwFoAUpcdsQEXSNAaMFO7XG+Kr6mizfhgwDwYDVR0TAQH/BAUwAwEB/zAKBggq
hkjOPQQDAgNHADBEAiB7XRNA+zRQrEEcLkHaV5Zf1j7Da/viv42ZcGs0nTpoLQIg
agC9Xtnj1FuOZrepJcF/9Eq5Qebp9ooxnqROqH5Eow8=
-----END CERTIFICATE-----
`

// site reads the inventory called name.
func site(t *testing.T, name string, facts map[string]resource.Facts) *module.Site {
	t.Helper()
	return prepared(moduletest.Site(t, moduletest.Source(t, name), facts, Declaration()))
}

// prepared gives s what the control side adds.
func prepared(s *module.Site) *module.Site {
	s.CA = []byte(ca)
	s.Keys = []string{"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEgZ8bnTkTdSnTPzOpLZ0jwJPZd1y9xbE9J7mZ0iQm1b me@control"}
	return s
}

func TestSteps(t *testing.T) {
	for name, facts := range map[string]map[string]resource.Facts{
		"one":  {"10.10.10.10": machine},
		"four": {"10.10.10.10": machine, "10.10.10.11": rocky, "10.10.10.12": container, "10.10.10.13": ubuntu},
	} {
		s := site(t, name+".yml", facts)
		if problems := check(s); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
		for _, play := range Module().Plays {
			graph := moduletest.Arrange(t, play, s, s.Hosts())
			moduletest.Golden(t, name+"."+play.Name+".steps", moduletest.Steps(graph.Steps))
			if play.Name == "node" {
				moduletest.Golden(t, name+".files", moduletest.Files(graph.Steps))
			}
		}
	}
}
