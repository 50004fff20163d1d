package pgsql

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"pigsty/internal/diag"
	"pigsty/internal/module"
)

// templateNames are the kinds of work that there are settings for.
var templateNames = []string{"oltp", "olap", "crit", "tiny"}

// confTemplate is what pg_conf names: one of the kinds of work, or a file of the
// user's own that is based on one.
type confTemplate struct {
	Kind string // one of templateNames

	// Own is laid over what the kind gives, in the shape of Patroni's dynamic
	// configuration; null takes a key away.
	Own map[string]any
}

// templateName returns the kind of work that pg_conf names: oltp.yml is oltp.
// It is empty if pg_conf names a file.
func templateName(conf string) string {
	if name := strings.TrimSuffix(conf, ".yml"); slices.Contains(templateNames, name) {
		return name
	}
	return ""
}

// errJinja is a template that Pigsty's own tools would fill in.
var errJinja = errors.New("it has {{ or {%, which are not filled in here: write the values, and only those that differ from its base")

// readTemplate returns what pg_conf names. A file is a YAML mapping such as
//
//	base: oltp
//	synchronous_mode: quorum
//	postgresql: { parameters: { work_mem: 64MB } }
//
// On an error the template is that of the kind alone.
func readTemplate(s *module.Site, conf string) (confTemplate, error) {
	t := confTemplate{Kind: templateName(conf)}
	if t.Kind != "" {
		return t, nil
	}
	t.Kind = "oltp"
	data, err := s.File(conf)
	if err != nil {
		return t, err
	}
	if bytes.Contains(data, []byte("{{")) || bytes.Contains(data, []byte("{%")) {
		return t, errJinja
	}
	own := map[string]any{}
	if err := yaml.Unmarshal(data, &own); err != nil {
		return t, err
	}
	if base, ok := own["base"]; ok {
		name, _ := base.(string)
		if name = templateName(name); name == "" {
			return t, fmt.Errorf("its base is %v, which is none of %s", base, strings.Join(templateNames, ", "))
		}
		t.Kind = name
		delete(own, "base")
	}
	for name := range own {
		if !slices.Contains(dynamicKeys, name) {
			near := diag.Nearest(name, slices.Values(dynamicKeys))
			return t, fmt.Errorf("it has the key %s, which is neither base nor part of Patroni's dynamic configuration%s", name, orWas(near))
		}
	}
	if pg, ok := own["postgresql"]; ok && !isMapping(pg, "parameters") {
		return t, errors.New("its key postgresql is no mapping, or the key parameters in it is none")
	}
	t.Own = own
	return t, nil
}

// dynamicKeys are the keys of Patroni's dynamic configuration that concern the
// whole cluster: https://patroni.readthedocs.io/en/latest/dynamic_configuration.html.
var dynamicKeys = []string{
	"loop_wait", "ttl", "retry_timeout", "maximum_lag_on_failover", "maximum_lag_on_syncnode", "max_timelines_history",
	"primary_start_timeout", "primary_stop_timeout", "synchronous_mode", "synchronous_mode_strict", "synchronous_node_count",
	"failsafe_mode", "member_slots_ttl", "check_timeline", "slots", "ignore_slots", "postgresql",
}

func isMapping(v any, inner string) bool {
	m, ok := v.(map[string]any)
	if !ok {
		return false
	}
	if in, has := m[inner]; has {
		_, ok = in.(map[string]any)
	}
	return ok
}

func orWas(near string) string {
	if near == "" {
		return ""
	}
	return " (did you mean " + near + "?)"
}

// parameters returns what the user's own template says of server parameters.
func (t confTemplate) parameters() map[string]any {
	pg, _ := t.Own["postgresql"].(map[string]any)
	out, _ := pg["parameters"].(map[string]any)
	return out
}

// rest returns what the user's own template says of everything else.
func (t confTemplate) rest() map[string]any {
	out := maps.Clone(t.Own)
	if pg, ok := out["postgresql"].(map[string]any); ok {
		pg = maps.Clone(pg)
		delete(pg, "parameters")
		out["postgresql"] = pg
	}
	return out
}

// overlay puts own over m, key by key; null takes a key away.
func (m *mapping) overlay(own map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(own)) {
		inner, isMap := own[key].(map[string]any)
		i := slices.IndexFunc(*m, func(e entry) bool { return e.key == key })
		switch {
		case own[key] == nil && i >= 0:
			*m = slices.Delete(*m, i, i+1)
		case own[key] == nil:
		case isMap && i >= 0:
			if have, ok := (*m)[i].value.(mapping); ok {
				have.overlay(inner)
				(*m)[i].value = have
				continue
			}
			m.put(key, written(inner))
		default:
			m.put(key, written(own[key]))
		}
	}
}

// written turns what YAML holds into a value of a mapping.
func written(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := mapping{}
		out.overlay(v)
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = written(v[i])
		}
		return out
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string, bool, int:
		return v
	}
	return fmt.Sprint(v)
}

// checkTemplate checks that pg_conf names something that can be read.
func (c *Cluster) checkTemplate(s *module.Site, l *diag.List) {
	conf := c.Params.PgConf
	if _, err := readTemplate(s, conf); err != nil {
		advice := "name one of oltp.yml, olap.yml, crit.yml, tiny.yml, or a YAML file of your own with base and what differs from it"
		if near := diag.Nearest(strings.TrimSuffix(conf, ".yml"), slices.Values(templateNames)); near != "" {
			advice = "write " + near + ".yml, or name a YAML file of your own with base and what differs from it"
		}
		l.Add(diag.Diagnostic{
			Code: "unknown-template", Pos: c.first().At("pg_conf"), Advice: advice,
			Message: fmt.Sprintf("cluster %s cannot have the parameters of %s: %v", c.Name, conf, err),
		})
	}
}
