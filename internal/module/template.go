package module

import (
	"bytes"
	"fmt"
	"io/fs"
	"text/template"
)

// Managed is the first line of files that a module writes as a whole.
const Managed = "# managed by pigsty: changes made here are undone"

// Templates are a module's files that depend on parameters.
type Templates struct{ set *template.Template }

// ParseTemplates reads templates/*.tmpl of a module's embedded files. It panics
// when one is not a template.
func ParseTemplates(files fs.FS) Templates {
	return Templates{template.Must(template.New("").Option("missingkey=error").ParseFS(files, "templates/*.tmpl"))}
}

// Render returns the template called name filled with data. Both are part of
// the program, so it panics when they do not fit, which tests find.
func (t Templates) Render(name string, data any) []byte {
	var out bytes.Buffer
	if err := t.set.ExecuteTemplate(&out, name, data); err != nil {
		panic(fmt.Sprintf("template %s: %v", name, err))
	}
	return out.Bytes()
}
