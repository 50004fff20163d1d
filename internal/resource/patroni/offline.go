package patroni

import (
	"strings"

	"pigsty/internal/resource"
)

// Against returns what making d of a cluster that is as other declares would
// change, without asking it. version is as server_version_num.
func (d DynamicConfig) Against(other DynamicConfig, version int) resource.Change {
	return classify(d.differences(other.Desired), version)
}

// RestartSettings returns the settings of PostgreSQL in a change of a
// DynamicConfig that only a restart applies. version is as server_version_num.
func RestartSettings(c resource.Change, version int) []string {
	var out []string
	for _, a := range c.Attrs {
		if name, ok := strings.CutPrefix(a.Name, "postgresql.parameters."); ok && needsRestart(name, version) {
			out = append(out, name)
		}
	}
	return out
}
