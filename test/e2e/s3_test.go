package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pigsty/internal/sandbox"
)

// backedByMinIO is a cluster that keeps its backups in object storage, as the
// documentation declares it.
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
`

// TestS3 keeps the backups of a cluster in MinIO that was packaged here.
func TestS3(t *testing.T) {
	packages := builtPackages(t, "minio", "mcli")
	w := newWorld(t, "10.10.55.0/24", 10, 11)
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
	})
}

// builtPackages returns the .deb files of recipes. Compiling MinIO takes
// minutes, so they are kept beside the sandbox's base images, and made only if
// somebody wants to wait for them.
func builtPackages(t *testing.T, recipes ...string) []string {
	t.Helper()
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
	if os.Getenv("PIGSTY_E2E_S3") == "" {
		t.Skip("skipped: MinIO has to be compiled, which takes minutes, and PIGSTY_E2E_S3=1 was not given")
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
	eventually(t, time.Minute, "another leader", func() error {
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

// storageDown plans while the repository does not answer: the plan says so in
// time, and nothing else is disturbed.
func storageDown(t *testing.T, w *world) {
	w.on(t, 10, "systemctl stop minio")
	r := w.pigsty(t, "plan", "pgsql")
	if !strings.Contains(r.out, "its repository cannot be read") || r.took > 45*time.Second {
		t.Errorf("status %d after %s\n%s", r.status, r.took, r.out)
	}
	if secret := "S3User.Backup"; strings.Contains(r.out, secret) {
		t.Errorf("the plan shows a secret:\n%s", r.out)
	}
	w.on(t, 10, "systemctl start minio")
	eventually(t, 30*time.Second, "MinIO", func() error {
		if got := w.on(t, 10, "mcli ready sss >/dev/null 2>&1; echo $?"); got != "0" {
			return fmt.Errorf("mcli ready: status %s", got)
		}
		return nil
	})
	w.settled(t)
}
