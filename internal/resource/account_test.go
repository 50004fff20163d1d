package resource_test

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"pigsty/internal/resource"
	"pigsty/internal/resource/resourcetest"
)

func TestAccounts(t *testing.T) {
	h := resourcetest.New()
	run(t, h, &resource.Group{Name: "dba", GID: 900},
		step{"absent", nil, "create: does not exist\ngid:  → 900", ""}, step{"there", nil, "", ""})
	run(t, h, &resource.Group{Name: "dba", GID: 901}, step{"other id", nil, "", "group dba exists with gid 900, not 901: set the inventory to 900"})
	run(t, h, &resource.Group{Name: "ssl"}, step{"any id", nil, "create: does not exist", ""})

	u := &resource.User{Name: "postgres", UID: 88, Group: "dba", Groups: []string{"ssl"}, Home: "/var/lib/pg", Shell: "/bin/bash", System: true}
	run(t, h, u,
		step{"absent", nil, "create: does not exist\nuid:  → 88\ngroup:  → dba\ngroups:  → ssl\nhome:  → /var/lib/pg\nshell:  → /bin/bash", ""},
		step{"there", nil, "", ""},
		step{"shell", func(h *resourcetest.Host) {
			a, _, _ := h.People.User("postgres")
			a.Shell, a.Groups = "/bin/sh", []string{"root"}
			_ = h.People.ModifyUser(ctx, a)
		}, "change: differs\ngroups: root → root,ssl\nshell: /bin/sh → /bin/bash", ""})
	other := *u
	other.UID = 89
	run(t, h, &other, step{"other id", nil, "", "user postgres exists with uid 88, not 89: set the inventory to 88"})
}

func publicKey(t *testing.T, seed byte, comment string) string {
	t.Helper()
	private := ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune('a'+seed)), 32)))
	key, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + " " + comment
}

func TestSSHKeys(t *testing.T) {
	h := resourcetest.New()
	a, b := publicKey(t, 0, "a@x"), publicKey(t, 1, "b@x")
	r := &resource.AuthorizedKeys{User: "dba", Keys: []string{a}}
	c, err := r.Diff(ctx, h.Host)
	if err != nil || c.Unknown != "after user dba exists" {
		t.Errorf("without the user: %v %v", c, err)
	}
	_ = h.People.AddUser(ctx, resource.Account{Name: "dba", Home: "/home/dba"})
	_ = h.Disk.Mkdir("/home/dba", 0o700, resource.Owner{User: "dba", Group: "dba"})
	const file = "/home/dba/.ssh/authorized_keys"
	finger := func(line string) string {
		key, comment, _, _, _ := ssh.ParseAuthorizedKey([]byte(line))
		return ssh.FingerprintSHA256(key) + " " + comment
	}
	run(t, h, r, step{"first", nil, "change: differs\nkey:  → " + finger(a), ""})
	info, _ := h.Disk.Stat("/home/dba/.ssh")
	expect(t, "owner of .ssh", info.Owner.String(), "dba:dba")
	run(t, h, &resource.AuthorizedKeys{User: "dba", Keys: []string{strings.Replace(a, "a@x", "other", 1), b}},
		step{"second", nil, "change: differs\nkey:  → " + finger(b), ""},
		step{"mode", func(h *resourcetest.Host) { _ = h.Disk.Chmod(file, 0o666) }, "change: differs\nmode: 0666 → 0600", ""})
	expect(t, "keys", h.Disk.Text(file), a+"\n"+b+"\n")
	run(t, h, &resource.AuthorizedKeys{User: "dba", Keys: []string{"nonsense"}}, step{"nonsense", nil, "", "a key to authorize for user dba is not a public key"})

	run(t, h, &resource.SSHKey{User: "dba"}, step{"pair", nil, "create: does not exist", ""}, step{"again", nil, "", ""})
	info, _ = h.Disk.Stat("/home/dba/.ssh/id_ed25519")
	expect(t, "mode", info.Mode.Perm(), 0o600)
	signer, err := ssh.ParsePrivateKey([]byte(h.Disk.Text("/home/dba/.ssh/id_ed25519")))
	if err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))) + " dba@node-1\n"
	expect(t, "public key", h.Disk.Text("/home/dba/.ssh/id_ed25519.pub"), line)
}

func TestMembership(t *testing.T) {
	h := resourcetest.New()
	m := &resource.Membership{User: "ada", Group: "infra"}
	run(t, h, m, step{"nobody", nil, "", "user ada, who is to be in group infra, does not exist"})
	_ = h.People.AddGroup(ctx, "infra", 0, true)
	_ = h.People.AddUser(ctx, resource.Account{Name: "ada", Group: "infra"})
	run(t, h, m, step{"by the first group", nil, "", ""})
	_ = h.People.AddUser(ctx, resource.Account{Name: "bob"})
	run(t, h, &resource.Membership{User: "bob", Group: "infra"}, step{"joins", nil, "change: differs\nmember: no → yes", ""})
}
