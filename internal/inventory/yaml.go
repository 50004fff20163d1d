package inventory

import (
	"bytes"
	"errors"
	"io"
	"strconv"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"

	"pigsty/internal/diag"
	"pigsty/internal/vault"
)

// Limits on what a file may hold, far above what any inventory needs, so that a
// hostile one cannot exhaust memory.
const (
	maxDepth   = 200       // of nested lists and mappings
	maxAliased = 2_000_000 // nodes that aliases and merge keys stand for
)

// Parse reads the one YAML document of src, which is no inventory: a file of
// another kind that a person wrote.
func Parse(src Source) (Value, diag.List) {
	var diags diag.List
	v, _ := parseYAML(src, &opener{}, &diags)
	return v, diags
}

// parseYAML reads the one document of src. It reports false when there is
// nothing to go on with; why is in diags.
func parseYAML(src Source, o *opener, diags *diag.List) (Value, bool) {
	if !vault.Is(src.Data) {
		return parseText(src, o, false, diags)
	}
	text, ok := o.file(src, diags)
	if !ok {
		return Value{}, false
	}
	return parseText(Source{Name: src.Name, Data: text}, o, true, diags)
}

// parseText is parseYAML for a text that is no vault, or no longer one.
func parseText(src Source, o *opener, isSecret bool, diags *diag.List) (Value, bool) {
	said := len(*diags)
	v, ok := parseDocument(src, o, isSecret, diags)
	if isSecret {
		for i := range (*diags)[said:] {
			(*diags)[said+i] = unquoted((*diags)[said+i])
		}
	}
	return v, ok
}

func parseDocument(src Source, o *opener, isSecret bool, diags *diag.List) (Value, bool) {
	if d, bad := checkText(src); bad {
		diags.Add(d)
		return Value{}, false
	}
	loader, err := yaml.NewLoader(bytes.NewReader(src.Data), yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxDepth), loaderlimits.AliasNone())))
	if err != nil {
		panic("inventory: " + err.Error()) // the options are constant
	}
	var document, second yaml.Node
	switch err := loader.Load(&document); {
	case errors.Is(err, io.EOF):
		diags.Add(diag.Diagnostic{Code: "empty-file", Pos: diag.Pos{File: src.Name}, Message: "the file holds nothing", Advice: `declare the hosts under "all:"`})
		return Value{}, false
	case err != nil:
		diags.Add(explainSyntax(src, err))
		return Value{}, false
	}
	c := converter{file: src.Name, diags: diags, opener: o, secret: isSecret, anchors: map[*yaml.Node]anchored{}, words: map[string]string{}}
	v := c.value(document.Content[0], place{})
	switch err := loader.Load(&second); {
	case err == nil:
		diags.Add(diag.Diagnostic{
			Code: "multiple-documents", Pos: c.pos(&second),
			Message: "a second YAML document starts here", Advice: `remove the "---" above, or give each document as a file of its own`,
		})
	case !errors.Is(err, io.EOF):
		diags.Add(explainSyntax(src, err))
	}
	return v, true
}

// converter turns the nodes of one document into Values.
type converter struct {
	file    string
	diags   *diag.List
	opener  *opener
	secret  bool // the text was decrypted
	anchors map[*yaml.Node]anchored
	words   map[string]string // every key and short scalar once: most repeat on thousands of hosts
	nodes   int               // made or stood for so far
	aliased int               // of these, by aliases and merge keys
}

// anchored is what an anchor stands for. While it is being read, nodes is 0.
type anchored struct {
	value Value
	nodes int
}

// place says where a node stands.
type place struct {
	key    string // of the mapping entry that the node is the value of
	unsafe bool   // inside a node tagged !unsafe
}

func (c *converter) pos(n *yaml.Node) diag.Pos {
	return diag.Pos{File: c.file, Line: n.Line, Col: n.Column}
}

func (c *converter) errorf(n *yaml.Node, code, message, advice string) {
	c.diags.Add(diag.Diagnostic{Code: code, Pos: c.pos(n), Message: message, Advice: advice})
}

func (c *converter) word(s string) string {
	if len(s) > 32 {
		return s
	}
	if w, ok := c.words[s]; ok {
		return w
	}
	c.words[s] = s
	return s
}

func (c *converter) value(n *yaml.Node, at place) Value {
	if n.Kind == yaml.AliasNode {
		return c.alias(n, at)
	}
	before := c.nodes
	c.nodes++
	if n.Anchor != "" {
		c.anchors[n] = anchored{}
	}
	at.unsafe = at.unsafe || n.Tag == TagUnsafe
	var v Value
	switch n.Kind {
	case yaml.ScalarNode:
		v = c.scalar(n, at)
	case yaml.SequenceNode:
		c.checkTag(n, "!!seq")
		v = Value{Kind: List, Pos: c.pos(n), Items: make([]Value, len(n.Content))}
		for i, item := range n.Content {
			v.Items[i] = c.value(item, place{unsafe: at.unsafe})
		}
	case yaml.MappingNode:
		c.checkTag(n, "!!map")
		v = c.mapping(n, at)
	}
	if n.Anchor != "" {
		c.anchors[n] = anchored{v, c.nodes - before}
	}
	return v
}

func (c *converter) alias(n *yaml.Node, at place) Value {
	target, known := c.anchors[n.Alias]
	switch {
	case !known: // the anchor stands in a part that was skipped
		return c.value(n.Alias, at)
	case target.nodes == 0:
		c.errorf(n, "alias-loop", "*"+n.Value+" stands inside of what it names", "move the anchor to a value that does not hold its own alias")
		return Value{Pos: c.pos(n)}
	}
	if !c.stand(n, target.nodes) {
		return Value{Pos: c.pos(n)}
	}
	return target.value
}

// stand counts nodes that n stands for, and reports whether they are few enough.
func (c *converter) stand(n *yaml.Node, nodes int) bool {
	c.nodes += nodes
	within := c.aliased <= maxAliased
	c.aliased += nodes
	if c.aliased <= maxAliased {
		return true
	}
	if within {
		c.errorf(n, "too-many-aliases", "the aliases up to here stand for more than "+strconv.Itoa(maxAliased)+" values", "put shared variables into a group instead of aliases of aliases")
	}
	return false
}

// checkTag reports a tag on a list or mapping that changes what it means.
func (c *converter) checkTag(n *yaml.Node, own string) {
	if n.Style&yaml.TaggedStyle != 0 && n.Tag != own && n.Tag != TagUnsafe {
		c.unknownTag(n)
	}
}

func (c *converter) unknownTag(n *yaml.Node) {
	c.errorf(n, "unknown-tag", "the tag "+n.Tag+" is not known here", "remove it; known are !vault, !unsafe and the YAML types such as !!str")
}

const quoted = yaml.DoubleQuotedStyle | yaml.SingleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

func (c *converter) scalar(n *yaml.Node, at place) Value {
	v := Value{Kind: String, Pos: c.pos(n), Text: c.word(n.Value), Plain: n.Style&quoted == 0, Secret: c.secret}
	if at.unsafe {
		v.Tag = TagUnsafe
	}
	if n.Style&yaml.TaggedStyle == 0 {
		if v.Plain {
			v.Kind = scalarKind(v.Text)
		}
		if c.secret && v.Kind == String {
			c.opener.keep(v.Text)
		}
		return v
	}
	switch n.Tag {
	case "!!str", "!!timestamp", TagUnsafe:
	case TagVault, "!vault-encrypted":
		v.Tag = TagVault
		return c.opener.value(v, c.diags)
	case "!!null", "!!bool", "!!int", "!!float":
		v.Kind = map[string]Kind{"!!null": Null, "!!bool": Bool, "!!int": Int, "!!float": Float}[n.Tag]
		if k := scalarKind(v.Text); k != v.Kind && !(v.Kind == Float && k == Int) {
			c.errorf(n, "wrong-kind", strconv.Quote(v.Text)+" is not "+v.Kind.String()+", as its tag "+n.Tag+" says", "remove the tag")
			v.Kind = String
		}
	default:
		c.unknownTag(n)
	}
	return v
}
