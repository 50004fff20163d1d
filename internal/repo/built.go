package repo

import (
	"os"
	"path/filepath"
	"slices"
)

// Built is the name of the directory beside a repository that has packages which
// no upstream has: built from recipes, or put there by hand. It is an upstream,
// signed with the deployment's own key.
const Built = "built"

// upstreams returns those of b, and the packages that were built if there are
// any: then their directory has the file signature. end completes its URL.
func (b *Build) upstreams(signature, end string) []Upstream {
	dir := filepath.Join(filepath.Dir(b.Dir), Built)
	if _, err := os.Stat(filepath.Join(dir, signature)); err != nil {
		return b.Upstreams
	}
	return append(slices.Clip(b.Upstreams), Upstream{Name: Built, URL: "file://" + dir + end, Key: string(b.PublicKey)})
}
