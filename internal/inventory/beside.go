package inventory

import (
	"fmt"
	"maps"
	"slices"

	"pigsty/internal/diag"
)

// varsFile reads the variables of one group or host from a file of their own.
func (b *builder) varsFile(src Source) {
	of := src.Vars.Of
	g, h := b.inv.groupNamed[of.Name], b.inv.hostNamed[of.Name]
	if of.Kind == OriginGroup && g == nil || of.Kind == OriginHost && h == nil {
		if of != (Origin{OriginGroup, "ungrouped"}) && b.sound {
			b.unusedFile(src)
		}
		return
	}
	var diags diag.List
	top, ok := parseYAML(src, &b.inv.opener, &diags)
	for _, d := range diags {
		if d.Code != "empty-file" { // which is no mistake here
			b.diags.Add(d)
		}
	}
	switch {
	case !ok || top.Kind == Null:
	case top.Kind != Map:
		b.errorf(top.Pos, "wrong-kind", `write each variable as "name: value"`, "the variables of %s must be a mapping, not %s", of, top.Kind)
	case of.Kind == OriginHost:
		h.own = append(h.own, variables(top.Pairs, of)...)
	default:
		dir := slices.Index(b.inv.varsDirs, src.Vars.Dir)
		if dir < 0 {
			dir = len(b.inv.varsDirs)
			b.inv.varsDirs = append(b.inv.varsDirs, src.Vars.Dir)
		}
		for len(g.beside) <= dir {
			g.beside = append(g.beside, nil)
		}
		g.beside[dir] = append(g.beside[dir], variables(top.Pairs, of)...)
	}
}

// unusedFile warns of a file for a group or host that does not exist.
func (b *builder) unusedFile(src Source) {
	kind, known := "host", maps.Keys(b.inv.hostNamed)
	if src.Vars.Of.Kind == OriginGroup {
		kind, known = "group", maps.Keys(b.inv.groupNamed)
	}
	advice := "rename the file, or remove it"
	if near := diag.Nearest(src.Vars.Of.Name, slices.Values(slices.Sorted(known))); near != "" {
		advice = "did you mean " + near + "?"
	}
	b.diags.Add(diag.Diagnostic{
		Severity: diag.Warning, Code: "unknown-" + kind, Pos: diag.Pos{File: src.Name}, Advice: advice,
		Message: fmt.Sprintf("no %s is called %q, so these variables are not used", kind, src.Vars.Of.Name),
	})
}
