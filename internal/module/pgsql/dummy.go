package pgsql

import (
	"strconv"
	"strings"

	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// addDummy adds a file that keeps room on the main disk: when that is full, the
// file can be deleted, and the server goes on until there is more.
func (m *Member) addDummy(b *plan.Builder) {
	if size := sizeInBytes(m.Params.PgDummyFilesize); size > 0 {
		b.Tag("pg_dummy").Add(&resource.Reserve{Path: homeDir + "/dummy", Size: size, Owner: m.owner()})
	}
}

// sizeInBytes reads a size such as 64MiB, 64M (the same) or 64MB (millions of bytes).
func sizeInBytes(text string) int64 {
	number := strings.TrimRight(text, " kKmMgGtTpPibB")
	unit := strings.ToLower(strings.TrimSpace(text[len(number):]))
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0
	}
	base := 1024.0
	if len(unit) == 2 && unit[1] == 'b' {
		base = 1000
	}
	if unit != "" {
		for range strings.IndexByte("bkmgtp", unit[0]) {
			n *= base
		}
	}
	return int64(n)
}
