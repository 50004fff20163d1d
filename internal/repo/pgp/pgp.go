// Package pgp is what repositories need of OpenPGP: keyrings, the signatures of
// upstream repositories, and the key that a deployment signs its own with.
package pgp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// Keyring is public keys that signatures are checked against.
type Keyring struct{ keys openpgp.EntityList }

// ErrUnknownKey is wrapped by errors of signatures that no key of the keyring made.
var ErrUnknownKey = errors.New("signed by a key that is not trusted here")

// Add adds the keys of data, which is binary or in armor; several blocks may
// follow each other.
func (r *Keyring) Add(data []byte) error {
	if !bytes.Contains(data, []byte("-----BEGIN PGP")) {
		keys, err := openpgp.ReadKeyRing(bytes.NewReader(data))
		if err != nil {
			return fmt.Errorf("no OpenPGP keys: %w", err)
		}
		r.keys = append(r.keys, keys...)
		return nil
	}
	for {
		begin := bytes.Index(data, []byte("-----BEGIN PGP"))
		if begin < 0 {
			return nil
		}
		keys, err := openpgp.ReadArmoredKeyRing(bytes.NewReader(data[begin:]))
		if err != nil {
			return fmt.Errorf("no OpenPGP keys: %w", err)
		}
		r.keys = append(r.keys, keys...)
		data = data[begin:]
		end := bytes.Index(data, []byte("-----END PGP"))
		if end < 0 {
			return nil
		}
		data = data[end+len("-----END PGP"):]
	}
}

// Empty reports whether r has no key.
func (r *Keyring) Empty() bool { return len(r.keys) == 0 }

// Fingerprints returns those of the primary keys, in hex.
func (r *Keyring) Fingerprints() []string {
	var out []string
	for _, k := range r.keys {
		out = append(out, fmt.Sprintf("%X", k.PrimaryKey.Fingerprint))
	}
	return out
}

// Export returns in armor the key with the given fingerprint.
func (r *Keyring) Export(fingerprint string) ([]byte, error) {
	for _, k := range r.keys {
		if fmt.Sprintf("%X", k.PrimaryKey.Fingerprint) == fingerprint {
			return armored(openpgp.PublicKeyType, func(w io.Writer) error { return k.Serialize(w) })
		}
	}
	return nil, fmt.Errorf("there is no key %s", fingerprint)
}

// Plain returns the text that data carries a signature of, whoever made that.
func Plain(data []byte) ([]byte, error) {
	block, _ := clearsign.Decode(data)
	if block == nil {
		return nil, errors.New("it is not a signed text")
	}
	return block.Plaintext, nil
}

// VerifyClear checks a text that carries its signature, such as InRelease, and
// returns what was signed and the fingerprint of who did.
func (r *Keyring) VerifyClear(data []byte) (text []byte, signer string, err error) {
	block, rest := clearsign.Decode(data)
	if block == nil {
		return nil, "", errors.New("it is not a signed text")
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, "", errors.New("something follows after the signature")
	}
	signature, err := readAll(block.ArmoredSignature)
	if err != nil {
		return nil, "", err
	}
	signer, err = r.verify(block.Bytes, signature)
	return block.Plaintext, signer, err
}

// VerifyDetached checks data against a signature kept apart, in armor or binary.
func (r *Keyring) VerifyDetached(data, signature []byte) (signer string, err error) {
	if bytes.HasPrefix(bytes.TrimSpace(signature), []byte("-----BEGIN PGP")) {
		block, err := armor.Decode(bytes.NewReader(signature))
		if err != nil {
			return "", fmt.Errorf("the signature is damaged: %w", err)
		}
		if signature, err = readAll(block); err != nil {
			return "", err
		}
	}
	return r.verify(data, signature)
}

func readAll(block *armor.Block) ([]byte, error) {
	var b bytes.Buffer
	if _, err := b.ReadFrom(block.Body); err != nil {
		return nil, fmt.Errorf("the signature is damaged: %w", err)
	}
	return b.Bytes(), nil
}

// verify accepts data if one of its signatures is good, as archives sign with
// an old and a new key at once. SHA-1 and older digests do not count.
func (r *Keyring) verify(data, signatures []byte) (string, error) {
	var unknown []string
	var bad error
	packets := packet.NewOpaqueReader(bytes.NewReader(signatures))
	for {
		p, err := packets.Next()
		if err != nil {
			break
		}
		one, err := parseSignature(p)
		if err != nil {
			bad = fmt.Errorf("a signature cannot be read: %w", err)
			continue
		}
		if one == nil {
			continue
		}
		if one.keyID == 0 || len(r.keys.KeysById(one.keyID)) == 0 {
			unknown = append(unknown, one.issuer)
			continue
		}
		entity, err := one.check(r.keys, data)
		if err == nil {
			return fmt.Sprintf("%X", entity.PrimaryKey.Fingerprint), nil
		}
		bad = fmt.Errorf("the signature of key %s is not good: %w", one.issuer, err)
	}
	switch {
	case bad != nil:
		return "", bad
	case len(unknown) > 0:
		return "", fmt.Errorf("%w: %s", ErrUnknownKey, strings.Join(unknown, ", "))
	}
	return "", errors.New("it has no signature")
}

// Advise adds to an error of a signature what was signed and what to do about
// it; option is where the package manager's configuration names keys.
func Advise(what, option string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrUnknownKey):
		return fmt.Errorf("%s is %w: give that key in %s, or in meta.gpgkey of repo_upstream", what, err, option)
	}
	return fmt.Errorf("%s cannot be trusted: %w", what, err)
}
