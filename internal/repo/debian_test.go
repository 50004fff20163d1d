package repo

import "testing"

func TestSuiteOfAnotherRelease(t *testing.T) {
	d := debian{arch: "amd64", codename: "bookworm", host: "trixie"}
	for suite, want := range map[string]string{
		"trixie": "bookworm", "trixie-updates": "bookworm-updates", "trixie-security": "bookworm-security", "stable": "stable", "./": "./",
	} {
		if got := d.suite(suite); got != want {
			t.Errorf("%s becomes %s, want %s", suite, got, want)
		}
	}
	if got := (debian{codename: "bookworm"}).suite("trixie"); got != "trixie" {
		t.Errorf("of an unknown release: %s", got)
	}
}
