package postgres

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// scramIterations and scramSalt are what PostgreSQL itself uses
// (scram_iterations, SCRAM_DEFAULT_SALT_LEN).
const (
	scramIterations = 4096
	scramSalt       = 16
)

// What pg_authid.rolpassword looks like: get_password_type in crypt.c.
var (
	md5Verifier   = regexp.MustCompile(`^md5[0-9a-f]{32}$`)
	scramVerifier = regexp.MustCompile(`^SCRAM-SHA-256\$(\d+):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$`)
)

// verifier returns what the server is given for the declared password of role: itself
// if it is a verifier already, otherwise a new one, so that the plain password
// reaches neither the server nor its log. It is a SCRAM-SHA-256 verifier unless an
// old md5 one is asked for.
func verifier(role, password string, old bool) (string, error) {
	if md5Verifier.MatchString(password) || scramVerifier.MatchString(password) {
		return password, nil
	}
	if old {
		return md5Of(role, password), nil
	}
	salt := make([]byte, scramSalt)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	return scram(password, salt, scramIterations)
}

// scram computes a verifier as in RFC 5802, section 3.
func scram(password string, salt []byte, iterations int) (string, error) {
	salted, err := pbkdf2.Key(sha256.New, saslPrep(password), salt, iterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("hashing a password: %w", err)
	}
	sum := func(text string) []byte {
		m := hmac.New(sha256.New, salted)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	stored := sha256.Sum256(sum("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(sum("Server Key"))), nil
}

// md5Of computes the verifier of before SCRAM: pg_md5_encrypt in md5_common.c.
func md5Of(role, password string) string {
	sum := md5.Sum([]byte(password + role))
	return "md5" + hex.EncodeToString(sum[:])
}

// matches reports whether the stored verifier of role is the one for the
// declared password.
func matches(role, password, stored string) bool {
	switch {
	case password == stored:
		return true
	case md5Verifier.MatchString(password) || scramVerifier.MatchString(password):
		return false
	case md5Verifier.MatchString(stored):
		return stored == md5Of(role, password)
	}
	m := scramVerifier.FindStringSubmatch(stored)
	if m == nil {
		return false
	}
	iterations, err := strconv.Atoi(m[1])
	salt, err2 := base64.StdEncoding.DecodeString(m[2])
	if err != nil || err2 != nil {
		return false
	}
	again, err := scram(password, salt, iterations)
	return err == nil && hmac.Equal([]byte(again), []byte(stored))
}

// saslPrep normalises a password as clients do before they prove that they know
// it: RFC 4013 mapping and NFKC. A password with characters that the profile
// prohibits is used as it is, as pg_saslprep's callers do.
func saslPrep(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			ascii = false
		}
	}
	if ascii {
		return s
	}
	mapped := strings.Map(func(r rune) rune {
		switch {
		case r == 0xad || r == 0x34f || r == 0x1806 || r >= 0x180b && r <= 0x180d || r >= 0x200b && r <= 0x200d ||
			r == 0x2060 || r >= 0xfe00 && r <= 0xfe0f || r == 0xfeff:
			return -1 // RFC 3454, table B.1
		case r > 0x7f && unicode.Is(unicode.Zs, r):
			return ' '
		}
		return r
	}, s)
	out := norm.NFKC.String(mapped)
	for _, r := range out {
		if unicode.IsControl(r) || unicode.Is(unicode.Co, r) || unicode.Is(unicode.Cs, r) || r == unicode.ReplacementChar {
			return s
		}
	}
	return out
}
