package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// edit changes one attribute in the inventory.
type edit struct {
	what     string
	old, new string        // texts of the inventory
	plan     string        // a line of the plan
	steps    string        // all that is changed
	ask      func() string // what is asked then
	want     string
}

// edited replaces a text of the inventory; further lines are indented like the
// one that it is in.
func (w *world) edited(t *testing.T, old, new string) {
	t.Helper()
	path := filepath.Join(w.dir, "pigsty.yml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, after, found := strings.Cut(string(text), old)
	if !found || strings.Contains(after, old) {
		t.Fatalf("the inventory does not have %q once", old)
	}
	line := before[strings.LastIndexByte(before, '\n')+1:]
	indentation := line[:len(line)-len(strings.TrimLeft(line, " "))]
	if err := os.WriteFile(path, []byte(before+strings.ReplaceAll(new, "\n", "\n"+indentation)+after), 0o600); err != nil {
		t.Fatal(err)
	}
}

// attributes changes every attribute of a user, a database, a service and an
// access rule alone: the plan names that one, which says as well that the one
// before it is done, and nothing else is changed. Meanwhile nothing restarts
// and a session that the pool holds lives on. In the end the database is lost.
func attributes(t *testing.T, w *world) {
	w.edited(t, "- {name: dbuser_view ", `- { name: app, password: App.Test, pgbouncer: true, roles: [dbrole_readwrite] }
- { name: leaver, password: Leaver.Test, pgbouncer: true }
- {name: dbuser_view `)
	w.edited(t, "- { name: grafana ", "- { name: shop, comment: the shop }\n- { name: grafana ")
	w.edited(t, "- name: standby ", "- { name: extra, port: 5439, selector: '[]', check: /primary, dest: postgres }\n- name: standby ")
	w.edited(t, "- {user: dbuser_view ", "- { user: app, db: shop, addr: 192.0.2.0/24, auth: ssl, title: elsewhere }\n- {user: dbuser_view ")
	w.edited(t, "pg_vip_enabled:", "pgb_hba_rules: [ { user: app, db: shop, addr: 192.0.2.0/24, title: pooled } ]\npg_vip_enabled:")
	if err := os.WriteFile(filepath.Join(w.dir, "shop.sql"), []byte("create table begun ();\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.must(t, "pgsql", "-l", "pg-meta")
	w.query(t, 10, "shop", "create table theirs (); alter table theirs owner to leaver; alter default privileges for role leaver grant select on tables to app")
	w.on(t, 10, "install -d -o postgres -m 700 /pg/tmp/space")
	w.query(t, 10, "postgres", "create tablespace space location '/pg/tmp/space'")

	ctx := context.Background()
	before := w.on(t, 10, "cd /tmp;"+starts)
	open, err := w.sql(ctx, 10, 6432, "dbuser_meta", passwords["dbuser_meta"], "meta")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.Close(ctx) }()
	for _, group := range []struct {
		name  string
		edits []edit
	}{{"user", w.userEdits(t)}, {"database", w.databaseEdits(t)}, {"service", w.serviceEdits(t)}, {"access rule", w.ruleEdits(t)}} {
		for _, e := range group.edits {
			t.Run(group.name+" "+e.what, func(t *testing.T) { w.one(t, e) })
		}
		if after := w.on(t, 10, "cd /tmp;"+starts); after != before {
			t.Errorf("something restarted:\n%s\n%s", before, after)
		}
		if _, err := open.Exec(ctx, "select 1"); err != nil {
			t.Errorf("a session that PgBouncer held from before is gone: %v", err)
		}
	}
	w.settled(t, "pgsql")
	t.Run("extension state: absent", w.withdrawn)
	t.Run("database state: recreate", w.recreated)
	t.Run("database state: absent", w.dropped)
	w.settled(t)
}

// withdrawn drops an extension, which is a loss of what depends on it.
func (w *world) withdrawn(t *testing.T) {
	w.query(t, 10, "shop", "create table paths (path ltree)")
	w.edited(t, "name: ltree, version: '1.2'", "name: ltree, state: absent")
	if r := w.pigsty(t, "pgsql", "-l", "pg-meta"); r.status == 0 || !strings.Contains(r.out, `--yes "extension shop/ltree"`) {
		t.Errorf("without a word of the loss: status %d\n%s", r.status, r.out)
	}
	w.must(t, "pgsql", "-l", "pg-meta", "--yes", "extension shop/ltree")
	if got := w.query(t, 10, "shop", "select (select count(*) from pg_extension where extname = 'ltree'), (select count(*) from pg_attribute where attrelid = 'paths'::regclass and attname = 'path')"); got != "0|0" {
		t.Errorf("the extension, and the column that depends on it: %s", got)
	}
	w.settled(t, "pgsql")
}

// recreated destroys a database and makes it anew, which has to be asked for
// twice: by a command that names it, and as a loss.
func (w *world) recreated(t *testing.T) {
	w.edited(t, "name: shop,", "name: shop, state: recreate,")
	if r := w.pigsty(t, "pgsql", "-l", "pg-meta"); r.status == 0 || !strings.Contains(r.out, "recreating it destroys its data") {
		t.Errorf("by a command that does not name it: status %d\n%s", r.status, r.out)
	}
	if r := w.pigsty(t, "pgsql-db", "pg-meta", "shop"); r.status == 0 || !strings.Contains(r.out, `--yes "database shop"`) {
		t.Errorf("without a word of the loss: status %d\n%s", r.status, r.out)
	}
	if got := w.query(t, 10, "shop", "select to_regclass('theirs') is not null"); got != "t" {
		t.Fatal("it was destroyed before anybody said so")
	}
	w.must(t, "pgsql-db", "pg-meta", "shop", "--yes", "database shop")
	w.edited(t, "name: shop, state: recreate,", "name: shop,")
	if got := w.query(t, 10, "shop", "select to_regclass('theirs') is null, to_regclass('begun') is not null"); got != "t|t" {
		t.Errorf("a table of before is gone, and the baseline there: %s", got)
	}
	w.settled(t, "pgsql")
}

// dropped drops a database.
func (w *world) dropped(t *testing.T) {
	w.edited(t, "name: shop,", "name: shop, state: absent,")
	if r := w.pigsty(t, "pgsql", "-l", "pg-meta"); r.status == 0 || !strings.Contains(r.out, `--yes "database shop"`) {
		t.Errorf("without a word of the loss: status %d\n%s", r.status, r.out)
	}
	w.must(t, "pgsql", "-l", "pg-meta", "--yes", "database shop")
	if got := w.query(t, 10, "postgres", "select count(*) from pg_database where datname = 'shop'"); got != "0" {
		t.Error("it is still there")
	}
}

// alsoPatronis are steps that find nothing to do if Patroni, which another step
// reloads, was faster.
var alsoPatronis = []string{"change pg_hba /pg/data/pg_hba.conf", "reload postgres reload hba"}

// one makes an edit and applies it.
func (w *world) one(t *testing.T, e edit) {
	t.Helper()
	w.edited(t, e.old, e.new)
	r := w.must(t, "pgsql", "-l", "pg-meta")
	if !strings.Contains(r.out, e.plan+"\n") {
		t.Errorf("the plan lacks %q", e.plan)
	}
	made := changed(r.out)
	slices.Sort(made)
	wanted := slices.DeleteFunc(strings.Split(e.steps, ", "), func(step string) bool {
		return slices.Contains(alsoPatronis, step) && !slices.Contains(made, step)
	})
	if got, want := strings.Join(made, ", "), strings.Join(wanted, ", "); got != want {
		t.Errorf("changed are %s; wanted %s", got, want)
	}
	if t.Failed() {
		t.Log(r.out)
	}
	eventually(t, 2*time.Minute, e.what, func() error {
		if got := e.ask(); got != e.want {
			return fmt.Errorf("it is %q, not %q", got, e.want)
		}
		return nil
	})
}

// asks returns what asks the catalogs.
func (w *world) asks(t *testing.T, db, statement string) func() string {
	return func() string { t.Helper(); return w.query(t, 10, db, statement) }
}

// pooled returns what asks for a value on the pool's console.
func (w *world) pooled(t *testing.T, table, row, column string) func() string {
	return func() string { t.Helper(); return w.console(t, 10, "show "+table)[row][column] }
}
