package transport

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"pigsty/internal/secret"
)

// settings is all that one SSH connection needs to know, after the inventory,
// ssh_config and the defaults have had their say, in this order.
type settings struct {
	alias        string // what ssh_config was asked about
	host         string // name or address to connect to
	port         int
	user         string
	password     secret.Value
	network      string // tcp, tcp4 or tcp6
	timeout      time.Duration
	keyFiles     []string // said by inventory or ssh_config; must exist
	defaultKeys  []string // tried where keyFiles is empty; may be missing
	certFiles    []string
	onlyKeys     bool   // IdentitiesOnly
	agentSocket  string // "" for none
	hostKeyName  string // as known_hosts has it
	knownHosts   []string
	globalHosts  []string
	hashHosts    bool
	policy       HostKeyPolicy
	jumps        []string // hops of ProxyJump, the first one first
	proxyCommand string
	log          func(line string)
}

// addr returns host:port.
func (s *settings) addr() string { return net.JoinHostPort(s.host, strconv.Itoa(s.port)) }

// resolve works out the settings for t.
func (d *Dialer) resolve(t Target) (*settings, error) {
	v := values{}
	if t.Port != 0 {
		v.add("port", strconv.Itoa(t.Port))
	}
	if t.User != "" {
		v.add("user", t.User)
	}
	if t.KeyFile != "" {
		v.add("identityfile", t.KeyFile)
	}
	args, warnings, err := parseArgs(t.CommonArgs)
	if err != nil {
		return nil, fail(StageResolve, "correct ansible_ssh_common_args", "ansible_ssh_common_args: %w", err)
	}
	for _, w := range warnings {
		d.warnOnce(t.Name, "ansible_ssh_common_args: "+w)
	}
	for key, list := range args {
		for _, value := range list {
			v.add(key, value)
		}
	}
	s, err := d.settle(t.address(), v)
	if err != nil {
		return nil, err
	}
	s.password = t.Password
	return s, nil
}

// resolveHop works out the settings for one hop of a ProxyJump: what the hop
// says, then ssh_config. The target's own options do not reach it, as in ssh.
func (d *Dialer) resolveHop(hop string) (*settings, error) {
	v := values{}
	rest := strings.TrimPrefix(hop, "ssh://")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		v.add("user", rest[:i])
		rest = rest[i+1:]
	}
	rest = strings.TrimSuffix(rest, "/")
	if host, port, err := net.SplitHostPort(rest); err == nil {
		v.add("port", port)
		rest = host
	}
	rest = strings.TrimSuffix(strings.TrimPrefix(rest, "["), "]")
	if rest == "" {
		return nil, fail(StageResolve, "", "ProxyJump %q names no host", hop)
	}
	return d.settle(rest, v)
}

// settle adds ssh_config and the defaults to v.
func (d *Dialer) settle(alias string, v values) (*settings, error) {
	config, err := d.config()
	if err != nil {
		return nil, fail(StageResolve, "correct the file", "ssh config: %w", err)
	}
	if alias == "" {
		return nil, fail(StageResolve, "", "the host has no name")
	}
	config.apply(v, alias)
	s := &settings{alias: alias, host: alias, port: 22, network: "tcp", timeout: defaultTimeout, log: func(string) {}}
	if h := v.first("hostname"); h != "" {
		s.host = strings.NewReplacer("%h", alias, "%%", "%").Replace(h)
	}
	if p := v.first("port"); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil || s.port < 1 || s.port > 65535 {
			return nil, fail(StageResolve, "", "%q is not a port", p)
		}
	}
	if s.user = v.first("user"); s.user == "" {
		s.user = localUser()
	}
	switch strings.ToLower(v.first("addressfamily")) {
	case "inet":
		s.network = "tcp4"
	case "inet6":
		s.network = "tcp6"
	}
	if d.opts.ConnectTimeout > 0 {
		s.timeout = d.opts.ConnectTimeout
	} else if n, err := strconv.Atoi(v.first("connecttimeout")); err == nil && n > 0 {
		s.timeout = time.Duration(n) * time.Second
	}
	if pc := v.first("proxycommand"); pc != "" && !strings.EqualFold(pc, "none") {
		s.proxyCommand = strings.TrimPrefix(d.expand(pc, s), "exec ")
	}
	if j := v.first("proxyjump"); j != "" && !strings.EqualFold(j, "none") {
		for hop := range strings.SplitSeq(j, ",") {
			s.jumps = append(s.jumps, strings.TrimSpace(hop))
		}
	}
	d.settleKeys(s, v)
	return s, d.settleHostKeys(s, v)
}

func (d *Dialer) settleKeys(s *settings, v values) {
	for _, f := range v["identityfile"] {
		if !strings.EqualFold(f, "none") {
			s.keyFiles = append(s.keyFiles, d.expand(f, s))
		}
	}
	if len(v["identityfile"]) == 0 {
		for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			s.defaultKeys = append(s.defaultKeys, filepath.Join(d.home, ".ssh", name))
		}
	}
	for _, f := range v["certificatefile"] {
		s.certFiles = append(s.certFiles, d.expand(f, s))
	}
	s.onlyKeys = isYes(v.first("identitiesonly"))
	switch a := v.first("identityagent"); {
	case a == "" || a == "SSH_AUTH_SOCK":
		s.agentSocket = os.Getenv("SSH_AUTH_SOCK")
	case strings.EqualFold(a, "none"):
	case strings.HasPrefix(a, "$"):
		s.agentSocket = os.Getenv(strings.Trim(a[1:], "{}"))
	default:
		s.agentSocket = d.expand(a, s)
	}
}

func (d *Dialer) settleHostKeys(s *settings, v values) error {
	if s.hostKeyName = v.first("hostkeyalias"); s.hostKeyName == "" {
		s.hostKeyName = knownName(s.host, s.port)
	}
	files := func(key string, defaults ...string) (list []string, err error) {
		line := v.first(key)
		if line == "" {
			return defaults, nil
		}
		words, err := splitWords(line)
		for _, w := range words {
			if !strings.EqualFold(w, "none") {
				list = append(list, d.expand(w, s))
			}
		}
		return list, err
	}
	var err error
	s.knownHosts, err = files("userknownhostsfile", filepath.Join(d.home, ".ssh/known_hosts"), filepath.Join(d.home, ".ssh/known_hosts2"))
	if err == nil {
		s.globalHosts, err = files("globalknownhostsfile", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
	}
	if err != nil {
		return fail(StageResolve, "", "known hosts files: %w", err)
	}
	if len(d.opts.KnownHosts) > 0 {
		s.knownHosts, s.globalHosts = d.opts.KnownHosts, nil
	}
	s.hashHosts = isYes(v.first("hashknownhosts"))
	if s.policy, err = parsePolicy(v.first("stricthostkeychecking")); err != nil {
		return fail(StageResolve, "", "%w", err)
	}
	if d.opts.HostKeyPolicy != PolicyDefault {
		s.policy = d.opts.HostKeyPolicy
	}
	return nil
}

func isYes(s string) bool { return strings.EqualFold(s, "yes") || strings.EqualFold(s, "true") }

// expand replaces ssh's percent tokens and a leading ~/.
func (d *Dialer) expand(text string, s *settings) string {
	if !strings.ContainsAny(text, "%~") {
		return text
	}
	hostname, _ := os.Hostname()
	short, _, _ := strings.Cut(hostname, ".")
	return strings.NewReplacer("%%", "%", "%d", d.home, "%h", s.host, "%i", strconv.Itoa(os.Getuid()),
		"%k", s.hostKeyName, "%L", short, "%l", hostname, "%n", s.alias, "%p", strconv.Itoa(s.port),
		"%r", s.user, "%u", localUser()).Replace(expandHome(text, d.home))
}

func localUser() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return os.Getenv("USER")
}

// HostKeyPolicy says what happens to a host key that known_hosts does not have.
type HostKeyPolicy int

// PolicyDefault leaves it to the inventory and ssh_config, and without a word
// there is PolicyAcceptNew. PolicyAcceptNew records the key of a host that is
// not known and refuses one that changed. PolicyStrict refuses both. PolicyOff
// accepts both, and then sends no password to a host whose key changed.
const (
	PolicyDefault HostKeyPolicy = iota
	PolicyAcceptNew
	PolicyStrict
	PolicyOff
)

// parsePolicy reads a value of StrictHostKeyChecking. "ask" is accept-new: with
// many hosts at once nobody can be asked.
func parsePolicy(s string) (HostKeyPolicy, error) {
	switch strings.ToLower(s) {
	case "", "ask", "accept-new":
		return PolicyAcceptNew, nil
	case "yes", "true":
		return PolicyStrict, nil
	case "no", "off", "false":
		return PolicyOff, nil
	}
	return 0, fmt.Errorf("StrictHostKeyChecking %q is not yes, no, ask or accept-new", s)
}
