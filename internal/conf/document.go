package conf

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document is the text of an inventory with the places of its values. Edits are
// collected first and made together, so that one never sees what another wrote.
type document struct {
	text  string
	all   *yaml.Node // the value of all:
	lines []int      // where each line begins
	edits []edit
}

// edit puts text in place of what stands between two offsets.
type edit struct {
	from, to int
	text     string
}

func parse(text string) (*document, error) {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return nil, fmt.Errorf("byte %d is not ASCII, so columns do not count bytes", i)
		}
	}
	var root yaml.Node
	if err := yaml.Load([]byte(text), &root); err != nil {
		return nil, err
	}
	d := &document{text: text, lines: []int{0}}
	for i, c := range []byte(text) {
		if c == '\n' {
			d.lines = append(d.lines, i+1)
		}
	}
	if root.Kind == yaml.DocumentNode {
		d.all = value(root.Content[0], "all")
	}
	if value(d.all, "children") == nil || value(d.all, "vars") == nil {
		return nil, errors.New("it has no all.children and all.vars")
	}
	return d, nil
}

// value returns the value of key in the mapping m, nil if there is none.
func value(m *yaml.Node, key string) *yaml.Node {
	for k, v := range pairs(m) {
		if k.Value == key {
			return v
		}
	}
	return nil
}

// pairs yields the keys of a mapping with their values, nothing for other nodes.
func pairs(m *yaml.Node) func(yield func(k, v *yaml.Node) bool) {
	return func(yield func(k, v *yaml.Node) bool) {
		if m == nil || m.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			if !yield(m.Content[i], m.Content[i+1]) {
				return
			}
		}
	}
}

// walk calls visit for every pair of a mapping below n.
func walk(n *yaml.Node, visit func(k, v *yaml.Node)) {
	for k, v := range pairs(n) {
		visit(k, v)
	}
	for _, c := range n.Content {
		walk(c, visit)
	}
}

// offset returns where n begins in the text.
func (d *document) offset(n *yaml.Node) int { return d.lines[n.Line-1] + n.Column - 1 }

// replace puts value in place of the scalar n, inside the quotes that it has.
func (d *document) replace(n *yaml.Node, value string) {
	from := d.offset(n)
	if n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0 {
		from++
	}
	if !strings.HasPrefix(d.text[from:], n.Value) {
		panic(fmt.Sprintf("conf: line %d: %q is not written as it reads", n.Line, n.Value))
	}
	d.edits = append(d.edits, edit{from, from + len(n.Value), value})
}

// before puts text, a line without its end, above the line of n, indented as n.
func (d *document) before(n *yaml.Node, text string) {
	at := d.offset(n)
	d.edits = append(d.edits, edit{at, at, text + "\n" + strings.Repeat(" ", n.Column-1)})
}

// edited returns the text with every edit made.
func (d *document) edited() string {
	slices.SortStableFunc(d.edits, func(a, b edit) int { return a.from - b.from })
	var b strings.Builder
	at := 0
	for _, e := range d.edits {
		b.WriteString(d.text[at:e.from])
		b.WriteString(e.text)
		at = e.to
	}
	b.WriteString(d.text[at:])
	return b.String()
}

// hosts returns the addresses of the inventory's hosts in ascending order.
func (d *document) hosts() []netip.Addr {
	var out []netip.Addr
	walk(d.all, func(k, v *yaml.Node) {
		if k.Value != "hosts" {
			return
		}
		for host := range pairs(v) {
			if ip, err := netip.ParseAddr(host.Value); err == nil && !slices.Contains(out, ip) {
				out = append(out, ip)
			}
		}
	})
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}
