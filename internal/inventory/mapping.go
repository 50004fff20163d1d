package inventory

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"pigsty/internal/diag"
)

func (c *converter) mapping(n *yaml.Node, at place) Value {
	v := Value{Kind: Map, Pos: c.pos(n)}
	if isUnquotedReference(n) {
		c.errorf(n, "unquoted-reference", `"{{" without quotes starts a mapping`, `quote the whole value: "{{ … }}"`)
		return Value{Pos: v.Pos}
	}
	own := pairs{list: make([]Pair, 0, len(n.Content)/2)}
	var merged pairs
	var mergeKey *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" {
			if mergeKey != nil {
				c.duplicate(key, "<<", c.pos(mergeKey), "merge several mappings with a list: <<: [*a, *b]")
				continue
			}
			mergeKey = key
			c.merge(&merged, value)
			continue
		}
		name, ok := c.key(key, at)
		if !ok {
			c.value(value, place{unsafe: at.unsafe}) // for what is to be said about it
			continue
		}
		p := Pair{Key: name, KeyPos: c.pos(key), Value: c.value(value, place{key: name, unsafe: at.unsafe})}
		if first, twice := own.find(name); twice {
			c.duplicate(key, name, own.list[first].KeyPos, "remove one of the two, or put both contents under one key")
			own.list[first] = p
			continue
		}
		own.add(p)
	}
	v.Pairs = own.list
	if len(merged.list) > 0 {
		v.Pairs = make([]Pair, 0, len(merged.list)+len(own.list))
		for _, p := range merged.list {
			if _, overridden := own.find(p.Key); !overridden {
				v.Pairs = append(v.Pairs, p)
			}
		}
		v.Pairs = append(v.Pairs, own.list...)
	}
	return c.ansibleJSON(v)
}

func (c *converter) duplicate(n *yaml.Node, name string, first diag.Pos, advice string) {
	c.errorf(n, "duplicate-key", fmt.Sprintf("%q is given twice, first on line %d", name, first.Line), advice)
}

// key returns the text of a mapping's key. Keys that are not text are errors.
func (c *converter) key(n *yaml.Node, at place) (string, bool) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case n.Kind == yaml.MappingNode && at.key == "hosts":
		c.errorf(n, "missing-host", `a host name or address is missing before "{"`, "write it in front, as in 10.10.10.10: { … }")
	case n.Kind != yaml.ScalarNode:
		c.errorf(n, "missing-key", "a name is missing here: only text can be the key of a mapping", `write "name: …"`)
	case n.Value == "" && n.Style&quoted == 0:
		c.errorf(n, "missing-key", `a name is missing before ":"`, `write "name: …"`)
	default:
		return c.word(n.Value), true
	}
	return "", false
}

// merge adds what the value of a merge key stands for: one mapping, or a list
// of which the first that has a key wins.
func (c *converter) merge(into *pairs, n *yaml.Node) {
	said := len(*c.diags)
	v := c.value(n, place{})
	if len(*c.diags) > said {
		return
	}
	if v.Kind != List {
		v = Value{Items: []Value{v}}
	}
	for _, item := range v.Items {
		if item.Kind != Map {
			c.errorf(n, "wrong-kind", `"<<" merges mappings, not `+item.Kind.String(), "let it name an anchor that a mapping has: <<: *name")
			return
		}
		if !c.stand(n, len(item.Pairs)) {
			return
		}
		for _, p := range item.Pairs {
			if _, known := into.find(p.Key); !known {
				into.add(p)
			}
		}
	}
}

// isUnquotedReference recognizes {{ name }}, which YAML reads as a mapping whose
// key is a mapping.
func isUnquotedReference(n *yaml.Node) bool {
	if len(n.Content) != 2 || n.Style&yaml.FlowStyle == 0 {
		return false
	}
	inner := n.Content[0]
	if inner.Kind != yaml.MappingNode || inner.Line != n.Line || inner.Column != n.Column+1 || len(inner.Content) == 0 {
		return false
	}
	for i := 1; i < len(inner.Content); i += 2 {
		if v := inner.Content[i]; v.Kind != yaml.ScalarNode || v.Value != "" {
			return false
		}
	}
	return true
}

// ansibleJSON undoes how Ansible writes tagged strings in JSON.
func (c *converter) ansibleJSON(v Value) Value {
	if len(v.Pairs) != 1 || v.Pairs[0].Value.Kind != String {
		return v
	}
	text := v.Pairs[0].Value
	switch v.Pairs[0].Key {
	case "__ansible_vault":
		text.Tag = TagVault
		return c.opener.value(text, c.diags)
	case "__ansible_unsafe":
		text.Tag = TagUnsafe
	default:
		return v
	}
	return text
}

// pairs is a growing list of Pairs that finds a key fast however long it gets.
type pairs struct {
	list  []Pair
	index map[string]int // once the list is long
}

func (p *pairs) find(key string) (int, bool) {
	if p.index != nil {
		i, ok := p.index[key]
		return i, ok
	}
	for i := range p.list {
		if p.list[i].Key == key {
			return i, true
		}
	}
	return 0, false
}

func (p *pairs) add(pair Pair) {
	p.list = append(p.list, pair)
	switch {
	case p.index != nil:
		p.index[pair.Key] = len(p.list) - 1
	case len(p.list) == 16:
		p.index = make(map[string]int, cap(p.list))
		for i := range p.list {
			p.index[p.list[i].Key] = i
		}
	}
}
