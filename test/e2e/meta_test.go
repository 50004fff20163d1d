package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestMeta deploys the documents' deep example of one cluster's content on one
// host and looks for every fact that it declares, then changes them one by one.
func TestMeta(t *testing.T) {
	w := newWorld(t, "10.10.53.0/24", 10)
	w.afterFirst(t, []scenario{
		{"deploy", metaDeploy},
		{"catalogs", metaCatalogs},
		{"access rules", metaRules},
		{"pool", metaPool},
		{"services", metaServices},
		{"who may log in", metaLogins},
		{"privileges", metaPrivileges},
		{"address, name, schedule and backup", metaAround},
		{"one attribute at a time", attributes},
	})
}

// metaDeploy deploys the example as it is written, but for the network
// interface, which the sandbox calls host0, the library that its warning says
// is missing, and one more entry of cron, which can be seen to run. Debian has
// all packages that it needs.
func metaDeploy(t *testing.T, w *world) {
	w.document(t, "content.yml", onlyNames,
		"pg_vip_interface: eth1", "pg_vip_interface: host0",
		"pg_cluster: pg-meta\n", "pg_cluster: pg-meta\n        pg_libs: timescaledb, pg_stat_statements, auto_explain\n",
		"/pg/bin/pg-backup full'", "/pg/bin/pg-backup full'\n          - '* * * * * postgres date > /tmp/minute'")
	r := w.must(t, "deploy")
	t.Logf("deployed in %s", r.took.Round(100*time.Millisecond))
	for _, secret := range []string{"DBUser.Meta", "DBUser.Viewer", "DBUser.Wiki", "DBA.Test", "Patroni.Test"} {
		if strings.Contains(r.out, secret) {
			t.Errorf("the output shows the secret %s", secret)
		}
	}
	w.settled(t)
}

// metaCatalogs asks the catalogs for everything that the example declares of
// databases and users.
func metaCatalogs(t *testing.T, w *world) {
	w.holds(t, 10, []fact{
		{"databases", "postgres", `select datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, spcname, datallowconn, datconnlimit,
			has_database_privilege('public', d.oid, 'connect'), shobj_description(d.oid, 'pg_database')
			from pg_database d join pg_tablespace t on t.oid = dattablespace where not datistemplate and datname <> 'postgres' order by 1`, `
bytebase|dbuser_bytebase|UTF8|C|C|pg_default|t|-1|f|bytebase primary database
gitea|dbuser_gitea|UTF8|C|C|pg_default|t|-1|f|gitea meta database
grafana|dbuser_grafana|UTF8|C|C|pg_default|t|-1|f|grafana primary database
kong|dbuser_kong|UTF8|C|C|pg_default|t|-1|f|kong the api gateway database
meta|postgres|UTF8|C|C|pg_default|t|-1|t|pigsty meta database
wiki|dbuser_wiki|UTF8|C|C|pg_default|t|-1|f|wiki meta database
`},
		{"who may connect where PUBLIC may not", "postgres", `select r.rolname, a.privilege_type, a.is_grantable from pg_database d,
			aclexplode(d.datacl) a join pg_roles r on r.oid = a.grantee where datname = 'wiki' and a.privilege_type = 'CONNECT' order by 1`, `
dbuser_dba|CONNECT|t
dbuser_monitor|CONNECT|f
dbuser_wiki|CONNECT|f
replicator|CONNECT|f
`},
		{"users", "postgres", `select rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolinherit, rolreplication, rolbypassrls, rolconnlimit,
			rolpassword like 'SCRAM-SHA-256$4096:%', shobj_description(oid, 'pg_authid') from pg_authid where rolname ~ '^dbuser_' order by 1`, `
dbuser_bytebase|t|f|f|f|t|f|f|-1|t|admin user for bytebase database
dbuser_dba|t|t|f|f|t|f|f|-1|t|administrators
dbuser_gitea|t|f|f|f|t|f|f|-1|t|admin user for gitea service
dbuser_grafana|t|f|f|f|t|f|f|-1|t|admin user for grafana database
dbuser_kong|t|f|f|f|t|f|f|-1|t|admin user for kong api gateway
dbuser_meta|t|f|f|f|t|f|f|-1|t|pigsty admin user
dbuser_monitor|t|f|f|f|t|f|f|-1|t|monitoring
dbuser_view|t|f|f|f|t|f|f|-1|t|read-only viewer for meta database
dbuser_wiki|t|f|f|f|t|f|f|-1|t|admin user for wiki.js service
`},
		{"whose passwords expire: expire_in goes before expire_at", "postgres",
			"select rolname, round(extract(epoch from rolvaliduntil - now()) / 86400) from pg_authid where rolvaliduntil is not null", "dbuser_meta|3650"},
		{"roles and their members, with admin, inherit and set", "postgres", `select m.rolname, r.rolname, admin_option, inherit_option, set_option
			from pg_auth_members a join pg_authid m on m.oid = member join pg_authid r on r.oid = roleid where m.rolname !~ '^pg_' order by 1, 2`, `
dbrole_admin|dbrole_readwrite|f|t|t
dbrole_admin|pg_monitor|f|t|t
dbrole_readwrite|dbrole_readonly|f|t|t
dbuser_bytebase|dbrole_admin|f|t|t
dbuser_dba|dbrole_admin|f|t|t
dbuser_gitea|dbrole_admin|f|t|t
dbuser_grafana|dbrole_admin|f|t|t
dbuser_kong|dbrole_admin|f|t|t
dbuser_meta|dbrole_admin|f|t|t
dbuser_monitor|dbrole_readonly|f|t|t
dbuser_monitor|pg_monitor|f|t|t
dbuser_view|dbrole_readonly|f|t|t
dbuser_wiki|dbrole_admin|f|t|t
replicator|dbrole_readonly|f|t|t
replicator|pg_monitor|f|t|t
`},
		{"settings of roles and databases: parameters: {} is none", "postgres",
			"select coalesce(r.rolname, '-'), coalesce(d.datname, '-'), setconfig from pg_db_role_setting s left join pg_roles r on r.oid = setrole left join pg_database d on d.oid = setdatabase where setconfig::text !~ 'pigsty'",
			"dbuser_monitor|-|{log_min_duration_statement=1000}"},
		{"extensions of the database, beside those of every database", "meta", `select extname, nspname from pg_extension e join pg_namespace n on n.oid = extnamespace
			where extname in ('postgis', 'timescaledb', 'pg_stat_statements', 'pg_trgm') order by 1`, `
pg_stat_statements|monitor
pg_trgm|public
postgis|public
timescaledb|public
`},
		{"and not of another", "wiki", "select count(*) from pg_extension where extname in ('postgis', 'timescaledb')", "0"},
		{"schemas", "meta", "select nspname from pg_namespace where nspname in ('pigsty', 'monitor') order by 1", "monitor\npigsty"},
		{"nobody may create in public but administrators", "wiki", "select has_schema_privilege('public', 'public', 'create'), has_schema_privilege('dbrole_admin', 'public', 'create')", "f|t"},
		{"the baseline", "meta", "select to_regclass('pigsty.node')", "pigsty.node"},
		{"default privileges, of every database's creators", "wiki", `select pg_get_userbyid(defaclrole), defaclobjtype, grantee::regrole, string_agg(left(privilege_type, 3), ' ' order by privilege_type)
			from pg_default_acl, aclexplode(defaclacl) where pg_get_userbyid(defaclrole) = 'dbuser_wiki' and grantee::regrole::text ~ '^dbrole' group by 1, defaclobjtype, grantee order by defaclobjtype, grantee::regrole::text`, `
dbuser_wiki|S|dbrole_offline|SEL
dbuser_wiki|S|dbrole_readonly|SEL
dbuser_wiki|S|dbrole_readwrite|UPD USA
dbuser_wiki|f|dbrole_offline|EXE
dbuser_wiki|f|dbrole_readonly|EXE
dbuser_wiki|n|dbrole_admin|CRE
dbuser_wiki|n|dbrole_offline|USA
dbuser_wiki|n|dbrole_readonly|USA
dbuser_wiki|r|dbrole_admin|REF TRI TRU
dbuser_wiki|r|dbrole_offline|SEL
dbuser_wiki|r|dbrole_readonly|SEL
dbuser_wiki|r|dbrole_readwrite|DEL INS UPD
`},
		{"whose default privileges there are", "wiki", "select distinct pg_get_userbyid(defaclrole) from pg_default_acl order by 1", "dbrole_admin\ndbuser_dba\ndbuser_wiki\npostgres"},
	})
}

// metaRules compares the access rules that the server has read: the default
// ones in their order, then the one of the example, which is without an order.
func metaRules(t *testing.T, w *world) {
	intra := func(db, user string) string { return intranetRules("host", db, user) }
	node := "|" + w.addr(10) + "|255.255.255.255|scram-sha-256\n"
	want := "local|{all}|{postgres}|||peer\nlocal|{replication}|{postgres}|||peer\n" +
		ownRules("replication", "replicator") + intra("replication", "replicator") + intra("postgres", "replicator") +
		ownRules("all", "dbuser_monitor") + "host|{all}|{dbuser_monitor}" + node +
		intra("all", "dbuser_dba") + "hostssl|{all}|{dbuser_dba}|0.0.0.0|0.0.0.0|scram-sha-256\nhostssl|{all}|{dbuser_dba}|::|::|scram-sha-256\n" +
		ownRules("all", "+dbrole_readonly") + intra("all", "+dbrole_readonly") + intra("all", "+dbrole_offline") +
		"host|{all}|{dbuser_view}" + node
	w.holds(t, 10, rulesAre(want))
}

// rulesAre are the access rules that a server has read, without a mistake.
func rulesAre(want string) []fact {
	return []fact{
		{"access rules", "postgres", "select type, database, user_name, address, netmask, auth_method from pg_hba_file_rules order by rule_number", want},
		{"mistakes in them", "postgres", "select count(*) from pg_hba_file_rules where error is not null", "0"},
	}
}

// intranetRules are the lines of a rule for the intranet.
func intranetRules(kind, db, user string) string {
	var lines string
	for _, net := range []string{"10.0.0.0|255.0.0.0", "192.168.0.0|255.255.0.0", "172.16.0.0|255.240.0.0"} {
		lines += fmt.Sprintf("%s|{%s}|{%s}|%s|scram-sha-256\n", kind, db, user, net)
	}
	return lines
}

// ownRules are the lines of a rule for the host itself.
func ownRules(db, user string) string {
	return fmt.Sprintf("local|{%[1]s}|{%[2]s}|||scram-sha-256\nhost|{%[1]s}|{%[2]s}|127.0.0.1|255.255.255.255|scram-sha-256\nhost|{%[1]s}|{%[2]s}|::1|ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff|scram-sha-256\n", db, user)
}
