package transport

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A session goes on while its host lets in no new connections, however it is reached.
func TestReach(t *testing.T) {
	mustLook(t, "bash")
	for _, c := range []struct{ name, how, want string }{
		{"directly", "", "refuses connections"},
		{"through a jump host", "  ProxyJump jump", "jump host jump cannot reach"},
		{"by a command", `  ProxyCommand bash -c 'exec 3<>/dev/tcp/%h/%p; cat <&3 & cat >&3'`, "connecting to"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Options{})
			hostKey, _ := newKey(t)
			jump := newServer(t, w.key.PublicKey(), hostKey)
			writeFile(t, w.dialer.opts.ConfigFile, portConfig("jump", jump, "")+portConfig("host", w.server, c.how), 0o600)
			s := w.start(t, Target{Name: "host", Become: no()})
			if err := s.Reach(10 * time.Second); err != nil {
				t.Errorf("it lets in everybody: %v", err)
			}
			w.server.listener.Close()
			var e *Error
			if err := s.Reach(10 * time.Second); !errors.As(err, &e) || e.Host != "host" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("it lets in nobody: %v, want %q", err, c.want)
			}
			talk(t, s)
		})
	}
	w := newWorld(t, Options{})
	local := w.start(t, Target{Name: "here", Connection: "local", Become: no()})
	if err := local.Reach(time.Nanosecond); err != nil {
		t.Errorf("a local agent: %v", err)
	}
}
