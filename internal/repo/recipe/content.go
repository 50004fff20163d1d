package recipe

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// content is a file of a package. All belong to root: what belongs to others is
// made by systemd-tmpfiles once they exist.
type content struct {
	path   string
	mode   fs.FileMode
	body   []byte
	config bool
	doc    bool
}

// contents returns the files of the package by path. license is where it is to
// have the module's license.
func (r *Recipe) contents(c *compiled, license string) []content {
	all := []content{{path: path.Join("/usr/bin", r.binary()), mode: 0o755, body: c.binary}}
	if c.license != nil {
		all = append(all, content{path: license, mode: 0o644, body: c.license, doc: true})
	}
	for _, f := range r.Files {
		all = append(all, content{path: path.Clean(f.Path), mode: mode(f.Mode), body: []byte(f.Content), config: f.Config})
	}
	for name, text := range r.Units {
		all = append(all, content{path: path.Join("/usr/lib/systemd/system", name), mode: 0o644, body: []byte(text)})
	}
	if len(r.Users) > 0 {
		all = append(all, content{path: "/usr/lib/sysusers.d/" + r.Name + ".conf", mode: 0o644, body: []byte(r.sysusers())})
	}
	if len(r.Directories) > 0 {
		all = append(all, content{path: "/usr/lib/tmpfiles.d/" + r.Name + ".conf", mode: 0o644, body: []byte(r.tmpfiles())})
	}
	slices.SortFunc(all, func(a, b content) int { return strings.Compare(a.path, b.path) })
	return all
}

// mode reads an octal number that the recipe's check has passed.
func mode(text string) fs.FileMode {
	n, _ := strconv.ParseUint(text, 8, 32)
	return fs.FileMode(n)
}

// sysusers returns the users in the form of sysusers.d(5).
func (r *Recipe) sysusers() string {
	var b strings.Builder
	for _, u := range r.Users {
		fmt.Fprintf(&b, "u %s - %q %s /usr/sbin/nologin\n", u.Name, u.Comment, u.Home)
	}
	return b.String()
}

// tmpfiles returns the directories in the form of tmpfiles.d(5).
func (r *Recipe) tmpfiles() string {
	var b strings.Builder
	for _, d := range r.Directories {
		fmt.Fprintf(&b, "d %s %s %s %s -\n", path.Clean(d.Path), d.Mode, d.Owner, d.Owner)
	}
	return b.String()
}

// installed returns the script that runs when the package has been installed.
func (r *Recipe) installed() string {
	var b strings.Builder
	b.WriteString("set -e\n")
	if len(r.Users) > 0 {
		fmt.Fprintf(&b, "systemd-sysusers %s.conf\n", r.Name)
	}
	if len(r.Directories) > 0 {
		fmt.Fprintf(&b, "systemd-tmpfiles --create %s.conf\n", r.Name)
	}
	b.WriteString(r.reload())
	return b.String()
}

// removing returns the script that runs before the package is removed, and
// leaves units alone when it is updated. Its argument is "remove" from dpkg and
// the number of versions that stay from rpm.
func (r *Recipe) removing() string {
	if len(r.Units) == 0 {
		return ""
	}
	return fmt.Sprintf(`if [ "$1" = remove ] || [ "$1" = 0 ]; then
    if [ -d /run/systemd/system ]; then systemctl --no-reload disable --now %s || :; fi
fi
`, strings.Join(slices.Sorted(maps.Keys(r.Units)), " "))
}

// reload has systemd read its units again, where it runs.
func (r *Recipe) reload() string {
	if len(r.Units) == 0 {
		return ""
	}
	return "if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi\n"
}
