package inventory

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/diag"
)

// builder fills an inventory from the values of its sources.
type builder struct {
	inv   *Inventory
	diags *diag.List
	edges []edge
	sound bool // all inventories could be read, so that what they do not name does not exist
	json  bool // the source is what "ansible-inventory --list" prints: names in lists, host variables under _meta
}

// edge is one mention of a group below another.
type edge struct {
	parent, child *Group
	pos           diag.Pos
}

func (b *builder) errorf(pos diag.Pos, code, advice, format string, args ...any) {
	b.diags.Add(diag.Diagnostic{Code: code, Pos: pos, Message: fmt.Sprintf(format, args...), Advice: advice})
}

func (b *builder) source(top Value) {
	switch top.Kind {
	case Map:
	case Null:
		b.errorf(top.Pos, "empty-file", `declare the hosts under "all:"`, "the file holds nothing")
		return
	default:
		b.errorf(top.Pos, "wrong-kind", `begin with "all:"`, "an inventory must be a mapping of groups, not %s", top.Kind)
		return
	}
	meta, _ := top.Get("_meta")
	hostvars, isJSON := meta.Get("hostvars")
	b.json = isJSON
	for _, p := range top.Pairs {
		switch {
		case p.Key == "_meta" && isJSON || isHolder(p.Key):
		case slices.Contains(sections, p.Key):
			b.errorf(p.KeyPos, "unknown-key", `put it below "all:"`, "%q stands outside of any group", p.Key)
		case p.Value.Kind != Map && p.Value.Kind != Null && !(isJSON && p.Value.Kind == List):
			b.errorf(p.KeyPos, "wrong-kind", `write variables for all hosts below "all:", "vars:"`, "a group must be a mapping, and %q is %s", p.Key, p.Value.Kind)
		default:
			b.group(p.Key, p.KeyPos, p.Value)
		}
	}
	for _, p := range hostvars.Pairs {
		b.hostVars(b.inv.addHost(p.Key, p.KeyPos), p.Value)
	}
}

// sections are what a group can hold.
var sections = []string{"hosts", "vars", "children"}

// isHolder reports whether a key is by convention only there to hold anchors.
func isHolder(key string) bool { return strings.HasPrefix(key, "x-") || strings.HasPrefix(key, ".") }

func (b *builder) group(name string, pos diag.Pos, v Value) *Group {
	g := b.inv.addGroup(name, pos)
	switch {
	case v.Kind == Null:
		return g
	case v.Kind == List && b.json:
		b.hosts(g, v)
		return g
	case v.Kind != Map:
		b.errorf(v.Pos, "wrong-kind", "write hosts, vars or children below it", "group %q must be a mapping, not %s", name, v.Kind)
		return g
	}
	for _, p := range v.Pairs {
		switch p.Key {
		case "hosts":
			b.hosts(g, p.Value)
		case "vars":
			b.vars(g, p.Value)
		case "children":
			b.children(g, p.Value)
		default:
			if isHolder(p.Key) {
				continue
			}
			advice := `variables go below "vars:"`
			if near := diag.Nearest(p.Key, slices.Values(sections)); near != "" {
				advice = "did you mean " + near + "?"
			}
			b.errorf(p.KeyPos, "unknown-key", advice, "unknown key %q in group %q, which can hold hosts, vars and children", p.Key, name)
		}
	}
	return g
}

func (b *builder) hosts(g *Group, v Value) {
	switch v.Kind {
	case Null:
	case Map:
		for _, p := range v.Pairs {
			b.host(g, p.Key, p.KeyPos, p.Value)
		}
	case List:
		if !b.json {
			b.errorf(v.Pos, "wrong-kind", `write "10.10.10.11:" instead of "- 10.10.10.11", one line for each`, "the hosts of group %q must be a mapping, not a list", g.name)
		}
		for _, item := range v.Items {
			switch item.Kind {
			case Map:
				b.hosts(g, item)
			case Null, List:
			default:
				b.host(g, item.Text, item.Pos, Value{Pos: item.Pos})
			}
		}
	default:
		b.host(g, v.Text, v.Pos, Value{Pos: v.Pos})
	}
}

func (b *builder) host(g *Group, pattern string, pos diag.Pos, vars Value) {
	if slices.Contains(sections, pattern) && vars.Kind == Map {
		b.errorf(pos, "unknown-key", `close the "hosts" mapping before it`, "%q stands among the hosts of group %q", pattern, g.name)
		return
	}
	name, port := splitPort(pattern)
	names, err := expandRange(name)
	if err != nil {
		advice := "write ranges as in 10.10.10.[11:13] or web[01:20]"
		if errors.Is(err, errRangeSize) {
			advice = "name fewer hosts"
		}
		b.errorf(pos, "host-range", advice, "%q: %v", pattern, err)
		return
	}
	switch vars.Kind {
	case Map, Null:
	case String, Int, Bool, Float, List:
		b.errorf(vars.Pos, "wrong-kind", fmt.Sprintf("if %q is a variable, write the host it belongs to before it: 10.10.10.10: { %s: … }", pattern, pattern),
			"the variables of host %q must be a mapping, not %s", pattern, vars.Kind)
	}
	if port != "" {
		p := Pair{Key: "ansible_port", KeyPos: pos, Value: Value{Kind: Int, Pos: pos, Text: port, Plain: true}}
		vars.Pairs = append([]Pair{p}, vars.Pairs...)
	}
	own := variables(vars.Pairs, Origin{Kind: OriginHost})
	for _, name := range names {
		h := b.inv.addHost(name, pos)
		g.addHost(h)
		h.own = slices.Grow(h.own, len(own))
		for _, v := range own {
			v.Origin.Name = h.name
			h.own = append(h.own, v)
		}
	}
}

// splitPort takes the SSH port off a host key such as "10.10.10.11:2222" or
// "web[01:20]:2222".
func splitPort(key string) (name, port string) {
	i := strings.LastIndexByte(key, ':')
	if i <= 0 || strings.Contains(key[:i], ":") && key[i-1] != ']' {
		return key, ""
	}
	if n, err := strconv.ParseUint(key[i+1:], 10, 16); err != nil || n == 0 {
		return key, ""
	}
	return key[:i], key[i+1:]
}

func (b *builder) hostVars(h *Host, v Value) {
	switch v.Kind {
	case Map:
		h.own = append(h.own, variables(v.Pairs, Origin{OriginHost, h.name})...)
	case Null:
	default:
		b.errorf(v.Pos, "wrong-kind", "", "the variables of host %q must be a mapping, not %s", h.name, v.Kind)
	}
}

func (b *builder) vars(g *Group, v Value) {
	switch v.Kind {
	case Null:
		return
	case Map:
	default:
		b.errorf(v.Pos, "wrong-kind", `write each variable as "name: value"`, "the vars of group %q must be a mapping, not %s", g.name, v.Kind)
		return
	}
	for _, variable := range variables(v.Pairs, Origin{OriginGroup, g.name}) {
		if variable.Name != "ansible_group_priority" {
			g.own = append(g.own, variable)
			continue
		}
		if variable.Value.Kind != Int {
			b.errorf(variable.Value.Pos, "wrong-kind", "", "ansible_group_priority must be an integer, not %s", variable.Value.Kind)
		}
		g.priority = int(variable.Value.Int())
	}
}

func (b *builder) children(g *Group, v Value) {
	switch v.Kind {
	case Null:
	case Map:
		for _, p := range v.Pairs {
			b.edges = append(b.edges, edge{g, b.group(p.Key, p.KeyPos, p.Value), p.KeyPos})
		}
	case List:
		if !b.json {
			b.errorf(v.Pos, "wrong-kind", `write "pg-test:" instead of "- pg-test", one line for each`, "the children of group %q must be a mapping, not a list", g.name)
		}
		for _, item := range v.Items {
			switch item.Kind {
			case Map:
				b.children(g, item)
			case Null, List:
			default:
				b.edges = append(b.edges, edge{g, b.inv.addGroup(item.Text, item.Pos), item.Pos})
			}
		}
	default:
		b.edges = append(b.edges, edge{g, b.inv.addGroup(v.Text, v.Pos), v.Pos})
	}
}
