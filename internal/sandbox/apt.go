package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// source is one apt source of binary packages: what the archive at uri offers of one suite.
type source struct {
	uri, suite string
	components []string
	signedBy   string // path of a keyring, "" when apt's own are meant
}

// machineSources reads the apt configuration below etc (/etc/apt).
func machineSources(etc string) ([]source, error) {
	lists, _ := filepath.Glob(filepath.Join(etc, "sources.list.d", "*.list"))
	stanzas, _ := filepath.Glob(filepath.Join(etc, "sources.list.d", "*.sources"))
	// apt reads sources.list first and then the directory in the order of names, whatever the format.
	files := append(lists, stanzas...)
	slices.Sort(files)
	files = slices.Insert(files, 0, filepath.Join(etc, "sources.list"))
	var all []source
	for _, f := range files {
		b, err := os.ReadFile(f)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading the machine's apt configuration: %w", err)
		}
		if filepath.Ext(f) == ".sources" {
			all = append(all, parseStanzas(string(b))...)
		} else {
			all = append(all, parseOneLine(string(b))...)
		}
	}
	for i, src := range all {
		// Cloud images name their mirror in a file of its own, see apt-transport-mirror(1).
		if list, ok := strings.CutPrefix(src.uri, "mirror+file:"); ok {
			b, _ := os.ReadFile(path.Clean("/" + strings.TrimLeft(list, "/")))
			all[i].uri = firstMirror(string(b))
		}
	}
	return all, nil
}

// parseOneLine reads the format of sources.list: deb [option=value …] URI SUITE COMPONENT…
func parseOneLine(text string) []source {
	var all []source
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		rest, ok := strings.CutPrefix(strings.TrimSpace(strings.ReplaceAll(line, "\t", " ")), "deb ")
		if !ok {
			continue
		}
		var src source
		rest = strings.TrimSpace(rest)
		if opts, after, ok := strings.Cut(strings.TrimPrefix(rest, "["), "]"); ok && strings.HasPrefix(rest, "[") {
			rest = after
			for o := range strings.FieldsSeq(opts) {
				if key, ok := strings.CutPrefix(o, "signed-by="); ok && strings.HasPrefix(key, "/") {
					src.signedBy = key
				}
			}
		}
		f := strings.Fields(rest)
		if len(f) < 3 {
			continue
		}
		src.uri, src.suite, src.components = strings.TrimRight(f[0], "/"), f[1], f[2:]
		all = append(all, src)
	}
	return all
}

// parseStanzas reads the deb822 format of *.sources, see sources.list(5).
func parseStanzas(text string) []source {
	var all []source
	fields, last := map[string]string{}, ""
	end := func() {
		if fields["enabled"] != "no" && slices.Contains(strings.Fields(fields["types"]), "deb") {
			key := strings.TrimSpace(fields["signed-by"])
			if !strings.HasPrefix(key, "/") || strings.Contains(key, "\n") { // a key itself, not its path
				key = ""
			}
			for uri := range strings.FieldsSeq(fields["uris"]) {
				for suite := range strings.FieldsSeq(fields["suites"]) {
					all = append(all, source{strings.TrimRight(uri, "/"), suite, strings.Fields(fields["components"]), key})
				}
			}
		}
		fields, last = map[string]string{}, ""
	}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \r\n\t")
		name, value, ok := strings.Cut(line, ":")
		switch {
		case strings.HasPrefix(line, "#"):
		case line == "":
			end()
		case line[0] == ' ' || line[0] == '\t':
			fields[last] += "\n" + strings.TrimSpace(line)
		case ok:
			last = strings.ToLower(name)
			fields[last] = strings.TrimSpace(value)
		}
	}
	end()
	return all
}

// firstMirror returns the first entry of a mirror list: URI [TAB key:value …].
func firstMirror(text string) string {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 && !strings.HasPrefix(f[0], "#") {
			return strings.TrimRight(f[0], "/")
		}
	}
	return ""
}

// archive is a Debian archive to build base images from.
type archive struct {
	main, security string // URIs; security may be ""
	keyrings       []string
}

// suites of Debian that mark an archive as Debian's.
var debianSuites = []string{"bullseye", "bookworm", "trixie", "forky", "sid", "oldoldstable", "oldstable", "stable", "testing", "unstable"}

// debianArchive picks the first Debian main archive of the sources. Other repositories too name a Debian
// suite and a component "main", so it must also look like Debian's own: a path that ends in "debian", or
// the suite's updates beside it.
func debianArchive(sources []source) (archive, error) {
	var a archive
	has := func(uri, suite string) bool {
		return slices.ContainsFunc(sources, func(s source) bool { return s.uri == uri && s.suite == suite })
	}
	for _, s := range sources {
		if slices.Contains(debianSuites, s.suite) && slices.Contains(s.components, "main") && fetchable(s.uri) &&
			(path.Base(s.uri) == "debian" || has(s.uri, s.suite+"-updates")) {
			a.main = s.uri
			if s.signedBy != "" {
				a.keyrings = append(a.keyrings, s.signedBy)
			}
			break
		}
	}
	if a.main == "" {
		return a, errors.New("this machine's apt configuration (/etc/apt/sources.list and sources.list.d) names no Debian archive: give one with --mirror URL")
	}
	for _, s := range sources {
		if strings.HasSuffix(s.suite, "-security") && slices.Contains(debianSuites, strings.TrimSuffix(s.suite, "-security")) && fetchable(s.uri) {
			a.security = s.uri
			return a, nil
		}
	}
	a.security = securityBeside(a.main)
	return a, nil
}

// securityBeside guesses where a mirror keeps the security archive: …/debian-security beside …/debian.
func securityBeside(main string) string {
	if path.Base(main) == "debian" {
		return main + "-security"
	}
	return ""
}

// fetchable tells whether a host could use the URI too: no CD-ROM, no directory of the machine.
func fetchable(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// sourceLines is the sources.list of a base image: the suite, its updates, and the security archive when
// there is one and it answers.
func (a archive) sourceLines(ctx context.Context, suite string) []string {
	lines := []string{
		fmt.Sprintf("deb %s %s main", a.main, suite),
		fmt.Sprintf("deb %s %s-updates main", a.main, suite),
	}
	if a.security != "" && answers(ctx, a.security+"/dists/"+suite+"-security/InRelease") {
		lines = append(lines, fmt.Sprintf("deb %s %s-security main", a.security, suite))
	}
	return lines
}

// answers tells whether a URL can be had within five seconds.
func answers(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
