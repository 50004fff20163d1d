package postgres

import (
	"maps"
	"testing"
)

func TestUserListContent(t *testing.T) {
	u := UserList{Users: []string{"b", `q"x`, "a"}, Local: []string{"postgres"}}
	stored := map[string]string{"a": "md5abc", "b": "", `q"x`: "SCRAM-SHA-256$4096:a$b:c", "postgres": "never"}
	want := `"a" "md5abc"
"b" ""
"postgres" ""
"q""x" "SCRAM-SHA-256$4096:a$b:c"
`
	if got := u.content(stored); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	have := entries(want + "; a comment\n\"broken\n")
	if !maps.Equal(have, map[string]string{"a": `"md5abc"`, "b": `""`, "postgres": `""`, `q"x`: `"SCRAM-SHA-256$4096:a$b:c"`}) {
		t.Errorf("read back as %v", have)
	}
	if missing := u.missing(map[string]string{"a": ""}); len(missing) != 2 || missing[0] != "b" {
		t.Errorf("missing %v", missing)
	}
}
