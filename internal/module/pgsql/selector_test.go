package pgsql

import (
	"slices"
	"testing"
)

func TestQuoteLiterals(t *testing.T) {
	for in, want := range map[string]string{
		"[]":                              "[]",
		"[? pg_role == `primary`]":        "[? pg_role == `\"primary\"`]",
		"[? pg_role == `\"primary\"`]":    "[? pg_role == `\"primary\"`]",
		"[? pg_seq == `1`]":               "[? pg_seq == `1`]",
		"[? ok == `true` && a == `b c` ]": "[? ok == `true` && a == `\"b c\"` ]",
		"[? a == 'it`s' || b == `x`]":     "[? a == 'it`s' || b == `\"x\"`]",
		"[? a == `open":                   "[? a == `open",
	} {
		if got := quoteLiterals(in); got != want {
			t.Errorf("quoteLiterals(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestSelectMembers(t *testing.T) {
	members := candidates([]map[string]any{
		{"pg_role": "primary", "pg_seq": 1.0},
		{"pg_role": "replica", "pg_seq": 2.0},
		{"pg_role": "offline", "pg_seq": 3.0},
		{"pg_role": "replica", "pg_seq": 4.0, "pg_offline_query": true},
	})
	for expression, want := range map[string][]int{
		"[]": {0, 1, 2, 3},
		"[? pg_role == `primary` || pg_role == `offline` ]": {0, 2},
		"[? pg_role == `offline` || pg_offline_query ]":     {2, 3},
		"[? pg_role == `replica` && !pg_offline_query]":     {1},
		"[? pg_seq > `2`]":      {2, 3},
		"[? pg_role == 'none']": {},
	} {
		got, err := selectMembers(expression, members)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s selects %v, %v; want %v", expression, got, err, want)
		}
	}
	for _, bad := range []string{"[? pg_role", "[].pg_role", "length(@)"} {
		if _, err := selectMembers(bad, members); err == nil {
			t.Errorf("%s is accepted", bad)
		}
	}
}

func FuzzQuoteLiterals(f *testing.F) {
	f.Add("[? pg_role == `primary`]")
	f.Add("`\\`")
	f.Fuzz(func(t *testing.T, expression string) {
		once := quoteLiterals(expression)
		if twice := quoteLiterals(once); twice != once {
			t.Errorf("%q becomes %q, then %q", expression, once, twice)
		}
	})
}
