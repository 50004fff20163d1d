package transport

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kevinburke/ssh_config"
)

// sshConfig is the user's ssh_config: the files in the order ssh reads them.
type sshConfig struct{ files []*configFile }

// configFile is one parsed file. Include lines are kept as keyword includeKey
// and loaded here, because the library fails as a whole on an included file
// with a Match line that it does not know.
type configFile struct {
	parsed   *ssh_config.Config
	includes map[string][]*configFile // by the number that stands for the Include line
}

const (
	includeKey = "x-include"
	maxInclude = 16 // nested, as in OpenSSH
)

// loadConfig reads explicit, or the user's and the system's file where explicit
// is empty; these two may be missing.
func loadConfig(explicit, home string, warn func(string)) (*sshConfig, error) {
	l := configLoader{home: home, warn: warn}
	c := &sshConfig{}
	if explicit != "" {
		f, err := l.load(explicit, filepath.Join(home, ".ssh"), 0)
		if err != nil {
			return nil, err
		}
		c.files = append(c.files, f)
		return c, nil
	}
	userDir := filepath.Join(home, ".ssh")
	for _, dir := range []string{userDir, "/etc/ssh"} {
		name := "ssh_config"
		if dir == userDir {
			name = "config"
		}
		f, err := l.load(filepath.Join(dir, name), dir, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, err
		}
		c.files = append(c.files, f)
	}
	return c, nil
}

type configLoader struct {
	home string
	warn func(string)
}

// load reads path; relative includes are found below base.
func (l configLoader) load(path, base string, depth int) (*configFile, error) {
	if depth > maxInclude {
		return nil, fmt.Errorf("%s: Include nests deeper than %d files", path, maxInclude)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &configFile{includes: map[string][]*configFile{}}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		key, arg := splitKeyword(line)
		switch strings.ToLower(key) {
		case "match":
			host, ok := matchAsHost(arg)
			if !ok {
				l.warn(fmt.Sprintf("%s:%d: Match %s is not supported; its lines are skipped", path, i+1, arg))
			}
			lines[i] = "Host " + host
		case "include":
			lines[i] = fmt.Sprint(includeKey, " ", i)
			files, err := l.include(arg, base, depth)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, i+1, err)
			}
			f.includes[fmt.Sprint(i)] = files
		}
	}
	f.parsed, err = ssh_config.DecodeBytes([]byte(strings.Join(lines, "\n")))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func (l configLoader) include(arg, base string, depth int) ([]*configFile, error) {
	patterns, err := splitWords(arg)
	if err != nil {
		return nil, err
	}
	var files []*configFile
	for _, p := range patterns {
		p = expandHome(p, l.home)
		if !filepath.IsAbs(p) {
			p = filepath.Join(base, p)
		}
		paths, err := filepath.Glob(p)
		if err != nil {
			return nil, fmt.Errorf("include %s: %w", p, err)
		}
		for _, path := range paths {
			f, err := l.load(path, base, depth+1)
			if err != nil {
				return nil, err
			}
			files = append(files, f)
		}
	}
	return files, nil
}

// splitKeyword splits a line of ssh_config into its keyword and the rest.
func splitKeyword(line string) (key, rest string) {
	line = strings.TrimSpace(line)
	i := strings.IndexAny(line, " \t=")
	if i < 0 || line[0] == '#' {
		return "", ""
	}
	rest = strings.TrimLeft(line[i:], " \t")
	rest = strings.TrimSpace(strings.TrimPrefix(rest, "="))
	if c := strings.Index(rest, " #"); c >= 0 {
		rest = strings.TrimSpace(rest[:c])
	}
	return line[:i], rest
}

// matchAsHost turns the criteria of a Match line into Host patterns, where they
// mean the same. Otherwise it returns a pattern that never matches, and false.
func matchAsHost(criteria string) (string, bool) {
	words := strings.Fields(criteria)
	switch {
	case len(words) == 1 && strings.EqualFold(words[0], "all"):
		return "*", true
	case len(words) == 2 && (strings.EqualFold(words[0], "host") || strings.EqualFold(words[0], "originalhost")):
		return strings.ReplaceAll(strings.Trim(words[1], `"`), ",", " "), true
	}
	return "!*", false
}

// apply adds to v what the config says about alias, the name given to ssh.
func (c *sshConfig) apply(v values, alias string) {
	for _, f := range c.files {
		f.apply(v, alias)
	}
}

func (f *configFile) apply(v values, alias string) {
	for _, host := range f.parsed.Hosts {
		if !host.Matches(alias) {
			continue
		}
		for _, node := range host.Nodes {
			kv, ok := node.(*ssh_config.KV)
			if !ok {
				continue
			}
			if strings.EqualFold(kv.Key, includeKey) {
				for _, inc := range f.includes[kv.Value] {
					inc.apply(v, alias)
				}
				continue
			}
			if kv.Value != "" {
				v.add(kv.Key, kv.Value)
			}
		}
	}
}

// expandHome replaces a leading ~/ by the home directory.
func expandHome(path, home string) string {
	if path == "~" {
		return home
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(home, rest)
	}
	return path
}
