package recipe

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"pigsty/internal/repo/deb"
	"pigsty/internal/repo/pgp"
	"pigsty/internal/repo/rpm"
)

// publicKey is the key that the directory's indexes are signed with, for people
// who use it as a repository of its own.
const publicKey = "pigsty.asc"

// index is what apt or dnf reads of a directory.
type index struct {
	files     map[string][]byte // by name, without the table
	name      string            // of the table, which has the digests of all files
	table     []byte
	signature string // name of the file that vouches for the table
	clear     bool   // that file has the table within
}

// indexes returns those of all packages in the directory, also of those that
// were put there by hand. That of dnf is left out while there never was one.
func (d *Dir) indexes() ([]index, error) {
	apt, err := d.apt()
	if err != nil {
		return nil, err
	}
	dnf, err := d.dnf()
	if err != nil {
		return nil, err
	}
	if dnf == nil {
		return []index{*apt}, nil
	}
	return []index{*apt, *dnf}, nil
}

func (d *Dir) apt() (*index, error) {
	files, err := d.files("*.deb")
	if err != nil {
		return nil, err
	}
	var entries []string
	for _, file := range files {
		entry, err := deb.DescribeFile(file)
		if err != nil {
			return nil, fmt.Errorf("%w; remove it", err)
		}
		entries = append(entries, entry)
	}
	made, err := deb.NewIndex("built", strings.Join(Architectures, " "), entries, time.Now())
	if err != nil {
		return nil, err
	}
	delete(made.Files, "Release")
	return &index{files: made.Files, name: "Release", table: made.Release, signature: "InRelease", clear: true}, nil
}

func (d *Dir) dnf() (*index, error) {
	files, err := d.files("*.rpm")
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(d.Path, "repodata")); err != nil && len(files) == 0 {
		return nil, unlessMissing(err)
	}
	ring, err := d.ring()
	if err != nil {
		return nil, err
	}
	var read []*rpm.File
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		one, _, err := rpm.OpenFile(file, filepath.Base(file), digest(data), ring)
		if err != nil {
			return nil, fmt.Errorf("%w; build it again with this deployment's key, or remove it", err)
		}
		read = append(read, one)
	}
	made, err := rpm.NewMetadata(read, time.Now())
	if err != nil {
		return nil, err
	}
	const table = "repodata/repomd.xml"
	delete(made.Files, table)
	return &index{files: made.Files, name: table, table: made.Repomd, signature: table + ".asc"}, nil
}

// files returns the paths of the directory's files that match pattern, sorted.
func (d *Dir) files(pattern string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(d.Path, pattern))
	slices.Sort(files)
	return files, err
}

// ring has the key that signs.
func (d *Dir) ring() (*pgp.Keyring, error) {
	public, err := d.Key.Public()
	if err != nil {
		return nil, err
	}
	ring := &pgp.Keyring{}
	return ring, ring.Add(public)
}

// Published reports whether the indexes are those of the packages that are there
// and signed with the key. Packages of rpm that another key has signed, as after
// a change of the key, are an error of publishing only.
func (d *Dir) Published() (bool, error) {
	if d.Key == nil {
		return false, nil
	}
	ring, err := d.ring()
	if err != nil {
		return false, err
	}
	all, err := d.indexes()
	if errors.Is(err, pgp.ErrUnknownKey) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, x := range all {
		if !d.current(x, ring) {
			return false, nil
		}
	}
	return true, nil
}

// current reports whether x is the index that is there. Its table bears a time
// and is never the same.
func (d *Dir) current(x index, ring *pgp.Keyring) bool {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(d.Path, name))
		if err != nil {
			return nil
		}
		return data
	}
	table, signature := read(x.name), read(x.signature)
	var err error
	if x.clear {
		table, _, err = ring.VerifyClear(signature)
	} else {
		_, err = ring.VerifyDetached(table, signature)
	}
	if err != nil {
		return false
	}
	for name, data := range x.files {
		if !bytes.Equal(read(name), data) || !bytes.Contains(table, []byte(digest(data))) {
			return false
		}
	}
	return true
}

// publish makes the indexes that are not current, and signs them.
func (d *Dir) publish() error {
	ring, err := d.ring()
	if err != nil {
		return err
	}
	all, err := d.indexes()
	if err != nil {
		return err
	}
	for _, x := range all {
		if d.current(x, ring) {
			continue
		}
		if err := d.sign(x); err != nil {
			return fmt.Errorf("the index of %s: %w", d.Path, err)
		}
	}
	public, err := d.Key.Public()
	if err != nil {
		return err
	}
	return d.write(publicKey, public)
}

// sign writes x, what vouches for it last.
func (d *Dir) sign(x index) error {
	for name, data := range x.files {
		if err := d.write(name, data); err != nil {
			return err
		}
	}
	sign := d.Key.SignDetached
	if x.clear {
		sign = d.Key.SignClear
	}
	signature, err := sign(x.table)
	if err != nil {
		return err
	}
	if err := d.write(x.name, x.table); err != nil {
		return err
	}
	if err := d.write(x.signature, signature); err != nil {
		return err
	}
	return d.tidy(x)
}

// tidy removes what earlier states of x have left in a directory of its own.
func (d *Dir) tidy(x index) error {
	dir := filepath.Dir(x.name)
	if dir == "." {
		return nil
	}
	files, err := d.files(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		name := filepath.Join(dir, filepath.Base(file))
		if _, ours := x.files[name]; !ours && name != x.name && name != x.signature {
			if err := os.Remove(file); err != nil {
				return err
			}
		}
	}
	return nil
}

// write makes a file of the directory whole or not at all.
func (d *Dir) write(name string, data []byte) error {
	at := filepath.Join(d.Path, name)
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(at), ".new.*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(data)
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), at)
}

// unlessMissing returns err unless it says that a file does not exist.
func unlessMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
