package param

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"pigsty/internal/inventory"
)

// parseYAML reads a built-in default. Its values have no position.
func parseYAML(text []byte) (inventory.Value, error) {
	var doc yaml.Node
	if err := yaml.Load(text, &doc); err != nil {
		return inventory.Value{}, err
	}
	return fromNode(&doc)
}

func fromNode(n *yaml.Node) (inventory.Value, error) {
	switch n.Kind {
	case yaml.DocumentNode:
		return fromNode(n.Content[0])
	case yaml.SequenceNode:
		v := inventory.Value{Kind: inventory.List}
		for _, c := range n.Content {
			item, err := fromNode(c)
			if err != nil {
				return v, err
			}
			v.Items = append(v.Items, item)
		}
		return v, nil
	case yaml.MappingNode:
		v := inventory.Value{Kind: inventory.Map}
		for i := 0; i < len(n.Content); i += 2 {
			item, err := fromNode(n.Content[i+1])
			if err != nil {
				return v, err
			}
			v.Pairs = append(v.Pairs, inventory.Pair{Key: n.Content[i].Value, Value: item})
		}
		return v, nil
	case yaml.ScalarNode:
		v := inventory.Value{Kind: inventory.String, Text: n.Value, Plain: n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0}
		switch n.ShortTag() {
		case "!!null":
			v.Kind = inventory.Null
		case "!!bool":
			v.Kind = inventory.Bool
		case "!!int":
			v.Kind = inventory.Int
		case "!!float":
			v.Kind = inventory.Float
		}
		return v, nil
	}
	return inventory.Value{}, fmt.Errorf("line %d: aliases have no place in a default", n.Line)
}
