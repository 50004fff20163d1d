package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// late is how far the delayed cluster is behind.
const late = 4 * time.Second

// accessRuns is how much runs on the hosts of pg-meta: its members, and dnsmasq.
const accessRuns = 3 + 1

// TestAccess deploys the documents' example of strict access control on four
// hosts: every connection encrypted, few addresses listened on, synchronous
// replication, and a second cluster that is late on purpose.
func TestAccess(t *testing.T) {
	w := newWorld(t, "10.10.54.0/24", 10, 11, 12, 13)
	w.cluster = "pg-meta"
	w.afterFirst(t, []scenario{
		{"deploy", accessDeploy},
		{"catalogs", accessCatalogs},
		{"access rules", accessRules},
		{"pools", accessPool},
		{"services' statistics", accessStatistics},
		{"who may log in, and how", accessLogins},
		{"certificates", accessCertificates},
		{"addresses that are listened on", accessListens},
		{"weak passwords are refused", accessPasswords},
		{"commits are confirmed", accessSynchronous},
		{"services", accessServices},
		{"the delayed cluster is late", accessDelay},
		{"address and services follow a switchover", accessSwitchover},
	})
}

// accessDeploy deploys the example as it is written, but for the network
// interface, which the sandbox calls host0; the repository of backups, which
// would be MinIO, whom Debian does not package; and a delay that can be waited
// for.
func accessDeploy(t *testing.T, w *world) {
	w.document(t, "access.yml", append([]string{"pg_conf: oltp.yml"}, onlyNames...),
		"pg_vip_interface: eth1", "pg_vip_interface: host0",
		"pgbackrest_method: minio", "pgbackrest_method: local",
		"pg_delay: 1h", "pg_delay: "+late.String(),
		"\n    minio: { hosts: { 10.10.10.10: { minio_seq: 1 } }, vars: { minio_cluster: minio } }", "")
	r := w.must(t, "deploy")
	t.Logf("deployed in %s", r.took.Round(100*time.Millisecond))
	whole(t, w, accessRuns)
	w.settled(t)
}

// ca is the deployment's authority, for libpq. A service leads to whichever
// member, which has no certificate for the address of the member that was asked.
func (w *world) ca(port int) string {
	mode := "verify-full"
	if port > 5432 && port < 5440 {
		mode = "verify-ca"
	}
	return "sslmode=" + mode + " sslrootcert=" + filepath.Join(w.dir, "files/pki/ca/ca.crt")
}

// accessLogins tries the ways in, from the intranet: encrypted, or not at all.
func accessLogins(t *testing.T, w *world) {
	w.must(t, "cert", "issue", "dbuser_dba")
	misc := filepath.Join(w.dir, "files/pki/misc/dbuser_dba")
	mine := w.ca(5432) + " sslcert=" + misc + ".crt sslkey=" + misc + ".key"
	for _, a := range []attempt{
		{user: "dbuser_meta", db: "meta", port: 5432, options: w.ca(5432)},
		{user: "dbuser_meta", db: "meta", port: 5432, options: w.ca(5432), host: 11},
		{user: "dbuser_meta", db: "meta", port: 5432, options: w.ca(5432), host: 2},
		{user: "dbuser_meta", db: "meta", port: 6432, options: w.ca(6432)},
		{user: "dbuser_meta", db: "meta", port: 6432, options: w.ca(6432), host: 2},
		{user: "dbuser_meta", db: "meta", port: 5433, options: w.ca(5433)},
		{user: "dbuser_view", db: "meta", port: 5434, options: w.ca(5434)},
		{user: "dbuser_dba", db: "meta", port: 6432, options: w.ca(6432)},
		{user: "dbuser_monitor", db: "pgbouncer", port: 6432, options: w.ca(6432)},
		{user: "replicator", db: "postgres", port: 5432, options: w.ca(5432)},
		{user: "dbuser_meta", db: "meta", port: 5432, options: "sslmode=disable", refused: "no encryption"},
		{user: "dbuser_meta", db: "meta", port: 5433, options: "sslmode=disable", refused: "no encryption"},
		{user: "dbuser_meta", db: "meta", port: 6432, options: "sslmode=disable", refused: "SSL required"},
		{user: "dbuser_view", db: "meta", port: 5434, options: "sslmode=disable", refused: "no encryption"},
		{user: "replicator", db: "postgres", port: 5432, options: "sslmode=disable", refused: "no encryption"},
		// monitoring comes from infra nodes alone
		{user: "dbuser_monitor", db: "meta", port: 5432, options: w.ca(5432), refused: "no pg_hba.conf entry"},
		{user: "dbuser_monitor", db: "meta", port: 6432, options: w.ca(6432), refused: "rejected"},
		// administrators need a certificate, unless they come from infra nodes
		{user: "dbuser_dba", db: "meta", port: 5432, options: w.ca(5432), refused: "valid client certificate"},
		{user: "dbuser_dba", db: "meta", port: 5432, options: mine},
		{user: "dbuser_dba", db: "meta", port: 5432, options: mine, host: 2},
		{user: "dbuser_view", db: "meta", port: 5432, options: strings.Replace(mine, "verify-full", "disable", 1), refused: "no encryption"},
	} {
		if err := a.try(w); err != nil {
			t.Errorf("%s at .%d: %v", a, a.host, err)
		}
	}
	psql := func(user, options string) string {
		return w.on(t, 10, fmt.Sprintf("PGPASSWORD=%s psql -qAtX 'host=%s user=%s dbname=meta %s' -c 'select 1' 2>&1 || true", passwords[user], w.addr(11), user, options))
	}
	for _, user := range []string{"dbuser_dba", "dbuser_monitor"} {
		if got := psql(user, "sslmode=require"); got != "1" {
			t.Errorf("%s from an infra node: %s", user, got)
		}
		if got := psql(user, "sslmode=disable"); !strings.Contains(got, "no encryption") {
			t.Errorf("%s from an infra node in plain text: %s", user, got)
		}
	}
}

// accessCertificates looks at what servers show, with others' eyes, and at
// Patroni's API.
func accessCertificates(t *testing.T, w *world) {
	authority := filepath.Join(w.dir, "files/pki/ca/ca.crt")
	for _, host := range []byte{10, 11, 12, 2} {
		for _, port := range []int{5432, 6432} {
			at := fmt.Sprintf("%s:%d", w.addr(host), port)
			r := w.run(t, exec.Command("timeout", "10", "openssl", "s_client", "-starttls", "postgres", "-connect", at, "-CAfile", authority, "-verify_return_error", "-verify_ip", w.addr(host), "-brief"))
			if !strings.Contains(r.out, "Verification: OK") || !strings.Contains(r.out, "TLSv1.3") {
				t.Errorf("%s shows\n%s", at, r.out)
			}
		}
	}
	pem, err := os.ReadFile(authority)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	api := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	for _, host := range []byte{10, 11, 12} {
		res, err := api.Get("https://" + w.addr(host) + ":8008/health")
		if err != nil || res.StatusCode != http.StatusOK {
			t.Errorf("Patroni's API of %s: %v %v", w.addr(host), res, err)
			continue
		}
		_ = res.Body.Close()
		if res, err := http.Get("http://" + w.addr(host) + ":8008/health"); err == nil {
			_ = res.Body.Close()
			t.Errorf("Patroni's API of %s answers in plain text", w.addr(host))
		}
	}
	w.holds(t, 10, []fact{{"who replicates, and encrypted", "postgres",
		"select application_name, ssl from pg_stat_replication join pg_stat_ssl using (pid) order by 1", "pg-meta-2|t\npg-meta-3|t\npg-meta-delay-1|t"}})
}

// accessListens checks that servers listen on their own, the virtual and the
// local address, whoever holds the virtual one, and on no other.
func accessListens(t *testing.T, w *world) {
	for _, n := range []byte{10, 11, 12} {
		want := []string{"127.0.0.1", w.addr(2), w.addr(n)}
		for _, port := range []string{"5432", "6432"} {
			got := strings.Fields(w.on(t, n, "ss -Hltn 'sport = :"+port+"' | awk '{ sub(/:[0-9]*$/, \"\", $4); print $4 }'"))
			slices.Sort(got)
			if !slices.Equal(slices.Sorted(slices.Values(want)), slices.Compact(got)) {
				t.Errorf("port %s of %s listens on %v, not %v", port, w.addr(n), got, want)
			}
		}
	}
}
