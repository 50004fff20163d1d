package transport

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"pigsty/internal/secret"
)

// keyring holds the user's keys: those in files and those of ssh-agent. Every
// file is read once, every passphrase asked for once.
type keyring struct {
	ask    func(prompt string) (secret.Value, error)
	prompt sync.Mutex   // one question at a time
	busy   atomic.Int32 // keys being unlocked, by people typing and slow key derivation

	mu     sync.Mutex
	files  map[string]*keyFile
	agents map[string]*agentConn
}

func newKeyring(ask func(string) (secret.Value, error)) *keyring {
	return &keyring{ask: ask, files: map[string]*keyFile{}, agents: map[string]*agentConn{}}
}

// keyFile is a private key file, or the public half of a key in ssh-agent.
type keyFile struct {
	path   string
	public ssh.PublicKey // nil where only the passphrase would tell
	signer ssh.Signer    // nil for a public key file; may still ask for the passphrase
	cert   *ssh.Certificate
	err    error // why the file cannot be used
}

// file returns the key in path. A missing file has an fs.ErrNotExist.
func (r *keyring) file(path string) *keyFile {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.files[path]
	if k == nil {
		k = r.read(path)
		r.files[path] = k
	}
	return k
}

func (r *keyring) read(path string) *keyFile {
	k := &keyFile{path: path}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		// Only the public half may be here, the private one in ssh-agent.
		if k.public = readPublic(path + ".pub"); k.public != nil {
			return k
		}
	}
	if err != nil {
		k.err = err
		return k
	}
	if pub, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
		k.public = pub
		return k
	}
	// As ssh does: a private key that others can read is not used.
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 && ownedByUs(info) {
		k.err = fmt.Errorf("its mode is %04o, others can read it (chmod 600 it)", info.Mode().Perm())
		return k
	}
	k.signer, err = ssh.ParsePrivateKey(text)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		if k.public = locked.PublicKey; k.public == nil {
			k.public = readPublic(path + ".pub")
		}
		lock := &lockedKey{ring: r, path: path, text: text, public: k.public}
		if k.public == nil { // an old format: nothing to offer without the passphrase
			if k.signer, k.err = lock.unlock(); k.err == nil {
				k.public = k.signer.PublicKey()
			}
		} else {
			k.signer = lock
		}
	} else if err != nil {
		k.err = err
	} else {
		k.public = k.signer.PublicKey()
	}
	if c, ok := readPublic(path + "-cert.pub").(*ssh.Certificate); ok {
		k.cert = c
	}
	return k
}

func readPublic(path string) ssh.PublicKey {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil
	}
	return pub
}

// lockedKey is a key with a passphrase, which is asked for only when a host has
// said that it accepts the key.
type lockedKey struct {
	ring   *keyring
	path   string
	text   []byte
	public ssh.PublicKey
	once   sync.Once
	signer ssh.Signer
	err    error
}

func (k *lockedKey) PublicKey() ssh.PublicKey { return k.public }

func (k *lockedKey) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return k.SignWithAlgorithm(rand, data, "")
}

func (k *lockedKey) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := k.unlock()
	if err != nil {
		return nil, err
	}
	if s, ok := signer.(ssh.AlgorithmSigner); ok && algorithm != "" {
		return s.SignWithAlgorithm(rand, data, algorithm)
	}
	return signer.Sign(rand, data)
}

// unlock asks for the passphrase, three times at most, the first time it is called.
func (k *lockedKey) unlock() (ssh.Signer, error) {
	k.once.Do(func() {
		k.ring.busy.Add(1)
		defer k.ring.busy.Add(-1)
		k.ring.prompt.Lock()
		defer k.ring.prompt.Unlock()
		prompt := "passphrase of " + k.path
		for range 3 {
			var phrase secret.Value
			if phrase, k.err = k.ring.ask(prompt); k.err != nil {
				return
			}
			k.signer, k.err = ssh.ParsePrivateKeyWithPassphrase(k.text, []byte(phrase.Reveal()))
			if k.err == nil {
				return
			}
			prompt = "wrong; passphrase of " + k.path
		}
		k.err = errors.New("wrong passphrase")
	})
	return k.signer, k.err
}

// agentConn is a connection to one ssh-agent and the keys it had at first.
type agentConn struct {
	once    sync.Once
	conn    net.Conn
	signers []ssh.Signer
	err     error
}

// agent returns the keys of the ssh-agent behind socket.
func (r *keyring) agent(socket string) ([]ssh.Signer, error) {
	r.mu.Lock()
	a := r.agents[socket]
	if a == nil {
		a = &agentConn{}
		r.agents[socket] = a
	}
	r.mu.Unlock()
	a.once.Do(func() {
		if a.conn, a.err = net.Dial("unix", socket); a.err == nil {
			a.signers, a.err = agent.NewClient(a.conn).Signers()
		}
	})
	return a.signers, a.err
}

func (r *keyring) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.agents {
		a.once.Do(func() { a.err = net.ErrClosed })
		if a.conn != nil {
			a.conn.Close()
		}
	}
}
