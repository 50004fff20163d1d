package transport

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// algorithms returns the host key algorithms to offer the host of s: those of
// the keys it is known by first, so that it shows a key that can be compared.
func (h *hostKeys) algorithms(s *settings) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	types, authority := map[string]bool{}, false
	for _, l := range h.find(s, s.hostKeyName) {
		switch l.marker {
		case "":
			types[l.key.Type()] = true
		case "cert-authority":
			authority = true
		}
	}
	var certs, known, rest []string
	for _, a := range ssh.SupportedAlgorithms().HostKeys {
		switch {
		case strings.Contains(a, "-cert-v01@"):
			certs = append(certs, a)
		case types[a], types[ssh.KeyAlgoRSA] && strings.HasPrefix(a, "rsa-sha2-"):
			known = append(known, a)
		default:
			rest = append(rest, a)
		}
	}
	// Newer kinds of key before RSA, as in ssh.
	slices.SortStableFunc(rest, func(a, b string) int { return rank(a) - rank(b) })
	if authority {
		return slices.Concat(certs, known, rest)
	}
	return slices.Concat(known, rest)
}

func rank(algorithm string) int {
	switch {
	case algorithm == ssh.KeyAlgoED25519:
		return 0
	case strings.HasPrefix(algorithm, "ecdsa-"):
		return 1
	}
	return 2
}

// check verifies the key that the host of s shows. A new key is recorded where
// the policy allows. changed reports that PolicyOff let a wrong key pass.
func (h *hostKeys) check(s *settings, key ssh.PublicKey) (changed bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	lines := h.find(s, s.hostKeyName)
	if cert, ok := key.(*ssh.Certificate); ok {
		if checkCertificate(lines, s, cert) == nil {
			return false, nil
		}
		key = cert.Key
	}
	shown := key.Marshal()
	var other []knownLine
	for _, l := range h.all(s) {
		if l.marker == "revoked" && bytes.Equal(l.key.Marshal(), shown) {
			return false, fail(StageHostKey, "find out why the key was revoked; do not connect before",
				"the host shows a revoked key (%s)", l.place())
		}
	}
	for _, l := range lines {
		if l.marker != "" {
			continue
		}
		if bytes.Equal(l.key.Marshal(), shown) {
			return false, nil
		}
		other = append(other, l)
	}
	switch {
	case len(other) > 0:
		e := changedKey(s, other, key)
		if s.policy != PolicyOff {
			return true, e
		}
		s.log("warning: " + e.Err.Error() + "; accepted because StrictHostKeyChecking is off, no password is sent there")
		return true, nil
	case h.knownWithoutPort(s, shown):
		return false, nil
	case s.policy == PolicyStrict:
		return false, fail(StageHostKey, "compare the fingerprint with the host's, then add it with: ssh-keyscan "+scanArgs(s)+" >> "+firstOr(s.knownHosts, "~/.ssh/known_hosts"),
			"the host is not known and StrictHostKeyChecking is yes; it shows %s", fingerprint(key))
	}
	s.log("new host key recorded: " + fingerprint(key))
	if err := h.record(s, key); err != nil {
		s.log("warning: the host key cannot be recorded: " + err.Error())
	}
	return false, nil
}

// all returns every line of the files that count for s.
func (h *hostKeys) all(s *settings) (lines []knownLine) {
	for _, f := range slices.Concat(s.knownHosts, s.globalHosts) {
		lines = append(lines, h.load(f)...)
	}
	return lines
}

func checkCertificate(lines []knownLine, s *settings, cert *ssh.Certificate) error {
	checker := ssh.CertChecker{
		IsHostAuthority: func(auth ssh.PublicKey, _ string) bool {
			return slices.ContainsFunc(lines, func(l knownLine) bool {
				return l.marker == "cert-authority" && bytes.Equal(l.key.Marshal(), auth.Marshal())
			})
		},
	}
	return checker.CheckHostKey(s.addr(), &net.TCPAddr{}, cert)
}

// knownWithoutPort accepts, as ssh does, a key that the host is known by on port 22.
func (h *hostKeys) knownWithoutPort(s *settings, shown []byte) bool {
	return s.port != 22 && slices.ContainsFunc(h.find(s, strings.ToLower(s.host)), func(l knownLine) bool {
		return l.marker == "" && bytes.Equal(l.key.Marshal(), shown)
	})
}

// changedKey tells which lines of known_hosts disagree with the key shown.
func changedKey(s *settings, known []knownLine, shown ssh.PublicKey) *Error {
	slices.SortStableFunc(known, func(a, b knownLine) int { // the same kind of key first
		return b2i(b.key.Type() == shown.Type()) - b2i(a.key.Type() == shown.Type())
	})
	l := known[0]
	return fail(StageHostKey,
		fmt.Sprintf("if the host was reinstalled, remove the old key with: ssh-keygen -f %s -R '%s'; otherwise someone may be posing as it", l.file, s.hostKeyName),
		"the host key changed and is refused: %s has %s, the host shows %s",
		l.place(), fingerprint(l.key), fingerprint(shown))
}

// place returns file:line, without the line for a key recorded just now.
func (l knownLine) place() string {
	if l.line == 0 {
		return l.file
	}
	return fmt.Sprintf("%s:%d", l.file, l.line)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func fingerprint(key ssh.PublicKey) string {
	return strings.TrimPrefix(key.Type(), "ssh-") + " " + ssh.FingerprintSHA256(key)
}

func scanArgs(s *settings) string {
	if s.port == 22 {
		return s.host
	}
	return fmt.Sprintf("-p %d %s", s.port, s.host)
}

func firstOr(list []string, other string) string {
	if len(list) > 0 {
		return list[0]
	}
	return other
}
