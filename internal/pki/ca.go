// Package pki is the deployment's certificate authority: its files beside the
// inventory, and the certificates that it issues. Private keys of hosts are made
// on the hosts and never come here.
package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// CA is a certificate authority that is ready to issue. It may be used by many
// goroutines.
type CA struct {
	cert *x509.Certificate
	pem  []byte
	key  crypto.Signer
	path string // of the certificate, for messages
}

// Paths returns where the CA of dir, such as files/pki, has its certificate and
// its key.
func Paths(dir string) (cert, key string) {
	return filepath.Join(dir, "ca", "ca.crt"), filepath.Join(dir, "ca", "ca.key")
}

// Open reads the CA of dir. It may be of the user's own making: RSA, ECDSA or
// Ed25519, the key in PKCS #8, PKCS #1 or SEC 1. The error is an fs.ErrNotExist
// if there is none, and says what to do if the files are not a usable pair or if
// others can read the key. A CA that has expired can be opened, but issues
// nothing.
func Open(dir string) (*CA, error) {
	certPath, keyPath := Paths(dir)
	certText, err := os.ReadFile(certPath)
	if err != nil {
		return nil, fmt.Errorf("CA certificate: %w", err)
	}
	cert, err := parseCert(certText)
	if err != nil {
		return nil, fmt.Errorf("CA certificate %s: %w", certPath, err)
	}
	key, err := readKey(keyPath)
	if err != nil {
		return nil, err
	}
	switch {
	case !sameKey(cert.PublicKey, key.Public()):
		return nil, fmt.Errorf("CA certificate %s and key %s do not belong together; restore the pair from a backup", certPath, keyPath)
	case !cert.BasicConstraintsValid || !cert.IsCA:
		return nil, fmt.Errorf("%s is not the certificate of a CA (basic constraints lack CA:TRUE)", certPath)
	case cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCertSign == 0:
		return nil, fmt.Errorf("the CA of %s may not sign certificates (its key usage lacks keyCertSign)", certPath)
	}
	return &CA{cert: cert, pem: certText, key: key, path: certPath}, nil
}

// CertPEM returns the CA's certificate file, to be trusted by hosts and clients.
func (ca *CA) CertPEM() []byte { return bytes.Clone(ca.pem) }

// NotAfter returns when the CA expires.
func (ca *CA) NotAfter() time.Time { return ca.cert.NotAfter }

// parseCert returns the first certificate in text.
func parseCert(text []byte) (*x509.Certificate, error) {
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			return nil, errors.New("no certificate in PEM")
		}
		if block.Type == "CERTIFICATE" {
			return x509.ParseCertificate(block.Bytes)
		}
	}
}

// readKey reads the private key in path and insists that others cannot.
func readKey(path string) (crypto.Signer, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("CA key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 { // a group may be meant to read it
		return nil, fmt.Errorf("CA key %s: its mode %04o lets others read or change it; run: chmod 600 %s", path, mode, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("CA key: %w", err)
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("CA key %s: %w", path, err)
	}
	return key, nil
}

func parseKey(text []byte) (crypto.Signer, error) {
	for {
		var block *pem.Block
		block, text = pem.Decode(text)
		if block == nil {
			return nil, errors.New("no private key in PEM")
		}
		var key any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			if block.Headers["DEK-Info"] != "" {
				return nil, errEncrypted
			}
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errEncrypted
		default: // EC PARAMETERS, which openssl writes first
			continue
		}
		if err != nil {
			return nil, err
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("a key of type %T cannot sign", key)
		}
		return signer, nil
	}
}

var errEncrypted = errors.New("it has a passphrase; store it without one (openssl pkey)")

func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
