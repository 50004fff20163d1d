package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

var errRoot = errors.New("the sandbox needs root: it makes containers, mounts and a bridge")

// tool is a program, or a file given by its path, that the sandbox needs on the machine.
type tool struct{ program, pkg string }

// tools lists what the sandbox needs, with the Debian package of each.
func tools() []tool {
	return []tool{
		{"systemd-nspawn", "systemd-container"},
		{"mmdebstrap", "mmdebstrap"},
		{"nft", "nftables"},
		{"ip", "iproute2"},
		{"ssh", "openssh-client"},
		{"ssh-keygen", "openssh-client"},
		{archiveKeyring, "debian-archive-keyring"},
	}
}

// archiveKeyring is where debian-archive-keyring puts the keys that sign every Debian release.
const archiveKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// requireRoot fails with a clear word for anyone but root.
func requireRoot() error {
	if os.Geteuid() != 0 {
		return errRoot
	}
	return nil
}

// missingTools lists the programs that the machine lacks and the packages that have them.
func missingTools() (programs, pkgs []string) {
	for _, t := range tools() {
		_, err := exec.LookPath(t.program)
		if filepath.IsAbs(t.program) {
			_, err = os.Stat(t.program)
		}
		if err != nil {
			programs, pkgs = append(programs, t.program), append(pkgs, t.pkg)
		}
	}
	return programs, pkgs
}

// installTools installs what the machine lacks, saying so.
func installTools(ctx context.Context, progress func(string)) error {
	missing, pkgs := missingTools()
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("the sandbox needs %s, and this machine has no apt-get to install them with", strings.Join(missing, ", "))
	}
	progress("installing on this machine: " + strings.Join(pkgs, " "))
	install := append([]string{"apt-get", "install", "-y", "-qq", "--no-install-recommends"}, pkgs...)
	if _, err := run(ctx, "", install...); err == nil {
		return nil
	}
	// Perhaps the package lists are old or absent.
	if _, err := run(ctx, "", "apt-get", "update", "-qq"); err != nil {
		return fmt.Errorf("installing %s: %w", strings.Join(pkgs, ", "), err)
	}
	if _, err := run(ctx, "", install...); err != nil {
		return fmt.Errorf("installing %s: %w", strings.Join(pkgs, ", "), err)
	}
	return nil
}

// run runs a program of the machine with input on its stdin and returns what it printed; its error holds
// the last lines of that.
func run(ctx context.Context, input string, argv ...string) (string, error) {
	return output(command(ctx, input, argv...))
}

// command prepares a program with an environment that does not depend on the caller's locale.
func command(ctx context.Context, input string, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdin = strings.NewReader(input)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive")
	return cmd
}

func output(cmd *exec.Cmd) (string, error) {
	b, err := cmd.CombinedOutput()
	if err != nil {
		return string(b), fmt.Errorf("%s: %w%s", strings.Join(cmd.Args[:min(3, len(cmd.Args))], " "), err, tail(string(b), 15))
	}
	return string(b), nil
}

// tail returns the last n lines that are not blank, without terminal escapes, each on a line of its own
// and indented, to follow an error's first line; "" when there are none.
func tail(text string, n int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(plain(line), " \r\n\t"); line != "" {
			lines = append(lines, line)
		}
	}
	var b strings.Builder
	for _, line := range lines[max(0, len(lines)-n):] {
		b.WriteString("\n    " + line)
	}
	return b.String()
}

// plain removes what a console writes for a terminal: escape sequences and control characters.
func plain(line string) string {
	var b strings.Builder
	esc := false
	for _, r := range line {
		switch {
		case r == 0x1b:
			esc = true
		case esc && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'):
			esc = false
		case !esc && (r >= ' ' || r == '\t'):
			b.WriteRune(r)
		}
	}
	return b.String()
}
