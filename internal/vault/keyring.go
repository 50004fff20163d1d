package vault

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"pigsty/internal/secret"
)

// DefaultID is the name of a password that was given without one.
const DefaultID = "default"

// Key is one password.
type Key struct {
	ID       string // the name that envelopes call it by; DefaultID when it has none
	Password secret.Value
}

// ErrLocked is that there is no password to open an envelope with.
var ErrLocked = errors.New("no password is given")

// Keyring opens envelopes with the passwords that it has. The nil Keyring has
// none. It is safe for concurrent use.
type Keyring struct {
	get func() ([]Key, error)

	mu     sync.Mutex
	asked  bool
	keys   []Key
	err    error
	opened map[string]string // by envelope: aliases repeat them, and each takes milliseconds
}

// NewKeyring returns a Keyring of the keys that get returns. It is called once,
// when there is something to open.
func NewKeyring(get func() ([]Key, error)) *Keyring {
	return &Keyring{get: get, opened: map[string]string{}}
}

// Err returns why the keys could not be had, if something was to be opened.
func (k *Keyring) Err() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.err
}

// Open returns the text inside an envelope. The error is ErrLocked, or says
// about the envelope what is wrong with it. Passwords of the envelope's ID are
// tried first, then the others, as Ansible does.
func (k *Keyring) Open(text string) (string, error) {
	if k == nil {
		return "", ErrLocked
	}
	e, err := parse(text)
	if err != nil {
		return "", err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.asked {
		k.asked = true
		k.keys, k.err = k.get()
	}
	if k.err != nil || len(k.keys) == 0 {
		return "", ErrLocked
	}
	if plain, ok := k.opened[text]; ok {
		return plain, nil
	}
	id := cmp.Or(e.id, DefaultID)
	for _, named := range []bool{true, false} {
		for _, key := range k.keys {
			if (key.ID == id) != named {
				continue
			}
			plain, err := e.open(key.Password.Reveal())
			if err == nil {
				k.opened[text] = plain
			}
			if !errors.Is(err, errPassword) {
				return plain, err
			}
		}
	}
	return "", k.wrongPassword(id)
}

// wrongPassword says that no key opens an envelope that names id.
func (k *Keyring) wrongPassword(id string) error {
	var ids []string
	for _, key := range k.keys {
		ids = append(ids, key.ID)
	}
	switch {
	case len(ids) == 1 && ids[0] == id:
		return errPassword
	case slices.Contains(ids, id):
		return fmt.Errorf("neither the password of %s nor another fits", id)
	}
	return fmt.Errorf("it wants the password of %s, and of those given (%s) none fits", id, strings.Join(ids, ", "))
}
