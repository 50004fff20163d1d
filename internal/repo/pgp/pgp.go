// Package pgp is what repositories need of OpenPGP: keyrings, the signatures of
// upstream repositories, and the key that a deployment signs its own with.
package pgp

import (
	"bytes"
	"errors"
	"fmt"
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
	packets := packet.NewReader(bytes.NewReader(signatures))
	for {
		p, err := packets.Next()
		if err != nil {
			break
		}
		sig, ok := p.(*packet.Signature)
		if !ok {
			continue
		}
		if sig.IssuerKeyId == nil || len(r.keys.KeysById(*sig.IssuerKeyId)) == 0 {
			unknown = append(unknown, issuer(sig))
			continue
		}
		var one bytes.Buffer
		if err := sig.Serialize(&one); err != nil {
			return "", err
		}
		_, entity, err := openpgp.VerifyDetachedSignature(r.keys, bytes.NewReader(data), &one, nil)
		if err == nil {
			return fmt.Sprintf("%X", entity.PrimaryKey.Fingerprint), nil
		}
		bad = fmt.Errorf("the signature of key %s is not good: %w", issuer(sig), err)
	}
	switch {
	case bad != nil:
		return "", bad
	case len(unknown) > 0:
		return "", fmt.Errorf("%w: %s", ErrUnknownKey, strings.Join(unknown, ", "))
	}
	return "", errors.New("it has no signature")
}

func issuer(sig *packet.Signature) string {
	switch {
	case len(sig.IssuerFingerprint) > 0:
		return fmt.Sprintf("%X", sig.IssuerFingerprint)
	case sig.IssuerKeyId != nil:
		return fmt.Sprintf("%016X", *sig.IssuerKeyId)
	}
	return "an unknown key"
}
