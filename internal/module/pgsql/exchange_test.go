package pgsql

import (
	"strings"
	"testing"
	"time"

	"pigsty/internal/pki"
	"pigsty/internal/resource"
)

// TestExchange lets the superusers of those members that take part in to each
// other, and never as anybody whom a node's administrator is let in as.
func TestExchange(t *testing.T) {
	s := newSite(t, "x.yml", `{all: {children: {
a: {hosts: {10.0.0.1: {pg_seq: 1, pg_role: primary}, 10.0.0.2: {pg_seq: 2, pg_role: replica}, 10.0.0.3: {pg_seq: 3, pg_role: replica, pg_dbsu_ssh_exchange: false}}, vars: {pg_cluster: a}},
b: {hosts: {10.0.0.4: {pg_seq: 1, pg_role: primary}}, vars: {pg_cluster: b}}}}}`, nil)
	ca, _, err := pki.OpenOrCreate(t.TempDir(), "test-ca", 24*time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	s.CA = ca.CertPEM()
	principals := map[string]string{"10.0.0.1": "pgsql/a/10.0.0.1", "10.0.0.2": "pgsql/a/10.0.0.2", "10.0.0.4": "pgsql/b/10.0.0.4"}
	for _, step := range tagged(deploy(s, s.Hosts()), "pg_ssh") {
		switch r := step.Resource.(type) {
		case *resource.SSHCert:
			if r.Principal != principals[step.Host] || r.User != "postgres" {
				t.Errorf("%s: the CA vouches for %s as %s", step.Host, r.User, r.Principal)
			}
			delete(principals, step.Host)
		case *resource.Lines:
			want := map[string]string{"10.0.0.1": "pgsql/a/10.0.0.1,pgsql/a/10.0.0.2", "10.0.0.2": "pgsql/a/10.0.0.1,pgsql/a/10.0.0.2", "10.0.0.4": "pgsql/b/10.0.0.4"}[step.Host]
			text := strings.Join(r.Lines, "\n")
			if strings.HasSuffix(r.Path, "authorized_keys") && (want == "") != (text == "") || want != "" && !r.Block && !strings.Contains(text, `principals="`+want+`"`) {
				t.Errorf("%s lets in %q, want %q", step.Host, text, want)
			}
		}
	}
	if len(principals) > 0 {
		t.Errorf("without a certificate: %v", principals)
	}
}
