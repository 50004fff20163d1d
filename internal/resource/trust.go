package resource

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
)

// Trust is a CA certificate that all programs of the host trust.
type Trust struct {
	Name string // of the file, without a suffix: "pigsty-ca"
	CA   []byte // certificate in PEM
}

var _ Resource = (*Trust)(nil)

// store is where a family of systems keeps its trusted certificates.
type store struct {
	anchors string // directory of those that the administrator added
	bundle  string // all together, made by update
	update  string
	bringer string // the package with update
}

var stores = map[string]store{
	"deb": {"/usr/local/share/ca-certificates/", "/etc/ssl/certs/ca-certificates.crt", "update-ca-certificates", "ca-certificates"},
	"rpm": {"/etc/pki/ca-trust/source/anchors/", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "update-ca-trust", "ca-certificates"},
}

// Key returns "trust " and the name.
func (t *Trust) Key() string { return "trust " + t.Name }

// Diff compares our certificate's file and looks for it in the bundle that programs read.
func (t *Trust) Diff(_ context.Context, h *Host) (Change, error) {
	s, err := t.store(h)
	if err != nil {
		return Change{}, err
	}
	file := s.anchors + t.Name + ".crt"
	same, err := equal(h, file, t.CA)
	if err != nil {
		return Change{}, err
	}
	trusted, err := t.trusted(h, s)
	if err != nil {
		return Change{}, err
	}
	var c Change
	c.Differs(file, yes(same), yes(true))
	c.Differs("trusted", yes(trusted), yes(true))
	if c.Action != None {
		c.Reason = "not trusted by this host yet"
		c.Paths = []string{file, s.bundle}
	}
	return c, nil
}

// Apply adds the certificate and has the bundle made anew.
func (t *Trust) Apply(ctx context.Context, h *Host) error {
	s, err := t.store(h)
	if err != nil {
		return err
	}
	if _, ok := h.Commands.Look(s.update); !ok {
		return fmt.Errorf("trust %s: there is no %s on this host: install package %s", t.Name, s.update, s.bringer)
	}
	if err := h.Files.Mkdir(s.anchors[:len(s.anchors)-1], 0o755, Owner{}); err != nil {
		return err
	}
	if err := h.Files.Write(s.anchors+t.Name+".crt", t.CA, 0o644, Owner{}); err != nil {
		return err
	}
	_, err = h.Commands.Run(ctx, Command{Args: []string{s.update}})
	return err
}

func (t *Trust) store(h *Host) (store, error) {
	s, ok := stores[h.Facts.Family]
	if !ok {
		return s, fmt.Errorf("trust %s: it is not known how %s keeps trusted certificates", t.Name, h.Facts.OS)
	}
	return s, nil
}

// trusted reports whether the bundle has every certificate of CA.
func (t *Trust) trusted(h *Host, s store) (bool, error) {
	bundle, err := h.Files.Read(s.bundle)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	have := certificates(bundle)
	for _, want := range certificates(t.CA) {
		found := false
		for _, der := range have {
			found = found || bytes.Equal(der, want)
		}
		if !found {
			return false, nil
		}
	}
	return true, nil
}

// certificates returns the DER of each certificate in a PEM text.
func certificates(text []byte) [][]byte {
	var out [][]byte
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return out
		}
		if block.Type == "CERTIFICATE" {
			out = append(out, block.Bytes)
		}
		text = rest
	}
}
