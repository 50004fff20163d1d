package resource

import (
	"context"
	"crypto/x509"
	"errors"
	"io/fs"
	"time"
)

// CertReport only observes: its Diff says, in attributes, what certificate a
// host has.
type CertReport struct {
	Path string
	CA   []byte // certificates in PEM that are trusted, the one that issues first
}

var _ Resource = (*CertReport)(nil)

// Key returns "cert report " and the path.
func (r *CertReport) Key() string { return "cert report " + r.Path }

// Diff returns the attributes "name" (the common name), "expires" (RFC 3339) and
// "issuer": "ours", "replaced" for a CA that is trusted but no longer issues,
// or "another". There are none if the host has no such certificate.
func (r *CertReport) Diff(_ context.Context, h *Host) (Change, error) {
	data, err := h.Files.Read(r.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return Change{}, nil
	}
	if err != nil {
		return Change{}, err
	}
	cert, err := parseCert(data)
	if err != nil {
		return Change{}, err
	}
	issuer := "another"
	for n, der := range certificates(r.CA) {
		ca, err := x509.ParseCertificate(der)
		if err != nil || cert.CheckSignatureFrom(ca) != nil {
			continue
		}
		issuer = "ours"
		if n > 0 {
			issuer = "replaced"
		}
	}
	return Change{Attrs: []Attr{
		{Name: "name", New: cert.Subject.CommonName},
		{Name: "expires", New: cert.NotAfter.UTC().Format(time.RFC3339)},
		{Name: "issuer", New: issuer},
	}}, nil
}

// Apply does nothing.
func (r *CertReport) Apply(context.Context, *Host) error { return nil }
