package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"pigsty/internal/sandbox"
)

// backedByMinIO is a cluster that keeps its backups in object storage, as the
// documentation declares it, and another that is to become a copy of it.
const backedByMinIO = `
etcd: { hosts: { NET.10: { etcd_seq: 1 } }, vars: { etcd_cluster: etcd } }
minio: { hosts: { NET.10: { minio_seq: 1 } }, vars: { minio_cluster: minio } }
pg-test:
  hosts:
    NET.10: { pg_seq: 1, pg_role: primary }
    NET.11: { pg_seq: 2, pg_role: replica }
  vars:
    pg_cluster: pg-test
    pg_databases: [ { name: test } ]
    pgbackrest_method: minio
pg-copy:
  hosts: { NET.12: { pg_seq: 1, pg_role: primary } }
  vars: { pg_cluster: pg-copy, pg_replication_password: Replicator.Copy, pgbackrest_method: minio }
`

// TestS3 keeps the backups of a cluster in MinIO that was packaged here.
func TestS3(t *testing.T) {
	packages := builtPackages(t, "minio", "mcli")
	w := newWorld(t, "10.10.55.0/24", 10, 11, 12)
	net := strings.TrimSuffix(w.addr(0), ".0")
	w.inventory(t, backedByMinIO, `node_etc_hosts: [ "`+net+`.10 sss.pigsty" ]`)
	w.must(t, "node")
	startMinIO(t, w, packages)
	began := time.Now()
	w.must(t, "deploy")
	t.Logf("deployed in %s", time.Since(began).Round(time.Second))
	w.settled(t)
	whole(t, w, 2)
	w.inOrder(t, []scenario{
		{"backed up and encrypted", encryptedBackup},
		{"restore to a time", restoreFromS3},
		{"the new leader has the backups", backupsAfterFailover},
		{"storage is down", storageDown},
		{"all hosts are lost", lostCluster},
		{"a copy of a cluster", copyOfCluster},
		{"removed with its backups", removedWithBackups},
	})
}

// building is held by the test that looks at the packages which are built, or builds.
var building sync.Mutex

// builtPackages returns the .deb files of recipes. Compiling one takes minutes, so
// they are kept beside the sandbox's base images, where they have an index, and made
// only if somebody wants to wait for them.
func builtPackages(t *testing.T, recipes ...string) []string {
	t.Helper()
	building.Lock()
	defer building.Unlock()
	key := t.TempDir() // what is beside this inventory is this test's alone
	inventory := filepath.Join(key, "pigsty.yml")
	if err := os.WriteFile(inventory, []byte("all: { hosts: { 10.10.55.10: } }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(sandbox.DefaultDir, "built")
	args := append([]string{"repo", "build", "-i", inventory, "--format", "deb", "--dir", dir, "--json"}, recipes...)
	plan, err := exec.Command(binary, append(args, "--plan")...).Output()
	if err != nil {
		t.Fatalf("repo build --plan: %v\n%s", err, plan)
	}
	var files []string
	todo := false
	for line := range strings.Lines(string(plan)) {
		var p struct {
			Type, File string
			Build      bool
		}
		if json.Unmarshal([]byte(line), &p) == nil && p.Type == "package" {
			files = append(files, filepath.Join(dir, p.File))
			todo = todo || p.Build
		}
	}
	if !todo {
		return files
	}
	if os.Getenv("PIGSTY_E2E_BUILD") == "" {
		t.Skipf("skipped: %s has to be compiled, which takes minutes, and PIGSTY_E2E_BUILD=1 was not given", strings.Join(recipes, " and "))
	}
	began := time.Now()
	if out, err := exec.Command(binary, args...).CombinedOutput(); err != nil {
		t.Fatalf("repo build: %v\n%s", err, out)
	}
	t.Logf("packages built in %s", time.Since(began).Round(time.Second))
	return files
}

// copyTo copies files to /tmp of the host with last byte n.
func (w *world) copyTo(t *testing.T, n byte, files ...string) {
	t.Helper()
	args := append([]string{"-q", "-F", w.box.ConfigPath()}, files...)
	if out, err := exec.Command("scp", append(args, w.addr(n)+":/tmp/")...).CombinedOutput(); err != nil {
		t.Fatalf("copy to %s: %v\n%s", w.addr(n), err, out)
	}
}

// startMinIO installs the packages on the first host and starts a store of one
// drive there, with a certificate of the deployment's CA and what the default
// pgbackrest_repo expects.
func startMinIO(t *testing.T, w *world, packages []string) {
	w.must(t, "cert", "issue", "sss.pigsty", "--server", "--san", "DNS:sss.pigsty,IP:"+w.addr(10))
	issued := filepath.Join(w.dir, "files/pki/misc/sss.pigsty")
	w.copyTo(t, 10, append(packages, issued+".crt", issued+".key")...)
	w.on(t, 10, `set -e
export DEBIAN_FRONTEND=noninteractive
apt-get install -q -y --no-install-recommends $(ls /tmp/minio_*.deb /tmp/mcli_*.deb)
systemctl is-enabled minio && exit 1
test "$(stat -c %U:%a /home/minio)" = minio:750
install -d -o minio -g minio -m 750 /data/minio /home/minio/.minio/certs
install -o minio -g minio -m 600 /tmp/sss.pigsty.key /home/minio/.minio/certs/private.key
install -o minio -g minio -m 644 /tmp/sss.pigsty.crt /home/minio/.minio/certs/public.crt
rm /tmp/sss.pigsty.key
(umask 077; cat > /etc/default/minio <<'END'
MINIO_ROOT_USER=minioadmin
MINIO_ROOT_PASSWORD=S3User.MinIO
MINIO_VOLUMES=/data/minio
MINIO_OPTS="--address :9000 --console-address :9001"
END
)
systemctl enable --now minio`)
	w.on(t, 10, `set -e
mcli --quiet alias set sss https://sss.pigsty:9000 minioadmin S3User.MinIO
mcli --quiet mb sss/pgsql
cat > /tmp/pgsql.json <<'END'
{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::pgsql","arn:aws:s3:::pgsql/*"]}]}
END
mcli --quiet admin policy create sss pgsql /tmp/pgsql.json
mcli --quiet admin user add sss pgbackrest S3User.Backup
mcli --quiet admin policy attach sss pgsql --user pgbackrest`)
}

// backupInfo returns what pgBackRest on host n knows of the cluster: the types of
// its backups, and the cipher of the repository.
func backupInfo(t *testing.T, w *world, n byte) (types []string, cipher string) {
	t.Helper()
	var all []struct {
		Backup []struct{ Type string }
		Cipher string
		Status struct{ Message string }
	}
	out := w.on(t, n, "cd /; sudo -u postgres pgbackrest --stanza=pg-test info --output=json")
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 || all[0].Status.Message != "ok" {
		t.Fatalf("pgbackrest info on %s: %v\n%s", w.addr(n), err, out)
	}
	for _, b := range all[0].Backup {
		types = append(types, b.Type)
	}
	return types, all[0].Cipher
}

func encryptedBackup(t *testing.T, w *world) {
	if r := w.must(t, "pg", "status", "pg-test"); !strings.Contains(r.out, "(full, ") || !strings.Contains(r.out, "works") {
		t.Errorf("the new cluster has no backup, or archives nothing:\n%s", r.out)
	}
	for n := byte(10); n <= 11; n++ {
		if types, cipher := backupInfo(t, w, n); strings.Join(types, " ") != "full" || cipher != "aes-256-cbc" {
			t.Errorf("on %s: backups %q, cipher %s", w.addr(n), types, cipher)
		}
	}
	const info = "sss/pgsql/pgbackrest/backup/pg-test/backup.info"
	if got := w.on(t, 10, "mcli cat "+info+" | head -c 8"); got != "Salted__" {
		t.Errorf("%s begins with %q: it is not encrypted", info, got)
	}
	w.on(t, 10, "! ls -A /pg/backup/ | grep .") // nothing is kept on the host
	w.on(t, 10, "! grep -r S3User.Backup /var/log/pigsty /pg/log 2>/dev/null | grep .")
}

func restoreFromS3(t *testing.T, w *world) {
	fill(t, w, "kept")
	time.Sleep(time.Second)
	at := w.on(t, 10, "date -u '+%F %T.%N+00'")
	time.Sleep(time.Second)
	w.query(t, leader(t, w), "test", "drop table kept")
	r := w.must(t, "pgsql-pitr", "-l", "pg-test", "--time", at, "--yes", "pg-test")
	t.Logf("restored in %s", r.took.Round(100*time.Millisecond))
	restored(t, w, "kept")
}

// backupsAfterFailover takes the leader away: its successor archives to and
// restores from the same repository.
func backupsAfterFailover(t *testing.T, w *world) {
	old := leader(t, w)
	w.on(t, old, "systemctl stop patroni")
	var now byte
	eventually(t, 2*time.Minute, "another leader", func() error {
		if now = leader(t, w); now == old {
			return errors.New("it is the old one still")
		}
		return nil
	})
	w.on(t, now, "cd /; sudo -u postgres pgbackrest --stanza=pg-test --log-level-console=warn check && sudo -u postgres /pg/bin/pg-backup incr")
	types, _ := backupInfo(t, w, now)
	if got := strings.Join(types, " "); !strings.HasPrefix(got, "full") || !strings.HasSuffix(got, "incr") {
		t.Errorf("the new leader knows the backups %s", got)
	}
	w.on(t, now, "cd /; rm -rf /tmp/copy; sudo -u postgres pgbackrest --stanza=pg-test --pg1-path=/tmp/copy --type=none --log-level-console=warn restore && test -e /tmp/copy/PG_VERSION; rm -rf /tmp/copy")
	w.on(t, old, "systemctl start patroni")
	whole(t, w, 2)
	w.settled(t)
}

// storageDown plans while the repository does not answer: the plan gives up before
// pgBackRest would, says so, and nothing else is disturbed.
func storageDown(t *testing.T, w *world) {
	archivedAll(t, w) // and nothing more within archive_timeout, 5 minutes
	w.on(t, 10, "systemctl stop minio")
	r := w.pigsty(t, "plan", "pgsql")
	if said := "its repository cannot be read: pgbackrest: " + context.DeadlineExceeded.Error(); !strings.Contains(r.out, said) {
		t.Errorf("the plan (status %d) does not say %q:\n%s", r.status, said, r.out)
	}
	if secret := "S3User.Backup"; strings.Contains(r.out, secret) {
		t.Errorf("the plan shows a secret:\n%s", r.out)
	}
	w.on(t, 10, "systemctl start minio")
	eventually(t, 2*time.Minute, "MinIO", func() error {
		if got := w.on(t, 10, "mcli ready sss >/dev/null 2>&1; echo $?"); got != "0" {
			return fmt.Errorf("mcli ready: status %s", got)
		}
		return nil
	})
	w.settled(t)
}

// archivedAll waits until everything that the leader has written is archived.
func archivedAll(t *testing.T, w *world) {
	t.Helper()
	now := leader(t, w)
	last, _, _ := strings.Cut(w.query(t, now, "postgres", "select pg_walfile_name(pg_current_wal_insert_lsn()); select pg_switch_wal()"), "\n")
	eventually(t, 5*time.Minute, last+" is archived", func() error {
		if got := w.query(t, now, "postgres", "select last_archived_wal from pg_stat_archiver"); got < last {
			return errors.New("the last is " + got)
		}
		return nil
	})
}

// storageSecrets are what nothing shows of the repository.
var storageSecrets = []string{"S3User.Backup", "cipher-pass="}

// previewed returns what the preview of a restore says, which has no secrets.
func previewed(t *testing.T, w *world, args ...string) string {
	t.Helper()
	plan := w.must(t, append(args, "--plan")...)
	for _, secret := range storageSecrets {
		if strings.Contains(plan.out, secret) {
			t.Errorf("the preview shows %s:\n%s", secret, plan.out)
		}
	}
	return plan.out
}

// lostCluster deploys a cluster anew of which nothing is left but its backups, and
// has them restored.
func lostCluster(t *testing.T, w *world) {
	fill(t, w, "lost")
	archivedAll(t, w)
	w.must(t, "pgsql-rm", "-l", "pg-test", "-e", "pg_rm_pkg=false", "-e", "pg_rm_backup=false", "--yes", "pg-test")
	if r := w.pigsty(t, "pgsql", "-l", "pg-test"); r.status == 0 || !strings.Contains(r.out, "`pigsty pgsql-pitr -l pg-test --latest` restores what it had") {
		t.Fatalf("the new cluster takes the stanza of the lost one: status %d\n%s", r.status, r.out)
	}
	args := []string{"pgsql-pitr", "-l", "pg-test", "--latest", "--yes", "pg-test"}
	plan := previewed(t, w, args...)
	for _, said := range []string{"stanza pg-test in the repository minio (s3, ", "of another database cluster", "lost      everything that pg-test has now"} {
		if !strings.Contains(plan, said) {
			t.Errorf("the preview does not say %q:\n%s", said, plan)
		}
	}
	r := w.must(t, args...)
	t.Logf("restored in %s", r.took.Round(100*time.Millisecond))
	restored(t, w, "lost")
	w.must(t, "pg", "backup", "pg-test", "--type", "full")
	if types, _ := backupInfo(t, w, 11); !strings.HasPrefix(strings.Join(types, " "), "full") || types[len(types)-1] != "full" || len(types) < 3 {
		t.Errorf("backups %q: the old and the new are in one stanza", types)
	}
	w.settled(t)
}

// sourceMarks is what a cluster that is copied would show of the copy: whose its
// stanza is, its backups, and the timelines in its archive.
func sourceMarks(t *testing.T, w *world) string {
	t.Helper()
	return w.on(t, 10, `for kind in archive backup; do mcli cat sss/pgsql/pgbackrest/$kind/pg-test/$kind.info | md5sum; done
mcli find sss/pgsql/pgbackrest/archive/pg-test --name '*.history*'`)
}

// copyOfCluster makes one cluster a copy of another, and makes the copy again:
// what its own archive has from the first time is not in the way. The second time
// the repository is named, too.
func copyOfCluster(t *testing.T, w *world) {
	const another = `{"type": "s3", "s3_endpoint": "sss.pigsty", "s3_region": "us-east-1", "s3_bucket": "pgsql", "s3_key": "pgbackrest",
"s3_key_secret": "S3User.Backup", "s3_uri_style": "path", "path": "/pgbackrest", "storage_port": "9000", "storage_ca_file": "/etc/pki/ca.crt",
"cipher_type": "aes-256-cbc", "cipher_pass": "pgBackRest"}`
	fulls := func() int {
		return strings.Count(w.on(t, 12, "cd /; sudo -u postgres pgbackrest --stanza=pg-copy --output=json info"), `"type":"full"`)
	}
	before, had := sourceMarks(t, w), fulls()
	for _, again := range []bool{false, true} {
		table, target := "copied", `{"cluster": "pg-test"}`
		if again {
			table, target = "copied_again", `{"cluster": "pg-test", "repo": `+another+`}`
		}
		fill(t, w, table)
		archivedAll(t, w)
		args := []string{"pgsql-pitr", "-l", "pg-copy", "-e", `{"pg_pitr": ` + target + `}`, "--yes", "pg-copy"}
		plan := previewed(t, w, args...)
		for _, said := range []string{"source    stanza pg-test in the repository ", "(s3, bucket pgsql at sss.pigsty", "lost      everything that pg-copy has now", "archives  to its own stanza pg-copy in the repository minio"} {
			if !strings.Contains(plan, said) {
				t.Errorf("the preview does not say %q:\n%s", said, plan)
			}
		}
		r := w.must(t, args...)
		t.Logf("copied in %s", r.took.Round(100*time.Millisecond))
		if got := w.query(t, 12, "test", "select count(*) from "+table); got != "1000" {
			t.Errorf("the copy has %s rows of %s", got, table)
		}
		w.query(t, 12, "test", "drop table "+table)
		w.must(t, "pg", "backup", "pg-copy", "--type", "full")
		if got := w.on(t, 12, "ls /pg/conf; cat /proc/*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -o '[S]3User.Backup' | head -1"); strings.Contains(got, "pitr.conf") || strings.Contains(got, "look-") || strings.Contains(got, "S3User") {
			t.Errorf("secrets of the source are left: %s", got)
		}
		if got := w.query(t, leader(t, w), "test", "select count(*) from "+table); got != "1000" {
			t.Errorf("the source has %s rows of %s", got, table)
		}
	}
	if after := sourceMarks(t, w); after != before {
		t.Errorf("the source's stanza changed:\n%s\nwas\n%s", after, before)
	}
	if got := fulls(); had == 0 || got != had+2 {
		t.Errorf("the stanza of the copy had %d backups, and has %d: not those of before and of both times", had, got)
	}
	w.settled(t)
}

// removedWithBackups removes the copy and what it has in the repository, in which
// the source has the same database cluster under another name.
func removedWithBackups(t *testing.T, w *world) {
	before := sourceMarks(t, w)
	stanzas := func() string {
		return w.on(t, 10, "for kind in archive backup; do mcli ls sss/pgsql/pgbackrest/$kind/ | awk '{print $NF}'; done | sort | uniq -c | xargs")
	}
	if got := stanzas(); got != "2 pg-copy/ 2 pg-test/" {
		t.Errorf("the repository has %q", got)
	}
	r := w.must(t, "pgsql-rm", "-l", "pg-copy", "--yes", "pg-copy")
	if !strings.Contains(r.out, "stanza absent pg-copy") {
		t.Errorf("the removal does not name the stanza:\n%s", r.out)
	}
	if got := stanzas(); got != "2 pg-test/" {
		t.Errorf("the repository has %q", got)
	}
	if after := sourceMarks(t, w); after != before {
		t.Errorf("the source's stanza changed:\n%s\nwas\n%s", after, before)
	}
	w.on(t, 12, "! find / -xdev -name 'pg-copy*.stop' | grep .")
	if r := w.must(t, "plan", "pgsql-rm", "-l", "pg-copy"); !strings.Contains(r.out, "nothing to do") {
		t.Errorf("something of it is left:\n%s", r.out)
	}
}
