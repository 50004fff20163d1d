package pgp

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Key is the pair that a deployment signs its repository with.
type Key struct{ entity *openpgp.Entity }

// Paths returns where the key of dir, such as files/pki, has its private and its
// public part.
func Paths(dir string) (private, public string) {
	return filepath.Join(dir, "repo", "repo.key"), filepath.Join(dir, "repo", "repo.asc")
}

// settings make a key that every gpgv and rpm in use understands, FIPS modes
// included: RSA, as the rpm of EL 8 does not know Ed25519.
var settings = &packet.Config{Algorithm: packet.PubKeyAlgoRSA, RSABits: 3072, DefaultHash: crypto.SHA256}

// OpenOrCreate opens the key of dir and makes one if there is none. The public
// part is written anew from the private one when it is missing.
func OpenOrCreate(dir, name string) (key *Key, created bool, err error) {
	private, public := Paths(dir)
	key, err = Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		key, err = create(private, name)
		created = err == nil
	}
	if err != nil {
		return nil, false, err
	}
	if _, err := os.Stat(public); errors.Is(err, fs.ErrNotExist) {
		text, err := key.Public()
		if err == nil {
			err = os.WriteFile(public, text, 0o644)
		}
		if err != nil {
			return nil, created, fmt.Errorf("the public key of the repository: %w", err)
		}
	}
	return key, created, nil
}

// Open reads the key of dir. The error is an fs.ErrNotExist if there is none,
// and says what to do if others can read it.
func Open(dir string) (*Key, error) {
	private, _ := Paths(dir)
	info, err := os.Stat(private)
	if err != nil {
		return nil, fmt.Errorf("the repository's key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("the repository's key %s: its mode %04o lets others read it; run: chmod 600 %s", private, mode, private)
	}
	text, err := os.ReadFile(private)
	if err != nil {
		return nil, fmt.Errorf("the repository's key: %w", err)
	}
	keys, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(text))
	if err != nil || len(keys) != 1 || keys[0].PrivateKey == nil || keys[0].PrivateKey.Encrypted {
		return nil, fmt.Errorf("the repository's key %s: it is not one private OpenPGP key in armor without a passphrase; restore it from a backup, or move it away to begin with a new one", private)
	}
	return &Key{keys[0]}, nil
}

// create makes a key that does not expire. One that another process makes at
// the same time wins.
func create(path, name string) (*Key, error) {
	dated := *settings
	dated.Time = func() time.Time { return time.Now().Add(-time.Hour) } // for clients whose clock is behind
	entity, err := openpgp.NewEntity(name, "", "", &dated)
	if err != nil {
		return nil, fmt.Errorf("make the repository's key: %w", err)
	}
	entity.Subkeys = nil // it signs; nothing is ever encrypted for it
	text, err := armored(openpgp.PrivateKeyType, func(w io.Writer) error { return entity.SerializePrivateWithoutSigning(w, nil) })
	if err != nil {
		return nil, fmt.Errorf("make the repository's key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the repository's key: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".repo.key.*") // 0600
	if err != nil {
		return nil, fmt.Errorf("make the repository's key: %w", err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return nil, fmt.Errorf("make the repository's key: %w", err)
	}
	if err := os.Link(tmp.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the repository's key: %w", err)
	}
	return Open(filepath.Dir(filepath.Dir(path)))
}

// Fingerprint returns that of the key, in hex.
func (k *Key) Fingerprint() string { return fmt.Sprintf("%X", k.entity.PrimaryKey.Fingerprint) }

// Public returns the public key in armor, for clients.
func (k *Key) Public() ([]byte, error) {
	return armored(openpgp.PublicKeyType, func(w io.Writer) error { return k.entity.Serialize(w) })
}

// SignClear returns text with its signature around it, as InRelease has it.
func (k *Key) SignClear(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := clearsign.Encode(&b, k.entity.PrivateKey, signing())
	if err != nil {
		return nil, err
	}
	_, err = w.Write(text)
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	signed := b.Bytes()
	at := bytes.LastIndex(signed, []byte("-----BEGIN PGP SIGNATURE"))
	block, err := armor.Decode(bytes.NewReader(signed[at:]))
	if err != nil {
		return nil, err
	}
	signature, err := armored(block.Type, func(w io.Writer) error { _, err := io.Copy(w, block.Body); return err })
	return append(signed[:at:at], signature...), err
}

// SignDetached returns the signature of data in armor, as repomd.xml.asc has it.
func (k *Key) SignDetached(data []byte) ([]byte, error) {
	return armored(openpgp.SignatureType, func(w io.Writer) error {
		return openpgp.DetachSign(w, k.entity, bytes.NewReader(data), signing())
	})
}

// armored returns what write writes in armor with the checksum that newer
// standards leave out and GnuPG before 2.4 misses.
func armored(kind string, write func(io.Writer) error) ([]byte, error) {
	var b bytes.Buffer
	w, err := armor.EncodeWithChecksumOption(&b, kind, nil, true)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(write(w), w.Close()); err != nil {
		return nil, err
	}
	return append(b.Bytes(), '\n'), nil
}

// signing dates signatures a little back, for the same clients.
func signing() *packet.Config {
	c := *settings
	c.Time = func() time.Time { return time.Now().Add(-time.Minute) }
	return &c
}
