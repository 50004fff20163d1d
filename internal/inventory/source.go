package inventory

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pigsty/internal/diag"
)

// Source is the text of one file. Name is the path as the user gave it; it is
// what positions show.
type Source struct {
	Name string
	Data []byte

	// Vars says whose variables the file holds. Without it the file is an
	// inventory.
	Vars *VarsFile
}

// VarsFile is what a file below group_vars or host_vars is for.
type VarsFile struct {
	Of  Origin // a group or a host
	Dir string // that group_vars or host_vars is in
}

// ReadFile reads the file at path, which is an inventory.
func ReadFile(path string) (Source, error) {
	data, err := os.ReadFile(path)
	return Source{Name: path, Data: data}, err
}

// stdinName stands for standard input, in the arguments of -i and in positions.
const stdinArg, stdinName = "-", "stdin"

// Read reads what the arguments of -i name, in order: files, directories of
// files, and "-" for stdin; then the group_vars and host_vars beside them. The
// error is that of a path that cannot be read; what is wrong with what was read
// is in the list.
func Read(args []string, stdin io.Reader) ([]Source, diag.List, error) {
	var r reader
	for i, arg := range args {
		if arg == stdinArg {
			if slices.Contains(args[:i], arg) {
				r.errorf(stdinName, "stdin-twice", "name it once", "standard input was read already")
				continue
			}
			data, err := io.ReadAll(stdin)
			if err != nil {
				return nil, nil, err
			}
			r.add(Source{Name: stdinName, Data: data}, 0)
			continue
		}
		if err := r.path(arg); err != nil {
			return nil, nil, err
		}
	}
	for _, dir := range r.dirs {
		if err := r.varsOf(dir); err != nil {
			return nil, nil, err
		}
	}
	return r.sources, r.diags, nil
}

// reader collects sources.
type reader struct {
	sources []Source
	dirs    []string // where group_vars and host_vars are looked for
	diags   diag.List
}

func (r *reader) errorf(file, code, advice, format string, args ...any) {
	r.diags.Add(diag.Diagnostic{Code: code, Pos: diag.Pos{File: file}, Message: fmt.Sprintf(format, args...), Advice: advice})
}

func (r *reader) warnf(file, code, advice, format string, args ...any) {
	r.diags.Add(diag.Diagnostic{Severity: diag.Warning, Code: code, Pos: diag.Pos{File: file}, Message: fmt.Sprintf(format, args...), Advice: advice})
}

// path reads the file or directory that an argument names.
func (r *reader) path(arg string) error {
	info, err := os.Stat(arg)
	if err != nil {
		return err
	}
	dir := arg
	if info.IsDir() {
		err = r.directory(arg)
	} else {
		dir = filepath.Dir(arg)
		err = r.file(arg, info.Mode())
	}
	if !slices.Contains(r.dirs, dir) {
		r.dirs = append(r.dirs, dir)
	}
	return err
}

// file reads one inventory.
func (r *reader) file(path string, mode fs.FileMode) error {
	src, err := ReadFile(path)
	if err == nil {
		r.add(src, mode)
	}
	return err
}

// add takes src, unless it is of a kind that is not read here.
func (r *reader) add(src Source, mode fs.FileMode) {
	program := bytes.HasPrefix(src.Data, elf) || mode&0o111 != 0 && bytes.HasPrefix(src.Data, []byte("#!"))
	switch {
	case program:
		r.errorf(src.Name, "executable-inventory", "save what it prints with --list in a .json file and name that",
			"the file is a program, and inventories are not run here")
	case strings.EqualFold(filepath.Ext(src.Name), ".ini"):
		r.errorf(src.Name, "ini-inventory", iniAdvice, "inventories in INI form are not read here")
	default:
		r.sources = append(r.sources, src)
	}
}

// elf begins the programs of Linux.
var elf = []byte("\x7fELF")

// iniAdvice is what to do with an inventory in INI form.
const iniAdvice = `write it as YAML: "all:", "children:", then the groups; ansible-inventory -i FILE --list --yaml does that`

// directory reads the inventories in dir, in the order of their names. Links to
// this program, which "pigsty link" makes there, are none.
func (r *reader) directory(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	before := len(r.sources) + len(r.diags)
	for _, e := range entries {
		if hidden(e.Name()) {
			continue
		}
		path := filepath.Join(dir, e.Name())
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		ext := strings.ToLower(filepath.Ext(path))
		switch {
		case info.IsDir() || isOwnProgram(info):
		case isYAML(ext):
			err = r.file(path, info.Mode())
		case ext == ".ini" || ext == "" && e.Name() == "hosts":
			r.errorf(path, "ini-inventory", iniAdvice, "of a directory only files called *.yml and *.yaml are read")
		}
		if err != nil {
			return err
		}
	}
	if len(r.sources)+len(r.diags) == before {
		r.errorf(dir, "no-inventory", "put the inventory there, or name a file", "the directory holds no file called *.yml or *.yaml")
	}
	return nil
}

func isYAML(ext string) bool { return ext == ".yml" || ext == ".yaml" }

// hidden reports whether a file of a directory is passed over.
func hidden(name string) bool { return strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") }

// isOwnProgram reports whether a file is the program that runs.
func isOwnProgram(info fs.FileInfo) bool {
	if info.Mode()&0o111 == 0 {
		return false
	}
	self, err := os.Executable()
	if err != nil {
		return false
	}
	own, err := os.Stat(self)
	return err == nil && os.SameFile(own, info)
}

// varsOf reads the files below group_vars and host_vars of dir.
func (r *reader) varsOf(dir string) error {
	for _, kind := range []struct {
		sub    string
		origin OriginKind
	}{{"group_vars", OriginGroup}, {"host_vars", OriginHost}} {
		sub := filepath.Join(dir, kind.sub)
		entries, err := os.ReadDir(sub)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		used := map[string]string{} // by group or host, the file or directory that is read
		for _, ext := range varsExtensions {
			for _, e := range entries {
				name, ok := strings.CutSuffix(e.Name(), ext)
				path := filepath.Join(sub, e.Name())
				switch {
				case !ok || hidden(e.Name()) || name == "" || ext == "" && slices.Contains(ignoredExtensions, filepath.Ext(name)):
				case used[name] != "":
					r.warnf(path, "file-ignored", "move its variables there, or rename one of them", "the file is ignored, since %s is there too", used[name])
				default:
					used[name] = path
					if err := r.vars(path, VarsFile{Origin{kind.origin, name}, dir}); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

// varsExtensions are what the name of a file of variables can end in. Of files
// for the same name Ansible reads only the first, in this order.
var varsExtensions = []string{"", ".yml", ".yaml", ".json"}

// ignoredExtensions are those of files that lie about beside variables, and of
// the variables themselves, which have their turn.
var ignoredExtensions = []string{".yml", ".yaml", ".json", ".md", ".rst", ".txt", ".cfg", ".ini", ".bak", ".orig", ".swp", ".retry", ".pyc"}

// vars reads the file of variables at path, or those in the directory at path
// and the directories in it, in the order of their names.
func (r *reader) vars(path string, what VarsFile) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		src, err := ReadFile(path)
		src.Vars = &what
		r.sources = append(r.sources, src)
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); hidden(e.Name()) || !slices.Contains(varsExtensions, ext) {
			continue
		}
		if err := r.vars(filepath.Join(path, e.Name()), what); err != nil {
			return err
		}
	}
	return nil
}
