package repo

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// An offline package is a compressed tar archive: the repository below pigsty/,
// this program as bin/pigsty, and last the digests of all of them, so that one
// that was cut cannot pass for a whole one.
const (
	packedRepo   = "pigsty/"
	packedBinary = "bin/pigsty"
	packedSums   = "SHA256SUMS"
)

// Pack writes the repository in dir and the program at binary to w. The
// repository must be complete, and each package what its lock says.
func Pack(w io.Writer, dir, binary string) error {
	if _, err := checked(dir); err != nil {
		return err
	}
	names, err := contents(dir)
	if err != nil {
		return err
	}
	z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // packages are compressed already
	t := tar.NewWriter(z)
	var sums strings.Builder
	add := func(name, from string, mode int64) error {
		sum, err := addFile(t, name, from, mode)
		fmt.Fprintf(&sums, "%s  %s\n", sum, name)
		return err
	}
	for _, name := range names {
		if err := add(packedRepo+name, filepath.Join(dir, name), 0o644); err != nil {
			return err
		}
	}
	if err := add(packedBinary, binary, 0o755); err != nil {
		return err
	}
	text := sums.String()
	if err := t.WriteHeader(&tar.Header{Name: packedSums, Mode: 0o644, Size: int64(len(text))}); err != nil {
		return err
	}
	_, err = io.WriteString(t, text)
	return errors.Join(err, t.Close(), z.Close())
}

// PackName fills in a name for an offline package of the repository in dir:
// ${version}, the system that its packages are for as ${os}, such as d13, u24 or
// el9, and ${arch}.
func PackName(name, version, dir string) (string, error) {
	lock, err := complete(dir)
	if err != nil {
		return "", err
	}
	system := strings.Fields(lock.System) // "debian 13 x86_64"
	if len(system) != 3 {
		return "", fmt.Errorf("%s is for %q, which no file can be named after: give the file's name", dir, lock.System)
	}
	short, known := map[string]string{"debian": "d", "ubuntu": "u"}[system[0]]
	if !known {
		short = "el"
	}
	major, _, _ := strings.Cut(system[1], ".")
	return strings.NewReplacer("${version}", version, "${os}", short+major, "${arch}", system[2]).Replace(name), nil
}

// contents returns the files of the repository in dir: those in it, and those of
// dnf's index one below.
func contents(dir string) ([]string, error) {
	var names []string
	for _, below := range []string{"", filepath.Dir(repomd)} {
		entries, err := os.ReadDir(filepath.Join(dir, below))
		if err != nil && (below == "" || !errors.Is(err, fs.ErrNotExist)) {
			return nil, err
		}
		for _, e := range entries {
			if e.Type().IsRegular() {
				names = append(names, path.Join(below, e.Name()))
			}
		}
	}
	return names, nil
}

func addFile(t *tar.Writer, name, from string, mode int64) (string, error) {
	f, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: info.Size(), ModTime: info.ModTime()}); err != nil {
		return "", err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(t, sum), f)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// complete returns the lock of the complete repository in dir.
func complete(dir string) (*Lock, error) {
	if _, err := os.Stat(filepath.Join(dir, Complete)); err != nil {
		return nil, fmt.Errorf("there is no complete repository in %s: %w", dir, err)
	}
	lock, err := ReadLock(dir)
	if err != nil {
		return nil, err
	}
	if lock == nil {
		return nil, fmt.Errorf("the repository in %s has no %s: build it with `pigsty infra -t repo`", dir, LockFile)
	}
	return lock, nil
}

// checked returns the lock of the complete repository in dir, every package of
// which it has read.
func checked(dir string) (*Lock, error) {
	lock, err := complete(dir)
	if err != nil {
		return nil, err
	}
	for _, p := range lock.Packages {
		ok, err := (item{Locked: p}).matches(dir)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("%s is not what %s says: build the repository again with `pigsty infra -t repo`", filepath.Join(dir, p.File), LockFile)
		}
	}
	return lock, nil
}
