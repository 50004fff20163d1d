package transport

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// hostKeys is what known_hosts files say, each read once. It differs from
// x/crypto's knownhosts in that, like ssh, it skips lines it does not
// understand instead of refusing the file, and that it can tell which keys a
// host is known by before the host is asked.
type hostKeys struct {
	mu    sync.Mutex
	files map[string][]knownLine
}

// knownLine is one line of a known_hosts file.
type knownLine struct {
	file     string
	line     int
	marker   string // "", "cert-authority" or "revoked"
	patterns []string
	key      ssh.PublicKey
}

func newHostKeys() *hostKeys { return &hostKeys{files: map[string][]knownLine{}} }

// knownName returns how known_hosts writes host at port.
func knownName(host string, port int) string {
	host = strings.ToLower(host)
	if port == 22 {
		return host
	}
	return "[" + host + "]:" + strconv.Itoa(port)
}

// load returns the lines of file, and none if it cannot be read. h.mu is held.
func (h *hostKeys) load(file string) []knownLine {
	if lines, ok := h.files[file]; ok {
		return lines
	}
	var lines []knownLine
	text, _ := os.ReadFile(file)
	n := 0
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		n++
		marker, hosts, key, _, _, err := ssh.ParseKnownHosts(append(slices.Clone(line), '\n'))
		if err == nil {
			lines = append(lines, knownLine{file, n, marker, hosts, key})
		}
	}
	h.files[file] = lines
	return lines
}

// matches reports whether the line is about name.
func (l knownLine) matches(name string) bool {
	found := false
	for _, p := range l.patterns {
		negated := strings.HasPrefix(p, "!")
		p = strings.ToLower(strings.TrimPrefix(p, "!"))
		if !strings.HasPrefix(p, "|1|") {
			if !wildcard(p, name) {
				continue
			}
		} else if !hashMatches(l.patterns[0], name) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}

// hashMatches compares name with an entry of the form |1|salt|hash.
func hashMatches(entry, name string) bool {
	parts := strings.Split(entry, "|")
	if len(parts) != 4 {
		return false
	}
	salt, err1 := base64.StdEncoding.DecodeString(parts[2])
	want, err2 := base64.StdEncoding.DecodeString(parts[3])
	if err1 != nil || err2 != nil {
		return false
	}
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return hmac.Equal(mac.Sum(nil), want)
}

// wildcard matches * and ? as ssh does.
func wildcard(pattern, s string) bool {
	star, from := -1, 0 // the last * seen and where it began to match
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// find returns the lines about the host of s.
func (h *hostKeys) find(s *settings, name string) []knownLine {
	var found []knownLine
	for _, f := range slices.Concat(s.knownHosts, s.globalHosts) {
		for _, l := range h.load(f) {
			if l.matches(name) {
				found = append(found, l)
			}
		}
	}
	return found
}

// record adds key to memory and to the first known_hosts file. h.mu is held.
func (h *hostKeys) record(s *settings, key ssh.PublicKey) error {
	file := firstOr(s.knownHosts, "")
	if file == "" {
		return errors.New("no known_hosts file")
	}
	lines := h.load(file)
	h.files[file] = append(lines, knownLine{file: file, patterns: []string{s.hostKeyName}, key: key})
	name := s.hostKeyName
	if s.hashHosts {
		name = knownhosts.HashHostname(name)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	// One write of one line, so that processes that add at once do not mix.
	entry := name + " " + key.Type() + " " + base64.StdEncoding.EncodeToString(key.Marshal()) + "\n"
	if end, err := f.Seek(0, io.SeekEnd); err == nil && end > 0 {
		last := []byte{'\n'}
		if _, err := f.ReadAt(last, end-1); err == nil && last[0] != '\n' {
			entry = "\n" + entry
		}
	}
	_, err = f.WriteString(entry)
	return errors.Join(err, f.Close())
}
