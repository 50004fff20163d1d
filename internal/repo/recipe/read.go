package recipe

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/param"
)

//go:embed recipes/*.yml
var embedded embed.FS

// Mistakes are what is wrong with a recipe's file, and its text for excerpts.
type Mistakes struct {
	Found diag.List
	Texts map[string][]byte
}

// Error counts them; Found has each.
func (m *Mistakes) Error() string {
	return fmt.Sprintf("the recipe has mistakes: %d", m.Found.Count(diag.Error))
}

// Builtin returns the recipes that the program has, by name.
func Builtin() []*Recipe {
	files, err := fs.Glob(embedded, "recipes/*.yml")
	if err != nil {
		panic(err) // the pattern is constant
	}
	var all []*Recipe
	for _, name := range files {
		text, err := embedded.ReadFile(name)
		if err == nil {
			var r *Recipe
			r, err = parse(inventory.Source{Name: name, Data: text})
			all = append(all, r)
		}
		if err != nil {
			panic(fmt.Sprintf("%s: %v", name, err)) // the tests read them all
		}
	}
	return all
}

// Find returns the recipe that name means: one that the program has, or the
// file of the user's own that name is the path of. The error is a *Mistakes if
// that file is wrong.
func Find(name string) (*Recipe, error) {
	if strings.ContainsRune(name, filepath.Separator) || isFile(name) {
		src, err := inventory.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the recipe: %w", err)
		}
		return parse(src)
	}
	all := Builtin()
	var names []string
	for _, r := range all {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	near := diag.Nearest(name, slices.Values(names))
	if near != "" {
		near = " (did you mean " + near + "?)"
	}
	return nil, fmt.Errorf("there is no recipe %q%s; `pigsty repo build --list` lists them, and a path such as ./%s.yml names one of your own", name, near, name)
}

func isFile(name string) bool {
	ext := filepath.Ext(name)
	return ext == ".yml" || ext == ".yaml"
}

func parse(src inventory.Source) (*Recipe, error) {
	wrong := &Mistakes{Texts: map[string][]byte{src.Name: src.Data}}
	if len(bytes.TrimSpace(src.Data)) == 0 {
		wrong.Found.Fail(diag.Pos{File: src.Name}, "empty-file", "the file holds nothing", "write name, version, summary, license, date and go")
		return nil, wrong
	}
	v, found := inventory.Parse(src)
	wrong.Found = found
	if found.HasErrors() {
		return nil, wrong
	}
	r, found := param.Object[Recipe]("recipe", v)
	wrong.Found.Add(found...)
	if wrong.Found.HasErrors() {
		return nil, wrong
	}
	return r, nil
}
