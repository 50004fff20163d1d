package list_test

import (
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"pigsty/internal/module/list"
)

// source reads and checks packages of this program without those of others, of
// which it has the names only. It is fast, and knows less: see reads.
type source struct {
	fset *token.FileSet
	root string // of the program
	done map[string]*parsed
}

// parsed is a package with what its names stand for.
type parsed struct {
	types *types.Package
	files []*ast.File
	dir   string
	info  types.Info
}

// Import returns the package called name, which is empty unless it is one of ours.
func (s *source) Import(name string) (*types.Package, error) {
	below, ours := strings.CutPrefix(name, "pigsty/")
	if !ours {
		other := types.NewPackage(name, path.Base(name))
		other.MarkComplete()
		return other, nil
	}
	p, err := s.read(name, below)
	if err != nil {
		return nil, err
	}
	return p.types, nil
}

func (s *source) read(name, below string) (*parsed, error) {
	if p := s.done[name]; p != nil {
		return p, nil
	}
	p := &parsed{dir: filepath.Join(s.root, below), info: types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}, Types: map[ast.Expr]types.TypeAndValue{}}}
	listed, err := build.ImportDir(p.dir, 0)
	if err != nil {
		return nil, err
	}
	for _, file := range listed.GoFiles {
		f, err := parser.ParseFile(s.fset, filepath.Join(p.dir, file), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		p.files = append(p.files, f)
	}
	conf := types.Config{Importer: s, Error: func(error) {}} // what others declare is missing
	p.types, _ = conf.Check(name, s.fset, p.files, &p.info)
	s.done[name] = p
	return p, nil
}

// reads is what packages read of declared structs: fields, and names of fields
// where what they are of is not known, or where a template has them.
type reads struct {
	fields map[*types.Var]bool
	names  map[string]bool // "PACKAGE.Field"
	texts  map[string]bool // texts in the code, which may be names of parameters
}

var templateField = regexp.MustCompile(`\.([A-Z]\w*)`)

// add adds what p reads. What a check looks at is no effect.
func (r *reads) add(t *testing.T, s *source, p *parsed) {
	for _, f := range p.files {
		name := filepath.Base(s.fset.Position(f.Pos()).Filename)
		if strings.HasPrefix(name, "check") {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if sel := p.info.Selections[n]; sel != nil {
					if v, ok := sel.Obj().(*types.Var); ok {
						r.fields[v.Origin()] = true
					}
				} else if of := p.info.Types[n.X].Type; of == nil || of == types.Typ[types.Invalid] {
					r.names[p.types.Path()+"."+n.Sel.Name] = true
				}
			case *ast.Field:
				return false // tags, and types that tell nothing
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING && p.types.Name() != "cli" { // which has flags of the same names
					r.texts[text] = true
				}
			}
			return true
		})
	}
	templates, err := filepath.Glob(filepath.Join(p.dir, "templates", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range templates {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // a directory
		}
		for _, m := range templateField.FindAllStringSubmatch(string(text), -1) {
			r.names[p.types.Path()+"."+m[1]] = true
		}
	}
}

// TestEffect checks that every parameter, and every field of the objects that
// parameters take, has an effect, or says that it has none.
func TestEffect(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	s := &source{fset: token.NewFileSet(), root: root, done: map[string]*parsed{}}
	if _, err := s.Import("pigsty/internal/cli"); err != nil {
		t.Fatal(err)
	}
	r := &reads{map[*types.Var]bool{}, map[string]bool{}, map[string]bool{}}
	for name, p := range s.done {
		if strings.HasPrefix(name, "pigsty/internal/module") || name == "pigsty/internal/cli" {
			r.add(t, s, p)
		}
	}
	declared := 0
	for _, m := range list.All() {
		if len(m.Plays) == 0 {
			continue // not managed
		}
		of := reflect.TypeOf(m.Declaration.Params)
		params := s.done[of.PkgPath()].types.Scope().Lookup(of.Name()).Type()
		declared += r.check(t, params, map[types.Type]bool{})
	}
	if declared < 300 {
		t.Errorf("there are %d parameters and fields only", declared)
	}
}

// check checks the fields of the struct that is within of, and of those that it
// has, and returns how many there are.
func (r *reads) check(t *testing.T, of types.Type, seen map[types.Type]bool) int {
	switch within := of.(type) {
	case *types.Slice:
		return r.check(t, within.Elem(), seen)
	case *types.Map:
		return r.check(t, within.Elem(), seen)
	case *types.Pointer:
		return r.check(t, within.Elem(), seen)
	}
	st, ok := of.Underlying().(*types.Struct)
	if !ok || seen[of] {
		return 0
	}
	seen[of] = true
	n := 0
	for i := range st.NumFields() {
		field, tag := st.Field(i), reflect.StructTag(st.Tag(i))
		name := tag.Get("param")
		if name == "" || field.Name() == "_" {
			continue
		}
		n++
		read := r.fields[field]
		known := read || r.names[field.Pkg().Path()+"."+field.Name()] || r.texts[name]
		switch idle := tag.Get("idle"); {
		case idle != "" && read:
			t.Errorf("%s of %s is declared without effect (%s), but is read", name, of, idle)
		case idle == "" && !known:
			t.Errorf("%s of %s is read nowhere: have it do what it says, or say with the tag idle why it does nothing", name, of)
		case idle == "":
			n += r.check(t, field.Type(), seen)
		}
	}
	return n
}
