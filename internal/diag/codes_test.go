package diag

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestCodes checks that the codes which the program's text gives to diagnostics
// are those that Codes explains.
func TestCodes(t *testing.T) {
	used := usedCodes(t)
	for _, c := range Codes {
		if !slices.Contains(used, c.Name) {
			t.Errorf("nothing says %s any more: remove it from Codes", c.Name)
		}
		if c.Meaning == "" || strings.HasSuffix(c.Meaning, ".") {
			t.Errorf("%s needs a meaning, without a full stop", c.Name)
		}
	}
	for _, name := range used {
		if !slices.ContainsFunc(Codes, func(c Code) bool { return c.Name == name }) {
			t.Errorf("Codes does not explain %s: add it there and run make reference", name)
		}
	}
	if !slices.IsSortedFunc(Codes, func(a, b Code) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("Codes are not in the order of their names")
	}
}

var (
	codeForm = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

	// reports are functions that take a code: where the place is the first
	// argument the second, else the first.
	reports = map[string]int{"Fail": 1, "Warn": 1, "Note": 1, "Errorf": 1, "errorf": 1, "warnf": 1, "say": 1, "wrong": 0}
)

// usedCodes returns the codes in the sources of this module: what is given to a
// field Code, and the argument of a function that reports which has their form.
func usedCodes(t *testing.T) []string {
	var out []string
	add := func(e ast.Expr) {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		if name, _ := strconv.Unquote(lit.Value); codeForm.MatchString(name) {
			out = append(out, name)
		}
	}
	visit := func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && strings.EqualFold(key.Name, "code") {
				add(n.Value)
			}
		case *ast.AssignStmt:
			for i, left := range n.Lhs {
				if s, ok := left.(*ast.SelectorExpr); ok && s.Sel.Name == "Code" && i < len(n.Rhs) {
					add(n.Rhs[i])
				}
			}
		case *ast.CallExpr:
			name := ""
			switch f := n.Fun.(type) {
			case *ast.Ident:
				name = f.Name
			case *ast.SelectorExpr:
				name = f.Sel.Name
			}
			i, ok := reports[name]
			if !ok || len(n.Args) < 3 {
				break
			}
			if _, place := n.Args[0].(*ast.BasicLit); i == 0 || !place {
				add(n.Args[i])
			}
		}
		return true
	}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err == nil {
			ast.Inspect(file, visit)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
