package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestAway(t *testing.T) {
	const (
		own    = "deb [signed-by=/etc/apt/keyrings/pigsty.asc] http://10.0.0.1:80/pigsty ./\n"
		lost   = "E: Failed to fetch http://deb.example.org/debian/dists/trixie/InRelease  Temporary failure resolving 'deb.example.org'\n"
		second = "E: Failed to fetch http://deb.example.org/debian/dists/trixie-updates/InRelease  Could not connect to deb.example.org:80 (192.0.2.1), connection timed out\n"
		some   = "E: Some index files failed to download. They have been ignored, or old ones used instead.\n"
	)
	for output, want := range map[string]string{
		"Reading package lists...\n" + lost + second + some:                                                      "deb.example.org",
		lost + "E: Failed to fetch http://x.example.org/InRelease  404  Not Found [IP: 192.0.2.1 80]\n" + some:   "",
		lost + "E: The repository 'http://x.example.org ./ Release' is not signed.\n":                            "",
		lost + "E: Failed to fetch http://10.0.0.1/pigsty/./InRelease  Could not connect to 10.0.0.1:80\n":       "",
		lost + "E: Failed to fetch http://10.0.0.1:80/pigsty/./InRelease  Connection failed [IP: 10.0.0.1 80]\n": "",
		"E: Could not get lock /var/lib/apt/lists/lock\n":                                                        "",
	} {
		if got := strings.Join(hosts(away(output, own)), " "); got != want {
			t.Errorf("%q: %q do not answer, want %q", output, got, want)
		}
	}

	lists := t.TempDir()
	for _, name := range []string{"deb.example.org_debian_dists_trixie_InRelease", "deb.example.org_debian_dists_trixie_main_binary-amd64_Packages",
		"deb.example.org_debian_dists_trixie-updates_InRelease", "10.0.0.1:80_pigsty_._InRelease", "lock"} {
		if err := os.WriteFile(filepath.Join(lists, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := forget(lists, away(lost+some, own)); err != nil {
		t.Fatal(err)
	}
	var left []string
	entries, _ := os.ReadDir(lists)
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{"10.0.0.1:80_pigsty_._InRelease", "deb.example.org_debian_dists_trixie-updates_InRelease", "lock"}; !slices.Equal(left, want) {
		t.Errorf("left are %q", left)
	}
}
