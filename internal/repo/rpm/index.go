package rpm

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"pigsty/internal/repo/fetch"
	"pigsty/internal/repo/pgp"
)

// Index is a source as it was read: what its index is and what it has.
type Index struct {
	Source   Source
	Digest   string // SHA-256 of repomd.xml
	Date     string // of the index, as repomd.xml has it
	Signer   string // fingerprint of the key that signed repomd.xml; empty if none did
	Packages []*Package

	bases []string
	data  map[string]dataXML // what repomd.xml lists, by type
	text  []byte             // of repomd.xml
}

// dataXML is a file that repomd.xml lists.
type dataXML struct {
	Type         string       `xml:"type,attr"`
	Checksum     checksumXML  `xml:"checksum"`
	OpenChecksum *checksumXML `xml:"open-checksum"`
	Location     struct {
		Href string `xml:"href,attr"`
	} `xml:"location"`
	Timestamp int64 `xml:"timestamp"`
	Size      int   `xml:"size"`
	OpenSize  int   `xml:"open-size,omitempty"`
}

type repomdXML struct {
	XMLName  xml.Name  `xml:"repomd"`
	Space    string    `xml:"xmlns,attr,omitempty"`
	Revision string    `xml:"revision"`
	Data     []dataXML `xml:"data"`
}

// ReadAll reads the indexes of sources for packages of arch (x86_64), all at
// once. One that cannot be read or trusted is an error that names it.
func ReadAll(ctx context.Context, sources []Source, arch string, t Trust, c *fetch.Client) ([]*Index, error) {
	indexes := make([]*Index, len(sources))
	errs := make([]error, len(sources))
	var all sync.WaitGroup
	for i, s := range sources {
		all.Go(func() {
			x, err := read(ctx, s, arch, t, c)
			if err != nil {
				errs[i] = fmt.Errorf("upstream %s: %w", s.Name, err)
			}
			indexes[i] = x
		})
	}
	all.Wait()
	return indexes, errors.Join(errs...)
}

func read(ctx context.Context, s Source, arch string, t Trust, c *fetch.Client) (*Index, error) {
	ring, err := t.keyring(ctx, s, c)
	if err != nil {
		return nil, err
	}
	if ring.Empty() {
		return nil, errors.New("no key is known for it: name its file in gpgkey, or in meta.gpgkey of repo_upstream")
	}
	x, err := open(ctx, s, c)
	if err != nil {
		return nil, err
	}
	// Where the index is not signed, the signatures of the packages remain, which
	// are checked in any case.
	signature, err := c.Get(ctx, x.bases[0]+"repodata/repomd.xml.asc")
	var missing *fetch.NotFound
	switch {
	case err == nil:
		if x.Signer, err = ring.VerifyDetached(x.text, signature); err != nil {
			return nil, pgp.Advise(fetch.Shown(x.bases[0]+"repodata/repomd.xml"), "gpgkey", err)
		}
	case !errors.As(err, &missing):
		return nil, err
	case s.SignedIndex:
		return nil, fmt.Errorf("its index is not signed, though repo_gpgcheck is on: %w", err)
	}
	return x, x.load(ctx, arch, &Origin{Name: s.Name, Bases: x.bases, Keys: ring}, c)
}

// open reads the table of contents from the first mirror that has one.
func open(ctx context.Context, s Source, c *fetch.Client) (*Index, error) {
	bases, err := s.mirrors(ctx, c)
	if err != nil {
		return nil, err
	}
	x := &Index{Source: s, data: map[string]dataXML{}}
	var failed []error
	for i, base := range bases {
		if x.text, err = c.Get(ctx, base+"repodata/repomd.xml"); err == nil {
			x.bases = append(bases[i:i+1:i+1], append(bases[:i:i], bases[i+1:]...)...)
			break
		}
		failed = append(failed, err)
	}
	if len(x.bases) == 0 {
		return nil, errors.Join(failed...)
	}
	sum := sha256.Sum256(x.text)
	x.Digest = hex.EncodeToString(sum[:])
	var md repomdXML
	if err := xml.Unmarshal(x.text, &md); err != nil {
		return nil, fmt.Errorf("%s: %w", fetch.Shown(x.bases[0]+"repodata/repomd.xml"), err)
	}
	for _, d := range md.Data {
		x.data[d.Type] = d
	}
	x.Date = md.Revision
	if seconds, err := strconv.ParseInt(md.Revision, 10, 64); err == nil {
		x.Date = time.Unix(seconds, 0).UTC().Format(time.RFC1123)
	}
	return x, nil
}

// Dir reads the index of the repository in dir, whoever signed it. The error is
// a *fetch.NotFound if it has none.
func Dir(ctx context.Context, dir, arch string, origin *Origin) (*Index, error) {
	c := &fetch.Client{}
	x, err := open(ctx, Source{Name: origin.Name, Bases: []string{"file://" + dir + "/"}}, c)
	if err != nil {
		return nil, err
	}
	return x, x.load(ctx, arch, origin, c)
}

// Check returns an error if a file that the table of contents of the repository
// in dir lists is not there or not what it says.
func Check(dir string) error {
	ctx, c := context.Background(), &fetch.Client{}
	x, err := open(ctx, Source{Bases: []string{"file://" + dir + "/"}}, c)
	if err != nil {
		return err
	}
	for kind := range x.data {
		err := x.get(ctx, kind, c, func(in io.Reader) error { _, err := io.Copy(io.Discard, in); return err })
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *Index) load(ctx context.Context, arch string, origin *Origin, c *fetch.Client) error {
	return x.get(ctx, "primary", c, func(in io.Reader) error {
		var err error
		x.Packages, err = parsePrimary(in, arch, origin)
		return err
	})
}

// addFiles notes which packages have the files of paths, which primary.xml does not list.
func (x *Index) addFiles(ctx context.Context, paths map[string]bool, c *fetch.Client) error {
	if _, ok := x.data["filelists"]; !ok {
		return nil
	}
	byDigest := map[string]*Package{}
	for _, p := range x.Packages {
		byDigest[p.SHA256] = p
	}
	return x.get(ctx, "filelists", c, func(in io.Reader) error {
		return parseFilelists(in, paths, func(path, digest string) {
			if p := byDigest[digest]; p != nil {
				p.files = append(p.files, path)
			}
		})
	})
}

// get has the file of the given type read, unpacked, after its digest was checked.
func (x *Index) get(ctx context.Context, kind string, c *fetch.Client, use func(io.Reader) error) error {
	d, ok := x.data[kind]
	if !ok {
		return fmt.Errorf("its repomd.xml lists no %s", kind)
	}
	if path.IsAbs(d.Location.Href) || strings.Contains("/"+d.Location.Href+"/", "/../") {
		return fmt.Errorf("its repomd.xml has the file name %q", d.Location.Href)
	}
	url := x.bases[0] + d.Location.Href
	data, err := c.Get(ctx, url)
	if err != nil {
		return err
	}
	var sum string
	switch d.Checksum.Type {
	case "sha256":
		s := sha256.Sum256(data)
		sum = hex.EncodeToString(s[:])
	case "sha512":
		s := sha512.Sum512(data)
		sum = hex.EncodeToString(s[:])
	default:
		return fmt.Errorf("%s has no SHA-256 or SHA-512 digest, so it cannot be checked", fetch.Shown(url))
	}
	if sum != d.Checksum.Value {
		return fmt.Errorf("%s is not what its repomd.xml says; the mirror is being updated or damaged: try again later", fetch.Shown(url))
	}
	in, err := unpacked(url, data)
	if err == nil {
		err = use(in)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", fetch.Shown(url), err)
	}
	return nil
}

func unpacked(name string, data []byte) (io.Reader, error) {
	in := bytes.NewReader(data)
	switch path.Ext(name) {
	case ".gz":
		return gzip.NewReader(in)
	case ".zst":
		return zstd.NewReader(in, zstd.WithDecoderConcurrency(1))
	case ".xz":
		return xz.NewReader(in)
	case ".bz2":
		return bzip2.NewReader(in), nil
	}
	return in, nil
}
