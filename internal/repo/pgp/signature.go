package pgp

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// signature is one signature packet.
type signature struct {
	keyID  uint64 // 0 if it does not say
	issuer string // fingerprint or ID, for messages
	check  func(keys openpgp.EntityList, data []byte) (*openpgp.Entity, error)
}

// signatureTag is the type of packets that are signatures.
const signatureTag = 2

// parseSignature returns nil for a packet of another type.
func parseSignature(p *packet.OpaquePacket) (*signature, error) {
	if p.Tag != signatureTag || len(p.Contents) == 0 {
		return nil, nil
	}
	if p.Contents[0] == 3 {
		return parseVersion3(p.Contents)
	}
	parsed, err := p.Parse()
	if err != nil {
		return nil, err
	}
	sig, ok := parsed.(*packet.Signature)
	if !ok {
		return nil, nil
	}
	one := &signature{issuer: "an unknown key"}
	if sig.IssuerKeyId != nil {
		one.keyID, one.issuer = *sig.IssuerKeyId, fmt.Sprintf("%016X", *sig.IssuerKeyId)
	}
	if len(sig.IssuerFingerprint) > 0 {
		one.issuer = fmt.Sprintf("%X", sig.IssuerFingerprint)
	}
	one.check = func(keys openpgp.EntityList, data []byte) (*openpgp.Entity, error) {
		var text bytes.Buffer
		if err := p.Serialize(&text); err != nil {
			return nil, err
		}
		_, entity, err := openpgp.VerifyDetachedSignature(keys, bytes.NewReader(data), &text, nil)
		return entity, err
	}
	return one, nil
}

// parseVersion3 reads a signature in the form that many packages of EL still
// carry (RFC 4880, 5.2.2): type, date, key and algorithms at fixed places. Only
// those of RSA keys over binary data with a digest of the SHA-2 family count.
func parseVersion3(text []byte) (*signature, error) {
	const fixed = 19 // up to the digest's first two bytes
	if len(text) < fixed+2 || text[1] != 5 {
		return nil, errors.New("it is cut")
	}
	hashed, algorithm := text[2:7], text[15]
	one := &signature{keyID: binary.BigEndian.Uint64(text[7:15])}
	one.issuer = fmt.Sprintf("%016X", one.keyID)
	digest := map[byte]crypto.Hash{8: crypto.SHA256, 9: crypto.SHA384, 10: crypto.SHA512, 11: crypto.SHA224}[text[16]]
	value := text[fixed+2:]
	if bits := int(binary.BigEndian.Uint16(text[fixed:])); len(value) != (bits+7)/8 {
		return nil, errors.New("it is cut")
	}
	one.check = func(keys openpgp.EntityList, data []byte) (*openpgp.Entity, error) {
		if hashed[0] != byte(packet.SigTypeBinary) || digest == 0 || algorithm != byte(packet.PubKeyAlgoRSA) && algorithm != byte(packet.PubKeyAlgoRSASignOnly) {
			return nil, errors.New("it is of a kind that does not count: not RSA, or with a weak digest")
		}
		h := digest.New()
		h.Write(data)
		h.Write(hashed)
		for _, key := range keys.KeysByIdUsage(one.keyID, packet.KeyFlagSign) {
			public, ok := key.PublicKey.PublicKey.(*rsa.PublicKey)
			if !ok || len(value) > public.Size() {
				continue
			}
			padded := make([]byte, public.Size())
			copy(padded[len(padded)-len(value):], value)
			if rsa.VerifyPKCS1v15(public, digest, h.Sum(nil), padded) == nil {
				return key.Entity, nil
			}
		}
		return nil, errors.New("the data is not what was signed, or the key may not sign")
	}
	return one, nil
}
