package resource_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"pigsty/internal/pki"
	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

func TestSSHCert(t *testing.T) {
	ca, _, err := pki.OpenOrCreate(t.TempDir(), "test", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := pki.OpenOrCreate(t.TempDir(), "other", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	h := resourcetest.New()
	issuer := ca
	h.Master.Signer = func(key string, public []byte) ([]byte, error) {
		expect(t, "key", key, "ssh certificate dba")
		return issuer.IssueSSH(public, "10.0.0.1", "dba@10.0.0.1")
	}
	_ = h.People.AddUser(ctx, resource.Account{Name: "dba"})
	_ = h.Disk.Mkdir("/home/dba", 0o700, resource.Owner{User: "dba", Group: "dba"})
	r := &resource.SSHCert{User: "dba", Principal: "10.0.0.1", CA: ca.CertPEM()}
	if c, err := r.Diff(ctx, h.Host); err != nil || c.Action != resource.Create {
		t.Errorf("before there is a key: %v %v", c, err)
	}
	run(t, h, &resource.SSHKey{User: "dba"}, step{"key", nil, "create: does not exist", ""})
	const file = "/home/dba/.ssh/id_ed25519-cert.pub"
	run(t, h, r,
		step{"first", nil, "create: does not exist", ""}, step{"again", nil, "", ""},
		step{"nonsense", func(h *resourcetest.Host) { h.Disk.Put(file, "x") }, "change: it is not an SSH certificate", ""},
		step{"another key", func(h *resourcetest.Host) {
			_ = h.Disk.Remove("/home/dba/.ssh/id_ed25519")
			_ = (&resource.SSHKey{User: "dba"}).Apply(ctx, h.Host)
		}, "change: it does not belong to the key", ""})
	run(t, h, &resource.SSHCert{User: "dba", Principal: "10.0.0.2", CA: ca.CertPEM()},
		step{"another name than it is signed for", nil, "", "what it returned is not what was asked for: it vouches for 10.0.0.1"})
	issuer = other
	run(t, h, &resource.SSHCert{User: "dba", Principal: "10.0.0.1", CA: other.CertPEM()},
		step{"another CA", nil, "change: issued by another CA", ""}, step{"again", nil, "", ""})

	// The pair of what it shows and what hosts trust.
	lines, err := resource.SSHAuthorities(append(ca.CertPEM(), other.CertPEM()...), []string{"10.0.0.1", "10.0.0.2"})
	if err != nil || len(lines) != 2 {
		t.Fatalf("%v %v", lines, err)
	}
	trusted, _, options, _, err := ssh.ParseAuthorizedKey([]byte(lines[1]))
	if err != nil {
		t.Fatal(err)
	}
	expect(t, "options", strings.Join(options, " "), `cert-authority principals="10.0.0.1,10.0.0.2"`)
	parsed, _, _, _, err := ssh.ParseAuthorizedKey([]byte(h.Disk.Text(file)))
	if err != nil {
		t.Fatal(err)
	}
	cert := parsed.(*ssh.Certificate)
	expect(t, "issuer", string(cert.SignatureKey.Marshal()), string(trusted.Marshal()))
	expect(t, "name in logs", cert.KeyId, "dba@10.0.0.1")
}

func TestSSHKeyPublicHalf(t *testing.T) {
	h := resourcetest.New()
	_ = h.People.AddUser(ctx, resource.Account{Name: "dba"})
	_ = h.Disk.Mkdir("/home/dba", 0o700, resource.Owner{User: "dba", Group: "dba"})
	r := &resource.SSHKey{User: "dba"}
	run(t, h, r, step{"new", nil, "create: does not exist", ""})
	const public = "/home/dba/.ssh/id_ed25519.pub"
	before := h.Disk.Text(public)
	run(t, h, r, step{"half", func(h *resourcetest.Host) { _ = h.Disk.Remove(public) }, "change: its public half is missing", ""})
	expect(t, "public half", h.Disk.Text(public), before)
}
