package resource

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"pigsty/internal/secret"
)

// Cert is a certificate of the deployment's CA and its private key, which is
// made on the host (ECDSA, P-256) and never leaves it.
type Cert struct {
	CertPath string
	KeyPath  string
	CAPath   string // where the CA's certificate goes; empty if nowhere

	CommonName   string
	DNSNames     []string
	IPs          []string
	Organization []string
	Units        []string // organizational units

	Owner   Owner       // of all three files
	KeyMode fs.FileMode // 0 means 0600

	Validity    time.Duration // of a new certificate, for the CA to heed
	RenewBefore time.Duration // a certificate that expires within this is replaced

	CA []byte // the CA's certificate in PEM, which is public
}

var (
	_ Resource = (*Cert)(nil)
	_ Requirer = (*Cert)(nil)
)

// Key returns "cert " and the path of the certificate.
func (t *Cert) Key() string { return "cert " + t.CertPath }

// Requires returns the directories of the files and their owner.
func (t *Cert) Requires() []string {
	keys := append(above(t.CertPath, t.Owner), above(t.KeyPath, t.Owner)...)
	if t.CAPath != "" {
		keys = append(keys, above(t.CAPath, t.Owner)...)
	}
	return keys
}

// Diff says whether a key has to be made or a certificate issued, and why.
func (t *Cert) Diff(_ context.Context, h *Host) (Change, error) {
	var c Change
	key, err := t.readKey(h)
	if err != nil {
		return Change{}, err
	}
	if key == nil {
		c.Attrs = append(c.Attrs, Attr{Name: "key", New: secret.Mask})
		c.Action, c.Reason = Create, "the private key does not exist"
		c.Paths = append(c.Paths, t.KeyPath)
	}
	cert, err := t.readCert(h)
	if err != nil {
		return Change{}, err
	}
	if cert == nil {
		c.Attrs = append(c.Attrs, Attr{Name: "certificate", New: t.CommonName})
		if c.Action == None {
			c.Action, c.Reason = Create, "the certificate does not exist"
		}
	} else if key != nil {
		reason, err := t.unfit(cert, key.Public(), &c)
		if err != nil {
			return Change{}, err
		}
		if reason != "" {
			c.Action, c.Reason = Update, reason
		}
	}
	if c.Action != None {
		c.Paths = append(c.Paths, t.CertPath)
	}
	return c, t.diffFiles(h, &c)
}

// diffFiles compares the CA's file and the modes and owners of all.
func (t *Cert) diffFiles(h *Host, c *Change) error {
	if t.CAPath != "" {
		same, err := equal(h, t.CAPath, t.CA)
		if err != nil {
			return err
		}
		c.Differs(path.Base(t.CAPath), yes(same), yes(true))
		if !same {
			c.Paths = append(c.Paths, t.CAPath)
		}
	}
	for _, f := range t.files() {
		info, err := h.Files.Stat(f.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		var own Change
		attributes(&own, info, f.mode, t.Owner)
		for _, a := range own.Attrs {
			c.Differs(path.Base(f.path)+" "+a.Name, a.Old, a.New)
		}
	}
	return nil
}

// Apply makes the key if there is none, has the CA sign it if need be, and
// writes the key first. Nothing is written when the CA does not sign.
func (t *Cert) Apply(ctx context.Context, h *Host) error {
	if t.CAPath != "" {
		if same, err := equal(h, t.CAPath, t.CA); err != nil {
			return err
		} else if !same {
			if err := t.write(h, t.CAPath, t.CA, 0o644); err != nil {
				return err
			}
		}
	}
	key, err := t.readKey(h)
	if err != nil {
		return err
	}
	fresh := key == nil
	if fresh {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return err
		}
	}
	cert, err := t.readCert(h)
	if err != nil {
		return err
	}
	reason := "new"
	if cert != nil {
		if reason, err = t.unfit(cert, key.Public(), &Change{}); err != nil {
			return err
		}
	}
	if reason != "" {
		if err := t.issue(ctx, h, key, fresh); err != nil {
			return err
		}
	}
	for _, f := range t.files() {
		info, err := h.Files.Stat(f.path)
		if err != nil {
			return err
		}
		if err := setAttributes(h, f.path, info, f.mode, t.Owner); err != nil {
			return err
		}
	}
	return nil
}

func (t *Cert) issue(ctx context.Context, h *Host, key crypto.Signer, fresh bool) error {
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	text, err := h.Control.Sign(ctx, t.Key(), public)
	if err != nil {
		return fmt.Errorf("have the CA sign %s: %w", t.CertPath, err)
	}
	cert, err := parseCert(text)
	if err != nil {
		return fmt.Errorf("have the CA sign %s: %w", t.CertPath, err)
	}
	if reason, err := t.unfit(cert, key.Public(), &Change{}); err != nil || reason != "" {
		return fmt.Errorf("have the CA sign %s: what it returned is not what was asked for: %s %w", t.CertPath, reason, err)
	}
	if fresh {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		data := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		if err := t.write(h, t.KeyPath, data, t.keyMode()); err != nil {
			return err
		}
	}
	return t.write(h, t.CertPath, bytes.TrimLeft(text, "\n"), 0o644)
}

func (t *Cert) write(h *Host, p string, data []byte, mode fs.FileMode) error {
	if err := h.Files.Mkdir(path.Dir(p), 0o755, Owner{}); err != nil {
		return err
	}
	return h.Files.Write(p, data, mode, t.Owner)
}

type certFile struct {
	path string
	mode fs.FileMode
}

func (t *Cert) files() []certFile {
	out := []certFile{{t.KeyPath, t.keyMode()}, {t.CertPath, 0o644}}
	if t.CAPath != "" {
		out = append(out, certFile{t.CAPath, 0o644})
	}
	return out
}

func (t *Cert) keyMode() fs.FileMode {
	if t.KeyMode == 0 {
		return 0o600
	}
	return t.KeyMode
}
