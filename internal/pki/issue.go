package pki

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// clockSkew is how far back a certificate's validity begins, for hosts whose
// clock is behind.
const clockSkew = 5 * time.Minute

// Request is a certificate to be issued for the holder of a key.
type Request struct {
	CommonName         string // 1 to 64 characters
	Organization       []string
	OrganizationalUnit []string
	DNSNames           []string      // "*." may stand at the front; kept as written
	IPs                []string      // IPv4 or IPv6
	Validity           time.Duration // more than 0; cut to the CA's own
	PublicKey          []byte        // PKIX, DER
	Server, Client     bool          // what it is for; one at least
}

// Issue returns the certificate for req in PEM. It is valid from five minutes
// ago, so that a host whose clock is behind accepts it, and never outlives the CA.
func (ca *CA) Issue(req Request) ([]byte, error) {
	cert, err := ca.issue(req, time.Now())
	if err != nil {
		return nil, fmt.Errorf("certificate for %q: %w", req.CommonName, err)
	}
	return cert, nil
}

func (ca *CA) issue(req Request, now time.Time) ([]byte, error) {
	if err := checkName(req.CommonName); err != nil {
		return nil, err
	}
	if !now.Before(ca.cert.NotAfter) {
		return nil, fmt.Errorf("the CA in %s expired on %s: replace it with `pigsty cert rotate-ca`", ca.path, ca.cert.NotAfter.UTC().Format(time.DateOnly))
	}
	if req.Validity <= 0 {
		return nil, fmt.Errorf("a validity of %s", req.Validity)
	}
	public, err := x509.ParsePKIXPublicKey(req.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	usage, err := keyUsage(public)
	if err != nil {
		return nil, err
	}
	var purposes []x509.ExtKeyUsage
	if req.Server {
		purposes = append(purposes, x509.ExtKeyUsageServerAuth)
	}
	if req.Client {
		purposes = append(purposes, x509.ExtKeyUsageClientAuth)
	}
	if len(purposes) == 0 {
		return nil, errors.New("neither for a server nor for a client")
	}
	ips, err := parseIPs(req.IPs)
	if err != nil {
		return nil, err
	}
	for _, name := range req.DNSNames {
		if err := checkDNS(name); err != nil {
			return nil, err
		}
	}
	keyID, err := subjectKeyID(req.PublicKey)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: req.CommonName, Organization: req.Organization, OrganizationalUnit: req.OrganizationalUnit},
		NotBefore:             latest(now.Add(-clockSkew), ca.cert.NotBefore),
		NotAfter:              earliest(now.Add(req.Validity), ca.cert.NotAfter),
		KeyUsage:              usage,
		ExtKeyUsage:           purposes,
		BasicConstraintsValid: true,
		SubjectKeyId:          keyID,
		DNSNames:              unique(req.DNSNames),
		IPAddresses:           ips,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, public, ca.key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), nil
}

// keyUsage returns what a leaf with the key may do, and refuses weak keys.
func keyUsage(public any) (x509.KeyUsage, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() < 2048 {
			return 0, fmt.Errorf("an RSA key of %d bits is too weak, 2048 is the least", k.N.BitLen())
		}
		return x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, nil
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return 0, fmt.Errorf("curve %s is too weak, P-256 is the least", k.Curve.Params().Name)
		}
		return x509.KeyUsageDigitalSignature, nil
	case ed25519.PublicKey:
		return x509.KeyUsageDigitalSignature, nil
	}
	return 0, fmt.Errorf("a public key of type %T is not supported", public)
}

// serial returns a random positive number of 128 bits, so that no register of
// issued serials has to be kept.
func serial() *big.Int {
	for {
		b := make([]byte, 16)
		_, _ = rand.Read(b) // never fails
		if n := new(big.Int).SetBytes(b); n.Sign() > 0 {
			return n
		}
	}
}

// subjectKeyID is method 1 of RFC 7093: the first 160 bits of the key's SHA-256.
func subjectKeyID(pkixKey []byte) ([]byte, error) {
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(pkixKey, &info); err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	sum := sha256.Sum256(info.Key.RightAlign())
	return sum[:20], nil
}

// checkName checks a common name: X.520 allows 64 characters.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("the common name is empty")
	case len([]rune(name)) > 64:
		return fmt.Errorf("the common name %q is longer than 64 characters", name)
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("the common name %q has control characters", name)
	}
	return nil
}

// checkDNS checks a DNS name of a certificate. Underscores are not for host
// names, but common, and TLS libraries take them.
func checkDNS(name string) error {
	if _, err := netip.ParseAddr(name); err == nil {
		return fmt.Errorf("DNS name %q is an address", name)
	}
	rest := strings.TrimPrefix(name, "*.")
	if len(name) > 253 {
		return fmt.Errorf("DNS name %q is longer than 253 characters", name)
	}
	for label := range strings.SplitSeq(rest, ".") {
		bad := strings.ContainsFunc(label, func(r rune) bool {
			return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
		})
		if bad || label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return fmt.Errorf("%q is not a DNS name", name)
		}
	}
	return nil
}

// parseIPs returns the addresses without duplicates, in the order given.
func parseIPs(texts []string) ([]net.IP, error) {
	var ips []net.IP
	for _, text := range texts {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return nil, fmt.Errorf("%q is not an IP address", text)
		}
		ip := net.IP(addr.Unmap().AsSlice())
		if !slices.ContainsFunc(ips, ip.Equal) {
			ips = append(ips, ip)
		}
	}
	return ips, nil
}

func unique(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
