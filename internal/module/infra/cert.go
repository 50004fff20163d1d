package infra

import (
	"net/netip"
	"time"

	"pigsty/internal/module"
	"pigsty/internal/module/node"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// The node's own certificate and its key.
const (
	certFile = "/etc/pki/infra.crt"
	keyFile  = "/etc/pki/infra.key"
)

// renewBefore is how long before its end a certificate is replaced.
const renewBefore = 30 * 24 * time.Hour

// certificate adds the node's own certificate, by which its services prove who they are.
func (i *instance) certificate(b *plan.Builder) {
	b.Tag("infra_cert", "infra_cert_issue", "infra_cert_copy").Add(&resource.Cert{
		CertPath: certFile, KeyPath: keyFile,
		CommonName: i.ip(), DNSNames: unique("localhost", node.Name(i.Host), i.name()), IPs: addresses("127.0.0.1", i.ip()),
		Organization: []string{"pigsty"}, Units: []string{"infra"},
		Owner: resource.Owner{User: "root", Group: groupName}, KeyMode: 0o640,
		Validity: module.Validity(i.CertValidity), RenewBefore: renewBefore, CA: i.site.CA,
	})
}

// unique returns the names that are not addresses, each once.
func unique(names ...string) []string {
	var out []string
	seen := map[string]bool{"": true}
	for _, name := range names {
		if _, err := netip.ParseAddr(name); err != nil && !seen[name] {
			out = append(out, name)
			seen[name] = true
		}
	}
	return out
}

// addresses returns those of words that are addresses, each once.
func addresses(words ...string) []string {
	var out []string
	seen := map[string]bool{}
	for _, w := range words {
		if _, err := netip.ParseAddr(w); err == nil && !seen[w] {
			out = append(out, w)
			seen[w] = true
		}
	}
	return out
}
