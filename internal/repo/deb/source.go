package deb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"pigsty/internal/repo/fetch"
)

// Source is one suite of an apt repository.
type Source struct {
	Name       string   // for messages; the URL and the suite if empty
	URI        string   // without a slash at the end
	Suite      string   // "trixie"; a path ending in "/" for a flat repository
	Components []string // none for a flat repository
	SignedBy   string   // files of keys, separated by blanks or commas, or keys in armor; empty for apt's own
	Trusted    bool     // the user waives the signature
	// CheckValid is whether an index that says itself that it is out of date is refused.
	CheckValid bool
}

// String returns the name, or what the line of sources.list has, without what
// may be a password in it.
func (s Source) String() string {
	if s.Name != "" {
		return s.Name
	}
	return strings.Join(append([]string{fetch.Shown(s.URI), s.Suite}, s.Components...), " ")
}

// ReadSources returns the repositories that the apt configuration below root,
// such as /, has for binary packages of arch (amd64).
func ReadSources(root, arch string) ([]Source, error) {
	dir := filepath.Join(root, "etc/apt/sources.list.d")
	lines, _ := filepath.Glob(filepath.Join(dir, "*.list"))
	stanzas, _ := filepath.Glob(filepath.Join(dir, "*.sources"))
	files := append(lines, stanzas...)
	slices.Sort(files) // apt reads them by name, whatever the format
	files = slices.Insert(files, 0, filepath.Join(root, "etc/apt/sources.list"))
	var all []Source
	for _, file := range files {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read the host's apt configuration: %w", err)
		}
		if filepath.Ext(file) == ".sources" {
			all = append(all, parseStanzas(string(text), arch)...)
		} else {
			all = append(all, parseLines(string(text), arch)...)
		}
	}
	for i, s := range all {
		// Cloud images name their mirrors in a file of its own, see apt-transport-mirror(1).
		if list, ok := strings.CutPrefix(s.URI, "mirror+file:"); ok {
			text, err := os.ReadFile(filepath.Join(root, path.Clean("/"+strings.TrimLeft(list, "/"))))
			if err != nil {
				return nil, fmt.Errorf("read the host's list of mirrors: %w", err)
			}
			all[i].URI = firstMirror(string(text))
		}
	}
	return slices.DeleteFunc(all, func(s Source) bool { return strings.HasPrefix(s.URI, "cdrom:") }), nil
}

// ParseLine reads what follows "deb" in sources.list: [option=value …] URI SUITE COMPONENT…
// ok is false if that is no repository of binary packages of arch.
func ParseLine(line, arch string) (s Source, ok bool) {
	s.CheckValid = true
	rest := strings.TrimSpace(line)
	if strings.HasPrefix(rest, "[") {
		var options string
		options, rest, _ = strings.Cut(rest[1:], "]")
		for o := range strings.FieldsSeq(options) {
			key, value, _ := strings.Cut(o, "=")
			switch strings.ToLower(strings.TrimRight(key, "+-")) {
			case "signed-by":
				s.SignedBy = value
			case "trusted":
				s.Trusted = value == "yes"
			case "check-valid-until":
				s.CheckValid = value != "no"
			case "arch":
				if !slices.Contains(strings.Split(value, ","), arch) {
					return s, false
				}
			}
		}
	}
	words := strings.Fields(rest)
	if len(words) < 2 || len(words) == 2 && !strings.HasSuffix(words[1], "/") {
		return s, false
	}
	s.URI, s.Suite, s.Components = strings.TrimRight(words[0], "/"), words[1], words[2:]
	return s, true
}

// parseLines reads the one-line format.
func parseLines(text, arch string) []Source {
	var all []Source
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")), "deb ")
		if !ok {
			continue
		}
		if s, ok := ParseLine(rest, arch); ok {
			all = append(all, s)
		}
	}
	return all
}

// parseStanzas reads the format of *.sources, see sources.list(5).
func parseStanzas(text, arch string) []Source {
	var all []Source
	for stanza := range paragraphs(text) {
		words := func(name string) []string { return strings.Fields(field(stanza, name)) }
		archs := words("Architectures")
		if field(stanza, "Enabled") == "no" || !slices.Contains(words("Types"), "deb") ||
			len(archs) > 0 && !slices.Contains(archs, arch) {
			continue
		}
		key := field(stanza, "Signed-By")
		if strings.Contains(key, "-----BEGIN PGP") { // where empty lines are written as dots
			key = strings.ReplaceAll(key, "\n.\n", "\n\n") + "\n"
			key = strings.TrimLeft(key, "\n")
		}
		for _, uri := range words("URIs") {
			for _, suite := range words("Suites") {
				all = append(all, Source{
					URI: strings.TrimRight(uri, "/"), Suite: suite, Components: words("Components"), SignedBy: key,
					Trusted: field(stanza, "Trusted") == "yes", CheckValid: field(stanza, "Check-Valid-Until") != "no",
				})
			}
		}
	}
	return all
}

// firstMirror returns the first entry of a list of mirrors: URI [TAB key:value …].
func firstMirror(text string) string {
	for line := range strings.Lines(text) {
		if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			return strings.TrimRight(words[0], "/")
		}
	}
	return ""
}
