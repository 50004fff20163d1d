package inventory

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"pigsty/internal/diag"
)

// What a secret begins with that is kept outside of the inventory.
const (
	awayEnv  = "env:"  // the rest is the name of an environment variable
	awayFile = "file:" // the rest is a path; a relative one starts where the inventory file lies
)

// maxSecret bounds what is read of a file, in bytes.
const maxSecret = 1 << 20

// SecretsOf returns value, which the variable called name has, with f applied to
// every scalar in it that is a secret by its place.
type SecretsOf func(name string, value Value, f func(Value) Value) Value

// SetSecrets says which values are secrets, and so may be written as references
// to what lies outside of the inventory: env:NAME or file:PATH.
func (inv *Inventory) SetSecrets(of SecretsOf) {
	inv.mu.Lock()
	defer inv.mu.Unlock()
	inv.secrets = of
	inv.reset()
}

// hasAway reports whether v holds a text that would be a reference to a secret
// outside, if it is a secret.
func hasAway(v Value) bool {
	switch v.Kind {
	case String:
		return isAway(v)
	case List:
		for _, item := range v.Items {
			if hasAway(item) {
				return true
			}
		}
	case Map:
		for _, p := range v.Pairs {
			if hasAway(p.Value) {
				return true
			}
		}
	}
	return false
}

func isAway(v Value) bool {
	return v.Kind == String && v.Tag == "" && !strings.Contains(v.Text, "{{") && (strings.HasPrefix(v.Text, awayEnv) || strings.HasPrefix(v.Text, awayFile))
}

// awayText is what a reference to a secret outside led to.
type awayText struct {
	text    string
	problem *diag.Diagnostic // without a position
}

// fetch returns value, which v has on h, with references to secrets outside
// replaced by these, and whether all could be.
func (r *references) fetch(h *Host, v *Variable, value Value) (Value, bool) {
	if r.inv.secrets == nil || !hasAway(value) {
		return value, true
	}
	complete := true
	return r.inv.secrets(v.Name, value, func(s Value) Value {
		if !isAway(s) {
			return s
		}
		found := r.lookUp(s)
		if found.problem != nil {
			d := *found.problem
			d.Pos = s.Pos
			r.find(h, v, d, func() string { return d.Advice })
			if d.Severity == diag.Error {
				complete = false
				return s
			}
		}
		s.Text, s.Tag, s.Secret = found.text, TagUnsafe, true
		return s
	}), complete
}

// lookUp finds what s refers to.
func (r *references) lookUp(s Value) awayText {
	name, isEnv := strings.CutPrefix(s.Text, awayEnv)
	if isEnv {
		return lookUpEnv(name)
	}
	path := strings.TrimPrefix(s.Text, awayFile)
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			path = filepath.Join(home, rest)
		}
	}
	if !filepath.IsAbs(path) && s.Pos.File != stdinName && s.Pos.File != extraName {
		path = filepath.Join(filepath.Dir(s.Pos.File), path)
	}
	found, known := r.files[path]
	if !known {
		found = readSecret(path)
		r.files[path] = found
	}
	return found
}

func lookUpEnv(name string) awayText {
	for i := range len(name) {
		if !isWord(name[i], i == 0) {
			name = ""
			break
		}
	}
	if name == "" {
		return missing("write the name of an environment variable after env:, or !unsafe before the value if it is the secret itself",
			"what follows env: is no name of an environment variable")
	}
	text, ok := os.LookupEnv(name)
	switch {
	case !ok:
		return missing("set it, or export it to this program", "the environment variable %s is not set", name)
	case text == "":
		return missing("set it to the secret", "the environment variable %s is empty", name)
	}
	return awayText{text: text}
}

func missing(advice, format string, args ...any) awayText {
	return awayText{problem: &diag.Diagnostic{Code: "missing-secret", Message: fmt.Sprintf(format, args...), Advice: advice}}
}

// readSecret reads the secret in the file at path.
func readSecret(path string) awayText {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil {
			return secretIn(f, info, path)
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return missing("a relative path starts where the inventory file lies; write !unsafe before the value if it is the secret itself",
			"there is no file %s", path)
	}
	return missing("make it readable for you", "%v", err)
}

func secretIn(f io.Reader, info fs.FileInfo, path string) awayText {
	if !info.Mode().IsRegular() {
		return missing("name a file", "%s is no regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	switch {
	case err != nil:
		return missing("make it readable for you", "read %s: %v", path, err)
	case len(data) > maxSecret:
		return missing("name a file that holds one secret", "%s is longer than %d bytes", path, maxSecret)
	case text == "":
		return missing("write the secret into it", "the file %s is empty", path)
	}
	found := awayText{text: text}
	if info.Mode().Perm()&0o004 != 0 {
		found.problem = &diag.Diagnostic{
			Severity: diag.Warning, Code: "readable-secret", Message: fmt.Sprintf("everybody on this machine can read %s, which holds a secret", path),
			Advice: "chmod o-r " + path,
		}
	}
	return found
}
