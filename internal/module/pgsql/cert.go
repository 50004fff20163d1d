package pgsql

import (
	"slices"
	"time"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// renewBefore is how long before its end a certificate is replaced.
const renewBefore = 30 * 24 * time.Hour

// addCert adds the certificate by which m's PostgreSQL, PgBouncer and Patroni
// prove who they are, and the authority that all of them trust. Every instance
// has a key of its own.
func (m *Member) addCert(b *plan.Builder, ca []byte) {
	ips := []string{"127.0.0.1", m.Name()}
	if vip := m.Cluster.vip(); vip != "" && !slices.Contains(ips, vip) {
		ips = append(ips, vip)
	}
	validity, _ := m.Vars.Get("cert_validity") // of INFRA, which imports this package
	b.Tag("pg_cert", "pg_cert_private", "pg_cert_issue", "pg_cert_copy").Add(&resource.Cert{
		CertPath: certDir + "/server.crt", KeyPath: certDir + "/server.key", CAPath: certDir + "/ca.crt",
		CommonName: m.Instance(), DNSNames: []string{"localhost", m.Cluster.Name, m.Instance()}, IPs: ips,
		Organization: []string{"pigsty"}, Units: []string{"pgsql"},
		Owner: m.owner(), KeyMode: 0o600,
		Validity: module.Validity(validity.Value.Text), RenewBefore: renewBefore,
		CA: ca,
	})
}
