package transport

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

//go:embed agent.sh
var agentSource string

// agentScript is agent.sh as one line, see there.
var agentScript = oneLine(agentSource)

// localScript starts the binary itself as the agent: MARK PATH.
const localScript = `echo "$1 start"; exec "$2" agent`

// becomeScript runs "sh -c" with the arguments that follow ASK USER: directly
// where that is who we are, else under sudo. ASK is sudo's prompt, or empty if
// there is no password to answer it with. LC_ALL makes sudo's messages known.
const becomeScript = `p=$1; u=$2; shift 2; ` +
	`if [ "$(id -un)" = "$u" ]; then exec sh -c "$@"; fi; ` +
	`LC_ALL=C; export LC_ALL; ` +
	`if [ -n "$p" ]; then exec sudo -H -S -p "$p" -u "$u" -- sh -c "$@"; fi; ` +
	`exec sudo -H -n -u "$u" -- sh -c "$@"`

// How long a host may take for the next line of the start: sudo's work and the
// login shell's profile in one case, in the other the end of the binary, part of
// which is still on its way, and its installation.
const (
	startLimit   = time.Minute
	installLimit = 5 * time.Minute
)

// maxLine is the longest line of the script's own, in bytes.
const maxLine = 8 << 10

func oneLine(script string) string {
	var lines []string
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

// newMark returns a word that no shell profile prints by chance.
func newMark() string { return "pigsty-" + rand.Text() }

// launch is the start of one agent, up to the point where its own conversation
// begins.
type launch struct {
	dialer    *Dialer
	target    Target
	mark      string
	noSecrets bool // the host is not the one that is known
	pushed    int64

	mu      sync.Mutex
	prompts int // how often sudo asked
}

// command returns the command line that runs script with the mark and args, as
// the user that the target says.
func (l *launch) command(script string, args ...string) []string {
	inner := append([]string{script, "sh", l.mark}, args...)
	if b := l.target.Become; b != nil && !*b {
		return append([]string{"exec", "sh", "-c"}, inner...)[l.shellWord():]
	}
	ask := ""
	if !l.target.BecomePassword.IsEmpty() {
		ask = l.prompt()
	}
	user := l.target.BecomeUser
	if user == "" {
		user = "root"
	}
	return append([]string{"exec", "sh", "-c", becomeScript, "sh", ask, user}, inner...)[l.shellWord():]
}

// shellWord is how many words at the front only a login shell understands.
func (l *launch) shellWord() int {
	if l.target.Connection == "local" {
		return 1
	}
	return 0
}

func (l *launch) prompt() string { return l.mark + "-sudo" }

// run brings p, which runs the script, to the point where it is the agent. It
// owns p and c, which is nil for a local process.
func (l *launch) run(ctx context.Context, p process, c *conn) (*Session, error) {
	s := newSession(p, c)
	s.watch(l.prompt(), func() { l.answerSudo(p) })
	stop := context.AfterFunc(ctx, p.kill)
	err := l.negotiate(s)
	if !stop() && err == nil { // killed just now
		err = fail(StageStart, "", "%w", context.Cause(ctx))
	}
	if err != nil {
		p.kill()
		s.abandon()
		return nil, err
	}
	s.pushed = l.pushed
	return s, nil
}

// answerSudo sends the password at sudo's first prompt. At the second one it was
// wrong: the closed stdin makes sudo give up.
func (l *launch) answerSudo(p process) {
	l.mu.Lock()
	l.prompts++
	first := l.prompts == 1
	l.mu.Unlock()
	if first && !l.noSecrets {
		_, _ = io.WriteString(p.stdin(), l.target.BecomePassword.Reveal()+"\n")
		return
	}
	_ = p.stdin().Close()
}

// negotiate answers the script's lines until it says start.
func (l *launch) negotiate(s *Session) error {
	limit := startLimit
	for {
		words, err := l.line(s, limit)
		if err != nil {
			return err
		}
		switch words[0] {
		case "start":
			return nil
		case "machine":
			b, err := l.dialer.binary.forMachine(words[1])
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintln(s.p.stdin(), b.hash, b.size); err != nil {
				return l.ended(s, err)
			}
			s.binary = b
		case "missing":
			if err := l.push(s, words[1]); err != nil {
				return err
			}
			limit = installLimit
		case "error":
			return scriptError(words[1:], s.Stderr())
		default:
			return fail(StageStart, "", "unexpected answer %q", strings.Join(words, " "))
		}
	}
}

// line returns the words of the next line with the mark, skipping what a shell
// profile or a banner prints.
func (l *launch) line(s *Session, limit time.Duration) ([]string, error) {
	slow := time.AfterFunc(limit, s.p.kill)
	var text []byte // the end of the line so far
	for skipped := 0; skipped < 1<<20; {
		part, err := s.out.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			if !slow.Stop() {
				return nil, fail(StageStart, "see what the login shell's profile or sudo waits for", "no answer within %s", limit)
			}
			return nil, l.ended(s, err)
		}
		skipped += len(part)
		text = append(text, part...)
		if err != nil { // a long line, which may hold the mark at its end
			text = bytes.Clone(text[max(0, len(text)-maxLine):])
			continue
		}
		if _, after, ok := bytes.Cut(text, []byte(l.mark+" ")); ok {
			slow.Stop()
			return append(strings.Fields(string(after)), ""), nil // a missing argument is empty
		}
		text = text[:0]
	}
	slow.Stop()
	return nil, fail(StageStart, "see what the login shell's profile prints", "more than 1 MB of text before the agent started")
}

// push sends the binary in the given encoding.
func (l *launch) push(s *Session, encoding string) error {
	b := s.binary
	var err error
	if b == nil {
		if b, err = l.dialer.binary.own(); err != nil {
			return fail(StagePush, "", "%w", err)
		}
	}
	data, err := b.payload(encoding)
	if err != nil {
		return fail(StagePush, "", "%w", err)
	}
	l.dialer.log(l.target.Name, fmt.Sprintf("installing the agent (%.1f MB)", float64(len(data))/1e6))
	if _, err := fmt.Fprintln(s.p.stdin(), len(data)); err != nil {
		return l.ended(s, err)
	}
	// If the host gives up meanwhile, the write fails too, but its own words
	// come next and say why.
	n, _ := s.p.stdin().Write(data)
	l.pushed += int64(n)
	return nil
}

// ended explains why the script ended before it said start.
func (l *launch) ended(s *Session, err error) *Error {
	cause := s.Wait()
	var own *Error
	if errors.As(cause, &own) {
		return own
	}
	var said *stderrError
	if errors.As(cause, &said) {
		err = said.error
	}
	l.mu.Lock()
	prompts := l.prompts
	l.mu.Unlock()
	stderr := s.Stderr()
	if e := sudoError(l, prompts, stderr); e != nil {
		return e
	}
	return fail(StageStart, "", "the shell ended: %w", withStderr(err, stderr))
}

// sudoError recognises sudo's own complaints.
func sudoError(l *launch, prompts int, stderr string) *Error {
	has := func(texts ...string) bool {
		for _, t := range texts {
			if strings.Contains(stderr, t) {
				return true
			}
		}
		return false
	}
	stderr = strings.TrimSpace(strings.ReplaceAll(stderr, l.prompt(), ""))
	switch {
	case prompts > 0 && l.noSecrets:
		return fail(StageSudo, "correct known_hosts first", "sudo asks for a password, which is not sent to a host whose key changed")
	case prompts > 1:
		return fail(StageSudo, "correct ansible_become_password", "sudo does not accept the password")
	case has("password is required", "authentication is required", "terminal is required"):
		return fail(StageSudo, "set ansible_become_password, or allow the user sudo without a password (NOPASSWD)",
			"sudo needs a password and none is given")
	case has("must have a tty"):
		return fail(StageSudo, "remove requiretty from sudoers, or connect as root (ansible_user)", "%s", stderr)
	case has("sudo: not found", "sudo: command not found"):
		return fail(StageSudo, "install sudo there, or connect as root (ansible_user)", "the host has no sudo")
	case prompts > 0, has("sudo:", "sudoers", "not allowed to"):
		return fail(StageSudo, "allow the user to run sh as root in sudoers, or connect as root (ansible_user)", "%s", stderr)
	}
	return nil
}

// scriptError turns an error line of agent.sh into words.
func scriptError(words []string, stderr string) *Error {
	what, path := words[0], strings.Join(words[1:], " ")
	path = strings.TrimSpace(path)
	switch what {
	case "unsafe":
		return fail(StagePush, "chown root and chmod 0755 it after making sure that nobody tampered with it",
			"%s belongs to another user, is a link, or can be written by others", path)
	case "create", "write":
		return fail(StagePush, "check permissions and free space there; without ansible_become the user must be root",
			"%s cannot be written: %s", path, stderr)
	case "checksum":
		return fail(StagePush, "check free space there and run again", "%s arrived damaged: %s", path, stderr)
	case "noexec":
		return fail(StageStart, "mount the file system of "+path+" without noexec", "%s cannot be executed", path)
	}
	return fail(StageStart, "", "%s %s: %s", what, path, stderr)
}
