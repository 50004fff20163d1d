package e2e

import (
	"strings"
	"testing"
)

// userEdits changes the user app, and drops the user leaver, who owns a table.
func (w *world) userEdits(t *testing.T) []edit {
	role := func(column string) func() string {
		return w.asks(t, "postgres", "select "+column+" from pg_authid where rolname = 'app'")
	}
	member := w.asks(t, "postgres", "select admin_option, inherit_option, set_option from pg_auth_members where roleid = 'dbrole_offline'::regrole and member = 'app'::regrole")
	settings := w.asks(t, "postgres", "select setconfig from pg_db_role_setting where setrole = 'app'::regrole")
	lets := func(user, password, refusal string) func() string {
		return func() string {
			conn, err := w.sql(t.Context(), 10, 6432, user, password, "shop")
			if err == nil {
				_, err = conn.Exec(t.Context(), "select 1")
				_ = conn.Close(t.Context())
			}
			switch {
			case err == nil:
				return "yes"
			case refusal != "" && strings.Contains(err.Error(), refusal):
				return "no"
			}
			return err.Error()
		}
	}
	const (
		app     = "change role app"
		options = "change file /etc/pgbouncer/useropts.txt, reload unit pgbouncer.service"
		users   = "change userlist /etc/pgbouncer/userlist.txt, reload unit pgbouncer.service"
	)
	return []edit{
		{"superuser", "name: app,", "name: app, superuser: true,", "superuser: false → true", app, role("rolsuper"), "t"},
		{"superuser, no longer declared", " superuser: true, ", " ", "superuser: true → false", app, role("rolsuper"), "f"},
		{"createdb", "name: app,", "name: app, createdb: true,", "createdb: false → true", app, role("rolcreatedb"), "t"},
		{"createrole", "name: app,", "name: app, createrole: true,", "createrole: false → true", app, role("rolcreaterole"), "t"},
		{"inherit", "name: app,", "name: app, inherit: false,", "inherit: true → false", app, role("rolinherit"), "f"},
		{"replication", "name: app,", "name: app, replication: true,", "replication: false → true", app, role("rolreplication"), "t"},
		{"bypassrls", "name: app,", "name: app, bypassrls: true,", "bypassrls: false → true", app, role("rolbypassrls"), "t"},
		{"connlimit", "name: app,", "name: app, connlimit: 7,", "connlimit: -1 → 7", app, role("rolconnlimit"), "7"},
		{"expire_at", "name: app,", "name: app, expire_at: '2031-01-02',", "expire_at: 2031-01-02", app, role("rolvaliduntil::date"), "2031-01-02"},
		{"expire_in", "expire_at: '2031-01-02',", "expire_in: 30,", "", app, role("round(extract(epoch from rolvaliduntil - now()) / 86400)"), "30"},
		{"password", "password: App.Test,", "password: App.Test.2,", "password: ****** → ******", app + ", " + users, lets("app", "App.Test.2", ""), "yes"},
		{"comment", "name: app,", "name: app, comment: it's theirs,", "comment: it's theirs", app, role("shobj_description(oid, 'pg_authid')"), "it's theirs"},
		{"roles", "roles: [dbrole_readwrite] }", "roles: [dbrole_readwrite, { name: dbrole_offline }] }", "role dbrole_offline: granted", app, member, "f|f|t"},
		{"roles, inherit", "{ name: dbrole_offline }", "{ name: dbrole_offline, inherit: true }", "role dbrole_offline: granted, no inherit → granted", app, member, "f|t|t"},
		{"roles, set", "{ name: dbrole_offline, inherit: true }", "{ name: dbrole_offline, inherit: true, set: false }", "role dbrole_offline: granted → granted, no set", app, member, "f|t|f"},
		{"roles, admin", "{ name: dbrole_offline, inherit: true, set: false }", "{ name: dbrole_offline, inherit: true, set: false, admin: true }", "role dbrole_offline: granted, no set → granted, admin, no set", app, member, "t|t|f"},
		{"roles, revoked", "{ name: dbrole_offline, inherit: true, set: false, admin: true }", "{ name: dbrole_offline, state: revoke }", "role dbrole_offline: granted, admin, no set → (none)", app, member, ""},
		{"parameters", "name: app,", "name: app, parameters: { work_mem: 8MB },", "parameter work_mem: 8MB", app, settings, "{work_mem=8MB}"},
		{"parameters, one reset", "work_mem: 8MB", "work_mem: DEFAULT", "parameter work_mem: 8MB → (none)", app, settings, ""},
		{"pool_mode", "name: app,", "name: app, pool_mode: session,", "", options, w.pooled(t, "users", "app", "pool_mode"), "session"},
		{"pool_connlimit", "name: app,", "name: app, pool_connlimit: 3,", "", options, w.pooled(t, "users", "app", "max_user_connections"), "3"},
		{"pgbouncer", "App.Test.2, pgbouncer: true,", "App.Test.2, pgbouncer: false,", "", users, lets("app", "App.Test.2", "SASL authentication failed"), "no"},
		{"login", "name: app,", "name: app, login: false,", "login: true → false", app, role("rolcanlogin"), "f"},
		{"state: absent", "name: leaver,", "name: leaver, state: absent,", "", users + ", remove role leaver",
			w.asks(t, "shop", "select tableowner, (select count(*) from pg_roles where rolname = 'leaver') from pg_tables where tablename = 'theirs'"), "postgres|0"},
	}
}

// databaseEdits changes the database shop.
func (w *world) databaseEdits(t *testing.T) []edit {
	database := func(column string) func() string {
		return w.asks(t, "postgres", "select "+column+" from pg_database where datname = 'shop'")
	}
	version := func(extension string) func() string {
		return w.asks(t, "shop", "select extversion from pg_extension where extname = '"+extension+"'")
	}
	// A database of its own, since who defines a locale is settled when it is made.
	made := func(name string) string {
		return "change default privileges " + name + "/postgres,dbuser_dba,dbrole_admin, change file /etc/pgbouncer/database.txt, change lines /root/.pg_service.conf # pigsty, change privileges " + name + ", create database " + name + ", reload unit pgbouncer.service"
	}
	locale := func(name string) func() string {
		return w.asks(t, name, "select datlocprovider, datlocale, daticurules, (select string_agg(x, ' ' order by x) from (values ('g'), ('b'), ('a'), ('B')) v (x)) from pg_database where datname = '"+name+"'")
	}
	const shop, pool = "change database shop", "change file /etc/pgbouncer/database.txt, reload unit pgbouncer.service"
	return []edit{
		{"comment", "comment: the shop", "comment: a shop", "comment: the shop → a shop", shop, database("shobj_description(oid, 'pg_database')"), "a shop"},
		{"owner", "name: shop,", "name: shop, owner: app,", "owner: postgres → app", shop + ", change default privileges shop/postgres,dbuser_dba,dbrole_admin,app", database("pg_get_userbyid(datdba)"), "app"},
		{"connlimit", "name: shop,", "name: shop, connlimit: 9,", "connlimit: -1 → 9", shop, database("datconnlimit"), "9"},
		{"is_template", "name: shop,", "name: shop, is_template: true,", "is_template: false → true", shop, database("datistemplate"), "t"},
		{"is_template, taken back", "is_template: true,", "is_template: false,", "is_template: true → false", shop, database("datistemplate"), "f"},
		{"revokeconn", "name: shop,", "name: shop, revokeconn: true,", "", "change privileges shop", database("has_database_privilege('public', oid, 'connect')"), "f"},
		{"revokeconn, taken back", "revokeconn: true,", "revokeconn: false,", "", "change privileges shop", database("has_database_privilege('public', oid, 'connect')"), "t"},
		{"parameters", "name: shop,", "name: shop, parameters: { work_mem: 8MB },", "parameter work_mem: 8MB", shop, w.asks(t, "shop", "show work_mem"), "8MB"},
		{"schemas", "name: shop,", "name: shop, schemas: [ { name: sales, owner: app } ],", "", "create schema shop/sales", w.asks(t, "shop", "select nspowner::regrole from pg_namespace where nspname = 'sales'"), "app"},
		{"extensions", "name: shop,", "name: shop, extensions: [ { name: hstore, schema: sales } ],", "", "create extension shop/hstore", w.asks(t, "shop", "select extnamespace::regnamespace from pg_extension where extname = 'hstore'"), "sales"},
		{"extensions, another schema", "name: hstore, schema: sales", "name: hstore, schema: public", "schema: sales → public", "change extension shop/hstore", w.asks(t, "shop", "select extnamespace::regnamespace from pg_extension where extname = 'hstore'"), "public"},
		{"extensions, a version", "extensions: [ { name: hstore, schema: public } ]", "extensions: [ { name: hstore, schema: public }, { name: ltree, version: '1.1' } ]", "", "create extension shop/ltree", version("ltree"), "1.1"},
		{"extensions, another version", "name: ltree, version: '1.1'", "name: ltree, version: '1.2'", "version: 1.1 → 1.2", "change extension shop/ltree", version("ltree"), "1.2"},
		{"schemas, another owner", "name: sales, owner: app", "name: sales, owner: dbuser_meta", "owner: app → dbuser_meta", "change schema shop/sales", w.asks(t, "shop", "select nspowner::regrole from pg_namespace where nspname = 'sales'"), "dbuser_meta"},
		{"schemas, state: absent", "name: sales, owner: dbuser_meta", "name: sales, state: absent", "", "remove schema shop/sales", w.asks(t, "shop", "select to_regnamespace('sales') is null"), "t"},
		{"tablespace", "name: shop,", "name: shop, tablespace: space,", "tablespace: pg_default → space", shop, database("(select spcname from pg_tablespace t where t.oid = dattablespace)"), "space"},
		{"baseline", "name: shop,", "name: shop, baseline: shop.sql,", "", "run baseline shop", w.asks(t, "shop", "select to_regclass('begun') is not null"), "t"},
		{"pool_mode", "name: shop,", "name: shop, pool_mode: statement,", "", pool, w.pooled(t, "databases", "shop", "pool_mode"), "statement"},
		{"pool_size", "name: shop,", "name: shop, pool_size: 11,", "", pool, w.pooled(t, "databases", "shop", "pool_size"), "11"},
		{"pool_size_min", "name: shop,", "name: shop, pool_size_min: 1,", "", pool, w.pooled(t, "databases", "shop", "min_pool_size"), "1"},
		{"pool_reserve", "name: shop,", "name: shop, pool_reserve: 5,", "", pool, w.pooled(t, "databases", "shop", "reserve_pool_size"), "5"},
		{"pool_connlimit", "name: shop,", "name: shop, pool_connlimit: 21,", "", pool, w.pooled(t, "databases", "shop", "max_connections"), "21"},
		{"pool_auth_user", "name: shop,", "name: shop, pool_auth_user: app,", "", pool, func() string { return w.on(t, 10, "grep -c '^shop = .*auth_user=app' /etc/pgbouncer/database.txt") }, "1"},
		{"pgbouncer", "name: shop,", "name: shop, pgbouncer: false,", "", pool, w.pooled(t, "databases", "shop", "name"), ""},
		{"allowconn", "name: shop,", "name: shop, allowconn: false,", "allowconn: true → false", shop, database("datallowconn"), "f"},
		{"allowconn, taken back", "allowconn: false,", "allowconn: true,", "allowconn: false → true", shop, database("datallowconn"), "t"},
		{"locale_provider: icu, with icu_locale", "- { name: grafana ", "- { name: sorted, template: template0, locale_provider: icu, icu_locale: en-US }\n- { name: grafana ", "", made("sorted"), locale("sorted"), "i|en-US||a b B g"},
		{"icu_rules", "- { name: grafana ", "- { name: ruled, template: template0, locale_provider: icu, icu_locale: en-US, icu_rules: '&a < g' }\n- { name: grafana ", "", made("ruled"), locale("ruled"), "i|en-US|&a < g|a g b B"},
		{"locale_provider: builtin, with builtin_locale and strategy", "- { name: grafana ", "- { name: plain, template: template0, locale_provider: builtin, builtin_locale: C.UTF-8, strategy: file_copy }\n- { name: grafana ", "", made("plain"), locale("plain"), "b|C.UTF-8||B a b g"},
	}
}

// serviceEdits changes the service extra, and takes it away.
func (w *world) serviceEdits(t *testing.T) []edit {
	const file = "change file /etc/haproxy/conf.d/pg-meta-extra.cfg, reload unit haproxy.service"
	line := func(pattern string) func() string {
		return func() string {
			return w.on(t, 10, "grep -o '"+pattern+"' /etc/haproxy/conf.d/pg-meta-extra.cfg || true")
		}
	}
	opens := func(port int) func() string {
		return func() string {
			if err := (attempt{user: "dbuser_meta", db: "meta", port: port}).try(w); err != nil {
				return "no"
			}
			return "yes"
		}
	}
	return []edit{
		{"port", "port: 5439,", "port: 5440,", "", file, opens(5440), "yes"},
		{"dest", "dest: postgres", "dest: pgbouncer", "", file, line(w.addr(10) + ":[0-9]*"), w.addr(10) + ":6432"},
		{"check", "check: /primary,", "check: /read-write,", "", file, line("uri .*"), "uri /read-write"},
		{"maxconn", "name: extra,", "name: extra, maxconn: 123,", "", file, line("maxconn 123"), "maxconn 123"},
		{"balance", "name: extra,", "name: extra, balance: leastconn,", "", file, line("balance .*"), "balance leastconn"},
		{"options", "name: extra,", "name: extra, options: inter 2s rise 1 fall 1,", "", file, line("default-server .*"), "default-server inter 2s rise 1 fall 1"},
		{"selector and backup", "selector: '[]', check: /read-write,", "selector: '[? pg_seq == `1`]', backup: '[? pg_role == `primary`]', check: /read-write,", "", file, line("weight 100 backup"), "weight 100 backup"},
		{"ip", "name: extra,", "name: extra, ip: 127.0.0.1,", "", file, opens(5440), "no"},
		{"that is gone", "- { name: extra, ip: 127.0.0.1, options: inter 2s rise 1 fall 1, balance: leastconn, maxconn: 123, port: 5440, selector: '[? pg_seq == `1`]', backup: '[? pg_role == `primary`]', check: /read-write, dest: pgbouncer }", "",
			"pg-meta-extra.cfg: present → (none)", "reload unit haproxy.service, remove prune /etc/haproxy/conf.d/pg-meta-*.cfg",
			func() string { return w.on(t, 10, "ls /etc/haproxy/conf.d | grep -c extra || true") }, "0"},
	}
}

// ruleEdits changes an access rule of the server and one of the pool.
func (w *world) ruleEdits(t *testing.T) []edit {
	const (
		file = "change file /pg/conf/pg-meta-1.yml, change pg_hba /pg/data/pg_hba.conf, reload postgres reload hba, reload unit patroni.service"
		pool = "change file /etc/pgbouncer/pgb_hba.conf, reload unit pgbouncer.service"
	)
	rule := func(columns string) func() string {
		return w.asks(t, "postgres", "select "+columns+" from pg_hba_file_rules where address = '192.0.2.0' or address = '198.51.100.0'")
	}
	return []edit{
		{"auth", "auth: ssl, title: elsewhere", "auth: pwd, title: elsewhere", "", file, rule("type"), "host"},
		{"user", "user: app, db: shop, addr: 192.0.2.0/24, auth: pwd", "user: +dbrole_admin, db: shop, addr: 192.0.2.0/24, auth: pwd", "", file, rule("user_name"), "{+dbrole_admin}"},
		{"db", "db: shop, addr: 192.0.2.0/24, auth: pwd", "db: 'shop,meta', addr: 192.0.2.0/24, auth: pwd", "", file, rule("database"), "{shop,meta}"},
		{"addr", "addr: 192.0.2.0/24, auth: pwd", "addr: 198.51.100.0/24, auth: pwd", "", file, rule("address"), "198.51.100.0"},
		{"order", "title: elsewhere", "order: 1, title: elsewhere", "", file, rule("rule_number"), "1"},
		{"role of others", "title: elsewhere", "role: replica, title: elsewhere", "", file, rule("count(*)"), "0"},
		{"role of its own", "role: replica, title: elsewhere", "role: offline, title: elsewhere", "", file, rule("count(*)"), "1"}, // pg_offline_query
		{"title", "title: elsewhere", "title: somewhere", "", file, func() string { return w.on(t, 10, "grep -c somewhere /pg/data/pg_hba.conf") }, "1"},
		{"rules", "user: +dbrole_admin, db: 'shop,meta', addr: 198.51.100.0/24, auth: pwd,", "rules: [ 'host shop app 192.0.2.0/24 reject' ],", "", file, rule("auth_method"), "reject"},
		{"that is gone", "- { rules: [ 'host shop app 192.0.2.0/24 reject' ], order: 1, role: offline, title: somewhere }", "", "", file, rule("count(*)"), "0"},
		{"of the pool", "addr: 192.0.2.0/24, title: pooled", "addr: 192.0.2.0/24, auth: deny, title: pooled", "", pool, func() string {
			return w.on(t, 10, "awk '$4 == \"192.0.2.0/24\" { print $5 }' /etc/pgbouncer/pgb_hba.conf")
		}, "reject"},
	}
}
