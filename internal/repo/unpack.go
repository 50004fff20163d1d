package repo

import (
	"archive/tar"
	"bufio"
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

// Unpack puts the repository of an offline package in place at dir. The
// directory above that becomes a link to data if it is not there. The package is read as a
// whole first: one that is damaged, cut or not one of these changes nothing. A
// complete repository that is there is kept unless replace is set.
func Unpack(in io.ReadSeeker, dir, data string, replace bool) (*Lock, error) {
	if err := replaceable(dir, replace); err != nil {
		return nil, err
	}
	if _, err := extract(in, ""); err != nil {
		return nil, err
	}
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	if err := home(filepath.Dir(dir), data); err != nil {
		return nil, err
	}
	stage := staging(dir)
	if err := os.RemoveAll(stage); err != nil {
		return nil, err
	}
	if err := makeDirs(stage); err != nil {
		return nil, err
	}
	lock, err := extract(in, stage)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(stage))
	}
	return lock, swap(stage, dir)
}

// replaceable returns an error unless a repository may be put at dir.
func replaceable(dir string, replace bool) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0:
		return nil
	case err != nil:
		return err
	}
	has := func(name string) bool { _, err := os.Stat(filepath.Join(dir, name)); return err == nil }
	switch {
	case has(Complete) && !replace:
		return fmt.Errorf("there is a complete repository in %s already: give --replace to put this one in its place, or another --dir", dir)
	case !has(Complete) && !has(LockFile) && !has("Packages.gz") && !has(repomd):
		return fmt.Errorf("%s has files and is no repository: move them away, or give another --dir", dir)
	}
	return nil
}

// extract reads an offline package and writes the files of its repository to
// stage; nowhere if that is empty. It returns the repository's lock.
func extract(r io.Reader, stage string) (*Lock, error) {
	z, err := gzip.NewReader(bufio.NewReaderSize(r, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("it is not an offline package: %w", err)
	}
	t := tar.NewReader(z)
	got, listed := map[string]string{}, map[string]string(nil)
	var lock bytes.Buffer
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("it is damaged or was cut: %w", err)
		}
		name, ours := strings.CutPrefix(h.Name, packedRepo)
		switch {
		case h.Name == packedSums:
			if listed, err = parseSumsFile(t); err != nil {
				return nil, err
			}
			continue
		case h.Typeflag != tar.TypeReg || ours && !isContent(name) || !ours && h.Name != packedBinary:
			return nil, fmt.Errorf("it is not an offline package of this program: it has %s", h.Name)
		}
		sum := sha256.New()
		to := io.Writer(sum)
		if name == LockFile {
			to = io.MultiWriter(sum, &lock)
		}
		if err := extractFile(io.TeeReader(t, to), name, stage, ours); err != nil {
			return nil, err
		}
		got[h.Name] = hex.EncodeToString(sum.Sum(nil))
	}
	if err := compareSums(got, listed); err != nil {
		return nil, err
	}
	return packedLock(lock.Bytes(), got)
}

// isContent reports whether name is one that contents returns.
func isContent(name string) bool {
	dir, base := path.Split(name)
	return (dir == "" || dir == path.Dir(repomd)+"/") && base != "" && !strings.HasPrefix(base, ".")
}

// extractFile writes a file of the repository to stage, and reads others only.
func extractFile(in io.Reader, name, stage string, ours bool) error {
	out := io.Discard
	if ours && stage != "" {
		at := filepath.Join(stage, name)
		if err := makeDirs(filepath.Dir(at)); err != nil {
			return err
		}
		f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := f.Chmod(0o644); err != nil { // whatever the umask
			return err
		}
		out = f
	}
	if _, err := io.Copy(out, in); err != nil {
		var write *fs.PathError
		if errors.As(err, &write) {
			return err
		}
		return fmt.Errorf("it is damaged or was cut: %w", err)
	}
	return nil
}

// compareSums compares the digests of what was read with those listed.
func compareSums(got, listed map[string]string) error {
	if listed == nil {
		return errors.New("it is damaged or was cut: it has no " + packedSums)
	}
	for name, sum := range listed {
		if got[name] != sum {
			return fmt.Errorf("it is damaged: %s is not what %s says", name, packedSums)
		}
	}
	if len(got) != len(listed) {
		return errors.New("it has files that " + packedSums + " does not list")
	}
	return nil
}

// packedLock returns the lock in text if the files with the given digests are a
// complete repository as it says.
func packedLock(text []byte, sums map[string]string) (*Lock, error) {
	if sums[packedRepo+Complete] == "" || len(text) == 0 {
		return nil, fmt.Errorf("it has no complete repository: %s or %s is missing", Complete, LockFile)
	}
	lock, err := parseLock(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", LockFile, err)
	}
	for _, p := range lock.Packages {
		if sums[packedRepo+p.File] != p.SHA256 {
			return nil, fmt.Errorf("it is damaged: %s is not what %s says", p.File, LockFile)
		}
	}
	return lock, nil
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

// home makes sure that the directory of repositories is there: a link to data
// unless something is there already.
func home(dir, data string) error {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := makeDirs(data); err != nil || dir == data {
		return err
	}
	if err := makeDirs(filepath.Dir(dir)); err != nil {
		return err
	}
	return os.Symlink(data, dir)
}
