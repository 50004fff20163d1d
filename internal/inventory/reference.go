package inventory

import (
	"fmt"
	"slices"
	"strings"

	"pigsty/internal/diag"
)

// Limits on what references lead to, so that a few lines cannot exhaust memory.
const (
	maxPath = 100     // variables, each referring to the next
	maxText = 1 << 20 // bytes that one text becomes
)

// references expands references between variables. One belongs to an inventory
// and lives until the extra variables change; inv.mu guards it.
type references struct {
	inv       *Inventory
	templates map[string]template // nil for texts that are not understood
	values    map[hostVariable]*expansion
	path      []hostVariable // being expanded, outermost first
	uses      map[*Variable]int
	findings  map[finding]*occurrence
	order     []finding
	members   map[*Group]Value         // the names of their hosts
	files     map[string]awayText      // by path
	fetched   map[*Variable]*expansion // of variables without references to others
}

type hostVariable struct {
	host *Host
	name string
}

// expansion is what became of one variable with references.
type expansion struct {
	value  Value
	done   bool
	broken bool // value keeps a reference that could not be expanded
}

// finding is what is wrong with a variable, the same for all hosts but for the
// advice.
type finding struct {
	variable *Variable
	diag     diag.Diagnostic
}

// occurrence counts the hosts of a finding.
type occurrence struct {
	first, last *Host
	hosts       int
	advice      string // for the first host
}

func newReferences(inv *Inventory) *references {
	return &references{
		inv: inv, templates: map[string]template{}, values: map[hostVariable]*expansion{},
		uses: map[*Variable]int{}, findings: map[finding]*occurrence{}, members: map[*Group]Value{},
		files: map[string]awayText{}, fetched: map[*Variable]*expansion{},
	}
}

// expandAll returns h's effective variables with references expanded. Those
// without references are shared with other hosts.
func (r *references) expandAll(h *Host) []*Variable {
	raw := r.inv.rawVars(h)
	out, shared := raw, true
	for i, v := range raw {
		if !v.refs && !v.away {
			continue
		}
		if shared {
			out, shared = slices.Clone(raw), false
		}
		expanded := *v
		expanded.Value = r.variable(h, v).value
		out[i] = &expanded
	}
	return out
}

// variable expands v for h.
func (r *references) variable(h *Host, v *Variable) *expansion {
	if !v.refs {
		return r.plain(h, v)
	}
	key := hostVariable{h, v.Name}
	if e, ok := r.values[key]; ok {
		if !e.done && !e.broken {
			r.loop(h, v, key)
			e.broken = true
		}
		return e
	}
	e := &expansion{value: v.Value}
	r.values[key] = e
	r.uses[v]++
	r.path = append(r.path, key)
	if len(r.path) > maxPath {
		d := diag.Diagnostic{Code: "reference-loop", Pos: v.Value.Pos, Message: fmt.Sprintf("the references of %q lead through more than %d variables", v.Name, maxPath)}
		r.find(h, v, d, func() string { return "write the value itself" })
		e.broken = true
	} else {
		value, ok := r.expand(h, v, v.Value)
		value, found := r.fetch(h, v, value)
		e.value, e.broken = value, e.broken || !ok || !found
	}
	r.path = r.path[:len(r.path)-1]
	e.done = true
	return e
}

// plain expands v, which refers to no other variable, for all hosts that share
// it.
func (r *references) plain(h *Host, v *Variable) *expansion {
	if !v.away {
		return &expansion{value: v.Value, done: true}
	}
	e, ok := r.fetched[v]
	if !ok {
		value, found := r.fetch(h, v, v.Value)
		e = &expansion{value: value, done: true, broken: !found}
		r.fetched[v] = e
	}
	return e
}

func (r *references) loop(h *Host, v *Variable, key hostVariable) {
	var names []string
	for _, step := range r.path[slices.Index(r.path, key):] {
		name := step.name
		if step.host != h {
			name = fmt.Sprintf("hostvars['%s'].%s", step.host.name, name)
		}
		names = append(names, name)
	}
	names = append(names, v.Name)
	d := diag.Diagnostic{Code: "reference-loop", Pos: v.Value.Pos, Message: fmt.Sprintf("%q refers to itself: %s", v.Name, strings.Join(names, " > "))}
	r.find(h, v, d, func() string { return "write the value of one of them itself" })
}

// expand returns value with references expanded, and whether all could be.
// What holds none is shared with the result.
func (r *references) expand(h *Host, v *Variable, value Value) (Value, bool) {
	if !hasReference(value) {
		return value, true
	}
	complete := true
	switch value.Kind {
	case String:
		return r.text(h, v, value)
	case List:
		value.Items = slices.Clone(value.Items)
		for i := range value.Items {
			item, ok := r.expand(h, v, value.Items[i])
			value.Items[i], complete = item, complete && ok
		}
	case Map:
		value.Pairs = slices.Clone(value.Pairs)
		for i := range value.Pairs {
			item, ok := r.expand(h, v, value.Pairs[i].Value)
			value.Pairs[i].Value, complete = item, complete && ok
		}
	}
	return value, complete
}

// text expands one string. A string that is one reference and nothing else
// becomes what it refers to, with its kind.
func (r *references) text(h *Host, v *Variable, s Value) (Value, bool) {
	t, known := r.templates[s.Text]
	if !known {
		t, _ = parseTemplate(s.Text)
		r.templates[s.Text] = t
	}
	if t == nil {
		r.notUnderstood(h, v, s)
		return s, false
	}
	var b strings.Builder
	secret := s.Secret
	for _, p := range t {
		if p.ref == nil {
			b.WriteString(p.text)
			continue
		}
		value, err := r.eval(h, p.ref)
		if err != nil {
			r.failed(h, v, s, err)
			return s, false
		}
		if len(t) == 1 {
			value.Pos, value.Secret = s.Pos, value.Secret || s.Secret
			return value, true
		}
		text, ok := value.asText()
		if !ok {
			r.notUnderstood(h, v, s)
			return s, false
		}
		secret = secret || value.Secret
		if b.WriteString(text); b.Len() > maxText {
			d := diag.Diagnostic{Code: "reference-too-long", Pos: s.Pos, Message: fmt.Sprintf("the references of %q make a text of more than %d bytes", v.Name, maxText)}
			r.find(h, v, d, func() string { return "check which variables it repeats" })
			return s, false
		}
	}
	s.Text, s.Secret = b.String(), secret
	return s, true
}

func (r *references) notUnderstood(h *Host, v *Variable, s Value) {
	d := diag.Diagnostic{
		Severity: diag.Warning, Code: "reference-not-understood", Pos: s.Pos,
		Message: fmt.Sprintf("%q is kept as it is: only plain references are expanded", shorten(s.Text)),
	}
	r.find(h, v, d, func() string {
		return "write the value itself; {{ name }}, {{ name.key }}, {{ hostvars[host].name }}, {{ groups['name'] }} and | default('x') are understood"
	})
}

// failed says why a reference in s could not be expanded.
func (r *references) failed(h *Host, v *Variable, s Value, err error) {
	missing, ok := err.(*undefinedError)
	switch {
	case err == errBroken: // said where it broke
	case !ok:
		r.notUnderstood(h, v, s)
	default:
		r.find(h, v, diag.Diagnostic{Code: "undefined-variable", Pos: s.Pos, Message: missing.Error()}, missing.advice)
	}
}

// find notes that d holds for v on h. It asks for advice once for all hosts.
func (r *references) find(h *Host, v *Variable, d diag.Diagnostic, advice func() string) {
	f := finding{v, d}
	o, known := r.findings[f]
	switch {
	case !known:
		r.findings[f] = &occurrence{h, h, 1, advice()}
		r.order = append(r.order, f)
	case o.last != h:
		o.last = h
		o.hosts++
	}
}

// Check expands the references in the variables of all hosts and says what is
// wrong with them: loops, variables that nothing defines, and expressions that
// are more than a plain reference (a warning; they are kept as written). What
// only some of the hosts lack that a variable is for is a warning too, since
// Ansible would not look until a task uses the variable. Call it after SetExtra.
func (inv *Inventory) Check() diag.List {
	for _, h := range inv.hosts {
		h.Vars()
	}
	inv.mu.Lock()
	defer inv.mu.Unlock()
	var diags diag.List
	for _, f := range inv.refs.order {
		d, o := f.diag, inv.refs.findings[f]
		d.Advice = o.advice
		if d.Code == "undefined-variable" {
			d.Message += ", for " + o.first.name
			if o.hosts > 1 {
				d.Message += fmt.Sprintf(" and %d more", o.hosts-1)
			}
			if o.hosts < inv.refs.uses[f.variable] {
				d.Severity = diag.Warning
			}
		}
		diags.Add(d)
	}
	return diags.Sorted()
}

func shorten(s string) string {
	if short := prefix(s, 60); short != s {
		return short + "…"
	}
	return s
}
