package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"pigsty/internal/sandbox"
)

// sandboxDefaultHosts is how many hosts "sandbox up" makes: one for infrastructure and a cluster of three,
// as in the example inventories.
const sandboxDefaultHosts = 4

// newSandboxCommand is "pigsty sandbox" with all that belongs to it.
func newSandboxCommand() *cobra.Command {
	var c sandbox.Config
	var subnet string
	open := func() (*sandbox.Sandbox, error) {
		if subnet != "" {
			p, err := netip.ParsePrefix(subnet)
			if err != nil {
				return nil, fmt.Errorf("--subnet %q: want a network such as %s", subnet, sandbox.DefaultSubnet)
			}
			c.Subnet = p
		}
		return sandbox.Open(c)
	}
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "Make and use throw-away hosts on this machine",
		Long: `Make and use throw-away hosts on this machine.

Each host is a container with its own systemd, sshd and address on a private bridge, ready in
seconds: as good as a server for deploying, breaking and rebuilding clusters. Needs root on
Linux. Hosts stay until "sandbox down" or a reboot of the machine, which stops them.`,
		Example: `  pigsty sandbox up
  pigsty sandbox list
  pigsty sandbox ssh 10.10.10.10
  pigsty sandbox down`,
	}
	f := cmd.PersistentFlags()
	f.StringVar(&c.Dir, "dir", "", "directory of the sandbox (default $"+sandbox.DirEnv+" or "+sandbox.DefaultDir+")")
	f.StringVar(&c.ImageDir, "image-dir", "", "directory of base images and package cache (default: that of the sandbox)")
	f.StringVar(&c.Bridge, "bridge", "", "bridge that the hosts share (default "+sandbox.DefaultBridge+")")
	f.StringVar(&subnet, "subnet", "", "network of the hosts (default "+sandbox.DefaultSubnet+")")
	cmd.AddCommand(
		newSandboxUp(&c, open), newSandboxDown(open), newSandboxList(open), newSandboxSSH(open),
		newSandboxStop(open), newSandboxStart(open), newSandboxPartition(open), newSandboxHeal(open),
		newSandboxFetch(&c, open), newSandboxKey(open),
	)
	return cmd
}

// openSandbox opens the sandbox that the flags describe.
type openSandbox func() (*sandbox.Sandbox, error)

// sandboxOSFlag declares --os where it has a meaning.
func sandboxOSFlag(cmd *cobra.Command, c *sandbox.Config) {
	var ids []string
	for _, r := range sandbox.Releases() {
		ids = append(ids, r.ID)
	}
	cmd.Flags().StringVar(&c.OS, "os", "", "operating system of new hosts: "+strings.Join(ids, ", ")+" (default "+sandbox.DefaultOS+")")
	cmd.Flags().StringVar(&c.Mirror, "mirror", "", "Debian archive to build the base image from (default: the one that this machine uses)")
}

func newSandboxUp(c *sandbox.Config, open openSandbox) *cobra.Command {
	var refresh bool
	cmd := &cobra.Command{
		Use:   "up [N | IP...]",
		Short: "Bring hosts up",
		Long: `Bring hosts up: the given addresses, or the first N from .10 of the sandbox's network, by
default 4. Hosts that run stay as they are, stopped ones boot with the disk they have, others are
made anew. Returns when all answer to SSH.

The first run builds a base image with the Debian archive that this machine uses and installs
what the machine lacks for it, which takes about half a minute; later runs take seconds.`,
		Example: `  pigsty sandbox up                          # 10.10.10.10 to 10.10.10.13
  pigsty sandbox up 1
  pigsty sandbox up 10.10.10.10 10.10.10.42
  pigsty sandbox up --os debian12 10.10.10.12
  pigsty sandbox up --install postgresql-17,patroni,pgbouncer,pgbackrest,haproxy 3`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := open()
			if err != nil {
				return err
			}
			addrs, err := sandboxAddrs(s, args)
			if err != nil {
				return err
			}
			say := func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
			if refresh {
				if err := s.Refresh(cmd.Context(), say); err != nil {
					return err
				}
			}
			began := time.Now()
			if err := s.Up(cmd.Context(), addrs, say); err != nil {
				return err
			}
			hosts := "1 host is"
			if len(addrs) > 1 {
				hosts = fmt.Sprintf("%d hosts are", len(addrs))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s up after %.1f s; log in with: pigsty sandbox ssh %s\n", hosts, time.Since(began).Seconds(), addrs[0])
			return nil
		},
	}
	sandboxOSFlag(cmd, c)
	cmd.Flags().StringSliceVar(&c.Packages, "install", nil, "packages that new hosts have from the start, installed once for all that want the same")
	cmd.Flags().BoolVar(&refresh, "refresh", false, "build the base image anew first, with today's package lists")
	return cmd
}

// sandboxAddrs reads the arguments of "sandbox up".
func sandboxAddrs(s *sandbox.Sandbox, args []string) ([]netip.Addr, error) {
	if len(args) == 0 {
		return s.First(sandboxDefaultHosts)
	}
	if n, err := strconv.Atoi(args[0]); err == nil && len(args) == 1 {
		return s.First(n)
	}
	addrs := make([]netip.Addr, len(args))
	for i, arg := range args {
		a, err := netip.ParseAddr(arg)
		if err != nil {
			return nil, fmt.Errorf("%q: want a number of hosts or their addresses", arg)
		}
		addrs[i] = a
	}
	return addrs, nil
}

func newSandboxDown(open openSandbox) *cobra.Command {
	return &cobra.Command{
		Use:   "down [HOST...]",
		Short: "Remove hosts with their disks",
		Long: `Remove hosts with their disks, by address or name; all without an argument. With the last one go
the bridge and its NAT. Base images, downloaded packages and SSH keys stay for the next time.`,
		Example: `  pigsty sandbox down
  pigsty sandbox down 10.10.10.13`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := open()
			if err != nil {
				return err
			}
			return s.Down(cmd.Context(), args...)
		},
	}
}

func newSandboxList(open openSandbox) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List hosts",
		Long:    "List hosts with their state: running, partitioned (cut off from the network) or stopped.",
		Example: `  pigsty sandbox list
  pigsty sandbox list --json | jq -r '.[].address'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open()
			if err != nil {
				return err
			}
			hosts, err := s.Hosts()
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(append([]sandbox.Host{}, hosts...)) // [] rather than null
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tADDRESS\tSTATE\tOS\tPID")
			for _, h := range hosts {
				pid := "-"
				if h.PID > 0 {
					pid = strconv.Itoa(h.PID)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", h.Name, h.Addr, h.State(), h.OS, pid)
			}
			return w.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array")
	return cmd
}

func newSandboxSSH(open openSandbox) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ssh HOST [COMMAND...]",
		Short: "Log in to a host, or run a command there",
		Long: `Log in to a host as root with the sandbox's key, or run a command there; the exit status is the
command's. HOST is an address or a name.`,
		Example: `  pigsty sandbox ssh 10.10.10.10
  pigsty sandbox ssh node-11 systemctl --failed`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := open()
			if err != nil {
				return err
			}
			h, err := s.Find(args[0])
			if err != nil {
				return err
			}
			if h.State() != "running" {
				return fmt.Errorf("%s is %s", h.Name, h.State())
			}
			ssh, err := exec.LookPath("ssh")
			if err != nil {
				return err
			}
			argv := append(append([]string{"ssh"}, s.SSHArgs(h.Name)...), args[1:]...)
			// ssh takes this process's place: terminal, signals and exit status are then its own.
			return fmt.Errorf("running %s: %w", ssh, syscall.Exec(ssh, argv, os.Environ()))
		},
	}
	cmd.Flags().SetInterspersed(false) // what follows HOST is the command's
	return cmd
}

func newSandboxStop(open openSandbox) *cobra.Command {
	return sandboxOnHosts(open, (*sandbox.Sandbox).Stop, &cobra.Command{
		Use:   "stop HOST...",
		Short: "Pull the plug of hosts",
		Long: `Pull the plug of hosts: all their processes are killed at once, nothing is shut down. Their disks
stay; "sandbox start" boots them again.`,
		Example: `  pigsty sandbox stop node-11`,
		Args:    cobra.MinimumNArgs(1),
	})
}

func newSandboxStart(open openSandbox) *cobra.Command {
	return sandboxOnHosts(open, (*sandbox.Sandbox).Start, &cobra.Command{
		Use:     "start HOST...",
		Short:   "Boot stopped hosts",
		Long:    "Boot stopped hosts with the disks they have. Returns when all answer to SSH.",
		Example: `  pigsty sandbox start node-11`,
		Args:    cobra.MinimumNArgs(1),
	})
}

func newSandboxPartition(open openSandbox) *cobra.Command {
	return sandboxOnHosts(open, (*sandbox.Sandbox).Partition, &cobra.Command{
		Use:   "partition HOST...",
		Short: "Cut hosts off from the network",
		Long: `Cut hosts off: they exchange no traffic with each other, with other hosts or with this machine,
while they keep running and their network interface stays up. It lasts until "sandbox heal".`,
		Example: `  pigsty sandbox partition 10.10.10.11`,
		Args:    cobra.MinimumNArgs(1),
	})
}

func newSandboxHeal(open openSandbox) *cobra.Command {
	return sandboxOnHosts(open, (*sandbox.Sandbox).Heal, &cobra.Command{
		Use:   "heal [HOST...]",
		Short: "Connect partitioned hosts again",
		Long:  "Connect hosts again that were cut off by \"sandbox partition\"; all without an argument.",
		Example: `  pigsty sandbox heal
  pigsty sandbox heal 10.10.10.11`,
	})
}

func newSandboxFetch(c *sandbox.Config, open openSandbox) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fetch PACKAGE...",
		Short: "Download packages for later hosts",
		Long: `Download packages and all they depend on into the package cache. Hosts started afterwards
install them without a download. What hosts download themselves is kept there too, when they stop.`,
		Example: `  pigsty sandbox fetch postgresql-17 patroni etcd-server haproxy`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, a := range args {
				if strings.HasPrefix(a, "-") {
					return errors.New("options of apt cannot be given here: " + a)
				}
			}
			s, err := open()
			if err != nil {
				return err
			}
			return s.Fetch(cmd.Context(), args, func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) })
		},
	}
	sandboxOSFlag(cmd, c)
	return cmd
}

func newSandboxKey(open openSandbox) *cobra.Command {
	return &cobra.Command{
		Use:   "key",
		Short: "Print the path of the private SSH key",
		Long: `Print the path of the private SSH key that logs in as root on every host. Beside it are known_hosts
and config, a file for ssh -F or for an Include line in ~/.ssh/config.`,
		Example: `  ssh -i "$(pigsty sandbox key)" root@10.10.10.10`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := open()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), s.KeyPath())
			return err
		},
	}
}

// sandboxAction is a method of Sandbox that takes hosts by name or address.
type sandboxAction func(s *sandbox.Sandbox, ctx context.Context, refs ...string) error

// sandboxOnHosts completes a command that does one thing to the hosts it is given.
func sandboxOnHosts(open openSandbox, do sandboxAction, cmd *cobra.Command) *cobra.Command {
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s, err := open()
		if err != nil {
			return err
		}
		return do(s, cmd.Context(), args...)
	}
	return cmd
}
