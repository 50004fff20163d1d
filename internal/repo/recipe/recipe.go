// Package recipe makes packages that no distribution carries: .deb and .rpm
// files of Go programs, compiled here from modules whose digests are known, and
// a signed repository of them that the deployment's own takes them from.
//
// A recipe is data. The same recipe and toolchain give the same bytes.
package recipe

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"time"

	"pigsty/internal/diag"
)

// Recipe says what a package is made of.
type Recipe struct {
	_ struct{} `param:"recipe" doc:"A package of a Go program."`

	Pos         diag.Pos          `json:"-"`
	Name        string            `param:"name" required:"true" pattern:"^[a-z0-9][a-z0-9+.-]+$" form:"lower-case letters, digits and + . -" doc:"Name of the package."`
	Version     string            `param:"version" required:"true" pattern:"^[0-9][0-9A-Za-z.+~]*$" form:"a version that begins with a digit and has no dash" doc:"Version of the program, as package managers compare it."`
	Release     int               `param:"release" default:"1" min:"1" doc:"Number of the packaging of this version."`
	Summary     string            `param:"summary" required:"true" pattern:"^[^\\n]+$" form:"one line" doc:"What it is, in one line."`
	Description string            `param:"description" doc:"What it is, at length."`
	License     string            `param:"license" required:"true" doc:"SPDX expression."`
	Homepage    string            `param:"homepage" format:"url" doc:"Where the program comes from."`
	Date        string            `param:"date" required:"true" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$" form:"a point in time such as 2006-01-02T15:04:05Z" doc:"When this version was made. Files of the package bear it."`
	Go          Program           `param:"go" required:"true" doc:"What is compiled."`
	Depends     Depends           `param:"depends" doc:"Packages that it needs."`
	Users       []User            `param:"users" unique:"name" doc:"System users that it runs as, each with a group of the same name."`
	Directories []Directory       `param:"directories" unique:"path" doc:"Directories that it needs; they stay when the package goes."`
	Files       []File            `param:"files" unique:"path" doc:"Files besides the program."`
	Units       map[string]string `param:"units" doc:"systemd units by name. None is started or enabled by the package."`
}

// Program is a main package of a Go module.
type Program struct {
	_ struct{} `param:"program" doc:"A main package of a Go module."`

	Pos       diag.Pos `json:"-"`
	Module    string   `param:"module" required:"true" doc:"Path of the module."`
	Version   string   `param:"version" required:"true" pattern:"^v[0-9]" form:"a module version such as v1.2.3" doc:"Version of the module."`
	Sum       string   `param:"sum" pattern:"^h1:[A-Za-z0-9+/]{43}=$" form:"the digest of a module, such as go.sum has it" doc:"Digest of the module, which has those of all that it needs. Without it the checksum database is asked."`
	Archive   *Archive `param:"archive" doc:"Where the module is to be had instead, if no module proxy has it."`
	Package   string   `param:"package" default:"." doc:"Directory of the main package in the module."`
	Binary    string   `param:"binary" doc:"Name below /usr/bin. That of the recipe unless set."`
	LDFlags   string   `param:"ldflags" default:"-s -w" doc:"Flags of the linker."`
	Tags      []string `param:"tags" doc:"Build tags."`
	Toolchain string   `param:"toolchain" pattern:"^go1[.][0-9]+([.][0-9]+)?$" form:"a version of Go such as go1.24.6" doc:"The Go that it needs, if newer ones refuse it. Go downloads it."`
}

// Archive is an archive of a module's files, below one directory.
type Archive struct {
	_ struct{} `param:"archive" doc:"A .tar.gz or .tar.xz of a module."`

	From   string `param:"from" required:"true" pattern:"^(https?://|file://|pool/).*[.]tar[.](gz|xz)$" form:"the URL of a .tar.gz or .tar.xz, or its path in the archive of Debian, pool/…" doc:"URL, or path on the mirror of Debian that this machine uses."`
	SHA256 string `param:"sha256" required:"true" pattern:"^[0-9a-f]{64}$" form:"a SHA-256 of 64 hexadecimal digits" doc:"Its digest."`

	Add map[string]string `param:"add" doc:"Files that it lacks, by their path in the module."`
}

// Depends are names of packages by the format that they are for.
type Depends struct {
	_ struct{} `param:"depends" doc:"Names of packages, by format."`

	Deb []string `param:"deb" doc:"On Debian and Ubuntu."`
	RPM []string `param:"rpm" doc:"On EL."`
}

// User is a system user.
type User struct {
	_ struct{} `param:"user" doc:"A system user that nobody logs in as."`

	Name    string `param:"name" required:"true" bare:"true" format:"username" doc:"Name of the user and of its group."`
	Home    string `param:"home" default:"/nonexistent" format:"path" doc:"Home directory. It is not made."`
	Comment string `param:"comment" doc:"Full name."`
}

// Directory is a directory with its owner.
type Directory struct {
	_ struct{} `param:"directory" doc:"A directory with its owner."`

	Path  string `param:"path" required:"true" format:"path" doc:"Where it is."`
	Owner string `param:"owner" default:"root" format:"username" doc:"User and group that it belongs to."`
	Mode  string `param:"mode" default:"0755" pattern:"^0?[0-7]{3}$" form:"three octal digits" doc:"Permissions."`
}

// File is a file with its text.
type File struct {
	_ struct{} `param:"file" doc:"A file of the package."`

	Path    string `param:"path" required:"true" format:"path" doc:"Where it is."`
	Content string `param:"content" required:"true" doc:"What is in it."`
	Mode    string `param:"mode" default:"0644" pattern:"^0?[0-7]{3}$" form:"three octal digits" doc:"Permissions."`
	Config  bool   `param:"config" default:"false" doc:"Whether people edit it: updates then keep what is there."`
}

// Check finds what no single field shows. It makes Recipe a param.Checker.
func (r *Recipe) Check(l *diag.List) {
	if _, err := time.Parse(time.RFC3339, r.Date); err != nil {
		l.Fail(r.Pos, "invalid-format", fmt.Sprintf("recipe.date is no day: %s", r.Date), "write the time of the release")
	}
	if r.Go.Sum != "" && r.Go.Archive != nil {
		l.Fail(r.Go.Pos, "contradiction", "recipe.go has a sum and an archive", "remove the sum: the archive has a digest of its own")
	}
	for name := range r.Units {
		if path.Base(name) != name || path.Ext(name) == "" {
			l.Fail(r.Pos, "invalid-format", fmt.Sprintf("recipe.units has %q, which is no name of a unit", name), "write it like "+r.Name+".service")
		}
	}
}

// FullVersion returns version and release, as a package has them.
func (r *Recipe) FullVersion() string { return fmt.Sprintf("%s-%d", r.Version, r.Release) }

// Source names what is compiled: module@version.
func (r *Recipe) Source() string { return r.Go.Module + "@" + r.Go.Version }

// Digest identifies all that the recipe says. Fields that recipes may have one
// day do not change it for those that have none.
func (r *Recipe) Digest() string {
	var said any
	text, err := json.Marshal(r)
	if err == nil {
		err = json.Unmarshal(text, &said)
	}
	if err == nil {
		text, err = json.Marshal(written(said))
	}
	if err != nil {
		panic(err) // texts, numbers and lists of them
	}
	return digest(text)
}

// written returns v without what is empty, nil if nothing is left.
func written(v any) any {
	switch v := v.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(_ string, field any) bool { return written(field) == nil })
		if len(v) > 0 {
			return v
		}
		return nil
	case []any:
		for i := range v {
			v[i] = written(v[i])
		}
		if len(v) > 0 {
			return v
		}
		return nil
	case nil, string, bool, float64:
		if v == nil || v == "" || v == false || v == 0.0 {
			return nil
		}
	}
	return v
}

func (r *Recipe) binary() string {
	if r.Go.Binary != "" {
		return r.Go.Binary
	}
	return r.Name
}

// time is the date that the package's files bear. Check has parsed it before.
func (r *Recipe) time() time.Time {
	t, _ := time.Parse(time.RFC3339, r.Date)
	return t.UTC()
}
