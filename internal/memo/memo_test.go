package memo

import (
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	var table Table[string, string]
	calls := 0
	upper := func(key string) string { calls++; return strings.ToUpper(key) }
	for _, key := range []string{"a", "b", "a", "b", "a"} {
		if got := table.Of(key, upper); got != strings.ToUpper(key) {
			t.Errorf("%s makes %s", key, got)
		}
	}
	if calls != 2 {
		t.Errorf("%d values were computed for 2 keys", calls)
	}
}
