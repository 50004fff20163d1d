package resource

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"pigsty/internal/secret"
)

// checkDir holds candidates while the program that reads them checks them. It
// is on a file system that a crash of the host empties, and nothing that loads
// whole directories looks there.
const checkDir = "/run/pigsty/check"

// File is a regular file with its content. Make one with NewFile.
type File struct {
	Path  string
	Owner Owner
	Mode  fs.FileMode // 0 means 0644
	Hash  string      // SHA-256 of the content, in hex
	Size  int64       // of the content, in bytes

	// Mask holds line prefixes ("password:") whose rest is a secret. Hidden
	// keeps the whole content out of plans.
	Mask   []string
	Hidden bool

	// Check is a command that must accept the content before it replaces the
	// old one; "%s" in its arguments stands for the path of the candidate.
	Check []string
	// CheckIn, for programs that check whole configurations only, is one that
	// includes the candidate, for which "%s" stands in it; "%s" in Check then
	// stands for the path of this one.
	CheckIn string

	// Header, if set, is the first line of a file that is ours: one that exists
	// and begins otherwise was written by somebody else and stays.
	Header string

	// Keep, if set, is the first line of a file that is ours: what is in its
	// place at first is kept beside it, for an Original to put back.
	Keep string

	// Visits is set for a file that another host's affairs bring to this one: it
	// is left out where its directory is not there.
	Visits bool

	// Note is a word for the plan about what the file cannot say as it should.
	Note string

	// Once makes the file a seed: created if absent, never changed after.
	Once bool

	content []byte // stays on the control side, see Control.Blob
}

var (
	_ Resource = (*File)(nil)
	_ Requirer = (*File)(nil)
)

// FileOption sets something about a File that is not the usual.
type FileOption func(*File)

// Mode sets the permission bits; without it a file is 0644.
func Mode(m fs.FileMode) FileOption { return func(f *File) { f.Mode = m } }

// OwnedBy sets user and group; without it a file is root's.
func OwnedBy(user, group string) FileOption { return func(f *File) { f.Owner = Owner{user, group} } }

// Masking hides the rest of lines that begin, after blanks, with one of prefixes.
func Masking(prefixes ...string) FileOption {
	return func(f *File) { f.Mask = append(f.Mask, prefixes...) }
}

// Hidden keeps the content out of plans altogether.
func Hidden() FileOption { return func(f *File) { f.Hidden = true } }

// CheckedBy has the command accept the content first; "%s" is the candidate's path.
func CheckedBy(args ...string) FileOption { return func(f *File) { f.Check = args } }

// CheckedWithin has the command accept a configuration that includes the
// content; "%s" is the candidate's path in it, and its own path in args.
func CheckedWithin(config string, args ...string) FileOption {
	return func(f *File) { f.CheckIn, f.Check = config, args }
}

// Yielding leaves a file alone that exists without header as its first line.
func Yielding(header string) FileOption { return func(f *File) { f.Header = header } }

// Keeping keeps what the file takes the place of, unless header is its first
// line, for an Original to put back.
func Keeping(header string) FileOption { return func(f *File) { f.Keep = header } }

// Noting has the plan say something about the file, if that is not empty.
func Noting(word string) FileOption { return func(f *File) { f.Note = word } }

// Seed makes the file one that is created if absent and never changed after.
func Seed() FileOption { return func(f *File) { f.Once = true } }

// NewFile returns the file at path with content, root's and 0644 unless options
// say otherwise. Several files may have one content, so it must not be changed.
func NewFile[T []byte | string](path string, content T, options ...FileOption) *File {
	data := []byte(content)
	if data == nil { // only the far side has none
		data = []byte{}
	}
	f := &File{Path: path, Mode: 0o644, Hash: digest(data), Size: int64(len(data)), content: data}
	for _, o := range options {
		o(f)
	}
	return f
}

// Content returns what the file is to hold; nil on the far side of a connection.
func (f *File) Content() []byte { return f.content }

// Key returns "file " and the path.
func (f *File) Key() string { return "file " + f.Path }

// Requires returns the directories above, which may be links, and the owner.
func (f *File) Requires() []string { return above(f.Path, f.Owner) }

// Diff compares content, mode and owner.
func (f *File) Diff(ctx context.Context, h *Host) (Change, error) {
	c, err := f.diff(ctx, h)
	if c.Action != None {
		c.Paths, c.Note = []string{f.Path}, f.Note
	}
	return c, err
}

func (f *File) diff(ctx context.Context, h *Host) (Change, error) {
	info, err := h.Files.Stat(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if f.Visits && !exists(h, path.Dir(f.Path)) {
			return Change{Skipped: path.Dir(f.Path) + " is not there: what reads this file is not set up yet"}, nil
		}
		c := Change{Action: Create, Reason: "does not exist"}
		c.Attrs = []Attr{{Name: "mode", New: modeText(f.mode())}, {Name: "owner", New: f.Owner.String()}}
		return c, f.compare(ctx, h, &c, nil)
	case err != nil:
		return Change{}, err
	}
	if err := regular(f.Path, info); err != nil {
		return Change{}, err
	}
	if f.Once {
		return Change{}, nil
	}
	old, err := h.Files.Read(f.Path)
	if err != nil {
		return Change{}, err
	}
	if !f.ours(old) {
		return Change{Skipped: "somebody else wrote it; move it away to have it managed"}, nil
	}
	var c Change
	if have := digest(old); have != f.Hash {
		c.Action, c.Reason = Update, "content differs"
		if last, ok := h.Manifest.File(f.Path); ok && last != have {
			c.Reason = "edited by hand since the last apply"
		}
		if err := f.compare(ctx, h, &c, old); err != nil {
			return Change{}, err
		}
	}
	attributes(&c, info, f.mode(), f.Owner)
	return c, nil
}

// compare adds to c how the content differs from old, as far as it may be shown.
func (f *File) compare(ctx context.Context, h *Host, c *Change, old []byte) error {
	if f.Hidden {
		a := Attr{Name: "content", New: secret.Mask}
		if c.Action == Update {
			a.Old = secret.Mask
		}
		c.Attrs = append(c.Attrs, a)
		return nil
	}
	if f.Size <= maxText && textual(old) {
		content, err := f.fetch(ctx, h)
		if err != nil {
			return err
		}
		if textual(content) {
			c.Diff = unified(old, content, f.Mask)
			return nil
		}
	}
	size, hash := "", ""
	if c.Action == Update {
		size, hash = fmt.Sprint(len(old)), digest(old)
	}
	c.Attrs = append(c.Attrs, Attr{"size", size, fmt.Sprint(f.Size)}, Attr{"sha256", hash, f.Hash})
	return nil
}

// Apply writes the file if its content differs, after Check accepts it, and
// sets mode and owner if only those differ.
func (f *File) Apply(ctx context.Context, h *Host) error {
	info, err := h.Files.Stat(f.Path)
	exists := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if exists {
		if err := regular(f.Path, info); err != nil || f.Once {
			return err
		}
		old, err := h.Files.Read(f.Path)
		if err != nil {
			return err
		}
		if !f.ours(old) {
			return nil
		}
		if digest(old) == f.Hash {
			h.Manifest.SetFile(f.Path, f.Hash)
			return setAttributes(h, f.Path, info, f.mode(), f.Owner)
		}
	}
	content, err := f.fetch(ctx, h)
	if err != nil {
		return err
	}
	if err := f.check(ctx, h, content); err != nil {
		return err
	}
	if exists && f.Keep != "" {
		old, err := h.Files.Read(f.Path)
		if err != nil {
			return err
		}
		if err := keep(h, f.Path, info, old, f.Keep); err != nil {
			return err
		}
	}
	if !exists {
		if err := h.Files.Mkdir(path.Dir(f.Path), 0o755, Owner{}); err != nil {
			return err
		}
	}
	if err := h.Files.Write(f.Path, content, f.mode(), f.Owner); err != nil {
		return err
	}
	h.Manifest.SetFile(f.Path, f.Hash)
	return nil
}

func (f *File) fetch(ctx context.Context, h *Host) ([]byte, error) {
	if f.content != nil {
		return f.content, nil
	}
	data, err := h.Control.Blob(ctx, f.Hash)
	if err != nil {
		return nil, fmt.Errorf("fetch the content of %s: %w", f.Path, err)
	}
	if digest(data) != f.Hash {
		return nil, fmt.Errorf("fetch the content of %s: what came is not what was asked for", f.Path)
	}
	return data, nil
}

// check runs Check on a candidate that only those who may read the file can read.
func (f *File) check(ctx context.Context, h *Host, content []byte) error {
	if len(f.Check) == 0 {
		return nil
	}
	dir := path.Join(checkDir, digest([]byte(f.Path))[:12])
	candidate := path.Join(dir, path.Base(f.Path)) // programs tell formats by the name's end
	if err := h.Files.Mkdir(dir, 0o711, Owner{}); err != nil {
		return err
	}
	defer h.Files.RemoveAll(dir)
	if err := h.Files.Write(candidate, content, f.mode(), f.Owner); err != nil {
		return err
	}
	if f.CheckIn != "" {
		config := strings.ReplaceAll(f.CheckIn, "%s", candidate)
		candidate = path.Join(dir, "including-"+path.Base(f.Path))
		if err := h.Files.Write(candidate, []byte(config), 0o600, Owner{}); err != nil {
			return err
		}
	}
	args := make([]string, len(f.Check))
	for i, a := range f.Check {
		args[i] = strings.ReplaceAll(a, "%s", candidate)
	}
	if _, err := h.Commands.Run(ctx, Command{Args: args}); err != nil {
		return fmt.Errorf("the new %s is not valid and was not put in place: %w", f.Path, err)
	}
	return nil
}

// ours reports whether we may replace a file that holds content.
func (f *File) ours(content []byte) bool {
	first, _, _ := strings.Cut(string(content), "\n")
	return f.Header == "" || first == f.Header
}

func (f *File) mode() fs.FileMode {
	if f.Mode == 0 {
		return 0o644
	}
	return f.Mode
}

// digest returns the SHA-256 of data in hex.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// regular returns an error that says what to do when p is not a regular file.
func regular(p string, info FileInfo) error {
	move := fmt.Sprintf("move it away (mv %s %s.old) and apply again", p, p)
	switch {
	case info.Mode.IsDir():
		return fmt.Errorf("%s is a directory where a file should be: %s", p, move)
	case info.Mode&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a link to %s where a file should be: %s", p, info.Target, move)
	case !info.Mode.IsRegular():
		return fmt.Errorf("%s is a device, pipe or socket where a file should be: %s", p, move)
	}
	return nil
}

// equal reports whether a file on the host has exactly content.
func equal(h *Host, p string, content []byte) (bool, error) {
	have, err := h.Files.Read(p)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return bytes.Equal(have, content), err
}
