package diag

import (
	"strings"
	"testing"
)

func TestHide(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"pg_admin_password: DBA.Secret", "pg_admin_password: ******"},
		{"    pg_admin_password: a, b } c # why", "    pg_admin_password: ******"},
		{"  - password: 'it''s, so'", "  - password: ******"},
		{"  - password: 'it''s, so' # old", "  - password: ****** # old"},
		{`password: "a"b`, "password: ******"},
		{`pg_users: [ { name: app, password: "a, b", rolse: [x] } ]`, `pg_users: [ { name: app, password: ******, rolse: [x] } ]`},
		{"pg_users: [ { name: app, password: a b, rolse: [x] }, { name: b, password: c } ]", "pg_users: [ { name: app, password: ******, rolse: [x] }, { name: b, password: ******} ]"},
		{"{ \"s3_key_secret\": x, 'azure_key': y }", "{ \"s3_key_secret\": ******, 'azure_key': ******}"},
		{"pg_admin_pasword: x", "pg_admin_pasword: ******"},
		{"pg_admin_passwrod: x", "pg_admin_passwrod: ******"},
		{"ansible_ssh_pass: x", "ansible_ssh_pass: ******"},
		{"-e pg_admin_password=x", "-e pg_admin_password=******"},
		{"pg_port: 5432 # no secret", "pg_port: 5432 # no secret"},
		{"pg_pwd_enc: scram", "pg_pwd_enc: ******"}, // rather too much than too little
		{"password:", "password:"},
		{"password: [a]", "password: ******"},
		{"nginx_users: { web: x }", "nginx_users: ******"},
		{"{ http_proxy: http://u:x@p:1, a: b }", "{ http_proxy: ******, a: b }"},
	} {
		for col := range len(test.line) + 2 {
			got, at := Hide([]byte(test.line), col)
			if string(got) != test.want {
				t.Errorf("Hide(%q) = %q, want %q", test.line, got, test.want)
			}
			if col < 1 || col > len(test.line) || at > len(got) {
				continue
			}
			if c := test.line[col-1]; c != got[at-1] && !strings.HasPrefix(string(got[at-1:]), "*") {
				t.Errorf("%q: column %d (%c) is at %d (%c) of %q", test.line, col, c, at, got[at-1], got)
			}
		}
	}
}

func TestMasked(t *testing.T) {
	sources := map[string][]byte{"f": []byte("a: b\n{ name: app, password: x: yz, roles: [boss] }\n")}
	list := List{
		{Pos: Pos{"f", 2, 27}, Message: `"," is missing before ": yz, roles", and *yz is no anchor, nor "boss"`},
		{Pos: Pos{"f", 9, 1}, Message: `"yz"`},
	}
	got := list.Masked(sources)
	if want := `"," is missing before ******, and ****** is no anchor, nor "boss"`; got[0].Message != want {
		t.Errorf("got %s, want %s", got[0].Message, want)
	}
	if got[1] != list[1] {
		t.Errorf("got %v", got[1])
	}
}
