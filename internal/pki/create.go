package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// OpenOrCreate opens the CA of dir and makes one if neither file is there,
// saying so. A key without a certificate, given by the user or left by an
// interrupted run, gets one. Existing files are never overwritten: a certificate
// without its key is an error. Processes that do this at once end with the same CA.
//
// A new key is ECDSA on P-256: every client of the last ten years knows it, TLS
// handshakes with it cost a fraction of RSA's, and of the two, Ed25519 is still
// refused by some TLS libraries and by FIPS modes. The path length is 0: this CA
// signs hosts, not further CAs.
func OpenOrCreate(dir, commonName string, validity time.Duration) (ca *CA, created bool, err error) {
	ca, err = Open(dir)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return ca, false, err
	}
	certPath, keyPath := Paths(dir)
	if err := os.MkdirAll(filepath.Dir(certPath), 0o700); err != nil {
		return nil, false, fmt.Errorf("creating the CA: %w", err)
	}
	unlock, err := lock(filepath.Dir(certPath))
	if err != nil {
		return nil, false, fmt.Errorf("creating the CA: %w", err)
	}
	defer unlock()
	hasCert, err1 := exists(certPath)
	hasKey, err2 := exists(keyPath)
	if err := errors.Join(err1, err2); err != nil {
		return nil, false, fmt.Errorf("creating the CA: %w", err)
	}
	if hasCert && !hasKey {
		return nil, false, fmt.Errorf("CA certificate %s is there, its key %s is not: restore the key, or move the certificate away to begin with a new CA", certPath, keyPath)
	}
	if !hasCert {
		if err := create(certPath, keyPath, hasKey, commonName, validity); err != nil {
			return nil, false, fmt.Errorf("creating the CA: %w", err)
		}
		created = true
	}
	ca, err = Open(dir)
	return ca, created && err == nil, err
}

// lock excludes other processes until unlock is called, or this process ends. It
// locks the directory itself and so leaves no file behind.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { f.Close() }, nil
}

// create writes the key, unless it is there, and then its certificate, so that
// an interruption between the two leaves what the next call completes.
func create(certPath, keyPath string, hasKey bool, commonName string, validity time.Duration) error {
	if err := checkName(commonName); err != nil {
		return err
	}
	if validity <= 0 {
		return fmt.Errorf("a validity of %s", validity)
	}
	var key crypto.Signer
	var err error
	if hasKey {
		if key, err = readKey(keyPath); err != nil {
			return err
		}
	} else {
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return err
		}
		if err := writeNew(keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
			return err
		}
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: commonName, Organization: []string{"pigsty"}, OrganizationalUnit: []string{"ca"}},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(validity),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLen:            0,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	return writeNew(certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

// writeNew writes path as a whole or not at all, and not if it exists.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	// Unlike a rename, a link fails if the name is taken.
	err = os.Link(f.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) { // a file system without links; the lock must do
		if taken, statErr := exists(path); taken || statErr != nil {
			return errors.Join(err, statErr)
		}
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return err
	}
	if d, err := os.Open(filepath.Dir(path)); err == nil { // make the name last, where the file system can
		_ = d.Sync()
		d.Close()
	}
	return nil
}
