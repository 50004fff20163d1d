package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// portalDir has the walk through the portal, and the screenshots of its last one.
const portalDir = "../portal"

// infraBrowser walks through the portal with a real browser: all links, both
// languages, on a desk and on a phone.
func infraBrowser(t *testing.T, w *world) {
	var chromium string
	for _, program := range []string{"node", "npm", "chromium"} {
		path, err := exec.LookPath(program)
		if err != nil {
			t.Skipf("there is no %s: apt-get install chromium nodejs npm, Node 20 or newer", program)
		}
		chromium = path
	}
	if _, err := os.Stat(filepath.Join(portalDir, "node_modules", "playwright-core")); err != nil {
		install := exec.Command("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
		install.Dir = portalDir
		if out, err := install.CombinedOutput(); err != nil {
			t.Skipf("npm has no Playwright: %v\n%s", err, out)
		}
	}
	shots, err := filepath.Abs(filepath.Join(portalDir, "screenshots"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}
	type login struct {
		Prefix   string `json:"prefix"`
		Username string `json:"username"`
		Password string `json:"password"`
	}
	ask, err := json.Marshal(map[string]any{
		"portal": "https://i.pigsty/", "hosts": "MAP *.pigsty " + w.addr(10), "pins": []string{w.pin(t, 10)}, "shots": shots,
		"browser": chromium,
		"logins":  []login{{"https://a.pigsty", "ada", "Portal.Test"}, {"https://i.pigsty/haproxy/", "admin", "HAProxy.Test"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	// From within the host: Chromium drops its connections when an interface of the
	// machine changes, and other worlds make theirs meanwhile.
	host, err := w.box.Find(w.addr(11))
	if err != nil {
		t.Fatal(err)
	}
	walk := exec.Command("nsenter", "--target", strconv.Itoa(host.PID), "--net", "node", "portal.mjs", string(ask))
	walk.Dir = portalDir
	out, err := walk.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// pin returns what Chromium calls the key of the portal of host n, whose
// certificate is checked here against the deployment's CA.
func (w *world) pin(t *testing.T, n byte) string {
	t.Helper()
	config := w.browser(t, n).Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName = "i.pigsty"
	conn, err := tls.Dial("tcp", net.JoinHostPort(w.addr(n), "443"), config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	sum := sha256.Sum256(conn.ConnectionState().PeerCertificates[0].RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}
