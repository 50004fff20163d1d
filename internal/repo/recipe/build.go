package recipe

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"pigsty/internal/repo/pgp"
)

// Formats are those of packages that are made.
var Formats = []string{"deb", "rpm"}

// Dir is a directory of packages that is a repository for apt.
type Dir struct {
	Path string
	Key  *pgp.Key // signs the index and packages for rpm

	record record
}

// Package is a package that a recipe makes.
type Package struct {
	Recipe *Recipe
	Arch   string // one of Architectures
	Format string // one of Formats
}

// File is what the package's file is called.
func (p Package) File() string {
	if p.Format == "rpm" {
		return fmt.Sprintf("%s-%s.%s.rpm", p.Recipe.Name, p.Recipe.FullVersion(), rpmArch[p.Arch])
	}
	return fmt.Sprintf("%s_%s_%s.deb", p.Recipe.Name, p.Recipe.FullVersion(), p.Arch)
}

// Built is a package as the record of a directory has it.
type Built struct {
	File    string  `json:"file"`
	Name    string  `json:"name"`
	Version string  `json:"version"`
	Arch    string  `json:"arch"`
	Format  string  `json:"format"`
	Size    int64   `json:"size"` // bytes
	SHA256  string  `json:"sha256"`
	Source  string  `json:"source"`           // module@version
	Go      string  `json:"go"`               // toolchain
	Recipe  string  `json:"recipe"`           // its digest
	Signer  string  `json:"signer,omitempty"` // fingerprint of the key in the package
	Seconds float64 `json:"seconds"`          // that compiling and packing took
}

// record says what was built in a directory, and from what.
type record struct {
	Format   int     `json:"format"` // 1
	Packages []Built `json:"packages"`
}

const recordFile = "built.json"

// Open reads what the directory at path has, which need not exist. Without a
// key nothing in it counts as signed, and nothing can be built.
func Open(path string, key *pgp.Key) (*Dir, error) {
	d := &Dir{Path: path, Key: key}
	return d, d.read()
}

func (d *Dir) read() error {
	d.record = record{Format: 1}
	name := filepath.Join(d.Path, recordFile)
	text, err := os.ReadFile(name)
	if err != nil {
		return unlessMissing(err)
	}
	if err := json.Unmarshal(text, &d.record); err != nil {
		return fmt.Errorf("%s is damaged; remove it to build anew: %w", name, err)
	}
	if d.record.Format != 1 {
		return fmt.Errorf("%s is in format %d, which this version does not read", name, d.record.Format)
	}
	return nil
}

// lock keeps others from building in the directory, which it makes beside
// others, until unlock is called or the process ends.
func (d *Dir) lock() (unlock func(), err error) {
	err = os.Mkdir(d.Path, 0o755)
	if errors.Is(err, fs.ErrNotExist) { // where /www leads is not for this to say
		return nil, fmt.Errorf("there is no directory %s: make the repository first with `pigsty infra -t repo`, or give another --dir", filepath.Dir(d.Path))
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	f, err := os.Open(d.Path)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("somebody else builds packages in %s: wait for them", d.Path)
	}
	return func() { f.Close() }, nil
}

// Reason says why p has to be built, "" if it is there.
func (d *Dir) Reason(p Package) string {
	at := slices.IndexFunc(d.record.Packages, func(b Built) bool { return b.File == p.File() })
	if at < 0 {
		return "not built yet"
	}
	have := d.record.Packages[at]
	switch data, err := os.ReadFile(filepath.Join(d.Path, have.File)); {
	case have.Recipe != p.Recipe.Digest():
		return "the recipe has changed"
	case err != nil || digest(data) != have.SHA256:
		return "it is missing or damaged"
	case have.Signer != "" && (d.Key == nil || have.Signer != d.Key.Fingerprint()):
		return "it is signed with another key"
	}
	return ""
}

// Build compiles and packs those of packages that are not there, one after the
// other, calls done for each, and signs the index anew if it has to. Packages of
// one recipe and architecture share the program.
func (d *Dir) Build(ctx context.Context, t Toolchain, packages []Package, done func(Built)) error {
	unlock, err := d.lock()
	if err != nil {
		return err
	}
	defer unlock()
	if err := d.read(); err != nil {
		return err
	}
	programs := map[string]*compiled{}
	for _, p := range packages {
		if d.Reason(p) == "" {
			continue
		}
		began := time.Now()
		key := p.Recipe.Digest() + p.Arch
		if programs[key] == nil {
			c, err := t.compile(ctx, p.Recipe, p.Arch)
			if err != nil {
				return fmt.Errorf("recipe %s: %w", p.Recipe.Name, err)
			}
			programs[key] = c
		}
		b, err := d.pack(p, programs[key])
		if err != nil {
			return fmt.Errorf("recipe %s: %w", p.Recipe.Name, err)
		}
		b.Go, b.Seconds = cmp.Or(p.Recipe.Go.Toolchain, t.Version), time.Since(began).Round(100*time.Millisecond).Seconds()
		if err := d.add(b); err != nil {
			return err
		}
		done(b)
	}
	return d.publish()
}

func (d *Dir) pack(p Package, c *compiled) (Built, error) {
	var file bytes.Buffer
	b := Built{
		File: p.File(), Name: p.Recipe.Name, Version: p.Recipe.FullVersion(), Arch: p.Arch, Format: p.Format,
		Source: p.Recipe.Source(), Recipe: p.Recipe.Digest(),
	}
	var err error
	if p.Format == "rpm" {
		b.Signer = d.Key.Fingerprint()
		err = p.Recipe.writeRPM(&file, c, p.Arch, d.Key)
	} else {
		err = p.Recipe.writeDeb(&file, c, p.Arch)
	}
	if err != nil {
		return b, err
	}
	b.Size, b.SHA256 = int64(file.Len()), digest(file.Bytes())
	return b, d.write(b.File, file.Bytes())
}

// add records b and removes the version of its package that was there before.
func (d *Dir) add(b Built) error {
	var old []string
	d.record.Packages = slices.DeleteFunc(d.record.Packages, func(o Built) bool {
		same := o.Name == b.Name && o.Arch == b.Arch && o.Format == b.Format
		if same && o.File != b.File {
			old = append(old, o.File)
		}
		return same
	})
	d.record.Packages = append(d.record.Packages, b)
	slices.SortFunc(d.record.Packages, func(a, b Built) int { return strings.Compare(a.File, b.File) })
	text, err := json.MarshalIndent(d.record, "", " ")
	if err != nil {
		return err
	}
	if err := d.write(recordFile, append(text, '\n')); err != nil {
		return err
	}
	for _, name := range old {
		if err := os.Remove(filepath.Join(d.Path, name)); unlessMissing(err) != nil {
			return err
		}
	}
	return nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
