package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pigsty/internal/resource"
	"pigsty/internal/secret"
)

func TestDatabase(t *testing.T) {
	h, s := host(t), live.server
	sql(t, h, "postgres", "DROP DATABASE IF EXISTS d_app", "DROP DATABASE IF EXISTS d_copy", "DROP ROLE IF EXISTS d_owner", "DROP ROLE IF EXISTS d_admin", "CREATE ROLE d_owner LOGIN", "CREATE ROLE d_admin")
	defer sql(t, h, "postgres", "DROP DATABASE IF EXISTS d_copy WITH (FORCE)", "DROP DATABASE IF EXISTS d_app WITH (FORCE)", "DROP ROLE d_owner", "DROP ROLE d_admin")
	app := Database{Server: s, Name: "d_app", Owner: "d_owner", Template: "template0", Encoding: "UTF-8", Locale: "C", Comment: "app's",
		ConnLimit: Some(100), IsTemplate: Some(false), AllowConn: Some(true), Parameters: map[string]string{"search_path": "public,extension"}}
	if serverVersion(t, h) >= 15 {
		app.Strategy, app.LocaleProvider = "file_copy", "libc"
		reach(t, h, app, `
create (does not exist) impact none
owner: "" → "d_owner"
template: "" → "template0"
encoding: "" → "UTF-8"
locale: "" → "C"
locale_provider: "" → "libc"
strategy: "" → "file_copy"
connlimit: "-1" → "100"
parameter search_path: "" → "public,extension"
comment: "" → "app's"`)
	}
	app.Encoding = "LATIN1"
	app.LCCollate = "en_US.UTF-8"
	reach(t, h, app, "() impact none note encoding is UTF8, not LATIN1; lc_collate is C, not en_US.UTF-8: fixed when a database is created; dump it and create it anew to change that")
	sql(t, h, "postgres", "ALTER DATABASE d_app OWNER TO postgres", "ALTER DATABASE d_app CONNECTION LIMIT -1")
	app.Encoding, app.LCCollate = "utf8", "C"
	reach(t, h, app, `
change (differs) impact none
owner: "postgres" → "d_owner"
connlimit: "-1" → "100"`)
	app.Owner = "d_ownr"
	fails(t, h, app, "role d_ownr does not exist; did you mean d_owner?")
	app.Owner = "d_owner"
	app.ICURules = "x"
	// A copy of a database that somebody uses.
	sql(t, h, "d_app", "CREATE TABLE public.t (i int)")
	settled(t, h, Schema{Server: s, DB: "d_app", Name: "public"}) // leaves a connection of ours
	reach(t, h, Database{Server: s, Name: "d_copy", Template: "d_app"}, `
create (does not exist) impact none
template: "" → "d_app"`)

	fails(t, h, Database{Server: s, Name: "d_copy", State: Recreate}, "recreating it destroys its data")
	reach(t, h, Database{Server: s, Name: "d_copy", State: Recreate, Force: true}, "change (recreate was asked for) impact data loss")
	if got := sql(t, h, "d_copy", "SELECT count(*) FROM pg_class WHERE relname = 't'"); got[0] != "0" {
		t.Error("d_copy was not recreated")
	}
	settled(t, h, Schema{Server: s, DB: "d_copy", Name: "public"})
	reach(t, h, Database{Server: s, Name: "d_copy", State: Absent}, "remove (declared absent) impact data loss")
	fails(t, h, Database{Server: s, Name: "postgres", State: Absent}, "cannot be dropped")
	fails(t, h, Schema{Server: s, DB: "d_ap", Name: "x"}, "database d_ap does not exist; did you mean d_app?")
	h.SetPending("database d_new", resource.Change{Action: resource.Create})
	if c, err := (Schema{Server: s, DB: "d_new", Name: "x"}).Diff(t.Context(), h); err != nil || c.Unknown != "after database d_new is created" {
		t.Errorf("%s, %v", shown(c), err)
	}

	reach(t, h, Schema{Server: s, DB: "d_app", Name: "monitor", Owner: "d_owner"}, `
create (does not exist) impact none
owner: "" → "d_owner"`)
	reach(t, h, Schema{Server: s, DB: "d_app", Name: "monitor", Owner: "postgres"}, `
change (differs) impact none
owner: "d_owner" → "postgres"`)
	reach(t, h, Schema{Server: s, DB: "d_app", Name: "monitor", State: Absent}, "remove (declared absent) impact none")
	sql(t, h, "d_app", "CREATE SCHEMA t_full", "CREATE TABLE t_full.t (i int)")
	reach(t, h, Schema{Server: s, DB: "d_app", Name: "t_full", State: Absent}, "remove (declared absent) impact data loss note with everything in it")

	privileges := DatabasePrivileges{Server: s, DB: "d_app", Owner: "d_owner", Admin: "d_admin"}
	public := ""
	if serverVersion(t, h) < 15 {
		public = "\non schema \"public\" from PUBLIC: \"CREATE\" → \"\""
	}
	reach(t, h, privileges, `
change (differs) impact none
on database "d_app" to d_admin: "" → "CREATE"`+public+`
on schema "public" to d_admin: "" → "CREATE"`)
	privileges.RevokeConnect, privileges.ConnectGrant = Some(true), []string{"d_admin"}
	reach(t, h, privileges, `
change (differs) impact none
on database "d_app" from PUBLIC: "CONNECT" → ""
on database "d_app" to d_admin: "" → "CONNECT with grant option"`)
	privileges.RevokeConnect = Some(false)
	reach(t, h, privileges, `
change (differs) impact none
on database "d_app" to PUBLIC: "" → "CONNECT"`)

	defaults := DefaultPrivileges{Server: s, DB: "d_app", Grantors: []string{"postgres", "d_owner"}, Grants: []string{
		"GRANT USAGE ON SCHEMAS TO d_admin", "GRANT select, INSERT ON TABLES TO d_admin", "GRANT EXECUTE ON FUNCTIONS TO d_admin", "REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"}}
	reach(t, h, defaults, `
change (differs) impact none
of postgres on schemas to d_admin: "" → "USAGE"
of d_owner on schemas to d_admin: "" → "USAGE"
of postgres on tables to d_admin: "" → "SELECT, INSERT"
of d_owner on tables to d_admin: "" → "SELECT, INSERT"
of postgres on functions to d_admin: "" → "EXECUTE"
of d_owner on functions to d_admin: "" → "EXECUTE"
of postgres on functions from PUBLIC: "EXECUTE" → ""
of d_owner on functions from PUBLIC: "EXECUTE" → ""`)
	sql(t, h, "d_app", "ALTER DEFAULT PRIVILEGES FOR ROLE d_owner REVOKE INSERT ON TABLES FROM d_admin")
	reach(t, h, defaults, `
change (differs) impact none
of d_owner on tables to d_admin: "" → "INSERT"`)
	defaults.Grants = []string{"GRANT ALL ON TABLES TO d_admin WITH GRANT OPTION", "IN SCHEMA public GRANT SELECT ON SEQUENCES TO PUBLIC"}
	defaults.Grantors = defaults.Grantors[:1]
	maintain := ""
	if serverVersion(t, h) >= 17 {
		maintain = ", MAINTAIN"
	}
	reach(t, h, defaults, `
change (differs) impact none
of postgres on tables to d_admin: "" → "INSERT, SELECT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER`+maintain+` with grant option"
of postgres on sequences in public to PUBLIC: "" → "SELECT"`)
	defaults.Grants = []string{"GRANT EXECUTE ON TABLES TO d_admin"}
	fails(t, h, defaults, "has the privilege EXECUTE, which tables do not have")
	defaults.Grants = []string{"GRANT SELECT ON TABLES FOR d_admin"}
	fails(t, h, defaults, "is not understood; write it like")

	fails(t, h, Extension{Server: s, DB: "d_app", Name: "plpgsl"}, "extension plpgsl is not installed on this server; did you mean plpgsql?")
	settled(t, h, Extension{Server: s, DB: "d_app", Name: "plpgsql", Schema: "pg_catalog"})
	script := func(sql string) Baseline { return NewBaseline(s, "d_app", "base.sql", []byte(sql)) }
	baseline := script("CREATE TABLE based (i int);\nCOPY based FROM stdin;\n1\n2\n\\.\n")
	reach(t, h, baseline, "run (never ran) impact none")
	if got := sql(t, h, "d_app", "SELECT sum(i) FROM public.based"); got[0] != "3" {
		t.Errorf("baseline: %v", got)
	}
	baseline = script("SELECT 1;")
	reach(t, h, baseline, "() impact none note changed since it ran; it is not run again")
	monitor := script("CREATE TABLE watched ();")
	monitor.Topic = "monitor" // remembered beside the other
	reach(t, h, monitor, "run (never ran) impact none")
	baseline = script("CREATE TABLE half (i int); SELECT nosuch;")
	baseline.Again = true
	if err := baseline.Apply(t.Context(), h); err == nil || !strings.Contains(err.Error(), `column "nosuch" does not exist`) {
		t.Errorf("broken baseline: %v", err)
	}
	if got := sql(t, h, "d_app", "SELECT count(*) FROM pg_class WHERE relname = 'half'"); got[0] != "0" {
		t.Error("half of a baseline stayed")
	}
	reach(t, h, Database{Server: s, Name: "d_app", State: Absent}, "remove (declared absent) impact data loss")
}

// TestLocales creates databases whose locales other providers define, and finds
// no difference afterwards but that of another declaration.
func TestLocales(t *testing.T) {
	h, s := host(t), live.server
	version := serverVersion(t, h)
	if version < 15 {
		t.Skip("a server from before it could be chosen")
	}
	for _, c := range []struct {
		since            int
		d                Database
		plan, have, note string
	}{
		{15, Database{LocaleProvider: "icu", ICULocale: "en-US", Strategy: "wal_log"}, `
locale_provider: "" → "icu"
icu_locale: "" → "en-US"
strategy: "" → "wal_log"`, "i a b B g", "locale_provider is icu, not libc"},
		{16, Database{LocaleProvider: "ICU", ICULocale: "en-US", ICURules: "&a < g"}, `
locale_provider: "" → "ICU"
icu_locale: "" → "en-US"
icu_rules: "" → "&a < g"`, "i a g b B", "locale_provider is icu, not libc"},
		{17, Database{LocaleProvider: "builtin", BuiltinLocale: "C.UTF-8", Strategy: "file_copy"}, `
locale_provider: "" → "builtin"
builtin_locale: "" → "C.UTF-8"
strategy: "" → "file_copy"`, "b B a b g", "locale_provider is builtin, not libc"},
	} {
		c.d.Server, c.d.Name, c.d.Template = s, "l_app", "template0"
		if c.since > version {
			fails(t, h, c.d, fmt.Sprintf("needs PostgreSQL %d, this is %d", c.since, version))
			continue
		}
		reach(t, h, c.d, "create (does not exist) impact none\ntemplate: \"\" → \"template0\""+c.plan)
		got := sql(t, h, "l_app", "SELECT datlocprovider::text || ' ' || (SELECT string_agg(x, ' ' ORDER BY x) FROM (VALUES ('g'), ('b'), ('a'), ('B')) v (x)) FROM pg_database WHERE datname = 'l_app'")
		if got[0] != c.have {
			t.Errorf("the provider, and its order: %s, not %s", got[0], c.have)
		}
		if change, err := (Database{Server: s, Name: "l_app", LocaleProvider: "libc"}).Diff(t.Context(), h); err != nil || !strings.HasPrefix(change.Note, c.note) {
			t.Errorf("%s, %v; want the note %s", shown(change), err, c.note)
		}
		if c.d.ICULocale != "" {
			other := Database{Server: s, Name: "l_app", ICULocale: "de-DE"}
			if change, err := other.Diff(t.Context(), h); err != nil || !strings.HasPrefix(change.Note, "icu_locale is en-US, not de-DE") {
				t.Errorf("%s, %v", shown(change), err)
			}
		}
		sql(t, h, "postgres", "DROP DATABASE l_app WITH (FORCE)")
	}
}

func TestExtension(t *testing.T) {
	h, s := host(t), live.server
	if sql(t, h, "postgres", "SELECT count(*) FROM pg_available_extensions WHERE name IN ('pg_trgm', 'hstore')")[0] != "2" {
		t.Skip("the contrib extensions are not installed")
	}
	sql(t, h, "postgres", "DROP DATABASE IF EXISTS e_app", "CREATE DATABASE e_app")
	defer sql(t, h, "postgres", "DROP DATABASE e_app WITH (FORCE)")
	sql(t, h, "e_app", "CREATE SCHEMA ext")
	reach(t, h, Extension{Server: s, DB: "e_app", Name: "hstore"}, "create (does not exist) impact none")
	reach(t, h, Extension{Server: s, DB: "e_app", Name: "hstore", Schema: "ext"}, "change (differs) impact none\nschema: \"public\" → \"ext\"")
	reach(t, h, Extension{Server: s, DB: "e_app", Name: "pg_trgm", Version: "1.3"}, "create (does not exist) impact none\nversion: \"\" → \"1.3\"")
	reach(t, h, Extension{Server: s, DB: "e_app", Name: "pg_trgm", Version: "1.6"}, "change (differs) impact none\nversion: \"1.3\" → \"1.6\"")
	reach(t, h, Extension{Server: s, DB: "e_app", Name: "hstore", State: Absent}, "remove (declared absent) impact data loss note with everything that depends on it")
	fails(t, h, Extension{Server: s, DB: "e_app", Name: "hstore", Version: "9"}, "has no version 9")
	c, err := Extension{Server: s, DB: "e_app", Name: "pg_stat_statements"}.Diff(t.Context(), h)
	if err != nil || !strings.Contains(c.Note, "needs pg_stat_statements in shared_preload_libraries") {
		t.Errorf("%s, %v", shown(c), err)
	}
}

func TestReplicationGrants(t *testing.T) {
	h, s := host(t), live.server
	sql(t, h, "postgres", "DROP ROLE IF EXISTS g_repl", "CREATE ROLE g_repl")
	defer sql(t, h, "postgres", "DROP OWNED BY g_repl", "DROP ROLE g_repl")
	g := ReplicationGrants{Server: s, Role: "g_repl"}
	c, err := g.Diff(t.Context(), h)
	if err != nil || len(c.Attrs) != 8 {
		t.Errorf("%s, %v", shown(c), err)
	}
	if err := g.Apply(t.Context(), h); err != nil {
		t.Fatal(err)
	}
	settled(t, h, g)
	settled(t, h, ReplicationGrants{Server: s, Role: "postgres"})
}

func TestReloadAndDrift(t *testing.T) {
	h, s := host(t), live.server
	if live.data == "" {
		t.Skip("the server's files are elsewhere")
	}
	hba := filepath.Join(live.data, "pg_hba.conf")
	r := Reload{Server: s, Name: "hba", On: []string{hba, "/nosuch"}}
	good, err := os.ReadFile(hba)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		time.Sleep(10 * time.Millisecond)
		if err := os.WriteFile(hba, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("# x\n" + string(good))
	reach(t, h, r, "reload ("+hba+" is newer than what postgres has read) impact reload")
	write("# x\n" + string(good)) // as it was: there is nothing new to read
	settled(t, h, r)
	write("# y\n" + string(good))
	sql(t, h, "postgres", "SELECT pg_reload_conf()") // by somebody else
	time.Sleep(200 * time.Millisecond)
	time.AfterFunc(500*time.Millisecond, func() { sql(t, h, "postgres", "SELECT pg_reload_conf()") })
	write("# z\n" + string(good)) // by somebody who reloads in a moment
	settled(t, h, r)
	write("# x\n" + string(good)) // as we had it loaded, but postgres has the other
	reach(t, h, r, "reload ("+hba+" is newer than what postgres has read) impact reload")
	write("local all all peer\nhost all all 1.2.3.4/99 md5\n")
	fails(t, h, r, `pg_hba.conf line 2: invalid CIDR mask in address "1.2.3.4/99"`)
	if err := r.Apply(t.Context(), h); err == nil {
		t.Error("reloaded broken rules")
	}
	write(string(good))
	reach(t, h, r, "reload ("+hba+" is newer than what postgres has read) impact reload")

	sql(t, h, "postgres", "ALTER SYSTEM SET work_mem = '8MB'", "ALTER SYSTEM SET max_connections = 50", "ALTER SYSTEM SET geqo = off", "SELECT pg_reload_conf()")
	reach(t, h, SettingsDrift{Server: s, Declared: map[string]string{"work_mem": "64MB", "max_connections": "100", "jit": "off"}}, `
change (set by ALTER SYSTEM; reset) impact reload note max_connections takes effect at the next restart
max_connections: "50 (by ALTER SYSTEM)" → "100"
work_mem: "8MB (by ALTER SYSTEM)" → "64MB"`)
	if got := sql(t, h, "postgres", "SELECT name FROM pg_file_settings WHERE sourcefile ~ 'auto.conf'"); len(got) != 1 || got[0] != "geqo" {
		t.Errorf("left: %v", got)
	}
	sql(t, h, "postgres", "ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")
}

// TestMany measures the plan of an unchanged cluster of some users and
// databases: PIGSTY_TEST_MANY of each.
func TestMany(t *testing.T) {
	h, s := host(t), live.server
	n, err := strconv.Atoi(os.Getenv("PIGSTY_TEST_MANY"))
	if err != nil {
		n = 10
	}
	var all []resource.Resource
	for i := range n {
		user, db := fmt.Sprintf("many_%03d", i), fmt.Sprintf("many_db_%03d", i)
		all = append(all,
			Role{Server: s, Name: user, Password: secret.New("secret" + user), Login: Some(true), Parameters: map[string]string{"work_mem": "64MB"}},
			Database{Server: s, Name: db, Owner: user, Comment: db, Parameters: map[string]string{"search_path": "public"}})
	}
	var inside []resource.Resource
	for i := range n {
		user, db := fmt.Sprintf("many_%03d", i), fmt.Sprintf("many_db_%03d", i)
		inside = append(inside, Schema{Server: s, DB: db, Name: "app"}, DatabasePrivileges{Server: s, DB: db, Owner: user},
			DefaultPrivileges{Server: s, DB: db, Grantors: []string{"postgres", user}, Grants: []string{"GRANT SELECT ON TABLES TO postgres"}})
	}
	begin := time.Now()
	for _, r := range append(all, inside...) {
		c, err := r.Diff(t.Context(), h)
		if err == nil && !c.Empty() {
			err = r.Apply(t.Context(), h)
		}
		if err != nil {
			t.Fatalf("%s: %v", r.Key(), err)
		}
	}
	t.Logf("created in %v", time.Since(begin))
	for name, rs := range map[string][]resource.Resource{"roles and databases": all, "inside databases": inside} {
		h := host(t)
		begin = time.Now()
		for _, r := range rs {
			settled(t, h, r)
		}
		t.Logf("%s: %d unchanged in %v", name, len(rs), time.Since(begin))
	}
	for i := range n {
		sql(t, h, "postgres", fmt.Sprintf("DROP DATABASE many_db_%03d WITH (FORCE)", i), fmt.Sprintf("DROP ROLE many_%03d", i))
	}
}

// TestTemplateInUse creates a database while somebody is connected to its
// template for longer than the server waits for them to leave.
func TestTemplateInUse(t *testing.T) {
	h := host(t)
	t.Parallel()
	defer sql(t, h, "postgres", "DROP DATABASE IF EXISTS d_late")
	conn, err := live.server.pass(h).connect(t.Context(), "template1")
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(5500*time.Millisecond, func() { closeConn(conn) })
	reach(t, h, Database{Server: live.server, Name: "d_late"}, "create (does not exist) impact none")
}
