package transport

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// authentication is the list of ways to log in to one host and what became of
// each. Keys are offered one at a time: a key that cannot sign, for want of its
// passphrase, then does not keep the next one from being tried.
type authentication struct {
	set      *settings
	ways     []way
	next     int
	password bool     // whether a password may be sent
	notes    []string // what cannot be tried, and why
	accepts  []string // methods that the host names

	mu    sync.Mutex
	last  ssh.PublicKey // the key offered last
	tried []string
}

// way is one attempt.
type way struct {
	method string // RFC 4252's name
	what   string // for people
	key    ssh.PublicKey
	auth   ssh.AuthMethod
}

// authentication lists the ways to log in for s: the keys that were named, those
// of ssh-agent, the default keys, then the password.
func (d *Dialer) authentication(s *settings) *authentication {
	a := &authentication{set: s, password: true}
	var inAgent []ssh.Signer
	if s.agentSocket != "" {
		var err error
		if inAgent, err = d.keys.agent(s.agentSocket); err != nil {
			a.notes = append(a.notes, fmt.Sprintf("ssh-agent %s: %v", s.agentSocket, err))
		}
	} else {
		a.notes = append(a.notes, "no ssh-agent")
	}
	for _, path := range s.keyFiles {
		a.addFile(d.keys.file(path), inAgent)
	}
	if !s.onlyKeys {
		for _, signer := range inAgent {
			a.addKey(signer, "agent key")
		}
	}
	for _, path := range s.defaultKeys {
		if k := d.keys.file(path); !errors.Is(k.err, fs.ErrNotExist) {
			a.addFile(k, inAgent)
		}
	}
	d.mu.Lock()
	good := d.goodKeys
	d.mu.Unlock()
	slices.SortStableFunc(a.ways, func(x, y way) int { return keyRank(good, x) - keyRank(good, y) })
	a.addPassword()
	return a
}

// keyRank sorts keys that other hosts accepted before the rest.
func keyRank(good []string, w way) int {
	if i := slices.Index(good, string(w.key.Marshal())); i >= 0 {
		return i
	}
	return len(good)
}

func (a *authentication) addFile(k *keyFile, inAgent []ssh.Signer) {
	if k.err != nil {
		a.notes = append(a.notes, fmt.Sprintf("key %s: %v", k.path, k.err))
		return
	}
	signer := k.signer
	for _, s := range inAgent { // unlocked there already
		if bytes.Equal(s.PublicKey().Marshal(), k.public.Marshal()) {
			signer = s
		}
	}
	if signer == nil {
		a.notes = append(a.notes, fmt.Sprintf("key %s: a public key whose private half is not in ssh-agent", k.path))
		return
	}
	certs := []*ssh.Certificate{k.cert}
	for _, path := range a.set.certFiles {
		if c, ok := readPublic(path).(*ssh.Certificate); ok && bytes.Equal(c.Key.Marshal(), k.public.Marshal()) {
			certs = append(certs, c)
		}
	}
	for _, c := range certs {
		if c == nil {
			continue
		}
		if s, err := ssh.NewCertSigner(c, signer); err == nil {
			a.addKey(s, "certificate of "+k.path)
		}
	}
	a.addKey(signer, "key "+k.path)
}

func (a *authentication) addKey(signer ssh.Signer, what string) {
	pub := signer.PublicKey()
	for _, w := range a.ways {
		if w.key != nil && bytes.Equal(w.key.Marshal(), pub.Marshal()) {
			return
		}
	}
	a.ways = append(a.ways, way{"publickey", what + " (" + fingerprint(pub) + ")", pub, ssh.PublicKeys(noted{signer, a, what})})
}

func (a *authentication) addPassword() {
	if a.set.password.IsEmpty() {
		a.notes = append(a.notes, "no password given (ansible_password)")
		return
	}
	text := a.set.password.Reveal()
	answer := func(_, _ string, questions []string, echos []bool) ([]string, error) {
		answers := make([]string, len(questions))
		for i := range questions {
			if echos[i] {
				return nil, fmt.Errorf("the host asks %q, which is not a password", questions[i])
			}
			answers[i] = text
		}
		return answers, nil
	}
	a.ways = append(a.ways,
		way{method: "password", what: "password", auth: ssh.Password(text)},
		way{method: "keyboard-interactive", what: "password as keyboard-interactive", auth: ssh.KeyboardInteractive(answer)})
}

// choose returns the next way that the host allows. It is the connection's
// ClientAuthCallback.
func (a *authentication) choose(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(c.AllowedMethods) > 0 {
		a.accepts = c.AllowedMethods
	}
	for a.next < len(a.ways) {
		w := a.ways[a.next]
		a.next++
		if !slices.Contains(c.AllowedMethods, w.method) || w.key == nil && !a.password {
			continue
		}
		a.tried = append(a.tried, w.what)
		a.last = w.key
		return w.auth, nil
	}
	return nil, errNoWay
}

var errNoWay = errors.New("nothing left to try")

// noted is a key that tells a.notes why it could not sign.
type noted struct {
	ssh.Signer
	a    *authentication
	what string
}

func (n noted) SignWithAlgorithm(r io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	var sig *ssh.Signature
	var err error
	if s, ok := n.Signer.(ssh.AlgorithmSigner); ok {
		sig, err = s.SignWithAlgorithm(r, data, algorithm)
	} else {
		sig, err = n.Signer.Sign(r, data)
	}
	if err != nil {
		n.a.mu.Lock()
		n.a.notes = append(n.a.notes, n.what+" is accepted, but: "+err.Error())
		n.a.mu.Unlock()
	}
	return sig, err
}

// failure explains that no way was accepted.
func (a *authentication) failure(err error) *Error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !errors.Is(err, errNoWay) && !strings.Contains(err.Error(), "unable to authenticate") && len(a.tried) == 0 {
		return fail(StageConnect, "", "SSH with %s: %w", a.set.addr(), err)
	}
	tried := "nothing"
	if len(a.tried) > 0 {
		tried = strings.Join(a.tried, ", ")
	}
	text := fmt.Sprintf("user %s is not accepted; tried: %s", a.set.user, tried)
	if len(a.accepts) > 0 {
		text += "; the host accepts: " + strings.Join(a.accepts, ", ")
	}
	if len(a.notes) > 0 {
		text += "; not tried or failed: " + strings.Join(a.notes, ", ")
	}
	if !errors.Is(err, errNoWay) {
		text += "; " + err.Error()
	}
	return &Error{Stage: StageAuthenticate, Err: errors.New(text),
		Advice: "check ansible_user, and that a key above is in the host's authorized_keys (ssh-copy-id), or set ansible_ssh_private_key_file or ansible_password"}
}
