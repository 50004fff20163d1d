package recipe

import (
	"context"
	"debug/elf"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pigsty/internal/repo/pgp"
)

// build builds list in dir, signed with key, and returns the files that it had to make.
func build(t *testing.T, dir string, key *pgp.Key, list []Package) (made []Built) {
	t.Helper()
	tools, err := FindToolchain(t.Context())
	if err != nil {
		t.Skip(err)
	}
	d, err := Open(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Build(t.Context(), tools, list, func(b Built) { made = append(made, b) }); err != nil {
		t.Fatal(err)
	}
	if ok, err := d.Published(); !ok || err != nil {
		t.Errorf("the index is not what the directory has: %v", err)
	}
	return made
}

func TestBuild(t *testing.T) {
	proxy(t)
	dir := t.TempDir()
	r := hello(t)
	made := build(t, dir, keys()[0], packages(r))
	if len(made) != 2 || made[0].Source != "example.com/hello@v1.2.0" || made[0].Signer != "" || made[1].Signer != keys()[0].Fingerprint() {
		t.Fatalf("made %+v", made)
	}
	data, err := os.ReadFile(filepath.Join(dir, made[0].File))
	if err != nil || digest(data) != made[0].SHA256 || int64(len(data)) != made[0].Size {
		t.Errorf("%s is not what the record says: %v", made[0].File, err)
	}
	if again := build(t, dir, keys()[0], packages(r)); len(again) != 0 {
		t.Errorf("a second build made %+v", again)
	}

	t.Run("the same bytes elsewhere", func(t *testing.T) {
		other := build(t, t.TempDir(), keys()[0], packages(r)[:1])
		if other[0].SHA256 != made[0].SHA256 {
			t.Error("the same recipe made another package")
		}
	})
	t.Run("another key", func(t *testing.T) {
		if again := build(t, dir, keys()[1], packages(r)); len(again) != 1 || again[0].Format != "rpm" {
			t.Errorf("with another key it made %+v", again)
		}
	})
	t.Run("damaged", func(t *testing.T) {
		write(t, filepath.Join(dir, made[0].File), "damaged")
		if again := build(t, dir, keys()[1], packages(r)); len(again) != 1 || again[0].SHA256 != made[0].SHA256 {
			t.Errorf("of a damaged package it made %+v", again)
		}
	})
	t.Run("new version", func(t *testing.T) {
		newer := *r
		newer.Release = 2
		if again := build(t, dir, keys()[1], packages(&newer)); len(again) != 2 {
			t.Errorf("of another release it made %+v", again)
		}
		if _, err := os.Stat(filepath.Join(dir, made[0].File)); err == nil {
			t.Error("the old release is there still")
		}
	})
	t.Run("busy", func(t *testing.T) {
		d, err := Open(dir, keys()[0])
		if err != nil {
			t.Fatal(err)
		}
		unlock, err := d.lock()
		if err != nil {
			t.Fatal(err)
		}
		defer unlock()
		other, err := Open(dir, keys()[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Build(t.Context(), Toolchain{}, nil, nil); err == nil || !strings.Contains(err.Error(), "somebody else builds") {
			t.Errorf("two at once: %v", err)
		}
	})
}

func TestRecord(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{"{": "is damaged", `{"format": 2}`: "format 2"} {
		write(t, filepath.Join(dir, recordFile), text)
		if _, err := Open(dir, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// The directory above belongs to the repository: /www is a link where that makes it.
func TestNoDirectoryAbove(t *testing.T) {
	home := filepath.Join(t.TempDir(), "www")
	d, err := Open(filepath.Join(home, "built"), keys()[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Build(t.Context(), Toolchain{}, nil, nil); err == nil || !strings.Contains(err.Error(), "there is no directory "+home) {
		t.Errorf("it says %v", err)
	}
	if _, err := os.Stat(home); err == nil {
		t.Error("it was made")
	}
}

func TestOtherArchitecture(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the runtime for another architecture")
	}
	proxy(t)
	arch, machine := "arm64", elf.EM_AARCH64
	if runtime.GOARCH == arch {
		arch, machine = "amd64", elf.EM_X86_64
	}
	tools, err := FindToolchain(t.Context())
	if err != nil {
		t.Skip(err)
	}
	c, err := tools.compile(t.Context(), hello(t), arch)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.NewFile(strings.NewReader(string(c.binary)))
	if err != nil || f.Machine != machine {
		t.Errorf("for %s it made %v: %v", arch, f, err)
	}
}

func TestRefused(t *testing.T) {
	proxy(t)
	tools, err := FindToolchain(t.Context())
	if err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		what   string
		change func(*Recipe)
		want   string
	}{
		{"digest", func(r *Recipe) { r.Go.Sum = "h1:" + strings.Repeat("A", 43) + "=" }, "it is not what the recipe means: its digest is h1:"},
		{"no main package", func(r *Recipe) { r.Go.Package = "library" }, "library in example.com/hello@v1.2.0 is no main package"},
		{"no directory", func(r *Recipe) { r.Go.Package = "cmd/hallo" }, "has no directory cmd/hallo"},
		{"no version", func(r *Recipe) { r.Go.Version = "v9.9.9" }, "download example.com/hello@v9.9.9"},
		{"flags", func(r *Recipe) { r.Go.LDFlags = "-nonsense" }, "compile example.com/hello@v1.2.0"},
	} {
		r := hello(t)
		c.change(r)
		if _, err := tools.compile(t.Context(), r, runtime.GOARCH); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tools.compile(ctx, hello(t), runtime.GOARCH); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := FindToolchain(t.Context()); err == nil || !strings.Contains(err.Error(), "install it from") {
		t.Errorf("without Go: %v", err)
	}
}
