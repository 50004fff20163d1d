package cli

import (
	"encoding/json"
	"errors"
	"math"
	"strings"

	"pigsty/internal/inventory"
)

// ansibleFlags are those of list that speak Ansible's protocol for inventories
// that are programs.
type ansibleFlags struct {
	on          bool
	list        bool
	host        string
	showSecrets bool
}

// check finds combinations of flags that mean nothing.
func (f ansibleFlags) check(limit string) error {
	switch {
	case !f.on && (f.list || f.host != "" || f.showSecrets):
		return errors.New("--list, --host and --show-secrets go with --ansible")
	case f.on && f.list && f.host != "":
		return errors.New("give either --list or --host, not both")
	case f.on && limit != "":
		return errors.New("--ansible is about all hosts: leave out -l, and give it to Ansible")
	}
	return nil
}

// listForAnsible prints the inventory, or the variables of one host, as Ansible
// expects it of a program. Secrets are themselves there.
func (a *app) listForAnsible(f ansibleFlags, extra []string) error {
	out := a.out // what load puts before it masks secrets
	if isTerminal(out) && !f.showSecrets {
		return errors.New("this would show passwords on the terminal: redirect it, or say --show-secrets")
	}
	d, err := a.load(extra)
	if err != nil {
		return err
	}
	if d.problems.HasErrors() { // Ansible would show warnings as its own
		return d.check()
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if f.host == "" {
		return enc.Encode(d.ansibleInventory())
	}
	h := d.inventory.Host(f.host)
	if h == nil {
		return d.noHost(f.host)
	}
	return enc.Encode(hostVars(h))
}

// ansibleGroup is a group as Ansible reads it.
type ansibleGroup struct {
	Hosts    []string       `json:"hosts,omitempty"`
	Children []string       `json:"children,omitempty"`
	Vars     map[string]any `json:"vars,omitempty"`
}

// ansibleInventory is all groups by name, and the hosts' variables under _meta.
func (d *deployment) ansibleInventory() map[string]any {
	vars := map[string]any{}
	for _, h := range d.inventory.Hosts() {
		vars[h.Name()] = hostVars(h)
	}
	out := map[string]any{"_meta": map[string]any{"hostvars": vars}}
	for _, g := range d.inventory.Groups() {
		group := ansibleGroup{Vars: map[string]any{}}
		for _, v := range d.inventory.GroupVars(g) {
			group.Vars[v.Name] = ansibleValue(v.Value)
		}
		for _, h := range g.Own() {
			group.Hosts = append(group.Hosts, h.Name())
		}
		for _, child := range g.Children() {
			group.Children = append(group.Children, child.Name())
		}
		out[g.Name()] = group
	}
	return out
}

// hostVars is what holds for h in the end, so that Ansible need not weigh it again.
func hostVars(h *inventory.Host) map[string]any {
	vars := map[string]any{}
	for v := range h.Vars().All() {
		vars[v.Name] = ansibleValue(v.Value)
	}
	return vars
}

// ansibleValue converts v to what Ansible reads as the same: texts that it must
// not expand, or has to decrypt itself, are marked.
func ansibleValue(v inventory.Value) any {
	switch {
	case v.Tag == inventory.TagVault:
		return map[string]any{"__ansible_vault": v.Text}
	case v.Tag == inventory.TagUnsafe && (strings.Contains(v.Text, "{{") || strings.Contains(v.Text, "{%") || strings.Contains(v.Text, "{#")):
		return map[string]any{"__ansible_unsafe": v.Text}
	case v.Kind == inventory.Float && (math.IsInf(v.Float(), 0) || math.IsNaN(v.Float())):
		return v.Text // JSON has no such number
	case v.Kind == inventory.List:
		items := make([]any, len(v.Items))
		for i, item := range v.Items {
			items[i] = ansibleValue(item)
		}
		return items
	case v.Kind == inventory.Map:
		pairs := make(map[string]any, len(v.Pairs))
		for _, p := range v.Pairs {
			pairs[p.Key] = ansibleValue(p.Value)
		}
		return pairs
	}
	return v.Any()
}
