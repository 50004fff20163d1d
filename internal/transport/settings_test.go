package transport

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// Who wins: the inventory's variables, ansible_ssh_common_args, ssh_config, defaults.
func TestPrecedence(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("SSH_AUTH_SOCK", "/run/agent")
	writeFile(t, filepath.Join(home, ".ssh/conf.d/a.conf"), "Host inc*\n  User included\nMatch exec true\n  User never\n", 0o600)
	config := writeFile(t, filepath.Join(home, ".ssh/config"), `
Include conf.d/*.conf
Host db
  HostName db.internal
  Port 2200
  User config_user   # a comment
  IdentityFile ~/.ssh/config_key
  ConnectTimeout 7
  HostKeyAlias the-db
  UserKnownHostsFile ~/kh1 "/tmp/k h2"
  StrictHostKeyChecking yes
Match exec "test -f /x"
  User matched
  Port 1
Match host m1,m2
  User by_match
Host quoted
  User="quoted_user"
  ProxyCommand nc %h %p
  ProxyJump ignored
Host jumper
  ProxyJump a@b:33,c
  IdentitiesOnly yes
  IdentityAgent none
Host * !plain
  User star
  Port 2222
  IdentityFile ~/.ssh/star_key
`, 0o600)
	for _, c := range []struct {
		name   string
		target Target
		check  map[string]any
	}{
		{"config", Target{Name: "10.0.0.1", Address: "db"}, map[string]any{
			"host": "db.internal", "port": 2200, "user": "config_user", "timeout": 7 * time.Second,
			"keys": []string{home + "/.ssh/config_key", home + "/.ssh/star_key"}, "hostKeyName": "the-db",
			"known": []string{home + "/kh1", "/tmp/k h2"}, "policy": PolicyStrict, "agent": "/run/agent"}},
		{"inventory wins", Target{Name: "db", Port: 22, User: "inv", KeyFile: "/k", CommonArgs: "-p 99 -l arg -i /a -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=/dev/null"}, map[string]any{
			"port": 22, "user": "inv", "keys": []string{"/k", "/a", home + "/.ssh/config_key", home + "/.ssh/star_key"},
			"policy": PolicyAcceptNew, "known": []string{"/dev/null"}, "host": "db.internal"}},
		{"arguments win over config", Target{Name: "db", CommonArgs: "-p99 -oUser=arg"}, map[string]any{"port": 99, "user": "arg"}},
		{"defaults", Target{Name: "plain"}, map[string]any{
			"host": "plain", "port": 22, "timeout": 10 * time.Second, "keys": []string(nil), "hostKeyName": "plain",
			"known": []string{home + "/.ssh/known_hosts", home + "/.ssh/known_hosts2"}, "policy": PolicyAcceptNew, "user": localUser()}},
		{"no port keeps the config's", Target{Name: "other"}, map[string]any{"port": 2222, "user": "star", "hostKeyName": "[other]:2222"}},
		{"include", Target{Name: "included"}, map[string]any{"user": "included"}},
		{"match host", Target{Name: "m2"}, map[string]any{"user": "by_match"}},
		{"proxy command first", Target{Name: "quoted"}, map[string]any{"user": "quoted_user", "proxy": "nc quoted 2222", "jumps": []string(nil)}},
		{"jumps", Target{Name: "jumper"}, map[string]any{"jumps": []string{"a@b:33", "c"}, "agent": ""}},
		{"no jump", Target{Name: "jumper", CommonArgs: "-o ProxyJump=none"}, map[string]any{"jumps": []string(nil)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := New(Options{Binary: config})
			s, err := d.resolve(c.target)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]any{"host": s.host, "port": s.port, "user": s.user, "timeout": s.timeout, "keys": s.keyFiles,
				"hostKeyName": s.hostKeyName, "known": s.knownHosts, "policy": s.policy, "agent": s.agentSocket,
				"proxy": s.proxyCommand, "jumps": s.jumps}
			for k, want := range c.check {
				if fmt.Sprintf("%#v", got[k]) != fmt.Sprintf("%#v", want) {
					t.Errorf("%s is %#v, want %#v", k, got[k], want)
				}
			}
		})
	}
	var warned []string
	if _, err := loadConfig(config, home, func(w string) { warned = append(warned, w) }); err != nil {
		t.Fatal(err)
	}
	if len(warned) != 2 || !strings.Contains(warned[1], config+`:12: Match exec "test -f /x" is not supported`) {
		t.Errorf("warnings: %q", warned)
	}
}

func TestBadConfig(t *testing.T) {
	w := newWorld(t, Options{})
	writeFile(t, w.dialer.opts.ConfigFile, "Include "+w.dialer.opts.ConfigFile+"\n", 0o600)
	w.refused(t, w.server.target(), StageResolve, "nests deeper")
	os.Remove(w.dialer.opts.ConfigFile)
	w.dialer = w.newDialer(t, w.dialer.opts)
	w.refused(t, w.server.target(), StageResolve, "no such file")
	target := w.server.target()
	target.CommonArgs = "-o 'Foo"
	w.refused(t, target, StageResolve, "ansible_ssh_common_args")
}

func TestParseArgs(t *testing.T) {
	for _, c := range []struct {
		line  string
		want  values
		warns int
		err   string
	}{
		{line: ""},
		{line: `-o ProxyCommand="ssh -W %h:%p -q bastion"`, want: values{"proxycommand": {"ssh -W %h:%p -q bastion"}}},
		{line: `-o "ProxyCommand ssh -W %h:%p bastion" -J x`, want: values{"proxycommand": {"ssh -W %h:%p bastion"}}},
		{line: "-J a,b -o ProxyJump=c", want: values{"proxyjump": {"a,b"}}},
		{line: "-C -o ControlMaster=auto -o ControlPersist=60s -o ServerAliveInterval=5"},
		{line: "-Ci /k -i/k2 -p 22", want: values{"identityfile": {"/k", "/k2"}, "port": {"22"}}},
		{line: "-A -o Ciphers=x -F none -4", want: values{"addressfamily": {"inet"}}, warns: 3},
		{line: "-o stricthostkeychecking=NO", want: values{"stricthostkeychecking": {"NO"}}},
		{line: "host", err: "not an ssh option"},
		{line: "-o", err: "lacks its value"},
		{line: "-o Port", err: "not Name=value"},
		{line: `-o 'Port=1`, err: "unclosed '"},
	} {
		got, warns, err := parseArgs(c.line)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v, want %q", c.line, err, c.err)
			}
			continue
		}
		if err != nil || len(warns) != c.warns || len(got) != len(c.want) {
			t.Errorf("%s: %v, %q, %v", c.line, got, warns, err)
		}
		for k, v := range c.want {
			if !slices.Equal(got[k], v) {
				t.Errorf("%s: %s is %q, want %q", c.line, k, got[k], v)
			}
		}
	}
}

func FuzzParseArgs(f *testing.F) {
	f.Add(`-o ProxyCommand="ssh -W %h:%p b" -J a,b -i ~/k -p22 -C`)
	f.Add(`-o 'A "b"' -oPort=1 \x`)
	f.Fuzz(func(t *testing.T, line string) {
		vals, _, err := parseArgs(line)
		if err != nil {
			return
		}
		for key, list := range vals {
			if _, known := settable[key]; !known || len(list) == 0 {
				t.Errorf("%q sets %q to %q", line, key, list)
			}
		}
	})
}

// What quote makes, splitWords takes apart again.
func FuzzQuote(f *testing.F) {
	f.Add("a b", "it's")
	f.Add("", "\\\"")
	f.Fuzz(func(t *testing.T, a, b string) {
		got, err := splitWords(quote([]string{a, b}))
		if err != nil || !slices.Equal(got, []string{a, b}) {
			t.Errorf("%q %q became %q, %v", a, b, got, err)
		}
	})
}
