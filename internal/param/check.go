package param

import (
	"fmt"
	"strings"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
)

// Check reports the variables whose names are not those of a parameter: errors
// for what looks like a slip, warnings for what no longer does anything, notes
// for older names, what has no effect, other modules and the user's own variables.
func (c *Catalogue) Check(vars inventory.Vars) diag.List {
	var l diag.List
	for v := range vars.All() {
		p, known := c.byName[v.Name]
		if strings.HasPrefix(v.Name, "ansible_") {
			if v.Value.Tag == inventory.TagVault {
				l.Add(inventory.Locked(v.Value.Pos, v.Name))
			}
			continue
		}
		if known {
			l.Add(p.field.idleAt(v.NamePos, v.Name)...)
		}
		if known && p.Name == v.Name {
			continue
		}
		d := diag.Diagnostic{Pos: v.NamePos}
		if known {
			d.Severity, d.Code = diag.Note, "renamed-parameter"
			d.Message, d.Advice = fmt.Sprintf("%s is now called %s", v.Name, p.Name), "rename it"
			if _, both := vars.Get(p.Name); both {
				d.Severity = diag.Warning
				d.Message, d.Advice = fmt.Sprintf("%s is ignored because %s is set too", v.Name, p.Name), "remove it"
			}
		} else {
			c.unknown(&d, v.Name)
		}
		l.Add(d)
	}
	return l
}

// idleAt says that what is written at pos as name does nothing, if that is so.
func (f *field) idleAt(pos diag.Pos, name string) diag.List {
	if f.idle == "" {
		return nil
	}
	return diag.List{{
		Severity: diag.Note, Code: "no-effect", Pos: pos,
		Message: fmt.Sprintf("%s has no effect in this version: %s", name, f.idle),
	}}
}

// unknown says what can be said about a name that is no parameter's.
func (c *Catalogue) unknown(d *diag.Diagnostic, name string) {
	if reason := c.obsolete(name); reason != "" {
		d.Severity, d.Code = diag.Warning, "obsolete-parameter"
		d.Message, d.Advice = fmt.Sprintf("%s does nothing any more: %s", name, reason), "remove it"
		return
	}
	if m := unmanaged(name); m != "" {
		d.Severity, d.Code = diag.Note, "unmanaged-parameter"
		d.Message = fmt.Sprintf("parameters of the %s module do nothing: this version does not manage it", m)
		return
	}
	module, near := c.owner(name), c.Nearest(name)
	if module == "" && (near == "" || !slip(name, near)) {
		d.Severity, d.Code = diag.Note, "own-variable"
		d.Message = fmt.Sprintf("%s is not a parameter; it can only be used in references", name)
		return
	}
	d.Code, d.Message = "unknown-parameter", fmt.Sprintf("%s is not a parameter", name)
	switch {
	case near != "":
		d.Advice = "write " + near
	default:
		d.Message += " of the " + module + " module"
		d.Advice = "remove it, or rename it if it is a variable of your own"
	}
}

// slip reports whether name, which begins like no module's parameters, must have
// been meant for the parameter near all the same: one of them is the other with
// a mistake in its first word or in the rest, not in both. It spares variables
// of the user's own that only happen to be close.
func slip(name, near string) bool {
	first, rest, _ := strings.Cut(name, "_")
	nearFirst, nearRest, parts := strings.Cut(near, "_")
	return parts && (first == nearFirst || rest == nearRest)
}

// obsolete returns why name no longer does anything, or "".
func (c *Catalogue) obsolete(name string) string {
	for _, m := range c.modules {
		if reason := m.Obsolete[name]; reason != "" {
			return reason
		}
	}
	return ""
}

// owner returns the module that names like this belong to, or "".
func (c *Catalogue) owner(name string) string {
	for _, m := range c.modules {
		for _, prefix := range m.Prefixes {
			if strings.HasPrefix(name, prefix) {
				return m.Name
			}
		}
	}
	return ""
}
