package pgsql

import (
	_ "embed"
	"maps"
	"slices"
	"strings"
	"sync"

	"pigsty/internal/diag"
)

//go:embed names/settings.txt
var settingNames string

//go:embed names/extensions.txt
var extensionNames string

// knownSettings are the server parameters of PostgreSQL itself, in lower case.
// Those with a dot belong to extensions and are not among them.
var knownSettings = sync.OnceValue(func() map[string]string {
	return readNames(strings.ToLower(settingNames))
})

// knownExtensions are extensions that are packaged, each with the library that
// must be in pg_libs for it, "" if none must.
var knownExtensions = sync.OnceValue(func() map[string]string { return readNames(extensionNames) })

// readNames reads lines of a name and perhaps another word.
func readNames(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 0 {
			out[words[0]] = strings.Join(words[1:], " ")
		}
	}
	return out
}

// nearestIn returns the name among known that is most likely meant by one that
// is not, "" if none is close.
func nearestIn(known map[string]string, name string) string {
	return diag.Nearest(name, slices.Values(slices.Sorted(maps.Keys(known))))
}
