package resource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"pigsty/internal/secret"
)

// htpasswdCost is the bcrypt cost of new hashes, a few milliseconds of work:
// nginx checks the password with every request, and waits for the result.
const htpasswdCost = 7

// bcryptMax is how many bytes of a password bcrypt takes.
const bcryptMax = 72

// Htpasswd is a file of users and bcrypt hashes of their passwords, as nginx
// and Apache read it. A hash that fits its password stays as it is.
type Htpasswd struct {
	Path  string
	Users map[string]secret.Value // passwords by name
	Owner Owner
	Mode  fs.FileMode
}

var (
	_ Resource = (*Htpasswd)(nil)
	_ Requirer = (*Htpasswd)(nil)
)

// Key returns "htpasswd " and the path.
func (p *Htpasswd) Key() string { return "htpasswd " + p.Path }

// Requires returns the directories above and the owner.
func (p *Htpasswd) Requires() []string { return above(p.Path, p.Owner) }

// Diff names the users whose password differs and those who are not declared.
func (p *Htpasswd) Diff(_ context.Context, h *Host) (Change, error) {
	have, info, err := p.read(h)
	if err != nil {
		return Change{}, err
	}
	var c Change
	for _, name := range slices.Sorted(maps.Keys(p.Users)) {
		hash, known := have[name]
		switch {
		case !known:
			c.Differs(name, "", secret.Mask)
		case bcrypt.CompareHashAndPassword([]byte(hash), []byte(p.Users[name].Reveal())) != nil:
			c.Attrs = append(c.Attrs, Attr{name, secret.Mask, secret.Mask})
			c.Action, c.Reason = Update, "a password differs"
		}
	}
	for _, name := range slices.Sorted(maps.Keys(have)) {
		if _, wanted := p.Users[name]; !wanted {
			c.Differs(name, secret.Mask, "")
		}
	}
	if info == nil {
		c.Action, c.Reason = Create, "does not exist"
	} else {
		attributes(&c, *info, p.Mode, p.Owner)
	}
	if c.Action != None {
		c.Paths = []string{p.Path}
	}
	return c, nil
}

// Apply writes the file, keeping hashes that fit.
func (p *Htpasswd) Apply(_ context.Context, h *Host) error {
	have, _, err := p.read(h)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(p.Users)) {
		password := []byte(p.Users[name].Reveal())
		hash := []byte(have[name])
		if bcrypt.CompareHashAndPassword(hash, password) != nil {
			if len(password) > bcryptMax {
				return fmt.Errorf("the password of %s is longer than %d bytes, which bcrypt takes", name, bcryptMax)
			}
			if hash, err = bcrypt.GenerateFromPassword(password, htpasswdCost); err != nil {
				return fmt.Errorf("hash the password of %s: %w", name, err)
			}
		}
		fmt.Fprintf(&out, "%s:%s\n", name, hash)
	}
	if err := h.Files.Mkdir(path.Dir(p.Path), 0o755, Owner{}); err != nil {
		return err
	}
	return h.Files.Write(p.Path, out.Bytes(), p.Mode, p.Owner)
}

// read returns the hashes by name, and a nil FileInfo if there is no file.
func (p *Htpasswd) read(h *Host) (map[string]string, *FileInfo, error) {
	info, err := h.Files.Stat(p.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if err := regular(p.Path, info); err != nil {
		return nil, nil, err
	}
	data, err := h.Files.Read(p.Path)
	if err != nil {
		return nil, nil, err
	}
	have := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if name, hash, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			have[name] = hash
		}
	}
	return have, &info, nil
}
