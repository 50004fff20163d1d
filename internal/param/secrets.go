package param

import (
	"bytes"
	"slices"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/secret"
)

// connectionSecrets are the variables for connecting to a host that hold secrets.
var connectionSecrets = []string{"ansible_password", "ansible_ssh_pass", "ansible_become_password"}

// MapSecrets returns v, which the variable called name has, with f applied to
// every scalar in it that is a secret by its declaration: to all within a list
// or mapping that stands where a secret should. It suits inventory.SetSecrets.
func (c *Catalogue) MapSecrets(name string, v inventory.Value, f func(inventory.Value) inventory.Value) inventory.Value {
	if slices.Contains(connectionSecrets, name) {
		return v.Leaves(f)
	}
	if p, ok := c.byName[name]; ok {
		return p.field.shape.mapSecrets(v, f)
	}
	return v
}

func (s *shape) mapSecrets(v inventory.Value, f func(inventory.Value) inventory.Value) inventory.Value {
	switch {
	case !s.holdsSecrets():
	case s.kind == secretKind:
		return v.Leaves(f)
	case s.kind == objectKind:
		return s.object.mapSecrets(v, f)
	case s.kind == listKind && v.Kind == inventory.List:
		v.Items = slices.Clone(v.Items)
		for i := range v.Items {
			v.Items[i] = s.elem.mapSecrets(v.Items[i], f)
		}
	case s.kind == mapKind && v.Kind == inventory.Map:
		v.Pairs = slices.Clone(v.Pairs)
		for i, p := range v.Pairs {
			if s.elem.kind == settingKind && matchesAny(s.secrets, p.Key) {
				v.Pairs[i].Value = p.Value.Leaves(f)
			} else {
				v.Pairs[i].Value = s.elem.mapSecrets(p.Value, f)
			}
		}
	}
	return v
}

func (o *object) mapSecrets(v inventory.Value, f func(inventory.Value) inventory.Value) inventory.Value {
	switch {
	case v.Kind == inventory.Map:
		v.Pairs = slices.Clone(v.Pairs)
		for i, p := range v.Pairs {
			if field := o.byName[p.Key]; field != nil {
				v.Pairs[i].Value = field.shape.mapSecrets(p.Value, f)
			}
		}
	case v.Kind == inventory.List && o.tuple:
		v.Items = slices.Clone(v.Items)
		for i := range min(len(v.Items), len(o.fields)) {
			v.Items[i] = o.fields[i].shape.mapSecrets(v.Items[i], f)
		}
	case v.Kind != inventory.List && o.bare != nil:
		return o.bare.shape.mapSecrets(v, f)
	}
	return v
}

// Masked returns v, which the variable called name has, as it can be shown:
// with secret.Mask for what is a secret by its declaration, was decrypted, or
// has a key that is named like a secret in a variable that is no parameter.
func (c *Catalogue) Masked(name string, v inventory.Value) inventory.Value {
	_, known := c.byName[name]
	if !known {
		v = maskNamed(name, v)
	}
	v = c.MapSecrets(name, v, mask)
	return v.Leaves(func(leaf inventory.Value) inventory.Value {
		if leaf.Secret || leaf.Tag == inventory.TagVault {
			return mask(leaf)
		}
		return leaf
	})
}

// maskNamed masks what excerpts of an inventory do not show either.
func maskNamed(key string, v inventory.Value) inventory.Value {
	line := []byte(key + ": x")
	if shown, _ := diag.Hide(line, 0); !bytes.Equal(shown, line) {
		return v.Leaves(mask)
	}
	switch v.Kind {
	case inventory.Map:
		v.Pairs = slices.Clone(v.Pairs)
		for i, p := range v.Pairs {
			v.Pairs[i].Value = maskNamed(p.Key, p.Value)
		}
	case inventory.List:
		v.Items = slices.Clone(v.Items)
		for i := range v.Items {
			v.Items[i] = maskNamed("", v.Items[i])
		}
	}
	return v
}

// mask returns what stands for a scalar that must not be shown. Nothing, and an
// empty text, are no secrets.
func mask(v inventory.Value) inventory.Value {
	if v.Kind == inventory.Null || v.Text == "" {
		return v
	}
	return inventory.Value{Kind: inventory.String, Pos: v.Pos, Text: secret.Mask, Plain: true}
}
