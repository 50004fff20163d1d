package postgres

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

func TestRole(t *testing.T) {
	h, s := host(t), live.server
	reach(t, h, Role{Server: s, Name: "t_group", Login: Some(false), Comment: `it's a "group" \ here`}, `
create (does not exist) impact none
login: "true" → "false"
comment: "" → "it's a \"group\" \\ here"`)
	user := Role{Server: s, Name: "t_user", Password: secret.New("pa'ss\\w"), Superuser: Some(false), CreateDB: Some(true), ConnLimit: Some(0),
		ExpireAt: "2030-12-31", Roles: []Membership{{Name: "t_group"}},
		Parameters: map[string]string{"search_path": `public,"$user"`, "work_mem": "64MB", "log_min_duration_statement": "1000", "pigsty.x": "a b"}}
	reach(t, h, user, `
create (does not exist) impact none
createdb: "false" → "true"
connlimit: "-1" → "0"
expire_at: "" → "2030-12-31"
password: "" → "******"
role t_group: "" → "granted"
parameter log_min_duration_statement: "" → "1000"
parameter pigsty.x: "" → "a b"
parameter search_path: "" → "public,\"$user\""
parameter work_mem: "" → "64MB"`)
	sql(t, h, "postgres", `ALTER ROLE t_user NOCREATEDB CONNECTION LIMIT 5 VALID UNTIL '2031-01-01' PASSWORD 'other'`, `ALTER ROLE t_user SET work_mem = '1GB'`,
		`ALTER ROLE t_user SET maintenance_work_mem = '1GB'`, `REVOKE t_group FROM t_user`)
	reach(t, h, user, `
change (differs) impact none
createdb: "false" → "true"
connlimit: "5" → "0"
expire_at: "2031-01-01 00:00:00+00" → "2030-12-31"
password: "******" → "******"
role t_group: "" → "granted"
parameter work_mem: "1GB" → "64MB"`)
	user.Parameters = map[string]string{"work_mem": "DEFAULT"}
	user.Roles = []Membership{{Name: "t_group", State: "revoke"}, {Name: "nosuch", State: "absent"}}
	user.CreateDB, user.ExpireAt = Opt[bool]{}, "infinity"
	reach(t, h, user, `
change (differs) impact none
expire_at: "2030-12-31 00:00:00+00" → "infinity"
role t_group: "granted" → ""
parameter work_mem: "64MB" → ""`)
	user.Roles = []Membership{{Name: "t_gruop"}}
	fails(t, h, user, "role t_gruop does not exist; did you mean t_group?")

	// A password by verifier; md5 of what is there counts as the same.
	reach(t, h, Role{Server: s, Name: "t_hash", Password: secret.New("md5d28cfbc9e4a1a7a97be2ec2d0c4a0a3f")}, `
create (does not exist) impact none
password: "" → "******"`)
	sql(t, h, "postgres", `SET password_encryption = md5`, `ALTER ROLE t_hash PASSWORD 'old'`)
	settled(t, h, Role{Server: s, Name: "t_hash", Password: secret.New("old")})

	// Dropping passes on what the role owns, here and in another database.
	sql(t, h, "postgres", "CREATE DATABASE t_owned OWNER t_user", "GRANT t_group TO t_user", "CREATE SCHEMA t_s AUTHORIZATION t_user",
		"ALTER DEFAULT PRIVILEGES FOR ROLE t_user GRANT SELECT ON TABLES TO t_group", "ALTER DATABASE t_owned ALLOW_CONNECTIONS true")
	sql(t, h, "t_owned", "CREATE TABLE public.x (i int)", "ALTER TABLE public.x OWNER TO t_user", "GRANT SELECT ON public.x TO t_hash")
	fails(t, h, Role{Server: s, Name: "t_user", State: Absent, Protected: true}, "cannot be dropped")
	for _, name := range []string{"t_user", "t_hash", "t_group"} {
		reach(t, h, Role{Server: s, Name: name, State: Absent}, "remove (declared absent) impact none note its sessions end, and what it owns passes to postgres")
	}
	sql(t, h, "postgres", "DROP DATABASE t_owned WITH (FORCE)", "DROP SCHEMA t_s")
}

func TestMembershipOptions(t *testing.T) {
	h, s := host(t), live.server
	options := serverVersion(t, h) >= 16
	sql(t, h, "postgres", "DROP ROLE IF EXISTS m_user", "DROP ROLE IF EXISTS m_group", "CREATE ROLE m_group", "CREATE ROLE m_user LOGIN", "GRANT m_group TO m_user WITH ADMIN OPTION")
	defer sql(t, h, "postgres", "DROP ROLE m_user", "DROP ROLE m_group")
	role := func(m Membership) Role {
		m.Name = "m_group"
		return Role{Server: s, Name: "m_user", Roles: []Membership{m}}
	}
	settled(t, h, role(Membership{}))
	reach(t, h, role(Membership{Admin: Some(false)}), `
change (differs) impact none
role m_group: "granted, admin" → "granted"`)
	if !options {
		reach(t, h, role(Membership{Set: Some(false)}), ` () impact none note options set and inherit of a membership need PostgreSQL 16`)
		return
	}
	reach(t, h, role(Membership{Set: Some(false), Inherit: Some(false), Admin: Some(true)}), `
change (differs) impact none
role m_group: "granted" → "granted, admin, no set, no inherit"`)
	// A second grant, by somebody else.
	sql(t, h, "postgres", "GRANT m_group TO m_user WITH ADMIN TRUE, SET TRUE", "CREATE ROLE m_other", "GRANT m_group TO m_other WITH ADMIN OPTION",
		"GRANT m_group TO m_user GRANTED BY m_other")
	reach(t, h, role(Membership{State: "revoke"}), `
change (differs) impact none
role m_group: "granted, admin" → ""`)
	sql(t, h, "postgres", "DROP OWNED BY m_other", "REVOKE m_group FROM m_other", "DROP ROLE m_other")
}

// The server's log (log_statement = all) and errors must not have secrets.
func TestPasswordsStayHidden(t *testing.T) {
	h, s := host(t), live.server
	if live.data == "" {
		t.Skip("the server's log is elsewhere")
	}
	r := Role{Server: s, Name: "t_secret", Password: secret.New("PlainPassword1")}
	reach(t, h, r, "create (does not exist) impact none\npassword: \"\" → \"******\"")
	stored := sql(t, h, "postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = 't_secret'")[0]
	reach(t, h, Role{Server: s, Name: "t_secret", State: Absent}, "remove (declared absent) impact none note its sessions end, and what it owns passes to postgres")
	bad := Role{Server: s, Name: "t_secret", Password: secret.New("PlainPassword1"), Parameters: map[string]string{"nosuch_setting": "1"}}
	if err := bad.Apply(t.Context(), h); err == nil || strings.Contains(err.Error(), "SCRAM") || strings.Contains(err.Error(), "Plain") {
		t.Errorf("error %v", err)
	}
	log, err := os.ReadFile(filepath.Join(filepath.Dir(live.data), "log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"PlainPassword1", stored} {
		if bytes.Contains(log, []byte(word)) {
			t.Errorf("the server's log has %s", word)
		}
	}
}

func TestVerifier(t *testing.T) {
	for _, tt := range []struct {
		role, password, stored string
		want                   bool
	}{
		{"u", "secret", "", false},
		{"foo", "bar", "md596948aad3fcae80c08a35c9b5958cd89", true},
		{"foo", "baz", "md596948aad3fcae80c08a35c9b5958cd89", false},
		{"foo", "md596948aad3fcae80c08a35c9b5958cd89", "md596948aad3fcae80c08a35c9b5958cd89", true},
		// The example of RFC 7677, section 3, as PostgreSQL would store it.
		{"user", "pencil", "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", true},
		{"user", "pencils", "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=", false},
	} {
		if got := matches(tt.role, tt.password, tt.stored); got != tt.want {
			t.Errorf("matches(%q, %q, %q) = %v", tt.role, tt.password, tt.stored, got)
		}
	}
	for in, want := range map[string]string{"I\u00adX": "IX", "user": "user", "\u00aa": "a", "\u2168": "IX", "a\u00a0b": "a b", "a\u0007ü": "a\u0007ü"} {
		if got := saslPrep(in); got != want { // the examples of RFC 4013, section 3
			t.Errorf("saslPrep(%q) = %q", in, got)
		}
	}
}

func TestExpiry(t *testing.T) {
	day := 24 * time.Hour
	left := func(d time.Duration) *time.Duration { return &d }
	for _, tt := range []struct {
		in      int
		at      string
		have    string
		left    *time.Duration
		differs bool
	}{
		{in: 30, differs: true},
		{in: 30, have: "infinity", differs: true},
		{in: 30, have: "x", left: left(30 * day)},
		{in: 30, have: "x", left: left(16 * day)},
		{in: 30, have: "x", left: left(14 * day), differs: true},
		{in: 30, have: "x", left: left(-day), differs: true},
		{in: 30, have: "x", left: left(60 * day), differs: true},
		{in: 1, have: "x", left: left(23 * time.Hour)},
		{at: "2030-01-01", have: "2030-01-01 00:00:00+08"},
		{at: "2030-01-01 08:00:00", have: "2030-01-01 08:00:00-05"},
		{at: "2030-01-01T00:00:00Z", have: "2030-01-01 08:00:00+08"},
		{at: "2030-01-01 00:00:00+00", have: "2030-01-01 05:30:00+05:30"},
		{at: "2030-01-02", have: "2030-01-01 00:00:00+08", differs: true},
		{at: "infinity", have: "2030-01-01 00:00:00+08", differs: true},
		{at: "infinity", have: "", differs: true},
		{at: "Infinity", have: "infinity"},
		{},
	} {
		_, differs := Role{ExpireIn: tt.in, ExpireAt: tt.at}.expiry(&roleRow{expires: tt.have, left: tt.left})
		if differs != tt.differs {
			t.Errorf("%+v: differs %v", tt, differs)
		}
	}
}

func TestSplitNames(t *testing.T) {
	for in, want := range map[string]string{
		`public,extension`: "public|extension", `"$user", public`: "$user|public", ` a ,  "b, c" , d`: "a|b, c|d", ``: "", `""`: "",
		`timescaledb`: "timescaledb",
	} {
		if got := strings.Join(splitNames(in), "|"); got != want {
			t.Errorf("splitNames(%q) = %q", in, got)
		}
	}
}

// Declared false and zero must arrive at the agent as declared.
func TestWire(t *testing.T) {
	resource.Register(Resources()...)
	in := Role{Server: Server{Port: 5433}, Name: "x", Login: Some(false), ConnLimit: Some(0), Password: secret.New("p"),
		Roles: []Membership{{Name: "g", Admin: Some(false)}}}
	var b bytes.Buffer
	var r, out resource.Resource = in, nil
	if err := gob.NewEncoder(&b).Encode(&r); err != nil {
		t.Fatal(err)
	}
	if err := gob.NewDecoder(&b).Decode(&out); err != nil {
		t.Fatal(err)
	}
	if got := out.(Role); fmt.Sprint(got) != fmt.Sprint(in) || !got.Login.Set || got.Password.Reveal() != "p" || got.Port != 5433 {
		t.Errorf("%+v", got)
	}
}
