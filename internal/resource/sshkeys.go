package resource

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/crypto/ssh"
)

// AuthorizedKeys are public keys that may log in as a user. Keys that others
// added stay.
type AuthorizedKeys struct {
	User string
	Keys []string // as in authorized_keys: type, key, comment
}

var (
	_ Resource = (*AuthorizedKeys)(nil)
	_ Requirer = (*AuthorizedKeys)(nil)
)

// Key returns "authorized keys " and the user.
func (a *AuthorizedKeys) Key() string { return "authorized keys " + a.User }

// Requires returns the user.
func (a *AuthorizedKeys) Requires() []string { return []string{"user " + a.User} }

// Diff names the keys to add. Two lines with the same key are the same,
// whatever their comments and options.
func (a *AuthorizedKeys) Diff(_ context.Context, h *Host) (Change, error) {
	account, ok, err := h.Accounts.User(a.User)
	if err != nil {
		return Change{}, err
	}
	if !ok {
		return Change{Action: Update, Reason: "keys are missing", Unknown: "after user " + a.User + " exists"}, nil
	}
	missing, _, info, err := a.missing(h, account)
	if err != nil {
		return Change{}, err
	}
	var c Change
	for _, key := range missing {
		c.Differs("key", "", describeKey(key))
	}
	if info != nil && info.Mode&0o022 != 0 { // sshd does not read such a file
		c.Differs("mode", modeText(info.Mode), "0600")
	}
	return c, nil
}

// Apply adds the keys that are missing.
func (a *AuthorizedKeys) Apply(_ context.Context, h *Host) error {
	account, ok, err := h.Accounts.User(a.User)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("user %s does not exist", a.User)
	}
	missing, old, _, err := a.missing(h, account)
	if err != nil {
		return err
	}
	text := string(old)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	for _, key := range missing {
		text += strings.TrimSpace(key) + "\n"
	}
	if err := sshDir(h, account); err != nil {
		return err
	}
	return h.Files.Write(authorizedKeys(account), []byte(text), 0o600, Owner{account.Name, account.Group})
}

func (a *AuthorizedKeys) missing(h *Host, account Account) (missing []string, old []byte, info *FileInfo, err error) {
	file := authorizedKeys(account)
	st, err := h.Files.Stat(file)
	if err == nil {
		if err := regular(file, st); err != nil {
			return nil, nil, nil, err
		}
		info = &st
		old, err = h.Files.Read(file)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil, err
	}
	have := map[string]bool{}
	for rest := old; len(rest) > 0; {
		key, _, _, next, err := ssh.ParseAuthorizedKey(rest)
		if err != nil {
			break // no more keys
		}
		have[string(key.Marshal())], rest = true, next
	}
	for _, text := range a.Keys {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
		if err != nil {
			return nil, nil, nil, fmt.Errorf("a key to authorize for user %s is not a public key in the form \"ssh-ed25519 AAAA… comment\": %w", a.User, err)
		}
		if id := string(key.Marshal()); !have[id] {
			have[id] = true
			missing = append(missing, text)
		}
	}
	return missing, old, info, nil
}

func authorizedKeys(a Account) string { return path.Join(a.Home, ".ssh/authorized_keys") }

// describeKey is the key's fingerprint and comment.
func describeKey(text string) string {
	key, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return "not a public key"
	}
	return strings.TrimSpace(ssh.FingerprintSHA256(key) + " " + comment)
}

// sshDir makes the user's ~/.ssh if there is none.
func sshDir(h *Host, a Account) error {
	if a.Home == "" || a.Home == "/" {
		return fmt.Errorf("user %s has no home directory to keep SSH keys in", a.Name)
	}
	dir := path.Join(a.Home, ".ssh")
	if _, err := h.Files.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return h.Files.Mkdir(dir, 0o700, Owner{a.Name, a.Group})
}

// SSHKey is a user's own Ed25519 key pair, ~/.ssh/id_ed25519, made on the host.
type SSHKey struct{ User string }

var (
	_ Resource = (*SSHKey)(nil)
	_ Requirer = (*SSHKey)(nil)
)

// Key returns "ssh key " and the user.
func (s *SSHKey) Key() string { return "ssh key " + s.User }

// Requires returns the user.
func (s *SSHKey) Requires() []string { return []string{"user " + s.User} }

// Diff is a Create if there is no key. A key that is there is never replaced.
func (s *SSHKey) Diff(_ context.Context, h *Host) (Change, error) {
	account, ok, err := h.Accounts.User(s.User)
	if err != nil {
		return Change{}, err
	}
	if !ok || !exists(h, sshKeyFile(account)) {
		return Change{Action: Create, Reason: "does not exist"}, nil
	}
	if !exists(h, sshKeyFile(account)+".pub") {
		return Change{Action: Update, Reason: "its public half is missing"}, nil
	}
	return Change{}, nil
}

// Apply makes the pair, or the public half of a key that is there.
func (s *SSHKey) Apply(_ context.Context, h *Host) error {
	account, ok, err := h.Accounts.User(s.User)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("user %s does not exist", s.User)
	}
	comment := s.User + "@" + h.Facts.Hostname
	file, owner := sshKeyFile(account), Owner{account.Name, account.Group}
	old, err := h.Files.Read(file)
	if err == nil {
		signer, err := ssh.ParsePrivateKey(old)
		if err != nil {
			return fmt.Errorf("%s has no public half, and it cannot be made (ssh-keygen -y -f %s > %s.pub may): %w", file, file, file, err)
		}
		return h.Files.Write(file+".pub", publicLine(signer.PublicKey(), comment), 0o644, owner)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return err
	}
	if err := sshDir(h, account); err != nil {
		return err
	}
	// The public half first: a crash in between leaves no key, and a new pair is made.
	if err := h.Files.Write(file+".pub", publicLine(key, comment), 0o644, owner); err != nil {
		return err
	}
	return h.Files.Write(file, pem.EncodeToMemory(block), 0o600, owner)
}

func sshKeyFile(a Account) string { return path.Join(a.Home, ".ssh/id_ed25519") }

// publicLine is key as its file has it.
func publicLine(key ssh.PublicKey, comment string) []byte {
	return []byte(strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " " + comment + "\n")
}
