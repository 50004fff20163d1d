package pgsql

import (
	"reflect"
	"testing"
)

func TestRecords(t *testing.T) {
	const vip = "pg_vip_enabled: true, pg_vip_address: 10.0.0.9/24, "
	for _, c := range []struct{ vars, name, ip string }{
		{"", "a", "10.0.0.2"},
		{vip, "a", "10.0.0.9"},
		{vip + "pg_dns_target: vip, pg_dns_suffix: .db, ", "a.db", "10.0.0.9"},
		{vip + "pg_dns_target: primary, ", "a", "10.0.0.2"},
		{"pg_dns_target: vip, ", "a", "10.0.0.2"}, // there is none
		{"pg_dns_target: 192.0.2.1, ", "a", "192.0.2.1"},
		{"pg_dns_target: none, ", "", ""},
	} {
		s := newSite(t, "x.yml", `{all: {children: {a: {hosts: {10.0.0.1: {pg_seq: 1, pg_role: replica}, 10.0.0.2: {pg_seq: 2, pg_role: primary}}, vars: {`+c.vars+`pg_cluster: a}}}}}`, nil)
		want := map[string][]string{"a-1": {"10.0.0.1 a-1"}, "a-2": {"10.0.0.2 a-2"}}
		if c.name != "" {
			want["a"] = []string{c.ip + " " + c.name}
		}
		if got := Records(s); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %v\nwant %v", c.vars, got, want)
		}
	}
}
