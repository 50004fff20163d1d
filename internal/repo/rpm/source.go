package rpm

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pigsty/internal/repo/fetch"
	"pigsty/internal/repo/pgp"
)

// Source is a repository as *.repo files describe it.
type Source struct {
	Name        string   // its section
	Bases       []string // URLs, mirrors of each other, with a slash at the end
	Mirrors     string   // URL of a list of them, instead: one a line, or a metalink
	Keys        string   // files, URLs, or keys in armor; empty for those of the host
	SignedIndex bool     // an index without a signature is refused
}

// Vars are what names such as $releasever stand for.
type Vars map[string]string

// ReadVars returns the variables of dnf on the host below root, such as /,
// with a system of the given version (9.6) and architecture (x86_64).
func ReadVars(root, version, arch string) (Vars, error) {
	major, minor, _ := strings.Cut(version, ".")
	v := Vars{"releasever": major, "releasever_major": major, "releasever_minor": minor, "basearch": arch, "arch": arch}
	for _, glob := range []string{"etc/yum/vars/*", "etc/dnf/vars/*"} {
		files, _ := filepath.Glob(filepath.Join(root, glob))
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("read the host's dnf configuration: %w", err)
			}
			v[filepath.Base(file)] = strings.TrimSpace(string(text))
		}
	}
	return v, nil
}

// Expand replaces $name and ${name}. What is not known stays.
func (v Vars) Expand(text string) string {
	return os.Expand(text, func(name string) string {
		if value, ok := v[name]; ok {
			return value
		}
		return "$" + name
	})
}

// ReadSources returns the repositories that dnf on the host below root is
// configured with and that are enabled.
func ReadSources(root string, vars Vars) ([]Source, error) {
	files, _ := filepath.Glob(filepath.Join(root, "etc/yum.repos.d/*.repo"))
	slices.Sort(files)
	var all []Source
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the host's dnf configuration: %w", err)
		}
		all = append(all, parseSources(string(text), vars)...)
	}
	return all, nil
}

// Proxy returns the URL of the proxy that dnf on the host below root uses, ""
// for none.
func Proxy(root string) string {
	text, err := os.ReadFile(filepath.Join(root, "etc/dnf/dnf.conf"))
	if err != nil {
		return "" // it is only a default
	}
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, "="); strings.TrimSpace(name) == "proxy" {
			if value = strings.TrimSpace(value); value != "_none_" {
				return value
			}
		}
	}
	return ""
}

// parseSources reads a *.repo file, see dnf.conf(5).
func parseSources(text string, vars Vars) []Source {
	var all []Source
	section, key := "", ""
	values := map[string]string{}
	end := func() {
		on := func(key string, otherwise bool) bool {
			switch strings.ToLower(strings.TrimSpace(values[key])) {
			case "":
				return otherwise
			case "1", "yes", "true", "on":
				return true
			}
			return false
		}
		s := Source{Name: section, Keys: strings.Join(strings.Fields(values["gpgkey"]), " "), SignedIndex: on("repo_gpgcheck", false)}
		for base := range strings.FieldsFuncSeq(values["baseurl"], separates) {
			s.Bases = append(s.Bases, strings.TrimRight(base, "/")+"/")
		}
		for _, list := range []string{"mirrorlist", "metalink"} {
			if s.Mirrors == "" {
				s.Mirrors = strings.TrimSpace(values[list])
			}
		}
		if section != "" && section != "main" && on("enabled", true) && (len(s.Bases) > 0 || s.Mirrors != "") {
			all = append(all, s)
		}
		values = map[string]string{}
	}
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || trimmed[0] == '#' || trimmed[0] == ';':
		case trimmed[0] == '[':
			end()
			section, key = strings.Trim(trimmed, "[]"), ""
		case line[0] == ' ' || line[0] == '\t':
			values[key] += "\n" + vars.Expand(trimmed)
		default:
			name, value, _ := strings.Cut(trimmed, "=")
			key = strings.TrimSpace(name)
			values[key] = vars.Expand(strings.TrimSpace(value))
		}
	}
	end()
	return all
}

func separates(r rune) bool { return r == ' ' || r == ',' || r == '\n' || r == '\t' }

// maxMirrors is how many of a list of mirrors are tried.
const maxMirrors = 4

// mirrors returns the URLs that s is to be had from.
func (s Source) mirrors(ctx context.Context, c *fetch.Client) ([]string, error) {
	if len(s.Bases) > 0 {
		return s.Bases, nil
	}
	text, err := c.Get(ctx, s.Mirrors)
	if err != nil {
		return nil, fmt.Errorf("its list of mirrors: %w", err)
	}
	var list []string
	if strings.Contains(string(text), "<metalink") {
		var m struct {
			URLs []string `xml:"files>file>resources>url"`
		}
		if err := xml.Unmarshal(text, &m); err != nil {
			return nil, fmt.Errorf("its list of mirrors: %w", err)
		}
		for _, u := range m.URLs {
			list = append(list, strings.TrimSuffix(strings.TrimSpace(u), "repodata/repomd.xml"))
		}
	} else {
		list = strings.Fields(string(text))
	}
	var out []string
	for _, u := range list {
		if strings.HasPrefix(u, "http://") || strings.HasPrefix(u, "https://") {
			out = append(out, strings.TrimRight(u, "/")+"/")
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("its list of mirrors %s names none", fetch.Shown(s.Mirrors))
	}
	return out[:min(len(out), maxMirrors)], nil
}

// Trust is where keys of repositories are found.
type Trust struct {
	Root string // of the host: /
}

// keyring returns the keys that s and its packages must be signed with.
func (t Trust) keyring(ctx context.Context, s Source, c *fetch.Client) (*pgp.Keyring, error) {
	ring := &pgp.Keyring{}
	if strings.Contains(s.Keys, "-----BEGIN PGP") {
		return ring, ring.Add([]byte(s.Keys))
	}
	named := strings.FieldsFunc(s.Keys, separates)
	if len(named) == 0 {
		named, _ = filepath.Glob(filepath.Join(t.Root, "etc/pki/rpm-gpg/*"))
		for i, file := range named {
			named[i] = "/" + strings.TrimPrefix(strings.TrimPrefix(file, t.Root), "/")
		}
	}
	return ring, fetch.Keys(ctx, c, ring, t.Root, named)
}
