package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

func (s *Sandbox) sshFile(name string) string { return filepath.Join(s.dir, "ssh", name) }

// KeyPath is the private key that logs in as root on every host.
func (s *Sandbox) KeyPath() string { return s.sshFile("id_ed25519") }

// KnownHostsPath is a known_hosts file with the key of every host, by name and by address. It is complete
// before a host boots. An address keeps its key over Down and Up, so that a key once recorded elsewhere
// stays right.
func (s *Sandbox) KnownHostsPath() string { return s.sshFile("known_hosts") }

// ConfigPath is an ssh_config file with a block per host (by name and by address), fit for ssh -F and for
// an Include line in ~/.ssh/config.
func (s *Sandbox) ConfigPath() string { return s.sshFile("config") }

// SSHArgs are the arguments of ssh that log in to a host, by name or address, as root; a command may
// follow them.
func (s *Sandbox) SSHArgs(ref string) []string { return []string{"-F", s.ConfigPath(), ref} }

// makeKey makes the key of the sandbox, once.
func (s *Sandbox) makeKey(ctx context.Context) error {
	return generateKey(ctx, s.KeyPath(), "pigsty sandbox")
}

// hostKey makes the SSH key of the host at an address, once, and returns its path.
func (s *Sandbox) hostKey(ctx context.Context, a netip.Addr) (string, error) {
	path := s.sshFile(filepath.Join("hostkeys", a.String()))
	return path, generateKey(ctx, path, "root@"+s.nameOf(a))
}

func generateKey(ctx context.Context, path, comment string) error {
	if fileExists(path) && fileExists(path+".pub") {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("creating the directory of SSH keys: %w", err)
	}
	os.Remove(path) // half a pair: ssh-keygen would ask
	if _, err := run(ctx, "", "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", path); err != nil {
		return fmt.Errorf("making an SSH key: %w", err)
	}
	return nil
}

// writeSSHFiles writes known_hosts and config for the given hosts.
func (s *Sandbox) writeSSHFiles(hosts []record) error {
	var known, config strings.Builder
	config.WriteString("# Written by pigsty sandbox; changes are lost.\n")
	for _, r := range hosts {
		b, err := os.ReadFile(s.sshFile(filepath.Join("hostkeys", r.Addr.String()+".pub")))
		f := strings.Fields(string(b))
		if err != nil || len(f) < 2 {
			continue // of a host that never came to be
		}
		fmt.Fprintf(&known, "%s,%s %s %s\n", r.Name, r.Addr, f[0], f[1])
		fmt.Fprintf(&config, "\nHost %s %s\n  HostName %s\n  User root\n  IdentityFile %s\n  IdentitiesOnly yes\n  UserKnownHostsFile %s\n  StrictHostKeyChecking yes\n  ConnectTimeout 10\n",
			r.Name, r.Addr, r.Addr, strconv.Quote(s.KeyPath()), strconv.Quote(s.KnownHostsPath()))
	}
	if err := os.MkdirAll(filepath.Dir(s.KeyPath()), 0o700); err != nil {
		return err
	}
	if err := replaceFile(s.KnownHostsPath(), []byte(known.String()), 0o600); err != nil {
		return fmt.Errorf("writing known_hosts: %w", err)
	}
	if err := replaceFile(s.ConfigPath(), []byte(config.String()), 0o600); err != nil {
		return fmt.Errorf("writing the SSH config: %w", err)
	}
	return nil
}

// Exec runs a program on a host over SSH as root and returns its standard output. Its error holds the
// last lines of standard error and wraps the *exec.ExitError, whose code is the program's, or 255 when ssh
// itself failed.
func (s *Sandbox) Exec(ctx context.Context, ref string, argv ...string) ([]byte, error) {
	h, err := s.Find(ref)
	if err != nil {
		return nil, err
	}
	words := make([]string, len(argv))
	for i, a := range argv {
		words[i] = quote(a) // ssh joins them and the host's shell takes them apart
	}
	args := append([]string{"ssh", "-o", "BatchMode=yes"}, s.SSHArgs(h.Name)...)
	return stdout(command(ctx, "", append(append(args, "--"), words...)...), h.Name, argv)
}

// Console runs a program on a host as one would at its own console: without the network, thus also while
// it is partitioned and before sshd runs. Otherwise it is like Exec. The program is no part of a login
// session or unit of the host: don't start daemons with it.
func (s *Sandbox) Console(ctx context.Context, ref string, argv ...string) ([]byte, error) {
	if err := requireRoot(); err != nil {
		return nil, err
	}
	h, err := s.Find(ref)
	if err != nil {
		return nil, err
	}
	if h.PID == 0 {
		return nil, fmt.Errorf("%s is not running", h.Name)
	}
	args := append([]string{"nsenter", "--target", strconv.Itoa(h.PID), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd=/", "--"}, argv...)
	cmd := command(ctx, "", args...)
	cmd.Env = []string{"HOME=/root", "USER=root", "LOGNAME=root", "LANG=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	return stdout(cmd, h.Name, argv)
}

func stdout(cmd *exec.Cmd, host string, argv []string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = exit
		}
		return out, fmt.Errorf("%s: %s: %w%s", host, strings.Join(argv, " "), err, tail(stderr.String(), 15))
	}
	return out, nil
}

// quote makes one word of a POSIX shell out of any text.
func quote(word string) string {
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
