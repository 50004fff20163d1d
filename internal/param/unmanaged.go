package param

import "strings"

// elsewhere lists the prefixes of parameters that inventories made for Pigsty
// may hold and that belong to modules this program leaves alone.
var elsewhere = []struct{ prefix, module string }{
	{"kafka_", "KAFKA"},
	{"mysql_", "MYSQL"},
	{"juice_", "JUICE"},
	{"juicefs_", "JUICE"},
	{"vibe_", "VIBE"},
	{"code_", "VIBE"},
	{"jupyter_", "VIBE"},
	{"claude_", "VIBE"},
	{"codex_", "VIBE"},
	{"nodejs_", "VIBE"},
	{"npm_", "VIBE"},
	{"mongo_", "FERRET"},
	{"ferret_", "FERRET"},
	{"ferretdb_", "FERRET"},
	{"kube_", "KUBE"},
	{"duckdb_", "DUCKDB"},
	{"rustfs_", "RUSTFS"},
}

// unmanaged returns the module elsewhere that a name belongs to, or "".
func unmanaged(name string) string {
	for _, e := range elsewhere {
		if strings.HasPrefix(name, e.prefix) {
			return e.module
		}
	}
	return ""
}
