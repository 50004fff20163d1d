package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"pigsty/internal/param"
	"pigsty/internal/plan"
)

// shownEffects is how many effects of a parameter are listed for people.
const shownEffects = 8

// parameterRecord is what is known of a parameter, as data.
type parameterRecord struct {
	Type    string   `json:"type"` // "parameter"
	Name    string   `json:"name"`
	Aka     []string `json:"aka,omitempty"`
	Module  string   `json:"module"`
	Group   string   `json:"group"`
	Kind    string   `json:"value"` // "port", "list of user"
	Enum    []string `json:"enum,omitempty"`
	Default any      `json:"default"`
	Levels  []string `json:"levels"`
	Doc     string   `json:"doc"`
	Example any      `json:"example"`
	Managed bool     `json:"managed"`         // whether this version manages the module
	Needs   string   `json:"needs,omitempty"` // what must be on for the effects
	Effects []effect `json:"effects"`
	interruption
}

// explain writes all about p: what it is, an example, and what that changes.
func (s *sample) explain(p *param.Parameter) error {
	a, example := s.app, s.catalogue.Example(p)
	t := s.try(p)
	effects, interrupts := t.effects(), t.interrupts()
	if a.json {
		enc := json.NewEncoder(a.out)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(plan.Header{Type: "version", Format: plan.Format, Command: "doc"}); err != nil {
			return err
		}
		return enc.Encode(parameterRecord{
			Type: "parameter", Name: p.Name, Aka: p.Aka, Module: p.Module, Group: p.Group, Kind: p.Type, Enum: p.Enum,
			Default: p.Default.Any(), Levels: strings.Split(p.Level, "/"), Doc: p.Doc, Example: example.Any(),
			Managed: a.manages(p.Module), Needs: t.needs, Effects: append([]effect{}, effects...), interruption: interrupts,
		})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nExample:\n", p.Describe())
	for line := range strings.Lines(param.Write(p.Name, example)) {
		b.WriteString("  " + line)
	}
	b.WriteString("\nTakes effect in")
	if t.needs != "" {
		fmt.Fprintf(&b, " (where %s is on)", t.needs)
	}
	b.WriteString(":\n")
	for i, e := range effects {
		if i == shownEffects && len(effects) > shownEffects+1 {
			fmt.Fprintf(&b, "  and %d more\n", len(effects)-i)
			break
		}
		fmt.Fprintf(&b, "  %s\n", e)
	}
	switch {
	case len(effects) > 0 && effects[0].Play == "":
		fmt.Fprintf(&b, "\n%s\n", param.Wrap("Changing it "+interrupts.sentence()+".", 78, ""))
	case len(effects) > 0:
	case a.manages(p.Module):
		b.WriteString("  no file or object of a sample deployment\n")
	default:
		fmt.Fprintf(&b, "  nothing: this version does not manage the module %s\n", p.Module)
	}
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

// String is e as a line of a list.
func (e effect) String() string {
	where := e.Where
	if e.Play != "" {
		where = "by " + e.Play + ", " + where
	}
	return e.Name + " (" + where + ")"
}

// manages reports whether the module called name has plays.
func (a *app) manages(name string) bool {
	for _, m := range a.modules {
		if m.Declaration.Name == name {
			return len(m.Plays) > 0
		}
	}
	return false
}
