package param_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"pigsty/internal/diag"
	"pigsty/internal/inventory"
	"pigsty/internal/module/docker"
	"pigsty/internal/module/etcd"
	"pigsty/internal/module/infra"
	"pigsty/internal/module/minio"
	"pigsty/internal/module/node"
	"pigsty/internal/module/pgsql"
	"pigsty/internal/module/redis"
	"pigsty/internal/param"
	"pigsty/internal/secret"
)

// load reads an inventory that has no mistakes of its own.
func load(t testing.TB, text string) *inventory.Inventory {
	t.Helper()
	inv, diags := inventory.Load(inventory.Source{Name: "pigsty.yml", Data: []byte(text)})
	if diags.HasErrors() {
		t.Fatalf("inventory: %v", diags)
	}
	return inv
}

// checkAll checks the names and values of all variables of all hosts.
func checkAll(inv *inventory.Inventory) diag.List {
	var all diag.List
	for _, h := range inv.Hosts() {
		vars := h.Vars()
		all.Add(catalogue.Check(vars)...)
		all.Add(problems[node.Params](vars)...)
		all.Add(problems[infra.Params](vars)...)
		all.Add(problems[etcd.Params](vars)...)
		all.Add(problems[minio.Params](vars)...)
		all.Add(problems[pgsql.Params](vars)...)
		all.Add(problems[redis.Params](vars)...)
		all.Add(problems[docker.Params](vars)...)
	}
	return all.Sorted()
}

func problems[T any](vars inventory.Vars) diag.List {
	_, l := param.Decode[T](catalogue, vars)
	return l
}

// TestDiagnostics reads testdata/diagnostics/*.txtar, each an inventory and
// what is said about it.
func TestDiagnostics(t *testing.T) {
	files, err := filepath.Glob("testdata/diagnostics/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no test cases", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for _, d := range checkAll(load(t, string(a.Files[0].Data))) {
				fmt.Fprintf(&got, "%s: %s: %s [%s]\n", d.Pos, d.Severity, d.Message, d.Code)
				if d.Advice != "" {
					fmt.Fprintf(&got, "    %s\n", d.Advice)
				}
			}
			a.Files = []txtar.File{a.Files[0], {Name: "diagnostics", Data: []byte(got.String())}}
			golden(t, file, string(txtar.Format(a)))
		})
	}
}

// TestDecode looks at values after all the forms that they may be written in.
func TestDecode(t *testing.T) {
	inv := load(t, `
all:
  children:
    pg-test:
      hosts:
        10.10.10.11: { pg_seq: 1, pg_role: primary }
      vars:
        pg_cluster: pg-test
        pg_version: "17"
        pg_delay: 3600
        pg_shared_buffer_ratio: 0.3
        pg_storage_type: hdd
        patroni_watchdog_mode: off
        pg_parameters: { work_mem: 64MB, jit: off, max_wal_senders: 0x10 }
        pg_rto_plan: { own: [30, 5, 10, 25, 5, 2s, 1s, 2s, 3, 3] }
        pgbackrest_repo:
          mine: { type: s3, s3_key_secret: hush, retention_full: 14 }
        pg_databases:
        pg_users:
          - name: dbuser_app
            password: hush
            createdb: yes
            roles: [ dbrole_readwrite, { name: dbrole_admin, admin: false } ]
          - { name: dbuser_two }
`)
	p, l := param.Decode[pgsql.Params](catalogue, inv.Host("10.10.10.11").Vars())
	if len(l) > 0 {
		t.Fatal(l)
	}
	yes, no, seq := true, false, 1
	type values struct {
		Seq                              *int
		Version                          int
		Cluster, Delay, Storage, Dog, DB string
		Ratio                            float64
		Parameters                       map[string]string
		RTO                              map[string]pgsql.RTOPlan
		Repo                             map[string]map[string]param.Setting
		Databases                        []pgsql.Database
		Users                            []pgsql.User
	}
	at := func(line, col int) diag.Pos { return diag.Pos{File: "pigsty.yml", Line: line, Col: col} }
	got := values{
		p.PgSeq, p.PgVersion, p.PgCluster, p.PgDelay, p.PgStorageType, p.PatroniWatchdogMode, p.PgPrimaryDb,
		p.PgSharedBufferRatio, p.PgParameters, p.PgRtoPlan, p.PgbackrestRepo, p.PgDatabases, p.PgUsers,
	}
	want := values{
		Seq: &seq, Version: 17, Cluster: "pg-test", Delay: "3600", Storage: "HDD", Dog: "off", DB: "postgres",
		Ratio:      0.3,
		Parameters: map[string]string{"work_mem": "64MB", "jit": "off", "max_wal_senders": "0x10"},
		RTO: map[string]pgsql.RTOPlan{"own": {
			TTL: 30, LoopWait: 5, RetryTimeout: 10, PrimaryStartTimeout: 25, SafetyMargin: 5,
			Inter: "2s", FastInter: "1s", DownInter: "2s", Rise: 3, Fall: 3,
		}},
		Repo: map[string]map[string]param.Setting{"mine": {
			"type":           param.NewSetting("s3", false),
			"s3_key_secret":  param.NewSetting("hush", true),
			"retention_full": param.NewSetting("14", false),
		}},
		Databases: []pgsql.Database{},
		Users: []pgsql.User{
			{
				Pos: at(20, 13), Name: "dbuser_app", State: "create", Password: secret.New("hush"), CreateDB: &yes,
				Roles: []pgsql.RoleGrant{
					{Pos: at(23, 22), Name: "dbrole_readwrite", State: "grant"},
					{Pos: at(23, 40), Name: "dbrole_admin", State: "grant", Admin: &no},
				},
			},
			{Pos: at(24, 13), Name: "dbuser_two", State: "create"},
		},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(secret.Value{}, param.Setting{})); diff != "" {
		t.Errorf("decoded values differ (-want +got):\n%s", diff)
	}
	if s := fmt.Sprintf("%v %+v %#v", p.PgbackrestRepo, p.PgUsers, p.PgUsers); strings.Contains(s, "hush") {
		t.Errorf("a secret is printed: %s", s)
	}
}

// TestExtraVars checks that what comes from the command line as text is taken
// for what it means.
func TestExtraVars(t *testing.T) {
	inv := load(t, "all: { hosts: { 10.10.10.10: { pg_reload: true } } }\n")
	if l := inv.SetExtra([]string{"pg_reload=false redis_port=6379", `{"pg_version": 16}`}); len(l) > 0 {
		t.Fatal(l)
	}
	vars := inv.Host("10.10.10.10").Vars()
	p, l := param.Decode[pgsql.Params](catalogue, vars)
	if len(l) > 0 || p.PgReload || p.PgVersion != 16 {
		t.Errorf("pg_reload %v, pg_version %d, %v", p.PgReload, p.PgVersion, l)
	}
	r, l := param.Decode[redis.Params](catalogue, vars)
	if len(l) > 0 || r.RedisPort == nil || *r.RedisPort != 6379 {
		t.Errorf("redis_port %v, %v", r.RedisPort, l)
	}
}

// TestDefaults checks that what a host does not set has the declared default,
// and that older names fill in for newer ones.
func TestDefaults(t *testing.T) {
	inv := load(t, "all: { hosts: { a: { patroni_citus_db: meta, pg_fs_bkup: /old, pg_fs_backup: /new } } }\n")
	p, l := param.Decode[pgsql.Params](catalogue, inv.Host("a").Vars())
	if len(l) > 0 {
		t.Fatal(l)
	}
	if p.PgPrimaryDb != "meta" || p.PgFsBackup != "/new" {
		t.Errorf("pg_primary_db %q, pg_fs_backup %q", p.PgPrimaryDb, p.PgFsBackup)
	}
	if p.PgVersion != 18 || p.PgListen != "0.0.0.0" || p.PgSeq != nil || len(p.PgDefaultRoles) != 8 || !p.PgDefaultHBARules[0].Pos.IsZero() {
		t.Errorf("pg_version %d, pg_listen %q, pg_seq %v, %d roles", p.PgVersion, p.PgListen, p.PgSeq, len(p.PgDefaultRoles))
	}
	if plan := p.PgRtoPlan["norm"]; plan.TTL != 30 || plan.Inter != "2s" {
		t.Errorf("plan norm is %+v", plan)
	}
}

// BenchmarkDecode decodes every module of 5,000 hosts that share a cluster's
// users and databases.
func BenchmarkDecode(b *testing.B) {
	var text strings.Builder
	text.WriteString("all:\n  vars:\n    admin_ip: 10.0.0.1\n    node_tune: oltp\n    pg_conf: oltp.yml\n    pg_version: 17\n")
	text.WriteString("    pg_users:\n")
	for i := range 10 {
		fmt.Fprintf(&text, "      - { name: user_%d, password: hush, pgbouncer: true, roles: [dbrole_readwrite] }\n", i)
	}
	text.WriteString("    pg_databases:\n")
	for i := range 10 {
		fmt.Fprintf(&text, "      - { name: db_%d, owner: user_%d, schemas: [app], extensions: [{ name: postgis, schema: public }] }\n", i, i)
	}
	text.WriteString("  hosts:\n")
	for i := range 5000 {
		fmt.Fprintf(&text, "    10.%d.%d.1: { pg_cluster: pg-%d, pg_seq: 1, pg_role: primary }\n", i/250, i%250, i)
	}
	inv := load(b, text.String())
	vars := make([]inventory.Vars, 0, 5000)
	for _, h := range inv.Hosts() {
		vars = append(vars, h.Vars())
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, v := range vars {
			problems[node.Params](v)
			problems[infra.Params](v)
			problems[etcd.Params](v)
			problems[minio.Params](v)
			problems[pgsql.Params](v)
			problems[redis.Params](v)
			problems[docker.Params](v)
			catalogue.Check(v)
		}
	}
}
