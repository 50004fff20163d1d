package repo

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// byHand is the origin of packages that somebody put into the repository. A build
// keeps what it does not know: it may be the only copy.
const byHand = "put there by hand"

// given are the packages that somebody put into a repository.
type given struct {
	items []item
	// bare says of those that clients could not verify or read why they are not
	// in the index. They stay as files.
	bare []string
}

// unknown returns the names of the package files in the repository that no build
// has put there, and of those the ones that the last build did not see.
func (b *Build) unknown(f format) (all, unseen []string, err error) {
	entries, err := os.ReadDir(b.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	origins, err := originsIn(b.Dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		name := e.Name()
		if !e.Type().IsRegular() || strings.HasPrefix(name, ".") || !strings.HasSuffix(name, f.ending()) {
			continue
		}
		origin, seen := origins[name]
		if seen && origin != byHand || b.puts(name) {
			continue
		}
		all = append(all, name)
		if !seen {
			unseen = append(unseen, name)
		}
	}
	return all, unseen, nil
}

// givenByHand describes what somebody put into the repository, besides what next
// has already.
func (b *Build) givenByHand(f format, next *set) (given, error) {
	names, _, err := b.unknown(f)
	if err != nil {
		return given{}, err
	}
	known := map[string]bool{}
	for _, i := range next.items {
		known[i.File], known[i.SHA256] = true, true
	}
	var out given
	for _, name := range names {
		if known[name] {
			continue
		}
		sum, size, err := digestFile(filepath.Join(b.Dir, name))
		if err != nil {
			return given{}, err
		}
		if known[sum] { // there under the name that packages of upstreams have
			continue
		}
		file := Locked{Name: name, File: name, Size: size, SHA256: sum, Origin: byHand}
		one, err := f.describe(b, b.Dir, file)
		if err != nil {
			one = item{Locked: file}
			out.bare = append(out.bare, fmt.Sprintf("%s (%v)", name, err))
		}
		one.urls = []string{"file://" + filepath.Join(b.Dir, name)}
		out.items = append(out.items, one)
	}
	return out, nil
}

func digestFile(path string) (sum string, size int64, err error) {
	in, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer in.Close()
	h := sha256.New()
	size, err = io.Copy(h, in)
	return hex.EncodeToString(h.Sum(nil)), size, err
}
