package rpm

import (
	"encoding/xml"
	"slices"
	"strings"
)

// packageXML is a package in primary.xml.
type packageXML struct {
	XMLName     xml.Name    `xml:"package"`
	Type        string      `xml:"type,attr"`
	Name        string      `xml:"name"`
	Arch        string      `xml:"arch"`
	Version     versionXML  `xml:"version"`
	Checksum    checksumXML `xml:"checksum"`
	Summary     string      `xml:"summary"`
	Description string      `xml:"description"`
	Packager    string      `xml:"packager"`
	URL         string      `xml:"url"`
	Time        struct {
		File  int64 `xml:"file,attr"`
		Build int64 `xml:"build,attr"`
	} `xml:"time"`
	Size struct {
		Package   int64 `xml:"package,attr"`
		Installed int64 `xml:"installed,attr"`
		Archive   int64 `xml:"archive,attr"`
	} `xml:"size"`
	Location struct {
		Href string `xml:"href,attr"`
	} `xml:"location"`
	Format struct {
		License     string `xml:"rpm:license"`
		Vendor      string `xml:"rpm:vendor"`
		Group       string `xml:"rpm:group"`
		BuildHost   string `xml:"rpm:buildhost"`
		Source      string `xml:"rpm:sourcerpm"`
		HeaderRange struct {
			Start int64 `xml:"start,attr"`
			End   int64 `xml:"end,attr"`
		} `xml:"rpm:header-range"`
		Relations []relationsXML
		Files     []fileXML
	} `xml:"format"`
}

// relationsXML is all relations of a kind. None are written as nothing.
type relationsXML struct {
	XMLName xml.Name
	Entries []entryXML `xml:"rpm:entry"`
}

type fileXML struct {
	XMLName xml.Name `xml:"file"`
	Type    string   `xml:"type,attr,omitempty"` // dir or ghost; empty for a file
	Path    string   `xml:",chardata"`
}

// detailsXML is a package in filelists.xml or other.xml.
type detailsXML struct {
	XMLName   xml.Name   `xml:"package"`
	PkgID     string     `xml:"pkgid,attr"`
	Name      string     `xml:"name,attr"`
	Arch      string     `xml:"arch,attr"`
	Version   versionXML `xml:"version"`
	Files     []fileXML
	Changelog []changeXML
}

type changeXML struct {
	XMLName xml.Name `xml:"changelog"`
	Author  string   `xml:"author,attr"`
	Date    int64    `xml:"date,attr"`
	Text    string   `xml:",chardata"`
}

func (f *File) version() versionXML {
	epoch := "0"
	if n := f.own.ints(tagEpoch); len(n) > 0 {
		epoch = decimal(n[0])
	}
	return versionXML{epoch, f.own.text(tagVersion), f.own.text(tagRelease)}
}

// primary describes the package as primary.xml has it. asked are files that
// packages of the repository require: listing them there too spares clients
// filelists.xml, which newer ones do not read unless told to.
func (f *File) primary(asked map[string]bool) packageXML {
	h := f.own
	x := packageXML{Type: "rpm", Name: h.text(tagName), Arch: h.text(tagArch), Version: f.version(),
		Checksum: checksumXML{Type: "sha256", PkgID: "YES", Value: f.sha256},
		Summary:  h.text(tagSummary), Description: h.text(tagDescription), Packager: h.text(tagPackager), URL: h.text(tagURL)}
	x.Time.File, x.Time.Build = f.modified, h.number(tagBuildTime)
	x.Size.Package, x.Size.Installed = f.size, h.number(tagLongSize, tagSize)
	if x.Size.Archive = f.signatures.number(sigLongSize, sigSize); x.Size.Archive == 0 {
		x.Size.Archive = h.number(tagArchiveSize)
	}
	x.Location.Href = f.location
	x.Format.License, x.Format.Vendor, x.Format.Group = h.text(tagLicense), h.text(tagVendor), h.text(tagGroup)
	x.Format.BuildHost, x.Format.Source = h.text(tagBuildHost), h.text(tagSourceRPM)
	x.Format.HeaderRange.Start, x.Format.HeaderRange.End = f.start, f.end
	for _, kind := range []struct {
		name string
		tags relationTags
	}{
		{"provides", tagsProvides}, {"requires", tagsRequires}, {"conflicts", tagsConflicts}, {"obsoletes", tagsObsoletes},
		{"suggests", tagsSuggests}, {"enhances", tagsEnhances}, {"recommends", tagsRecommends}, {"supplements", tagsSupplements},
	} {
		if entries := f.relations(kind.tags); len(entries) > 0 {
			x.Format.Relations = append(x.Format.Relations, relationsXML{xml.Name{Local: "rpm:" + kind.name}, entries})
		}
	}
	for _, file := range f.files() {
		if isPrimary(file.Path) || asked[file.Path] {
			x.Format.Files = append(x.Format.Files, file)
		}
	}
	return x
}

// isPrimary reports whether a file is one that primary.xml lists, so that most
// requirements of files need no filelists.xml.
func isPrimary(path string) bool {
	return strings.HasPrefix(path, "/etc/") || strings.Contains(path, "bin/") || path == "/usr/lib/sendmail"
}

// asks adds the files that the package requires to asked.
func (f *File) asks(asked map[string]bool) {
	for _, name := range f.own.strings(tagsRequires.name) {
		n, err := parseNeed(name)
		if err != nil {
			continue // a client will say so
		}
		n.each(func(r Relation) {
			if strings.HasPrefix(r.Name, "/") {
				asked[r.Name] = true
			}
		})
	}
}

// Flags of relations, as rpm's rpmds.h has them.
const (
	flagLess    = 1 << 1
	flagGreater = 1 << 2
	flagEqual   = 1 << 3
	flagPre     = 1<<6 | 1<<9 | 1<<10 // needed before the package's scripts run
)

var flagNames = map[int64]string{
	flagLess: "LT", flagGreater: "GT", flagEqual: "EQ", flagLess | flagEqual: "LE", flagGreater | flagEqual: "GE",
}

// relations returns what tags hold, each once and without what rpm itself can do.
func (f *File) relations(tags relationTags) []entryXML {
	names, versions, flags := f.own.strings(tags.name), f.own.strings(tags.version), f.own.ints(tags.flags)
	seen := map[entryXML]bool{}
	if tags == tagsRequires { // what the package brings itself
		for _, e := range f.relations(tagsProvides) {
			seen[e] = true
		}
	}
	var out []entryXML
	for i, name := range names {
		e := entryXML{Name: name}
		if strings.HasPrefix(name, "rpmlib(") {
			continue
		}
		if i < len(flags) && i < len(versions) {
			if e.Flags = flagNames[flags[i]&(flagLess|flagGreater|flagEqual)]; e.Flags != "" {
				v := parseEVR(versions[i])
				if v.Epoch == "" {
					v.Epoch = "0"
				}
				e.versionXML = versionXML(v)
			}
			if tags == tagsRequires && flags[i]&flagPre != 0 && !seen[e] {
				e.Pre = "1"
			}
		}
		if !seen[e] {
			seen[e] = true
			out = append(out, e)
		}
	}
	return out
}

// files returns the files of the package.
func (f *File) files() []fileXML {
	paths := f.own.strings(tagOldFileNames)
	if names := f.own.strings(tagBaseNames); len(names) > 0 {
		dirs, indexes := f.own.strings(tagDirNames), f.own.ints(tagDirIndexes)
		paths = nil
		for i, name := range names {
			if i < len(indexes) && indexes[i] < int64(len(dirs)) {
				paths = append(paths, dirs[indexes[i]]+name)
			}
		}
	}
	modes, flags := f.own.ints(tagFileModes), f.own.ints(tagFileFlags)
	const directory, kind, ghost = 0o040000, 0o170000, 1 << 6
	out := make([]fileXML, len(paths))
	for i, p := range paths {
		out[i].Path = p
		switch {
		case i < len(modes) && modes[i]&kind == directory:
			out[i].Type = "dir"
		case i < len(flags) && flags[i]&ghost != 0:
			out[i].Type = "ghost"
		}
	}
	return out
}

// details describes the package as filelists.xml and other.xml begin.
func (f *File) details() detailsXML {
	return detailsXML{PkgID: f.sha256, Name: f.own.text(tagName), Arch: f.own.text(tagArch), Version: f.version()}
}

func (f *File) filelists() detailsXML {
	x := f.details()
	x.Files = f.files()
	return x
}

// maxChanges is how many entries of a changelog are listed, the latest.
const maxChanges = 10

func (f *File) other() detailsXML {
	x := f.details()
	authors, times, texts := f.own.strings(tagChangelogName), f.own.ints(tagChangelogTime), f.own.strings(tagChangelogText)
	for i := range min(len(authors), len(times), len(texts), maxChanges) {
		x.Changelog = append(x.Changelog, changeXML{Author: authors[i], Date: times[i], Text: texts[i]})
	}
	slices.Reverse(x.Changelog) // metadata has the oldest first
	return x
}
