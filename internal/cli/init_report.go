package cli

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"

	"pigsty/internal/conf"
	"pigsty/internal/plan"
)

// initReport is what init says about the file that it wrote, and the record of it.
type initReport struct {
	Type      string       `json:"type"` // "init"
	File      string       `json:"file"`
	Kept      string       `json:"kept,omitempty"` // the file that was there before
	Template  string       `json:"template"`
	Hosts     []netip.Addr `json:"hosts"`
	Left      []netip.Addr `json:"placeholders,omitempty"` // those of hosts that are not real yet
	Passwords int          `json:"new_passwords"`
	Decisions []decision   `json:"decisions"`
}

func (a *app) printInit(r *initReport, checks []conf.Check) {
	fmt.Fprintf(a.out, "wrote %s from the template %s: %s\n", r.File, r.Template, count(len(r.Hosts), "host"))
	if r.Kept != "" {
		fmt.Fprintf(a.out, "  what was there is %s now\n", r.Kept)
	}
	for _, d := range r.Decisions {
		line := fmt.Sprintf("  %-11s %s", d.Name, d.Value)
		if d.Why != "" {
			line += " (" + d.Why + ")"
		}
		fmt.Fprintln(a.out, line)
	}
	if r.Passwords > 0 {
		fmt.Fprintf(a.out, "  %-11s %d new ones, in that file and nowhere else\n", "passwords", r.Passwords)
	} else {
		fmt.Fprintf(a.out, "  %-11s %s\n", "passwords", a.paint(a.out, "33", "published ones, which everybody knows: change them, or begin again with -g"))
	}
	if len(r.Left) > 0 {
		words := make([]string, len(r.Left))
		for i, ip := range r.Left {
			words[i] = ip.String()
		}
		fmt.Fprintf(a.out, "  %-11s %s\n", "to do", a.paint(a.out, "33", "these stand for hosts of yours, write their addresses: "+strings.Join(words, " ")))
	}
	fmt.Fprintln(a.out)
	a.printAdvice(checks)
	option := ""
	if r.File != "pigsty.yml" {
		option = " -i " + r.File
	}
	fmt.Fprintf(a.out, "\nNext: pigsty validate%[1]s, pigsty plan%[1]s, pigsty deploy%[1]s\n", option)
}

func (a *app) initJSON(r *initReport, checks []conf.Check) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(plan.Header{Type: "version", Format: plan.Format, Command: "init"}); err != nil {
		return err
	}
	if r != nil {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	for _, c := range checks {
		if err := enc.Encode(struct {
			Type string `json:"type"` // "check"
			conf.Check
		}{"check", c}); err != nil {
			return err
		}
	}
	return nil
}

// templatesJSON lists the templates for programs.
func (a *app) templatesJSON() error {
	enc := json.NewEncoder(a.out)
	if err := enc.Encode(plan.Header{Type: "version", Format: plan.Format, Command: "init"}); err != nil {
		return err
	}
	for _, t := range conf.Templates() {
		if err := enc.Encode(struct {
			Type  string       `json:"type"` // "template"
			Name  string       `json:"name"`
			Hosts []netip.Addr `json:"hosts"`
			About string       `json:"about"`
		}{"template", t.Name, t.Hosts, t.About}); err != nil {
			return err
		}
	}
	return nil
}
