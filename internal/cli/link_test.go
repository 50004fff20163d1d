package cli

import (
	"slices"
	"strings"
	"testing"
)

// TestPositional has plays take plain arguments, as the scripts of their names do.
func TestPositional(t *testing.T) {
	for _, c := range []struct{ line, limit, extra string }{
		{"node 10.0.0.1 10.0.0.2", "10.0.0.1,10.0.0.2", ""},
		{"pgsql pg-test", "pg-test", ""},
		{"pgsql pg-test 10.0.0.1", "pg-test,10.0.0.1,&pg-test", ""},
		{"pgsql-svc pg-test 10.0.0.1 10.0.0.2", "10.0.0.1,10.0.0.2,&pg-test", ""},
		{"pgsql-rm pg-test", "pg-test", ""},
		{"pgsql-user pg-test app", "pg-test", "username=app"},
		{"pgsql-db pg-test", "pg-test", ""},
		{"pgsql-ext pg-test", "pg-test", ""},
		{"pgsql-ext pg-test pgvector postgis", "pg-test", `{"pg_extensions":["pgvector","postgis"]}`},
	} {
		words := strings.Fields(c.line)
		before := slices.Clone(words)
		limit, extra := positional(words[0], words[1:])
		if limit != c.limit || strings.Join(extra, " ") != c.extra || !slices.Equal(words, before) {
			t.Errorf("%s: %q, %q", c.line, limit, extra)
		}
	}
}
