package rpm

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"pigsty/internal/repo/pgp"
)

// Package is a package of an index.
type Package struct {
	Name   string
	EVR    EVR
	Arch   string
	File   string // relative to the repository
	Size   int64  // bytes
	SHA256 string
	Origin *Origin

	provides []Relation
	requires []Relation // the name of one that is in brackets is a condition
	files    []string   // those that the index lists, which are not all
	kept     bool       // from the repository that is there already
}

// Origin is where packages come from.
type Origin struct {
	Name  string       // as people know it: "pgdg17"
	Bases []string     // URLs that File is relative to, mirrors of each other
	Keys  *pgp.Keyring // that packages must be signed with
}

// FullVersion returns epoch, version and release.
func (p *Package) FullVersion() string { return p.EVR.String() }

// UpstreamName returns the name of where p comes from.
func (p *Package) UpstreamName() string { return p.Origin.Name }

// String returns name and version.
func (p *Package) String() string { return p.Name + " " + p.EVR.String() }

// FileName is what p's file is called in a repository.
func (p *Package) FileName() string {
	return p.Name + "-" + p.EVR.Version + "-" + p.EVR.Release + "." + p.Arch + ".rpm"
}

// versionXML is the element and attributes that give a version in metadata.
type versionXML struct {
	Epoch   string `xml:"epoch,attr,omitempty"`
	Version string `xml:"ver,attr,omitempty"`
	Release string `xml:"rel,attr,omitempty"`
}

// entryXML is a relation in metadata.
type entryXML struct {
	Name  string `xml:"name,attr"`
	Flags string `xml:"flags,attr,omitempty"`
	versionXML
	Pre string `xml:"pre,attr,omitempty"`
}

// ops are the comparisons of relations as metadata has them.
var ops = map[string]string{"LT": "<", "LE": "<=", "EQ": "=", "GE": ">=", "GT": ">"}

func (e entryXML) relation() Relation {
	return Relation{Name: e.Name, Op: ops[e.Flags], EVR: EVR(e.versionXML)}
}

type checksumXML struct {
	Type  string `xml:"type,attr"`
	PkgID string `xml:"pkgid,attr,omitempty"`
	Value string `xml:",chardata"`
}

// parsePrimary reads a primary.xml and returns the packages for arch (x86_64)
// and for all architectures.
func parsePrimary(in io.Reader, arch string, origin *Origin) ([]*Package, error) {
	d := xml.NewDecoder(in)
	var all []*Package
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "package" {
			continue
		}
		var x struct {
			Name     string      `xml:"name"`
			Arch     string      `xml:"arch"`
			Version  versionXML  `xml:"version"`
			Checksum checksumXML `xml:"checksum"`
			Size     struct {
				Package int64 `xml:"package,attr"`
			} `xml:"size"`
			Location struct {
				Href string `xml:"href,attr"`
			} `xml:"location"`
			Provides []entryXML `xml:"format>provides>entry"`
			Requires []entryXML `xml:"format>requires>entry"`
			Files    []string   `xml:"format>file"`
		}
		if err := d.DecodeElement(&x, &start); err != nil {
			return nil, err
		}
		if x.Arch != arch && x.Arch != "noarch" {
			continue
		}
		p := &Package{Name: x.Name, EVR: EVR(x.Version), Arch: x.Arch, File: x.Location.Href, Size: x.Size.Package, SHA256: x.Checksum.Value, Origin: origin, files: x.Files}
		switch {
		case p.Name == "" || p.EVR.Version == "" || p.File == "":
			return nil, fmt.Errorf("package %q lacks a name, a version or a location", p.Name)
		case x.Checksum.Type != "sha256" || p.SHA256 == "" || p.Size == 0:
			return nil, fmt.Errorf("package %s has no size or no SHA-256", p.Name)
		case path.IsAbs(p.File) || strings.Contains("/"+p.File+"/", "/../") || strings.Contains(p.FileName(), "/"):
			return nil, fmt.Errorf("package %q has the file name %q", p.Name, p.File)
		}
		for _, e := range x.Provides {
			p.provides = append(p.provides, e.relation())
		}
		for _, e := range x.Requires {
			if !strings.HasPrefix(e.Name, "rpmlib(") { // what rpm itself can do
				p.requires = append(p.requires, e.relation())
			}
		}
		all = append(all, p)
	}
}

// parseFilelists calls add for each of the given paths that a package of a
// filelists.xml has, with the package's digest.
func parseFilelists(in io.Reader, paths map[string]bool, add func(path, digest string)) error {
	d := xml.NewDecoder(in)
	digest, within := "", false
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			within = t.Name.Local == "file"
			if t.Name.Local == "package" {
				for _, a := range t.Attr {
					if a.Name.Local == "pkgid" {
						digest = a.Value
					}
				}
			}
		case xml.CharData:
			if within && paths[string(t)] {
				add(string(t), digest)
			}
		case xml.EndElement:
			within = false
		}
	}
}
