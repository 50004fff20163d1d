package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestConnect reaches hosts in the ways that people reach theirs. The play does
// next to nothing: it is the way there that counts.
func TestConnect(t *testing.T) {
	w := newBareWorld(t, "10.10.35.0/24", 10, 11)
	for n := byte(10); n <= 11; n++ {
		w.on(t, n, `for u in nopass withpass; do useradd -m -s /bin/bash $u; install -d -m 700 -o $u /home/$u/.ssh; install -m 600 -o $u /root/.ssh/authorized_keys /home/$u/.ssh/; done
echo 'withpass:Sudo.Test' | chpasswd
echo 'nopass ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/nopass; echo 'withpass ALL=(ALL) ALL' > /etc/sudoers.d/withpass
echo 'echo welcome to this host' >> /home/nopass/.bashrc`)
	}
	hosts := func(vars string) string {
		return "nodes:\n  hosts: { NET.10: {}, NET.11: {} }\n  vars: { nodename_overwrite: false" + vars + " }"
	}
	t.Run("nothing to remove", func(t *testing.T) {
		w.inventory(t, `
etcd: { hosts: { NET.10: { etcd_seq: 1 } } }
pg-none: { hosts: { NET.10: { pg_seq: 1, pg_role: primary }, NET.11: { pg_seq: 2, pg_role: replica } }, vars: { pg_cluster: pg-none } }`)
		if r := w.must(t, "pgsql-rm", "-l", "pg-none", "--yes", "pg-none"); !strings.Contains(r.out, "nothing to do") {
			t.Errorf("removing from bare hosts:\n%s", r.out)
		}
	})
	cases := []struct {
		name, vars string
		says       string // what the output has when it must fail
	}{
		{"as root", "", ""},
		{"by sudo without a password, with a profile that talks", ", ansible_user: nopass", ""},
		{"by sudo with a password", ", ansible_user: withpass, ansible_become_password: Sudo.Test", ""},
		{"by sudo without the password it wants", ", ansible_user: withpass", "ansible_become_password"},
		{"by sudo with a wrong password", ", ansible_user: withpass, ansible_become_password: wrong", "password"},
		{"as nobody we know", ", ansible_user: stranger", "stranger"},
		{"by the user's ssh config, through a jump host", ", ansible_ssh_common_args: '', ansible_ssh_private_key_file: ''", ""},
	}
	config := fmt.Sprintf("Include %s\nHost %s\n  ProxyJump root@%s\n", w.box.ConfigPath(), w.addr(11), w.addr(10))
	home := filepath.Join(w.dir, "home")
	if err := os.MkdirAll(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w.env = nil
			if strings.Contains(c.name, "ssh config") {
				w.env = []string{"HOME=" + home}
			}
			w.inventory(t, hosts(c.vars))
			r := w.pigsty(t, "node", "-t", "node_ulimit")
			if strings.Contains(r.out, "Sudo.Test") {
				t.Error("the output shows the password")
			}
			if c.says != "" {
				if r.status != 3 || !strings.Contains(r.out, c.says) {
					t.Fatalf("status %d, wants 3 and %q:\n%s", r.status, c.says, r.out)
				}
				return
			}
			if r.status != 0 {
				t.Fatalf("status %d:\n%s", r.status, r.out)
			}
			w.settled(t, "node", "-t", "node_ulimit")
		})
	}
	t.Run("by a sudo password that is asked for on the terminal", func(t *testing.T) {
		w.env = nil
		w.inventory(t, hosts(", ansible_user: withpass"))
		if r := w.pigsty(t, "node", "-t", "node_ulimit", "-K"); r.status != 1 || !strings.Contains(r.out, "no terminal to ask") {
			t.Fatalf("without a terminal: status %d:\n%s", r.status, r.out)
		}
		if r := w.typed(t, "sudo password:", "\x03", "node", "-t", "node_ulimit", "-K"); r.status != 130 || !strings.Contains(r.out, "interrupted before anything was changed") {
			t.Fatalf("Ctrl-C at the question: status %d:\n%s", r.status, r.out)
		}
		keys, typing, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer typing.Close()
		defer keys.Close()
		if _, err := typing.WriteString("Sudo.Test\n"); err != nil {
			t.Fatal(err)
		}
		// script(1) gives the command a terminal.
		typed := exec.Command("script", "-qec", binary+" node -t node_ulimit -K", "/dev/null")
		typed.Stdin = keys
		if r := w.run(t, typed); r.status != 0 || !strings.Contains(r.out, "sudo password:") || !strings.Contains(r.out, "2 hosts") {
			t.Fatalf("status %d:\n%s", r.status, r.out)
		}
	})
	t.Run("a changed host key is refused", func(t *testing.T) {
		w.env = nil
		text, err := os.ReadFile(w.box.KnownHostsPath())
		if err != nil {
			t.Fatal(err)
		}
		// host 11 with the key of host 10
		var key string
		var lines []string
		for line := range strings.Lines(string(text)) {
			names, rest, _ := strings.Cut(line, " ")
			if strings.Contains(names, w.addr(10)) {
				key = rest
			}
			if !strings.Contains(names, w.addr(11)) {
				lines = append(lines, line)
			}
		}
		lines = append(lines, w.addr(11)+" "+key)
		other := filepath.Join(w.dir, "known_hosts")
		if err := os.WriteFile(other, []byte(strings.Join(lines, "")), 0o600); err != nil {
			t.Fatal(err)
		}
		w.inventory(t, hosts(", ansible_ssh_common_args: -o UserKnownHostsFile="+other))
		r := w.pigsty(t, "node", "-t", "node_ulimit")
		if r.status != 3 || !strings.Contains(r.out, "host key") || !strings.Contains(r.out, w.addr(11)) {
			t.Fatalf("status %d:\n%s", r.status, r.out)
		}
	})
}
