package recipe

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/ulikunitz/xz"

	"pigsty/internal/repo/deb"
	"pigsty/internal/repo/fetch"
)

// source brings the files of the recipe's module here and returns where they are.
func (t Toolchain) source(ctx context.Context, r *Recipe, work string) (string, error) {
	dir, err := "", error(nil)
	if r.Go.Archive != nil {
		dir, err = r.Go.Archive.unpacked(ctx, work)
	} else {
		dir, err = t.module(ctx, r, work)
	}
	if err != nil {
		return "", fmt.Errorf("download %s: %w", r.Source(), err)
	}
	return dir, nil
}

// module downloads the recipe's module from the module proxy.
func (t Toolchain) module(ctx context.Context, r *Recipe, work string) (string, error) {
	var env []string
	if r.Go.Sum != "" {
		env = []string{"GONOSUMDB=*"} // the recipe knows better
	}
	out, err := t.run(ctx, work, env, "mod", "download", "-json", r.Source())
	var found struct{ Dir, Sum, Error string }
	if json.Unmarshal(out, &found) == nil && found.Error != "" {
		err = errors.New(found.Error)
	}
	if err != nil {
		return "", err
	}
	if r.Go.Sum != "" && found.Sum != r.Go.Sum {
		return "", fmt.Errorf("it is not what the recipe means: its digest is %s, go.sum of the recipe %s", found.Sum, r.Go.Sum)
	}
	return found.Dir, nil
}

// unpacked downloads the archive and returns the directory that is in it, with what
// the recipe adds and without what is kept of other modules: go.sum has their digests,
// the archive need not have all of them.
func (a *Archive) unpacked(ctx context.Context, work string) (string, error) {
	url, err := a.url()
	if err != nil {
		return "", err
	}
	file := fetch.File{URLs: []string{url}, Name: path.Base(a.From), SHA256: a.SHA256}
	if err := (&fetch.Client{}).Download(ctx, work, []fetch.File{file}, nil); err != nil {
		return "", err
	}
	f, err := os.Open(filepath.Join(work, file.Name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	dir := filepath.Join(work, "module")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	var in io.Reader
	if path.Ext(a.From) == ".xz" {
		in, err = xz.NewReader(f)
	} else {
		in, err = gzip.NewReader(f)
	}
	if err == nil {
		err = unpack(in, dir)
	}
	if err == nil {
		err = a.add(dir)
	}
	if err != nil {
		return "", fmt.Errorf("unpack %s: %w", file.Name, err)
	}
	return dir, nil
}

// add writes the files that the recipe adds below dir. None of them is there.
func (a *Archive) add(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for name, text := range a.Add {
		if err := unpackFile(root, name, strings.NewReader(text)); err != nil {
			return fmt.Errorf("go.archive.add of the recipe: %w", err)
		}
	}
	return nil
}

// url returns where the archive is to be had.
func (a *Archive) url() (string, error) {
	if strings.Contains(a.From, "://") {
		return a.From, nil
	}
	sources, err := deb.ReadSources("/", Architectures[0])
	if err != nil {
		return "", err
	}
	for _, s := range sources {
		if path.Base(s.URI) == "debian" && len(s.Components) > 0 {
			return s.URI + "/" + strings.ReplaceAll(a.From, "+", "%2b"), nil // as apt asks for it
		}
	}
	return "", errors.New("it is in the archive of Debian, and no apt source of this machine is a mirror of that: build on Debian with --dir and copy the directory, or give go.archive.from a URL")
}

// unpack writes the files of an archive below dir, without the directory that
// they are all in.
func unpack(in io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	t := tar.NewReader(in)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, name, _ := strings.Cut(path.Clean(h.Name), "/")
		if h.Typeflag != tar.TypeReg || name == "" || strings.HasPrefix(name, "vendor/") {
			continue
		}
		if err := unpackFile(root, name, t); err != nil {
			return err
		}
	}
}

func unpackFile(root *os.Root, name string, in io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, in)
	return cmp.Or(err, f.Close())
}
