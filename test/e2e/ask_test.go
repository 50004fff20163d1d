package e2e

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// documents is where the examples of the user's documents are kept.
const documents = "../../internal/cli/testdata/documents/iac"

// document writes the inventory of an example of the documents, with the hosts
// of w for the example's, and what changes says: old and new texts, in turns.
// The SQL that it names lies beside it.
func (w *world) document(t *testing.T, name string, vars []string, changes ...string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(documents, name))
	if err != nil {
		t.Fatal(err)
	}
	_, children, _ := strings.Cut(string(text), "\n  children:\n")
	for i := 0; i < len(changes); i += 2 {
		if !strings.Contains(children, changes[i]) {
			t.Fatalf("%s has no %q to change", name, changes[i])
		}
		children = strings.ReplaceAll(children, changes[i], changes[i+1])
	}
	w.inventory(t, strings.ReplaceAll(children, "10.10.10.", "NET."), vars...)
	script, err := os.ReadFile(filepath.Join(documents, "files", "cmdb.sql"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "cmdb.sql"), script, 0o600); err != nil {
		t.Fatal(err)
	}
}

// onlyNames are the variables of an infra node that does nothing but answer
// for the clusters' names.
var onlyNames = []string{
	"repo_enabled: false", "nginx_enabled: false", "vmetrics_enabled: false", "vlogs_enabled: false", "vtraces_enabled: false",
	"vmalert_enabled: false", "blackbox_enabled: false", "alertmanager_enabled: false", "grafana_enabled: false",
}

// fact is what a query in a database of the leader gives.
type fact struct{ what, db, query, want string }

// holds checks facts on host n, all those of a database at once.
func (w *world) holds(t *testing.T, n byte, facts []fact) {
	t.Helper()
	const end = "-- end of an answer"
	scripts := map[string]string{}
	for _, f := range facts {
		scripts[f.db] += f.query + ";\n\\echo " + end + "\n"
	}
	answers := map[string][]string{}
	for db, script := range scripts {
		answers[db] = strings.Split(w.query(t, n, db, script), end)
	}
	for _, f := range facts {
		got := answers[f.db][0]
		answers[f.db] = answers[f.db][1:]
		lines := func(text string) []string { return strings.Split(strings.Trim(text, "\n"), "\n") }
		if diff := cmp.Diff(lines(f.want), lines(got)); diff != "" {
			t.Errorf("%s (want -, got +):\n%s", f.what, diff)
		}
	}
}

// console returns the answer of the pool's console on host n, a row by its
// first column.
func (w *world) console(t *testing.T, n byte, command string) map[string]map[string]string {
	t.Helper()
	out := w.on(t, n, fmt.Sprintf("cd /tmp; sudo -u postgres psql -qX --csv -h /run/postgresql -p 6432 -d pgbouncer -c '%s'", command))
	return table(t, strings.NewReader(out), 1)
}

// table reads CSV with a header; a row goes by its first columns, so many as
// make a key.
func table(t *testing.T, text io.Reader, key int) map[string]map[string]string {
	t.Helper()
	records, err := csv.NewReader(text).ReadAll()
	if err != nil || len(records) == 0 {
		t.Fatalf("no table: %v", err)
	}
	rows := map[string]map[string]string{}
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = record[i]
		}
		rows[strings.Join(record[:key], " ")] = row
	}
	return rows
}

// has checks the columns of a row; want is "name value, name value".
func has(t *testing.T, what string, row map[string]string, want string) {
	t.Helper()
	for pair := range strings.SplitSeq(want, ", ") {
		name, value, _ := strings.Cut(pair, " ")
		if got, ok := row[name]; !ok || got != value {
			t.Errorf("%s: %s is %q, not %q", what, name, got, value)
		}
	}
}

// passwords of the users of the example and of the system.
var passwords = map[string]string{
	"dbuser_meta": "DBUser.Meta", "dbuser_view": "DBUser.Viewer", "dbuser_grafana": "DBUser.Grafana", "dbuser_kong": "DBUser.Kong",
	"dbuser_dba": "DBA.Test", "dbuser_monitor": "Monitor.Test", "replicator": "Replicator.Test",
}

// attempt is to log in from outside the hosts: from an intranet address that is
// no node's.
type attempt struct {
	user, db string
	port     int
	options  string // of libpq
	host     byte   // 10 unless set
	refused  string // what the refusal says; "" for a login that succeeds
}

// try returns nil if what was expected happened.
func (a attempt) try(w *world) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if a.host == 0 {
		a.host = 10
	}
	password, known := passwords[a.user]
	if !known {
		password = "wrong"
	}
	conn, err := w.sql(ctx, a.host, a.port, a.user, password, a.db, a.options)
	if err == nil && a.db != "pgbouncer" { // the console knows no SQL
		_, err = conn.Exec(ctx, "select 1")
	}
	if conn != nil {
		_ = conn.Close(ctx)
	}
	switch {
	case a.refused == "":
		return err
	case err == nil:
		return errors.New("it succeeded")
	case !strings.Contains(err.Error(), a.refused):
		return fmt.Errorf("refused otherwise, not with %q: %w", a.refused, err)
	}
	return nil
}

func (a attempt) String() string {
	return fmt.Sprintf("%s to %s on port %d %s", a.user, a.db, a.port, a.options)
}
