package rpm

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

func decimal(n int64) string { return strconv.FormatInt(n, 10) }

// Metadata is the files of a repository that dnf reads, by name below the
// repository, and the one among them that is to be signed.
type Metadata struct {
	Files  map[string][]byte // repodata/repomd.xml and those that it lists
	Repomd []byte
}

// NewMetadata makes the metadata of files. The same files at the same time give
// the same bytes.
func NewMetadata(files []*File, now time.Time) (Metadata, error) {
	files = slices.SortedFunc(slices.Values(files), func(a, b *File) int { return strings.Compare(a.location, b.location) })
	asked := map[string]bool{}
	for _, f := range files {
		f.asks(asked)
	}
	kinds := []struct {
		name, root string
		of         func(*File) any
	}{
		{"primary", `metadata xmlns="http://linux.duke.edu/metadata/common" xmlns:rpm="http://linux.duke.edu/metadata/rpm"`, func(f *File) any { return f.primary(asked) }},
		{"filelists", `filelists xmlns="http://linux.duke.edu/metadata/filelists"`, func(f *File) any { return f.filelists() }},
		{"other", `otherdata xmlns="http://linux.duke.edu/metadata/other"`, func(f *File) any { return f.other() }},
	}
	entries, packed := make([]dataXML, len(kinds)), make([][]byte, len(kinds))
	var group errgroup.Group
	for i, k := range kinds {
		group.Go(func() error {
			var err error
			entries[i], packed[i], err = list(k.name, k.root, files, k.of, now)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return Metadata{}, err
	}
	m := Metadata{Files: map[string][]byte{}}
	for i, e := range entries {
		m.Files[e.Location.Href] = packed[i]
	}
	text, err := xml.MarshalIndent(repomdXML{Space: "http://linux.duke.edu/metadata/repo", Revision: decimal(now.Unix()), Data: entries}, "", "  ")
	if err != nil {
		return Metadata{}, err
	}
	m.Repomd = append([]byte(xml.Header), append(text, '\n')...)
	m.Files["repodata/repomd.xml"] = m.Repomd
	return m, nil
}

// list writes what of makes of each file below an element that begins with root.
// The name of the result has its digest in it, so that a client never mixes two
// states of a repository.
func list(kind, root string, files []*File, of func(*File) any, now time.Time) (dataXML, []byte, error) {
	var packed bytes.Buffer
	open := sha256.New()
	z, _ := gzip.NewWriterLevel(&packed, gzip.DefaultCompression) // fails only for a level that is none
	size := 0
	w := bufio.NewWriterSize(io.MultiWriter(z, open, counter{&size}), 1<<16)
	fmt.Fprintf(w, "%s<%s packages=\"%d\">\n", xml.Header, root, len(files))
	e := xml.NewEncoder(w)
	for _, f := range files {
		if err := e.Encode(of(f)); err != nil {
			return dataXML{}, nil, fmt.Errorf("%s: %w", f.location, err)
		}
		if err := w.WriteByte('\n'); err != nil {
			return dataXML{}, nil, err
		}
	}
	name, _, _ := strings.Cut(root, " ")
	fmt.Fprintf(w, "</%s>\n", name)
	if err := cmp.Or(w.Flush(), z.Close()); err != nil {
		return dataXML{}, nil, err
	}
	sum := sha256.Sum256(packed.Bytes())
	d := dataXML{Type: kind, Timestamp: now.Unix(), Size: packed.Len(), OpenSize: size,
		Checksum:     checksumXML{Type: "sha256", Value: hex.EncodeToString(sum[:])},
		OpenChecksum: &checksumXML{Type: "sha256", Value: hex.EncodeToString(open.Sum(nil))}}
	d.Location.Href = "repodata/" + d.Checksum.Value + "-" + kind + ".xml.gz"
	return d, packed.Bytes(), nil
}

// counter counts the bytes written to it.
type counter struct{ n *int }

func (c counter) Write(p []byte) (int, error) { *c.n += len(p); return len(p), nil }
