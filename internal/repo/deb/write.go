package deb

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ulikunitz/xz"
)

// Entry returns the paragraph of a flat repository's index for p, whose file
// lies there under name.
func (p *Package) Entry(name string) string {
	var b strings.Builder
	skip := false
	for line := range strings.Lines(p.text) {
		if line[0] != ' ' && line[0] != '\t' {
			key, _, _ := strings.Cut(line, ":")
			// Weak digests go; where the file is follows.
			skip = slices.Contains([]string{"Filename", "MD5sum", "SHA1"}, key)
		}
		if !skip {
			b.WriteString(line)
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\nFilename: ./" + name + "\n"
}

// Index is the files of a flat repository that apt reads, by name, and the text
// of Release, which is to be signed as InRelease.
type Index struct {
	Files   map[string][]byte // Packages, Packages.gz, Packages.xz, Release
	Release []byte
}

// NewIndex makes the index of entries, each of them a paragraph. The same
// entries at the same time give the same bytes.
func NewIndex(label, arch string, entries []string, now time.Time) (Index, error) {
	text := []byte(strings.Join(entries, "\n"))
	index := Index{Files: map[string][]byte{"Packages": text}}
	var gz, x bytes.Buffer
	g, _ := gzip.NewWriterLevel(&gz, gzip.BestCompression) // fails only for a level that is none
	if _, err := g.Write(text); err != nil {
		return index, err
	}
	if err := g.Close(); err != nil {
		return index, err
	}
	w, err := xz.NewWriter(&x)
	if err != nil {
		return index, err
	}
	if _, err := w.Write(text); err != nil {
		return index, err
	}
	if err := w.Close(); err != nil {
		return index, err
	}
	index.Files["Packages.gz"], index.Files["Packages.xz"] = gz.Bytes(), x.Bytes()

	var b bytes.Buffer
	fmt.Fprintf(&b, "Origin: %s\nLabel: %s\nArchitectures: %s all\nDate: %s\nDescription: packages of this deployment\nSHA256:\n",
		label, label, arch, now.UTC().Format("Mon, 02 Jan 2006 15:04:05 UTC"))
	for _, name := range []string{"Packages", "Packages.gz", "Packages.xz"} {
		sum := sha256.Sum256(index.Files[name])
		fmt.Fprintf(&b, " %s %d %s\n", hex.EncodeToString(sum[:]), len(index.Files[name]), name)
	}
	index.Release = b.Bytes()
	index.Files["Release"] = index.Release
	return index, nil
}

// FileName is what p's file is called in a flat repository. As in archives, the
// epoch is not part of it: web servers and apt differ on what a colon becomes.
func (p *Package) FileName() string {
	_, upstream, revision := split(p.Version)
	if revision != "" {
		upstream += "-" + revision
	}
	return p.Name + "_" + upstream + "_" + p.Arch + ".deb"
}
