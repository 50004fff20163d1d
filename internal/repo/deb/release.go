package deb

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pigsty/internal/repo/fetch"
	"pigsty/internal/repo/pgp"
)

// release is the signed table of contents of a suite.
type release struct {
	base   string // URL of the directory that it lies in, with a slash
	text   string
	files  map[string]indexFile
	signer string // fingerprint; empty if the source waives signatures
}

type indexFile struct {
	size   int64
	sha256 string
}

// Trust is where keys of repositories are found.
type Trust struct {
	Root string // of the host: /
}

// keyring returns the keys that s must be signed with.
func (t Trust) keyring(ctx context.Context, s Source, c *fetch.Client) (*pgp.Keyring, error) {
	ring := &pgp.Keyring{}
	if strings.Contains(s.SignedBy, "-----BEGIN PGP") {
		return ring, ring.Add([]byte(s.SignedBy))
	}
	named := strings.FieldsFunc(s.SignedBy, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
	if len(named) == 0 {
		for _, glob := range []string{"etc/apt/trusted.gpg", "etc/apt/trusted.gpg.d/*.gpg", "etc/apt/trusted.gpg.d/*.asc"} {
			found, _ := filepath.Glob(filepath.Join(t.Root, glob))
			for _, file := range found {
				text, err := os.ReadFile(file)
				if err != nil {
					return nil, err
				}
				if err := ring.Add(text); err != nil {
					return nil, fmt.Errorf("%s: %w", file, err)
				}
			}
		}
	}
	return ring, fetch.Keys(ctx, c, ring, t.Root, named)
}

// readRelease fetches the table of contents of s and checks its signature.
func readRelease(ctx context.Context, s Source, t Trust, c *fetch.Client) (*release, error) {
	r := &release{base: s.URI + "/dists/" + s.Suite + "/"}
	if flat := strings.HasSuffix(s.Suite, "/"); flat {
		r.base = s.URI + "/" + strings.TrimPrefix(strings.TrimPrefix(s.Suite, "."), "/")
	}
	ring, err := t.keyring(ctx, s, c)
	if err != nil {
		return nil, err
	}
	text, signer, err := signedRelease(ctx, r.base, s.Trusted, ring, c)
	if err != nil {
		return nil, err
	}
	r.text, r.signer = text, signer
	if until := field(text, "Valid-Until"); until != "" && s.CheckValid {
		end, err := parseDate(until)
		if err != nil {
			return nil, fmt.Errorf("Valid-Until: %w", err)
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("its index was valid until %s only: the mirror is no longer updated, or the clock here is wrong", until)
		}
	}
	if r.files, err = parseSums(text); err != nil {
		return nil, err
	}
	return r, nil
}

func signedRelease(ctx context.Context, base string, trusted bool, ring *pgp.Keyring, c *fetch.Client) (text, signer string, err error) {
	var missing *fetch.NotFound
	if trusted { // said on the host itself, for a repository without signatures
		data, err := c.Get(ctx, base+"Release")
		return string(data), "", err
	}
	if ring.Empty() {
		return "", "", errors.New("no key is known for it: name its file in signed-by, or in meta.gpgkey of repo_upstream")
	}
	data, err := c.Get(ctx, base+"InRelease")
	if err == nil {
		var plain []byte
		plain, signer, err = ring.VerifyClear(data)
		return string(plain), signer, pgp.Advise(fetch.Shown(base+"InRelease"), "signed-by", err)
	}
	if !errors.As(err, &missing) {
		return "", "", err
	}
	data, err = c.Get(ctx, base+"Release")
	if err != nil {
		return "", "", err
	}
	signature, err := c.Get(ctx, base+"Release.gpg")
	if err != nil {
		return "", "", err
	}
	signer, err = ring.VerifyDetached(data, signature)
	return string(data), signer, pgp.Advise(fetch.Shown(base+"Release"), "signed-by", err)
}

// parseDate reads the dates of Release files, which may have the zone as UTC, GMT or +0000.
func parseDate(text string) (time.Time, error) {
	var err error
	for _, layout := range []string{time.RFC1123, time.RFC1123Z, "Mon, _2 Jan 2006 15:04:05 MST", "Mon, _2 Jan 2006 15:04:05 -0700"} {
		var at time.Time
		if at, err = time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, err
}

// parseSums reads the field SHA256. Weaker digests are not looked at.
func parseSums(text string) (map[string]indexFile, error) {
	files := map[string]indexFile{}
	for line := range strings.Lines(field(text, "SHA256")) {
		words := strings.Fields(line)
		if len(words) != 3 {
			continue
		}
		size, err := strconv.ParseInt(words[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the size of %s: %w", words[2], err)
		}
		files[words[2]] = indexFile{size, words[0]}
	}
	if len(files) == 0 {
		return nil, errors.New("its Release file has no SHA-256 digests, so nothing in it can be checked")
	}
	return files, nil
}

// Lists reports whether a Release text has data under name.
func Lists(release, name string, data []byte) bool {
	files, err := parseSums(release)
	sum := sha256.Sum256(data)
	return err == nil && files[name].sha256 == hex.EncodeToString(sum[:])
}
