package repo

import (
	"archive/tar"
	"bytes"
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
	entries, err := os.ReadDir(dir)
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
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if err := add(packedRepo+e.Name(), filepath.Join(dir, e.Name()), 0o644); err != nil {
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

// checked returns the lock of the complete repository in dir, every package of
// which it has read.
func checked(dir string) (*Lock, error) {
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

// Unpack puts the repository of an offline package in place at dir. A package
// that is damaged, cut or not one of these changes nothing. A complete
// repository that is there is kept unless replace is set.
func Unpack(r io.Reader, dir string, replace bool) (*Lock, error) {
	if _, err := os.Stat(filepath.Join(dir, Complete)); err == nil && !replace {
		return nil, fmt.Errorf("there is a complete repository in %s already: say that it is to be replaced", dir)
	}
	stage := staging(dir)
	if err := os.RemoveAll(stage); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(stage, 0o755); err != nil {
		return nil, err
	}
	lock, err := unpack(r, stage)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(stage))
	}
	return lock, swap(stage, dir)
}

func unpack(r io.Reader, stage string) (*Lock, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("it is not an offline package: %w", err)
	}
	t := tar.NewReader(z)
	got, listed := map[string]string{}, map[string]string(nil)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("it is damaged or was cut: %w", err)
		}
		if h.Name == packedSums {
			if listed, err = parseSumsFile(t); err != nil {
				return nil, err
			}
			continue
		}
		if got[h.Name], err = extract(t, h, stage); err != nil {
			return nil, err
		}
	}
	if listed == nil {
		return nil, errors.New("it is damaged or was cut: it has no " + packedSums)
	}
	for name, sum := range listed {
		if got[name] != sum {
			return nil, fmt.Errorf("it is damaged: %s is not what %s says", name, packedSums)
		}
	}
	if len(got) != len(listed) {
		return nil, errors.New("it has files that " + packedSums + " does not list")
	}
	return checked(stage)
}

// extract writes a file of the repository to stage and returns its digest; of
// other files it returns the digest only.
func extract(t *tar.Reader, h *tar.Header, stage string) (string, error) {
	name, ours := strings.CutPrefix(h.Name, packedRepo)
	if h.Typeflag != tar.TypeReg || ours && (name != path.Base(name) || strings.HasPrefix(name, ".")) || !ours && h.Name != packedBinary {
		return "", fmt.Errorf("it is not an offline package of this program: it has %s", h.Name)
	}
	sum := sha256.New()
	to := io.Writer(sum)
	if ours {
		f, err := os.OpenFile(filepath.Join(stage, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return "", err
		}
		defer f.Close()
		to = io.MultiWriter(f, sum)
	}
	if _, err := io.Copy(to, t); err != nil {
		return "", fmt.Errorf("it is damaged or was cut: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func parseSumsFile(r io.Reader) (map[string]string, error) {
	text, err := io.ReadAll(io.LimitReader(r, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("it is damaged or was cut: %w", err)
	}
	sums := map[string]string{}
	for line := range bytes.Lines(text) {
		sum, name, ok := strings.Cut(strings.TrimRight(string(line), "\n"), "  ")
		if !ok {
			return nil, fmt.Errorf("it is damaged: %s has the line %q", packedSums, line)
		}
		sums[name] = sum
	}
	return sums, nil
}

// Home makes sure that the directory of repositories is there: /www is a link
// to data unless something is there already.
func Home(home, data string) error {
	if _, err := os.Stat(home); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	if home == data {
		return nil
	}
	return os.Symlink(data, home)
}
