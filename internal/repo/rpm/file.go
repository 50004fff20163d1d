package rpm

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"pigsty/internal/repo/pgp"
)

// File is a package file that was read.
type File struct {
	own        *header
	signatures *header
	start, end int64 // where its own header lies
	size       int64
	modified   int64  // seconds since 1970
	sha256     string // of the whole file
	location   string // relative to the repository
}

// OpenFile reads the headers of the package file at path, checks the digests in
// them and that the package is signed by a key of ring. It returns the
// fingerprint of that key. sha256 is the digest of the file, which the caller
// has checked.
func OpenFile(path, location, sha256 string, ring *pgp.Keyring) (f *File, signer string, err error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, "", err
	}
	f, err = readFile(in, info, location, sha256)
	if err == nil {
		signer, err = f.verify(in, ring)
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return f, signer, nil
}

// Identity returns the name of the package, its version as EVR.String has it, and
// its architecture.
func (f *File) Identity() (name, version, arch string) {
	return f.own.text(tagName), EVR(f.version()).String(), f.own.text(tagArch)
}

func readFile(in io.Reader, info fs.FileInfo, location, sha256 string) (*File, error) {
	signatures, own, start, err := readHeaders(in)
	if err != nil {
		return nil, err
	}
	f := &File{own: own, signatures: signatures, start: start, end: start + int64(len(own.raw)),
		size: info.Size(), modified: info.ModTime().Unix(), sha256: sha256, location: location}
	if own.text(tagName) == "" || own.text(tagVersion) == "" {
		return nil, errors.New("its header names no package")
	}
	return f, nil
}

// verify checks a signature as rpm does: one over the header, which has the
// payload's digest, or one over both. payload is what follows the header.
func (f *File) verify(payload io.Reader, ring *pgp.Keyring) (signer string, err error) {
	signature := f.signature(sigRSA, sigDSA)
	digest := f.own.text(tagPayloadDigest)
	text := f.own.raw
	switch {
	case signature != nil && digest != "" && f.own.number(tagPayloadDigestBy) == sha256Algorithm:
		sum := sha256.New()
		if _, err := io.Copy(sum, payload); err != nil {
			return "", err
		}
		if hex.EncodeToString(sum.Sum(nil)) != digest {
			return "", errors.New("its payload is not what its header says")
		}
	default:
		if signature = f.signature(sigPGP, sigGPG); signature == nil {
			return "", errors.New("it is not signed, and hosts install only what is")
		}
		body, err := io.ReadAll(payload)
		if err != nil {
			return "", err
		}
		text = slices.Concat(text, body)
	}
	if signer, err = ring.VerifyDetached(text, signature); err != nil {
		return "", pgp.Advise("the package", "gpgkey", err)
	}
	return signer, nil
}

// signature returns the first of tags that the file has.
func (f *File) signature(tags ...tag) []byte {
	for _, t := range tags {
		if s := f.signatures.binary(t); len(s) > 0 {
			return s
		}
	}
	return nil
}

// sha256Algorithm is OpenPGP's number of SHA-256 (RFC 9580, 9.5), which headers use too.
const sha256Algorithm = 8
