package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"pigsty/internal/secret"
	"pigsty/internal/vault"
)

// vaultFlags say where the passwords of Ansible Vault come from.
type vaultFlags struct {
	files []string
	ids   []string
	ask   bool
}

func (v *vaultFlags) flags(set *pflag.FlagSet) {
	set.StringArrayVar(&v.files, "vault-password-file", nil, "`FILE` with the vault password, or a program that prints it")
	set.StringArrayVar(&v.ids, "vault-id", nil, "`ID@SOURCE` of a vault password: a file, a program or \"prompt\"")
	set.BoolVar(&v.ask, "ask-vault-pass", false, "ask for the vault password")
}

// prompt is the source of a password that is asked for.
const prompt = "prompt"

// vaultKeys gets the passwords that the flags name, or else the environment.
func (a *app) vaultKeys() ([]vault.Key, error) {
	type source struct{ id, from string }
	var sources []source
	for _, text := range a.vault.ids {
		id, from, named := strings.Cut(text, "@")
		if !named {
			id, from = vault.DefaultID, text
		}
		if id == "" || from == "" {
			return nil, fmt.Errorf("--vault-id %s is not like ID@FILE or ID@prompt", text)
		}
		sources = append(sources, source{id, from})
	}
	for _, file := range a.vault.files {
		sources = append(sources, source{vault.DefaultID, file})
	}
	if a.vault.ask {
		sources = append(sources, source{vault.DefaultID, prompt})
	}
	if file := os.Getenv("ANSIBLE_VAULT_PASSWORD_FILE"); len(sources) == 0 && file != "" {
		sources = []source{{vault.DefaultID, file}}
	}
	keys := make([]vault.Key, len(sources))
	for i, s := range sources {
		password, err := a.vaultPassword(s.id, s.from)
		if err != nil {
			return nil, err
		}
		if password.IsEmpty() {
			return nil, fmt.Errorf("%s gives an empty one", s.from)
		}
		keys[i] = vault.Key{ID: s.id, Password: password}
	}
	return keys, nil
}

// vaultPassword gets the password of id from a file, a program, or the terminal.
func (a *app) vaultPassword(id, from string) (secret.Value, error) {
	if from == prompt {
		if !isTerminal(a.in) {
			return secret.Value{}, errors.New("there is no terminal to ask on: name a file with --vault-password-file")
		}
		return a.readPassword(fmt.Sprintf("Vault password (%s): ", id))
	}
	info, err := os.Stat(from)
	if err != nil {
		return secret.Value{}, err
	}
	if info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
		return a.runForPassword(id, from)
	}
	text, err := os.ReadFile(from)
	return secret.New(strings.TrimSpace(string(text))), err
}

// runForPassword runs the program at path. As with Ansible, one whose name ends
// in -client is told which password is wanted.
func (a *app) runForPassword(id, path string) (secret.Value, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return secret.Value{}, err
	}
	var args []string
	if stem := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)); strings.HasSuffix(stem, "-client") {
		args = []string{"--vault-id", id}
	}
	var out bytes.Buffer
	c := exec.Command(path, args...)
	c.Stdout, c.Stderr = &out, a.err
	if isTerminal(a.in) {
		c.Stdin = a.in
	}
	if err := c.Run(); err != nil {
		return secret.Value{}, fmt.Errorf("run %s: %w; take the executable bit off a file that is no program", path, err)
	}
	return secret.New(strings.Trim(out.String(), "\r\n")), nil
}

// hide keeps secrets out of all that is printed from now on, whatever they were
// given to.
func (a *app) hide(secrets []secret.Value) {
	a.decrypted = secrets
	a.out, a.err = a.masked(a.out), a.masked(a.err)
}

// masked returns w without what was decrypted.
func (a *app) masked(w io.Writer) io.Writer {
	if len(a.decrypted) == 0 {
		return w
	}
	return secret.NewWriter(w, a.decrypted)
}
