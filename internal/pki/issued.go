package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Issued is a certificate that was issued for people or programs outside the
// deployment's hosts, with its key, in files/pki/misc.
type Issued struct {
	Name string // of the files, without a suffix
	Path string // of the certificate
	Cert *x509.Certificate
}

// IssuedPaths returns where the certificate called name and its key are.
func IssuedPaths(dir, name string) (cert, key string) {
	base := filepath.Join(dir, "misc", name)
	return base + ".crt", base + ".key"
}

// IssueFor makes a key and has ca sign the certificate that req asks for; both
// files are readable by their owner only, and neither must exist. The key is
// that of keyPath if one is named: it is made there unless it exists.
func (ca *CA) IssueFor(dir, name, keyPath string, req Request) (Issued, error) {
	if name == "" || strings.ContainsAny(name, "/\x00") || strings.HasPrefix(name, ".") {
		return Issued{}, fmt.Errorf("%q is no name for a file", name)
	}
	certPath, ownKey := IssuedPaths(dir, name)
	files := []string{certPath}
	if keyPath == "" {
		keyPath, files = ownKey, append(files, ownKey)
	}
	for _, p := range files {
		if there, err := exists(p); err != nil {
			return Issued{}, err
		} else if there {
			if p == ownKey {
				return Issued{}, fmt.Errorf("%s exists, and no certificate for it: use it with --key, or choose another name", p)
			}
			return Issued{}, fmt.Errorf("%s exists: renew it, or choose another name", p)
		}
	}
	key, isNew, err := issuedKey(keyPath)
	if err != nil {
		return Issued{}, err
	}
	if req.PublicKey, err = x509.MarshalPKIXPublicKey(key.Public()); err != nil {
		return Issued{}, err
	}
	text, err := ca.Issue(req)
	if err != nil {
		return Issued{}, err
	}
	if isNew {
		if err := writeKey(keyPath, key); err != nil {
			return Issued{}, err
		}
	}
	if err := os.MkdirAll(filepath.Dir(certPath), 0o755); err != nil {
		return Issued{}, err
	}
	if err := writeNew(certPath, text, 0o600); err != nil {
		return Issued{}, err
	}
	return readIssued(certPath)
}

// issuedKey returns the key in path, or a new one if there is none.
func issuedKey(path string) (key crypto.Signer, isNew bool, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		return key, true, err
	}
	if err != nil {
		return nil, false, err
	}
	if key, err = parseKey(text); err != nil {
		return nil, false, fmt.Errorf("%s: %w", path, err)
	}
	return key, false, nil
}

func writeKey(path string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return writeNew(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
}

// Renew issues the certificate called name again, for the same key, names and
// purposes.
func (ca *CA) Renew(dir, name string, validity time.Duration) (Issued, error) {
	certPath, _ := IssuedPaths(dir, name)
	old, err := readIssued(certPath)
	if err != nil {
		return Issued{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(old.Cert.PublicKey)
	if err != nil {
		return Issued{}, err
	}
	req := Request{
		CommonName: old.Cert.Subject.CommonName, Organization: old.Cert.Subject.Organization,
		OrganizationalUnit: old.Cert.Subject.OrganizationalUnit, DNSNames: old.Cert.DNSNames,
		Validity: validity, PublicKey: public,
		Server: slices.Contains(old.Cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth),
		Client: slices.Contains(old.Cert.ExtKeyUsage, x509.ExtKeyUsageClientAuth),
	}
	for _, ip := range old.Cert.IPAddresses {
		req.IPs = append(req.IPs, ip.String())
	}
	text, err := ca.Issue(req)
	if err != nil {
		return Issued{}, err
	}
	tmp := certPath + ".new"
	if err := os.RemoveAll(tmp); err != nil {
		return Issued{}, err
	}
	if err := writeNew(tmp, text, 0o600); err != nil {
		return Issued{}, err
	}
	if err := os.Rename(tmp, certPath); err != nil {
		return Issued{}, err
	}
	return readIssued(certPath)
}

// ListIssued returns the certificates in files/pki/misc by name.
func ListIssued(dir string) ([]Issued, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "misc", "*.crt"))
	if err != nil {
		return nil, err
	}
	var out []Issued
	for _, p := range paths {
		one, err := readIssued(p)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func readIssued(path string) (Issued, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Issued{}, fmt.Errorf("there is no certificate %s", path)
	}
	if err != nil {
		return Issued{}, err
	}
	cert, err := parseCert(text)
	if err != nil {
		return Issued{}, fmt.Errorf("%s: %w", path, err)
	}
	return Issued{Name: strings.TrimSuffix(filepath.Base(path), ".crt"), Path: path, Cert: cert}, nil
}

// By reports whether ca issued cert.
func (ca *CA) By(cert *x509.Certificate) bool { return cert.CheckSignatureFrom(ca.cert) == nil }

// Trusted reports whether hosts trust cert: a CA of dir issued it, be it the one
// that is being replaced.
func Trusted(dir string, cert *x509.Certificate) bool {
	text, err := Bundle(dir)
	if err != nil {
		return false
	}
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			return false
		}
		if ca, err := x509.ParseCertificate(block.Bytes); err == nil && cert.CheckSignatureFrom(ca) == nil {
			return true
		}
	}
}

// Certificate returns the CA's own certificate.
func (ca *CA) Certificate() *x509.Certificate { return ca.cert }
