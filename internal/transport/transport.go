// Package transport reaches hosts, over SSH or on this machine, and starts the
// agent there.
//
// The agent is the program's own binary. It is pushed once per host, into a
// directory that only root can write, under the hash of its content; a host that
// has it costs one command. Everything after that is the agent's conversation
// over the stdin and stdout of that one command.
//
// SSH follows the user's own setup: ~/.ssh/config, ssh-agent, keys, jump hosts
// and known_hosts, with the inventory's ansible_* variables on top. A host key is
// recorded at first contact; a changed one is refused.
package transport

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"pigsty/internal/secret"
)

// Target is one host as the inventory describes it. A zero field was not said
// there: ssh_config and then ssh's own defaults decide.
type Target struct {
	Name           string       // the inventory's host name, usually an IP
	Address        string       // ansible_host; Name if empty
	Port           int          // ansible_port
	User           string       // ansible_user
	KeyFile        string       // ansible_ssh_private_key_file
	Password       secret.Value // ansible_password, ansible_ssh_pass
	Connection     string       // ansible_connection: "ssh" (the default) or "local"
	Become         *bool        // ansible_become; nil means when not root already
	BecomeUser     string       // ansible_become_user; root if empty
	BecomePassword secret.Value // ansible_become_password
	CommonArgs     string       // ansible_ssh_common_args
}

// address returns the name that ssh_config is asked about, as on ssh's command line.
func (t Target) address() string {
	if t.Address != "" {
		return t.Address
	}
	return t.Name
}

// Options configures a Dialer. The zero value is what a user's own ssh would do,
// except that new host keys are recorded without asking.
type Options struct {
	// ConfigFile replaces ~/.ssh/config and /etc/ssh/ssh_config.
	ConfigFile string
	// KnownHosts replaces the known_hosts files of the inventory and ssh_config.
	// New host keys are added to the first.
	KnownHosts []string
	// HostKeyPolicy, unless PolicyDefault, overrides the inventory and ssh_config.
	HostKeyPolicy HostKeyPolicy
	// ConnectTimeout bounds the connection to a host including the SSH
	// handshake, but not the time a person takes to type a passphrase. Zero
	// means ssh_config's ConnectTimeout, or 10 s.
	ConnectTimeout time.Duration
	// Binary is the file to push as the agent, os.Executable by default.
	Binary string
	// Log, if set, gets lines worth showing: new host keys, warnings, pushes.
	// It is called from several goroutines. host is "" for what concerns all.
	Log func(host, line string)
	// AskPassword asks a person for a key's passphrase. Without it, encrypted
	// keys work only through ssh-agent. Calls never overlap.
	AskPassword func(prompt string) (secret.Value, error)
}

const (
	defaultTimeout = 10 * time.Second // as Ansible's
	maxHandshakes  = 64               // at the same time; a handshake costs CPU on both sides
	defaultAgents  = "/var/lib/pigsty/agent"
)

// Dialer opens connections to many hosts and holds what they share: the parsed
// ssh_config, ssh-agent, decrypted keys, known hosts, connections to jump hosts
// and the compressed agent. Its methods may be called from many goroutines.
type Dialer struct {
	opts   Options
	home   string
	config func() (*sshConfig, error)
	keys   *keyring
	hosts  *hostKeys
	binary *binaries
	slots  chan struct{}

	agentDir      string        // where the agent lives on hosts
	aliveInterval time.Duration // between keepalive requests
	aliveLimit    time.Duration // silence after which a connection is dead

	mu       sync.Mutex
	jumps    map[string]*jump
	warned   map[string]bool
	goodKeys []string // key blobs that hosts accepted, the latest first
	closed   bool
}

// New returns a Dialer. It reads nothing but the binary, which it starts to hash
// in the background; a bad ConfigFile shows as an error of Start.
func New(opts Options) *Dialer {
	home, _ := os.UserHomeDir()
	d := &Dialer{
		opts: opts, home: home,
		slots:         make(chan struct{}, maxHandshakes),
		agentDir:      defaultAgents,
		aliveInterval: 5 * time.Second,
		aliveLimit:    15 * time.Second,
		jumps:         map[string]*jump{},
		warned:        map[string]bool{},
	}
	d.config = sync.OnceValues(func() (*sshConfig, error) {
		return loadConfig(opts.ConfigFile, home, func(line string) { d.log("", line) })
	})
	d.keys = newKeyring(d.ask)
	d.hosts = newHostKeys()
	d.binary = newBinaries(opts.Binary)
	go d.binary.own()
	return d
}

// Start connects to t, installs the agent if the host lacks it, and starts
// "agent" as root. ctx bounds Start alone; the Session lives until its Close.
// The error is an *Error.
func (d *Dialer) Start(ctx context.Context, t Target) (*Session, error) {
	s, err := d.start(ctx, t)
	if err != nil {
		if ctx.Err() != nil {
			err = &Error{Stage: stageOf(err), Err: context.Cause(ctx)}
		}
		return nil, onHost(t.Name, err)
	}
	return s, nil
}

func stageOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Stage
	}
	return StageConnect
}

func (d *Dialer) start(ctx context.Context, t Target) (*Session, error) {
	mark := newMark()
	launch := &launch{dialer: d, target: t, mark: mark}
	if t.Connection == "local" {
		own, err := d.binary.own()
		if err != nil {
			return nil, fail(StageStart, "", "%w", err)
		}
		p, err := startLocal(launch.command(localScript, own.path))
		if err != nil {
			return nil, fail(StageStart, "", "%w", err)
		}
		return launch.run(ctx, p, nil)
	}
	conn, err := d.connect(ctx, t)
	if err != nil {
		return nil, err
	}
	own, err := d.binary.own()
	if err != nil {
		conn.Close()
		return nil, fail(StagePush, "", "%w", err)
	}
	launch.noSecrets = conn.unverified.Load()
	args := []string{d.agentDir, own.machines(), own.hash, own.sizeText()}
	p, err := conn.start(launch.command(agentScript, args...))
	if err != nil {
		conn.Close()
		return nil, fail(StageStart, "", "%w", err)
	}
	return launch.run(ctx, p, conn)
}

// connect opens the SSH connection of t itself; the caller closes it.
func (d *Dialer) connect(ctx context.Context, t Target) (*conn, error) {
	if t.Connection != "" && t.Connection != "ssh" {
		return nil, fail(StageResolve, `set ansible_connection to "ssh" or "local"`, "connection %q is not supported", t.Connection)
	}
	set, err := d.resolve(t)
	if err != nil {
		return nil, err
	}
	set.log = func(line string) { d.log(t.Name, line) }
	return d.dial(ctx, set, nil)
}

// Run runs one command on t as the user that logs in, not as root, and returns
// its stdout. stdin may be nil. The arguments reach the command unchanged. The
// error is an *Error with the end of the command's stderr in its text.
func (d *Dialer) Run(ctx context.Context, t Target, argv []string, stdin io.Reader) ([]byte, error) {
	out, err := d.run(ctx, t, argv, stdin)
	if err != nil && ctx.Err() != nil {
		err = &Error{Stage: stageOf(err), Err: context.Cause(ctx)}
	}
	return out, onHost(t.Name, err)
}

func (d *Dialer) run(ctx context.Context, t Target, argv []string, stdin io.Reader) ([]byte, error) {
	var p process
	var err error
	if t.Connection == "local" {
		p, err = startLocal(argv)
	} else {
		var c *conn
		if c, err = d.connect(ctx, t); err != nil {
			return nil, err
		}
		defer c.Close()
		p, err = c.start(argv)
	}
	if err != nil {
		return nil, fail(StageStart, "", "%w", err)
	}
	defer context.AfterFunc(ctx, p.kill)()
	go func() {
		if stdin != nil {
			_, _ = io.Copy(p.stdin(), stdin) // a command need not read it all
		}
		p.stdin().Close()
	}()
	var tail tail
	drained := make(chan struct{})
	go func() { defer close(drained); _, _ = io.Copy(&tail, p.stderr()) }()
	out, err := io.ReadAll(p.stdout())
	<-drained
	if werr := p.wait(); werr != nil {
		return out, fail(StageStart, "", "%s: %w", argv[0], withStderr(werr, tail.String()))
	}
	if err != nil {
		return out, fail(StageConnection, "", "%w", err)
	}
	return out, nil
}

// Close closes the connections that hosts share: jump hosts and ssh-agent.
// Sessions through a jump host end with it.
func (d *Dialer) Close() {
	d.mu.Lock()
	d.closed = true
	jumps := d.jumps
	d.jumps = map[string]*jump{}
	d.mu.Unlock()
	for _, j := range jumps {
		j.close()
	}
	d.keys.close()
}

func (d *Dialer) log(host, line string) {
	if d.opts.Log != nil {
		d.opts.Log(host, line)
	}
}

// warnOnce logs a line about host the first time only.
func (d *Dialer) warnOnce(host, line string) {
	d.mu.Lock()
	seen := d.warned[host+"\n"+line]
	d.warned[host+"\n"+line] = true
	d.mu.Unlock()
	if !seen {
		d.log(host, line)
	}
}

var errNoPrompt = errors.New("nobody to ask for its passphrase; add it to ssh-agent")

// ask asks a person for a password.
func (d *Dialer) ask(prompt string) (secret.Value, error) {
	if d.opts.AskPassword == nil {
		return secret.Value{}, errNoPrompt
	}
	return d.opts.AskPassword(prompt)
}

// preferKey notes that a host accepted key, so that other hosts are offered it first.
func (d *Dialer) preferKey(key ssh.PublicKey) {
	blob := string(key.Marshal())
	d.mu.Lock()
	defer d.mu.Unlock()
	keep := []string{blob}
	for _, k := range d.goodKeys {
		if k != blob && len(keep) < 8 {
			keep = append(keep, k)
		}
	}
	d.goodKeys = keep
}
