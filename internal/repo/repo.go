// Package repo is the deployment's own software repository: what hosts install
// from, built on an infra node out of upstream repositories.
//
// The whole set of packages is resolved before anything is downloaded, what
// comes from upstreams is verified, and the new repository is built beside the
// old one and takes its place in one step, so that a build that fails leaves the
// old one as it is. A lock file says what is in it; a later build keeps those
// versions unless it is asked for the newest.
package repo

import (
	"context"
	"errors"
	"path/filepath"

	"pigsty/internal/repo/fetch"
	"pigsty/internal/repo/pgp"
	"pigsty/internal/repo/want"
)

// Files of a repository besides its packages and their index.
const (
	// Complete marks a repository as usable. Programs other than this one look
	// for it too, as do people.
	Complete = "repo_complete"
	// PublicKey is the key that the repository is signed with, for clients.
	PublicKey = "pigsty.asc"
)

// Upstream is a repository that packages are taken from, besides those that the
// host is configured with.
type Upstream struct {
	Name string
	URL  string // on Debian and Ubuntu what sources.list has: URL, suite, components
	Key  string // file, https URL or the keys in armor; empty for the host's own keys
}

// File is something that is put into the repository as it is found at its URL. A
// package of the repository's kind goes into the index.
type File struct {
	Name, URL string
	SHA256    string // in hex; empty if it is not known
}

// accepts reports whether what has the given digest is f, as far as is known.
func (f File) accepts(sum string) bool { return f.SHA256 == "" || f.SHA256 == sum }

// item is a file of the repository to be.
type item struct {
	Locked
	urls  []string
	entry string       // its part of the index of apt
	keys  *pgp.Keyring // of which one has signed the package itself; nil where only indexes are signed
}

func (i item) file() fetch.File {
	return fetch.File{URLs: i.urls, Name: i.File, Size: i.Size, SHA256: i.SHA256}
}

// matches reports whether dir has the file.
func (i item) matches(dir string) (bool, error) {
	return fetch.Matches(filepath.Join(dir, i.File), i.file())
}

// set is what a repository is to have.
type set struct {
	items     []item
	given     given // by hand; its items are among items
	leftOut   []want.Package
	upstreams []LockedUpstream
}

// format is a kind of repository: that of apt or that of dnf.
type format interface {
	// kept resolves the wants from what the repository in dir has; nil if it
	// does not have all.
	kept(ctx context.Context, b *Build, dir string) (*set, error)
	// resolve resolves the wants from upstreams, and from dir unless that is empty.
	resolve(ctx context.Context, b *Build, dir string, c *fetch.Client) (*set, error)
	// caches returns where the host's package manager keeps packages.
	caches() []string
	// ending is what the names of package files end in.
	ending() string
	// describe returns the package in a file of dir that no upstream describes; an
	// error if clients could not make sure of it.
	describe(b *Build, dir string, file Locked) (item, error)
	// write makes the index of items in dir, which has their files, and verifies
	// packages that are signed themselves. sign returns the signature of its
	// argument, around it if clear is set.
	write(dir string, items []item, sign signer) error
	// signed returns an error if the index in dir is not signed by key, which
	// is in armor, or is not what was signed.
	signed(dir string, key []byte) error
}

// errNoUpstream says that there is nothing to take packages from.
var errNoUpstream = errors.New("there is no upstream to take packages from: see repo_modules and repo_upstream")

// errDamaged is wrapped by errors of an index that is not what was signed.
var errDamaged = errors.New("the index is not what was signed")

type signer func(data []byte, clear bool) ([]byte, error)
