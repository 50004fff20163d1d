package resource

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"time"
)

// readKey returns the private key on the host, nil if there is none. One that
// is there but cannot be used is an error: it may be somebody's only copy.
func (t *Cert) readKey(h *Host) (crypto.Signer, error) {
	data, err := h.Files.Read(t.KeyPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	for block != nil && !strings.HasSuffix(block.Type, "PRIVATE KEY") { // openssl writes parameters first
		block, data = pem.Decode(data)
	}
	if block != nil {
		if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if signer, ok := key.(crypto.Signer); ok {
				return signer, nil
			}
		}
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
			return key, nil
		}
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
	}
	return nil, fmt.Errorf("%s is not a private key in PEM: move it away (mv %s %s.old) and apply again", t.KeyPath, t.KeyPath, t.KeyPath)
}

// readCert returns the certificate on the host, nil if there is none that can be read.
func (t *Cert) readCert(h *Host) (*x509.Certificate, error) {
	data, err := h.Files.Read(t.CertPath)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cert, err := parseCert(data)
	if err != nil {
		return nil, nil
	}
	return cert, nil
}

func parseCert(text []byte) (*x509.Certificate, error) {
	list := certificates(text)
	if len(list) == 0 {
		return nil, errors.New("no certificate in PEM")
	}
	return x509.ParseCertificate(list[0])
}

// unfit adds to c what of cert is not as wanted for the key, and returns the
// first reason why it must be replaced, "" if it need not.
func (t *Cert) unfit(cert *x509.Certificate, public crypto.PublicKey, c *Change) (string, error) {
	reason := ""
	because := func(text string) {
		if reason == "" {
			reason = text
		}
	}
	if key, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !key.Equal(public) {
		c.Attrs = append(c.Attrs, Attr{"key", "another", "ours"})
		because("the certificate does not belong to the key")
	}
	issuers := certificates(t.CA)
	if len(issuers) == 0 {
		return "", fmt.Errorf("cert %s: the CA's certificate is not in PEM", t.CertPath)
	}
	issuer, err := x509.ParseCertificate(issuers[0])
	if err != nil {
		return "", fmt.Errorf("cert %s: the CA's certificate: %w", t.CertPath, err)
	}
	if cert.CheckSignatureFrom(issuer) != nil {
		c.Attrs = append(c.Attrs, Attr{"issuer", cert.Issuer.CommonName, issuer.Subject.CommonName})
		because("issued by another CA")
	}
	differs := func(name string, old, new []string) {
		if o, n := list(old), list(new); o != n {
			c.Attrs = append(c.Attrs, Attr{name, o, n})
			because(name + " differ")
		}
	}
	if cert.Subject.CommonName != t.CommonName {
		c.Attrs = append(c.Attrs, Attr{"common name", cert.Subject.CommonName, t.CommonName})
		because("common name differs")
	}
	differs("DNS names", cert.DNSNames, t.DNSNames)
	differs("addresses", addresses(cert.IPAddresses), canonical(t.IPs))
	if len(t.Organization) > 0 {
		differs("organizations", cert.Subject.Organization, t.Organization)
	}
	if len(t.Units) > 0 {
		differs("units", cert.Subject.OrganizationalUnit, t.Units)
	}
	if left := time.Until(cert.NotAfter); left < t.RenewBefore {
		c.Attrs = append(c.Attrs, Attr{Name: "expires", Old: cert.NotAfter.UTC().Format(time.DateOnly)})
		if left < 0 {
			because("expired")
		} else {
			because(fmt.Sprintf("expires in %d days", int(left.Hours()/24)))
		}
	}
	return reason, nil
}

// list writes names in one order, as that of a certificate means nothing.
func list(names []string) string {
	sorted := slices.Clone(names)
	slices.Sort(sorted)
	return strings.Join(slices.Compact(sorted), ", ")
}

func addresses(ips []net.IP) []string {
	out := make([]string, len(ips))
	for i, ip := range ips {
		out[i] = ip.String()
	}
	return out
}

// canonical writes addresses the way net.IP does.
func canonical(texts []string) []string {
	out := slices.Clone(texts)
	for i, s := range out {
		if ip := net.ParseIP(s); ip != nil {
			out[i] = ip.String()
		}
	}
	return out
}
